/* roster.h - the nodes of a mesh, by the names that people call them.
 *
 * A worker is called by its label or by its node id, a ventilator by its endpoint.
 */
#ifndef NODES_ROSTER_H
#define NODES_ROSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <tmesh.h>

/* Whether nobody is called so any more.  A ventilator that does not answer is not there; of a
 * worker, somebody has to say so. */
bool roster_lacks(const tmesh_status_t *status, const char *name);

/* Lists on stderr who is there, for somebody who got a name wrong. */
void roster_tell(const tmesh_status_t *status);

struct roster {
    char **names;
    size_t count;
};

/* All workers: a label stands for all that have it, a worker without one has its node id.
 * False: out of memory. */
bool roster_workers(struct roster *roster, const tmesh_status_t *status);
void roster_clear(struct roster *roster);

#endif
