/* ventilator_node.h - a ventilator's thread and what it has, inside the library.
 *
 *   ventilator.c       making, draining, ending
 *   ventilator_loop.c  the thread
 *   ventilator_loan.c  who runs the loop instead of it
 */
#ifndef NODE_VENTILATOR_NODE_H
#define NODE_VENTILATOR_NODE_H

#include "../core/ventilator.h"
#include "../net/waker.h"
#include "../watch/log.h"
#include "block.h"
#include "ventilator_journal.h"

#include <pthread.h>
#include <stdatomic.h>
#include <tmesh/ventilator.h>

struct decoder;
struct encoder;
struct front;
struct pipe;
struct pollset;

enum ventilator_wish { WISH_RUN, WISH_DRAIN, WISH_STOP };

/* To the producer that carries it, if one does. */
struct ventilator_loan {
    const struct waker *host; /* rouses whoever runs the producer's loop; NULL: nobody does */
    atomic_bool lent;         /* it runs this loop, too; set with the lock held */
    pthread_cond_t over;      /* given back */
    uint32_t calm;            /* the thread's own: turns in a row that had little to do */
};

struct tmesh_ventilator {
    uint64_t process; /* that made it: see identity_is_inherited */
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
    _Atomic enum ventilator_wish wish; /* set with the lock held */
    uint64_t open_count;               /* guarded by lock; kept while draining */
    tmesh_error_t fault;               /* guarded by lock; its code is TMESH_OK while all is well */
    bool asked_to_drain;               /* guarded by lock: from afar */
    uint32_t drain_grace_ms;           /* guarded by lock: as whoever asked says */
    struct ventilator_loan loan;       /* guarded by lock */
};

/* As tmesh_ventilator_new, for a producer of the same process: `context` is the
 * ZeroMQ context both share, in which the ventilator also serves
 * inproc://front, and `pipe` the way from the producer, both to outlive the ventilator; `bind`
 * may be NULL then. */
tmesh_ventilator_t *ventilator_node_new(const tmesh_ventilator_options_t *options, void *context,
                                        struct pipe *pipe, tmesh_error_t *error);

/* ventilator_loop.c */
void *ventilator_loop(void *ventilator);
/* One turn of the loop, by whoever runs it.  Afterwards `front` is NULL if it has failed. */
void ventilator_node_turn(struct tmesh_ventilator *node, uint64_t now_ns);

/* ventilator_loan.c */
/* The thread's, before it sleeps: lends the loop if that may save anything.  True: it was lent,
 * and is back. */
bool ventilator_node_lend(struct tmesh_ventilator *node);
/* The producer's, by whoever runs its loop: from here on the ventilator's may be lent to it, and
 * `host` is woken when it is; NULL: no more, and it is given back. */
void ventilator_node_lodge(struct tmesh_ventilator *node, const struct waker *host);
bool ventilator_node_is_lent(struct tmesh_ventilator *node);
/* A turn of the loop that was lent.  False: it is given back, and others run it now. */
bool ventilator_node_turn_lent(struct tmesh_ventilator *node, uint64_t now_ns);

#endif
