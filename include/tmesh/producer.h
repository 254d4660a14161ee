/* tmesh/producer.h - submit tasks from inside a service.
 *
 * A producer has a thread of its own that does the talking.  A thread of yours that
 * submits few tasks, and waits for each (tmesh_producer_poll, tmesh_producer_wait), may do
 * it instead, in these calls and while it submits, which saves waking others.  So `log` may
 * be called there: hold no lock in these calls that `log` takes.
 * Every function here may be called from any thread at any time, except
 * tmesh_producer_destroy.  Submitting copies the task and returns; it never waits for the
 * network.
 *
 * A producer belongs to the process that made it, as ventilators and workers do.  A forked child
 * has neither its thread nor its connections: there every call is refused as TMESH_E_CLOSED, or
 * finds nothing, and destroying it frees nothing, so that the child may do so when it exits.  A
 * service that forks its workers makes a producer in each of them.
 *
 * What becomes of a submission is told exactly once:
 *   rejected  nothing was kept; the reason says why;
 *   unknown   no ventilator can say any more; it may or may not run;
 *   accepted  a ventilator owns it (told if `report_accepted`), and then, for
 *             tasks that want their result,
 *   ended     done, failed, dead, cancelled or expired, with the result; also what
 *             was cancelled before it was accepted (tmesh/cancel.h).
 * Answers wait in the producer until tmesh_producer_poll hands them out, or
 * tmesh_producer_wait for tasks submitted with TMESH_DELIVER_WAIT.
 *
 * A ventilator without a journal takes its tasks with it when it dies, and one
 * with a journal keeps them from everybody until it is back.  With
 * TMESH_GUARD_FAILOVER the producer keeps each task whole until it ended, whether
 * its result is wanted or not, and submits it again, under the same id, to any
 * ventilator that has a session
 *   at once        when its ventilator is back without it: restarted without a
 *                  journal, or tired of waiting for this producer;
 *   after a while  when its ventilator had no session for `failover_after_ms`.
 * So an accepted task ends as long as this producer lives and reaches some
 * ventilator with workers.  It may run twice: a ventilator that was only cut off
 * still has it.  The first end counts, and is told once, as is its acceptance.
 *
 * What was not accepted is in memory, and is lost with the process, unless the
 * producer has a spool: a directory in which each task stays until it is accepted
 * (when guarded: until it ended) or refused.  Whoever opens that directory next
 * finds what the last run left there, and submits it again under the same ids:
 * no ventilator need be reachable when a task is submitted, and kill -9 and power
 * cuts lose none.  A task that was accepted just before may come again; its
 * ventilator recognises it.  Tasks that were found
 *   - come before new ones, and count as outbox until they are accepted;
 *   - are answered as their submitter wished, by poll or by wait, with a tag of
 *     NULL: whoever wants to know them again notes their ids;
 *   - wait for results in this run only if they were not accepted in the last, or
 *     are guarded: an unguarded task leaves the spool when it is accepted.
 * Records are checked when they are read.  A torn one at the very end was never
 * said to be safe, and is cut off; other damage is refused, and shown by
 * `tmesh journal check`.
 */
#ifndef TMESH_PRODUCER_H
#define TMESH_PRODUCER_H

#include <tmesh/ventilator.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What becomes of an accepted task whose ventilator dies or stays away. */
enum tmesh_guard {
    TMESH_GUARD_NONE = 0, /* it is waited for; if it is back without the task, `unknown` */
    TMESH_GUARD_FAILOVER  /* the task goes to another ventilator, see above */
};

/* When a submission to a producer with a spool returns. */
enum tmesh_spool_sync {
    TMESH_SPOOL_EACH = 0, /* when the task is on disk; whoever submits meanwhile shares the sync */
    TMESH_SPOOL_LATER     /* at once; tmesh_producer_spool_flush waits for the disk */
};

