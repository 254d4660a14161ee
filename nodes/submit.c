/* submit.c - `tmesh submit`: what the user asked for, checked.
 *
 * Owns: the settings and the single payload.  Not here: the conversation with
 * the mesh (submission.h).
 */
#include "logging.h"
#include "mesh.h"
#include "notice.h"
#include "options.h"
#include "submission.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum { RETRIES_UNSET = -1 };

struct settings {
    const char *connect, *spool, *id, *queue, *log_level, *log_format;
    bool lines, wait, json, guarded, progress;
    uint64_t failover_ms;
    uint64_t retries, crashes, backoff_ms, backoff_max_ms;
    uint64_t time_limit_ms, soft_time_limit_ms, stalled_after_ms;
    uint64_t timeout_ms, connect_timeout_ms;
};

static const struct option options_table[] = {
    {"connect", 'c', OPTION_TEXT, "ENDPOINT[,ENDPOINT...]",
     "the ventilators to submit to; each task goes to one of them; required",
     offsetof(struct settings, connect), 0, 0},
    {"lines", 'l', OPTION_FLAG, NULL, "submit one task for each line of standard input",
     offsetof(struct settings, lines), 0, 0},
    {"wait", 'w', OPTION_FLAG, NULL,
     "wait for the results, and print each as one line of JSON when it arrives",
     offsetof(struct settings, wait), 0, 0},
    {"progress", 0, OPTION_FLAG, NULL,
     "with --wait: print what runs tell of their progress on stderr, a line each time",
     offsetof(struct settings, progress), 0, 0},
    {"id", 0, OPTION_TEXT, "UUID",
     "the task's id: the same id again is the same task; default: a new one",
     offsetof(struct settings, id), 0, 0},
    {"queue", 'q', OPTION_TEXT, "NAME", "the queue to submit to; default: default",
     offsetof(struct settings, queue), 0, 0},
    {"retries", 'r', OPTION_COUNT, "N",
     "how often a failed run is tried again; default: as the ventilator says",
     offsetof(struct settings, retries), 0, 1000000},
    {"backoff", 0, OPTION_SECONDS, "T",
     "the first retry comes within this time, each later one within twice that; default: as the "
     "ventilator says",
     offsetof(struct settings, backoff_ms), 1, UINT32_MAX},
    {"backoff-max", 0, OPTION_SECONDS, "T",
     "no retry waits longer than this; default: as the ventilator says",
     offsetof(struct settings, backoff_max_ms), 1, UINT32_MAX},
    {"crashes", 0, OPTION_COUNT, "N",
     "how often the task may kill its handler's process before it is given up as poison, however "
     "many retries are left; default: as the ventilator says",
     offsetof(struct settings, crashes), 1, 65535},
    {"time-limit", 0, OPTION_SECONDS, "T",
     "how long one run may take; over it the run is ended and counts as failed; default: as the "
     "worker says, which is for ever",
     offsetof(struct settings, time_limit_ms), 1, UINT32_MAX},
    {"soft-time-limit", 0, OPTION_SECONDS, "T",
     "after how long one run is asked to end, a command by SIGTERM; default: as the worker says, "
     "which is never",
     offsetof(struct settings, soft_time_limit_ms), 1, UINT32_MAX},
    {"stalled-after", 0, OPTION_SECONDS, "T",
     "how long one run may show no sign of life (tmesh_job_progress) before it is ended as one "
     "over its time limit; default: as the worker says, which is for ever",
     offsetof(struct settings, stalled_after_ms), 1, UINT32_MAX},
    {"guarded", 'g', OPTION_FLAG, NULL,
     "stay until every task has ended, and give the tasks of a ventilator that dies or stays away "
     "to another; they may run twice",
     offsetof(struct settings, guarded), 0, 0},
    {"failover-after", 0, OPTION_SECONDS, "T",
     "with --guarded: how long a ventilator may be away; default 10s",
     offsetof(struct settings, failover_ms), 1, UINT32_MAX},
    {"spool", 0, OPTION_TEXT, "DIRECTORY",
     "keep tasks on disk until they are accepted (with --guarded: until they have ended), and "
     "submit what the last run left there; no ventilator need answer at the start",
     offsetof(struct settings, spool), 0, 0},
    {"timeout", 't', OPTION_SECONDS, "T",
     "give up waiting after this time, with exit status 75; default: wait for ever",
     offsetof(struct settings, timeout_ms), 1, UINT32_MAX},
    {"connect-timeout", 0, OPTION_SECONDS, "T",
     "give up when no ventilator answers within this time; default 5s",
     offsetof(struct settings, connect_timeout_ms), 0, UINT32_MAX},
    {"json", 0, OPTION_FLAG, NULL, "without --wait: print JSON for each task, not just its id",
     offsetof(struct settings, json), 0, 0},
    {"log-level", 0, OPTION_CHOICE, "debug|info|warning|error", "what to log; default error",
     offsetof(struct settings, log_level), 0, 0},
    {"log-format", 0, OPTION_CHOICE, "text|json", "how to log; default text",
     offsetof(struct settings, log_format), 0, 0},
};

