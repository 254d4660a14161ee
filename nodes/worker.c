/* worker.c - `tmesh worker`: runs tasks. */
#include "backlog.h"
#include "bench_task.h"
#include "clock.h"
#include "logging.h"
#include "mesh.h"
#include "notice.h"
#include "options.h"
#include "stopping.h"
#include "words.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <tmesh.h>

enum {
    DRAIN_SLICE_MS = 100,  /* a signal is noticed between two of these */
    ALONE_MS = 5000,       /* without a ventilator, until that is said */
    FORCE_SECONDS = 2,     /* for commands to be killed and leases to be given back */
    LABEL_BYTES_MAX = 127, /* as much as tmesh/status.h shows */
};

struct settings {
    const char *connect, *pool, *queue, *label, *log_level, *log_format;
    struct option_list modules, commands, command_environment;
    const char *bench_tally;
    bool allow_exec, allow_bench, command_sandbox;
    uint64_t slots, grace_ms, spin_us, time_limit_ms, soft_time_limit_ms, stalled_after_ms;
    uint64_t command_memory, command_file_size, command_files;
    uint64_t tasks_per_child, memory_per_child;
};

static const struct option options_table[] = {
    {"connect", 'c', OPTION_TEXT, "ENDPOINT[,ENDPOINT...]",
     "the ventilators to work for, all of them at once; required",
     offsetof(struct settings, connect), 0, 0},
    {"command", 0, OPTION_LIST, "NAME=\"PROGRAM ARGS\"",
     "run PROGRAM for each task called NAME: the payload is its standard input, its standard "
     "output the result. Cut into words like a shell does, nothing is expanded. May be repeated",
     offsetof(struct settings, commands), 0, 0},
    {"module", 0, OPTION_LIST, "FILE.so",
     "load task handlers written in C (tmesh/worker.h). May be repeated",
     offsetof(struct settings, modules), 0, 0},
    {"allow-exec", 0, OPTION_FLAG, NULL,
     "also run whatever program a task names, as tmesh map --connect asks: who may submit can "
     "then run any program here",
     offsetof(struct settings, allow_exec), 0, 0},
    {"allow-bench", 0, OPTION_FLAG, NULL,
     "also serve tmesh.bench, the task that tmesh bench --connect measures with: it does nothing",
     offsetof(struct settings, allow_bench), 0, 0},
    {"bench-tally", 0, OPTION_TEXT, "FILE",
     "the same, and count its runs in a file that tmesh bench made, as it has its own workers do",
     offsetof(struct settings, bench_tally), 0, 0},
    {"command-env", 0, OPTION_LIST, "NAME",
     "let commands see this variable of the worker's environment, beside PATH, HOME, LANG, LC_ALL, "
     "TZ and TMPDIR; NAME* is all that begin so, '*' everything. May be repeated",
     offsetof(struct settings, command_environment), 0, 0},
    {"command-memory", 0, OPTION_SIZE, "SIZE",
     "address space for each process of a command; default: as much as the worker",
     offsetof(struct settings, command_memory), 1024 * 1024, INT64_MAX},
    {"command-file-size", 0, OPTION_SIZE, "SIZE",
     "how long a command may make a file; default: as long as the worker",
     offsetof(struct settings, command_file_size), 1, INT64_MAX},
    {"command-files", 0, OPTION_COUNT, "N",
     "descriptors for each process of a command; default: 1024, until it asks for more",
     offsetof(struct settings, command_files), 16, UINT32_MAX},
    {"command-sandbox", 0, OPTION_FLAG, NULL,
     "refuse commands the system calls for tracing, mounts, namespaces, bpf, keys, kernel modules "
     "and performance events",
     offsetof(struct settings, command_sandbox), 0, 0},
    {"queue", 'q', OPTION_TEXT, "NAME[,NAME...]",
     "take tasks from these queues only; default: default", offsetof(struct settings, queue), 0, 0},
    {"slots", 's', OPTION_COUNT, "N", "tasks run at once; default: the number of processors",
     offsetof(struct settings, slots), 1, 1024},
    {"time-limit", 0, OPTION_SECONDS, "T",
     "how long one run may take, if its task does not say: then a command or a child process is "
     "killed and the run counts as failed; a handler in a thread cannot be ended, and its slot "
     "is lost until it returns; default: for ever",
     offsetof(struct settings, time_limit_ms), 1, UINT32_MAX},
    {"soft-time-limit", 0, OPTION_SECONDS, "T",
     "after how long one run is asked to end, if its task does not say: a command gets SIGTERM, a "
     "handler sees it by tmesh_job_should_stop; default: never",
     offsetof(struct settings, soft_time_limit_ms), 1, UINT32_MAX},
    {"stalled-after", 0, OPTION_SECONDS, "T",
     "how long one run may show no sign of life (tmesh_job_progress), if its task does not say: "
     "then it is ended as one over its time limit; default: for ever",
     offsetof(struct settings, stalled_after_ms), 1, UINT32_MAX},
    {"pool", 0, OPTION_CHOICE, "threads|process",
     "where the handlers of modules run: in threads of the worker, or in child processes, where "
     "one that crashes or hangs costs one attempt at its task and nothing else; default threads",
     offsetof(struct settings, pool), 0, 0},
    {"tasks-per-child", 0, OPTION_COUNT, "N",
     "replace a child process after so many tasks; default: never",
     offsetof(struct settings, tasks_per_child), 1, UINT32_MAX},
    {"memory-per-child", 0, OPTION_SIZE, "SIZE",
     "replace a child process that holds more memory than this after a task; default: never",
     offsetof(struct settings, memory_per_child), 1024 * 1024, INT64_MAX},
    {"label", 0, OPTION_TEXT, "TEXT",
     "what tmesh status and tmesh drain call this worker; default: host and process",
     offsetof(struct settings, label), 0, 0},
    {"grace", 0, OPTION_SECONDS, "T",
     "how long the first signal, or tmesh drain, lets running tasks end; default 10s",
     offsetof(struct settings, grace_ms), 0, UINT32_MAX},
    {"spin", 0, OPTION_COUNT, "US",
     "look so many microseconds for messages before sleeping: latency bought with a processor; "
     "default 0",
     offsetof(struct settings, spin_us), 0, 1000000},
    {"log-level", 0, OPTION_CHOICE, "debug|info|warning|error", "what to log; default info",
     offsetof(struct settings, log_level), 0, 0},
    {"log-format", 0, OPTION_CHOICE, "text|json", "how to log; default text",
     offsetof(struct settings, log_format), 0, 0},
};

