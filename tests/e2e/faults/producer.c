/* producer.c - submits tasks while the mesh suffers, and writes down what it hears.
 *
 * Owns: one ledger, to which every submission and every answer is a line, written
 * before anything depends on it:
 *
 *   MICROSECONDS submit ID
 *   MICROSECONDS accepted ID
 *   MICROSECONDS rejected ID
 *   MICROSECONDS unknown ID
 *   MICROSECONDS ended ID STATE ATTEMPT right|wrong
 *
 * "right" says that the result is what the run of that attempt returned (runs.c).
 * Not here: what the lines prove (ledger.py).
 *
 * The first SIGTERM ends the stream of tasks; the rest is waited for.
 */
#include <tmesh.h>

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

enum { LINE_BYTES = 160, PAYLOAD_BYTES_MAX = 64 * 1024, NAMES_MAX = 16, POLL_MS = 10 };
enum { AGAIN_US = 50000 }; /* between two looks at what is to be submitted again */

struct settings {
    const char *connect, *ledger;
    char *names[NAMES_MAX];    /* in turn */
    char *payloads[NAMES_MAX]; /* NULL: what all others have */
    unsigned name_count;
    unsigned attempts_max; /* 0: by default */
    unsigned limit_ms;     /* of a run; 0: as the worker says */
    bool free_results;     /* they may be anything */
    size_t tasks;          /* 0: until SIGTERM */
    size_t window;         /* open at once */
    size_t burst;          /* submitted between two looks at the answers */
    unsigned long work_ms, payload_bytes, timeout_s, unknown_after_ms;
    bool wait, again;
};

struct sent {
    tmesh_id_t id;
    bool accepted, open;
};

struct feeder {
    struct settings settings;
    tmesh_producer_t *producer;
    int ledger;
    struct sent *sent;
    size_t count, room;
    size_t open;   /* submitted and without their last answer */
    size_t undone; /* ended, but not well */
    size_t *again; /* to be submitted once more: `again_count` of at most `room` */
    size_t again_count;
    int64_t again_us;
    char payload[PAYLOAD_BYTES_MAX];
};

static volatile sig_atomic_t over;

static void end_stream(int number)
{
    (void)number;
    over = 1;
}

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void give_up(const char *what)
{
    fprintf(stderr, "producer: %s\n", what);
    exit(EX_OSERR);
}

static void note(const struct feeder *feeder, const char *event, const tmesh_id_t *id,
                 const char *more)
{
    char text[TMESH_ID_TEXT_BYTES], line[LINE_BYTES];
    tmesh_id_text(id, text);
    int bytes = snprintf(line, sizeof line, "%" PRId64 " %s %s%s\n", now_us(), event, text, more);
    if (write(feeder->ledger, line, (size_t)bytes) != bytes) give_up("cannot write the ledger");
}

static void close_task(struct feeder *feeder, struct sent *sent)
{
    if (!sent->open) return; /* told twice: the ledger shows it */
    sent->open = false;
    feeder->open--;
}

/* Not accepted, or forgotten. */
static void put_off(struct feeder *feeder, size_t index)
{
    if (feeder->settings.again) {
        feeder->again[feeder->again_count++] = index;
    } else {
        feeder->undone++;
        close_task(feeder, &feeder->sent[index]);
    }
}

static void take_end(struct feeder *feeder, const tmesh_answer_t *answer)
{
    char id[TMESH_ID_TEXT_BYTES], expected[LINE_BYTES], more[LINE_BYTES / 2];
    bool done = answer->state == TMESH_STATE_DONE;
    tmesh_id_text(&answer->id, id);
    int bytes = snprintf(expected, sizeof expected, "%s %" PRIu32, id, answer->attempt);
    bool right = !done || feeder->settings.free_results ||
                 (answer->result_bytes == (size_t)bytes &&
                  memcmp(answer->result, expected, (size_t)bytes) == 0);
    snprintf(more, sizeof more, " %s %" PRIu32 " %s", tmesh_state_text(answer->state),
             answer->attempt, right ? "right" : "wrong");
    note(feeder, "ended", &answer->id, more);
    if (!done) feeder->undone++;
}

