/* producer_entry.c - the life of one task in the producer.
 *
 * Owns: how a task is kept, which circles it stands in, and its end for lack of
 * an answer.
 * Not here: batches (producer_batch.c) and what ventilators say (producer_answer.c).
 */
#include "planted.h"
#include "producer_state.h"

/* What is left of a cancelled task gives way: whoever submits the id again wants it. */
static bool is_kept(struct producer *producer, const struct id *id)
{
    uint32_t slot = index_find(&producer->index, id);
    if (slot == INDEX_NONE) return false;
    if (!producer->entries[slot].remnant) return true;
    producer_entry_detach(producer, slot);
    producer_entry_forget(producer, slot);
    return false;
}

void producer_entry_submit(struct producer *producer, const struct producer_event *event,
                           struct producer_actions *out)
{
    const struct submission *submission = event->submission;
    assert(submission->name.size > 0 && submission->name.size <= MESSAGE_NAME_BYTES_MAX);
    assert(submission->queue.size <= MESSAGE_NAME_BYTES_MAX);
    assert(submission->payload.size <= MESSAGE_PAYLOAD_BYTES_MAX);

    out->duplicate = is_kept(producer, &submission->id);
    if (out->duplicate) return;
    uint32_t size = submission->name.size + submission->queue.size + submission->payload.size;
    out->full = producer->index.count - producer->remnants == producer->options.tasks_max ||
                !store_fits(&producer->store, size);
    if (out->full) return;

    uint8_t names[2 * MESSAGE_NAME_BYTES_MAX];
    struct bytes queue = submission->queue;
    memcpy(names, submission->name.data, submission->name.size);
    if (queue.size > 0) memcpy(names + submission->name.size, queue.data, queue.size);
    struct bytes named = bytes_of(names, submission->name.size + queue.size);
    uint32_t slot = index_insert(&producer->index, &submission->id);
    producer->entries[slot] = (struct producer_entry){
        .submitted_ns = event->now_ns,
        .task = store_put_both(&producer->store, named, submission->payload),
        .flags = submission->flags,
        .attempts_max = submission->attempts_max,
        .crashes_max = submission->crashes_max,
        .backoff_ms = submission->backoff_ms,
        .backoff_ms_max = submission->backoff_ms_max,
        .limit_ms = submission->limit_ms,
        .soft_ms = submission->soft_ms,
        .stalled_ms = submission->stalled_ms,
        .ticket = event->ticket,
        .state = ENTRY_OUTBOX,
        .name_bytes = (uint8_t)submission->name.size,
        .queue_bytes = (uint8_t)submission->queue.size,
    };
    assert(producer->entries[slot].task.place != 0);
    circle_append(&producer->places, producer_outbox_head(producer), slot);
    circle_append(&producer->ages, producer_outbox_head(producer), slot);
}

struct submission producer_entry_submission(const struct producer *producer, uint32_t slot)
{
    const struct producer_entry *entry = &producer->entries[slot];
    struct bytes task = store_get(&producer->store, entry->task);
    uint32_t named = (uint32_t)entry->name_bytes + entry->queue_bytes;
    assert(task.size >= named);
    /* To guard a task is to wait for its end. */
    uint32_t guard = producer->options.guarded ? SUBMISSION_WANTS_RESULT : 0;
    struct submission submission = {
        .id = producer->index.ids[slot],
        .name = bytes_of(task.data, entry->name_bytes),
        .payload = bytes_of(task.data + named, task.size - named),
        .flags = entry->flags | guard,
        .attempts_max = entry->attempts_max,
        .crashes_max = entry->crashes_max,
        .backoff_ms = entry->backoff_ms,
        .backoff_ms_max = entry->backoff_ms_max,
        .limit_ms = entry->limit_ms,
        .soft_ms = entry->soft_ms,
        .stalled_ms = entry->stalled_ms,
    };
    if (entry->queue_bytes != 0) {
        submission.queue = bytes_of(task.data + entry->name_bytes, entry->queue_bytes);
    }
    return submission;
}

bool producer_task(const struct producer *producer, const struct id *id,
                   struct submission *submission)
{
    uint32_t slot = index_find(&producer->index, id);
    if (slot == INDEX_NONE || producer->entries[slot].task.place == 0) return false;
    *submission = producer_entry_submission(producer, slot);
    return true;
}

uint32_t producer_entry_bytes(const struct producer *producer, uint32_t slot)
{
    return producer->entries[slot].task.size + PRODUCER_ITEM_BYTES;
}