/* Reads standard input to its end into `payload`, which has room for one byte
 * more than a payload may have. */
static int read_payload(char *payload, size_t *bytes)
{
    *bytes = 0;
    while (*bytes <= TMESH_PAYLOAD_BYTES_MAX) {
        ssize_t got = read(STDIN_FILENO, payload + *bytes, TMESH_PAYLOAD_BYTES_MAX + 1 - *bytes);
        if (got == 0) return 0;
        if (got > 0) {
            *bytes += (size_t)got;
        } else if (errno != EINTR) {
            notice_print("cannot read the payload from standard input: %s", strerror(errno));
            return EX_IOERR;
        }
    }
    notice_print("the payload on standard input is over %d bytes, which is the limit",
                 (int)TMESH_PAYLOAD_BYTES_MAX);
    return EX_DATAERR;
}

static int check_words(const struct settings *settings, const struct options *options)
{
    const char *const *words = options->arguments;
    if (!settings->connect) {
        return options_refuse(options, "--connect is missing: the ventilators to submit to, such "
                                       "as --connect tcp://127.0.0.1:5555");
    }
    if (options->argument_count == 0) return options_refuse(options, "the task's NAME is missing");
    if (options->argument_count > (settings->lines ? 1 : 2)) {
        return options_refuse(options, "'%s' is one argument too many%s",
                              words[settings->lines ? 1 : 2],
                              settings->lines ? ": with --lines the payloads come from standard "
                                                "input"
                                              : "; quote a payload that has blanks");
    }
    if (settings->lines && settings->id) {
        return options_refuse(options, "--id is for one task, --lines submits many");
    }
    if (settings->progress && !settings->wait) {
        return options_refuse(options, "--progress goes with --wait: nobody would stay to hear "
                                       "of it");
    }
    if (settings->failover_ms > 0 && !settings->guarded) {
        return options_refuse(options, "--failover-after goes with --guarded: nobody would stay "
                                       "to notice");
    }
    if (settings->time_limit_ms > 0 && settings->soft_time_limit_ms >= settings->time_limit_ms) {
        return options_refuse(options, "--soft-time-limit must be below --time-limit, or the run "
                                       "is ended before it is asked to end");
    }
    if (!tmesh_name_is_valid(words[0]) || !tmesh_name_is_valid(settings->queue)) {
        bool task = !tmesh_name_is_valid(words[0]);
        return options_refuse(options,
                              "'%s' cannot name a %s; a name is 1 to %d of a-z, 0-9, '.', '_' "
                              "and '-'",
                              task ? words[0] : settings->queue, task ? "task" : "queue",
                              (int)TMESH_NAME_BYTES_MAX);
    }
    return OPTIONS_READY;
}