/* Zero means the default everywhere. */
typedef struct tmesh_producer_options {
    /* Fronts, separated by commas; at most 64.  May be NULL when `embed` is set. */
    const char *connect;
    /* Starts a ventilator inside this process as well, and submits to it without a
     * network; its `bind` may be NULL, or name a front for workers elsewhere.  It has a
     * thread of its own; while few tasks are under way, whoever does this producer's
     * talking does the ventilator's as well, and calls its `log`. */
    const tmesh_ventilator_options_t *embed;
    const char *label;         /* shown to operators; default: host and process */
    uint32_t outbox_max;       /* tasks not accepted yet; default 100,000 */
    uint64_t outbox_bytes_max; /* default 256 MiB */
    uint32_t awaited_max;      /* tasks accepted and awaited: for their result, or because they are
                                  guarded; default 1,000,000 */
    /* Answers waiting to be polled; default 256 MiB.  Beyond it the producer stops
     * reading results: nothing is lost, all slows down; 1 MiB further on, submissions
     * find it full. */
    uint64_t answers_bytes_max;
    /* A task that no ventilator accepted for so long ends unknown; default 0: never,
     * it is sent again until one does. */
    uint32_t unknown_after_ms;
    enum tmesh_guard guard;
    /* Guarded: how long a ventilator may be without a session before its tasks are
     * given to others; default 10 s.  Less than it takes to be back from a restart
     * or a lost connection makes tasks run twice. */
    uint32_t failover_after_ms;
    /* Guarded: payloads of all tasks that did not end, the outbox included; beyond
     * it submissions find the producer full.  Default: 256 MiB, or outbox_bytes_max
     * if that is more. */
    uint64_t guarded_bytes_max;
    /* A directory on a local disk for this producer alone; made if it is not there.
     * NULL: no spool. */
    const char *spool;
    uint64_t spool_bytes_max; /* on disk (64 MiB to 32 GiB); default 1 GiB.  A little before it is
                                 reached, or the disk is full, submissions find the producer full,
                                 and also while 8 MiB are on their way to the disk */
    enum tmesh_spool_sync spool_sync;
    /* Its thread looks so long for messages and submissions before it sleeps, in
     * microseconds, at most 1,000,000: latency bought with a processor.  Default 0: it
     * sleeps at once.  `embed` has its own; whoever does the talking of both goes by the
     * longer. */
    uint32_t spin_us;
    tmesh_log_fn *log;
    void *log_context;
    enum tmesh_level log_level; /* lines below it are not made; default TMESH_DEBUG: all are */
} tmesh_producer_options_t;

/* Starts a producer.  Does not wait for a connection.  Returns NULL on failure:
 * TMESH_E_INVALID, TMESH_E_ENDPOINT, TMESH_E_BIND, TMESH_E_SYSTEM; with a spool also
 * TMESH_E_LOCKED (another producer uses it), TMESH_E_DAMAGED (what is on disk is not what was
 * written: `tmesh journal check` tells more, and nothing was changed), TMESH_E_JOURNAL (the
 * directory cannot be used: `error` says why).  `options` is read during the call only. */
TMESH_EXPORT tmesh_producer_t *tmesh_producer_new(const tmesh_producer_options_t *options,
                                                  tmesh_error_t *error);

/* The front of the embedded ventilator, for workers elsewhere; NULL when there
 * is none or it has no `bind`.  Borrowed until the producer is destroyed. */
TMESH_EXPORT const char *tmesh_producer_endpoint(const tmesh_producer_t *producer);

/* Waits until a session with at least one ventilator stands.
 * TMESH_E_UNREACHABLE: none does after `timeout_ms`; TMESH_E_REFUSED: all that
 * answered refused; TMESH_E_CLOSED: the producer was closed.  `error` names the
 * endpoints, or one whose host name has no address, or one that refused and what it said. */
TMESH_EXPORT enum tmesh_err tmesh_producer_connected(tmesh_producer_t *producer,
                                                     uint32_t timeout_ms, tmesh_error_t *error);

enum tmesh_deliver {
    TMESH_DELIVER_NONE = 0, /* no result wanted, nor told: done once accepted.  Cancelled before
                               that it answers `ended` all the same */
    TMESH_DELIVER_POLL,     /* by tmesh_producer_poll */
    TMESH_DELIVER_WAIT      /* kept for tmesh_producer_wait with this id */
};