void producer_entry_detach(struct producer *producer, uint32_t slot)
{
    struct producer_entry *entry = &producer->entries[slot];
    circle_remove(&producer->places, slot);
    switch (entry->state) {
    case ENTRY_OUTBOX:
    case ENTRY_AWAITED:
    case ENTRY_CANCELLED: break;
    case ENTRY_SENT:
        if (entry->cancelled) producer->batches[entry->where].cancelled--;
        if (entry->cancelled) producer->doomed--;
        producer_batch_leave(producer, entry->where);
        break;
    }
    entry->state = ENTRY_OUTBOX;
}

void producer_entry_accept(struct producer *producer, uint32_t slot, uint32_t link,
                           struct producer_actions *out)
{
    struct producer_entry *entry = &producer->entries[slot];
    bool guarded = producer->options.guarded;
    if (!entry->accepted) {
        struct producer_action *action = producer_act(out, PRODUCER_ACCEPTED, link);
        action->result = (struct result){.id = producer->index.ids[slot]};
        action->ticket = entry->ticket;
        entry->accepted = true;
        producer->accepted++;
        producer->awaited++;
    }
    bool kept = guarded || (entry->flags & SUBMISSION_WANTS_RESULT) != 0;
    if (entry->cancelled) {
        if (!kept) producer_cancel_hush(producer, slot);
        producer_cancel_keep(producer, slot, link);
        return;
    }
    if (!kept) {
        producer_entry_forget(producer, slot);
        return;
    }
    if (!guarded) store_drop(&producer->store, &entry->task);
    circle_remove(&producer->ages, slot); /* its patience is over with the first ACCEPT */
    circle_append(&producer->places, producer_awaited_head(producer, link), slot);
    entry->state = ENTRY_AWAITED;
    entry->where = link;
    entry->tenure = producer->links[link].tenure;
}

void producer_entry_forget(struct producer *producer, uint32_t slot)
{
    assert(circle_next(&producer->places, slot) == slot);
    if (producer->entries[slot].remnant)
        producer->remnants--;
    else if (producer->entries[slot].accepted)
        producer->awaited--;
    store_drop(&producer->store, &producer->entries[slot].task);
    circle_remove(&producer->ages, slot); /* harmless when it was accepted long ago */
    index_remove(&producer->index, slot);
}

void producer_entry_end_unknown(struct producer *producer, uint32_t slot, enum reason reason,
                                struct producer_actions *out)
{
    const struct producer_entry *entry = &producer->entries[slot];
    uint32_t link = entry->state == ENTRY_AWAITED ? entry->where : 0;
    struct producer_action *action = producer_act(out, PRODUCER_UNKNOWN, link);
    action->result = (struct result){.id = producer->index.ids[slot], .reason = reason};
    action->ticket = entry->ticket;
    producer->unknown++;
    producer_entry_detach(producer, slot);
    producer_entry_forget(producer, slot);
}

/* Tasks that their ventilator lost and that cannot be sent again. */
static bool has_lost_tasks(const struct producer *producer)
{
    return !producer->options.guarded && !planted(PLANTED_ORPHANS_WAIT) &&
           !circle_is_empty(&producer->places, producer_orphans_head(producer));
}

/* Age counts from the submission, through every sending and every BUSY. */
static uint64_t oldest_expires(const struct producer *producer)
{
    uint32_t oldest = circle_next(&producer->ages, producer_outbox_head(producer));
    if (oldest == producer_outbox_head(producer)) return INSTANT_NEVER;
    if (producer->options.unknown_ns == 0) return INSTANT_NEVER;
    return instant_after(producer->entries[oldest].submitted_ns, producer->options.unknown_ns);
}

void producer_entry_expire(struct producer *producer, struct producer_actions *out)
{
    uint32_t orphans = producer_orphans_head(producer);
    for (uint32_t n = 0; n < PRODUCER_ENDS_PER_TURN; n++) {
        if (!has_lost_tasks(producer)) break;
        uint32_t slot = circle_next(&producer->places, orphans);
        producer_entry_end_unknown(producer, slot, REASON_OWNER_GONE, out);
    }
    for (uint32_t n = 0; n < PRODUCER_ENDS_PER_TURN; n++) {
        if (oldest_expires(producer) > producer->now_ns) break;
        uint32_t oldest = circle_next(&producer->ages, producer_outbox_head(producer));
        if (producer->entries[oldest].cancelled)
            producer_cancel_end(producer, oldest, out);
        else
            producer_entry_end_unknown(producer, oldest, REASON_NONE, out);
    }
}

uint64_t producer_entry_deadline(const struct producer *producer)
{
    return has_lost_tasks(producer) ? 0 : oldest_expires(producer);
}
