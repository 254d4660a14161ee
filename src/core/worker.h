/* worker.h - the worker's decisions: how much it takes from whom, what it hands
 * to its pool, and what it still owes to each ventilator.
 *
 * Owns: leases from WORK to the ventilator's receipt, the payloads and results
 * that belong to them, credit, and one uplink for each ventilator.
 * Not here: sockets, threads, handlers, clocks.
 */
#ifndef CORE_WORKER_H
#define CORE_WORKER_H

#include "arena.h"
#include "finished.h"
#include "instant.h"
#include "message.h"
#include "time_limit.h"

enum { WORKER_LINKS_MAX = 64 };

struct worker_options {
    struct id node;
    uint64_t seed;
    struct bytes software, label; /* borrowed for the worker's whole life, as are the names */
    const struct bytes *names;
    const struct bytes *queues;
    uint32_t name_count, queue_count;
    uint32_t slots;           /* handlers that run at once */
    uint32_t link_count;      /* ventilators, named 0 .. link_count-1 by the shell */
    uint32_t jobs_max;        /* leases held at once, those not receipted included */
    uint64_t store_bytes_max; /* payloads and results held */
    uint64_t ahead_ns;        /* take no more than the slots can start within this time, or within
                                 two round trips to a ventilator that is farther away */
    /* Of a run whose task has none of its own; 0: none. */
    uint32_t limit_ms, soft_ms, stalled_ms;
};

/* The documented defaults; identity, names, slots and links are the caller's. */
struct worker_options worker_defaults(void);

enum worker_event_kind {
    WORKER_CONNECTED, /* the socket of `link` has a connection */
    WORKER_CLOSED,    /* it lost it */
    WORKER_MESSAGE,
    WORKER_STARTED,  /* the pool began `job` at began_ns.  It may tell late, and need not tell
                        of those that finish meanwhile; but before every TURN it has told of
                        each that runs.  A pool that never says so is taken to begin jobs in
                        order and to leave no slot idle, and knows no time limits */
    WORKER_PROGRESS, /* the run of `job` showed life at told_ns: number, text.  Before every TURN
                        the pool has told of each that did */
    WORKER_FINISHED, /* the pool is done with these: finished, finished_count */
    WORKER_TURN,
    WORKER_DRAIN, /* take no more; what the pool did not start yet comes back as
                     FINISHED with OUTCOME_RETURNED */
    WORKER_STOP   /* say BYE everywhere, after what is owed; again while there is `more` */
};

struct worker_event {
    enum worker_event_kind kind;
    uint64_t now_ns;
    uint32_t link;
    const struct message *message;
    /* MESSAGE, FINISHED: what the message's views, or the result, point into, and a name for it.
     * What is large may be kept there instead of being copied; NULL: it may not. */
    struct bytes memory;
    void *lender;
    const struct finished *finished; /* FINISHED: in the order in which they are completed */
    uint32_t finished_count;
    uint32_t job;             /* STARTED, PROGRESS */
    struct bytes text;        /* PROGRESS: cut at MESSAGE_PROGRESS_BYTES_MAX */
    uint64_t began_ns;        /* STARTED */
    uint64_t told_ns, number; /* PROGRESS */
};

enum worker_action_kind {
    WORKER_OPEN,   /* open a socket to `link` and connect it */
    WORKER_SHUT,   /* close the socket of `link` */
    WORKER_SEND,   /* send `message` to `link` */
    WORKER_RUN,    /* hand `job` to the pool */
    WORKER_RECALL, /* take `job` back from the pool if it has not begun: FINISHED with
                      OUTCOME_RETURNED.  Of several, the one that is told last stands first in
                      its ventilator's line again, so tell of them in the opposite order */
    WORKER_TELL,   /* ask the run of `job` to end, if it has begun, for `cause` */
    WORKER_KILL,   /* take `job` back as RECALL does, and if it has begun: end the run for
                      `cause`, if that can be done */
    WORKER_HUNG,   /* `job` was killed for `cause` and does not end: if its lease is ours, its
                      task is given up as failed; its slot is taken for as long as it runs;
                      for logs */
    WORKER_ASKED_TO_DRAIN, /* an operator wants this worker to drain and stop, with `grace_ms` for
                              what runs, or as long as it likes (UINT32_MAX).  Said once */
    WORKER_REFUSED,        /* `link` refused us: tell the operator `refuse` */
    WORKER_OPENED,         /* a session with `link` stands; for logs */
    WORKER_LOST            /* it is over; for logs */
};

/* What is not of its kind is not filled in. */
struct worker_action {
    enum worker_action_kind kind;
    uint32_t link;
    uint32_t job;         /* RUN, RECALL, TELL, KILL, HUNG */
    enum end_cause cause; /* TELL, KILL, HUNG */
    uint32_t grace_ms;    /* ASKED_TO_DRAIN */
    union {
        /* RUN, HUNG: the views stay good until FINISHED for this job was stepped. */
        struct assignment assignment;
        struct message message; /* SEND, REFUSED */
    };
};

/* The most that one step asks for is to end or take back all that one ventilator gave:
 * two actions for each lease.  A TURN has as many COMPLETE as items at most, and 2,048
 * alarms and recalls. */
enum {
    WORKER_ACTIONS_MAX = 3 * MESSAGE_ITEMS_MAX + 8 * WORKER_LINKS_MAX,
    WORKER_REPORTS_MAX = 1024 /* runs whose progress is told in one step */
};

/* Perform in order.  Large: allocate one and reuse it. */
struct worker_actions {
    uint32_t count;
    bool more;     /* it could not say all it had to: perform this, then step the same again */
    bool borrowed; /* `memory` has to stay until worker_returned names its lender */
    struct worker_action actions[WORKER_ACTIONS_MAX];
    uint32_t completion_count, lease_count, progress_count;
    struct completion completions[MESSAGE_ITEMS_MAX];
    struct lease leases[MESSAGE_ITEMS_MAX];
    struct progress progress[WORKER_REPORTS_MAX];
};

struct worker_counts {
    uint32_t links_open;
    uint32_t held; /* leases not yet finished */
    uint32_t running;
    uint32_t hung; /* of these, given up: killed, and still there */
    uint32_t owed; /* finished, not yet receipted */
    uint64_t started, done, failed, returned;
};

struct worker;

size_t worker_memory_bytes(const struct worker_options *options);

/* Builds a worker at the start of `memory` (zeroed, 64-byte aligned, the
 * caller's to free afterwards). */
struct worker *worker_init(void *memory, const struct worker_options *options, uint64_t now_ns);

void worker_step(struct worker *worker, const struct worker_event *event,
                 struct worker_actions *out);

/* Asked after every step: names, once each, lenders whose memory is needed no more; NULL: no
 * other now. */
void *worker_returned(struct worker *worker);

/* When WORKER_TURN is due next even if nothing happens. */
uint64_t worker_deadline(const struct worker *worker);

/* Until when jobs of `link` may be begun: later on the ventilator may have given
 * them to somebody else, and the pool must return them instead.  Ask after every
 * TURN. */
uint64_t worker_trusted_until(const struct worker *worker, uint32_t link);

void worker_counts(const struct worker *worker, struct worker_counts *counts);

#endif
