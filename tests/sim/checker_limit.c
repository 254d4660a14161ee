/* checker_limit.c - what a worker does about time limits, by the clock of its pool.
 *
 * A run that was asked to end because its lease is over has another measure, its grace.
 */
#include "checker_limit.h"

#include "checker.h"
#include "mesh.h"

static bool is_over(uint64_t from_ns, uint32_t limit_ms, uint64_t now_ns)
{
    return limit_ms != 0 && now_ns >= from_ns + limit_ms * MILLISECOND;
}

void checker_limit_ends(struct mesh *mesh, const struct node *worker, const struct pool_job *run,
                        enum end_cause cause)
{
    uint64_t now_ns = node_now(mesh, worker);
    bool due = false;
    switch (cause) {
    case END_SOFT_LIMIT: due = is_over(run->began_ns, run->soft_ms, now_ns); break;
    case END_LIMIT: due = is_over(run->began_ns, run->limit_ms, now_ns); break;
    case END_STALLED: due = is_over(run->alive_ns, run->stalled_ms, now_ns); break;
    case END_REVOKED: due = true; break;
    }
    if (due) return;
    checker_fail(mesh, "limit", "%s ends a run of %s before its time", worker->name,
                 story_task(mesh, &run->lease.id));
}

static bool begins_with(struct bytes text, const char *beginning)
{
    struct bytes first = bytes_text(beginning);
    if (text.size < first.size) return false;
    return bytes_equal(bytes_of(text.data, first.size), first);
}

/* One that goes on is said to have failed when it cannot be ended, with the reason. */
void checker_limit_says(struct mesh *mesh, const struct node *worker,
                        const struct completion *completion)
{
    uint32_t task = ledger_find(&mesh->ledger, &completion->lease.id);
    if (task == LEDGER_NONE) return;
    const struct grant *grant = ledger_grant(&mesh->ledger, task, &completion->lease);
    if (grant == NULL || !grant->started || grant->finished) return;
    bool given_up = completion->outcome == OUTCOME_FAILED &&
                    (begins_with(completion->text, "over its time limit of ") ||
                     begins_with(completion->text, "no sign of life for "));
    if (given_up) return;
    checker_fail(mesh, "limit", "%s completes %s, which runs", worker->name,
                 story_task(mesh, &completion->lease.id));
}

void checker_limit_turn(struct mesh *mesh, const struct node *worker, uint64_t now_ns)
{
    const struct pool *pool = &worker->worker.pool;
    for (uint32_t slot = 0; slot < pool->slots; slot++) {
        const struct pool_job *run = &pool->running[slot];
        if (!pool->busy[slot] || !pool->told[slot] || run->revoked || run->killed) continue;
        bool over = is_over(run->began_ns, run->limit_ms, now_ns) ||
                    is_over(run->alive_ns, run->stalled_ms, now_ns);
        bool unasked = !run->asked && is_over(run->began_ns, run->soft_ms, now_ns);
        if (!over && !unasked) continue;
        checker_fail(mesh, "limit", "%s lets %s run on, which is over a limit", worker->name,
                     story_task(mesh, &run->lease.id));
    }
}

void checker_limit_progress(struct mesh *mesh, const struct node *producer,
                            const struct producer_action *action)
{
    uint32_t task = ledger_find(&mesh->ledger, &action->result.id);
    const struct ledger_submission *submission = &mesh->ledger.submissions[action->ticket];
    bool ours = task != LEDGER_NONE && submission->task == task &&
                submission->node == producer->number && submission->process == producer->process;
    if (ours && action->number > 0) return;
    checker_fail(mesh, "unexpected", "%s hears how far a task is that it did not submit",
                 producer->name);
}
