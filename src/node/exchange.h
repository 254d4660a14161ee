/* exchange.h - what the application and the producer's thread hand each other.
 *
 * One lock guards all of it.  The thread takes it a fixed number of times each
 * turn, not per task, except for answers that somebody waits for by name, for what
 * runs say of their progress, and for tasks of an earlier run that come back from a
 * spool.
 */
#ifndef NODE_EXCHANGE_H
#define NODE_EXCHANGE_H

#include "../net/waker.h"
#include "board.h"
#include "errand.h"
#include "loan.h"
#include "stage.h"
#include "waits.h"

#include <pthread.h>
#include <stdatomic.h>

struct exchange {
    struct waker waker; /* rouses the thread */
    int answers_fd;     /* readable while answers wait */
    /* Written with the lock held; before `stage` or what was asked is looked for, without it: */
    atomic_bool staging; /* `stage` is worth a look: it has something, or memory to give back */
    atomic_bool asked;   /* an inquiry or an errand is under way */

    _Alignas(64) pthread_mutex_t lock; /* what is above and before is read without it */
    pthread_cond_t changed;            /* for everybody who waits for anything */
    /* The rest is guarded by lock. */

    struct stage stage; /* submissions on their way in */
    struct tickets tickets;
    uint32_t outbox; /* staged, or in the core and not accepted */
    uint64_t outbox_bytes;
    uint64_t kept_bytes; /* of the outbox, and of accepted tasks that are guarded */
    uint64_t submitted;
    uint64_t staged; /* ever: the number of the latest submission */
    /* With a spool: */
    uint64_t unsafe_bytes; /* of submissions on their way to the disk */
    uint64_t safe;         /* submissions up to this number are on disk */
    bool spool_full;       /* too little room on disk for more */
    bool spool_failed;     /* the disk failed: nothing more will be safe */
    uint32_t spooled;      /* tasks in it */
    uint32_t recovered;    /* tasks that were in it at the start */
    uint32_t waiting;      /* of these, those that have no ticket yet; they count as outbox */

    bool asleep;      /* the thread waits, or is about to, and nothing was staged */
    struct loan loan; /* of the thread's loop, to whoever waits (producer_loan.c) */
    bool loan_wanted; /* the thread is asked for it */
    uint64_t settled; /* answers that were told, ever */
    uint32_t waiters; /* threads that wait for answers */
    bool closed;      /* no more submissions */
    bool stop;        /* the thread is to end */
    bool joined;      /* somebody waits for its end, or saw it */
    bool ended;       /* it has ended */

    struct answer_queue answers; /* answers on their way out */
    struct board board;          /* what runs say of their progress, likewise */
    bool watched;                /* somebody asked for answers_fd: it is to be kept right */
    bool shown;                  /* it is readable */
    bool crowded;                /* too many of them */
    struct waits waits;
    struct producer_counts counts; /* as of the last turn */
    uint64_t given_up;             /* tasks that had not come to their end when the thread ended */
    struct inquiry inquiry;
    struct errand errand;
    uint64_t errand_staged;                    /* `staged` as it was when the errand began */
    char refusals[TMESH_ERROR_TEXT_BYTES / 2]; /* what the last ventilator that refused us said */
    uint64_t hosts_unknown; /* a bit for each link: there is no address for its host name */
};

#endif