typedef struct tmesh_task {
    const char *name;    /* required */
    const char *queue;   /* NULL: "default" */
    const void *payload; /* copied; may be NULL when payload_bytes is 0 */
    size_t payload_bytes;
    /* All zero: a new one is made.  The same id again, while the task is known to its
     * ventilator, is the same task, whoever submits it: it does not run for each of them.  Its
     * result goes to the producer that asked last, and one that waited for it until then is
     * answered `unknown`.  Of two that are both there the younger one keeps it: what the older
     * submits afterwards is rejected, as it may come from a process that died meanwhile. */
    tmesh_id_t id;
    /* What becomes of it when it fails; each 0: the ventilator's default. */
    uint32_t attempts_max; /* failed runs before it is given up; at most 65,535 */
    uint32_t crashes_max;  /* deaths of its handler's process before it counts as poison; each is
                              a failed run too; at most 65,535 */
    uint32_t backoff_ms; /* before its second run it waits 0 to this, doubling with each failure */
    uint32_t backoff_ms_max; /* but never longer than this */
    uint32_t limit_ms; /* how long one run may take, from its beginning; over it the run is ended
                          and counts as failed, with a reason that says so.  0: as its worker
                          says (time_limit_ms), which by default is for ever */
    uint32_t soft_limit_ms;    /* after so long a run is asked to end: tmesh_job_should_stop says
                                  yes, and a command gets SIGTERM.  What it returns then counts.
                                  0: as its worker says (soft_time_limit_ms) */
    uint32_t stalled_after_ms; /* a run that does not call tmesh_job_progress for so long is ended
                                  as one over `limit_ms`.  0: as its worker says */
    enum tmesh_deliver deliver;
    bool report_accepted; /* tell acceptance too, as an answer of its own */
    /* Tell what its handler says of its progress, by tmesh_producer_poll, each time as an
     * answer of its own.  Only the latest of each task waits to be polled, and those of at
     * most 1,024 tasks, of which the oldest make way; none comes after the end.  It travels
     * at most every 100 ms, and may get lost.  Not with TMESH_DELIVER_NONE, and not for
     * tasks that a later run finds in a spool. */
    bool report_progress;
    void *tag; /* comes back with every answer; not looked at */
} tmesh_task_t;

/* Hands a task over.  *id (if not NULL) receives its id, also on error.
 *   TMESH_E_INVALID    name or queue break the rule, progress but no result is wanted, or an
 *                      answer to the same id is kept for tmesh_producer_wait.  (Any other id
 *                      that is in this producer already answers `rejected`.)
 *   TMESH_E_TOO_BIG    the payload is over TMESH_PAYLOAD_BYTES_MAX
 *   TMESH_E_FULL       the outbox was still full after `timeout_ms`, or as many tasks are
 *                      awaited, or answers kept for tmesh_producer_wait, as may be; 0 never
 *                      waits
 *   TMESH_E_CLOSED     tmesh_producer_close was called, or the producer is one of the process that
 *                      this one was forked from
 *   TMESH_E_JOURNAL    the disk of the spool failed, now or earlier; the log says how.  What was
 *                      taken before goes on its way, but nothing more is taken
 *   TMESH_E_SYSTEM     out of memory
 * On an error the task is not taken (after TMESH_E_JOURNAL it may still be found in the spool by
 * the next run).  With TMESH_SPOOL_EACH it also waits for the disk, whatever `timeout_ms` says. */
TMESH_EXPORT enum tmesh_err tmesh_producer_submit(tmesh_producer_t *producer,
                                                  const tmesh_task_t *task, uint32_t timeout_ms,
                                                  tmesh_id_t *id);

enum tmesh_answer_kind {
    TMESH_ACCEPTED,
    TMESH_REJECTED,
    TMESH_UNKNOWN,
    TMESH_ENDED,
    TMESH_PROGRESS /* its run goes on: what its handler said of that, see report_progress */
};

typedef struct tmesh_answer {
    enum tmesh_answer_kind kind;
    tmesh_id_t id;
    void *tag;
    enum tmesh_state state; /* ENDED */
    uint32_t attempt;       /* ENDED: the attempt that ended it, 1 for the first, 0 when it was
                               cancelled before; PROGRESS: the one that is running */
    const void *result;     /* ENDED: what the handler returned, or what a command that failed
                               put out in its last run; NULL when there is none */
    size_t result_bytes;
    const char *reason; /* REJECTED, UNKNOWN, and ENDED unless done; also when it was done before
                           under this id and its result is no longer kept; else NULL */
    uint64_t number;    /* PROGRESS: as its handler gave them to tmesh_job_progress */
    const char *text; /* PROGRESS: at most TMESH_PROGRESS_BYTES_MAX bytes, "" for none; else NULL */
} tmesh_answer_t;