/* The worker's options, and what they point to. */
struct plan {
    tmesh_worker_options_t options;
    tmesh_command_t *commands;
    struct words *words; /* one for each command */
    char **names;        /* likewise */
    char *queue_text;
    const char **queues;
    tmesh_handler_t bench;
    struct tally *tally; /* of tmesh.bench; NULL: its runs are not counted */
};

static void plan_clear(struct plan *plan)
{
    for (size_t i = 0; i < plan->options.command_count; i++) {
        words_clear(&plan->words[i]);
        free(plan->names[i]);
    }
    free(plan->commands);
    free(plan->words);
    free(plan->names);
    free(plan->queue_text);
    free(plan->queues);
    tally_close(plan->tally);
}

static int out_of_memory(void)
{
    notice_print("out of memory");
    return EX_OSERR;
}

/* NAME="PROGRAM ARGS" */
static int plan_command(struct plan *plan, const char *text, const struct options *options)
{
    size_t at = plan->options.command_count;
    const char *equals = strchr(text, '=');
    if (!equals) {
        return options_refuse(options, "--command %s: must be NAME=\"PROGRAM ARGS\"", text);
    }
    char *name = strndup(text, (size_t)(equals - text));
    if (!name) return out_of_memory();
    plan->names[at] = name;
    plan->options.command_count++;
    if (!tmesh_name_is_valid(name)) {
        return options_refuse(options,
                              "--command %s: '%s' cannot name a task; a name is 1 to %d of "
                              "a-z, 0-9, '.', '_' and '-'",
                              text, name, (int)TMESH_NAME_BYTES_MAX);
    }
    const char *fault = words_split(equals + 1, &plan->words[at]);
    if (fault) return options_refuse(options, "--command %s: %s", text, fault);
    plan->commands[at] = (tmesh_command_t){name, (const char *const *)plan->words[at].argv};
    return OPTIONS_READY;
}

