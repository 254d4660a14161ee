/* commands.c - the commands there are, in the order in which they are shown. */
#include "command.h"

#include <string.h>

const struct command *const command_table[] = {&ventilator_command,
                                               &worker_command,
                                               &submit_command,
                                               &map_command,
                                               &status_command,
                                               &dead_command,
                                               &cancel_command,
                                               &drain_command,
                                               &journal_command,
                                               &bench_command,
                                               NULL};

const struct command *command_find(const char *name)
{
    size_t i = 0;
    while (command_table[i] && strcmp(command_table[i]->name, name) != 0) i++;
    return command_table[i];
}
