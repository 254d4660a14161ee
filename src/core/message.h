/* message.h - what the nodes say to each other, decoded.
 *
 * These structs are both the events that machines receive and the actions that
 * they ask for; src/wire turns them into bytes and back, and PROTOCOL.md says
 * what each one means.  All views are borrowed: in a received message they
 * point into its bytes, in a message to send they point into the sender's
 * tables until its next step.
 */
#ifndef CORE_MESSAGE_H
#define CORE_MESSAGE_H

#include "bytes.h"
#include "id.h"
#include "reason.h"

enum {
    MESSAGE_VERSION_MAJOR = 1,
    MESSAGE_VERSION_MINOR = 2,
    MESSAGE_HEADER_BYTES = 16,
    MESSAGE_ITEMS_MAX = 4096,                /* items in one message */
    MESSAGE_PAYLOAD_BYTES_MAX = 1024 * 1024, /* one payload or one result, by default */
    MESSAGE_BYTES_MAX = 2 * 1024 * 1024,     /* one whole message */
    MESSAGE_BATCH_BYTES = 256 * 1024,        /* a sender closes a batch that reached this */
    MESSAGE_NAME_BYTES_MAX = 64,             /* a task's or queue's name: [a-z0-9._-]{1,64} */
    MESSAGE_TEXT_BYTES_MAX = 1024,           /* reasons, labels, versions */
    MESSAGE_PROGRESS_BYTES_MAX = 256,        /* what a run says of its progress */
    MESSAGE_NAMES_MAX = 256,                 /* task names or queues of one worker */
    MESSAGE_ENDPOINTS_MAX = 64,
    MESSAGE_REJECTIONS_MAX = MESSAGE_ITEMS_MAX,
    MESSAGE_ROWS_MAX = 256,   /* rows of one ANSWER */
    MESSAGE_LETTERS_MAX = 256 /* tasks that one DISPOSE names, or changes */
};

enum message_kind {
    MESSAGE_OTHER = 0, /* a kind of a later minor version: counted, otherwise ignored */
    MESSAGE_HELLO = 1,
    MESSAGE_WELCOME = 2,
    MESSAGE_REFUSE = 3,
    MESSAGE_WHO = 4,
    MESSAGE_HEARTBEAT = 5,
    MESSAGE_BYE = 6,
    MESSAGE_SUBMIT = 16,
    MESSAGE_ACCEPT = 17,
    MESSAGE_RESULT = 18,
    MESSAGE_RECEIPT = 19,
    MESSAGE_QUERY = 20,
    MESSAGE_ANSWER = 21,
    MESSAGE_DISPOSE = 22, /* minor 1 */
    MESSAGE_DISPOSED = 23,
    MESSAGE_DRAIN = 24, /* minor 2, as all that follow but CREDIT, WORK and COMPLETE */
    MESSAGE_DRAINING = 25,
    MESSAGE_CREDIT = 32,
    MESSAGE_WORK = 33,
    MESSAGE_COMPLETE = 34,
    MESSAGE_PROGRESS = 35,
    MESSAGE_REVOKE = 36,
    MESSAGE_RECALL = 37
};

enum role { ROLE_PRODUCER = 1, ROLE_WORKER = 2 };

/* Which pair of sockets a message travels by: ROUTER and DEALER, or PUSH and PULL. */
enum passage { PASSAGE_FRONT, PASSAGE_INTAKE };

/* A lease as both sides know it. */
struct lease {
    struct id id;
    uint32_t attempt; /* 1 for the first */
    uint64_t token;
};

/* Producer or worker to ventilator: opens a session.  Session is 0; the sequence counts
 * the HELLOs of the node, whomever they were for, so that a late one can be told. */
struct message_hello {
    enum role role;
    uint32_t minor;
    struct id node;
    struct bytes software; /* "tmesh 0.1.0" */
    struct bytes label;    /* for people: host and process */
    /* Only a worker's: */
    uint32_t slots;
    const struct bytes *names; /* tasks it can run */
    const struct bytes *queues;
    uint32_t name_count, queue_count;
    const struct lease *leases; /* held, or completed and not yet receipted */
    uint32_t lease_count;
};

