/* producer_state.h - what a producer remembers, and how its files share the work.
 *
 * Private to producer*.c.  An entry is a task that was submitted:
 *
 *   OUTBOX --put into a batch--> SENT --ACCEPT--> AWAITED --RESULT--> gone
 *      ^                          |      (gone at once when no result is wanted)
 *      +---- BUSY, DRAINING ------+
 *
 * A guarded one stays AWAITED, whether a result is wanted or not.  When its
 * ventilator is away or lost it, it goes into a batch from there, before the
 * outbox, and is accepted once more without another word.  A task that is CANCELLED while some
 * ventilator may have it is kept until that one has heard so (producer_cancel.c).  REJECTED,
 * UNKNOWN and RESULT end an entry from wherever they find it.  A batch, once made, stays together
 * until its ACCEPT, whatever becomes of sessions: WAITING batches stand before the outbox and go
 * out again whole.
 */
#ifndef CORE_PRODUCER_STATE_H
#define CORE_PRODUCER_STATE_H

#include "circle.h"
#include "index.h"
#include "producer.h"
#include "store.h"
#include "tab.h"
#include "uplink.h"

enum {
    PRODUCER_BATCH_ITEMS_MAX = MESSAGE_ITEMS_MAX / 4,
    PRODUCER_BATCHES_MAX = 256,    /* numbers a link remembers; the bound of batches_max */
    PRODUCER_ITEM_BYTES = 64,      /* what a task adds to a message besides its texts */
    PRODUCER_ENDS_PER_TURN = 1024, /* tasks that one TURN tells to be UNKNOWN, and CANCELLED */
    PRODUCER_REMNANTS_MAX = 4096,  /* of tasks whose end was told, besides tasks_max */
    PRODUCER_CANCEL_MINOR = 2      /* the least version that knows how to cancel */
};

/* A link takes another batch as long as less than this is unanswered on it. */
static const uint64_t PRODUCER_UNANSWERED_BYTES_MAX = 8 * 1024 * 1024;

/* Of an entry's place.  `accepted` says whether a ventilator ever took it. */
enum entry_state { ENTRY_OUTBOX, ENTRY_SENT, ENTRY_AWAITED, ENTRY_CANCELLED };

/* What is kept before the name of those, and of those whose payload is large. */
struct entry_head {
    struct stored payload; /* a large one is by itself, so that it need not be copied */
    struct rarities rarities;
};

struct producer_entry {
    struct circle_link place; /* in the outbox, in its batch, or among its owner's awaited */
    /* Among all that are not accepted, in order of submission, where patience ends. */
    struct circle_link age;
    uint64_t submitted_ns;
    struct stored task; /* head, name, queue, payload; dropped when accepted unguarded */
    uint32_t where;     /* SENT: its batch; AWAITED, CANCELLED: the link that has it */
    uint32_t tenure;    /* AWAITED: of that link, when it accepted it */
    uint32_t flags;
    uint32_t ticket; /* the shell's number for it */
    enum entry_state state;
    uint16_t item; /* SENT: its position in the batch; CANCELLED: in the DISPOSE */
    uint8_t name_bytes, queue_bytes;
    bool has_head;
    bool accepted;  /* by whomever, and the application knows */
    bool flew;      /* some ventilator may have it */
    bool cancelled; /* SENT: to be cancelled as soon as somebody has it */
    bool remnant;   /* CANCELLED: the application has heard the end */
};

_Static_assert(sizeof(struct producer_entry) == 64, "an entry is a cache line");

enum batch_state { BATCH_FREE, BATCH_WAITING, BATCH_FLYING };

struct producer_batch {
    struct circle_link place; /* among the free ones, or among the waiting ones */
    enum batch_state state;
    uint32_t generation; /* of its content: a number given to an older one means nothing */
    uint32_t link;       /* where it was sent last */
    uint64_t number;     /* and as what */
    uint32_t items;      /* positions given out when it was sent */
    uint32_t entries;    /* still in it; fewer than items when a result came first */
    uint32_t bytes;      /* estimated size of the message */
    uint32_t timeouts;   /* how often it flew for resend_ns in vain */
    uint32_t flown;      /* how often it was sent */
    uint32_t cancelled;  /* of the entries */
};

