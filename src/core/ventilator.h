/* ventilator.h - the ventilator's decisions: which tasks it owns, which worker
 * runs each of them, until when, and what becomes of it.
 *
 * Owns: tasks from ACCEPT to their end, leases, credit, retries, sessions.
 * Not here: sockets, clocks, bytes, files.  One event goes in, actions come
 * out; the same state and the same event always give the same actions.
 */
#ifndef CORE_VENTILATOR_H
#define CORE_VENTILATOR_H

#include "arena.h"
#include "instant.h"
#include "journal_entry.h"
#include "message.h"
#include "record.h"
#include "runs.h"

struct ventilator_options {
    struct id node;
    uint64_t seed;
    struct bytes software; /* borrowed for the ventilator's whole life, as are the intakes */
    const struct bytes *intakes;
    uint32_t intake_count;
    uint32_t tasks_max;        /* tasks held, whatever their state */
    uint64_t store_bytes_max;  /* payloads, results and texts held */
    uint32_t peers_max;        /* at most 65535 */
    uint32_t connections_max;  /* of peers with a session; 0: as many as there are peers */
    uint32_t leases_max;       /* of one worker at a time, whatever credit it gives */
    uint32_t ended_max;        /* ids of ended tasks remembered to recognise a repeat */
    uint64_t ended_ns_max;     /* and for how long */
    uint32_t dead_letters_max; /* kept; beyond it the oldest is dropped */
    uint32_t payload_bytes_max;
    uint64_t heartbeat_ns, suspect_ns, lost_ns, closed_ns;
    uint32_t attempts_max, crashes_max, losses_max;
    uint64_t backoff_ns, backoff_ns_max;
    uint64_t absent_ns_max; /* results wait this long for a producer that went away */
    /* So long may wait, for others to go with it: RECEIPT for later completions, and
     * ACCEPT of tasks whose results are wanted for the first of those. */
    uint64_t receipt_ns, accept_ns;
    bool embedded; /* its host alone says when it ends: nobody may drain it from afar */
    bool routine;  /* makes records also of what happens to each task on a good day */
    bool journals; /* asks for entries, and answers only what is durable */
    uint64_t journal_slack_bytes; /* beyond twice what is held, old entries are copied forward */
};

/* The documented defaults; node, seed, software and intakes are the caller's. */
struct ventilator_options ventilator_defaults(void);

enum ventilator_event_kind {
    VENTILATOR_MESSAGE,  /* one decoded message came in */
    VENTILATOR_GARBAGE,  /* bytes came in that are no message; `reason` says what is wrong */
    VENTILATOR_CLOSED,   /* the connection behind `link` is gone */
    VENTILATOR_TURN,     /* everything that had arrived was stepped: act on it, look at the time */
    VENTILATOR_REPLAY,   /* `entry` stood in the journal; all of them, oldest first, before
                            anything else.  May answer `refusal` */
    VENTILATOR_REPLAYED, /* that was all, the journal's last number is `durable_lsn`.  Again while
                            there is `more` */
    VENTILATOR_DURABLE,  /* every entry through `durable_lsn` is safe */
    VENTILATOR_DRAIN,    /* take no new tasks from now on */
    VENTILATOR_STOP      /* say BYE to everybody */
};

struct ventilator_event {
    enum ventilator_event_kind kind;
    uint64_t now_ns;
    uint32_t link; /* MESSAGE, GARBAGE, CLOSED: a connection of the front; unused on the intake */
    enum passage passage;          /* MESSAGE, GARBAGE */
    const struct message *message; /* MESSAGE; borrowed for the step */
    /* MESSAGE: what the message's views point into, and a name for it.  Large values may be
     * kept there instead of being copied; NULL: they may not. */
    struct bytes memory;
    void *lender;
    enum reason reason;                /* GARBAGE */
    const struct journal_entry *entry; /* REPLAY; borrowed for the step */
    uint64_t durable_lsn;              /* DURABLE, REPLAYED */
    uint64_t journal_bytes;            /* TURN: what the journal takes on disk */
    bool journal_full; /* TURN: it has no room for new tasks, only to end old ones */
};

