/* status_view.h - a status on paper: for people, and for programs. */
#ifndef NODES_STATUS_VIEW_H
#define NODES_STATUS_VIEW_H

#include "output.h"

#include <tmesh.h>

void status_table(const tmesh_status_t *status, struct output *output);
void status_json(const tmesh_status_t *status, struct output *output);

#endif
