/* own_mesh.h - a whole mesh in this process: a producer with a ventilator inside
 * it, and a worker beside it that runs any program.
 *
 * They meet in memory: nobody else can get in and run programs as this user.
 */
#ifndef NODES_OWN_MESH_H
#define NODES_OWN_MESH_H

#include "logging.h"

struct own_mesh {
    tmesh_producer_t *producer;
    tmesh_worker_t *worker;
};

/* Starts all three.  Returns 0, or an exit status after saying what is wrong;
 * close it in both cases. */
int own_mesh_open(struct own_mesh *mesh, uint32_t slots, struct logging *logging);

/* Programs still running are killed. */
void own_mesh_close(struct own_mesh *mesh);

#endif
