/* ventilator_state.h - what a ventilator knows; for the ventilator_*.c files only.
 *
 * One file for each kind of event, and this between them:
 *   ventilator.c           the switch, the turn, the start
 *   ventilator_session.c   HELLO, BYE, sequence gaps, closed connections
 *   ventilator_liveness.c  silence, heartbeats, lost peers and what they held
 *   ventilator_overdue.c   leases that their worker should have ended
 *   ventilator_submit.c    SUBMIT
 *   ventilator_dispatch.c  CREDIT, leases, WORK
 *   ventilator_recall.c    RECALL
 *   ventilator_complete.c  COMPLETE
 *   ventilator_progress.c  PROGRESS, from a worker and to a producer
 *   ventilator_result.c    RESULT and its RECEIPT
 *   ventilator_ended.c     what is left of tasks that ended, and for how long
 *   ventilator_query.c     QUERY
 *   ventilator_dispose.c   DISPOSE
 *   ventilator_revoke.c    REVOKE
 *   ventilator_drain.c     DRAIN
 *   ventilator_journal.c   what is written down, and what is copied forward
 *   ventilator_held.c      answers that wait until it is durable
 *   ventilator_replay.c    the same tasks after a restart
 *   transition.c           the life of a task: every change of state, in one place
 */
#ifndef CORE_VENTILATOR_STATE_H
#define CORE_VENTILATOR_STATE_H

#include "known.h"
#include "lanes.h"
#include "letters.h"
#include "peers.h"
#include "turn.h"
#include "ventilator.h"

/* Answers to producers, in order; each goes out when its entries are durable. */
struct held_answer {
    uint64_t lsn;
    uint32_t session, rejections;
    enum message_kind kind; /* ACCEPT or DISPOSED */
    union {
        uint64_t batch;
        struct message_disposed disposed;
    } u;
};

struct held {
    struct held_answer *answers;
    struct rejection *rejections;
    uint32_t first, count;
    uint32_t first_rejection, rejection_count;
};

/* Leases that are over and that their workers have not been told of. */
struct revoke {
    struct lease lease;
    uint32_t next; /* of the same worker, or free; plus one */
};

struct revokes {
    struct revoke *rows;
    uint32_t free;  /* plus one */
    uint32_t fresh; /* rows from here on were never used */
    uint32_t count;
};

/* Where an id stands in the journal. */
struct age {
    struct circle_link link; /* among all that stand there, by `lsn` */
    uint64_t lsn;            /* the latest entry that says all of it; 0: none */
};

struct ventilator {
    struct ventilator_options options;
    struct turn turn;
    uint64_t started_ns;
    uint64_t random;
    uint64_t orders; /* the latest place in line; with a journal, not below its entries' numbers */
    bool draining;
    struct known known;
    struct task *tasks;
    struct slot_pool slots; /* of tasks */
    struct store store;
    struct heap alarms; /* by task slot: when WAITING ends, or a lease with a time limit */
    struct lanes lanes;
    struct peers peers;
    struct letters letters;
    struct revokes revokes;
    struct runs runs;
    uint32_t recalls;        /* of all workers */
    uint32_t recall_profile; /* whose idle workers are looked for first next time */
    struct totals totals;
    uint64_t owed; /* results not receipted */
    uint64_t owed_bytes;

    /* The journal; all 0 without one. */
    uint64_t appended_lsn, durable_lsn;
    struct age *ages;       /* by row of known, and behind the last one the head */
    struct circles written; /* through ages, by lsn */
    struct held held;
    uint64_t journal_bytes;
    bool journal_full;
    uint64_t copied_ns; /* when something was copied forward last */
    /* While replay ends: what is done, the slot to go on at, and the latest place in line of
     * what was leased. */
    enum restoring { RESTORES_ORDER, RESTORES_LINES, RESTORES_REST } restoring;
    uint32_t restored_next;
    uint64_t leased_latest;

    /* Only while a step runs: */
    uint64_t now_ns;
    struct ventilator_actions *out;
    uint32_t take_backs;   /* tasks that may still be taken back in this step */
    uint32_t letter_drops; /* dead letters that may still make way in this step */
};

/* ventilator.c */
/* A new message to a peer that has a session, counted and timed.  The caller
 * has checked ventilator_can_send. */
struct message *ventilator_send(struct ventilator *ventilator, uint32_t peer,
                                enum message_kind kind);
/* A message outside any session, to a link. */
struct message *ventilator_send_to(struct ventilator *ventilator, uint32_t link,
                                   enum message_kind kind);
