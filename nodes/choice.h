/* choice.h - what is chosen by its queue and its name, instead of by ids.
 *
 * Owns: when --queue and --name count.  They go with --all; from elsewhere than the command
 * line they may be meant for other commands, and do not count where they mean nothing.
 */
#ifndef NODES_CHOICE_H
#define NODES_CHOICE_H

#include "options.h"

/* One of the two options, and what it was given: NULL for nothing. */
struct choice_filter {
    size_t row; /* in the command's table of options */
    const char *name;
};

enum choice { CHOICE_BY_IDS, CHOICE_OF_ALL };

/* Sets filters to NULL if they do not count.  `partners`: with what they go, for whoever gives
 * one with ids.  Returns OPTIONS_READY, or an exit status after saying what
 * is wrong. */
int choice_take(const struct options *options, struct choice_filter *filters, size_t count,
                enum choice choice, const char *partners);

#endif
