/* producer.h - the producer's decisions: which ventilator gets which task, what
 * must be sent again, and what becomes of each submission.
 *
 * Owns: the outbox (tasks not accepted yet, payloads included), the tasks whose
 * result is awaited (with payloads when they are guarded), and one uplink for
 * each ventilator.
 * Not here: sockets, threads, clocks, the application's callbacks.
 */
#ifndef CORE_PRODUCER_H
#define CORE_PRODUCER_H

#include "arena.h"
#include "instant.h"
#include "message.h"

enum { PRODUCER_LINKS_MAX = 64 };

struct producer_options {
    struct id node;
    uint64_t seed;
    struct bytes software, label; /* borrowed for the producer's whole life */
    uint32_t link_count;
    uint32_t tasks_max;       /* in the outbox or awaiting a result */
    uint64_t store_bytes_max; /* payloads in the outbox; when guarded, of all tasks */
    uint32_t batches_max;     /* sent to one ventilator and not yet accepted; at most 256 */
    uint64_t resend_ns;       /* a batch without an answer for this long goes out again */
    uint64_t receipt_ns;      /* so long RECEIPT may wait for later results, to go for all */
    uint64_t unknown_ns; /* a task no ventilator accepted for this long ends UNKNOWN; 0: never */
    /* Accepted tasks are kept whole until their result, also those whose result nobody
     * wants, and are given to another ventilator when theirs lost them or stays away. */
    bool guarded;
    uint64_t failover_ns; /* away: without a session for this long */
};

/* The documented defaults; identity and links are the caller's. */
struct producer_options producer_defaults(void);

enum producer_event_kind {
    PRODUCER_CONNECTED,
    PRODUCER_CLOSED,
    PRODUCER_INTAKE_UP,   /* the intake socket of `link` has a connection: prefer it for SUBMIT */
    PRODUCER_INTAKE_DOWN, /* it has none: SUBMIT goes by the front */
    PRODUCER_MESSAGE,
    PRODUCER_SUBMIT,  /* the application submitted `submission`, whose name, queue and payload
                         the caller has found to be within the limits of message.h */
    PRODUCER_QUERY,   /* the application asks `link` for `query`, `cursor` */
    PRODUCER_DISPOSE, /* the application tells `link` what becomes of dead letters, or of tasks */
    PRODUCER_DRAIN,   /* the application tells `link` which node is to drain */
    PRODUCER_CANCEL,  /* the application cancels `id`, should it be in this producer's hands */
    PRODUCER_TURN,
    PRODUCER_STOP /* say BYE everywhere */
};

struct producer_event {
    enum producer_event_kind kind;
    uint64_t now_ns;
    uint32_t link;
    const struct message *message;
    const struct submission *submission; /* borrowed for the step */
    /* SUBMIT: memory that the payload is in, and a name for it.  A large payload may be kept
     * there instead of being copied; NULL: it may not. */
    struct bytes memory;
    void *lender;
    struct message_query query;
    const struct message_dispose *dispose; /* borrowed for the step and its actions */
    const struct message_drain *drain;     /* likewise */
    const struct id *id;                   /* CANCEL: borrowed for the step */
    uint32_t ticket; /* SUBMIT: the shell's number for it; comes back with actions about it */
    bool crowded;    /* TURN: results are not receipted now, so that ventilators hold more back */
};

enum producer_action_kind {
    PRODUCER_OPEN,     /* open a DEALER to `link` and connect it */
    PRODUCER_SHUT,     /* close DEALER and PUSH of `link` */
    PRODUCER_INTAKE,   /* WELCOME named the intakes (message): open a PUSH to one that fits */
    PRODUCER_SEND,     /* send `message` to `link` by `passage` */
    PRODUCER_ACCEPTED, /* each of `accepted` belongs to the ventilator behind `link` now; told once
                        */
    PRODUCER_REJECTED, /* `id` was refused for `result.reason`; nothing is kept */
    PRODUCER_ENDED,    /* `result` of `result.id`; when guarded, also if it was not wanted */
    PRODUCER_PROGRESS, /* how far a run of `id` is: `result.attempt`, `number`, `result.text` */
    PRODUCER_UNKNOWN, /* `id`: no answer will come any more (`result.reason`); it may or may not run
                       */
    PRODUCER_ANSWER,  /* `message`, ANSWER, DISPOSED or DRAINING, answers the oldest question of its
                         kind to  `link` */
    PRODUCER_REFUSED, /* `link` refused us: tell the application */
    PRODUCER_OPENED,  /* a session with `link` stands; `message` is its WELCOME */
    PRODUCER_LOST
};