/* A batch number of a session.  Outlives the flight, so that an ACCEPT that
 * comes after the batch was called back is honoured if the batch is the same. */
struct producer_flight {
    uint64_t number; /* 0: never used in this session */
    uint64_t sent_ns;
    uint32_t batch, generation;
    bool flying; /* the latest flight of its batch, and not over */
};

struct producer_link {
    struct uplink uplink;
    bool open; /* a session stands */
    bool intake_up;
    bool draining; /* it said so; until its next session */
    bool receipt_due;
    uint32_t receipt_through;
    struct tab receipt_tab;   /* of these results */
    uint64_t paused_until_ns; /* it said BUSY */
    uint32_t busy_streak;
    uint64_t backlog;        /* from its latest HEARTBEAT */
    struct id owner;         /* of the awaited entries: ventilator of the last session */
    uint32_t tenure;         /* changes when what it accepted before is not its any more */
    uint32_t minor;          /* of the protocol, as it speaks it */
    uint32_t disposals;      /* of the application, unanswered in this session */
    uint32_t before;         /* of these, those that are answered before our own */
    bool asked;              /* our own is unanswered */
    uint64_t asked_again_ns; /* not before: it was too busy to cancel all of them */
    uint64_t lost_ns;        /* when that session ended */
    uint64_t number;         /* of the next batch */
    uint64_t oldest;         /* no batch before this number is flying */
    uint32_t flying;         /* batches */
    uint64_t unanswered;     /* tasks in them */
    uint64_t unanswered_bytes;
    struct producer_flight flights[PRODUCER_BATCHES_MAX]; /* by number */
};

struct producer {
    struct producer_options options;
    uint64_t now_ns; /* of the step that runs, or ran last */
    uint64_t random;
    uint32_t hellos; /* said so far, to whomever */
    struct turn turn;
    uint64_t planned_ns; /* when the TURN after the latest one was due */
    bool planned;        /* it still is: nothing happened since */
    bool stopped;
    bool crowded; /* the application is behind: results are not receipted */

    struct index index;
    struct store store;
    struct producer_entry *entries; /* by slot of index, then the heads of circles */
    struct circles places, ages;    /* through entries */
    struct producer_batch *batches;
    struct circles batch_places; /* through batches */
    struct producer_link *links;

    uint32_t awaited;
    uint32_t doomed;   /* cancelled entries that are SENT */
    uint32_t disowned; /* those that are CANCELLED */
    uint32_t remnants; /* of all entries */
    uint64_t accepted, rejected, ended, unknown, resent, failed_over;
    /* By position in the batch that an ACCEPT is about: its rejection plus one,
     * 0 for none.  All 0 between steps. */
    uint32_t verdicts[PRODUCER_BATCH_ITEMS_MAX];
};

/* ---- Heads of circles: rows behind those of slots and of batches ---- */

static inline uint32_t producer_slots(const struct producer *producer)
{
    return producer->options.tasks_max + PRODUCER_REMNANTS_MAX;
}

static inline uint32_t producer_outbox_head(const struct producer *producer)
{
    return producer_slots(producer); /* of places; of ages the same row */
}

/* Awaited entries whose ventilator lost them: restarted without them, or gave them up. */
static inline uint32_t producer_orphans_head(const struct producer *producer)
{
    return producer_slots(producer) + 1;
}

/* Cancelled entries that end in the next TURN, and that nobody need hear of. */
static inline uint32_t producer_gone_head(const struct producer *producer)
{
    return producer_slots(producer) + 2;
}

/* Cancelled entries that end in the next TURN, and that their ventilator may still have. */
static inline uint32_t producer_astray_head(const struct producer *producer)
{
    return producer_slots(producer) + 3;
}

static inline uint32_t producer_awaited_head(const struct producer *producer, uint32_t link)
{
    return producer_slots(producer) + 4 + link;
}

/* Cancelled entries of which the ventilator of `link` has to hear. */
static inline uint32_t producer_cancelled_head(const struct producer *producer, uint32_t link)
{
    return producer_awaited_head(producer, producer->options.link_count) + link;
}

/* Those that its unanswered DISPOSE is about, or was, while their RESULT is due. */
static inline uint32_t producer_asked_head(const struct producer *producer, uint32_t link)
{
    return producer_cancelled_head(producer, producer->options.link_count) + link;
}

