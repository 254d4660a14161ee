/* producer_answer.c - what ventilators say of tasks: ACCEPT, RESULT, PROGRESS.
 *
 * Owns: how an answer changes what is kept and what the application hears.
 * Not here: whether the message belongs to a session (uplink.c).
 *
 * Answers may name anything: batches long settled, positions that do not exist,
 * ids of other producers, states that are no ends.  All of that is passed over.
 */
#include "producer_state.h"

#include "random.h"

static const uint64_t PAUSE_NS_MIN = 100 * MILLISECOND;
static const uint64_t PAUSE_NS_MAX = 1000 * MILLISECOND;

/* The pause after BUSY grows while BUSY goes on.  Answers that arrive during it
 * are to batches sent before, and say nothing new. */
static void hold_back(struct producer *producer, struct producer_link *link)
{
    if (link->paused_until_ns > producer->now_ns) return;
    uint64_t grown_ns = PAUSE_NS_MIN << (link->busy_streak < 4 ? link->busy_streak + 1 : 4);
    uint64_t limit_ns = grown_ns < PAUSE_NS_MAX ? grown_ns : PAUSE_NS_MAX;
    uint64_t pause_ns = PAUSE_NS_MIN + random_up_to(&producer->random, limit_ns - PAUSE_NS_MIN);
    link->paused_until_ns = instant_after(producer->now_ns, pause_ns);
    link->busy_streak++;
}

/* Whether `reason` is about the ventilator as it is now, and not about the task. */
static bool is_passing(enum reason reason)
{
    return reason == REASON_BUSY || reason == REASON_DRAINING;
}

static void put_back(struct producer *producer, uint32_t slot, uint32_t before)
{
    assert(producer->entries[slot].state == ENTRY_OUTBOX);
    circle_insert(&producer->places, before, slot);
}

/* Settles all that `batch` still holds; it is over with the last of them. */
static void settle(struct producer *producer, uint32_t batch, const struct producer_event *event,
                   struct producer_actions *out)
{
    struct producer_link *link = &producer->links[event->link];
    uint32_t head = producer_batch_head(producer, batch);
    uint32_t returned = producer_outbox_head(producer); /* the last one put back, or the head */
    while (!circle_is_empty(&producer->places, head)) {
        uint32_t slot = circle_next(&producer->places, head);
        uint32_t verdict = producer->verdicts[producer->entries[slot].item];
        producer_entry_detach(producer, slot);
        if (verdict == 0) {
            producer_entry_accept(producer, slot, event->link, out);
            continue;
        }
        enum reason reason = event->message->u.accept.rejections[verdict - 1].reason;
        if (reason == REASON_DRAINING) link->draining = true;
        if (reason == REASON_BUSY) hold_back(producer, link);
        const struct producer_entry *entry = &producer->entries[slot];
        if (entry->cancelled && (is_passing(reason) || entry->accepted)) {
            producer_cancel_tell(producer, slot, out);
            producer_entry_forget(producer, slot);
            continue;
        }
        if (is_passing(reason)) {
            put_back(producer, slot, returned);
            returned = slot;
            continue;
        }
        if (producer->entries[slot].accepted) { /* by another one, which is away or lost it */
            producer_entry_end_unknown(producer, slot, reason, out);
            continue;
        }
        struct producer_action *action = producer_act(out, PRODUCER_REJECTED, event->link);
        action->result = (struct result){.id = producer->index.ids[slot], .reason = reason};
        action->ticket = producer->entries[slot].ticket;
        producer->rejected++;
        producer_entry_forget(producer, slot);
    }
    if (returned == producer_outbox_head(producer)) link->busy_streak = 0;
}

void producer_answer_accept(struct producer *producer, const struct producer_event *event,
                            struct producer_actions *out)
{
    const struct message_accept *accept = &event->message->u.accept;
    uint32_t batch = producer_batch_find(producer, event->link, accept->batch);
    if (batch == INDEX_NONE || accept->count > MESSAGE_REJECTIONS_MAX) return;
    for (uint32_t i = 0; i < accept->count; i++) {
        uint32_t item = accept->rejections[i].item;
        if (item < PRODUCER_BATCH_ITEMS_MAX) producer->verdicts[item] = i + 1;
    }
    settle(producer, batch, event, out);
    for (uint32_t i = 0; i < accept->count; i++) {
        uint32_t item = accept->rejections[i].item;
        if (item < PRODUCER_BATCH_ITEMS_MAX) producer->verdicts[item] = 0;
    }
}

