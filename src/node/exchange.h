/* exchange.h - what the application and the producer's thread hand each other.
 *
 * One lock guards all of it.  The thread takes it a fixed number of times each
 * turn, not per task, except for answers that somebody waits for by name, for what
 * runs say of their progress, and for tasks of an earlier run that come back from a
 * spool.
 */
#ifndef NODE_EXCHANGE_H
#define NODE_EXCHANGE_H

#include "../core/producer.h"
#include "../net/waker.h"
#include "board.h"
#include "errand.h"
#include "stage.h"
#include "waits.h"

#include <pthread.h>

/* Who runs the loop when it is not the producer's own thread (producer_loan.c). */
enum loan_state {
    LOAN_NONE, /* the producer's thread runs it */
    LOAN_FREE, /* lent, and nobody runs it at the moment */
    LOAN_USED  /* a thread of the application does */
};

struct loan {
    enum loan_state state;
    bool wanted;         /* the producer's thread is asked for it */
    uint64_t uses;       /* ever */
    uint32_t doubts;     /* in a row that were in vain, doubled each time, */
    uint32_t skips;      /* and how many waits go on without */
    pthread_cond_t over; /* given back */
};

struct exchange {
    struct waker waker; /* rouses the thread */
    int answers_fd;     /* readable while answers wait */

    pthread_mutex_t lock;
    pthread_cond_t changed; /* for everybody who waits for anything */
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

    bool asleep; /* the thread waits, or is about to, and nothing was staged */
    struct loan loan;
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
};

#endif
