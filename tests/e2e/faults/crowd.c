/* crowd.c - many workers in one process, each with a session of its own.
 *
 * Owns: how often each of them ran a task.  They serve "crowd", which takes as many
 * milliseconds as its payload says.  When all have so many ventilators as they were told
 * to it prints "gathered"; after SIGTERM they drain, and it prints what each ran:
 *
 *   runs N N N ...
 *
 * Not here: what the figures prove (fault_crowd.sh).
 */
#include <tmesh.h>

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <time.h>

enum { LOOK_MS = 20, DRAIN_MS = 20000, DIGITS_MAX = 15 };

struct member {
    tmesh_worker_t *worker;
    atomic_ulong runs;
};

struct crowd {
    const char *connect;
    size_t count;
    uint32_t ventilators, slots;
    struct member *members;
};

static volatile sig_atomic_t over;

static void end(int number)
{
    (void)number;
    over = 1;
}

static void doze(long wait_ms)
{
    struct timespec left = {.tv_sec = wait_ms / 1000, .tv_nsec = wait_ms % 1000 * 1000000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR && !over) continue;
}

static int run(tmesh_job_t *job, void *context)
{
    struct member *member = context;
    char text[DIGITS_MAX + 1] = "";
    size_t bytes;
    const void *payload = tmesh_job_payload(job, &bytes);
    if (bytes > DIGITS_MAX) bytes = DIGITS_MAX;
    if (bytes > 0) memcpy(text, payload, bytes);
    long wait_ms = strtol(text, NULL, 10);
    if (wait_ms > 0) doze(wait_ms);
    atomic_fetch_add(&member->runs, 1);
    return TMESH_DONE;
}

static void allow_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

static int gather(struct crowd *crowd)
{
    crowd->members = calloc(crowd->count, sizeof *crowd->members);
    if (!crowd->members) {
        crowd->count = 0;
        return EX_OSERR;
    }
    for (size_t i = 0; i < crowd->count; i++) {
        struct member *member = &crowd->members[i];
        char label[32];
        snprintf(label, sizeof label, "member-%zu", i);
        const tmesh_handler_t handler = {.name = "crowd", .handler = run, .context = member};
        const tmesh_worker_options_t options = {.connect = crowd->connect,
                                                .label = label,
                                                .slots = crowd->slots,
                                                .handlers = &handler,
                                                .handler_count = 1};
        tmesh_error_t error;
        member->worker = tmesh_worker_new(&options, &error);
        if (member->worker) continue;
        fprintf(stderr, "crowd: worker %zu of %zu: %s\n", i + 1, crowd->count, error.text);
        return EX_OSERR;
    }
    return 0;
}

static bool all_are_here(const struct crowd *crowd)
{
    for (size_t i = 0; i < crowd->count; i++) {
        tmesh_worker_counts_t counts;
        tmesh_worker_counts(crowd->members[i].worker, &counts);
        if (counts.ventilators < crowd->ventilators) return false;
    }
    return true;
}

static void say(const char *word)
{
    puts(word);
    fflush(stdout);
}

/* Each is asked first, so that they drain at the same time. */
static void drain(struct crowd *crowd)
{
    for (size_t i = 0; i < crowd->count; i++) (void)tmesh_worker_drain(crowd->members[i].worker, 0);
    for (size_t i = 0; i < crowd->count; i++) {
        (void)tmesh_worker_drain(crowd->members[i].worker, DRAIN_MS);
    }
}

static void tell_runs(const struct crowd *crowd)
{
    printf("runs");
    for (size_t i = 0; i < crowd->count; i++) {
        printf(" %lu", (unsigned long)atomic_load(&crowd->members[i].runs));
    }
    say("");
}

static void disperse(struct crowd *crowd)
{
    for (size_t i = 0; i < crowd->count; i++) tmesh_worker_destroy(&crowd->members[i].worker);
    free(crowd->members);
}

static int live(struct crowd *crowd)
{
    int status = gather(crowd);
    bool told = false;
    while (status == 0 && !over) {
        if (!told && all_are_here(crowd)) {
            say("gathered");
            told = true;
        }
        doze(LOOK_MS);
    }
    if (status == 0) {
        drain(crowd);
        tell_runs(crowd);
    }
    disperse(crowd);
    return status;
}

static int usage(void)
{
    fprintf(stderr, "usage: crowd --connect FRONTS [--workers N] [--slots N] [--ventilators N]\n");
    return EX_USAGE;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"connect", required_argument, NULL, 'c'},
                                            {"workers", required_argument, NULL, 'w'},
                                            {"slots", required_argument, NULL, 's'},
                                            {"ventilators", required_argument, NULL, 'v'},
                                            {NULL, 0, NULL, 0}};
    struct crowd crowd = {.count = 1, .slots = 1, .ventilators = 1};
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 'c': crowd.connect = optarg; break;
        case 'w': crowd.count = strtoul(optarg, NULL, 10); break;
        case 's': crowd.slots = (uint32_t)strtoul(optarg, NULL, 10); break;
        case 'v': crowd.ventilators = (uint32_t)strtoul(optarg, NULL, 10); break;
        default: return usage();
        }
    }
    if (!crowd.connect || optind < argc) return usage();
    struct sigaction action = {.sa_handler = end};
    sigaction(SIGTERM, &action, NULL);
    allow_descriptors();
    return live(&crowd);
}
