/* trial.c - forks, waits, counts and prints; see trial.h. */
#include "trial.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "usage.h"

enum { TOLD_BYTES = 256, PARTS_MAX = 3 };

/* What the processes share.  One process writes each field. */
struct ledger {
    uint64_t started_ns, ended_ns;
    char told[TOLD_BYTES];
    uint8_t *handled, *answered; /* how often, by task */
    float *latency_us;           /* by task; only W2 */
};

/* The processes' words to the supervisor, one byte each. */
enum { SAY_READY = 'r', SAY_END = 'e' };

struct channel {
    int say[2];  /* the processes write, the supervisor reads */
    int go[2];   /* one byte: the producer may begin */
    int stay[2]; /* its end: nobody need stay */
};

static struct channel channel;

struct part {
    const char *name;
    pid_t process;
    int handle; /* readable once the process is gone */
};

struct run {
    struct part parts[PARTS_MAX];
    size_t part_count;
    uint64_t cpu_ns, peak_bytes;
};

/* --- for the processes ----------------------------------------------------- */

void trial_fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("FAILED ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    _exit(1);
}

uint64_t trial_clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void say(char word)
{
    if (write(channel.say[1], &word, 1) != 1) _exit(1);
}

void trial_ready(struct trial *trial)
{
    (void)trial;
    say(SAY_READY);
}

void trial_begin(struct trial *trial)
{
    say(SAY_READY);
    char word;
    if (read(channel.go[0], &word, 1) != 1) _exit(1);
    trial->ledger->started_ns = trial_clock_ns();
}

void trial_end(struct trial *trial)
{
    trial->ledger->ended_ns = trial_clock_ns();
    say(SAY_END);
}

void trial_fill(uint8_t *bytes, uint64_t number)
{
    trial_stamp(bytes, number);
    memset(bytes + sizeof number, 'x', TRIAL_PAYLOAD_BYTES - sizeof number);
}

void trial_stamp(uint8_t *bytes, uint64_t number)
{
    memcpy(bytes, &number, sizeof number);
}

uint8_t *trial_payloads(const struct trial *trial, size_t count)
{
    uint8_t *bytes = malloc(count * trial->size);
    if (!bytes) trial_fail("out of memory");
    memset(bytes, 'x', count * trial->size);
    return bytes;
}

size_t trial_in_flight(const struct trial *trial, size_t usual)
{
    size_t fit = TRIAL_FLIGHT_BYTES / trial->size;
    return fit < usual ? fit : usual;
}

uint64_t trial_number(const struct trial *trial, const void *bytes, size_t count)
{
    uint64_t number;
    if (count != trial->size) {
        trial_fail("INTEGRITY: a payload of %zu bytes instead of %zu", count, trial->size);
    }
    memcpy(&number, bytes, sizeof number);
    if (number >= trial->tasks) {
        trial_fail("INTEGRITY: there is no task %llu", (unsigned long long)number);
    }
    return number;
}

uint64_t trial_handled(struct trial *trial, const void *bytes, size_t count)
{
    uint64_t number = trial_number(trial, bytes, count);
    uint8_t *times = &trial->ledger->handled[number];
    if (*times < UINT8_MAX) (*times)++;
    return number;
}

uint64_t trial_answered(struct trial *trial, const void *bytes, size_t count)
{
    uint64_t number = trial_number(trial, bytes, count);
    uint8_t *times = &trial->ledger->answered[number];
    if (*times < UINT8_MAX) (*times)++;
    return number;
}

void trial_latency(struct trial *trial, uint64_t number, uint64_t nanoseconds)
{
    trial->ledger->latency_us[number] = (float)nanoseconds / 1000.0f;
}

int trial_wants_results(const struct trial *trial)
{
    return trial->workload == WORKLOAD_LATENCY || trial->workload == WORKLOAD_RESULTS;
}

