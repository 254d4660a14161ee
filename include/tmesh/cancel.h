/* tmesh/cancel.h - tasks that are not to run any more, or to stop. */
#ifndef TMESH_CANCEL_H
#define TMESH_CANCEL_H

#include <tmesh/producer.h>
#include <tmesh/reply.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { TMESH_CANCEL_IDS_MAX = 100000 };

/* What became of the wish. */
enum tmesh_cancel_outcome {
    TMESH_CANCEL_DONE,     /* it is cancelled, now or earlier */
    TMESH_CANCEL_TOO_LATE, /* it had ended already, in another way */
    TMESH_CANCEL_NO_TASK,  /* all were asked, and nobody knows a task with this id */
    TMESH_CANCEL_UNKNOWN   /* whoever may have it did not answer, or cannot cancel */
};

typedef struct tmesh_cancel_row {
    tmesh_id_t id;
    enum tmesh_cancel_outcome outcome;
    const char *endpoint; /* of the ventilator that had it; NULL: none, so if it is done it was
                             in this producer's hands alone */
    const char *reason;   /* a sentence; NULL when it is done */
} tmesh_cancel_row_t;

typedef struct tmesh_cancel {
    const tmesh_cancel_row_t *rows; /* one for each id, in their order; of all: none */
    size_t row_count;
    uint64_t done; /* of the rows; of all: the tasks that were cancelled */
    const tmesh_reply_t *ventilators;
    size_t ventilator_count;
} tmesh_cancel_t;

/* Cancels tasks, whoever submitted them, in whatever state they are.
 *
 * A task that is done was cancelled for good: its ventilator has it on disk, if it keeps a
 * journal, and gives it to no worker any more.  A worker that runs it is told to stop, and
 * kills what has not stopped after a second; what such a run brings is refused.  Whoever
 * waits for the task hears the state `cancelled`.  Cancelling it again is done again.
 *
 * What this producer has not handed over yet ends at once, leaves its spool, and answers
 * `ended`, with the state `cancelled`, even if its result was not wanted.  What is on its
 * way to a ventilator is cancelled there as soon as it has arrived, which this waits for.
 * Once its turn has come, whatever it returns, this producer never submits the task again, also
 * not to another ventilator in guarded mode, and not from its spool after a restart.
 *
 * A ventilator that may have the task and does not answer makes the outcome unknown.  This
 * producer tells it when it is back, as long as both know each other (the ventilator
 * restarted with its journal, or was only cut off) and this producer lives; a guarded task
 * of a ventilator that stays away for `failover_after_ms` ends as cancelled without it, and
 * at most 4,096 of those are told to it.  To be sure, cancel it again until it is done.
 *
 * Returns, with *cancel set, for the caller to destroy:
 *   TMESH_OK         all ventilators answered
 *   TMESH_E_TIMEOUT  some did not within `timeout_ms`; what was asked may still happen
 * and with *cancel set to NULL:
 *   TMESH_E_INVALID  no ids, or more than TMESH_CANCEL_IDS_MAX
 *   TMESH_E_SYSTEM   out of memory
 *   TMESH_E_CLOSED   the producer was closed
 * Any thread; one call at a time, those of tmesh/dead.h and tmesh/status.h included:
 * others wait their turn, within their own time.  `ids` is read during the call only. */
TMESH_EXPORT enum tmesh_err tmesh_producer_cancel(tmesh_producer_t *producer, const tmesh_id_t *ids,
                                                  size_t id_count, uint32_t timeout_ms,
                                                  tmesh_cancel_t **cancel);

/* Cancels all tasks that have not ended, of this queue and with this name; NULL: any.
 *
 * Each is cancelled as by tmesh_producer_cancel.  Meant is what the ventilators have
 * accepted: what a producer still holds, this one included, is not.  What they accept
 * meanwhile may be cancelled or not.  Each row of a ventilator counts what it has
 * cancelled (`affected`).  One that cannot do all of it now says so (`refusal`): ask again.
 * When a session is lost in between, the question is asked again, and what was done
 * before that may be missing in the count.
 *
 * Returns as tmesh_producer_cancel does; TMESH_E_INVALID: a name breaks its rule.  To see
 * first what is there: tmesh_producer_status (tmesh/status.h) counts it by queue and name. */
TMESH_EXPORT enum tmesh_err tmesh_producer_cancel_all(tmesh_producer_t *producer, const char *queue,
                                                      const char *name, uint32_t timeout_ms,
                                                      tmesh_cancel_t **cancel);

/* Sets *cancel to NULL.  NULL is fine. */
TMESH_EXPORT void tmesh_cancel_destroy(tmesh_cancel_t **cancel);

#ifdef __cplusplus
}
#endif
#endif
