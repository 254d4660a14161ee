/* producer_entry.c - the life of one task in the producer.
 *
 * Owns: how a task is kept, which circles it stands in, and its end for lack of
 * an answer.
 * Not here: batches (producer_batch.c) and what ventilators say (producer_answer.c).
 */
#include "planted.h"
#include "producer_state.h"

static uint8_t *put(uint8_t *at, const void *data, size_t bytes)
{
    if (bytes > 0) memcpy(at, data, bytes);
    return at + bytes;
}

struct entry_head producer_entry_head(const struct producer *producer, uint32_t slot)
{
    struct entry_head head;
    struct bytes task = store_get(&producer->store, producer->entries[slot].task);
    assert(producer->entries[slot].has_head && task.size > sizeof head);
    memcpy(&head, task.data, sizeof head);
    return head;
}

void producer_entry_drop_payload(struct producer *producer, uint32_t slot)
{
    if (producer->entries[slot].task.place == 0) return;
    struct entry_head head = producer_entry_head(producer, slot);
    store_drop(&producer->store, &head.payload);
}

static bool needs_head(const struct submission *submission)
{
    return submission->payload.size >= PIN_BYTES_MIN || rarities_any(submission);
}

static uint8_t *put_names(uint8_t *at, const struct submission *submission)
{
    at = put(at, submission->name.data, submission->name.size);
    return put(at, submission->queue.data, submission->queue.size);
}

static struct stored keep_with_head(struct producer *producer, const struct submission *submission)
{
    struct bytes payload = submission->payload;
    bool large = payload.size >= PIN_BYTES_MIN;
    struct entry_head head = {.rarities = rarities_of(submission)};
    uint32_t bytes = (uint32_t)sizeof head + submission->name.size + submission->queue.size;
    uint8_t *at;
    struct stored task = store_claim(&producer->store, large ? bytes : bytes + payload.size, &at);
    if (task.place == 0) return task;
    if (large) head.payload = store_put(&producer->store, payload);
    if (large && head.payload.place == 0) {
        store_drop(&producer->store, &task);
        return task;
    }
    at = put_names(put(at, &head, sizeof head), submission);
    if (!large) put(at, payload.data, payload.size);
    return task;
}

/* The common task: name, queue and payload. */
static struct stored keep(struct producer *producer, const struct submission *submission)
{
    struct bytes payload = submission->payload;
    uint32_t bytes = submission->name.size + submission->queue.size + payload.size;
    uint8_t *at;
    struct stored task = store_claim(&producer->store, bytes, &at);
    if (task.place != 0) put(put_names(at, submission), payload.data, payload.size);
    return task;
}

static struct stored keep_offered(struct producer *producer, const struct producer_event *event,
                                  struct producer_actions *out)
{
    if (event->lender == NULL) return keep_with_head(producer, event->submission);
    store_offer(&producer->store, event->memory, event->lender);
    struct stored task = keep_with_head(producer, event->submission);
    out->borrowed = store_took(&producer->store);
    return task;
}

/* What is left of a cancelled task gives way: whoever submits the id again wants it. */
static bool is_kept(struct producer *producer, const struct id *id, uint32_t hash)
{
    uint32_t slot = index_find_hashed(&producer->index, id, hash);
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

    uint32_t hash = index_hash(&producer->index, &submission->id);
    out->duplicate = is_kept(producer, &submission->id, hash);
    if (out->duplicate) return;
    bool has_head = needs_head(submission);
    struct stored task = {.place = 0, .size = 0};
    if (producer->index.count - producer->remnants < producer->options.tasks_max) {
        task = has_head ? keep_offered(producer, event, out) : keep(producer, submission);
    }
    out->full = task.place == 0;
    if (out->full) return;
    uint32_t slot = index_insert_hashed(&producer->index, &submission->id, hash);
    assert(slot != INDEX_NONE);
    producer->entries[slot] = (struct producer_entry){
        .age = {.next = slot, .prev = slot},
        .submitted_ns = event->now_ns,
        .task = task,
        .flags = submission->flags,
        .ticket = event->ticket,
        .state = ENTRY_OUTBOX,
        .name_bytes = (uint8_t)submission->name.size,
        .queue_bytes = (uint8_t)submission->queue.size,
        .has_head = has_head,
    };
    circle_append(&producer->places, producer_outbox_head(producer), slot);
    if (producer->options.unknown_ns == 0) return;
    circle_append(&producer->ages, producer_outbox_head(producer), slot);
}

