/* planted.h - bugs that the simulator plants, to see that it finds them.
 *
 * In every build but the simulator's own the question is constantly answered
 * with no, and the compiler leaves nothing of it.  Each bug is one condition in
 * one place, where the right thing stands beside it.
 */
#ifndef CORE_PLANTED_H
#define CORE_PLANTED_H

#include <stdbool.h>

enum planted {
    PLANTED_NOTHING,
    /* the ventilator */
    PLANTED_NO_LEASE_CHECK,       /* any completion of a leased task counts */
    PLANTED_CLAIM_OLD_LEASE,      /* HELLO may claim a lease that is not the latest */
    PLANTED_FORGET_REQUEUE,       /* what a lost worker held is not taken back, */
    PLANTED_FORGET_ORPHANS,       /* nor what one that came back does not hold */
    PLANTED_SILENCE_IS_LIFE,      /* a silent peer is never given up */
    PLANTED_NO_SEQUENCE_CHECK,    /* a gap in a peer's numbers is not noticed */
    PLANTED_NO_DEDUPE,            /* a known id makes a second task */
    PLANTED_DROP_BEHIND_DRAIN,    /* what comes while it drains is accepted and not taken */
    PLANTED_CREDIT_OVERRUN,       /* one task more than the worker gave credit for */
    PLANTED_RETRY_KEEPS_TOKEN,    /* a lease outlives the failure of its run */
    PLANTED_FORGET_FAILURE,       /* failures are not counted */
    PLANTED_FORGET_SENT_RESULTS,  /* results under way when a session is lost stay lost */
    PLANTED_RECEIPT_OFF_BY_ONE,   /* a receipt is taken for the next message too */
    PLANTED_WELCOME_KNOWS_ALL,    /* WELCOME says that a stranger is known */
    PLANTED_ANSWER_BEFORE_SYNC,   /* answers do not wait for the disk */
    PLANTED_REPLAY_FORGETS_ENDED, /* the ends in a journal are passed over */
    PLANTED_RELEASE_TOO_EARLY,    /* all that is durable is released */
    PLANTED_RECALL_TAKES_BACK,    /* what is asked back is given to another at once */
    PLANTED_CANCEL_SPARES_RUNS, /* what a worker has is not cancelled, although the answer says so,
                                 */
    PLANTED_CANCEL_IN_SILENCE,  /* or its worker is not told, */
    PLANTED_CANCEL_BEFORE_SYNC, /* or the answer does not wait for the disk */
    PLANTED_DRAIN_SAID_ONCE,    /* a worker is told to drain in one session only */
    /* the worker */
    PLANTED_FORGET_COMPLETION,       /* a completion is not kept until its receipt */
    PLANTED_CREDIT_OUTLIVES_SESSION, /* a new session goes on with the totals of the old */
    PLANTED_GONE_WITHOUT_LIMITS,     /* a run whose ventilator is gone has no limits any more */
    PLANTED_LIFE_UNSEEN,             /* signs of life are passed over */
    /* the producer */
    PLANTED_TRUST_SEND,         /* what was sent counts as accepted */
    PLANTED_ORPHANS_WAIT,       /* what its ventilator lost is awaited for ever, */
    PLANTED_GUARD_FALLS_ASLEEP, /* or not given to another, although it is guarded */
    /* both */
    PLANTED_UPLINK_SKIPS_GAPS, /* a gap in a ventilator's numbers is not noticed */
    PLANTED_UPLINK_REPEATS,    /* a repeated message is heard as a new one */
    PLANTED_COUNT
};

#ifdef TMESH_PLANTED_BUGS
extern enum planted planted_bug; /* the simulator's to set */

static inline bool planted(enum planted bug)
{
    return planted_bug == bug;
}
#else
static inline bool planted(enum planted bug)
{
    (void)bug;
    return false;
}
#endif

#endif