void trial_tell(struct trial *trial, const char *text)
{
    snprintf(trial->ledger->told, TOLD_BYTES, "%s", text);
}

const char *trial_told(const struct trial *trial)
{
    return trial->ledger->told;
}

/* --- the supervisor -------------------------------------------------------- */

static void *shared(size_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) trial_fail("no memory to share: %s", strerror(errno));
    return at;
}

static void open_ledger(struct trial *trial)
{
    trial->ledger = shared(sizeof *trial->ledger);
    trial->ledger->handled = shared(trial->tasks);
    trial->ledger->answered = shared(trial->tasks);
    if (trial->workload == WORKLOAD_LATENCY) {
        trial->ledger->latency_us = shared(trial->tasks * sizeof(float));
    }
}

static void open_channel(void)
{
    if (pipe(channel.say) != 0 || pipe(channel.go) != 0 || pipe(channel.stay) != 0) {
        trial_fail("no pipe: %s", strerror(errno));
    }
}

static void become(void (*role)(struct trial *trial), struct trial *trial)
{
    char word;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(channel.stay[1]);
    close(channel.go[1]);
    role(trial);
    while (read(channel.stay[0], &word, 1) > 0) continue;
    _exit(0);
}

/* Waits for a word, or fails when a process has gone or time is up. */
static void hear(struct run *run, const struct trial *trial, char expected)
{
    struct pollfd watched[1 + PARTS_MAX] = {{.fd = channel.say[0], .events = POLLIN}};
    for (size_t i = 0; i < run->part_count; i++) {
        watched[1 + i] = (struct pollfd){.fd = run->parts[i].handle, .events = POLLIN};
    }
    int count = poll(watched, 1 + run->part_count, (int)trial->timeout_s * 1000);
    if (count < 0) trial_fail("poll: %s", strerror(errno));
    if (count == 0) {
        uint64_t handled = 0;
        for (uint64_t i = 0; i < trial->tasks; i++) handled += trial->ledger->handled[i] > 0;
        trial_fail("INTEGRITY: after %u s only %llu of %llu tasks were handled", trial->timeout_s,
                   (unsigned long long)handled, (unsigned long long)trial->tasks);
    }
    for (size_t i = 0; i < run->part_count; i++) {
        if (watched[1 + i].revents) trial_fail("the %s ended early", run->parts[i].name);
    }
    char word;
    if (read(channel.say[0], &word, 1) != 1 || word != expected) {
        trial_fail("the processes' order is not as it should be");
    }
}

static void start_part(struct run *run, struct trial *trial, const char *name,
                       void (*role)(struct trial *trial))
{
    struct part *part = &run->parts[run->part_count++];
    fflush(NULL);
    part->name = name;
    part->process = fork();
    if (part->process < 0) trial_fail("fork: %s", strerror(errno));
    if (part->process == 0) become(role, trial);
    part->handle = (int)syscall(SYS_pidfd_open, part->process, 0);
    if (part->handle < 0) trial_fail("pidfd_open: %s", strerror(errno));
    hear(run, trial, SAY_READY);
}

/* What each process has used so far, ours first. */
struct used {
    uint64_t ns[PARTS_MAX + TRIAL_BROKERS_MAX];
};

static struct used used_now(const struct run *run, const struct trial *trial)
{
    struct used used = {{0}};
    for (size_t i = 0; i < run->part_count; i++) used.ns[i] = usage_cpu_ns(run->parts[i].process);
    for (size_t i = 0; i < trial->broker_count; i++) {
        used.ns[PARTS_MAX + i] = usage_cpu_ns(trial->brokers[i]);
    }
    return used;
}

/* One that is gone, as a server's passing helper may be, has used nothing. */
static uint64_t used_since(const struct used *before, const struct used *now)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < PARTS_MAX + TRIAL_BROKERS_MAX; i++) {
        if (now->ns[i] > before->ns[i]) sum += now->ns[i] - before->ns[i];
    }
    return sum;
}

