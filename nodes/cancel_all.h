/* cancel_all.h - all tasks of a queue and with a name: counted, or cancelled. */
#ifndef NODES_CANCEL_ALL_H
#define NODES_CANCEL_ALL_H

#include <tmesh.h>

struct cancel_all {
    const char *queue, *name; /* NULL: any */
    bool dry_run;             /* only count */
    bool json;
    uint32_t timeout_ms;
};

/* Asks, prints the reply, and returns the exit status. */
int cancel_all(tmesh_producer_t *producer, const struct cancel_all *order);

#endif