static int submit(const struct settings *settings, const struct options *options, char *payload)
{
    const char *word = options->arguments[1];
    struct logging logging = logging_from(settings->log_level, settings->log_format);
    struct submission_plan plan = {
        .task = {.name = options->arguments[0],
                 .queue = settings->queue,
                 .crashes_max = (uint32_t)settings->crashes,
                 .backoff_ms = (uint32_t)settings->backoff_ms,
                 .backoff_ms_max = (uint32_t)settings->backoff_max_ms,
                 .report_progress = settings->progress,
                 .limit_ms = (uint32_t)settings->time_limit_ms,
                 .soft_limit_ms = (uint32_t)settings->soft_time_limit_ms,
                 .stalled_after_ms = (uint32_t)settings->stalled_after_ms},
        .connect = settings->connect,
        .spool = settings->spool,
        .logging = &logging,
        .source = settings->lines ? SUBMISSION_LINES : SUBMISSION_ONE,
        .answers = settings->wait   ? SUBMISSION_RESULTS
                   : settings->json ? SUBMISSION_JSON
                                    : SUBMISSION_IDS,
        .guard = settings->guarded ? TMESH_GUARD_FAILOVER : TMESH_GUARD_NONE,
        .failover_ms = settings->failover_ms,
        .timeout_ms = settings->timeout_ms,
        .connect_timeout_ms = settings->connect_timeout_ms,
    };
    if (settings->retries != (uint64_t)RETRIES_UNSET) {
        plan.task.attempts_max = (uint32_t)settings->retries + 1;
    }
    if (settings->id && tmesh_id_parse(settings->id, &plan.task.id) != TMESH_OK) {
        return options_refuse(options,
                              "--id %s: must be a UUID, such as "
                              "018f3c1e-7b7a-7c3e-9a52-5c1d2a3b4c5d",
                              settings->id);
    }
    if (word && strcmp(word, "-") == 0) {
        int status = read_payload(payload, &plan.task.payload_bytes);
        if (status) return status;
        plan.task.payload = payload;
    } else if (word) {
        plan.task.payload = word;
        plan.task.payload_bytes = strlen(word);
    }
    return submission_run(&plan);
}

static int run(int argc, char **argv)
{
    struct settings settings = {
        .queue = "default",
        .log_level = "error",
        .log_format = "text",
        .retries = (uint64_t)RETRIES_UNSET,
        .connect_timeout_ms = 5000,
    };
    struct options options = {.command = &submit_command, .settings = &settings};
    int status = options_parse(&options, argc, argv);
    if (status == OPTIONS_READY) status = check_words(&settings, &options);
    if (status == OPTIONS_READY) {
        char *payload = malloc(TMESH_PAYLOAD_BYTES_MAX + 1);
        status = payload ? submit(&settings, &options, payload) : EX_OSERR;
        if (!payload) notice_print("out of memory");
        free(payload);
    }
    options_clear(&options);
    return status;
}

const struct command submit_command = {
    .name = "submit",
    .usage = "--connect ENDPOINT[,ENDPOINT...] [OPTIONS] NAME [PAYLOAD | -]",
    .summary = "submit tasks, and wait for their results if asked to",
    .purpose =
        "Submits one task called NAME, with PAYLOAD, or with all of standard input for '-', or "
        "with nothing. With --lines, one task for each line of standard input, submitted as the "
        "lines come.\n\n"
        "Prints the id of each task once a ventilator has accepted it. With --wait, prints each "
        "result when it arrives, in no particular order, as JSON on one line: id, name, state "
        "(done, failed, dead, cancelled, expired), attempt, result (or result_base64 when it is "
        "not UTF-8), and the reason if it did not end well. Exit status 1 says that some task is "
        "not done.",
    .examples = "  tmesh submit --connect tcp://127.0.0.1:5555 --wait count 'some text'\n"
                "  tmesh submit --connect tcp://127.0.0.1:5555 thumbnail - < photo.jpg\n"
                "  find . -type f | tmesh submit --connect tcp://127.0.0.1:5555 --lines --wait "
                "sha256\n"
                "  tmesh submit --connect tcp://127.0.0.1:5555,tcp://127.0.0.1:5556 --guarded "
                "--wait count 'no matter which of them dies'\n"
                "  tmesh submit --connect tcp://127.0.0.1:5555 --spool /var/spool/count count "
                "'no matter when we meet'\n",
    .options = options_table,
    .option_count = sizeof options_table / sizeof *options_table,
    .run = run,
};