struct producer_accepted {
    struct id id;
    uint32_t ticket;
};

struct producer_action {
    enum producer_action_kind kind;
    uint32_t link;
    enum passage passage;
    struct message message;
    struct result result; /* its id is the task's id in every action about one task */
    uint32_t ticket;      /* of the task */
    uint64_t number;      /* PROGRESS */
    const struct producer_accepted *accepted; /* ACCEPTED: so many, likely a whole batch */
    uint32_t accepted_count;
};

/* What a CANCEL found. */
enum producer_hold {
    PRODUCER_HOLDS_NOT,     /* no task with this id; nothing changed */
    PRODUCER_HOLDS_ALONE,   /* no ventilator ever got it: it ended as CANCELLED */
    PRODUCER_HOLDS_PERHAPS, /* some ventilator may have it: it ends when that is known */
};

enum { PRODUCER_ACTIONS_MAX = 2 * MESSAGE_ITEMS_MAX + 4 * PRODUCER_LINKS_MAX };

/* Perform in order.  Large: allocate one and reuse it. */
struct producer_actions {
    uint32_t count;
    bool more;      /* a TURN could not say all it had to: perform this, then step TURN again */
    bool borrowed;  /* SUBMIT: `memory` has to stay until producer_returned names its lender */
    bool full;      /* SUBMIT: the outbox has no room; nothing changed */
    bool duplicate; /* SUBMIT: the id is in the outbox or awaited already; nothing changed */
    enum producer_hold hold; /* CANCEL */
    struct producer_action actions[PRODUCER_ACTIONS_MAX];
    uint32_t submission_count;
    struct submission submissions[MESSAGE_ITEMS_MAX];
    uint32_t accepted_count;
    struct producer_accepted accepted[MESSAGE_ITEMS_MAX]; /* a step accepts no more tasks */
    struct id cancels[MESSAGE_LETTERS_MAX]; /* of the one DISPOSE that a TURN may have */
};

struct producer_counts {
    uint32_t links_open;
    uint32_t links_busy; /* open, but refusing tasks for now: a limit reached, or draining */
    uint32_t outbox;     /* tasks not accepted yet */
    uint32_t awaited;    /* accepted, result awaited */
    uint32_t doomed;     /* cancelled, and it is not known yet whether a ventilator has them */
    uint64_t accepted, rejected, ended, unknown, resent;
    uint64_t failed_over; /* accepted tasks that were sent again: theirs was away or lost them */
};

struct producer;

size_t producer_memory_bytes(const struct producer_options *options);

/* Builds a producer at the start of `memory` (zeroed, 64-byte aligned, the
 * caller's to free afterwards). */
struct producer *producer_init(void *memory, const struct producer_options *options,
                               uint64_t now_ns);

void producer_step(struct producer *producer, const struct producer_event *event,
                   struct producer_actions *out);

/* Asked once in a while, when the actions of the latest step were carried out: names, once
 * each, lenders whose memory is needed no more; NULL: no other now. */
void *producer_returned(struct producer *producer);

/* For the end: names the other lenders.  The producer must not be asked anything else then. */
void *producer_reclaim(struct producer *producer);

/* The task with this id as it would go out now, if it is kept whole: in the outbox,
 * or guarded.  Borrowed until the next step. */
bool producer_task(const struct producer *producer, const struct id *id,
                   struct submission *submission);

/* When PRODUCER_TURN is due next even if nothing happens. */
uint64_t producer_deadline(const struct producer *producer);

void producer_counts(const struct producer *producer, struct producer_counts *counts);

#endif
