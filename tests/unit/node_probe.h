/* node_probe.h - a command with an option of each kind, for the tests of options:
 * its settings, and one run of the parser with what it said.
 */
#ifndef TESTS_NODE_PROBE_H
#define TESTS_NODE_PROBE_H

#include "../../nodes/options.h"
#include "node_capture.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { PROBE_ARGUMENTS_MAX = 32 };

struct probe_settings {
    bool wait;
    const char *connect, *level;
    struct option_list commands;
    uint64_t slots, memory_bytes, grace_ms, heartbeat_ms;
};

/* The rows of the table below. */
enum probe_row {
    PROBE_WAIT,
    PROBE_CONNECT,
    PROBE_LEVEL,
    PROBE_COMMAND,
    PROBE_SLOTS,
    PROBE_MEMORY,
    PROBE_GRACE,
    PROBE_HEARTBEAT
};

static const struct option probe_options[] = {
    {"wait", 'w', OPTION_FLAG, NULL, "a flag", offsetof(struct probe_settings, wait), 0, 0},
    {"connect", 'c', OPTION_TEXT, "ENDPOINT", "a text", offsetof(struct probe_settings, connect), 0,
     0},
    {"log-level", 0, OPTION_CHOICE, "debug|info|error", "a choice",
     offsetof(struct probe_settings, level), 0, 0},
    {"command", 'x', OPTION_LIST, "NAME", "a list", offsetof(struct probe_settings, commands), 0,
     0},
    {"slots", 's', OPTION_COUNT, "N", "a count", offsetof(struct probe_settings, slots), 1, 1024},
    {"memory-max", 0, OPTION_SIZE, "SIZE", "a size", offsetof(struct probe_settings, memory_bytes),
     4096, 0},
    {"grace", 'g', OPTION_SECONDS, "T", "a time", offsetof(struct probe_settings, grace_ms), 0,
     60000},
    {"heartbeat", 0, OPTION_MILLISECONDS, "MS", "a short time",
     offsetof(struct probe_settings, heartbeat_ms), 50, 1000},
};

static const struct command probe_command = {
    .name = "probe",
    .usage = "[OPTIONS]",
    .purpose = "Tries options.",
    .examples = "  tmesh probe\n",
    .options = probe_options,
    .option_count = sizeof probe_options / sizeof *probe_options,
};

struct probe {
    struct probe_settings settings;
    struct options options;
    int code;
    struct capture said; /* on stderr */
};

/* Parses the words of `line`, which are parted by single blanks, and which the
 * settings point into. */
static inline void probe_run_as(struct probe *probe, const struct command *command, char *line)
{
    char *argv[PROBE_ARGUMENTS_MAX + 2] = {(char *)(size_t)command->name};
    int argc = 1;
    for (char *rest = *line ? line : NULL; rest;) {
        assert(argc <= PROBE_ARGUMENTS_MAX);
        argv[argc++] = strsep(&rest, " ");
    }
    probe->options = (struct options){.command = command, .settings = &probe->settings};
    capture_start(&probe->said, STDERR_FILENO);
    probe->code = options_parse(&probe->options, argc, argv);
    capture_end(&probe->said);
}

static inline void probe_run(struct probe *probe, char *line)
{
    probe->settings = (struct probe_settings){.level = "info", .slots = 4};
    probe_run_as(probe, &probe_command, line);
}

static inline void probe_clear(struct probe *probe)
{
    options_clear(&probe->options);
    assert(!probe->settings.commands.items && !probe->options.arguments && !probe->options.file);
}

/* So that nothing of the caller's environment decides a test. */
static inline int probe_forget_environment(void **state)
{
    static const char *const extra[] = {"TMESH_CONFIG", "TMESH_QUEUE", "TMESH_LABEL"};
    char name[64];
    (void)state;
    for (size_t i = 0; i < probe_command.option_count; i++) {
        char *to = stpcpy(name, "TMESH_");
        for (const char *from = probe_options[i].name; *from; from++) {
            *to++ = (char)(*from == '-' ? '_' : *from - 'a' + 'A');
        }
        *to = 0;
        unsetenv(name);
    }
    for (size_t i = 0; i < sizeof extra / sizeof *extra; i++) unsetenv(extra[i]);
    return 0;
}

#endif
