/* worker_revoke.c - leases that are over, and tasks that are wanted back.
 *
 * Owns: what becomes of a job whose task was cancelled or given to somebody else,
 * whether REVOKE or WELCOME says so.  Not here: ending a run (the pool), and how
 * long one may take to end when it was killed (worker_limit.c).
 *
 *   not begun   the pool gives it back, and nobody is told
 *   begun       it is asked to end, and not completed however it ends; after
 *               GRACE_NS the pool is asked to end it
 *   finished    it is completed no more
 *
 * RECALL is a question: what has not begun comes back as RETURNED, the rest goes on.
 */
#include "worker_state.h"

static const uint64_t GRACE_NS = SECOND;

static uint32_t find(const struct worker *worker, uint32_t link, const struct lease *lease)
{
    uint32_t job = worker_job_find(worker, lease);
    return job != JOB_NONE && worker->jobs[job].link == link ? job : JOB_NONE;
}

/* The pool may have begun it without our knowing yet: then the recall finds
 * nothing, and what is told finds the run. */
static void revoke_held(struct worker *worker, uint32_t job, struct worker_actions *out)
{
    if (!worker->jobs[job].running) worker_job_recall(worker, job, out);
    worker_job_end(worker, WORKER_TELL, job, END_REVOKED, out);
    worker_job_drop(worker, job);
    worker->jobs[job].revoked = true;
    heap_set(&worker->alarms, job, instant_after(worker->now_ns, GRACE_NS));
}

void worker_revoke_lease(struct worker *worker, uint32_t link, const struct lease *lease,
                         struct worker_actions *out)
{
    uint32_t job = find(worker, link, lease);
    if (job == JOB_NONE) return;
    switch ((enum worker_job_state)worker->jobs[job].state) {
    case JOB_HELD: revoke_held(worker, job, out); return;
    case JOB_OWED: worker_job_release(worker, job); return;
    case JOB_DROPPED:
    case JOB_FREE: return;
    }
}

void worker_revoke_receive(struct worker *worker, uint32_t link,
                           const struct message_leases *leases, struct worker_actions *out)
{
    for (uint32_t i = 0; i < leases->count && i < MESSAGE_ITEMS_MAX; i++) {
        worker_revoke_lease(worker, link, &leases->leases[i], out);
    }
}

/* One that a pool ends without having told that it began is no run that hangs. */
void worker_revoke_ring(struct worker *worker, uint32_t job, struct worker_actions *out)
{
    if (worker->jobs[job].killed)
        heap_remove(&worker->alarms, job);
    else
        worker_limit_kill(worker, job, END_REVOKED, out);
}

/* They are named latest first, and asked of the pool in their old order. */
void worker_revoke_recall(struct worker *worker, uint32_t link, const struct message_leases *leases,
                          struct worker_actions *out)
{
    uint32_t left = leases->count < MESSAGE_ITEMS_MAX ? leases->count : MESSAGE_ITEMS_MAX;
    while (left > 0) {
        uint32_t job = find(worker, link, &leases->leases[--left]);
        if (job == JOB_NONE || worker->jobs[job].run != RUN_WAITING) continue;
        worker_job_recall(worker, job, out);
        worker->links[link].recalled_ns = worker->now_ns;
    }
}