/* Remnants of which it has to hear. */
static inline uint32_t producer_remnants_head(const struct producer *producer, uint32_t link)
{
    return producer_asked_head(producer, producer->options.link_count) + link;
}

static inline uint32_t producer_batch_head(const struct producer *producer, uint32_t batch)
{
    return producer_remnants_head(producer, producer->options.link_count) + batch;
}

/* Enough: a batch is made only while none is waiting, and then all others fly. */
static inline uint32_t producer_batch_count(const struct producer_options *options)
{
    return options->link_count * options->batches_max;
}

static inline uint32_t producer_waiting_head(const struct producer *producer)
{
    return producer_batch_count(&producer->options);
}

static inline uint32_t producer_free_head(const struct producer *producer)
{
    return producer_batch_count(&producer->options) + 1;
}

/* ---- Actions ---- */

/* A step has at most 2 * MESSAGE_ITEMS_MAX actions about tasks and batches, and
 * at most four for each link besides: RESULT and ACCEPT have at most two for each
 * item; a TURN has 3 * PRODUCER_ENDS_PER_TURN ends, at most
 * MESSAGE_ITEMS_MAX batches, because each holds an item, one DISPOSE, and for each link
 * SHUT and LOST or OPEN or HEARTBEAT, and RECEIPT. */
static inline struct producer_action *producer_act(struct producer_actions *out,
                                                   enum producer_action_kind kind, uint32_t link)
{
    assert(out->count < PRODUCER_ACTIONS_MAX);
    struct producer_action *action = &out->actions[out->count++];
    action->kind = kind;
    action->link = link;
    return action;
}

/* ---- producer_entry.c: the life of one task ---- */

void producer_entry_submit(struct producer *producer, const struct producer_event *event,
                           struct producer_actions *out);

/* Writes the task in `slot` as it goes into a message; borrowed from the store. */
void producer_entry_submission(const struct producer *producer, uint32_t slot,
                               struct submission *submission);

/* Of a task that has one and was not dropped. */
struct entry_head producer_entry_head(const struct producer *producer, uint32_t slot);

/* What it adds to the size of a message, about. */
static inline uint32_t producer_entry_bytes(const struct producer *producer, uint32_t slot)
{
    uint32_t bytes = producer->entries[slot].task.size + PRODUCER_ITEM_BYTES;
    if (producer->entries[slot].has_head) bytes += producer_entry_head(producer, slot).payload.size;
    return bytes;
}

/* Of a task that has a head: drops what is by itself. */
void producer_entry_drop_payload(struct producer *producer, uint32_t slot);

/* Nobody is sent the task any more. */
static inline void producer_entry_drop_task(struct producer *producer, uint32_t slot)
{
    if (producer->entries[slot].has_head) producer_entry_drop_payload(producer, slot);
    store_drop(&producer->store, &producer->entries[slot].task);
}

/* Takes the task out of outbox, batch or awaited.  Its batch is over when it was the last. */
void producer_entry_detach(struct producer *producer, uint32_t slot);

/* The detached task belongs to the ventilator of `link` now; the application hears
 * of it the first time.  Forgotten at once when nobody asks for its end. */
void producer_entry_accept(struct producer *producer, uint32_t slot, uint32_t link,
                           struct producer_actions *out);

/* Forgets the detached task. */
void producer_entry_forget(struct producer *producer, uint32_t slot);

/* Ends, as UNKNOWN, a task that nobody can answer for. */
void producer_entry_end_unknown(struct producer *producer, uint32_t slot, enum reason reason,
                                struct producer_actions *out);

/* Does so with orphans that are not guarded and with what no ventilator accepted in
 * time, a bounded number. */
void producer_entry_expire(struct producer *producer, struct producer_actions *out);

/* When the next of these is due. */
uint64_t producer_entry_deadline(const struct producer *producer);

/* ---- producer_batch.c: the life of one batch ---- */

/* Makes a batch of the first tasks in line, of which there is one. */
uint32_t producer_batch_make(struct producer *producer);

/* Sends `batch` to `link`. */
void producer_batch_send(struct producer *producer, uint32_t batch, uint32_t link,
                         struct producer_actions *out);

