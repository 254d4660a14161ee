/* options_config.c - the sources of options beside the command line: the environment,
 * and a config file in ZPL (rfc.zeromq.org/spec:4) read by CZMQ.
 */
#include "nearest.h"
#include "notice.h"
#include "options.h"

#include <czmq.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum { CONFIG_NAME_BYTES = 64, CONFIG_BYTES_MAX = 1024 * 1024 };

/* "tasks-max" -> "TMESH_TASKS_MAX" */
static void variable_name(const char *option, char name[CONFIG_NAME_BYTES])
{
    int used = snprintf(name, CONFIG_NAME_BYTES, "TMESH_");
    for (; *option && used + 1 < CONFIG_NAME_BYTES; option++) {
        bool small = *option >= 'a' && *option <= 'z';
        name[used++] = small ? (char)(*option - 'a' + 'A') : '_';
    }
    name[used] = 0;
}

/* A list in one variable: one item a line.  The variable is cut up in place,
 * which is ours to do: nobody reads it again. */
static int list_from_variable(struct options *options, size_t row, char *text, const char *name)
{
    for (char *rest = text, *item; (item = strsep(&rest, "\n"));) {
        if (!*item) continue;
        int code = options_set(options, row, item, OPTION_FROM_ENVIRONMENT, name);
        if (code != OPTIONS_READY) return code;
    }
    return OPTIONS_READY;
}

int options_from_environment(struct options *options)
{
    char name[CONFIG_NAME_BYTES];
    for (size_t i = 0; i < options->command->option_count; i++) {
        if (options->sources[i] != OPTION_DEFAULT) continue;
        variable_name(options->command->options[i].name, name);
        char *text = getenv(name);
        if (!text) continue;
        int code = options->command->options[i].kind == OPTION_LIST
                       ? list_from_variable(options, i, text, name)
                       : options_set(options, i, text, OPTION_FROM_ENVIRONMENT, name);
        if (code != OPTIONS_READY) return code;
    }
    if (!options->config) options->config = getenv("TMESH_CONFIG");
    if (options->config && !*options->config) options->config = NULL;
    return OPTIONS_READY;
}

/* The text of a file, also of a pipe; NULL with errno set.  The caller frees it. */
static char *read_text(const char *name)
{
    FILE *stream = fopen(name, "re");
    char *text = stream ? calloc(1, CONFIG_BYTES_MAX + 1) : NULL;
    if (text) {
        size_t bytes = fread(text, 1, CONFIG_BYTES_MAX + 1, stream);
        if (!ferror(stream) && bytes > CONFIG_BYTES_MAX) errno = EFBIG;
        if (ferror(stream) || bytes > CONFIG_BYTES_MAX) {
            free(text);
            text = NULL;
        }
    }
    int error = errno;
    if (stream) fclose(stream);
    errno = error;
    return text;
}

/* CZMQ prints syntax errors on stdout, where only answers belong, so stdout
 * points to stderr meanwhile. */
static zconfig_t *parse(const char *text)
{
    fflush(stdout);
    int kept = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    if (kept >= 0) dup2(STDERR_FILENO, STDOUT_FILENO);
    zconfig_t *root = zconfig_str_load(text);
    fflush(stdout);
    if (kept >= 0) {
        dup2(kept, STDOUT_FILENO);
        close(kept);
    }
    return root;
}

static int open_file(struct options *options)
{
    const char *name = options->config;
    char *text = read_text(name);
    if (!text) {
        notice_print("cannot read the config file '%s': %s", name, strerror(errno));
        return EX_CONFIG;
    }
    options->file_text = text;
    options->file = parse(text);
    if (options->file) return OPTIONS_READY;
    notice_print("the config file '%s' has an error (see above); each line is NAME = VALUE, and "
                 "lines of a section are indented by four spaces",
                 name);
    return EX_CONFIG;
}

struct place {
    const zconfig_t *item;
    unsigned count; /* of items before it, the root included */
};

static int count_item(zconfig_t *item, void *context, int level)
{
    struct place *place = context;
    (void)level;
    if (item == place->item) return -1;
    place->count++;
    return 0;
}

/* The number of the line that an item stands on.  CZMQ keeps none, but makes one
 * item of each line that is neither empty nor a remark, in their order. */
