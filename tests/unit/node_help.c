/* node_help.c - what --help teaches, for every command there is. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "../../nodes/help.h"
#include "node_capture.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const struct command *const commands[] = {
    &ventilator_command, &worker_command, &submit_command, &map_command, &status_command,
    &dead_command,       &cancel_command, &drain_command,  NULL};

static struct capture capture;

static const char *help(const struct command *command)
{
    capture_start(&capture, STDOUT_FILENO);
    help_print(command);
    return capture_end(&capture);
}

static void help_is_laid_out_in_two_columns(void **state)
{
    (void)state;
    static const struct option options[] = {
        {"short", 's', OPTION_COUNT, "N", "a word or two", 0, 0, 0},
        {"with-a-long-name", 0, OPTION_TEXT, "ENDPOINT",
         "so many words that they do not fit into one line of eighty columns, and go on below", 0,
         0, 0},
        {"flag", 0, OPTION_FLAG, NULL, "", 0, 0, 0},
    };
    const struct command command = {
        .name = "probe",
        .usage = "[OPTIONS]",
        .purpose = "One paragraph, which is wrapped when it is longer than the eighty columns that "
                   "there are.\n\nAnother.",
        .examples = "  tmesh probe\n",
        .options = options,
        .option_count = 3,
    };
    const char *text = help(&command);
    const char *wanted =
        "Usage: tmesh probe [OPTIONS]\n"
        "\n"
        "One paragraph, which is wrapped when it is longer than the eighty columns that\n"
        "there are.\n"
        "\n"
        "Another.\n"
        "\n"
        "Options:\n"
        "  -s, --short N           a word or two\n"
        "      --with-a-long-name ENDPOINT\n"
        "                          so many words that they do not fit into one line of\n"
        "                          eighty columns, and go on below\n"
        "      --flag              \n"
        "      --config FILE       read options from FILE, one NAME = VALUE a line; those\n"
        "                          in a section named like a command are for that command\n"
        "  -h, --help              show this text\n";
    assert_true(strlen(text) > strlen(wanted));
    assert_memory_equal(text, wanted, strlen(wanted));
    assert_non_null(strstr(text, "\nExamples:\n  tmesh probe\n"));
}

/* Outside of usage and examples, which are not wrapped. */
static void no_line_is_wider_than_eighty_columns(void **state)
{
    (void)state;
    for (size_t i = 0; commands[i]; i++) {
        char *text = strdup(help(commands[i]));
        char *end = strstr(text, "\nExamples:\n");
        assert_non_null(end);
        *end = 0;
        for (char *rest = text, *line; (line = strsep(&rest, "\n"));) {
            if (strncmp(line, "Usage:", 6) == 0) continue;
            if (strlen(line) > 80) fail_msg("%s: %s", commands[i]->name, line);
        }
        free(text);
    }
}

static void every_option_of_every_command_is_shown(void **state)
{
    (void)state;
    for (size_t i = 0; commands[i]; i++) {
        char name[64];
        const char *text = help(commands[i]);
        for (size_t row = 0; row < commands[i]->option_count; row++) {
            const struct option *option = &commands[i]->options[row];
            snprintf(name, sizeof name, "--%s%s%.20s", option->name, option->argument ? " " : "",
                     option->argument ? option->argument : "");
            if (!strstr(text, name)) fail_msg("%s: no %s", commands[i]->name, name);
        }
    }
}

/* What the parser and the sources of options rely on. */
static void the_tables_of_all_commands_are_sound(void **state)
{
    (void)state;
    for (size_t i = 0; commands[i]; i++) {
        const struct command *command = commands[i];
        assert_in_range(command->option_count, 1, COMMAND_OPTIONS_MAX);
        for (size_t a = 0; a < command->option_count; a++) {
            const struct option *option = &command->options[a];
            assert_true(strspn(option->name, "abcdefghijklmnopqrstuvwxyz-") ==
                        strlen(option->name));
            assert_int_equal(option->argument == NULL, option->kind == OPTION_FLAG);
            assert_true(option->most == 0 || option->least <= option->most);
            assert_int_not_equal(option->letter, 'h');
            for (size_t b = 0; b < a; b++) {
                const struct option *other = &command->options[b];
                assert_string_not_equal(option->name, other->name);
                assert_true(option->letter == 0 || option->letter != other->letter);
                assert_int_not_equal(option->offset, other->offset);
            }
        }
    }
}

static void the_overview_names_every_command(void **state)
{
    (void)state;
    capture_start(&capture, STDOUT_FILENO);
    help_overview(commands);
    capture_end(&capture);
    for (size_t i = 0; commands[i]; i++) {
        char line[128];
        snprintf(line, sizeof line, "\n  %-12s%s\n", commands[i]->name, commands[i]->summary);
        if (!strstr(capture.text, line)) fail_msg("the overview has no line%s", line);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(help_is_laid_out_in_two_columns),
        cmocka_unit_test(no_line_is_wider_than_eighty_columns),
        cmocka_unit_test(every_option_of_every_command_is_shown),
        cmocka_unit_test(the_tables_of_all_commands_are_sound),
        cmocka_unit_test(the_overview_names_every_command),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
