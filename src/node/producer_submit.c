/* producer_submit.c - submissions on their way in. */
#include "../core/name.h"
#include "../watch/clock.h"
#include "../watch/thread.h"
#include "producer_node.h"
#include "spool.h"

enum {
    STAGED_EACH_TURN = 8192,
    /* Results are held back at answers_bytes_max already; other answers cannot be,
     * so a little further on no task is taken that would bring one. */
    UNREAD_SLACK_BYTES = 1024 * 1024,
    /* So much may be on its way to the disk: one commit should carry no more, and a
     * spool that is full knows what is still to come. */
    UNSAFE_BYTES_MAX = 8 * 1024 * 1024,
    UNSAFE_OVERHEAD_BYTES = 256 /* what a task takes there besides its payload, at most about */
};

/* A name as far as it can be one: a longer text is not valid, however long. */
static struct bytes name_of(const char *text)
{
    return text != NULL ? bytes_of(text, strnlen(text, MESSAGE_NAME_BYTES_MAX + 1))
                        : (struct bytes){.data = NULL};
}

/* Reads and checks all that needs no lock. */
static enum tmesh_err read_task(const tmesh_task_t *task, const tmesh_id_t *id,
                                struct submission *submission)
{
    *submission = (struct submission){
        .name = name_of(task->name),
        .queue = name_of(task->queue),
        .payload = bytes_of(task->payload_bytes > 0 ? task->payload : "", task->payload_bytes),
        .attempts_max = task->attempts_max,
        .crashes_max = task->crashes_max,
        .backoff_ms = task->backoff_ms,
        .backoff_ms_max = task->backoff_ms_max,
        .limit_ms = task->limit_ms,
        .soft_ms = task->soft_limit_ms,
        .stalled_ms = task->stalled_after_ms,
        .flags = task->deliver != TMESH_DELIVER_NONE ? SUBMISSION_WANTS_RESULT : 0};
    memcpy(submission->id.octets, id->octets, sizeof id->octets);
    if (!name_is_valid(submission->name)) return TMESH_E_INVALID;
    if (task->queue != NULL && !name_is_valid(submission->queue)) return TMESH_E_INVALID;
    if (task->payload == NULL && task->payload_bytes > 0) return TMESH_E_INVALID;
    if (task->report_progress && task->deliver == TMESH_DELIVER_NONE) return TMESH_E_INVALID;
    if (task->payload_bytes > TMESH_PAYLOAD_BYTES_MAX) return TMESH_E_TOO_BIG;
    return TMESH_OK;
}

/* The first one always does. */
static bool fits(uint64_t bytes, const tmesh_task_t *task, uint64_t bytes_max)
{
    return bytes == 0 || bytes + task->payload_bytes <= bytes_max;
}

static bool has_room(const struct tmesh_producer *producer, const tmesh_task_t *task)
{
    if (task->deliver == TMESH_DELIVER_WAIT && waits_are_full(&producer->exchange.waits)) {
        return false;
    }
    uint64_t unread_max = producer->answers_bytes_max + UNREAD_SLACK_BYTES;
    if (producer->exchange.answers.bytes > unread_max) return false;
    if (producer->exchange.spool_full) return false;
    if (producer->exchange.unsafe_bytes > UNSAFE_BYTES_MAX) return false;
    if (producer->exchange.tickets.used >= producer->exchange.tickets.capacity) return false;
    if (producer->exchange.outbox >= producer->outbox_max) return false;
    return fits(producer->exchange.outbox_bytes, task, producer->outbox_bytes_max) &&
           fits(producer->exchange.kept_bytes, task, producer->kept_bytes_max);
}

/* Waits for room, with the lock held. */
static enum tmesh_err await_room(struct tmesh_producer *producer, const tmesh_task_t *task,
                                 uint32_t timeout_ms)
{
    uint64_t until_ns = 0;
    for (;;) {
        if (producer->exchange.closed) return TMESH_E_CLOSED;
        if (producer->exchange.spool_failed) return TMESH_E_JOURNAL;
        if (has_room(producer, task)) return TMESH_OK;
        if (timeout_ms == 0) return TMESH_E_FULL;
        if (until_ns == 0) until_ns = clock_now_ns() + timeout_ms * MILLISECOND;
        int late =
            thread_wait_until(&producer->exchange.changed, &producer->exchange.lock, until_ns);
        if (late != 0) timeout_ms = 0; /* one last look */
    }
}

static enum tmesh_err stage_task(struct tmesh_producer *producer, const tmesh_task_t *task,
                                 const tmesh_id_t *id, const struct submission *submission)
{
    bool waited = task->deliver == TMESH_DELIVER_WAIT;
    if (waited && !waits_expect(&producer->exchange.waits, id)) return TMESH_E_INVALID;
    uint32_t number = tickets_draw(&producer->exchange.tickets);
    assert(number != TICKET_NONE);
    producer->exchange.tickets.tickets[number] =
        (struct ticket){.id = *id,
                        .tag = task->tag,
                        .bytes = (uint32_t)task->payload_bytes,
                        .state = TICKET_OUTBOX,
                        .deliver = task->deliver,
                        .report_accepted = task->report_accepted,
                        .report_progress = task->report_progress};
    if (!stage_append(&producer->exchange.stage, submission, number)) {
        if (waited) waits_forget(&producer->exchange.waits, id);
        tickets_return_one(&producer->exchange.tickets, number);
        return TMESH_E_SYSTEM;
    }
    producer->exchange.outbox++;
    producer->exchange.outbox_bytes += task->payload_bytes;
    producer->exchange.kept_bytes += task->payload_bytes;
    producer->exchange.submitted++;
    producer->exchange.staged++;
    if (!atomic_load_explicit(&producer->exchange.staging, memory_order_relaxed)) {
        atomic_store_explicit(&producer->exchange.staging, true, memory_order_relaxed);
    }
    if (producer->has_spool) {
        producer->exchange.unsafe_bytes += task->payload_bytes + UNSAFE_OVERHEAD_BYTES;
    }
    return TMESH_OK;
}

