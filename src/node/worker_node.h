/* worker_node.h - what the parts of a worker's shell share.
 *
 *   worker.c        making and ending one, and what its program asks it
 *   worker_loop.c   a turn: sockets, clock, pool and core
 *   worker_loan.c   its thread, and who runs the loop instead
 */
#ifndef NODE_WORKER_NODE_H
#define NODE_WORKER_NODE_H

#include "../core/worker.h"
#include "../net/waker.h"
#include "../watch/log.h"
#include "block.h"
#include "loan.h"
#include "worker_setup.h"

#include <stdatomic.h>

struct dials;
struct decoder;
struct encoder;
struct net_shared;
struct pool;
struct pool_lender;

enum wish { WISH_RUN, WISH_DRAIN, WISH_STOP };

struct tmesh_worker {
    uint64_t process; /* that made it: see identity_is_inherited */
    struct worker_setup setup;
    struct log log;
    struct net_shared *shared; /* with the producer it is beside, or alone */
    struct dials *dials;
    struct waker waker;
    struct waker asked; /* the host's to watch: readable once somebody asked us to drain */
    struct decoder *decoder;
    struct encoder *encoder;
    struct pool *pool;
    struct block block;
    struct worker *core;
    struct worker_actions *actions;
    pthread_t thread;
    uint64_t spin_ns;
    /* Of whoever has the loop: */
    enum wish done;     /* the wish carried out last */
    bool crippled;      /* the pool has lost its nursery */
    bool again;         /* it had more than one turn takes */
    bool supplied;      /* the pool was given something since the last wait */
    bool lone;          /* what the last turn collected had come alone */
    uint32_t loan_runs; /* runs collected by whoever borrowed it */

    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool started;
    _Atomic enum wish wish;      /* set with the lock held */
    struct worker_counts counts; /* guarded by lock; as of the last turn */
    bool counts_fresh;           /* guarded by lock: counted after the last wish */
    bool asked_to_drain;         /* guarded by lock */
    struct loan loan;            /* guarded by lock */
    uint32_t grace_ms;           /* guarded by lock */
};

/* worker_loop.c; for whoever has the loop. */
/* Sleeps until there is something to do, and takes what came for a turn.  True: the pool was
 * given something to run. */
bool worker_receive(struct tmesh_worker *node);
/* One turn. */
void worker_turn(struct tmesh_worker *node);
/* BYE is given a moment to leave. */
void worker_shut(struct tmesh_worker *node);

/* worker_loan.c */
/* The thread. */
void *worker_run(void *node);
/* The pool's side of a loan. */
struct pool_lender worker_lender(struct tmesh_worker *node);

#endif