/* Called once for each answer; the answer is borrowed for the call.  May
 * submit, must not destroy. */
typedef void tmesh_answer_fn(const tmesh_answer_t *answer, void *context);

/* Hands out the answers that are there, waiting up to `timeout_ms` for the
 * first.  Returns how many it handed out, at most `answers_max` (0: all that
 * are there). */
TMESH_EXPORT size_t tmesh_producer_poll(tmesh_producer_t *producer, uint32_t timeout_ms,
                                        size_t answers_max, tmesh_answer_fn *handle, void *context);

/* A descriptor that is readable while answers wait to be polled, for the host's
 * own event loop.  Only to be watched: never read it or close it.  -1 in a forked
 * child. */
TMESH_EXPORT int tmesh_producer_fd(tmesh_producer_t *producer);

/* Waits for the one answer to a task submitted with TMESH_DELIVER_WAIT and
 * hands it to `handle` in the calling thread.  TMESH_E_TIMEOUT: not yet, wait
 * again; TMESH_E_NOT_FOUND: no such task waits here, or it was told already. */
TMESH_EXPORT enum tmesh_err tmesh_producer_wait(tmesh_producer_t *producer, const tmesh_id_t *id,
                                                uint32_t timeout_ms, tmesh_answer_fn *handle,
                                                void *context);

/* Waits until this producer is needed no more for what was submitted: each was
 * accepted or refused, and when guarded each that was accepted has ended.
 * TMESH_E_TIMEOUT: it is still needed for some. */
TMESH_EXPORT enum tmesh_err tmesh_producer_flush(tmesh_producer_t *producer, uint32_t timeout_ms);

/* Waits until everything submitted so far is on disk.  TMESH_E_TIMEOUT: not yet;
 * TMESH_E_JOURNAL: the disk failed, and what was submitted since the last
 * successful flush may be in memory only; TMESH_E_INVALID: there is no spool. */
TMESH_EXPORT enum tmesh_err tmesh_producer_spool_flush(tmesh_producer_t *producer,
                                                       uint32_t timeout_ms);

typedef struct tmesh_producer_counts {
    uint32_t ventilators; /* with a session now */
    uint32_t busy;        /* of these, taking no task for now: a limit reached, or draining */
    uint32_t outbox;      /* not accepted yet */
    uint32_t awaited;     /* accepted, not ended yet */
    uint64_t submitted, accepted, rejected, unknown;
    uint64_t ended;         /* guarded: those whose result nobody wanted included */
    uint64_t resent;        /* before they were accepted */
    uint64_t failed_over;   /* guarded: submitted again after they were accepted */
    uint32_t spooled;       /* in the spool now */
    uint32_t recovered;     /* found in it at the start; not among `submitted` */
    uint32_t hosts_unknown; /* endpoints with a host name for which no address was found when it
                               was looked up last: it is again, but may be mistyped */
} tmesh_producer_counts_t;

TMESH_EXPORT void tmesh_producer_counts(tmesh_producer_t *producer,
                                        tmesh_producer_counts_t *counts);

/* Takes no more submissions, flushes for at most `timeout_ms`, waits for the disk
 * of a spool, and stops the thread.  The spool can then be opened again.  Answers that arrived can
 * still be polled.  An embedded ventilator is drained within the same time.  TMESH_E_TIMEOUT: some
 * submissions were given up, accepted ones whose result was awaited among them, and each of them
 * answers `unknown` (but not a guarded one whose result was not wanted: from now
 * on only its ventilator answers for it), and those in a spool will be found by
 * the next run, as the reason says; or the embedded ventilator holds tasks
 * that will be forgotten with it. */
TMESH_EXPORT enum tmesh_err tmesh_producer_close(tmesh_producer_t *producer, uint32_t timeout_ms);

/* Closes at once if that was not done, frees everything, and sets *producer to
 * NULL.  No other thread may be inside a call.  NULL is fine. */
TMESH_EXPORT void tmesh_producer_destroy(tmesh_producer_t **producer);

#ifdef __cplusplus
}
#endif
#endif