void producer_entry_submission(const struct producer *producer, uint32_t slot,
                               struct submission *submission)
{
    const struct producer_entry *entry = &producer->entries[slot];
    struct bytes task = store_get(&producer->store, entry->task);
    struct entry_head head = {.payload = {.place = 0, .size = 0}};
    uint32_t before = (uint32_t)entry->name_bytes + entry->queue_bytes;
    if (entry->has_head) before += (uint32_t)sizeof head;
    assert(task.size >= before);
    const uint8_t *at = task.data;
    submission->payload = bytes_of(at + before, task.size - before);
    if (entry->has_head) {
        memcpy(&head, at, sizeof head);
        at += sizeof head;
        struct bytes large = store_get(&producer->store, head.payload);
        if (large.data != NULL) submission->payload = large;
    }
    /* To guard a task is to wait for its end. */
    uint32_t guard = producer->options.guarded ? SUBMISSION_WANTS_RESULT : 0;
    submission->id = producer->index.ids[slot];
    submission->name = bytes_of(at, entry->name_bytes);
    submission->queue = entry->queue_bytes != 0
                            ? bytes_of(at + entry->name_bytes, entry->queue_bytes)
                            : (struct bytes){.data = NULL};
    submission->flags = entry->flags | guard;
    rarities_give(&head.rarities, submission);
}

bool producer_task(const struct producer *producer, const struct id *id,
                   struct submission *submission)
{
    uint32_t slot = index_find(&producer->index, id);
    if (slot == INDEX_NONE || producer->entries[slot].task.place == 0) return false;
    producer_entry_submission(producer, slot, submission);
    return true;
}

void producer_entry_detach(struct producer *producer, uint32_t slot)
{
    struct producer_entry *entry = &producer->entries[slot];
    circle_remove(&producer->places, slot);
    switch (entry->state) {
    case ENTRY_OUTBOX:
    case ENTRY_AWAITED: break;
    case ENTRY_CANCELLED: producer->disowned--; break;
    case ENTRY_SENT:
        if (entry->cancelled) producer->batches[entry->where].cancelled--;
        if (entry->cancelled) producer->doomed--;
        producer_batch_leave(producer, entry->where);
        break;
    }
    entry->state = ENTRY_OUTBOX;
}

/* With the action of the one before, if nothing came in between. */
static void tell_accepted(const struct producer *producer, uint32_t slot, uint32_t link,
                          struct producer_actions *out)
{
    struct producer_action *last = out->count > 0 ? &out->actions[out->count - 1] : NULL;
    assert(out->accepted_count < MESSAGE_ITEMS_MAX);
    struct producer_accepted *accepted = &out->accepted[out->accepted_count++];
    *accepted = (struct producer_accepted){.id = producer->index.ids[slot],
                                           .ticket = producer->entries[slot].ticket};
    if (last == NULL || last->kind != PRODUCER_ACCEPTED || last->link != link) {
        last = producer_act(out, PRODUCER_ACCEPTED, link);
        last->accepted = accepted;
        last->accepted_count = 0;
    }
    last->accepted_count++;
}

void producer_entry_accept(struct producer *producer, uint32_t slot, uint32_t link,
                           struct producer_actions *out)
{
    struct producer_entry *entry = &producer->entries[slot];
    bool guarded = producer->options.guarded;
    if (!entry->accepted) {
        tell_accepted(producer, slot, link, out);
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
    if (!guarded) producer_entry_drop_task(producer, slot);
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
    producer_entry_drop_task(producer, slot);
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