/* Ventilator's answer to HELLO.  Sequence is 0; the header carries the new session. */
struct message_welcome {
    uint32_t minor;
    struct id node; /* new at every start of a ventilator that keeps no journal */
    struct bytes software;
    bool known; /* the ventilator still has this node's tasks from before */
    uint32_t heartbeat_ms, suspect_ms, lost_ms;
    uint32_t payload_bytes_max, message_bytes_max;
    const struct bytes *intakes; /* endpoints; a host of * means: the host you reached me at */
    uint32_t intake_count;
    const struct lease *drops; /* leases of the HELLO that are over: stop, and do not complete */
    uint32_t drop_count;
};

/* Ventilator: no session for you. */
struct message_refuse {
    enum reason reason;
    struct bytes text;
};

/* Ventilator to a peer whose session it does not know: say HELLO.  The header
 * carries the session that was not known. */

struct message_heartbeat {
    uint64_t backlog; /* ventilator: ready tasks that this worker could run */
    uint32_t held;    /* worker: leases it holds */
    uint32_t running; /* worker: of these, in a handler now */
    /* Minor 2, a worker's: */
    uint32_t hung;     /* of its slots, lost to runs that cannot be ended */
    uint32_t draining; /* 1: it takes no more */
};

struct message_bye {
    struct bytes text;
};

enum { SUBMISSION_WANTS_RESULT = 1 };

struct submission {
    struct id id;
    struct bytes name;
    struct bytes queue; /* absent: "default" */
    struct bytes payload;
    /* 0: the ventilator's default. */
    uint32_t attempts_max, crashes_max;
    uint32_t backoff_ms, backoff_ms_max;
    uint32_t limit_ms; /* of one run; 0: none of its own */
    /* Minor 2; 0: none of its own. */
    uint32_t soft_ms;    /* after so long a run is asked to end */
    uint32_t stalled_ms; /* a run that shows no life for so long is ended */
    uint32_t flags;      /* last: what is zero in most tasks stands in one piece */
};

/* What few submissions say, apart: whoever keeps many keeps nothing of it for the common
 * one.  A new one of these needs its line here and in each of the three functions. */
struct rarities {
    uint32_t attempts_max, crashes_max;
    uint32_t backoff_ms, backoff_ms_max, limit_ms, soft_ms, stalled_ms;
};

static inline bool rarities_any(const struct submission *submission)
{
    return (submission->attempts_max | submission->crashes_max | submission->backoff_ms |
            submission->backoff_ms_max | submission->limit_ms | submission->soft_ms |
            submission->stalled_ms) != 0;
}

static inline struct rarities rarities_of(const struct submission *submission)
{
    return (struct rarities){.attempts_max = submission->attempts_max,
                             .crashes_max = submission->crashes_max,
                             .backoff_ms = submission->backoff_ms,
                             .backoff_ms_max = submission->backoff_ms_max,
                             .limit_ms = submission->limit_ms,
                             .soft_ms = submission->soft_ms,
                             .stalled_ms = submission->stalled_ms};
}

static inline void rarities_give(const struct rarities *rarities, struct submission *submission)
{
    submission->attempts_max = rarities->attempts_max;
    submission->crashes_max = rarities->crashes_max;
    submission->backoff_ms = rarities->backoff_ms;
    submission->backoff_ms_max = rarities->backoff_ms_max;
    submission->limit_ms = rarities->limit_ms;
    submission->soft_ms = rarities->soft_ms;
    submission->stalled_ms = rarities->stalled_ms;
}

struct message_submit {
    uint64_t batch; /* 1, 2, 3 .. in each session, on whatever lane */
    const struct submission *items;
    uint32_t count;
};

struct rejection {
    uint32_t item; /* position in the batch */
    enum reason reason;
};

/* Every item of the batch was accepted but these. */
struct message_accept {
    uint64_t batch;
    const struct rejection *rejections;
    uint32_t count;
};

enum task_state {
    TASK_NONE = 0,
    TASK_WAITING = 1, /* for a time: backoff */
    TASK_READY = 2,
    TASK_LEASED = 3,
    TASK_DONE = 4,
    TASK_FAILED = 5,
    TASK_DEAD = 6,
    TASK_CANCELLED = 7,
    TASK_EXPIRED = 8
};