static uint64_t peak_bytes(const struct run *run, const struct trial *trial)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < run->part_count; i++) sum += usage_peak_bytes(run->parts[i].process);
    for (size_t i = 0; i < trial->broker_count; i++) sum += usage_peak_bytes(trial->brokers[i]);
    return sum;
}

static int lists(const char *modes, const char *mode)
{
    char word[64];
    snprintf(word, sizeof word, " %s ", mode);
    return strstr(modes, word) != NULL;
}

static void run_parts(struct run *run, struct trial *trial, const struct peer *peer)
{
    if (peer->relay && (!peer->relay_modes || lists(peer->relay_modes, trial->mode))) {
        start_part(run, trial, "relay", peer->relay);
    }
    start_part(run, trial, "worker", peer->work);
    start_part(run, trial, "producer", peer->produce);
    for (size_t i = 0; i < trial->broker_count; i++) usage_forget_peak(trial->brokers[i]);
    struct used before = used_now(run, trial);
    if (write(channel.go[1], "g", 1) != 1) trial_fail("cannot start: %s", strerror(errno));
    hear(run, trial, SAY_END);
    struct used now = used_now(run, trial);
    run->cpu_ns = used_since(&before, &now);
    run->peak_bytes = peak_bytes(run, trial);
    close(channel.stay[1]);
    for (size_t i = 0; i < run->part_count; i++) waitpid(run->parts[i].process, NULL, 0);
}

/* --- the answer ------------------------------------------------------------ */

struct count {
    uint64_t lost, repeated;
};

static void count_times(struct count *count, const uint8_t *times, uint64_t tasks)
{
    for (uint64_t i = 0; i < tasks; i++) {
        if (times[i] == 0) count->lost++;
        if (times[i] > 1) count->repeated += times[i] - 1u;
    }
}

static int by_size(const void *left, const void *right)
{
    float a = *(const float *)left, b = *(const float *)right;
    return (a > b) - (a < b);
}

static void print_latency(const struct trial *trial)
{
    if (trial->workload != WORKLOAD_LATENCY) {
        printf(",\"latency_us\":null");
        return;
    }
    float *sorted = trial->ledger->latency_us + trial->warm_up;
    uint64_t count = trial->tasks - trial->warm_up;
    qsort(sorted, count, sizeof *sorted, by_size);
    printf(",\"latency_us\":{\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"p99_9\":%.1f,\"max\":%.1f}",
           (double)sorted[count / 2], (double)sorted[count * 9 / 10],
           (double)sorted[count * 99 / 100], (double)sorted[count * 999 / 1000],
           (double)sorted[count - 1]);
}

/* Prints the line.  Returns the program's status. */
static int report(const struct run *run, const struct trial *trial)
{
    struct count count = {0};
    double seconds = (double)(trial->ledger->ended_ns - trial->ledger->started_ns) / 1e9;
    double tasks = (double)trial->tasks;
    count_times(&count, trial->ledger->handled, trial->tasks);
    if (trial_wants_results(trial)) count_times(&count, trial->ledger->answered, trial->tasks);
    printf("{\"system\":\"%s%s%s\",\"workload\":\"W%d\",\"tasks\":%llu,\"payload_bytes\":%zu",
           trial->system, trial->mode[0] ? "-" : "", trial->mode, (int)trial->workload,
           (unsigned long long)trial->tasks, trial->size);
    printf(",\"seconds\":%.6f,\"tasks_per_second\":%.1f,\"cpu_seconds_per_million\":%.3f", seconds,
           tasks / seconds, (double)run->cpu_ns / 1e9 / tasks * 1e6);
    printf(",\"peak_rss_bytes\":%llu,\"lost\":%llu,\"repeated\":%llu",
           (unsigned long long)run->peak_bytes, (unsigned long long)count.lost,
           (unsigned long long)count.repeated);
    print_latency(trial);
    printf("}\n");
    if (count.lost == 0 && count.repeated == 0) return 0;
    fprintf(stderr, "INTEGRITY: %llu lost, %llu repeated\n", (unsigned long long)count.lost,
            (unsigned long long)count.repeated);
    return 1;
}

