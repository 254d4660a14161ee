/* map.c - `tmesh map`: what the user asked for, checked.  The work is done in
 * mapping.c.
 */
#include "mapping.h"
#include "options.h"

#include <stdbool.h>

struct settings {
    const char *connect, *log_level, *log_format;
    bool null;
    uint64_t slots, retries, connect_timeout_ms;
};

static const struct option options_table[] = {
    {"connect", 'c', OPTION_TEXT, "ENDPOINT[,ENDPOINT...]",
     "run on the workers of these ventilators that were started with --allow-exec; default: in "
     "a mesh of its own on this machine",
     offsetof(struct settings, connect), 0, 0},
    {"slots", 's', OPTION_COUNT, "N",
     "programs run at once, without --connect; default: the number of processors",
     offsetof(struct settings, slots), 1, 1024},
    {"retries", 'r', OPTION_COUNT, "N",
     "how often a run that failed is tried again; default 0. A run lost with its worker is run "
     "again in any case",
     offsetof(struct settings, retries), 0, 1000000},
    {"null", '0', OPTION_FLAG, NULL, "inputs end with a zero byte instead of a line end",
     offsetof(struct settings, null), 0, 0},
    {"connect-timeout", 0, OPTION_SECONDS, "T",
     "give up when no ventilator answers within this time; default 5s",
     offsetof(struct settings, connect_timeout_ms), 0, UINT32_MAX},
    {"log-level", 0, OPTION_CHOICE, "debug|info|warning|error", "what to log; default error",
     offsetof(struct settings, log_level), 0, 0},
    {"log-format", 0, OPTION_CHOICE, "text|json", "how to log; default text",
     offsetof(struct settings, log_format), 0, 0},
};

static int run_with(const struct settings *settings, const struct options *options)
{
    struct logging logging = logging_from(settings->log_level, settings->log_format);
    struct mapping_plan plan = {
        .argv = options->arguments,
        .connect = settings->connect,
        .logging = &logging,
        .separator = settings->null ? 0 : '\n',
        .slots = (uint32_t)settings->slots,
        .attempts_max = (uint32_t)settings->retries + 1,
        .connect_timeout_ms = settings->connect_timeout_ms,
    };
    return mapping_run(&plan);
}

static int run(int argc, char **argv)
{
    struct settings settings = {
        .log_level = "error", .log_format = "text", .connect_timeout_ms = 5000};
    struct options options = {.command = &map_command, .settings = &settings};
    int status = options_parse(&options, argc, argv);
    if (status == OPTIONS_READY && options.argument_count == 0) {
        status = options_refuse(&options, "the PROGRAM to run is missing, as in: ls | tmesh map "
                                          "-- wc -c");
    }
    if (status == OPTIONS_READY) status = run_with(&settings, &options);
    options_clear(&options);
    return status;
}

const struct command map_command = {
    .name = "map",
    .usage = "[OPTIONS] -- PROGRAM [ARGS...]",
    .summary = "run a program for each line of input, results in order",
    .purpose =
        "Runs PROGRAM once for each line of standard input, many at a time, and prints what the "
        "runs print in the order of the lines, each as soon as those before it are there. {} in "
        "an argument stands for the line; without {} the line becomes the last argument. There "
        "is no shell in between.\n\n"
        "A run that fails is named on stderr with its exit status and what it said; the others go "
        "on. Exit status 0 if all ended well, 1 if some did not.",
    .examples = "  ls /usr/include/*.h | tmesh map -- sha256sum\n"
                "  find . -name '*.png' -print0 | tmesh map --null -- convert {} {}.jpg\n"
                "  seq 100 | tmesh map --slots 8 --retries 2 -- ./simulate --seed {}\n",
    .order = COMMAND_OPTIONS_FIRST,
    .options = options_table,
    .option_count = sizeof options_table / sizeof *options_table,
    .run = run,
};