bool ventilator_can_send(const struct ventilator *ventilator);
/* So full that no new task is taken, so that results of those here find room. */
bool ventilator_is_crowded(const struct ventilator *ventilator);
void ventilator_record(struct ventilator *ventilator, const struct record *record);
static inline const struct id *ventilator_id(const struct ventilator *ventilator, uint32_t slot)
{
    return &ventilator->known.ids.ids[ventilator->tasks[slot].known];
}

/* transition.c: each makes its record. */
void task_accept(struct ventilator *ventilator, uint32_t slot);
void task_lease(struct ventilator *ventilator, uint32_t slot, uint32_t worker);
void task_return(struct ventilator *ventilator, uint32_t slot); /* unused: first in line again */
enum loss { LOSS_COUNTED, LOSS_EXCUSED };
/* Its worker was lost, or left with it (excused). */
void task_requeue(struct ventilator *ventilator, uint32_t slot, enum loss loss);
/* A lost worker is back and still holds the lease of a task in line. */
void task_resume(struct ventilator *ventilator, uint32_t slot, uint32_t worker);
void task_ripen(struct ventilator *ventilator, uint32_t slot);
/* A run failed: tries again after `delay_ns`. */
void task_retry(struct ventilator *ventilator, uint32_t slot, uint64_t delay_ns);
void task_end(struct ventilator *ventilator, uint32_t slot, enum task_state state,
              enum reason reason);
/* One reason less to keep the record of a task that ended. */
void task_let_go(struct ventilator *ventilator, uint32_t slot, enum task_kept kept);
/* Somebody wants it no more: from any state but an end. */
void task_cancel(struct ventilator *ventilator, uint32_t slot);
/* From the journal: to where its state belongs. */
void task_restore(struct ventilator *ventilator, uint32_t slot);
/* False: there is none. */
bool task_drop_oldest_letter(struct ventilator *ventilator);
/* An operator drops a dead letter, or has it tried again from the beginning. */
void task_drop_letter(struct ventilator *ventilator, uint32_t slot);
void task_revive(struct ventilator *ventilator, uint32_t slot);
/* Payload, result and text; the record stays. */
void task_drop_values(struct ventilator *ventilator, struct task *task);

/* ventilator_ended.c */
/* A slot for the task of this row, which has none: for a new one, or for one that ended
 * and of which more is needed again than its row. */
uint32_t task_begin(struct ventilator *ventilator, uint32_t row);
uint32_t task_recollect(struct ventilator *ventilator, uint32_t row);
/* It ended; without a reason left to keep more, only its row stays, in line to be
 * forgotten, and the slot is free. */
void task_lay_down(struct ventilator *ventilator, uint32_t slot);
/* Likewise, while the journal is read: it stands in no line yet. */
void task_shrink(struct ventilator *ventilator, uint32_t slot);
/* From the journal: what is left of one that ended. */
void task_restore_ended(struct ventilator *ventilator, uint32_t row);
/* From here on the id in this row, of which no task is left, is a stranger's. */
void task_forget(struct ventilator *ventilator, uint32_t row);
/* Forgets ended ids that are over the limits; a few at a time. */
void task_forget_ended(struct ventilator *ventilator);

/* ventilator_journal.c: nothing happens without a journal. */
static inline uint32_t ventilator_ages_head(const struct ventilator *ventilator)
{
    return ventilator->options.journals ? ventilator->known.ids.capacity : 0;
}
enum written {
    WRITTEN_WHOLE,  /* everything: the entries before are not needed for it */
    WRITTEN_LEASE,  /* who has it now */
    WRITTEN_CHANGE, /* state, counts, owner */
    WRITTEN_TEXT,   /* these and what was said of its latest failure */
    WRITTEN_SETTLED /* a reason less to keep it */
};
/* Asks for an entry.  The values it points to stay as they are until the step ends. */
void ventilator_write_down(struct ventilator *ventilator, uint32_t slot, enum written what);
static inline void ventilator_write(struct ventilator *ventilator, uint32_t slot, enum written what)
{
    if (ventilator->options.journals) ventilator_write_down(ventilator, slot, what);
}
/* Writes that a producer gets no more results of what it submitted so far. */
void ventilator_write_given_up(struct ventilator *ventilator, uint32_t peer);
/* An entry that says all of what is known in this row was appended, or read. */
void ventilator_note_written(struct ventilator *ventilator, uint32_t row, uint64_t lsn);
/* What was known in this row is forgotten, and needs no entry any more. */
void ventilator_unwrite(struct ventilator *ventilator, uint32_t row);
/* Writes again what stands in the oldest entries, so that these can go. */
void ventilator_copy_forward(struct ventilator *ventilator);
uint64_t ventilator_copy_deadline(const struct ventilator *ventilator);
/* The first entry that is needed. */
uint64_t ventilator_oldest_entry(const struct ventilator *ventilator);

