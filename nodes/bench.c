/* bench.c - `tmesh bench`: measures a mesh. */
#include "backlog.h"
#include "bench_report.h"
#include "bench_run.h"
#include "bench_task.h"
#include "notice.h"
#include "options.h"
#include "table.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <sysexits.h>
#include <unistd.h>

enum {
    TASKS_MAX = 500000000,
    WARM_UP = 300,
    WARM_UP_MAX = 1000000,
    IN_FLIGHT = 10000,
    IN_FLIGHT_MAX = 1000000,
    LINE_BYTES = 20480
};

static const uint64_t UNSET = UINT64_MAX;
/* Unless the options say more: */
static const uint64_t PAYLOADS_BYTES = UINT64_C(1) << 30;        /* in all */
static const uint64_t FLIGHT_BYTES = UINT64_C(64) * 1024 * 1024; /* of each producer */

struct settings {
    const char *workload, *connect, *transport, *pool, *journal, *log_level, *log_format;
    bool embedded, json;
    uint64_t tasks, duration_ms, warm_up, size, result_size, in_flight, rate, runs;
    uint64_t producers, ventilators, workers, slots, timeout_ms, spin_us;
};

static const struct option options_table[] = {
    {"workload", 'w', OPTION_CHOICE, "W1|W2|W3|W4",
     "what to measure: W1 throughput; W2 latency, one task at a time; W3 throughput with a journal "
     "on disk; W4 throughput with results; default W1",
     offsetof(struct settings, workload), 0, 0},
    {"tasks", 'n', OPTION_COUNT, "N",
     "tasks that are measured, of all producers together; default 1000000, W2 5000, W3 and W4 "
     "500000, fewer if they are large",
     offsetof(struct settings, tasks), 1, TASKS_MAX},
    {"duration", 0, OPTION_SECONDS, "T", "submit for so long, not a number of tasks",
     offsetof(struct settings, duration_ms), 1, 7 * 24 * 3600 * 1000},
    {"size", 0, OPTION_SIZE, "BYTES", "of a payload, at least 10; default 100",
     offsetof(struct settings, size), 0, 0},
    {"result-size", 0, OPTION_SIZE, "BYTES", "of a result, for W2 and W4; default 100",
     offsetof(struct settings, result_size), 0, TMESH_RESULT_BYTES_MAX},
    {"in-flight", 0, OPTION_COUNT, "N",
     "tasks that each producer may have submitted that did not end; default 10000, fewer if they "
     "are large; W2 1",
     offsetof(struct settings, in_flight), 1, IN_FLIGHT_MAX},
    {"rate", 0, OPTION_COUNT, "R",
     "submit R tasks a second, all producers together, at fixed times, and count latency from "
     "when each was due, so that waiting behind a slow one is not hidden; default: as fast as they "
     "end",
     offsetof(struct settings, rate), 1, 100000000},
    {"producers", 0, OPTION_COUNT, "N", "producers, each with a thread that submits; default 1",
     offsetof(struct settings, producers), 1, BENCH_NODES_MAX},
    {"ventilators", 0, OPTION_COUNT, "N", "ventilators to start; default 1",
     offsetof(struct settings, ventilators), 1, BENCH_NODES_MAX},
    {"workers", 0, OPTION_COUNT, "N", "workers to start; default 1",
     offsetof(struct settings, workers), 1, BENCH_NODES_MAX},
    {"slots", 's', OPTION_COUNT, "N", "of each worker; default 1", offsetof(struct settings, slots),
     1, 1024},
    {"pool", 0, OPTION_CHOICE, "threads|process", "where handlers run; default threads",
     offsetof(struct settings, pool), 0, 0},
    {"transport", 0, OPTION_CHOICE, "tcp|ipc|inproc",
     "between the processes; inproc: producers, their ventilators and the worker are one process; "
     "default tcp, on loopback",
     offsetof(struct settings, transport), 0, 0},
    {"embedded", 0, OPTION_FLAG, NULL, "each producer carries its own ventilator",
     offsetof(struct settings, embedded), 0, 0},
    {"spin", 0, OPTION_COUNT, "US",
     "all nodes look so many microseconds for messages before they sleep; wants a processor for "
     "each; default 0",
     offsetof(struct settings, spin_us), 0, 1000000},
    {"journal", 'j', OPTION_TEXT, "DIR",
     "have ventilators keep journals in this directory, which has to be on the disk that is meant; "
     "they are removed afterwards; default: none, for W3 $TMPDIR or /var/tmp",
     offsetof(struct settings, journal), 0, 0},
    {"connect", 'c', OPTION_TEXT, "ENDPOINT[,ENDPOINT...]",
     "measure the mesh that runs there; its workers need --allow-bench",
     offsetof(struct settings, connect), 0, 0},
    {"warm-up", 0, OPTION_COUNT, "N",
     "tasks before those that are measured; default 300, fewer if they are large",
     offsetof(struct settings, warm_up), 0, WARM_UP_MAX},
    {"runs", 0, OPTION_COUNT, "N", "measure so often, each time with a new mesh; default 1",
     offsetof(struct settings, runs), 1, BENCH_RUNS_MAX},
    {"timeout", 0, OPTION_SECONDS, "T", "give up when nothing happened for so long; default 30s",
     offsetof(struct settings, timeout_ms), 100, UINT32_MAX},
    {"json", 0, OPTION_FLAG, NULL, "one JSON object, with the environment",
     offsetof(struct settings, json), 0, 0},
    {"log-level", 0, OPTION_CHOICE, "debug|info|warning|error",
     "what the nodes in this process log; default warning", offsetof(struct settings, log_level), 0,
     0},
    {"log-format", 0, OPTION_CHOICE, "text|json", "how they log; default text",
     offsetof(struct settings, log_format), 0, 0},
};

