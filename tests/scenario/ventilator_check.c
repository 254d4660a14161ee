/* ventilator_check.c - what a ventilator says and records, held against what it said before. */
#include "ventilator_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

static void demand(bool holds, const char *what)
{
    if (!holds) fail_msg("%s", what);
}

void ventilator_check_start(struct ventilator_check *check)
{
    *check = (struct ventilator_check){0};
    check->tasks = calloc(CHECK_IDS_MAX, sizeof *check->tasks);
    check->sessions = calloc(CHECK_SESSIONS_MAX, sizeof *check->sessions);
    assert_non_null(check->tasks);
    assert_non_null(check->sessions);
}

void ventilator_check_end(struct ventilator_check *check)
{
    free(check->tasks);
    free(check->sessions);
}

static struct check_task *find(const struct ventilator_check *check, const struct id *id)
{
    size_t at = (size_t)id_hash(id, 1) % CHECK_IDS_MAX;
    for (size_t seen = 0; seen < CHECK_IDS_MAX; seen++, at = (at + 1) % CHECK_IDS_MAX) {
        if (id_is_zero(&check->tasks[at].id) || id_equal(&check->tasks[at].id, id)) {
            return &check->tasks[at];
        }
    }
    fail_msg("more ids than the check has room for");
    return NULL;
}

const struct check_task *ventilator_check_task(const struct ventilator_check *check,
                                               const struct id *id)
{
    const struct check_task *task = find(check, id);
    return id_is_zero(&task->id) ? NULL : task;
}

static void check_end_record(struct check_task *task, const struct record *record)
{
    demand(task->state == TASK_LEASED || task->state == TASK_READY ||
               (task->state == TASK_WAITING && record->state == TASK_CANCELLED),
           "ended a task that had ended");
    demand(++task->ended == 1, "a second terminal record");
    demand((record->state == TASK_DONE) == (record->reason == REASON_NONE),
           "an end without a reason, or a good one with it");
    demand(record->state >= TASK_DONE && record->state <= TASK_CANCELLED, "an end that is none");
    demand((record->state == TASK_CANCELLED) == (record->reason == REASON_CANCELLED),
           "cancelled for another reason");
}

static void check_task_record(struct check_task *task, const struct record *record)
{
    enum task_state before = task->state;
    uint32_t attempt = task->attempt;
    task->id = record->id;
    switch (record->kind) {
    case RECORD_ACCEPTED:
        demand(before == TASK_NONE || before >= TASK_DONE, "accepted a task it has");
        demand(record->state == TASK_READY && record->attempt == 0, "a new task is not new");
        *task = (struct check_task){.id = record->id};
        break;
    case RECORD_LEASED:
        demand(before == TASK_READY || (before == TASK_WAITING && task->is_restored),
               "leased, but not ready");
        demand(record->state == TASK_LEASED, "leased, and not so");
        demand(record->attempt == attempt + 1 || record->attempt == attempt, "attempt skipped");
        demand(record->attempt > 0, "attempt 0");
        demand(!id_is_zero(&record->peer), "leased to nobody");
        break;
    case RECORD_RETURNED:
        demand(before == TASK_LEASED && record->state == TASK_READY, "returned, but not leased");
        demand(record->attempt + 1 == attempt, "an attempt was used by a lease given back");
        break;
    case RECORD_REQUEUED:
        demand(before == TASK_LEASED && record->state == TASK_READY, "requeued, but not leased");
        demand(record->attempt == attempt, "requeue changed the attempt");
        break;
    case RECORD_RETRIED:
        demand(before == TASK_LEASED && record->state == TASK_WAITING, "retried, but not leased");
        break;
    case RECORD_RIPE:
        demand(before == TASK_WAITING && record->state == TASK_READY, "ripe, but not waiting");
        break;
    case RECORD_ENDED: check_end_record(task, record); break;
    case RECORD_RESTORED:
        demand(before == TASK_NONE, "restored a task it has");
        demand(record->state != TASK_LEASED, "a lease without a worker");
        if (record->state >= TASK_DONE) task->ended = 1;
        task->is_restored = true;
        break;
    case RECORD_REVIVED:
        demand(before == TASK_FAILED || before == TASK_DEAD, "revived, but no dead letter");
        demand(record->state == TASK_READY && record->attempt == attempt, "revived as another");
        task->ended = 0;
        break;
    case RECORD_DROPPED:
        demand(before == TASK_FAILED || before == TASK_DEAD, "dropped, but no dead letter");
        demand(record->state == before, "dropped, and ended otherwise");
        break;
    case RECORD_DUPLICATE:
    case RECORD_REJECTED:
    case RECORD_STALE:
    case RECORD_PEER_OPENED:
    case RECORD_PEER_RESUMED:
    case RECORD_PEER_RESET:
    case RECORD_PEER_CLOSED:
    case RECORD_PEER_SUSPECT:
    case RECORD_PEER_LOST:
    case RECORD_PEER_LEFT: return;
    }
    task->state = record->state;
    task->attempt = record->attempt;
}

static bool is_of_task(enum record_kind kind)
{
    return kind < RECORD_PEER_OPENED && kind != RECORD_DUPLICATE && kind != RECORD_REJECTED &&
           kind != RECORD_STALE;
}

static struct check_session *session_of(struct ventilator_check *check, uint32_t session)
{
    return &check->sessions[session % 65536 % CHECK_SESSIONS_MAX];
}