/* Terminal state of one task. */
struct result {
    struct id id;
    enum task_state state;
    uint32_t attempt;
    enum reason reason;  /* REASON_NONE when state is TASK_DONE */
    struct bytes result; /* absent when there is none; also what a failed run put out */
    struct bytes text;   /* what the handler said of its failure; may be absent */
};

struct message_result {
    const struct result *items;
    uint32_t count;
};

/* The receiver has dealt with every message of this session, on the front, up
 * to this sequence: the sender may forget what it kept to send again. */
struct message_receipt {
    uint32_t through;
};

enum query {
    QUERY_TOTALS = 1,
    QUERY_WORKERS = 2,
    QUERY_LANES = 3,
    QUERY_DEAD = 4,
    QUERY_LETTER = 5, /* minor 1: one dead letter, with its values */
    QUERY_RUNS = 6    /* minor 2: tasks that have been with a worker for a while */
};

struct message_query {
    enum query query;
    uint32_t cursor; /* 0 at first, then what the last ANSWER said */
    struct id id;    /* QUERY_LETTER */
};

struct totals {
    uint64_t submitted, duplicates, rejected;
    uint64_t dispatched, requeued, retried, returned;
    uint64_t done, failed, dead;
    uint64_t stale; /* completions and claims refused: their lease was over */
    uint64_t protocol_errors, sessions_reset;
    uint64_t waiting, ready, leased; /* now */
    uint64_t workers, producers;     /* now, with an open session */
    uint64_t dead_letters;           /* kept now */
    uint64_t uptime_ms, store_bytes;
    /* Minor 1; all 0 without a journal: */
    uint64_t journal_bytes; /* it takes on disk */
    uint64_t journal_lag;   /* entries that are not durable yet */
    uint64_t journal_full;  /* 1: no room for new tasks */
    /* Minor 2: */
    uint64_t cancelled;
    uint64_t recalled; /* asked back from a worker that had not begun them */
};

struct worker_row {
    struct bytes label;
    struct id node;
    uint32_t slots, leased, running;
    uint64_t completed;
    uint32_t silent_ms; /* since it was last heard */
    /* Minor 2, as in HEARTBEAT: */
    uint32_t hung, draining;
};

struct lane_row {
    struct bytes queue, name;
    uint64_t waiting, ready, leased;
    uint32_t workers; /* connected workers that serve it */
};

struct dead_row {
    struct id id;
    struct bytes queue, name;
    enum task_state state; /* TASK_FAILED or TASK_DEAD */
    enum reason reason;
    uint32_t attempt;
    struct bytes text; /* what the last failed run said */
    uint32_t failures, crashes, losses;
    uint64_t age_ms; /* since it ended, as its ventilator counts */
    uint32_t payload_bytes;
};

/* One dead letter: a page for each of its values. */
struct letter_row {
    struct dead_row dead;
    struct bytes value; /* cursor 0: the payload, 1: what its last run put out; absent: none */
};

/* A task that a worker has had for a second, or that told of its progress. */
struct run_row {
    struct id id;
    struct bytes queue, name;
    uint32_t attempt;
    struct bytes worker; /* its label */
    uint64_t leased_ms;  /* since it was given to the worker */
    uint32_t told;       /* 1: it told of its progress */
    uint64_t number;     /* what it told last */
    struct bytes text;
    uint64_t told_ms; /* since then */
};

struct message_answer {
    enum query query;
    uint32_t cursor; /* where the next QUERY goes on; 0: that was all */
    uint32_t count;
    const struct totals *totals;      /* QUERY_TOTALS, count 1 */
    const struct worker_row *workers; /* QUERY_WORKERS */
    const struct lane_row *lanes;     /* QUERY_LANES */
    const struct dead_row *dead;      /* QUERY_DEAD */
    const struct letter_row *letter;  /* QUERY_LETTER, count 0 when there is no such letter */
    const struct run_row *runs;       /* QUERY_RUNS */
};