/* An entry left `batch`.  Without entries it is over: it lands and is free. */
void producer_batch_leave(struct producer *producer, uint32_t batch);

/* The batch that ventilator `link` knows by `number`, or INDEX_NONE when that is
 * over or was never sent.  It may have been called back, and may even fly again. */
uint32_t producer_batch_find(const struct producer *producer, uint32_t link, uint64_t number);

/* Calls back all that fly on `link`: they wait, first of all, in their order. */
void producer_batch_recall(struct producer *producer, uint32_t link);

/* Calls back what flew for too long. */
void producer_batch_timeout(struct producer *producer);

/* When the next of these is due. */
uint64_t producer_batch_deadline(const struct producer *producer);

/* Whether `batch` waits to be sent to the same ventilator again in the same session. */
bool producer_batch_goes_again(const struct producer *producer, uint32_t batch);

/* ---- producer_cancel.c: what becomes of tasks that the application cancelled ---- */

/* CANCEL. */
void producer_cancel_task(struct producer *producer, const struct producer_event *event,
                          struct producer_actions *out);

/* The detached task is with the ventilator of `link`, which is to hear of it. */
void producer_cancel_keep(struct producer *producer, uint32_t slot, uint32_t link);

/* Makes a remnant of the task: the application hears no more of it. */
void producer_cancel_hush(struct producer *producer, uint32_t slot);

/* The application hears that the task, which is detached then, ended so. */
void producer_cancel_tell(struct producer *producer, uint32_t slot, struct producer_actions *out);

/* Ends, as CANCELLED, a task that is in no ventilator's hands, or only perhaps. */
void producer_cancel_end(struct producer *producer, uint32_t slot, struct producer_actions *out);

/* A session with `link` opened, or ended. */
enum cancel_owner { OWNER_SAME, OWNER_FORGETFUL, OWNER_OTHER };
void producer_cancel_opened(struct producer *producer, uint32_t link, enum cancel_owner owner);
void producer_cancel_lost(struct producer *producer, uint32_t link);

/* DISPOSED.  False: it answers the application's question, not ours. */
bool producer_cancel_disposed(struct producer *producer, const struct producer_event *event);

/* Ends what has to end, and tells a ventilator what it has to hear, a bounded number. */
void producer_cancel_turn(struct producer *producer, struct producer_actions *out);

/* When the next of these is due. */
uint64_t producer_cancel_deadline(const struct producer *producer);

/* ---- producer_line.c: which tasks go out next ---- */

/* The head of the circle whose first task goes out next; it may be empty only if it
 * is that of the outbox, and then none stands in line. */
uint32_t producer_line_head(const struct producer *producer);

/* When there is a task in line: 0 if there is one now. */
uint64_t producer_line_deadline(const struct producer *producer);

/* ---- producer_choice.c: which ventilator gets the next batch ---- */

/* Sends what may go out now, a bounded number of tasks. */
void producer_choice_dispatch(struct producer *producer, struct producer_actions *out);

/* When something may go out. */
uint64_t producer_choice_deadline(const struct producer *producer);

/* ---- producer_answer.c: what ventilators say of tasks ---- */

void producer_answer_accept(struct producer *producer, const struct producer_event *event,
                            struct producer_actions *out);

void producer_answer_result(struct producer *producer, const struct producer_event *event,
                            struct producer_actions *out);

void producer_answer_progress(struct producer *producer, const struct producer_event *event,
                              struct producer_actions *out);

/* ---- producer_session.c: sessions and what goes with them ---- */

/* Adds a message to `link`, to be filled in. */
struct message *producer_session_say(struct producer *producer, enum message_kind kind,
                                     uint32_t link, struct producer_actions *out);

/* CONNECTED, CLOSED, INTAKE_UP, INTAKE_DOWN, MESSAGE, QUERY, DISPOSE, DRAIN. */
void producer_session_event(struct producer *producer, const struct producer_event *event,
                            struct producer_actions *out);

/* Looks at the time of every session, and sends the receipts that are due. */
void producer_session_turn(struct producer *producer, struct producer_actions *out);

/* When the next of these is due. */
uint64_t producer_session_deadline(const struct producer *producer);

/* Says BYE where a session stands. */
void producer_session_stop(struct producer *producer, struct producer_actions *out);

#endif
