/* options.h - a command's settings, from its command line, the environment and
 * a config file, in that order of precedence.
 *
 * Owns: the values that need memory (lists, the config file).
 * Not here: what a number looks like (values.h), the words of help (help.h).
 */
#ifndef NODES_OPTIONS_H
#define NODES_OPTIONS_H

#include "command.h"

enum option_source {
    OPTION_DEFAULT,
    OPTION_FROM_FLAG,
    OPTION_FROM_ENVIRONMENT,
    OPTION_FROM_SECTION, /* of the file, for this command */
    OPTION_FROM_FILE     /* at its top, for all commands */
};

struct options {
    const struct command *command;
    void *settings; /* the command's own struct, holding its defaults */

    int argument_count;
    const char **arguments; /* what is not an option; ends with NULL */

    const char *config; /* --config */
    void *file;         /* the loaded config file: values point into it */
    char *file_text;    /* as it was read, for the numbers of its lines */
    enum option_source sources[COMMAND_OPTIONS_MAX];
};

/* What options_parse returns when the command should go on. */
enum { OPTIONS_READY = -1 };

/* Fills `options->settings`; `command` and `settings` are the caller's to set,
 * the rest is zero.  Returns OPTIONS_READY, or the exit status with which to
 * end: 0 after --help, EX_USAGE, EX_CONFIG or EX_OSERR after saying what is
 * wrong. */
int options_parse(struct options *options, int argc, char **argv);

/* Frees what parsing took; settings point to nothing any more. */
void options_clear(struct options *options);

/* Sets one option from text; for the sources.  `origin` is what the user would
 * call the place: "--slots", "TMESH_SLOTS", "mesh.conf:7: slots".  Returns
 * OPTIONS_READY or an exit status. */
int options_set(struct options *options, size_t row, const char *text, enum option_source source,
                const char *origin);

/* Reads TMESH_* variables for what no flag has set. */
int options_from_environment(struct options *options);

/* Reads the file named by --config, in ZPL: NAME = VALUE at the top is for
 * every command that has the option, and in a section for that command only.  A
 * name that no command has is an error. */
int options_from_file(struct options *options);
void options_close_file(struct options *options);

/* Says what is wrong with the command line, and where its help is.  Returns
 * EX_USAGE. */
__attribute__((format(printf, 2, 3))) int options_refuse(const struct options *options,
                                                         const char *format, ...);

#endif