static bool is_end(enum task_state state)
{
    switch (state) {
    case TASK_DONE:
    case TASK_FAILED:
    case TASK_DEAD:
    case TASK_CANCELLED:
    case TASK_EXPIRED: return true;
    case TASK_NONE:
    case TASK_WAITING:
    case TASK_READY:
    case TASK_LEASED: return false;
    }
    return false;
}

/* Of a task that is not accepted yet: its result may be all that is said of its batch. */
static void note_taken(struct producer *producer, const struct producer_entry *entry, uint32_t link)
{
    if (entry->state != ENTRY_SENT || producer->batches[entry->where].link != link) return;
    producer->links[link].busy_streak = 0;
}

/* A result implies that the task was accepted, even if ACCEPT got lost or was left out, and
 * even by another ventilator than the one it was sent to last.  The first one
 * ends the task; whatever a former owner says later is about no task of ours. */
static void end(struct producer *producer, uint32_t slot, const struct result *result,
                uint32_t link, struct producer_actions *out)
{
    struct producer_entry *entry = &producer->entries[slot];
    bool kept = producer->options.guarded || (entry->flags & SUBMISSION_WANTS_RESULT) != 0;
    if (entry->remnant) {
        producer_entry_detach(producer, slot);
        producer_entry_forget(producer, slot);
        return;
    }
    if (entry->state != ENTRY_AWAITED) {
        note_taken(producer, entry, link);
        producer_entry_detach(producer, slot);
        entry->cancelled = false;
        producer_entry_accept(producer, slot, link, out);
    }
    if (!kept) return;
    assert(entry->state == ENTRY_AWAITED);
    struct producer_action *action = producer_act(out, PRODUCER_ENDED, link);
    action->result = *result;
    action->ticket = entry->ticket;
    producer->ended++;
    producer_entry_detach(producer, slot);
    producer_entry_forget(producer, slot);
}

/* Another producer waits for its end now, at this ventilator. */
static void displace(struct producer *producer, uint32_t slot, uint32_t link,
                     struct producer_actions *out)
{
    struct producer_entry *entry = &producer->entries[slot];
    bool flying = entry->state == ENTRY_SENT && !entry->cancelled &&
                  producer->batches[entry->where].link == link;
    if (flying && (entry->flags & SUBMISSION_WANTS_RESULT) != 0) { /* its ACCEPT may still come */
        producer_entry_detach(producer, slot);
        producer_entry_accept(producer, slot, link, out);
    }
    if (entry->state == ENTRY_AWAITED && entry->where == link &&
        entry->tenure == producer->links[link].tenure) {
        producer_entry_end_unknown(producer, slot, REASON_AWAITED, out);
    }
}

void producer_answer_result(struct producer *producer, const struct producer_event *event,
                            struct producer_actions *out)
{
    const struct message_result *message = &event->message->u.result;
    struct producer_link *link = &producer->links[event->link];
    if (message->count > MESSAGE_ITEMS_MAX) return;
    if (!link->receipt_due) {
        tab_begin(&link->receipt_tab,
                  instant_after(producer->now_ns, producer->options.receipt_ns));
    }
    for (uint32_t i = 0; i < message->count; i++) {
        const struct result *result = &message->items[i];
        tab_add(&link->receipt_tab, 1, result->result.size);
        uint32_t slot = index_find(&producer->index, &result->id);
        if (slot == INDEX_NONE || !is_end(result->state)) continue;
        if (result->reason == REASON_AWAITED)
            displace(producer, slot, event->link, out);
        else
            end(producer, slot, result, event->link, out);
    }
    link->receipt_due = true;
    link->receipt_through = event->message->sequence;
}

void producer_answer_progress(struct producer *producer, const struct producer_event *event,
                              struct producer_actions *out)
{
    const struct message_progress *message = &event->message->u.progress;
    if (message->count > MESSAGE_ITEMS_MAX) return;
    for (uint32_t i = 0; i < message->count; i++) {
        const struct progress *progress = &message->items[i];
        uint32_t slot = index_find(&producer->index, &progress->lease.id);
        if (slot == INDEX_NONE || producer->entries[slot].remnant) continue;
        struct producer_action *action = producer_act(out, PRODUCER_PROGRESS, event->link);
        action->result = (struct result){
            .id = progress->lease.id, .attempt = progress->lease.attempt, .text = progress->text};
        action->number = progress->number;
        action->ticket = producer->entries[slot].ticket;
    }
}
