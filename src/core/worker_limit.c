/* worker_limit.c - how long a run may take, and what becomes of one that takes longer.
 *
 * Owns: the alarms of jobs with a limit.  Not here: ending a run (the pool), and
 * runs whose lease is over (worker_revoke.c).
 *
 * Limits count from the beginning of the run, but the one for stalled runs, which
 * counts from the latest sign of life.  The pool need not wake us for either: an
 * alarm is never later than the first limit would be if the job began right now,
 * and when it rings we have been told of every job that runs, and of every sign.
 *
 *   not begun   with a time limit, after half of lost_ns the job is recalled, since
 *               it waits behind others that take long, and the ventilator's
 *               patience with it is its limit and lost_ns
 *   begun       at its soft limit it is asked to end; at its limit, or when it
 *               stalled, the pool is asked to end it
 *   not ended   a quarter of lost_ns later it is given up: its task fails and can
 *               run elsewhere, its slot is taken until the handler returns
 */
#include "worker_state.h"

#include <assert.h>

enum { ALARMS_EACH_STEP = 256 };

static uint64_t lost_ns_of(const struct worker *worker, const struct worker_job *job)
{
    return worker->links[job->link].uplink.lost_ns;
}

/* `limit_ms` after `from_ns`; 0 is no limit. */
static uint64_t limit_due(uint64_t from_ns, uint32_t limit_ms)
{
    return limit_ms == 0 ? INSTANT_NEVER : instant_after(from_ns, limit_ms * MILLISECOND);
}

static uint64_t earlier(uint64_t a_ns, uint64_t b_ns)
{
    return a_ns < b_ns ? a_ns : b_ns;
}

static bool is_limited(const struct worker_job *job)
{
    return (job->limit_ms | job->soft_ms | job->stalled_ms) !=
           0; /* one by one: see worker_state.h */
}

static uint64_t recall_due(const struct worker *worker, const struct worker_job *job)
{
    if (job->limit_ms == 0) return INSTANT_NEVER;
    return instant_after(job->since_ns, lost_ns_of(worker, job) / 2);
}

/* The job has not begun as far as we know. */
static void watch_waiting(struct worker *worker, uint32_t job)
{
    const struct worker_job *entry = &worker->jobs[job];
    uint64_t due_ns = earlier(limit_due(worker->now_ns, entry->limit_ms),
                              limit_due(worker->now_ns, entry->stalled_ms));
    due_ns = earlier(due_ns, limit_due(worker->now_ns, entry->soft_ms));
    uint64_t recall_ns = recall_due(worker, entry);
    bool recalled = recall_ns <= worker->now_ns;
    heap_set(&worker->alarms, job, recalled ? due_ns : earlier(due_ns, recall_ns));
}

static void watch_running(struct worker *worker, uint32_t job)
{
    const struct worker_job *entry = &worker->jobs[job];
    uint64_t due_ns = earlier(limit_due(entry->since_ns, entry->limit_ms),
                              limit_due(entry->alive_ns, entry->stalled_ms));
    if (!entry->told) due_ns = earlier(due_ns, limit_due(entry->since_ns, entry->soft_ms));
    if (due_ns == INSTANT_NEVER)
        heap_remove(&worker->alarms, job);
    else
        heap_set(&worker->alarms, job, due_ns);
}

void worker_limit_watch(struct worker *worker, uint32_t job)
{
    if (is_limited(&worker->jobs[job])) watch_waiting(worker, job);
}

void worker_limit_started(struct worker *worker, uint32_t job)
{
    if (is_limited(&worker->jobs[job])) watch_running(worker, job);
}

static void give_up(struct worker *worker, uint32_t job, struct worker_actions *out)
{
    worker_job_tell(worker, WORKER_HUNG, job, out);
    if (worker->jobs[job].state == JOB_HELD)
        worker_work_give_up(worker, job);
    else
        worker_job_give_up(worker, job);
}

void worker_limit_kill(struct worker *worker, uint32_t job, enum end_cause cause,
                       struct worker_actions *out)
{
    struct worker_job *entry = &worker->jobs[job];
    entry->killed = true;
    entry->cause = cause;
    worker_job_end(worker, WORKER_KILL, job, cause, out);
    heap_set(&worker->alarms, job, instant_after(worker->now_ns, lost_ns_of(worker, entry) / 4));
}

static void ring_waiting(struct worker *worker, uint32_t job, struct worker_actions *out)
{
    if (recall_due(worker, &worker->jobs[job]) <= worker->now_ns) {
        worker_job_recall(worker, job, out);
    }
    watch_waiting(worker, job);
}

/* A sign of life may have come since the alarm was set: then nothing is due. */
static void ring_running(struct worker *worker, uint32_t job, struct worker_actions *out)
{
    struct worker_job *entry = &worker->jobs[job];
    uint64_t limit_ns = limit_due(entry->since_ns, entry->limit_ms);
    uint64_t stalled_ns = limit_due(entry->alive_ns, entry->stalled_ms);
    if (earlier(limit_ns, stalled_ns) <= worker->now_ns) {
        worker_limit_kill(worker, job, limit_ns <= stalled_ns ? END_LIMIT : END_STALLED, out);
        return;
    }
    if (!entry->told && limit_due(entry->since_ns, entry->soft_ms) <= worker->now_ns) {
        entry->told = true;
        worker_job_end(worker, WORKER_TELL, job, END_SOFT_LIMIT, out);
    }
    watch_running(worker, job);
}

static void ring(struct worker *worker, uint32_t job, struct worker_actions *out)
{
    const struct worker_job *entry = &worker->jobs[job];
    if (entry->killed && entry->running)
        give_up(worker, job, out);
    else if (entry->revoked)
        worker_revoke_ring(worker, job, out);
    else if (entry->running)
        ring_running(worker, job, out);
    else
        ring_waiting(worker, job, out);
}

void worker_limit_tick(struct worker *worker, struct worker_actions *out)
{
    for (uint32_t left = ALARMS_EACH_STEP;; left--) {
        const struct heap_entry *due = heap_first(&worker->alarms);
        if (due == NULL || due->key > worker->now_ns) return;
        if (left == 0) {
            out->more = true;
            return;
        }
        ring(worker, due->owner, out);
    }
}

uint64_t worker_limit_deadline(const struct worker *worker)
{
    const struct heap_entry *first = heap_first(&worker->alarms);
    return first == NULL ? INSTANT_NEVER : first->key;
}
