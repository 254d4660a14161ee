/* checker.c - what is noted of a violation, of runs, of what applications hear, and the end. */
#include "checker.h"

#include "checker_drain.h"
#include "checker_limit.h"
#include "mesh.h"

#include <stdarg.h>
#include <stdio.h>

void checker_fail(struct mesh *mesh, const char *rule, const char *format, ...)
{
    struct violation *violation = &mesh->violation;
    if (violation->found) return;
    violation->found = true;
    violation->at_ns = mesh->now_ns;
    (void)snprintf(violation->rule, sizeof violation->rule, "%s", rule);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(violation->text, sizeof violation->text, format, arguments);
    va_end(arguments);
    if (story_is_told(mesh)) story_tell(mesh, "VIOLATION %s: %s", rule, violation->text);
}

void checker_life_over(struct mesh *mesh, uint32_t life)
{
    mesh->counts.forfeited += mesh->ledger.lives[life].open;
    ledger_end_life(&mesh->ledger, life);
}

/* ---- Runs ---- */

/* Whether the worker had room for it, whatever became of it then. */
static bool was_taken(struct mesh *mesh, const struct lease *lease)
{
    uint32_t number = ledger_find(&mesh->ledger, &lease->id);
    const struct grant *grant =
        number == LEDGER_NONE ? NULL : ledger_grant(&mesh->ledger, number, lease);
    return grant != NULL && grant->assigned;
}

/* Handlers here do not end when they are told: a worker that was told of enough leases
 * that are over has no slot left, until one of them does. */
static bool is_stuck(const struct node *worker)
{
    struct worker_counts counts;
    worker_counts(worker->worker.core, &counts);
    return counts.hung >= worker->worker.pool.slots;
}

/* Credit is what a worker has room for.  What is recalled, or would have to wait for
 * long, it may give back later. */
void checker_worker_says(struct mesh *mesh, const struct node *worker,
                         const struct message *message)
{
    if (message->kind != MESSAGE_COMPLETE) return;
    for (uint32_t at = 0; at < message->u.complete.count; at++) {
        checker_limit_says(mesh, worker, &message->u.complete.items[at]);
    }
    if (worker->draining || is_stuck(worker)) return;
    for (uint32_t at = 0; at < message->u.complete.count; at++) {
        const struct completion *item = &message->u.complete.items[at];
        if (item->outcome != OUTCOME_RETURNED || was_taken(mesh, &item->lease)) continue;
        checker_fail(mesh, "credit", "%s has no room for %s, and gave credit for it", worker->name,
                     story_task(mesh, &item->lease.id));
    }
}

void checker_assigned(struct mesh *mesh, const struct node *worker,
                      const struct assignment *assignment)
{
    const struct lease *lease = &assignment->lease;
    uint32_t number = ledger_find(&mesh->ledger, &lease->id);
    if (number == LEDGER_NONE) {
        mesh->counts.unexpected++;
        checker_fail(mesh, "unexpected", "%s runs a task that nobody submitted", worker->name);
        return;
    }
    const struct ledger_task *task = &mesh->ledger.tasks[number];
    if (!bytes_equal(assignment->name, ledger_name(task->name)) ||
        !bytes_equal(assignment->payload, ledger_payload(&mesh->ledger, number))) {
        checker_fail(mesh, "content", "%s runs %s with another name or payload than submitted",
                     worker->name, story_task(mesh, &lease->id));
    }
    bool serves = (worker->worker.names >> task->name & worker->worker.queues >> task->queue & 1);
    if (!serves) {
        checker_fail(mesh, "unexpected", "%s runs %s, which it does not serve", worker->name,
                     story_task(mesh, &lease->id));
    }
    struct grant *grant = ledger_grant(&mesh->ledger, number, lease);
    if (grant == NULL) {
        mesh->counts.unexpected++;
        checker_fail(mesh, "unexpected", "%s runs %s under a lease that nobody gave", worker->name,
                     story_task(mesh, &lease->id));
        return;
    }
    grant->assigned = true;
}