enum disposal {
    DISPOSAL_RETRY = 1, /* those named */
    DISPOSAL_DROP = 2,
    DISPOSAL_RETRY_ALL = 3, /* all of a queue and a name, as far as these are said */
    DISPOSAL_DROP_ALL = 4,
    DISPOSAL_CANCEL = 5,    /* minor 2: tasks that have not ended, those named */
    DISPOSAL_CANCEL_ALL = 6 /* minor 2: likewise, all of a queue and a name */
};

/* Producer: what is to become of dead letters, or of tasks that are to end. */
struct message_dispose {
    enum disposal disposal;
    uint64_t cursor;          /* of all: 0 at first, then what the last DISPOSED said */
    struct bytes queue, name; /* of all: empty for any */
    const struct id *ids;     /* those named */
    uint32_t count;
};

struct message_disposed {
    enum disposal disposal;
    uint64_t cursor;    /* go on with this; 0: that was all */
    enum reason reason; /* why it stopped before the end; REASON_NONE when it did not */
    uint32_t affected;  /* letters retried or dropped, tasks cancelled */
    const struct rejection *rejections; /* of those named */
    uint32_t count;
};

/* Producer to ventilator: this node is to drain and stop, as if its operator had
 * sent it a signal.  Ventilator to worker: you are. */
struct message_drain {
    struct bytes target; /* a worker's label, or its node id as text; empty: the receiver */
    uint32_t grace_ms;   /* for what runs; UINT32_MAX: as the node says */
};

/* How many nodes were told. */
struct message_draining {
    uint32_t affected;
};

/* How much the worker will ever take in this session: running totals, so that a
 * repeated CREDIT is harmless and a lost one is made good by the next. */
struct message_credit {
    uint64_t tasks;
    uint64_t bytes; /* of payloads */
};

struct assignment {
    struct lease lease;
    struct bytes name;
    struct bytes payload;
    uint32_t limit_ms; /* the run may take this long; 0: as long as it wants */
    /* Minor 2; 0: never. */
    uint32_t soft_ms;    /* after this long it is asked to end */
    uint32_t stalled_ms; /* it is ended when it shows no life for this long */
};

struct message_work {
    uint64_t backlog; /* as in HEARTBEAT */
    const struct assignment *items;
    uint32_t count;
};

enum outcome {
    OUTCOME_DONE = 0,
    OUTCOME_FAILED = 1,    /* try again by policy */
    OUTCOME_PERMANENT = 2, /* do not try again */
    OUTCOME_CRASHED = 3,   /* the handler's process died */
    OUTCOME_RETURNED = 4   /* given back, never started: no attempt was used */
};

struct completion {
    struct lease lease;
    enum outcome outcome;
    uint32_t retry_after_ms; /* the handler's wish after OUTCOME_FAILED; 0: by policy */
    struct bytes result;
    struct bytes text;
};

struct message_complete {
    const struct completion *items;
    uint32_t count;
};

/* How far a run is.  Worker to ventilator, and ventilator to the producer that
 * wants the result, which sees no token.  The latest counts, and any may be lost. */
struct progress {
    struct lease lease;
    uint64_t number;
    struct bytes text; /* at most MESSAGE_PROGRESS_BYTES_MAX */
};

struct message_progress {
    const struct progress *items;
    uint32_t count;
};

/* Ventilator to worker.  REVOKE: these leases are over; stop, and do not complete.
 * RECALL: give these back if they have not begun. */
struct message_leases {
    const struct lease *leases;
    uint32_t count;
};

struct message {
    enum message_kind kind;
    uint32_t session;
    uint32_t sequence;
    union {
        struct message_hello hello;
        struct message_welcome welcome;
        struct message_refuse refuse;
        struct message_heartbeat heartbeat;
        struct message_bye bye;
        struct message_submit submit;
        struct message_accept accept;
        struct message_result result;
        struct message_receipt receipt;
        struct message_query query;
        struct message_answer answer;
        struct message_dispose dispose;
        struct message_disposed disposed;
        struct message_credit credit;
        struct message_work work;
        struct message_complete complete;
        struct message_drain drain;
        struct message_draining draining;
        struct message_progress progress;
        struct message_leases revoke, recall;
    } u;
};

#endif