/* ventilator_held.c */
enum holding { HOLDS_NOTHING, HOLDS_ANSWERS };
void held_init(struct held *held, struct arena *arena, enum holding holding);
/* Whether everything through this number is; without a journal it always is. */
bool held_is_durable(const struct ventilator *ventilator, uint64_t lsn);
/* Whether an answer with up to so many rejections can wait now. */
bool held_has_room(const struct ventilator *ventilator, uint32_t rejections);
/* Answers a batch as soon as all that was appended so far is durable.  Its
 * rejections are the first in out->rejections. */
void held_accept(struct ventilator *ventilator, uint32_t peer, uint64_t batch, uint32_t rejections);
/* Answers a batch of which nothing was rejected: with its first result if that comes
 * soon, else a little later. */
void held_accept_soon(struct ventilator *ventilator, uint32_t peer,
                      const struct message_submit *submit);
/* Likewise, what became of letters. */
void held_dispose(struct ventilator *ventilator, uint32_t peer,
                  const struct message_disposed *disposed);
/* Answers it at once: nothing of it was taken, or nothing of it has to be durable. */
void held_answer_now(struct ventilator *ventilator, uint32_t peer, uint64_t batch,
                     uint32_t rejections);
/* Receipts what this worker said, once it is durable: `items` completions with so many
 * bytes of results. */
void held_receipt(struct ventilator *ventilator, uint32_t peer, uint32_t items, uint32_t bytes);
/* When something is to be said that waits for company now; INSTANT_NEVER: nothing is. */
uint64_t held_deadline(const struct ventilator *ventilator, uint32_t peer);
void held_durable(struct ventilator *ventilator, uint64_t durable_lsn);
/* Sends what may go out.  False when something is left for the next step. */
bool held_send_answers(struct ventilator *ventilator);
bool held_send_accept(struct ventilator *ventilator, uint32_t peer);
bool held_send_receipt(struct ventilator *ventilator, uint32_t peer);
/* In the last session of all: whatever is durable is receipted now. */
bool held_send_last_receipt(struct ventilator *ventilator, uint32_t peer);

/* ventilator_replay.c */
void ventilator_replay(struct ventilator *ventilator, const struct journal_entry *entry);
void ventilator_replayed(struct ventilator *ventilator, uint64_t last_lsn);

/* ventilator_session.c */
void ventilator_hello(struct ventilator *ventilator, const struct ventilator_event *event);
void ventilator_bye(struct ventilator *ventilator, uint32_t peer);
/* The session is over, the node may come back: its leases wait for a moment. */
void ventilator_close_session(struct ventilator *ventilator, uint32_t peer, enum record_kind why);
/* Has the peer say HELLO again: the session cannot go on. */
void ventilator_reset_session(struct ventilator *ventilator, uint32_t peer);
/* What a peer was to be told in a session that is over. */
void ventilator_forget_session(struct ventilator *ventilator, uint32_t peer);
/* Whether the sequence is the next one; otherwise the session was reset. */
bool ventilator_in_sequence(struct ventilator *ventilator, uint32_t peer,
                            const struct ventilator_event *event);
void ventilator_who(struct ventilator *ventilator, uint32_t link, uint32_t session);

/* ventilator_liveness.c */
void ventilator_watch(struct ventilator *ventilator, uint32_t peer);
/* Acts on what is due.  False when something is left for the next step. */
bool ventilator_check_clock(struct ventilator *ventilator);
/* The node is gone: what it held is taken back, a part in each turn. */
void ventilator_bury(struct ventilator *ventilator, uint32_t peer, enum record_kind why);
/* Goes on with that.  False when something is left for the next step. */
bool ventilator_take_back(struct ventilator *ventilator, uint32_t peer);
/* Makes all leases of a worker orphans. */
void ventilator_orphan(struct ventilator *ventilator, uint32_t peer);

void ventilator_heartbeat(struct ventilator *ventilator, uint32_t peer,
                          const struct message_heartbeat *heartbeat);