static int plan_commands(struct plan *plan, const struct option_list *list,
                         const struct options *options)
{
    plan->commands = calloc(list->count + 1, sizeof *plan->commands);
    plan->words = calloc(list->count + 1, sizeof *plan->words);
    plan->names = calloc(list->count + 1, sizeof *plan->names);
    if (!plan->commands || !plan->words || !plan->names) return out_of_memory();
    for (size_t i = 0; i < list->count; i++) {
        int code = plan_command(plan, list->items[i], options);
        if (code != OPTIONS_READY) return code;
    }
    plan->options.commands = plan->commands;
    return OPTIONS_READY;
}

static int plan_queues(struct plan *plan, const char *text, const struct options *options)
{
    size_t count = 0;
    if (!text) return OPTIONS_READY;
    plan->queue_text = strdup(text);
    plan->queues = calloc(strlen(text) + 2, sizeof *plan->queues);
    if (!plan->queue_text || !plan->queues) return out_of_memory();
    for (char *rest = plan->queue_text, *name; (name = strsep(&rest, ","));) {
        if (!tmesh_name_is_valid(name)) {
            return options_refuse(options,
                                  "--queue %s: '%s' cannot name a queue; a name is 1 to %d of "
                                  "a-z, 0-9, '.', '_' and '-'",
                                  text, name, (int)TMESH_NAME_BYTES_MAX);
        }
        plan->queues[count++] = name;
    }
    plan->options.queues = plan->queues;
    return OPTIONS_READY;
}

static bool serves_bench(const struct settings *settings)
{
    return settings->allow_bench || settings->bench_tally;
}

static int plan_bench(struct plan *plan, const char *path, const struct options *options)
{
    if (path) {
        plan->tally = tally_open(path);
        if (!plan->tally) {
            return options_refuse(options, "--bench-tally %s: %s", path,
                                  errno == EINVAL ? "tmesh bench did not make it"
                                                  : strerror(errno));
        }
    }
    plan->bench = (tmesh_handler_t){BENCH_TASK_NAME, bench_task_run, plan->tally};
    plan->options.handlers = &plan->bench;
    plan->options.handler_count = 1;
    return OPTIONS_READY;
}

/* An operator has to be able to type it, for `tmesh drain`. */
static bool is_label(const char *text)
{
    size_t bytes = strlen(text);
    for (const char *at = text; *at; at++) {
        if ((unsigned char)*at < ' ' || *at == 0x7f) return false;
    }
    return bytes > 0 && bytes <= LABEL_BYTES_MAX;
}

static int check(const struct settings *settings, const struct options *options)
{
    bool something = settings->commands.count + settings->modules.count > 0;
    bool process = strcmp(settings->pool, "process") == 0;
    if (!settings->connect) {
        return options_refuse(options, "--connect is missing: the ventilators to work for, such "
                                       "as --connect tcp://127.0.0.1:5555");
    }
    if (settings->label && !is_label(settings->label)) {
        return options_refuse(options,
                              "--label '%s': must be 1 to %d bytes without control characters",
                              settings->label, (int)LABEL_BYTES_MAX);
    }
    if (!process && settings->tasks_per_child + settings->memory_per_child > 0) {
        return options_refuse(options, "--tasks-per-child and --memory-per-child are for --pool "
                                       "process; threads are not replaced");
    }
    if (settings->time_limit_ms > 0 && settings->soft_time_limit_ms >= settings->time_limit_ms) {
        return options_refuse(options, "--soft-time-limit must be below --time-limit, or a run is "
                                       "ended before it is asked to end");
    }
    if (!something && !settings->allow_exec && !serves_bench(settings)) {
        return options_refuse(options, "nothing to serve: give --command NAME=\"PROGRAM\", "
                                       "--module FILE.so, --allow-exec or --allow-bench");
    }
    return OPTIONS_READY;
}

