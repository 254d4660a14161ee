/* nursery.h - where the children of a process pool come from, as the worker sees it.
 *
 * Owns: the process that forks them, which it starts and ends, the lines to it, and
 * the memory that slots share with their children.
 * Not here: what that process does (nurse.h), and what a slot does with its child
 * (deputy.h).
 *
 * It cannot be started again: a fork in the middle of a worker's life would copy its
 * threads' locks and its sockets.  When it dies, killed by an operator perhaps, its
 * children die with it, and the worker has to drain.
 */
#ifndef POOL_NURSERY_H
#define POOL_NURSERY_H

#include "../watch/log.h"
#include "area.h"
#include "registry.h"

#include <sys/types.h>

struct nursery {
    struct areas areas;
    uint32_t slots;
    int *lines; /* one for each slot, which reads and writes it */
    int watch;  /* a pidfd, or -1 */
    pid_t pid;  /* 0: it was not started, or it was waited for */
};

struct nursery_options {
    const char *const *modules; /* ends with NULL, or is NULL */
    uint32_t slots, fences;
    uint32_t tasks_per_child; /* 0: no limit; nor has the next */
    uint64_t memory_per_child;
    struct log log;
};

/* Forks it with the handlers that `registry` has, waits for its modules to be
 * loaded, and adds their handlers to `registry`, as remote ones.  Call it before there
 * are threads: it warns if there are.  NULL: TMESH_E_MODULE, TMESH_E_SYSTEM, or what
 * registry_add_remote says. */
struct nursery *nursery_new(const struct nursery_options *options, tmesh_registry_t *registry,
                            tmesh_error_t *error);

/* Kills the children and what they left behind.  Slots do not use it any more. */
void nursery_destroy(struct nursery **nursery);

#endif