void checker_started(struct mesh *mesh, const struct node *worker, const struct lease *lease)
{
    uint32_t number = ledger_find(&mesh->ledger, &lease->id);
    if (number == LEDGER_NONE) return; /* told when it was assigned */
    struct grant *grant = ledger_grant(&mesh->ledger, number, lease);
    if (grant == NULL) return;
    mesh->counts.executions++;
    if (mesh->ledger.tasks[number].starts++ > 0) mesh->counts.duplicates++;
    if (story_is_told(mesh)) {
        story_tell(mesh, "%s starts %s, attempt %u", worker->name, story_task(mesh, &lease->id),
                   lease->attempt);
    }
    if (grant->started) {
        checker_fail(mesh, "one run", "%s starts %s a second time under one lease", worker->name,
                     story_task(mesh, &lease->id));
    }
    if (grant->node != LEDGER_NONE && grant->node != worker->number) {
        checker_fail(mesh, "one run", "%s starts %s under the lease of another worker",
                     worker->name, story_task(mesh, &lease->id));
    }
    grant->started = true;
    grant->node = worker->number;
    grant->process = worker->process;
}

void checker_finished(struct mesh *mesh, const struct node *worker, const struct lease *lease,
                      enum outcome outcome)
{
    static const char *const names[] = {"done", "failed", "permanent", "crashed", "returned"};
    uint32_t number = ledger_find(&mesh->ledger, &lease->id);
    if (number == LEDGER_NONE) return;
    struct grant *grant = ledger_grant(&mesh->ledger, number, lease);
    if (grant == NULL) return;
    grant->finished = true;
    grant->outcome = outcome;
    if (story_is_told(mesh)) {
        story_tell(mesh, "%s ends %s, attempt %u: %s", worker->name, story_task(mesh, &lease->id),
                   lease->attempt, names[outcome]);
    }
}

bool checker_may_go_on(struct mesh *mesh, const struct node *node, uint32_t times)
{
    enum { TIMES_MAX = 1000 };
    if (times < TIMES_MAX) return true;
    checker_fail(mesh, "endless", "%s says `more` for ever", node->name);
    return false;
}

/* ---- The end ---- */

bool checker_is_done(const struct mesh *mesh)
{
    return mesh->ledger.unanswered == 0 && mesh->ledger.open == 0;
}

static void count_lost_tasks(struct mesh *mesh)
{
    struct ledger *ledger = &mesh->ledger;
    for (uint32_t number = 0; number < ledger->task_count; number++) {
        for (uint32_t at = ledger->tasks[number].custodies; at != 0;) {
            const struct custody *custody = &ledger->custodies[at - 1];
            at = custody->next;
            bool open = custody->state != TASK_NONE && custody->state < TASK_DONE;
            if (ledger->lives[custody->life].over || !open) continue;
            mesh->counts.lost++;
            checker_fail(mesh, "lost", "%s was accepted by v%u and never ended (state %d)",
                         story_task(mesh, &ledger->tasks[number].id),
                         ledger->lives[custody->life].node + 1, (int)custody->state);
        }
    }
}

static void count_unanswered(struct mesh *mesh)
{
    const struct ledger *ledger = &mesh->ledger;
    for (uint32_t ticket = 0; ticket < ledger->submission_count; ticket++) {
        const struct ledger_submission *submission = &ledger->submissions[ticket];
        const struct ledger_task *task = &ledger->tasks[submission->task];
        bool waits = submission->state == SUBMISSION_STAGED ||
                     (submission->state == SUBMISSION_ACCEPTED && task->wants_result);
        if (!waits) continue;
        mesh->counts.lost++;
        checker_fail(
            mesh, "lost", "%s was submitted by %s (process %u), which was never told %s",
            story_task(mesh, &task->id), mesh->nodes[submission->node].name, submission->process,
            submission->state == SUBMISSION_STAGED ? "whether it was accepted" : "how it ended");
    }
}

void checker_end(struct mesh *mesh)
{
    if (mesh->violation.found) return;
    count_lost_tasks(mesh);
    count_unanswered(mesh);
    checker_drain_end(mesh);
}
