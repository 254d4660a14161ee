/* ventilator.c - `tmesh ventilator`: owns tasks and gives them to workers. */
#include "backlog.h"
#include "clock.h"
#include "json.h"
#include "logging.h"
#include "mesh.h"
#include "notice.h"
#include "options.h"
#include "stopping.h"

#include <inttypes.h>
#include <string.h>
#include <sysexits.h>
#include <tmesh.h>
#include <unistd.h>

/* A signal is noticed between two of these. */
enum { DRAIN_SLICE_MS = 100 };

static const uint64_t UNSET = UINT64_MAX;

struct settings {
    const char *bind, *intake, *journal, *log_level, *log_format;
    bool insecure, json;
    uint64_t tasks_max, memory_max, peers_max, journal_max;
    uint64_t heartbeat_ms, lost_ms, attempts, backoff_ms, backoff_max_ms, grace_ms, spin_us;
};

static const struct option options_table[] = {
    {"bind", 'b', OPTION_TEXT, "ENDPOINT",
     "the one address that producers and workers need: tcp://HOST:PORT (port 0: any free one) or "
     "ipc://PATH; required",
     offsetof(struct settings, bind), 0, 0},
    {"intake", 0, OPTION_TEXT, "ENDPOINT",
     "where bulk submissions come in; default: a free port of the same host",
     offsetof(struct settings, intake), 0, 0},
    {"insecure", 0, OPTION_FLAG, NULL,
     "permit an address that other machines can reach: there is no encryption and no "
     "authentication yet",
     offsetof(struct settings, insecure), 0, 0},
    {"journal", 'j', OPTION_TEXT, "DIR",
     "keep tasks in this directory as well: what was accepted survives a crash or a power cut; "
     "default: in memory only",
     offsetof(struct settings, journal), 0, 0},
    {"journal-max", 0, OPTION_SIZE, "SIZE",
     "what the journal may take on disk; near it new tasks are put off; default: all there is",
     offsetof(struct settings, journal_max), 64 << 20, 0},
    {"tasks-max", 0, OPTION_COUNT, "N", "tasks held at once; default 10000000",
     offsetof(struct settings, tasks_max), 1, UINT32_MAX},
    {"memory-max", 0, OPTION_SIZE, "SIZE", "payloads and results held at once; default 2G",
     offsetof(struct settings, memory_max), 1 << 20, 0},
    {"peers-max", 0, OPTION_COUNT, "N",
     "producers and workers at once, if there may be as many open files (ulimit -n); default "
     "10000",
     offsetof(struct settings, peers_max), 1, 65535},
    {"heartbeat", 0, OPTION_MILLISECONDS, "MS",
     "how often nodes prove that they live; a worker silent for two gets no new work; default 1000",
     offsetof(struct settings, heartbeat_ms), 50, 60000},
    {"lost", 0, OPTION_SECONDS, "T",
     "a node silent for so long is lost, and its tasks are given to others; at least three "
     "heartbeats; default: four of them",
     offsetof(struct settings, lost_ms), 150, 3600000},
    {"attempts", 0, OPTION_COUNT, "N",
     "failed runs before a task is given up, unless it says otherwise; default 5",
     offsetof(struct settings, attempts), 1, 1000000},
    {"backoff", 0, OPTION_SECONDS, "T",
     "the first retry comes within this time, each later one within twice that; default 1s",
     offsetof(struct settings, backoff_ms), 1, UINT32_MAX},
    {"backoff-max", 0, OPTION_SECONDS, "T", "no retry waits longer than this; default 10m",
     offsetof(struct settings, backoff_max_ms), 1, UINT32_MAX},
    {"grace", 0, OPTION_SECONDS, "T",
     "how long the first signal lets tasks end before they are forgotten; default 10s, or none "
     "with a journal, which forgets nothing",
     offsetof(struct settings, grace_ms), 0, UINT32_MAX},
    {"spin", 0, OPTION_COUNT, "US",
     "look so many microseconds for messages before sleeping: latency bought with a processor; "
     "default 0",
     offsetof(struct settings, spin_us), 0, 1000000},
    {"json", 0, OPTION_FLAG, NULL,
     "say {\"event\":\"ready\",\"endpoint\":...} on stdout, not in words on stderr",
     offsetof(struct settings, json), 0, 0},
    {"log-level", 0, OPTION_CHOICE, "debug|info|warning|error", "what to log; default info",
     offsetof(struct settings, log_level), 0, 0},
    {"log-format", 0, OPTION_CHOICE, "text|json", "how to log; default text",
     offsetof(struct settings, log_format), 0, 0},
};

static int say_ready(const char *endpoint, bool as_json)
{
    struct output output;
    struct json json = {.output = &output};
    if (!as_json) {
        notice_plain("ventilator ready at %s", endpoint);
        return 0;
    }
    output_open(&output, STDOUT_FILENO);
    json_object(&json, NULL);
    json_text(&json, "event", "ready");
    json_text(&json, "endpoint", endpoint);
    json_object_end(&json);
    json_line_end(&json);
    return output_end(&output, 0);
}

/* Lets tasks end, in slices, so that a second signal cuts it short.  Returns
 * how many have not. */
