/* options.c - see options.h.  The command line; options_config.c has the other sources. */
#include "options.h"

#include "help.h"
#include "nearest.h"
#include "notice.h"
#include "values.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

int options_refuse(const struct options *options, const char *format, ...)
{
    char text[1024];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    notice_print("%s", text);
    notice_plain("Run 'tmesh %s --help' for its options and examples.", options->command->name);
    return EX_USAGE;
}

static int out_of_memory(void)
{
    notice_print("out of memory");
    return EX_OSERR;
}

static int list_append(struct option_list *list, const char *text)
{
    const char **items = realloc(list->items, (list->count + 2) * sizeof *items);
    if (!items) return out_of_memory();
    items[list->count++] = text;
    items[list->count] = NULL;
    list->items = items;
    return OPTIONS_READY;
}

/* A wrong flag is a wrong command line; elsewhere it is a wrong configuration. */
static int bad_value(const struct options *options, const char *origin, const char *text,
                     const char *fault)
{
    bool flag = strncmp(origin, "--", 2) == 0;
    if (flag) return options_refuse(options, "%s %s: %s", origin, text, fault);
    notice_print("%s = '%s': %s", origin, text, fault);
    return EX_CONFIG;
}

static const char *number_fault(const struct option *row, const char *text, uint64_t *number)
{
    static char fault[128];
    const char *wrong = NULL;
    const char *unit = row->kind == OPTION_COUNT ? "" : row->kind == OPTION_SIZE ? " bytes" : " ms";
    if (row->kind == OPTION_COUNT) wrong = value_count(text, number);
    if (row->kind == OPTION_SIZE) wrong = value_size(text, number);
    if (row->kind == OPTION_SECONDS) wrong = value_duration(text, 1000, number);
    if (row->kind == OPTION_MILLISECONDS) wrong = value_duration(text, 1, number);
    if (wrong) return wrong;
    if (*number >= row->least && (row->most == 0 || *number <= row->most)) return NULL;
    if (row->most == 0) {
        snprintf(fault, sizeof fault, "must be at least %" PRIu64 "%s", row->least, unit);
    } else {
        snprintf(fault, sizeof fault, "must be %" PRIu64 " to %" PRIu64 "%s", row->least, row->most,
                 unit);
    }
    return fault;
}

static const char *choice_fault(const struct option *row, const char *text)
{
    static char fault[128];
    size_t bytes = strlen(text);
    for (const char *word = row->argument; word; word = strchr(word, '|')) {
        if (*word == '|') word++;
        if (bytes > 0 && strcspn(word, "|") == bytes && memcmp(word, text, bytes) == 0) return NULL;
    }
    snprintf(fault, sizeof fault, "must be one of %s", row->argument);
    return fault;
}

int options_set(struct options *options, size_t row, const char *text, enum option_source source,
                const char *origin)
{
    assert(row < options->command->option_count);
    const struct option *option = &options->command->options[row];
    void *field = (char *)options->settings + option->offset;
    const char *fault = NULL;
    options->sources[row] = source;
    switch (option->kind) {
    case OPTION_FLAG: fault = value_flag(text, field); break;
    case OPTION_TEXT: *(const char **)field = text; break;
    case OPTION_CHOICE:
        fault = choice_fault(option, text);
        *(const char **)field = text;
        break;
    case OPTION_LIST: return list_append(field, text);
    case OPTION_COUNT:
    case OPTION_SIZE:
    case OPTION_SECONDS:
    case OPTION_MILLISECONDS: fault = number_fault(option, text, field); break;
    }
    return fault ? bad_value(options, origin, text, fault) : OPTIONS_READY;
}

static int unknown_option(const struct options *options, const char *name)
{
    char word[64];
    const char *start = name + strspn(name, "-");
    snprintf(word, sizeof word, "%.*s", (int)strcspn(start, "="), start);
    struct nearest nearest = nearest_to(word);
    for (size_t i = 0; i < options->command->option_count; i++) {
        nearest_offer(&nearest, options->command->options[i].name);
    }
    nearest_offer(&nearest, "help");
    nearest_offer(&nearest, "config");
    if (nearest.word) {
        return options_refuse(options, "unknown option '%s'; did you mean '--%s'?", name,
                              nearest.word);
    }
    return options_refuse(options,
                          "unknown option '%s'; if it is not meant as one, write '--' "
                          "before it",
                          name);
}

/* Where parsing of the command line is. */
struct cursor {
    int argc, at;
    char **argv;
    const char *value; /* what stands in the same word behind the option; NULL: nothing */
};