static void check_work(struct check_session *session, const struct message_work *work)
{
    size_t bytes = 0;
    demand(work->count > 0 && work->count <= MESSAGE_ITEMS_MAX, "WORK without items, or too many");
    for (uint32_t at = 0; at < work->count; at++) {
        const struct assignment *item = &work->items[at];
        demand(session->given_tasks++ < session->credit_tasks, "more tasks than credit");
        demand(session->given_bytes < session->credit_bytes, "more bytes than credit");
        demand(item->lease.token != 0 && item->lease.attempt != 0, "a lease that is none");
        session->given_bytes += item->payload.size;
        bytes += item->payload.size + 2 * MESSAGE_NAME_BYTES_MAX;
    }
    demand(bytes < MESSAGE_BYTES_MAX, "WORK too large for one message");
}

static void check_result(const struct message_result *result)
{
    size_t bytes = 0;
    demand(result->count > 0 && result->count <= MESSAGE_ITEMS_MAX, "RESULT without items");
    for (uint32_t at = 0; at < result->count; at++) {
        const struct result *item = &result->items[at];
        demand(item->state >= TASK_DONE, "a result of a task that goes on");
        bytes += item->result.size + item->text.size + 64;
    }
    demand(bytes < MESSAGE_BYTES_MAX, "RESULT too large for one message");
}

static void check_progress(const struct message_progress *progress)
{
    size_t bytes = 0;
    demand(progress->count > 0 && progress->count <= MESSAGE_ITEMS_MAX, "PROGRESS of nothing");
    for (uint32_t at = 0; at < progress->count; at++) {
        demand(progress->items[at].lease.token == 0, "a producer was told of a token");
        bytes += progress->items[at].text.size + 64;
    }
    demand(bytes < MESSAGE_BYTES_MAX, "PROGRESS too large for one message");
}

static void check_send(struct ventilator_check *check, const struct ventilator_send *send)
{
    const struct message *message = &send->message;
    struct check_session *session = session_of(check, message->session);
    if (message->kind == MESSAGE_WHO || message->kind == MESSAGE_REFUSE) return;
    demand(message->session != 0, "no session");
    if (message->kind == MESSAGE_WELCOME) {
        *session = (struct check_session){.session = message->session, .next_out = 1};
        demand(message->sequence == 0, "WELCOME with a number");
        return;
    }
    demand(session->session == message->session, "a session nobody was welcomed to");
    demand(message->sequence == session->next_out++, "a gap in our own numbers");
    if (message->kind == MESSAGE_WORK) check_work(session, &message->u.work);
    if (message->kind == MESSAGE_RESULT) check_result(&message->u.result);
    if (message->kind == MESSAGE_PROGRESS) check_progress(&message->u.progress);
}

static void note_credit(struct ventilator_check *check, const struct ventilator *ventilator,
                        const struct ventilator_event *event)
{
    if (event->kind != VENTILATOR_MESSAGE || event->message->kind != MESSAGE_CREDIT) return;
    if (peers_of_message(&ventilator->peers, event->message, event->passage, event->link) ==
        PEER_NONE) {
        return;
    }
    const struct message_credit *credit = &event->message->u.credit;
    struct check_session *session = session_of(check, event->message->session);
    if (credit->tasks > session->credit_tasks) session->credit_tasks = credit->tasks;
    if (credit->bytes > session->credit_bytes) session->credit_bytes = credit->bytes;
}

static void check_states(const struct ventilator_check *check, const struct ventilator *ventilator)
{
    const struct known *known = &ventilator->known;
    for (uint32_t row = 0; row < known->ids.slots.fresh; row++) {
        uint32_t slot = known_task(known, row), attempt = known->rows[row].attempt;
        uint32_t state = known->rows[row].state;
        if (slot == TASK_NOWHERE && state == TASK_NONE) continue;
        if (slot != TASK_NOWHERE) state = ventilator->tasks[slot].state;
        if (slot != TASK_NOWHERE) attempt = ventilator->tasks[slot].attempt;
        const struct check_task *task = ventilator_check_task(check, &known->ids.ids[row]);
        demand(task != NULL, "a task without records");
        demand(task->state == state, "a change of state without its record");
        demand(task->attempt == attempt, "a change of attempt without its record");
    }
}

void ventilator_check_step(struct ventilator_check *check, const struct ventilator *ventilator,
                           const struct ventilator_event *event,
                           const struct ventilator_actions *out)
{
    demand(out->send_count <= VENTILATOR_SENDS_MAX, "too many messages");
    demand(out->record_count <= VENTILATOR_RECORDS_MAX, "too many records");
    demand(out->assignment_count <= VENTILATOR_ITEMS_MAX, "too many assignments");
    demand(out->result_count <= VENTILATOR_ITEMS_MAX, "too many results");
    demand(out->lease_count <= VENTILATOR_ITEMS_MAX, "too many drops");
    demand(!out->more || event->kind == VENTILATOR_TURN || event->kind == VENTILATOR_STOP ||
               event->kind == VENTILATOR_REPLAYED,
           "a step that is never repeated has more");
    if (!ventilator->options.routine) return; /* all else is known by the records */
    note_credit(check, ventilator, event);
    for (uint32_t at = 0; at < out->record_count; at++) {
        const struct record *record = &out->records[at];
        if (is_of_task(record->kind)) check_task_record(find(check, &record->id), record);
    }
    for (uint32_t at = 0; at < out->send_count; at++) check_send(check, &out->sends[at]);
    if (check->is_shallow) return;
    check_states(check, ventilator);
    ventilator_check_tables(
        ventilator, event->kind == VENTILATOR_TURN && !out->more ? CHECK_SETTLED : CHECK_ANY_TIME);
}