static unsigned line_number(const struct options *options, const zconfig_t *item)
{
    struct place place = {.item = item, .count = 0};
    unsigned number = 1;
    zconfig_execute(options->file, count_item, &place);
    for (const char *line = options->file_text; line; number++) {
        if (!strchr("#\r\n", line[strspn(line, " \t")]) && --place.count == 0) break;
        line = strchr(line, '\n');
        if (line) line++;
    }
    return number;
}

static size_t find_option(const struct command *command, const char *name)
{
    size_t row = 0;
    while (row < command->option_count && strcmp(command->options[row].name, name) != 0) row++;
    return row;
}

/* A name at the top of the file may be meant for other commands only. */
static bool known_anywhere(const char *name)
{
    for (size_t i = 0; command_table[i]; i++) {
        if (find_option(command_table[i], name) < command_table[i]->option_count) return true;
    }
    return false;
}

static int unknown_name(const struct options *options, const struct command *section,
                        zconfig_t *item)
{
    const char *name = zconfig_name(item);
    struct nearest nearest = nearest_to(name);
    for (size_t i = 0; command_table[i]; i++) {
        if (section && section != command_table[i]) continue;
        if (!section) nearest_offer(&nearest, command_table[i]->name);
        for (size_t row = 0; row < command_table[i]->option_count; row++) {
            nearest_offer(&nearest, command_table[i]->options[row].name);
        }
    }
    notice_print("%s:%u: '%s' is not an option%s%s%s%s%s", options->config,
                 line_number(options, item), name, section ? " of " : "",
                 section ? section->name : "", nearest.word ? "; did you mean '" : "",
                 nearest.word ? nearest.word : "", nearest.word ? "'?" : "");
    return EX_CONFIG;
}

/* What stands below an option would be dropped without a word. */
static int misplaced_name(const struct options *options, zconfig_t *item)
{
    zconfig_t *child = zconfig_child(item);
    notice_print("%s:%u: '%s' is indented below '%s', which is not a section", options->config,
                 line_number(options, child), zconfig_name(child), zconfig_name(item));
    return EX_CONFIG;
}

/* Takes over the values below `parent`.  Sections come before the top, so that
 * what is there wins; within a source the last value wins, and lists grow. */
static int take_values(struct options *options, zconfig_t *parent, const struct command *section)
{
    enum option_source source = section ? OPTION_FROM_SECTION : OPTION_FROM_FILE;
    for (zconfig_t *item = zconfig_child(parent); item; item = zconfig_next(item)) {
        const char *name = zconfig_name(item);
        const char *value = zconfig_value(item);
        char origin[512];
        if (!section && command_find(name)) continue;
        const struct command *command = options->command;
        size_t row = find_option(command, name);
        bool ours = row < command->option_count;
        if (!ours && (section || !known_anywhere(name))) {
            return unknown_name(options, section, item);
        }
        if (zconfig_child(item)) return misplaced_name(options, item);
        if (!ours) continue;
        if (options->sources[row] != OPTION_DEFAULT && options->sources[row] != source) continue;
        snprintf(origin, sizeof origin, "%s:%u: %s", options->config, line_number(options, item),
                 name);
        int code = options_set(options, row, value ? value : "", source, origin);
        if (code != OPTIONS_READY) return code;
    }
    return OPTIONS_READY;
}

/* Names in other commands' sections are checked as well: a file is right or
 * wrong, whoever reads it. */
static int check_section(const struct options *options, zconfig_t *parent,
                         const struct command *section)
{
    for (zconfig_t *item = zconfig_child(parent); item; item = zconfig_next(item)) {
        if (find_option(section, zconfig_name(item)) == section->option_count) {
            return unknown_name(options, section, item);
        }
        if (zconfig_child(item)) return misplaced_name(options, item);
    }
    return OPTIONS_READY;
}

int options_from_file(struct options *options)
{
    if (!options->config) return OPTIONS_READY;
    int code = open_file(options);
    if (code != OPTIONS_READY) return code;
    for (zconfig_t *item = zconfig_child(options->file); item; item = zconfig_next(item)) {
        const struct command *section = command_find(zconfig_name(item));
        if (!section) continue;
        code = section == options->command ? take_values(options, item, section)
                                           : check_section(options, item, section);
        if (code != OPTIONS_READY) return code;
    }
    return take_values(options, options->file, NULL);
}

void options_close_file(struct options *options)
{
    zconfig_t *file = options->file;
    if (file) zconfig_destroy(&file);
    options->file = NULL;
    free(options->file_text);
    options->file_text = NULL;
}
