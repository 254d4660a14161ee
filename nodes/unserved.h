/* unserved.h - notices that nothing happens, finds out why, and says it once:
 * no worker serves the name, a ventilator is full, or none is there any more.
 */
#ifndef NODES_UNSERVED_H
#define NODES_UNSERVED_H

#include <stdbool.h>
#include <stdint.h>
#include <tmesh.h>

struct unserved {
    const char *name, *queue; /* of the tasks that are waited for */
    const char *connect; /* for the command line to suggest; NULL: a mesh of our own, say nothing */
    const char *serve;   /* the worker's options that would help: "--command foo=PROGRAM" */
    uint64_t pause_ms;   /* how long it must have been quiet; grows with each look */
    uint64_t due_ms;     /* when to look */
    bool told_lane, told_full, told_gone;
};

/* Starts to watch at `now_ms`; names and texts are the caller's, set before. */
void unserved_start(struct unserved *unserved, uint64_t now_ms);

/* Something happened. */
void unserved_calm(struct unserved *unserved, uint64_t now_ms);

/* Asks the mesh, which may take a second, and says what it found. */
void unserved_ask(struct unserved *unserved, tmesh_producer_t *producer);

/* The same if it is due. */
void unserved_look(struct unserved *unserved, tmesh_producer_t *producer, uint64_t now_ms);

#endif