/* The value of the option at the cursor, NULL when it is missing. */
static const char *take_value(struct cursor *cursor)
{
    if (cursor->value) return cursor->value;
    return cursor->at + 1 < cursor->argc ? cursor->argv[++cursor->at] : NULL;
}

static int set_from_flag(struct options *options, struct cursor *cursor, size_t row)
{
    const struct option *option = &options->command->options[row];
    bool flag = option->kind == OPTION_FLAG;
    char origin[64];
    snprintf(origin, sizeof origin, "--%s", option->name);
    if (flag && !cursor->value) {
        return options_set(options, row, "yes", OPTION_FROM_FLAG, origin);
    }
    const char *value = take_value(cursor);
    if (!value) {
        return options_refuse(options, "%s needs a value: %s %s", origin, origin, option->argument);
    }
    return options_set(options, row, value, OPTION_FROM_FLAG, origin);
}

/* --name, --name value, --name=value */
static int take_name(struct options *options, struct cursor *cursor)
{
    const struct command *command = options->command;
    const char *name = cursor->argv[cursor->at] + 2;
    size_t bytes = strcspn(name, "=");
    cursor->value = name[bytes] ? name + bytes + 1 : NULL;
    for (size_t i = 0; i < command->option_count; i++) {
        const char *known = command->options[i].name;
        if (strlen(known) != bytes || memcmp(known, name, bytes) != 0) continue;
        return set_from_flag(options, cursor, i);
    }
    if (strcmp(name, "help") == 0) {
        help_print(command);
        return 0;
    }
    if (bytes == strlen("config") && memcmp(name, "config", bytes) == 0) {
        options->config = take_value(cursor);
        if (!options->config) return options_refuse(options, "--config needs the name of a file");
        return OPTIONS_READY;
    }
    return unknown_option(options, cursor->argv[cursor->at]);
}

/* -l, -q value, -qvalue, and flags together: -lw */
static int take_letters(struct options *options, struct cursor *cursor)
{
    const struct command *command = options->command;
    int code = OPTIONS_READY;
    for (const char *letter = cursor->argv[cursor->at] + 1; *letter; letter++) {
        size_t row = 0;
        while (row < command->option_count && command->options[row].letter != *letter) row++;
        if (row == command->option_count && *letter == 'h') {
            help_print(command);
            return 0;
        }
        if (row == command->option_count) {
            return unknown_option(options, cursor->argv[cursor->at]);
        }
        bool flag = command->options[row].kind == OPTION_FLAG;
        cursor->value = !flag && letter[1] ? letter + 1 : NULL;
        code = set_from_flag(options, cursor, row);
        if (code != OPTIONS_READY || !flag) break;
    }
    return code;
}

static int take_option(struct options *options, struct cursor *cursor)
{
    bool name = cursor->argv[cursor->at][1] == '-';
    return name ? take_name(options, cursor) : take_letters(options, cursor);
}

static int parse_line(struct options *options, int argc, char **argv)
{
    struct cursor cursor = {.argc = argc, .argv = argv, .at = 1};
    bool over = false; /* no options from here on */
    for (; cursor.at < argc; cursor.at++) {
        const char *word = argv[cursor.at];
        if (!over && strcmp(word, "--") == 0) {
            over = true;
        } else if (over || word[0] != '-' || !word[1]) {
            options->arguments[options->argument_count++] = word;
            if (options->command->order == COMMAND_OPTIONS_FIRST) over = true;
        } else {
            int code = take_option(options, &cursor);
            if (code != OPTIONS_READY) return code;
        }
    }
    return OPTIONS_READY;
}

int options_parse(struct options *options, int argc, char **argv)
{
    assert(options->command && options->settings);
    assert(options->command->option_count <= COMMAND_OPTIONS_MAX);
    options->arguments = calloc((size_t)argc + 1, sizeof *options->arguments);
    if (!options->arguments) return out_of_memory();
    int code = parse_line(options, argc, argv);
    if (code == OPTIONS_READY) code = options_from_environment(options);
    if (code == OPTIONS_READY) code = options_from_file(options);
    return code;
}

void options_clear(struct options *options)
{
    for (size_t i = 0; i < options->command->option_count; i++) {
        const struct option *row = &options->command->options[i];
        if (row->kind != OPTION_LIST) continue;
        struct option_list *list =
            (struct option_list *)(void *)((char *)options->settings + row->offset);
        free(list->items);
        *list = (struct option_list){NULL, 0};
    }
    free(options->arguments);
    options->arguments = NULL;
    options_close_file(options);
}
