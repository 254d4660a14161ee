/* checker_producer.c - what applications are told of their submissions. */
#include "checker.h"

#include "mesh.h"

#include <stdlib.h>

static const char *task_text(struct mesh *mesh, const struct ledger_submission *submission)
{
    return story_task(mesh, &mesh->ledger.tasks[submission->task].id);
}

/* The life of the ventilator that the producer's session is with. */
static uint32_t life_of(const struct node *node, uint32_t link)
{
    const struct line *line = &node->lines[link][PASSAGE_FRONT];
    return line->up ? line->life : LEDGER_NONE;
}

static void told_accepted(struct mesh *mesh, const struct node *node,
                          const struct producer_action *action,
                          struct ledger_submission *submission)
{
    uint32_t life = life_of(node, action->link);
    if (submission->state != SUBMISSION_STAGED) {
        checker_fail(mesh, "one answer", "%s hears ACCEPTED of %s after another answer", node->name,
                     task_text(mesh, submission));
    }
    struct custody *custody =
        life == LEDGER_NONE ? NULL : ledger_custody(&mesh->ledger, submission->task, life);
    if (custody == NULL || custody->state == TASK_NONE) {
        checker_fail(mesh, "accepted by nobody", "%s hears that v%u accepted %s, which it did not",
                     node->name, action->link + 1, task_text(mesh, submission));
    } else {
        custody->told_accepted = true;
    }
    submission->state = SUBMISSION_ACCEPTED;
    submission->life = life;
    submission->accepted_ns = node_now(mesh, node);
    if (!mesh->ledger.tasks[submission->task].wants_result) mesh->ledger.unanswered--;
}

static void told_unknown(struct mesh *mesh, const struct node *node,
                         struct ledger_submission *submission)
{
    const struct ledger *ledger = &mesh->ledger;
    bool waits = submission->state == SUBMISSION_STAGED;
    bool awaits =
        submission->state == SUBMISSION_ACCEPTED && ledger->tasks[submission->task].wants_result;
    if (!waits && !awaits) {
        checker_fail(mesh, "one answer", "%s hears UNKNOWN of %s after another answer", node->name,
                     task_text(mesh, submission));
        return;
    }
    if (waits) {
        uint64_t waited_ns = node_now(mesh, node) - submission->staged_ns;
        bool patient = mesh->plan.unknown_ns != 0 && waited_ns >= mesh->plan.unknown_ns;
        if (!patient) {
            checker_fail(mesh, "unknown too early", "%s gives %s up after %.3f s", node->name,
                         task_text(mesh, submission), (double)waited_ns / 1e9);
        }
    } else if (mesh->plan.guarded) {
        checker_fail(mesh, "guarded", "%s hears that nobody knows %s, although it guards it",
                     node->name, task_text(mesh, submission));
    } else if (!ledger->lives[submission->life].over && mesh->plan.absent_ns >= 600 * SECOND) {
        checker_fail(mesh, "unknown without cause", "%s hears that nobody knows %s, which v%u has",
                     node->name, task_text(mesh, submission),
                     ledger->lives[submission->life].node + 1);
    }
    submission->state = SUBMISSION_UNKNOWN;
    mesh->counts.unknown++;
    mesh->ledger.unanswered--;
}

static bool result_fits(const struct result *result, const struct custody *custody)
{
    if (custody->state != result->state) return false;
    if (result->reason == REASON_FORGOTTEN) return true;
    if (custody->attempt != result->attempt || custody->reason != result->reason) return false;
    if (result->state != TASK_DONE) return true;
    struct bytes made =
        ledger_outcome(&(struct lease){.attempt = custody->attempt, .token = custody->end_token});
    return (made.data == NULL) == (result->result.data == NULL) &&
           bytes_equal(made, result->result);
}

/* Wherever it was: with its ventilator, or still with its producer, which may also have
 * waited for long enough for a ventilator that is away. */
static void told_cancelled(struct mesh *mesh, struct ledger_submission *submission,
                           struct custody *custody)
{
    if (custody != NULL && custody->state == TASK_CANCELLED) custody->told_end = true;
    submission->state = SUBMISSION_ENDED;
    mesh->ledger.unanswered--;
}

