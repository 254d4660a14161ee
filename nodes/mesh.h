/* mesh.h - reaching a mesh, and saying in words for people why it cannot be
 * reached: what all commands share that ask one something.
 */
#ifndef NODES_MESH_H
#define NODES_MESH_H

#include "stopping.h"

#include <stdint.h>
#include <tmesh.h>

/* Says what went wrong, and returns the exit status for it. */
int mesh_fault(const tmesh_error_t *error);

/* Waits until the producer has a session with a ventilator.  Returns 0; or, the
 * reason said, EX_UNAVAILABLE; or the status of the signal that came. */
int mesh_connect(tmesh_producer_t *producer, const char *connect, uint64_t timeout_ms,
                 struct stopping *stopping);

#endif
