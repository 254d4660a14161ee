/* application.c - submissions, and submissions again. */
#include "application.h"

#include "chance.h"
#include "mesh.h"

static void wake_after(struct mesh *mesh, const struct node *node, uint64_t delay_ns)
{
    agenda_add(&mesh->agenda, mesh->now_ns + 1 + delay_ns, AGENDA_APPLY, node->number,
               node->process);
}

static bool submit(struct mesh *mesh, struct node *node, uint32_t task)
{
    struct producer_node *producer = &node->producer;
    if (producer->staged_count == TASKS_MAX) return false;
    uint32_t ticket = ledger_add_submission(&mesh->ledger, task, node->number, node->process);
    mesh->ledger.submissions[ticket].staged_ns = node_now(mesh, node);
    producer->staged[(producer->staged_first + producer->staged_count++) % TASKS_MAX] = ticket;
    if (story_is_told(mesh)) {
        story_tell(mesh, "%s submits %s", node->name,
                   story_task(mesh, &mesh->ledger.tasks[task].id));
    }
    return true;
}

/* The latest submission of a task decides whether it is to be submitted again. */
static const struct ledger_submission *latest(const struct ledger *ledger, uint32_t task)
{
    uint32_t submission = ledger->tasks[task].submissions;
    return submission == 0 ? NULL : &ledger->submissions[submission - 1];
}

static void submit_again(struct mesh *mesh, struct node *node)
{
    const struct ledger *ledger = &mesh->ledger;
    for (uint32_t task = 0; task < ledger->task_count; task++) {
        const struct ledger_submission *last = latest(ledger, task);
        if (last == NULL || last->node != node->number) continue;
        bool lost = last->state == SUBMISSION_ABANDONED || last->state == SUBMISSION_UNKNOWN;
        if (!lost || !chance_ppm(&mesh->chance, mesh->plan.again_ppm)) continue;
        if (!submit(mesh, node, task)) return;
    }
}

void application_rise(struct mesh *mesh, struct node *node)
{
    if (node->process > 1) submit_again(mesh, node);
    wake_after(mesh, node, chance_about(&mesh->chance, mesh->plan.submit_every_ns));
}

/* One of the latest tasks, if it is its own and has not ended, however far it is. */
static void cancel(struct mesh *mesh, struct node *node)
{
    struct producer_node *producer = &node->producer;
    struct ledger *ledger = &mesh->ledger;
    if (producer->cancel_count == TASKS_MAX) return;
    uint32_t back = (uint32_t)chance_below(&mesh->chance, 24);
    uint32_t ticket = ledger->submission_count - 1 - back;
    if (back >= ledger->submission_count) return;
    struct ledger_submission *submission = &ledger->submissions[ticket];
    if (submission->node != node->number || submission->process != node->process) return;
    if (submission->state > SUBMISSION_ACCEPTED || submission->was_cancelled) return;
    submission->was_cancelled = true;
    producer->cancels[producer->cancel_count++] = ticket;
    if (!story_is_told(mesh)) return;
    story_tell(mesh, "%s cancels %s", node->name,
               story_task(mesh, &ledger->tasks[submission->task].id));
}

/* Nobody is left to be told. */
void application_fall(struct mesh *mesh, struct node *node)
{
    struct ledger *ledger = &mesh->ledger;
    for (uint32_t ticket = 0; ticket < ledger->submission_count; ticket++) {
        struct ledger_submission *submission = &ledger->submissions[ticket];
        if (submission->node != node->number || submission->process != node->process) continue;
        bool waits = submission->state == SUBMISSION_STAGED ||
                     (submission->state == SUBMISSION_ACCEPTED &&
                      ledger->tasks[submission->task].wants_result);
        if (!waits) continue;
        submission->state = SUBMISSION_ABANDONED;
        ledger->unanswered--;
    }
}

void application_on_apply(struct mesh *mesh, uint32_t number, uint32_t process)
{
    struct node *node = &mesh->nodes[number];
    if (!node->up || node->process != process) return;
    if (node_is_frozen(mesh, node)) {
        agenda_add(&mesh->agenda, node->frozen_until_ns + 1, AGENDA_APPLY, number, process);
        return;
    }
    if (mesh->phase != PHASE_FAULTS) return; /* its work is done */
    uint64_t count = chance_between(&mesh->chance, 1, mesh->plan.burst);
    for (; count > 0 && mesh->ledger.task_count < mesh->plan.tasks; count--) {
        if (!submit(mesh, node, ledger_add_task(mesh))) break;
        if (chance_ppm(&mesh->chance, mesh->plan.cancel_ppm)) cancel(mesh, node);
    }
    if (chance_one_in(&mesh->chance, 16)) submit_again(mesh, node);
    node_rouse(mesh, node);
    wake_after(mesh, node, chance_about(&mesh->chance, mesh->plan.submit_every_ns));
}

void application_told(struct mesh *mesh, struct node *node, const struct producer_action *action)
{
    if (!story_is_told(mesh)) return;
    const char *what = action->kind == PRODUCER_ACCEPTED   ? "accepted"
                       : action->kind == PRODUCER_REJECTED ? "rejected"
                       : action->kind == PRODUCER_ENDED    ? "ended"
                                                           : "unknown";
    story_tell(mesh, "%s is told: %s %s", node->name, story_task(mesh, &action->result.id), what);
}

struct submission application_submission(const struct mesh *mesh, uint32_t ticket)
{
    uint32_t number = mesh->ledger.submissions[ticket].task;
    const struct ledger_task *task = &mesh->ledger.tasks[number];
    return (struct submission){
        .id = task->id,
        .name = ledger_name(task->name),
        .queue = task->queue == 0 ? (struct bytes){0} : ledger_queue(task->queue),
        .payload = ledger_payload(&mesh->ledger, number),
        .flags = task->asks_result ? SUBMISSION_WANTS_RESULT : 0,
        .attempts_max = task->attempts_max,
        .limit_ms = task->limit_ms,
        .soft_ms = task->soft_ms,
        .stalled_ms = task->stalled_ms,
    };
}