static int plan_make(struct plan *plan, const struct settings *settings,
                     const struct options *options)
{
    int code = check(settings, options);
    if (code != OPTIONS_READY) return code;
    bool process = strcmp(settings->pool, "process") == 0;
    code = plan_commands(plan, &settings->commands, options);
    if (code == OPTIONS_READY) code = plan_queues(plan, settings->queue, options);
    if (code == OPTIONS_READY && serves_bench(settings)) {
        code = plan_bench(plan, settings->bench_tally, options);
    }
    plan->options.connect = settings->connect;
    plan->options.label = settings->label;
    plan->options.slots = (uint32_t)settings->slots;
    plan->options.spin_us = (uint32_t)settings->spin_us;
    plan->options.time_limit_ms = (uint32_t)settings->time_limit_ms;
    plan->options.soft_time_limit_ms = (uint32_t)settings->soft_time_limit_ms;
    plan->options.stalled_after_ms = (uint32_t)settings->stalled_after_ms;
    plan->options.pool = process ? TMESH_POOL_PROCESS : TMESH_POOL_THREADS;
    plan->options.tasks_per_child = (uint32_t)settings->tasks_per_child;
    plan->options.memory_per_child = settings->memory_per_child;
    plan->options.modules = settings->modules.items;
    plan->options.allow_exec = settings->allow_exec;
    plan->options.command_environment = settings->command_environment.items;
    plan->options.command_memory = settings->command_memory;
    plan->options.command_file_size = settings->command_file_size;
    plan->options.command_sandbox = settings->command_sandbox;
    plan->options.command_files = (uint32_t)settings->command_files;
    return code;
}

/* How long what runs may take to end, and how often the program was asked to. */
struct grace {
    uint64_t grace_ms, end_ms;
    unsigned signals; /* more than so many: stop at once */
};

/* Asked from afar, a worker has the time that was named there, and the first
 * signal is not yet impatience: it only holds it to its own grace time. */
static struct grace grace_begin(tmesh_worker_t *worker, uint64_t grace_ms,
                                const struct stopping *stopping)
{
    struct grace grace = {.grace_ms = grace_ms, .signals = 1};
    uint32_t asked_ms;
    bool afar = stopping->count == 0 && tmesh_worker_asked_to_drain(worker, &asked_ms);
    if (afar && asked_ms != UINT32_MAX) grace.grace_ms = asked_ms;
    grace.end_ms = clock_ms() + grace.grace_ms;
    return grace;
}

/* Whether it is over now. */
static bool grace_is_over(struct grace *grace, uint64_t own_ms, struct stopping *stopping)
{
    unsigned before = stopping->count;
    stopping_read(stopping);
    uint64_t now_ms = clock_ms();
    if (before == 0 && stopping->count == 1 && now_ms + own_ms < grace->end_ms) {
        grace->end_ms = now_ms + own_ms;
    }
    return stopping->count > grace->signals || now_ms >= grace->end_ms;
}

/* Lets running tasks end, in slices, so that a second signal cuts it short.
 * Returns whether all have. */
static bool drain(tmesh_worker_t *worker, uint64_t own_ms, struct stopping *stopping)
{
    tmesh_worker_counts_t counts;
    struct grace grace = grace_begin(worker, own_ms, stopping);
    tmesh_worker_counts(worker, &counts);
    notice_print("draining%s: no new tasks, %" PRIu64 ".%" PRIu64 " s for the %" PRIu32
                 " running to end; %s to stop at once",
                 stopping->count > 0 ? ""
                 : counts.crippled   ? ", for want of processes to run functions in"
                                     : ", as an operator asked",
                 grace.grace_ms / 1000, grace.grace_ms % 1000 / 100, counts.running,
                 stopping->count == 0 ? "two signals" : "once more");
    for (;;) {
        uint64_t now_ms = clock_ms();
        uint64_t left_ms = now_ms < grace.end_ms ? grace.end_ms - now_ms : 0;
        uint32_t slice_ms = (uint32_t)(left_ms < DRAIN_SLICE_MS ? left_ms : DRAIN_SLICE_MS);
        if (tmesh_worker_drain(worker, slice_ms) == TMESH_OK) return true;
        if (grace_is_over(&grace, own_ms, stopping)) return false;
    }
}

/* A worker may well be there before its ventilator, but so it looks too when an address is wrong.
 * Returns early when it is to stop. */
static void look_for_ventilators(tmesh_worker_t *worker, const char *connect,
                                 const struct stopping *stopping)
{
    tmesh_worker_counts_t counts;
    struct pollfd fds[] = {{.fd = stopping->fd, .events = POLLIN},
                           {.fd = tmesh_worker_fd(worker), .events = POLLIN}};
    if (poll(fds, 2, ALONE_MS) != 0) return;
    tmesh_worker_counts(worker, &counts);
    if (counts.ventilators > 0 || counts.started > 0) return;
    notice_print("no ventilator answers at %s; trying again until one does", connect);
}

