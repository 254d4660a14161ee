/* child.h - the process that runs a slot's C handlers, from the inside.
 *
 * Owns: the process.  It serves one round after the other, until it has served
 * enough, holds too much memory, or its worker has gone.
 * Not here: how it is born and what its death means (nurse.h, deputy.h).
 */
#ifndef POOL_CHILD_H
#define POOL_CHILD_H

#include "area.h"
#include "registry.h"

/* What a child says to its worker, each in a packet of its own: a kind, and for
 * CHILD_LOG a level, the number of the task, and the line. */
enum child_packet {
    CHILD_LOOK = 1, /* results or the end of a round are in the area */
    CHILD_PROGRESS = 2,
    CHILD_LOG = 3,
    CHILD_WROTE = 4 /* what is in its output now is the last run's: it waits for an answer,
                       a packet of the same size as a round's, before it begins another */
};

enum { CHILD_LOG_HEAD_BYTES = 6, CHILD_PACKET_BYTES_MAX = CHILD_LOG_HEAD_BYTES + 2048 };

struct child_options {
    const tmesh_registry_t *registry;
    const struct areas *areas;
    int talk;   /* first a packet comes in with the number of the slot that it is for, which may
                   be long after its birth; then one with a round's number for each round */
    int output; /* a pipe; becomes the standard output and error */
    uint32_t tasks_per_child;
    uint64_t memory_per_child;
};

/* Runs until there is no more to do, and never returns. */
_Noreturn void child_main(const struct child_options *options);

#endif