/* ventilator_recall.c */
/* A worker said how many of its leases have not begun. */
void ventilator_note_unstarted(struct ventilator *ventilator, uint32_t peer);
/* A worker's lease is over, so that it has begun another, or holds one less. */
void ventilator_note_lease_over(struct ventilator *ventilator, uint32_t slot);
/* What it said counts no more. */
void ventilator_forget_unstarted(struct ventilator *ventilator, uint32_t peer);
/* Asks such leases back for workers that have nothing to do.  All that could be
 * given out was. */
void ventilator_recall(struct ventilator *ventilator);

/* Whether a completion or a claim names the latest lease of this task. */
bool ventilator_lease_counts(const struct task *task, const struct lease *lease);
/* Counts one that came too late. */
void ventilator_note_stale(struct ventilator *ventilator, uint32_t peer, const struct lease *lease);
/* The run of a leased task failed, in the words of `completion`. */
void ventilator_fail(struct ventilator *ventilator, uint32_t slot,
                     const struct completion *completion);

/* ventilator_overdue.c */
/* The task was just leased, or its lease goes on with this worker. */
void ventilator_watch_lease(struct ventilator *ventilator, uint32_t slot);
/* For how long it has been leased, by our own clock; wraps round. */
uint32_t ventilator_leased_ms(const struct ventilator *ventilator, const struct task *task);
/* The alarm of a leased task rang: takes it back, as failed, if it is overdue. */
void ventilator_lease_alarm(struct ventilator *ventilator, uint32_t slot);

/* the rest, one entry for each event */
void ventilator_submit(struct ventilator *ventilator, uint32_t peer,
                       const struct message_submit *submit);
void ventilator_credit(struct ventilator *ventilator, uint32_t peer,
                       const struct message_credit *credit);
bool ventilator_dispatch(struct ventilator *ventilator);
bool ventilator_send_work(struct ventilator *ventilator, uint32_t peer);
void ventilator_ring_update(struct ventilator *ventilator, uint32_t peer);
void ventilator_complete(struct ventilator *ventilator, uint32_t peer,
                         const struct message_complete *complete);

/* ventilator_progress.c */
void ventilator_progress(struct ventilator *ventilator, uint32_t peer,
                         const struct message_progress *progress);
/* The run of a leased task is over, or its lease. */
void ventilator_end_progress(struct ventilator *ventilator, uint32_t slot);
/* False when something is left for the next step. */
bool ventilator_send_progress(struct ventilator *ventilator, uint32_t peer);
/* Its session is over: what it was to be told comes again, or never. */
void ventilator_forget_progress(struct ventilator *ventilator, uint32_t peer);

void ventilator_owe_result(struct ventilator *ventilator, uint32_t slot);
/* Takes a result from the producer it is owed to. */
void ventilator_withdraw_result(struct ventilator *ventilator, uint32_t slot);
/* The end it tells is none: its producer, which has not receipted it, waits for another. */
void ventilator_recall_result(struct ventilator *ventilator, uint32_t slot);
bool ventilator_send_results(struct ventilator *ventilator, uint32_t peer);

/* Whether that begins with the first of its results, which need not wait for the disk. */
bool ventilator_owes_result_now(const struct peer *producer);
void ventilator_receipt(struct ventilator *ventilator, uint32_t peer, uint32_t through);
void ventilator_query(struct ventilator *ventilator, uint32_t peer,
                      const struct message_query *query);
void ventilator_dispose(struct ventilator *ventilator, uint32_t peer,
                        const struct message_dispose *dispose);

/* ventilator_drain.c */
void ventilator_drain(struct ventilator *ventilator, uint32_t peer,
                      const struct message_drain *drain);
/* A worker is back in a new session. */
void ventilator_drain_again(struct ventilator *ventilator, uint32_t peer);
/* False when something is left for the next step. */
bool ventilator_send_drain(struct ventilator *ventilator, uint32_t peer);

/* ventilator_revoke.c */
void revokes_init(struct revokes *revokes, struct arena *arena);
/* Whether the worker of this task could be told, if it has one, that its lease is over. */
bool ventilator_can_revoke(const struct ventilator *ventilator, uint32_t slot);
/* The lease of a LEASED task ends here: its worker is told this turn, if it has the
 * lease.  The caller has checked ventilator_can_revoke. */
void ventilator_revoke(struct ventilator *ventilator, uint32_t slot);
/* False when something is left for the next step. */
bool ventilator_send_revokes(struct ventilator *ventilator, uint32_t peer);
/* Its session is over: the next WELCOME tells it instead. */
void ventilator_forget_revokes(struct ventilator *ventilator, uint32_t peer);

/* Tasks that have not ended, or whose result is owed. */
uint64_t ventilator_held_count(const struct ventilator *ventilator);

#endif
