/* record.h - one line of a task's or a peer's life.
 *
 * Every transition makes one record.  Log lines, counters, events and, later,
 * the journal and `tmesh trace` are views of these.  Those of a task's routine
 * are left out where no view wants them (ventilator.h).
 */
#ifndef CORE_RECORD_H
#define CORE_RECORD_H

#include "message.h"

enum record_kind {
    RECORD_ACCEPTED,  /* -> READY */
    RECORD_DUPLICATE, /* a known id was submitted again; peer = the live producer that waited for
                         its end until then, and does not get it */
    RECORD_REJECTED,  /* reason */
    RECORD_LEASED,    /* READY -> LEASED, peer = worker */
    RECORD_RETURNED,  /* LEASED -> READY, never started */
    RECORD_REQUEUED,  /* LEASED -> READY, its worker was lost */
    RECORD_RETRIED,   /* LEASED -> WAITING, its run failed */
    RECORD_RIPE,      /* WAITING -> READY */
    RECORD_ENDED,     /* -> DONE, FAILED, DEAD or CANCELLED (state, reason) */
    RECORD_STALE,     /* a completion or a claim was refused: its lease is over */
    RECORD_RESTORED,  /* -> any state: it stood in the journal */
    RECORD_REVIVED,   /* FAILED, DEAD -> READY: an operator retries a dead letter */
    RECORD_DROPPED,   /* an operator dropped a dead letter */
    RECORD_PEER_OPENED,
    RECORD_PEER_RESUMED, /* a new session of a node that was known */
    RECORD_PEER_RESET,   /* a gap: asked to say HELLO again */
    RECORD_PEER_CLOSED,  /* its connection closed */
    RECORD_PEER_SUSPECT, /* silent: no new work */
    RECORD_PEER_LOST,
    RECORD_PEER_LEFT /* BYE */
};

struct record {
    enum record_kind kind;
    enum task_state state; /* after the transition */
    enum reason reason;
    uint32_t attempt;
    struct id id;      /* the task; zero for a peer's record */
    struct id peer;    /* the node concerned; zero for none */
    uint64_t delay_ns; /* RECORD_RETRIED: until it is ready again */
};

/* What happens to each task on a good day: three records or more, and in none of them
 * is any news for an operator. */
static inline bool record_is_routine(enum record_kind kind, enum task_state state)
{
    return kind == RECORD_ACCEPTED || kind == RECORD_LEASED ||
           (kind == RECORD_ENDED && state == TASK_DONE);
}

#endif
