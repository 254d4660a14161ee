/* ventilator_result.c - RESULT and its RECEIPT: how a producer learns the end.
 *
 * A result is kept until its producer receipted it.  When a session is lost,
 * those sent in it go back before those not sent yet, and all are sent again.
 */
#include "planted.h"
#include "ventilator_state.h"

enum {
    WINDOW_BYTES = 8 * 1024 * 1024, /* sent to one producer and not receipted */
    WINDOW_RESULTS = 8192,          /* of which one RECEIPT may settle all, in one step */
    RESULT_OVERHEAD_BYTES = 64
};

void ventilator_owe_result(struct ventilator *ventilator, uint32_t slot)
{
    struct task *task = &ventilator->tasks[slot];
    uint32_t owner = peers_resolve(&ventilator->peers, task->owner);
    if (owner == PEER_NONE) return;
    struct peer *producer = &ventilator->peers.peers[owner];
    ventilator->owed++;
    ventilator->owed_bytes += task->result.size;
    task->kept |= TASK_KEPT_RESULT;
    task->kept &= (uint8_t)~TASK_KEPT_SENT;
    task_append(ventilator->tasks, &producer->results, slot);
    peers_touch(&ventilator->peers, owner);
}

static uint32_t result_bytes(const struct task *task)
{
    return task->result.size + task->text.size + RESULT_OVERHEAD_BYTES;
}

/* Out of its producer's lists.  Returns the producer. */
static struct peer *unlist(struct ventilator *ventilator, uint32_t slot)
{
    struct task *task = &ventilator->tasks[slot];
    assert((task->kept & TASK_KEPT_RESULT) != 0);
    /* Not peers_resolve: a producer that is gone has its lists until its record goes. */
    struct peer *producer = &ventilator->peers.peers[peers_slot(task->owner)];
    if ((task->kept & TASK_KEPT_SENT) != 0) {
        task_unlink(ventilator->tasks, &producer->unreceipted, slot);
        producer->unreceipted_bytes -= result_bytes(task);
    } else {
        task_unlink(ventilator->tasks, &producer->results, slot);
    }
    task->kept &= (uint8_t)~TASK_KEPT_SENT;
    ventilator->owed--;
    ventilator->owed_bytes -= task->result.size;
    return producer;
}

void ventilator_withdraw_result(struct ventilator *ventilator, uint32_t slot)
{
    unlist(ventilator, slot)->owned--;
    ventilator->tasks[slot].owner = 0;
}

void ventilator_recall_result(struct ventilator *ventilator, uint32_t slot)
{
    unlist(ventilator, slot);
    ventilator->tasks[slot].kept &= (uint8_t)~TASK_KEPT_RESULT;
}

static struct result result_of(const struct ventilator *ventilator, uint32_t slot)
{
    const struct task *task = &ventilator->tasks[slot];
    return (struct result){
        .id = *ventilator_id(ventilator, slot),
        .state = (enum task_state)task->state,
        .attempt = task->attempt,
        .reason = (enum reason)task->reason,
        .result = store_get(&ventilator->store, task->result),
        .text = store_get(&ventilator->store, task->text),
    };
}

static bool window_is_full(const struct peer *producer)
{
    return producer->unreceipted_bytes >= WINDOW_BYTES ||
           producer->unreceipted.count >= WINDOW_RESULTS;
}

bool ventilator_owes_result_now(const struct peer *producer)
{
    return producer->results.count > 0 && !window_is_full(producer);
}

/* Whether the end of this task would survive us. */
static bool has_durable_end(const struct ventilator *ventilator, uint32_t slot)
{
    if (!ventilator->options.journals) return true;
    return held_is_durable(ventilator, ventilator->ages[ventilator->tasks[slot].known].lsn);
}

bool ventilator_send_results(struct ventilator *ventilator, uint32_t slot)
{
    struct ventilator_actions *out = ventilator->out;
    struct peer *producer = &ventilator->peers.peers[slot];
    while (producer->state == PEER_OPEN && producer->results.count > 0 &&
           !window_is_full(producer)) {
        if (!has_durable_end(ventilator, producer->results.first)) {
            peers_wait(&ventilator->peers, slot);
            return true;
        }
        if (!ventilator_can_send(ventilator) || out->result_count == VENTILATOR_ITEMS_MAX) {
            return false;
        }
        struct result *items = &out->results[out->result_count];
        uint32_t count = 0, bytes = 0, sequence = producer->next_out;
        while (producer->results.count > 0 && bytes < MESSAGE_BATCH_BYTES &&
               out->result_count < VENTILATOR_ITEMS_MAX && !window_is_full(producer) &&
               has_durable_end(ventilator, producer->results.first)) {
            uint32_t at = producer->results.first;
            struct task *task = &ventilator->tasks[at];
            task_unlink(ventilator->tasks, &producer->results, at);
            task_append(ventilator->tasks, &producer->unreceipted, at);
            task->kept |= TASK_KEPT_SENT;
            task->sent = sequence;
            items[count++] = result_of(ventilator, at);
            out->result_count++;
            bytes += result_bytes(task);
            producer->unreceipted_bytes += result_bytes(task);
        }
        struct message *message = ventilator_send(ventilator, slot, MESSAGE_RESULT);
        assert(message->sequence == sequence);
        message->u.result = (struct message_result){.items = items, .count = count};
    }
    return true;
}

void ventilator_receipt(struct ventilator *ventilator, uint32_t slot, uint32_t through)
{
    struct peer *producer = &ventilator->peers.peers[slot];
    while (producer->unreceipted.count > 0) {
        uint32_t at = producer->unreceipted.first;
        uint32_t sent = ventilator->tasks[at].sent - (planted(PLANTED_RECEIPT_OFF_BY_ONE) ? 1 : 0);
        if ((int32_t)(through - sent) < 0) break;
        ventilator_withdraw_result(ventilator, at);
        task_let_go(ventilator, at, TASK_KEPT_RESULT);
    }
    if (producer->results.count > 0) peers_touch(&ventilator->peers, slot);
}
