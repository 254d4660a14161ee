/* worker_limit.c - how long a run may take, and what becomes of one that takes longer.
 *
 * Owns: the alarms of jobs with a time limit.  Not here: ending a run (the pool).
 *
 * A limit counts from the beginning of the run.  The pool need not wake us for
 * that: an alarm is never later than the limit would be if the job began right
 * now, and when it rings we have been told of every job that runs.
 *
 *   not begun   after half of lost_ns the job is recalled, since it waits behind
 *               others that take long, and the ventilator's patience with it is
 *               its limit and lost_ns
 *   begun       at its limit the pool is asked to end it
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

static uint64_t recall_due(const struct worker *worker, const struct worker_job *job)
{
    return instant_after(job->taken_ns, lost_ns_of(worker, job) / 2);
}

/* The job has not begun as far as we know. */
static void watch_waiting(struct worker *worker, uint32_t job)
{
    const struct worker_job *entry = &worker->jobs[job];
    uint64_t over_ns = instant_after(worker->now_ns, entry->limit_ms * MILLISECOND);
    uint64_t recall_ns = recall_due(worker, entry);
    bool recalled = recall_ns <= worker->now_ns;
    heap_set(&worker->alarms, job, recalled || over_ns < recall_ns ? over_ns : recall_ns);
}

void worker_limit_watch(struct worker *worker, uint32_t job)
{
    if (worker->jobs[job].limit_ms != 0) watch_waiting(worker, job);
}

void worker_limit_started(struct worker *worker, uint32_t job, uint64_t began_ns)
{
    const struct worker_job *entry = &worker->jobs[job];
    if (entry->limit_ms == 0) return;
    heap_set(&worker->alarms, job, instant_after(began_ns, entry->limit_ms * MILLISECOND));
}

/* Nothing that waits can begin before a handler returns that will not. */
static void recall_waiting(struct worker *worker, struct worker_actions *out)
{
    for (uint32_t link = 0; link < worker->options.link_count; link++) {
        uint32_t job = worker->links[link].held.first;
        for (; job != JOB_NONE; job = worker->jobs[job].next) {
            if (!worker->jobs[job].running) worker_job_ask(worker, WORKER_RECALL, job, out);
        }
    }
}

static void give_up(struct worker *worker, uint32_t job, struct worker_actions *out)
{
    worker_job_tell(worker, WORKER_HUNG, job, out);
    worker_work_give_up(worker, job);
    if (worker->hung == worker->options.slots) recall_waiting(worker, out);
}

static void ring(struct worker *worker, uint32_t job, struct worker_actions *out)
{
    struct worker_job *entry = &worker->jobs[job];
    assert(entry->state == JOB_HELD && entry->limit_ms != 0);
    if (!entry->running) {
        if (recall_due(worker, entry) <= worker->now_ns) {
            worker_job_ask(worker, WORKER_RECALL, job, out);
        }
        watch_waiting(worker, job);
    } else if (!entry->killed) {
        entry->killed = true;
        worker_job_ask(worker, WORKER_KILL, job, out);
        heap_set(&worker->alarms, job,
                 instant_after(worker->now_ns, lost_ns_of(worker, entry) / 4));
    } else {
        give_up(worker, job, out);
    }
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