static void take_answer(const tmesh_answer_t *answer, void *context)
{
    struct feeder *feeder = context;
    size_t index = (size_t)(uintptr_t)answer->tag;
    struct sent *sent = &feeder->sent[index];
    switch (answer->kind) {
    case TMESH_ACCEPTED:
        note(feeder, "accepted", &answer->id, "");
        sent->accepted = true;
        if (!feeder->settings.wait) close_task(feeder, sent);
        break;
    case TMESH_REJECTED:
        note(feeder, "rejected", &answer->id, "");
        put_off(feeder, index);
        break;
    case TMESH_UNKNOWN:
        note(feeder, "unknown", &answer->id, "");
        put_off(feeder, index);
        break;
    case TMESH_ENDED:
        take_end(feeder, answer);
        close_task(feeder, sent);
        break;
    case TMESH_PROGRESS: break; /* is not asked for */
    }
}

static bool submit(struct feeder *feeder, size_t index)
{
    const struct settings *settings = &feeder->settings;
    size_t turn = index % settings->name_count;
    const char *own = settings->payloads[turn];
    tmesh_task_t task = {
        .name = settings->names[turn],
        .payload = own != NULL ? own : feeder->payload,
        .payload_bytes = own != NULL ? strlen(own) : settings->payload_bytes,
        .attempts_max = settings->attempts_max,
        .limit_ms = settings->limit_ms,
        .id = feeder->sent[index].id,
        .deliver = settings->wait ? TMESH_DELIVER_POLL : TMESH_DELIVER_NONE,
        .report_accepted = true,
        .tag = (void *)(uintptr_t)index,
    };
    note(feeder, "submit", &task.id, "");
    enum tmesh_err code = tmesh_producer_submit(feeder->producer, &task, 0, NULL);
    if (code == TMESH_OK) return true;
    if (code != TMESH_E_FULL) give_up(tmesh_error_text(code));
    return false;
}

static void grow(struct feeder *feeder)
{
    feeder->room = feeder->room == 0 ? 4096 : 2 * feeder->room;
    feeder->sent = realloc(feeder->sent, feeder->room * sizeof *feeder->sent);
    feeder->again = realloc(feeder->again, feeder->room * sizeof *feeder->again);
    if (!feeder->sent || !feeder->again) give_up("out of memory");
}

static void feed(struct feeder *feeder)
{
    const struct settings *settings = &feeder->settings;
    for (size_t i = 0; i < settings->burst; i++) {
        if (over || feeder->open >= settings->window) return;
        if (settings->tasks > 0 && feeder->count >= settings->tasks) return;
        if (feeder->count == feeder->room) grow(feeder);
        feeder->sent[feeder->count] = (struct sent){.id = tmesh_id_new(), .open = true};
        feeder->open++;
        if (!submit(feeder, feeder->count++)) {
            put_off(feeder, feeder->count - 1);
            return;
        }
    }
}

/* The same ids as before: that is what makes it safe. */
static void feed_again(struct feeder *feeder)
{
    if (feeder->again_count == 0 || now_us() < feeder->again_us) return;
    size_t kept = 0;
    for (size_t i = 0; i < feeder->again_count; i++) {
        if (!submit(feeder, feeder->again[i])) feeder->again[kept++] = feeder->again[i];
    }
    feeder->again_count = kept;
    feeder->again_us = now_us() + AGAIN_US;
}

static bool finished(const struct feeder *feeder)
{
    bool all = feeder->settings.tasks > 0 && feeder->count >= feeder->settings.tasks;
    return (all || over) && feeder->open == 0;
}

static int converse(struct feeder *feeder)
{
    int64_t end_us = now_us() + (int64_t)feeder->settings.timeout_s * 1000000;
    while (!finished(feeder)) {
        if (now_us() > end_us) {
            fprintf(stderr, "producer: out of time, %zu of %zu tasks are open\n", feeder->open,
                    feeder->count);
            return EX_TEMPFAIL;
        }
        feed(feeder);
        feed_again(feeder);
        tmesh_producer_poll(feeder->producer, POLL_MS, 0, take_answer, feeder);
    }
    return feeder->undone > 0 ? 1 : 0;
}

static void log_line(const tmesh_log_entry_t *entry, void *context)
{
    (void)context;
    if (entry->level >= TMESH_INFO) fprintf(stderr, "%" PRId64 " %s\n", now_us(), entry->line);
}

static void usage(void)
{
    fprintf(
        stderr,
        "usage: producer --connect ENDPOINTS --ledger FILE [--tasks N] [--window N] [--burst N]\n"
        "    [--work MS] [--bytes N] [--names NAME[:PAYLOAD][,...]]\n"
        "    [--timeout SECONDS] [--unknown-after MS] [--attempts N] [--limit MS]\n"
        "    [--no-wait] [--again] [--free-results]\n");
    exit(EX_USAGE);
}