static void told_end(struct mesh *mesh, const struct node *node,
                     const struct producer_action *action, struct ledger_submission *submission)
{
    const struct result *result = &action->result;
    uint32_t life = life_of(node, action->link);
    struct custody *custody =
        life == LEDGER_NONE ? NULL : ledger_custody(&mesh->ledger, submission->task, life);
    bool waits = submission->state == SUBMISSION_STAGED ||
                 (submission->state == SUBMISSION_ACCEPTED &&
                  mesh->ledger.tasks[submission->task].wants_result);
    if (waits && submission->was_cancelled && result->state == TASK_CANCELLED) {
        told_cancelled(mesh, submission, custody);
        return;
    }
    if (submission->state != SUBMISSION_ACCEPTED ||
        !mesh->ledger.tasks[submission->task].wants_result) {
        checker_fail(mesh, "one answer", "%s hears the end of %s unasked or again", node->name,
                     task_text(mesh, submission));
        return;
    }
    if (custody == NULL || custody->state < TASK_DONE) {
        checker_fail(mesh, "end of its own", "%s hears that %s ended at v%u, where it did not",
                     node->name, task_text(mesh, submission), action->link + 1);
    } else if (!result_fits(result, custody)) {
        checker_fail(mesh, "content",
                     "%s hears of %s another end (state %d, attempt %u) than v%u recorded "
                     "(state %d, attempt %u)",
                     node->name, task_text(mesh, submission), (int)result->state, result->attempt,
                     action->link + 1, (int)custody->state, custody->attempt);
    }
    if (custody != NULL) custody->told_end = true;
    submission->state = SUBMISSION_ENDED;
    mesh->ledger.unanswered--;
}

/* ---- Cancels ---- */

void checker_producer_says(struct mesh *mesh, struct node *producer, uint32_t link,
                           const struct message *message)
{
    (void)mesh;
    struct questions *questions = &producer->producer.questions[link];
    if (message->kind != MESSAGE_DISPOSE) return;
    if (questions->session != message->session) {
        questions->session = message->session;
        questions->heard = questions->first = questions->count = 0;
    }
    if (questions->count == QUESTIONS_MAX) abort();
    struct question *question =
        &questions->asked[(questions->first + questions->count++) % QUESTIONS_MAX];
    question->count = message->u.dispose.count;
    memcpy(question->ids, message->u.dispose.ids, question->count * sizeof question->ids[0]);
}

/* It was cancelled, and so it stays. */
static void answered(struct mesh *mesh, const struct node *producer, uint32_t link,
                     const struct id *id)
{
    uint32_t task = ledger_find(&mesh->ledger, id), life = life_of(producer, link);
    struct custody *custody =
        life == LEDGER_NONE ? NULL : ledger_custody(&mesh->ledger, task, life);
    if (life == LEDGER_NONE) return;
    if (custody == NULL || custody->state != TASK_CANCELLED) {
        checker_fail(mesh, "cancel", "%s hears that v%u cancelled %s, which it did not",
                     producer->name, link + 1, story_task(mesh, id));
        return;
    }
    custody->told_end = true;
}

void checker_producer_hears(struct mesh *mesh, struct node *producer, uint32_t link,
                            const struct message *message)
{
    struct questions *questions = &producer->producer.questions[link];
    if (message->session != questions->session || message->sequence == 0) return;
    if ((int32_t)(message->sequence - questions->heard) <= 0) return;
    questions->heard = message->sequence;
    if (message->kind != MESSAGE_DISPOSED || questions->count == 0) return;
    const struct question *question = &questions->asked[questions->first];
    const struct message_disposed *disposed = &message->u.disposed;
    for (uint32_t at = 0, next = 0; at < question->count; at++) {
        bool rejected = next < disposed->count && disposed->rejections[next].item == at;
        if (rejected)
            next++;
        else
            answered(mesh, producer, link, &question->ids[at]);
    }
    questions->first = (questions->first + 1) % QUESTIONS_MAX;
    questions->count--;
}

void checker_told(struct mesh *mesh, const struct node *node, const struct producer_action *action)
{
    struct ledger *ledger = &mesh->ledger;
    if (action->ticket >= ledger->submission_count) {
        checker_fail(mesh, "unexpected", "%s hears of a ticket that it did not draw", node->name);
        return;
    }
    struct ledger_submission *submission = &ledger->submissions[action->ticket];
    if (!id_equal(&ledger->tasks[submission->task].id, &action->result.id) ||
        submission->node != node->number || submission->process != node->process) {
        checker_fail(mesh, "unexpected", "%s hears under a ticket of another task", node->name);
        return;
    }
    if (action->kind == PRODUCER_ACCEPTED) {
        told_accepted(mesh, node, action, submission);
    } else if (action->kind == PRODUCER_UNKNOWN) {
        told_unknown(mesh, node, submission);
    } else if (action->kind == PRODUCER_ENDED) {
        told_end(mesh, node, action, submission);
    } else {
        if (submission->state != SUBMISSION_STAGED) {
            checker_fail(mesh, "one answer", "%s hears REJECTED of %s after another answer",
                         node->name, task_text(mesh, submission));
            return;
        }
        submission->state = SUBMISSION_REJECTED;
        ledger->unanswered--;
    }
}