enum tmesh_err tmesh_producer_submit(tmesh_producer_t *producer, const tmesh_task_t *task,
                                     uint32_t timeout_ms, tmesh_id_t *id)
{
    static const tmesh_id_t none;
    tmesh_id_t own = memcmp(&task->id, &none, sizeof none) == 0 ? tmesh_id_new() : task->id;
    if (id != NULL) *id = own;
    struct submission submission;
    enum tmesh_err result = read_task(task, &own, &submission);
    if (result == TMESH_OK && identity_is_inherited(producer->process)) result = TMESH_E_CLOSED;
    if (result != TMESH_OK) return result;
    pthread_mutex_lock(&producer->exchange.lock);
    result = await_room(producer, task, timeout_ms);
    if (result == TMESH_OK) result = stage_task(producer, task, &own, &submission);
    uint64_t number = producer->exchange.staged;
    enum rouse rouse = result == TMESH_OK ? producer_rouse(producer) : ROUSE_NOBODY;
    if (rouse == ROUSE_TURN) producer_turn_borrowed(producer);
    pthread_mutex_unlock(&producer->exchange.lock);
    if (rouse == ROUSE_WAKE) waker_wake(&producer->exchange.waker);
    bool wait = producer->has_spool && producer->spool_sync == TMESH_SPOOL_EACH;
    if (result != TMESH_OK || !wait) return result;
    pthread_mutex_lock(&producer->exchange.lock);
    result = producer_await_disk(producer, number, INSTANT_NEVER);
    pthread_mutex_unlock(&producer->exchange.lock);
    return result;
}

/* With a spool, a task that is not the one on disk came second. */
static bool is_second(const struct tmesh_producer *producer, const struct submission *submission,
                      uint32_t ticket)
{
    return producer->spool != NULL && !spool_holds(producer->spool, &submission->id, ticket);
}

/* A spool takes what was staged by another way. */
static bool may_swap(const struct tmesh_producer *producer)
{
    return producer->spool == NULL && stage_is_empty(&producer->taking);
}

void producer_swap_staged(struct tmesh_producer *producer)
{
    struct exchange *exchange = &producer->exchange;
    if (!may_swap(producer)) return;
    stage_reset(&producer->taking);
    struct stage swapped = exchange->stage;
    exchange->stage = producer->taking;
    producer->taking = swapped;
    atomic_store_explicit(&exchange->staging, stage_is_roomy(&exchange->stage),
                          memory_order_relaxed);
}

/* Without the lock; what is staged at this very moment is seen before the loop sleeps. */
static bool is_swap_due(const struct tmesh_producer *producer)
{
    if (!may_swap(producer)) return false;
    return atomic_load_explicit(&producer->exchange.staging, memory_order_relaxed) ||
           stage_is_roomy(&producer->taking);
}

bool producer_take_staged(struct tmesh_producer *producer, uint64_t now_ns)
{
    if (producer->spool != NULL) producer_spool_staged(producer);
    bool more = producer_recover(producer, now_ns);
    if (is_swap_due(producer)) {
        pthread_mutex_lock(&producer->exchange.lock);
        producer_swap_staged(producer);
        pthread_mutex_unlock(&producer->exchange.lock);
    }
    if (stage_is_empty(&producer->taking)) return more;
    struct submission submission;
    struct producer_event event = {
        .kind = PRODUCER_SUBMIT, .now_ns = now_ns, .submission = &submission};
    for (uint32_t left = STAGED_EACH_TURN;
         stage_next(&producer->taking, &submission, &event.ticket); left--) {
        if (left == 0) return true;
        bool second = is_second(producer, &submission, event.ticket);
        bool kept = false;
        if (!second) {
            /* Each by itself: both at once would wait until both were written down. */
            event.memory.data = submission.payload.data;
            event.memory.size = submission.payload.size;
            event.lender = stage_block(&producer->taking);
            producer_step(producer->core, &event, producer->actions);
            kept = producer->actions->borrowed;
            producer->core_is_full = producer->actions->full;
            if (producer->core_is_full) return false; /* an answer makes room, and comes first */
        }
        if (second || producer->actions->duplicate) {
            producer_tell(producer, &(struct producer_action){
                                        .kind = PRODUCER_REJECTED,
                                        .ticket = event.ticket,
                                        .result.text = bytes_text(
                                            "a task with this id is in this producer already")});
        }
        if (kept)
            stage_hand_over(&producer->taking);
        else
            stage_pass(&producer->taking);
        producer->taken++;
    }
    return more;
}
