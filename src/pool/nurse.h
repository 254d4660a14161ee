/* nurse.h - the process that forks a worker's children, from the inside.
 *
 * Owns: the process, the modules it loads, its children, some of them forked ahead, and
 * all that they leave behind.  It runs no handler, and heeds no signal that asks it to
 * end: it ends with its worker.
 * Not here: how the worker starts and asks it (nursery.h).
 */
#ifndef POOL_NURSE_H
#define POOL_NURSE_H

#include "area.h"
#include "registry.h"

/* What it says on `report` while it loads the modules, each in a packet of its own. */
enum nurse_word {
    NURSE_LOADS = 1, /* value: the module's number */
    NURSE_HANDLER,   /* text: a name that the module brought */
    NURSE_REFUSES,   /* value: an enum tmesh_err; text: why a module cannot be used */
    NURSE_READY      /* value: its threads; the last word */
};

struct nurse_report {
    uint32_t word, value;
    char text[TMESH_ERROR_TEXT_BYTES];
};

/* What a slot and the nurse say to each other on the slot's line.  A slot's children
 * are numbered from 1; an order that is late hits none of the later ones. */
enum nurse_order {
    NURSE_BEAR = 1, /* all up to this one, each as soon as the one before it has died */
    NURSE_KILL
};

struct nurse_call {
    enum nurse_order order;
    uint32_t child;
};

enum nurse_event {
    NURSE_BORN = 1, /* with two descriptors: to talk to it, and to read its output from */
    NURSE_BARREN,   /* value: why not, an errno value */
    NURSE_DIED      /* value: a status, as waitpid has it */
};

struct nurse_news {
    enum nurse_event event;
    uint32_t child;
    int32_t value;
};

struct nurse_options {
    tmesh_registry_t *registry; /* its own copy */
    const char *const *modules; /* ends with NULL, or is NULL */
    const struct areas *areas;
    int *lines; /* one for each slot; all above 2, like those that follow */
    int report;
    int worker_watch; /* a pidfd of the worker, or -1 */
    uint32_t tasks_per_child;
    uint64_t memory_per_child;
};

/* Call it in a process just forked.  Loads the modules, serves until the worker has
 * gone or all lines are closed, kills whatever it gave life to, and ends. */
_Noreturn void nurse_main(const struct nurse_options *options);

#endif
