/* command.h - what a command of the program is made of: one table row for each
 * option, and the words that --help teaches with.
 *
 * Everything that can be said about an option stands in its row: help, the
 * environment and the config file are views of the same table.
 */
#ifndef NODES_COMMAND_H
#define NODES_COMMAND_H

#include <stddef.h>
#include <stdint.h>

enum option_kind {
    OPTION_FLAG,        /* bool */
    OPTION_TEXT,        /* const char * */
    OPTION_CHOICE,      /* const char *, one of the words in `argument`, which are parted by | */
    OPTION_LIST,        /* struct option_list; may be given again and again */
    OPTION_COUNT,       /* uint64_t */
    OPTION_SIZE,        /* uint64_t, bytes: 64M */
    OPTION_SECONDS,     /* uint64_t, milliseconds: a number without a unit counts seconds */
    OPTION_MILLISECONDS /* uint64_t, milliseconds: a number without a unit counts those */
};

struct option_list {
    const char **items; /* ends with NULL; NULL itself while empty */
    size_t count;
};

struct option {
    const char *name; /* "tasks-max": --tasks-max, TMESH_TASKS_MAX, tasks-max = ... */
    char letter;      /* 0: none */
    enum option_kind kind;
    const char *argument; /* as help shows it; NULL for a flag */
    const char *help;
    size_t offset;        /* of its field in the command's settings */
    uint64_t least, most; /* what a number may be; `most` 0: any */
};

enum { COMMAND_OPTIONS_MAX = 32 };

/* Where options may stand. */
enum command_order {
    COMMAND_OPTIONS_ANYWHERE,
    COMMAND_OPTIONS_FIRST /* the first argument ends them: the rest belongs to another program */
};

struct command {
    const char *name;
    const char *usage;   /* what follows the name on a command line */
    const char *summary; /* one line, for the list of commands */
    const char *purpose; /* a paragraph or two; wrapped when shown */
    const char *examples;
    enum command_order order;
    const struct option *options;
    size_t option_count;
    int (*run)(int argc, char **argv); /* argv[0] is the command's name */
};

extern const struct command ventilator_command, worker_command, submit_command, map_command,
    status_command, dead_command, cancel_command, drain_command, journal_command, bench_command;

/* All of them; ends with NULL. */
extern const struct command *const command_table[];

/* NULL: there is none of that name. */
const struct command *command_find(const char *name);

#endif
