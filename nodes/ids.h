/* ids.h - ids of tasks, as people and programs hand them over. */
#ifndef NODES_IDS_H
#define NODES_IDS_H

#include "options.h"

#include <tmesh.h>

struct ids {
    tmesh_id_t *items; /* owned */
    size_t count, room;
};

/* Adds the arguments from `first` on.  Returns OPTIONS_READY, or an exit status after
 * saying what is wrong. */
int ids_from_arguments(struct ids *ids, const struct options *options, int first);

/* Adds the lines of standard input, until it ends; `most` in all.  Returns 0, or an
 * exit status after saying what is wrong. */
int ids_from_input(struct ids *ids, size_t most);

void ids_clear(struct ids *ids);

#endif