static int serve(tmesh_worker_t *worker, uint64_t grace_ms, struct stopping *stopping)
{
    tmesh_worker_counts_t counts;
    stopping_wait_beside(stopping, 0, tmesh_worker_fd(worker));
    bool drained = drain(worker, grace_ms, stopping);
    tmesh_worker_counts(worker, &counts);
    notice_print("stopped; %" PRIu64 " tasks done, %" PRIu64 " failed, %" PRIu64
                 " given back, %" PRIu32 " cut short",
                 counts.done, counts.failed, counts.returned, counts.running);
    if (drained) return counts.crippled ? EX_OSERR : 0;
    /* A C handler that does not return would keep us for ever. */
    stopping_force(EX_TEMPFAIL, FORCE_SECONDS);
    return EX_TEMPFAIL;
}

static int run_with(const struct plan *plan, const struct settings *settings)
{
    struct logging logging = logging_from(settings->log_level, settings->log_format);
    tmesh_worker_options_t options = plan->options;
    struct stopping stopping;
    tmesh_error_t error;
    options.log = logging_write;
    options.log_context = &logging;
    options.log_level = logging.least;
    int status = stopping_open(&stopping);
    if (status) return status;
    logging_hold(&logging);
    tmesh_worker_t *worker = tmesh_worker_new(&options, &error);
    backlog_start();
    if (worker) look_for_ventilators(worker, options.connect, &stopping);
    status = worker ? serve(worker, settings->grace_ms, &stopping) : mesh_fault(&error);
    tmesh_worker_destroy(&worker);
    stopping_close(&stopping);
    return status;
}

static int run(int argc, char **argv)
{
    struct settings settings = {
        .pool = "threads", .log_level = "info", .log_format = "text", .grace_ms = 10000};
    struct options options = {.command = &worker_command, .settings = &settings};
    struct plan plan = {.queues = NULL};
    int status = options_parse(&options, argc, argv);
    if (status == OPTIONS_READY && options.argument_count > 0) {
        status = options_refuse(&options, "'%s' is not an option", options.arguments[0]);
    }
    if (status == OPTIONS_READY) status = plan_make(&plan, &settings, &options);
    if (status == OPTIONS_READY) status = run_with(&plan, &settings);
    plan_clear(&plan);
    options_clear(&options);
    return status;
}

const struct command worker_command = {
    .name = "worker",
    .usage = "--connect ENDPOINT[,ENDPOINT...] --command NAME=\"PROGRAM ARGS\" [OPTIONS]",
    .summary = "run tasks: programs, or handlers written in C",
    .purpose =
        "Starts a worker. It takes tasks from every ventilator it is connected to, as many as it "
        "has slots, and finds them again by itself when a connection breaks.\n\n"
        "A program's exit status decides: 0 is done, 75 try again later, 65 never try again; any "
        "other is tried again by policy, or after as many milliseconds as it wrote into the file "
        "that TMESH_RETRY_AFTER_MS names. TMESH_TASK_ID, TMESH_TASK_NAME, TMESH_ATTEMPT and "
        "TMESH_LEASE are in its environment too. SIGTERM tells it that its run should end: it is "
        "over its soft time limit, or was cancelled.\n\n"
        "Handlers in C that may crash, hang or leak belong in a process pool: --pool process.\n\n"
        "The first SIGTERM or ^C, or tmesh drain from afar, lets running tasks end within the "
        "grace time and gives the others back, the second stops at once. Exit status 0 when all "
        "had ended, 75 when some were cut short and run again elsewhere, 71 when the process "
        "pool was lost: start it again.",
    .examples = "  tmesh worker --connect tcp://127.0.0.1:5555 --command count=\"wc -c\"\n"
                "  tmesh worker --connect tcp://a:5555,tcp://b:5555 --slots 8 --module ./tasks.so\n"
                "  tmesh worker --connect tcp://127.0.0.1:5555 --module ./tasks.so --pool "
                "process --tasks-per-child 10000 --time-limit 5m --soft-time-limit 4m\n"
                "  tmesh worker --connect tcp://127.0.0.1:5555 --allow-exec\n\n"
                "In a program that is a shell script: not now, but in half a minute\n"
                "  echo 30000 >\"$TMESH_RETRY_AFTER_MS\"; exit 75\n",
    .options = options_table,
    .option_count = sizeof options_table / sizeof *options_table,
    .run = run,
};