/* Whether the option stands on the command line; the environment and the config file may
 * say it for other commands. */
static bool is_given(const struct options *options, const char *name)
{
    for (size_t i = 0; i < options->command->option_count; i++) {
        if (strcmp(options->command->options[i].name, name) != 0) continue;
        return options->sources[i] == OPTION_FROM_FLAG;
    }
    return false;
}

/* Refuses the first of the options, which end with NULL, that is given. */
static int refuse_with(const struct options *options, const char *const *names, const char *why)
{
    for (; *names; names++) {
        if (is_given(options, *names)) return options_refuse(options, "--%s %s", *names, why);
    }
    return OPTIONS_READY;
}

static int check_layout(const struct options *options, const struct settings *settings)
{
    static const char *const own[] = {"transport", "embedded", "journal", "ventilators",
                                      "workers",   "slots",    "pool",    NULL};
    static const char *const apart[] = {"ventilators", NULL};
    static const char *const many[] = {"workers", NULL};
    bool together = strcmp(settings->transport, "inproc") == 0;
    if (settings->connect) {
        return refuse_with(options, own,
                           "is for a mesh that is started here; with --connect it "
                           "runs already");
    }
    if (together && strcmp(settings->pool, "process") == 0) {
        return options_refuse(options, "--pool process: child processes are made before threads, "
                                       "and with --transport inproc there are threads already");
    }
    if (together && settings->workers > 1) {
        return refuse_with(options, many, "is 1 with --transport inproc; give it more --slots");
    }
    if (together || settings->embedded) {
        return refuse_with(options, apart, "is not for embedded ones: each producer carries one");
    }
    return OPTIONS_READY;
}

static int check_load(const struct options *options, const struct settings *settings)
{
    static const char *const results[] = {"result-size", NULL};
    bool answers = strcmp(settings->workload, "W2") == 0 || strcmp(settings->workload, "W4") == 0;
    if (settings->size < BENCH_TASK_BYTES_MIN || settings->size > TMESH_PAYLOAD_BYTES_MAX) {
        return options_refuse(options,
                              "--size %" PRIu64 ": must be %d to %d bytes; a payload holds its "
                              "task's number, by which each is counted",
                              settings->size, BENCH_TASK_BYTES_MIN, TMESH_PAYLOAD_BYTES_MAX);
    }
    if (settings->tasks != UNSET && settings->duration_ms != UNSET) {
        return options_refuse(options, "--tasks and --duration: give one of them");
    }
    return answers ? OPTIONS_READY
                   : refuse_with(options, results, "is for W2 and W4; others have no results");
}

static enum bench_layout layout_of(const struct settings *settings)
{
    if (settings->connect) return BENCH_ELSEWHERE;
    if (strcmp(settings->transport, "inproc") == 0) return BENCH_TOGETHER;
    return settings->embedded ? BENCH_EMBEDDED : BENCH_APART;
}

static uint64_t tasks_of(const struct settings *settings, enum bench_workload workload)
{
    static const uint64_t defaults[] = {0, 1000000, 5000, 500000, 500000};
    if (settings->tasks != UNSET) return settings->tasks;
    if (settings->duration_ms != UNSET) return 0;
    uint64_t tasks = defaults[workload], fit = PAYLOADS_BYTES / settings->size;
    if (settings->rate > 0 && settings->rate * 10 < tasks) tasks = settings->rate * 10;
    return fit < tasks ? fit : tasks;
}

/* How many tasks, at most `count`, may be under way in default of a wish. */
static uint64_t fitting(const struct settings *settings, uint64_t count)
{
    uint64_t fit = FLIGHT_BYTES / (settings->size + settings->result_size);
    return fit < count ? fit : count;
}

