/* help.c - see help.h. */
#include "help.h"

#include <stdio.h>
#include <string.h>

enum { HELP_COLUMNS = 80, HELP_INDENT = 26 };

/* Prints text wrapped at HELP_COLUMNS, continuing at column `indent`.  `at` is
 * the column where it starts.  A line end in the text starts a new line. */
static void wrap(const char *text, int at, int indent)
{
    int column = at;
    while (*text) {
        int word = (int)strcspn(text, " \n");
        if (column > indent && column + 1 + word > HELP_COLUMNS) {
            printf("\n%*s", indent, "");
            column = indent;
        }
        if (column > indent) column += printf(" ");
        column += printf("%.*s", word, text);
        text += word;
        if (*text == '\n') {
            printf("\n");
            if (text[1] != '\n' && text[1]) printf("%*s", indent, "");
            column = indent;
        }
        if (*text) text++;
    }
    printf("\n");
}

static void print_option(char letter, const char *name, const char *argument, const char *help)
{
    int column = letter ? printf("  -%c, --%s", letter, name) : printf("      --%s", name);
    if (argument) column += printf(" %s", argument);
    if (column + 2 > HELP_INDENT) {
        printf("\n");
        column = 0;
    }
    printf("%*s", HELP_INDENT - column, "");
    wrap(help, HELP_INDENT, HELP_INDENT);
}

void help_print(const struct command *command)
{
    printf("Usage: tmesh %s %s\n\n", command->name, command->usage);
    wrap(command->purpose, 0, 0);
    printf("\nOptions:\n");
    for (size_t i = 0; i < command->option_count; i++) {
        const struct option *row = &command->options[i];
        print_option(row->letter, row->name, row->argument, row->help);
    }
    print_option(0, "config", "FILE",
                 "read options from FILE, one NAME = VALUE a line; those in a "
                 "section named like a command are for that command");
    print_option('h', "help", NULL, "show this text");
    printf("\n");
    wrap("Each option can also come from the environment: --connect as TMESH_CONNECT. A flag wins "
         "over the environment, and that over the file. Times: 500ms, 10s, 2m; sizes: 64K, 10M, "
         "2G.",
         0, 0);
    printf("\nExamples:\n%s", command->examples);
}

void help_overview(const struct command *const *commands)
{
    printf("Usage: tmesh COMMAND [OPTIONS] [ARGUMENTS]\n\n");
    wrap("Runs background tasks across processes and machines, without a broker. A ventilator owns "
         "tasks, workers run them, and everything else submits them or looks on.",
         0, 0);
    printf("\nCommands:\n");
    for (; *commands; commands++) {
        printf("  %-12s", (*commands)->name);
        wrap((*commands)->summary, 14, 14);
    }
    printf("\nStart here, each in a terminal of its own:\n"
           "  tmesh ventilator --bind tcp://127.0.0.1:5555\n"
           "  tmesh worker --connect tcp://127.0.0.1:5555 --command count=\"wc -c\"\n"
           "  tmesh submit --connect tcp://127.0.0.1:5555 --wait count hello\n\n"
           "Or without anything running:\n"
           "  ls /usr/include/*.h | tmesh map -- sha256sum\n\n"
           "More: tmesh COMMAND --help.  Exit status: 0 all done, 1 some task was not;\n"
           "64 usage, 65 bad data, 66 no such file, 69 no ventilator, 70 internal,\n"
           "71 system, 74 input or output, 75 out of time, 78 configuration.\n");
}