static void parse_names(struct settings *settings, char *text)
{
    for (char *name; (name = strsep(&text, ","));) {
        if (settings->name_count == NAMES_MAX) usage();
        char *colon = strchr(name, ':');
        if (colon) *colon = '\0';
        settings->payloads[settings->name_count] = colon ? colon + 1 : NULL;
        settings->names[settings->name_count++] = name;
    }
}

static struct settings parse(int argc, char **argv)
{
    static const struct option table[] = {
        {"connect", required_argument, NULL, 'c'},
        {"ledger", required_argument, NULL, 'l'},
        {"tasks", required_argument, NULL, 'n'},
        {"window", required_argument, NULL, 'w'},
        {"work", required_argument, NULL, 'm'},
        {"bytes", required_argument, NULL, 'b'},
        {"names", required_argument, NULL, 'N'},
        {"timeout", required_argument, NULL, 't'},
        {"no-wait", no_argument, NULL, 'o'},
        {"again", no_argument, NULL, 'a'},
        {"burst", required_argument, NULL, 'B'},
        {"attempts", required_argument, NULL, 'A'},
        {"limit", required_argument, NULL, 'L'},
        {"free-results", no_argument, NULL, 'f'},
        {"unknown-after", required_argument, NULL, 'u'},
        {NULL, 0, NULL, 0},
    };
    static char work[] = "work";
    struct settings settings = {.window = 100,
                                .burst = 10000,
                                .work_ms = 5,
                                .payload_bytes = 16,
                                .timeout_s = 100,
                                .wait = true};
    for (int code; (code = getopt_long(argc, argv, "", table, NULL)) != -1;) {
        switch (code) {
        case 'c': settings.connect = optarg; break;
        case 'l': settings.ledger = optarg; break;
        case 'n': settings.tasks = strtoul(optarg, NULL, 10); break;
        case 'w': settings.window = strtoul(optarg, NULL, 10); break;
        case 'B': settings.burst = strtoul(optarg, NULL, 10); break;
        case 'm': settings.work_ms = strtoul(optarg, NULL, 10); break;
        case 'b': settings.payload_bytes = strtoul(optarg, NULL, 10); break;
        case 'N': parse_names(&settings, optarg); break;
        case 't': settings.timeout_s = strtoul(optarg, NULL, 10); break;
        case 'u': settings.unknown_after_ms = strtoul(optarg, NULL, 10); break;
        case 'A': settings.attempts_max = (unsigned)strtoul(optarg, NULL, 10); break;
        case 'L': settings.limit_ms = (unsigned)strtoul(optarg, NULL, 10); break;
        case 'f': settings.free_results = true; break;
        case 'o': settings.wait = false; break;
        case 'a': settings.again = true; break;
        default: usage();
        }
    }
    if (settings.name_count == 0) settings.names[settings.name_count++] = work;
    if (optind != argc || !settings.connect || !settings.ledger) usage();
    if (settings.payload_bytes < 16 || settings.payload_bytes > PAYLOAD_BYTES_MAX) usage();
    return settings;
}

static void feeder_open(struct feeder *feeder)
{
    const struct settings *settings = &feeder->settings;
    tmesh_error_t error;
    tmesh_producer_options_t options = {
        .connect = settings->connect,
        .unknown_after_ms = (uint32_t)settings->unknown_after_ms,
        .log = log_line,
    };
    memset(feeder->payload, ' ', settings->payload_bytes);
    int bytes = snprintf(feeder->payload, 16, "%lu", settings->work_ms);
    feeder->payload[bytes] = ' ';
    feeder->ledger = open(settings->ledger, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (feeder->ledger < 0) give_up(strerror(errno));
    feeder->producer = tmesh_producer_new(&options, &error);
    if (!feeder->producer) give_up(error.text);
}

int main(int argc, char **argv)
{
    static struct feeder feeder;
    feeder.settings = parse(argc, argv);
    struct sigaction action = {.sa_handler = end_stream};
    sigaction(SIGTERM, &action, NULL);
    feeder_open(&feeder);
    int status = converse(&feeder);
    tmesh_producer_counts_t counts;
    tmesh_producer_counts(feeder.producer, &counts);
    printf("submitted %" PRIu64 " accepted %" PRIu64 " rejected %" PRIu64 " unknown %" PRIu64
           " ended %" PRIu64 " resent %" PRIu64 "\n",
           counts.submitted, counts.accepted, counts.rejected, counts.unknown, counts.ended,
           counts.resent);
    tmesh_producer_destroy(&feeder.producer);
    free(feeder.sent);
    free(feeder.again);
    return status;
}