/* --- the command line ------------------------------------------------------ */

static void usage(const struct peer *peer)
{
    fprintf(stderr,
            "usage: PROGRAM --workload W1|W2|W3|W4 --tasks N [--warm-up N] [--port N]\n"
            "               [--mode NAME] [--data DIRECTORY] [--broker PROCESS]... [--timeout S]\n"
            "%s"
            "modes:%s\n",
            peer->sized ? "               [--size BYTES]\n" : "",
            peer->modes ? peer->modes : " none");
    exit(64);
}

static uint64_t number_of(const char *text, uint64_t most, const struct peer *peer)
{
    char *end;
    unsigned long long number = strtoull(text, &end, 10);
    if (*text == '\0' || *end != '\0' || number > most) usage(peer);
    return number;
}

static int has_mode(const struct peer *peer, const char *mode)
{
    if (!peer->modes) return mode[0] == '\0';
    return mode[0] != '\0' && lists(peer->modes, mode);
}

static void read_options(struct trial *trial, int argc, char **argv, const struct peer *peer)
{
    static const struct option options[] = {
        {"workload", required_argument, NULL, 'w'}, {"tasks", required_argument, NULL, 'n'},
        {"warm-up", required_argument, NULL, 'u'},  {"port", required_argument, NULL, 'p'},
        {"mode", required_argument, NULL, 'm'},     {"data", required_argument, NULL, 'd'},
        {"broker", required_argument, NULL, 'b'},   {"timeout", required_argument, NULL, 't'},
        {"size", required_argument, NULL, 's'},     {NULL, 0, NULL, 0}};
    const char *slash = strrchr(argv[0], '/');
    *trial = (struct trial){.system = slash ? slash + 1 : argv[0],
                            .mode = "",
                            .size = TRIAL_PAYLOAD_BYTES,
                            .timeout_s = 120};
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 'w':
            if (optarg[0] != 'W') usage(peer);
            trial->workload = (enum workload)number_of(optarg + 1, 4, peer);
            break;
        case 'n': trial->tasks = number_of(optarg, TRIAL_TASKS_MAX, peer); break;
        case 'u': trial->warm_up = number_of(optarg, TRIAL_TASKS_MAX, peer); break;
        case 'p': trial->port = (uint16_t)number_of(optarg, UINT16_MAX, peer); break;
        case 'm': trial->mode = optarg; break;
        case 'd': trial->data = optarg; break;
        case 'b':
            if (trial->broker_count == TRIAL_BROKERS_MAX) usage(peer);
            trial->brokers[trial->broker_count++] = (int)number_of(optarg, INT32_MAX, peer);
            break;
        case 't': trial->timeout_s = (unsigned)number_of(optarg, 86400, peer); break;
        case 's': trial->size = number_of(optarg, TRIAL_PAYLOAD_BYTES_MAX, peer); break;
        default: usage(peer);
        }
    }
    if (trial->size != TRIAL_PAYLOAD_BYTES && !peer->sized) usage(peer);
    if (trial->size < TRIAL_PAYLOAD_BYTES_MIN) usage(peer);
    if (!trial->workload || !trial->tasks || optind != argc || !has_mode(peer, trial->mode)) {
        usage(peer);
    }
    trial->tasks += trial->warm_up;
}

int trial_main(int argc, char **argv, const struct peer *peer)
{
    struct trial trial;
    struct run run = {0};
    signal(SIGPIPE, SIG_IGN);
    read_options(&trial, argc, argv, peer);
    open_ledger(&trial);
    open_channel();
    run_parts(&run, &trial, peer);
    return report(&run, &trial);
}