static uint64_t in_flight_of(const struct settings *settings, enum bench_workload workload)
{
    if (settings->in_flight != UNSET) return settings->in_flight;
    return workload == BENCH_W2 && settings->rate == 0 ? 1 : fitting(settings, IN_FLIGHT);
}

/* How many tasks there are for each whose end is told: few enough that telling costs
 * next to nothing, and yet more than ten in flight. */
static uint64_t sample_every_of(const struct bench_plan *plan)
{
    bool all =
        plan->workload == BENCH_W2 || plan->workload == BENCH_W4 || plan->layout == BENCH_ELSEWHERE;
    uint64_t most = plan->in_flight / 10;
    if (all || most <= 1) return 1;
    return most < BENCH_SAMPLE_EVERY ? most : BENCH_SAMPLE_EVERY;
}

static struct bench_plan plan_of(const struct settings *settings)
{
    enum bench_workload workload = (enum bench_workload)(settings->workload[1] - '0');
    bool answers = workload == BENCH_W2 || workload == BENCH_W4;
    const char *temporary = getenv("TMPDIR");
    struct bench_plan plan = {
        .workload = workload,
        .layout = layout_of(settings),
        .transport = settings->transport,
        .connect = settings->connect,
        .pool = settings->pool,
        .journal = settings->connect ? NULL : settings->journal,
        .tasks = tasks_of(settings, workload),
        .warm_up = settings->warm_up != UNSET ? settings->warm_up : fitting(settings, WARM_UP),
        .duration_ms = settings->duration_ms != UNSET ? settings->duration_ms : 0,
        .rate = settings->rate,
        .in_flight = in_flight_of(settings, workload),
        .timeout_ms = settings->timeout_ms,
        .size = settings->size,
        .result_size = answers ? settings->result_size : 0,
        .producers = (uint32_t)settings->producers,
        .workers = (uint32_t)settings->workers,
        .slots = (uint32_t)settings->slots,
        .runs = (uint32_t)settings->runs,
        .spin_us = (uint32_t)settings->spin_us,
    };
    plan.ventilators = (uint32_t)settings->ventilators;
    if (plan.layout == BENCH_EMBEDDED || plan.layout == BENCH_TOGETHER) {
        plan.ventilators = plan.producers;
    }
    if (workload == BENCH_W3 && !plan.journal && plan.layout != BENCH_ELSEWHERE) {
        plan.journal = temporary && temporary[0] ? temporary : "/var/tmp";
    }
    plan.sample_every = sample_every_of(&plan);
    return plan;
}

/* Where the journals are decides what W3 measures. */
static const char *filesystem(const char *directory)
{
    static const struct {
        uint64_t magic;
        const char *name;
    } known[] = {{0xef53, "ext4"},      {0x58465342, "xfs"},       {0x9123683e, "btrfs"},
                 {0x01021994, "tmpfs"}, {0x794c7630, "overlayfs"}, {0x6969, "nfs"},
                 {0x2fc12fc1, "zfs"},   {0xf2f52010, "f2fs"}};
    struct statfs status;
    if (statfs(directory, &status) != 0) return "unknown";
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if ((uint64_t)status.f_type == known[i].magic) return known[i].name;
    }
    return "another file system";
}

/* Nodes that are started here go by their command lines alone. */
static void forget_environment(void)
{
    extern char **environ;
    for (char **at = environ; *at;) {
        char name[256];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(*at, "="), *at);
        if (strncmp(name, "TMESH_", 6) == 0 && unsetenv(name) == 0) {
            at = environ;
        } else {
            at++;
        }
    }
}

/* Says what is wrong with a run, if anything is.  Returns the exit status. */
static int verdict(const struct bench_plan *plan, const struct bench_result *result)
{
    if (bench_is_sound(result)) return 0;
    notice_print("lost %" PRIu64 ", repeated %" PRIu64 ", of %" PRIu64 " tasks and %" PRIu64
                 " to warm up",
                 result->lost, result->repeated, result->tasks, plan->warm_up);
    if (result->failed > 0) {
        notice_print("%" PRIu64 " were not done; the first: %s", result->failed,
                     result->reason[0] ? result->reason : "nobody was told why");
    }
    if (result->wrong > 0) {
        notice_print("%" PRIu64 " had a result that was not theirs", result->wrong);
    }
    if (result->strays > 0) {
        notice_print("%" PRIu64 " runs were of no task of this benchmark", result->strays);
    }
    return 1;
}

