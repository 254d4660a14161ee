/* ventilator_node.h - a ventilator's thread and what it has, inside the library.
 *
 * Shared by ventilator.c (making, draining, ending) and ventilator_loop.c (the
 * thread).
 */
#ifndef NODE_VENTILATOR_NODE_H
#define NODE_VENTILATOR_NODE_H

#include "../core/ventilator.h"
#include "../net/waker.h"
#include "../watch/log.h"
#include "block.h"
#include "ventilator_journal.h"

#include <pthread.h>
#include <tmesh/ventilator.h>

struct decoder;
struct encoder;
struct front;

enum ventilator_wish { WISH_RUN, WISH_DRAIN, WISH_STOP };

struct tmesh_ventilator {
    struct ventilator_options options;
    uint64_t spin_ns;
    struct log log;
    void *context; /* NULL in `own_context` when a producer lent it */
    void *own_context;
    struct front *front;
    char endpoint[256];
    struct waker waker;
    struct waker alarm; /* readable when it failed, or was asked to drain */
    struct decoder *decoder;
    struct encoder *encoder;
    struct block block;
    struct ventilator *core;
    struct ventilator_actions *actions;
    struct ventilator_journal *journal; /* NULL: in memory */
    struct ventilator_journal_news news;
    pthread_t thread;
    enum ventilator_wish done; /* the wish carried out last; the thread's own */
    bool broken;               /* the thread's own: an entry could not be taken over */

    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool ready; /* lock and condition exist */
    bool started;
    enum ventilator_wish wish; /* guarded by lock */
    uint64_t open_count;       /* guarded by lock; kept while draining */
    tmesh_error_t fault;       /* guarded by lock; its code is TMESH_OK while all is well */
    bool asked_to_drain;       /* guarded by lock: from afar */
    uint32_t drain_grace_ms;   /* guarded by lock: as whoever asked says */
};

/* As tmesh_ventilator_new, for a producer of the same process: `context` is the
 * ZeroMQ context both share, in which the ventilator also serves
 * inproc://front; `bind` may be NULL then. */
tmesh_ventilator_t *ventilator_node_new(const tmesh_ventilator_options_t *options, void *context,
                                        tmesh_error_t *error);

/* ventilator_loop.c */
void *ventilator_loop(void *ventilator);

#endif