enum {
    VENTILATOR_SENDS_MAX = 256,
    VENTILATOR_ITEMS_MAX = MESSAGE_ITEMS_MAX,
    VENTILATOR_RECORDS_MAX = 2 * MESSAGE_ITEMS_MAX + 64,
    VENTILATOR_ENTRIES_MAX = 3 * MESSAGE_ITEMS_MAX,
    VENTILATOR_ANSWERS_MAX = 4096,     /* answers that wait for the disk */
    VENTILATOR_REJECTIONS_MAX = 65536, /* in these */
    VENTILATOR_REVOKES_MAX = 16384     /* leases ended in one turn whose workers are to be told */
};

struct ventilator_send {
    uint32_t link;
    struct message message;
};

/* What a step asks for.  Borrowed views inside live until the next step.
 * Large: allocate one and reuse it. */
struct ventilator_actions {
    uint32_t send_count, record_count;
    bool asked_to_drain;     /* a producer wants this ventilator to drain and stop, and ... */
    uint32_t drain_grace_ms; /* ... what runs to have so long; UINT32_MAX: as the host says */
    bool borrowed; /* MESSAGE: `memory` has to stay until ventilator_returned names its lender */
    bool more; /* a TURN, STOP or REPLAYED could not say all: perform this, then step it again */
    enum reason refusal;  /* REPLAY: BUSY when the limits allow no more, MALFORMED for an entry that
                             cannot be; the ventilator is of no use then */
    uint64_t release_lsn; /* TURN: entries before this one are needed no more */
    struct ventilator_send sends[VENTILATOR_SENDS_MAX];
    struct record records[VENTILATOR_RECORDS_MAX];
    /* To be appended to the journal before any of the sends goes out. */
    uint32_t entry_count;
    struct journal_entry entries[VENTILATOR_ENTRIES_MAX];
    /* Room that the sends point into: */
    uint32_t assignment_count, result_count, rejection_count, lease_count, progress_count;
    struct assignment assignments[VENTILATOR_ITEMS_MAX];
    struct result results[VENTILATOR_ITEMS_MAX];
    struct rejection rejections[MESSAGE_REJECTIONS_MAX];
    struct lease leases[VENTILATOR_ITEMS_MAX];
    struct progress progress[RUNS_MAX];
    union {
        struct totals totals;
        struct worker_row workers[MESSAGE_ROWS_MAX];
        struct lane_row lanes[MESSAGE_ROWS_MAX];
        struct dead_row dead[MESSAGE_ROWS_MAX];
        struct letter_row letter;
        struct run_row runs[MESSAGE_ROWS_MAX];
    } rows;
};

struct ventilator;

/* How much memory a ventilator with these options needs, and which of its tables can
 * become large: `arena` was zeroed, and then says so. */
void ventilator_measure(const struct ventilator_options *options, struct arena *arena);
size_t ventilator_memory_bytes(const struct ventilator_options *options);

/* Builds a ventilator at the start of `memory`: ventilator_memory_bytes long,
 * zeroed, aligned to 64 bytes, the caller's to free when the ventilator is no
 * longer used. */
struct ventilator *ventilator_init(void *memory, const struct ventilator_options *options,
                                   uint64_t now_ns);

/* One step.  `out` is emptied first.  Never fails: what cannot be done is
 * answered to the peer that asked for it. */
void ventilator_step(struct ventilator *ventilator, const struct ventilator_event *event,
                     struct ventilator_actions *out);

/* Asked after every step, once its actions were carried out: names, once each, lenders whose
 * memory is needed no more; NULL: no other now. */
void *ventilator_returned(struct ventilator *ventilator);

/* When VENTILATOR_TURN is due next even if nothing arrives; INSTANT_NEVER when
 * nothing is. */
uint64_t ventilator_deadline(const struct ventilator *ventilator);

/* How many tasks have not ended, and results have not been receipted: what a
 * drain waits for. */
uint64_t ventilator_open_count(const struct ventilator *ventilator);

/* What was said of the latest failed run of this task; empty if nothing was, or if
 * it is not known.  Borrowed until the next step. */
struct bytes ventilator_last_words(const struct ventilator *ventilator, const struct id *id);

/* How busy it is, for who runs its loop. */
struct ventilator_load {
    uint64_t ready, leased; /* tasks */
    uint64_t producers;
};
struct ventilator_load ventilator_load(const struct ventilator *ventilator);

/* Counters and gauges as of now. */
void ventilator_totals(const struct ventilator *ventilator, uint64_t now_ns, struct totals *totals);

#endif