static int run_all(struct bench_report *report, const struct settings *settings,
                   struct stopping *stopping, struct output *output)
{
    const struct bench_plan *plan = report->plan;
    struct logging logging = logging_from(settings->log_level, settings->log_format);
    int status = 0;
    logging_hold(&logging);
    backlog_start();
    for (uint32_t i = 0; status == 0 && i < plan->runs; i++) {
        struct bench_result *result = &report->results[i];
        status = bench_run(plan, stopping, &logging, result);
        if (status) return status;
        report->count++;
        status = verdict(plan, result);
        if (plan->runs > 1 && !settings->json) {
            table_line(output, "  run %-5" PRIu32 " %.0f tasks/s", i + 1, bench_rate(result));
            output_flush(output);
        }
    }
    return status;
}

static int run_report(struct bench_report *report, const struct settings *settings,
                      struct output *output)
{
    struct stopping stopping;
    char line[LINE_BYTES];
    int status = stopping_open(&stopping);
    if (status) return status;
    bench_report_plan(report, line, sizeof line);
    if (!settings->json) {
        output_text(output, line);
        output_byte(output, '\n');
        output_flush(output);
    }
    status = run_all(report, settings, &stopping, output);
    if (report->count > 0 && settings->json) bench_report_json(report, output);
    if (report->count > 0 && !settings->json) bench_report_print(report, output);
    stopping_close(&stopping);
    return output_end(output, status);
}

static int run_with(const struct settings *settings)
{
    struct bench_plan plan = plan_of(settings);
    struct bench_report report = {.plan = &plan};
    struct output *output = malloc(sizeof *output);
    report.results = calloc(plan.runs, sizeof *report.results);
    int status = EX_OSERR;
    if (output && report.results) {
        output_open(output, STDOUT_FILENO);
        forget_environment();
        machine_look(&report.machine);
        if (plan.journal) report.journal_filesystem = filesystem(plan.journal);
        if (plan.journal && strcmp(report.journal_filesystem, "tmpfs") == 0) {
            notice_print(
                "%s is in memory (tmpfs), where syncing costs nothing; name a directory on "
                "a disk with --journal",
                plan.journal);
        }
        status = run_report(&report, settings, output);
    } else {
        notice_print("out of memory");
    }
    free(report.results);
    free(output);
    return status;
}

static int run(int argc, char **argv)
{
    struct settings settings = {.workload = "W1",
                                .transport = "tcp",
                                .pool = "threads",
                                .log_level = "warning",
                                .log_format = "text",
                                .tasks = UNSET,
                                .duration_ms = UNSET,
                                .warm_up = UNSET,
                                .size = 100,
                                .result_size = 100,
                                .in_flight = UNSET,
                                .runs = 1,
                                .producers = 1,
                                .ventilators = 1,
                                .workers = 1,
                                .slots = 1,
                                .timeout_ms = 30000};
    struct options options = {.command = &bench_command, .settings = &settings};
    int status = options_parse(&options, argc, argv);
    if (status == OPTIONS_READY && options.argument_count > 0) {
        status = options_refuse(&options, "'%s' is not an option", options.arguments[0]);
    }
    if (status == OPTIONS_READY) status = check_layout(&options, &settings);
    if (status == OPTIONS_READY) status = check_load(&options, &settings);
    if (status == OPTIONS_READY) status = run_with(&settings);
    options_clear(&options);
    return status;
}

const struct command bench_command = {
    .name = "bench",
    .usage = "[OPTIONS]",
    .summary = "measure a mesh: tasks per second, latency, processor time, memory",
    .purpose =
        "Starts a mesh on this machine, gives it tasks whose handler does nothing, and says how "
        "many were done in a second, how long one takes, and what that cost in processor time and "
        "memory of all processes together. With --connect it measures a mesh that runs already, on "
        "any machines.\n\n"
        "Every task has a number, and the handler counts its runs in memory that is shared with "
        "this command: a task that did not run, or ran twice, ends the benchmark with status 1. "
        "With --connect the ends that are told are counted, and a task that took a second attempt "
        "counts as repeated.\n\n"
        "Time goes from the first submission until the last end is known: in W2 and W4, and with "
        "--connect, at the producer that waits for it; in W1 and W3 at the ventilator, which is "
        "asked, because nobody is told each end. There one task in 100 is told, for latency and "
        "for the number in flight.",
    .examples =
        "  tmesh bench\n"
        "  tmesh bench --workload W2 --embedded\n"
        "  tmesh bench --workload W3 --journal /var/lib/tmesh --runs 5 --json\n"
        "  tmesh bench --workload W4 --size 1K --result-size 10K --producers 2 --workers 2\n"
        "  tmesh bench --workload W2 --rate 20000 --duration 30s\n"
        "  taskset -c 0 tmesh bench --workload W2 --transport ipc\n\n"
        "A mesh that runs already, here with a worker on another machine\n"
        "  tmesh worker --connect tcp://a:5555 --slots 8 --allow-bench\n"
        "  tmesh bench --connect tcp://a:5555 --workload W4\n",
    .options = options_table,
    .option_count = sizeof options_table / sizeof *options_table,
    .run = run,
};