static uint64_t drain(tmesh_ventilator_t *ventilator, uint64_t grace_ms, struct stopping *stopping)
{
    uint64_t open = 0;
    unsigned count = stopping->count;
    uint64_t end_ms = clock_ms() + grace_ms;
    notice_print("draining: no new tasks, %" PRIu64 ".%" PRIu64 " s for the others to end; once "
                 "more to stop at once",
                 grace_ms / 1000, grace_ms % 1000 / 100);
    for (;;) {
        uint64_t now_ms = clock_ms();
        uint64_t left_ms = now_ms < end_ms ? end_ms - now_ms : 0;
        uint32_t slice_ms = (uint32_t)(left_ms < DRAIN_SLICE_MS ? left_ms : DRAIN_SLICE_MS);
        if (tmesh_ventilator_drain(ventilator, slice_ms, &open) == TMESH_OK) return 0;
        stopping_read(stopping);
        if (stopping->count > count || left_ms <= slice_ms) return open;
    }
}

static uint64_t grace_of(const struct settings *settings)
{
    if (settings->grace_ms != UNSET) return settings->grace_ms;
    return settings->journal ? 0 : 10000;
}

static int serve(tmesh_ventilator_t *ventilator, const struct settings *settings,
                 struct stopping *stopping)
{
    int status = say_ready(tmesh_ventilator_endpoint(ventilator), settings->json);
    if (status) return status;
    uint64_t grace_ms = grace_of(settings);
    if (!stopping_wait_beside(stopping, 0, tmesh_ventilator_fd(ventilator))) {
        tmesh_error_t error;
        uint32_t asked_ms;
        if (tmesh_ventilator_fault(ventilator, &error) != TMESH_OK) return mesh_fault(&error);
        /* Asked from afar, which is as good as a signal. */
        if (tmesh_ventilator_asked_to_drain(ventilator, &asked_ms) && asked_ms != UINT32_MAX) {
            grace_ms = asked_ms;
        }
    }
    uint64_t open = drain(ventilator, grace_ms, stopping);
    if (open > 0 && settings->journal) {
        notice_print("stopped; %" PRIu64 " unfinished task%s kept in %s", open,
                     open == 1 ? " is" : "s are", settings->journal);
        return 0;
    }
    if (open == 0) {
        notice_print("stopped; no task was left");
        return 0;
    }
    notice_print("stopped; %" PRIu64 " unfinished task%s forgotten", open,
                 open == 1 ? " was" : "s were");
    return EX_TEMPFAIL;
}

static int run_with(const struct settings *settings)
{
    struct logging logging = logging_from(settings->log_level, settings->log_format);
    tmesh_ventilator_options_t options = {
        .bind = settings->bind,
        .intake = settings->intake,
        .insecure = settings->insecure,
        .journal = settings->journal,
        .journal_bytes_max = settings->journal_max,
        .tasks_max = (uint32_t)settings->tasks_max,
        .peers_max = (uint32_t)settings->peers_max,
        .memory_bytes_max = settings->memory_max,
        .heartbeat_ms = (uint32_t)settings->heartbeat_ms,
        .lost_ms = (uint32_t)settings->lost_ms,
        .attempts_max = (uint32_t)settings->attempts,
        .backoff_ms = (uint32_t)settings->backoff_ms,
        .backoff_ms_max = (uint32_t)settings->backoff_max_ms,
        .spin_us = (uint32_t)settings->spin_us,
        .log = logging_write,
        .log_context = &logging,
        .log_level = logging.least,
    };
    struct stopping stopping;
    tmesh_error_t error;
    int status = stopping_open(&stopping);
    if (status) return status;
    logging_hold(&logging);
    tmesh_ventilator_t *ventilator = tmesh_ventilator_new(&options, &error);
    backlog_start();
    status = ventilator ? serve(ventilator, settings, &stopping) : mesh_fault(&error);
    tmesh_ventilator_destroy(&ventilator);
    stopping_close(&stopping);
    return status;
}

static int run(int argc, char **argv)
{
    struct settings settings = {.log_level = "info", .log_format = "text", .grace_ms = UNSET};
    struct options options = {.command = &ventilator_command, .settings = &settings};
    int status = options_parse(&options, argc, argv);
    if (status == OPTIONS_READY && options.argument_count > 0) {
        status = options_refuse(&options, "'%s' is not an option", options.arguments[0]);
    }
    if (status == OPTIONS_READY && !settings.bind) {
        status = options_refuse(
            &options, "--bind is missing: where to listen, such as --bind tcp://127.0.0.1:5555");
    }
    if (status == OPTIONS_READY) status = run_with(&settings);
    options_clear(&options);
    return status;
}

const struct command ventilator_command = {
    .name = "ventilator",
    .usage = "--bind ENDPOINT [OPTIONS]",
    .summary = "own tasks, and give them to workers",
    .purpose =
        "Starts a ventilator: it takes tasks from producers, gives each to a worker, and keeps it "
        "until it has ended, whatever becomes of the worker. Run as many as you like, and name "
        "them all where producers and workers connect; none needs another.\n\n"
        "Tasks are kept in memory; with --journal also on disk, where a crash or a power cut "
        "leaves them. The first SIGTERM or ^C, or being asked from afar to drain, lets them end "
        "within the grace time, the second stops at once. Exit status 75 says that unfinished "
        "tasks were forgotten, 74 that the journal could not be written: nothing acknowledged is "
        "lost, start again when the disk is well. 65: the journal is damaged, see tmesh journal "
        "--help.",
    .examples = "  tmesh ventilator --bind tcp://127.0.0.1:5555\n"
                "  tmesh ventilator --bind tcp://127.0.0.1:5555 --journal /var/lib/tmesh\n"
                "  tmesh ventilator --bind ipc:///run/tmesh/front --memory-max 8G\n"
                "  tmesh ventilator --bind 'tcp://*:5555' --insecure --log-format json\n",
    .options = options_table,
    .option_count = sizeof options_table / sizeof *options_table,
    .run = run,
};
