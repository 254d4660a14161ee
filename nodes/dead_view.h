/* dead_view.h - dead letters on paper: for people, and for programs. */
#ifndef NODES_DEAD_VIEW_H
#define NODES_DEAD_VIEW_H

#include "output.h"

#include <tmesh.h>

/* What was asked, as the program's answers name it. */
enum dead_action { DEAD_LIST, DEAD_SHOW, DEAD_RETRY, DEAD_DROP };

/* `ids` are those that were asked about: as many as there are refusals. */
void dead_table(enum dead_action action, const tmesh_dead_t *dead, struct output *output);
void dead_json(enum dead_action action, const tmesh_dead_t *dead, const tmesh_id_t *ids,
               struct output *output);

#endif
