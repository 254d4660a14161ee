/* help.h - what --help prints, made from a command's table. */
#ifndef NODES_HELP_H
#define NODES_HELP_H

#include "command.h"

/* On stdout: usage, purpose, every option, examples. */
void help_print(const struct command *command);

/* On stdout: what the program is, and its commands (ends with NULL). */
void help_overview(const struct command *const *commands);

#endif
