/* producer_cancel.c - what becomes of tasks that the application cancelled.
 *
 * Owns: how a cancelled task ends, and who has to hear that it was cancelled.
 * Not here: the question that the application asks of every ventilator; what is
 * done here holds when that one comes too early, or to nobody.
 *
 *   OUTBOX                 ends at once, nobody has it
 *   SENT                   marked; with the ACCEPT it is CANCELLED.  When its batch comes
 *                          back instead, it ends, and leaves a remnant
 *   AWAITED                CANCELLED: a DISPOSE tells its ventilator, in each session
 *                          anew until that has answered or a RESULT comes
 *
 * A batch with a marked task may go to the same ventilator again, within the session:
 * that may have it already, on a lane which is slower than the one of a DISPOSE.  It
 * goes nowhere else.  A CANCELLED task whose ventilator lost it, or stays away for as
 * long as a guarded task would wait, ends and leaves a remnant too: its id alone, for
 * the ventilator to hear should it come back with the task.
 */
#include "producer_state.h"

/* How long a ventilator that cannot cancel now is left alone. */
static const uint64_t BUSY_NS = 100 * MILLISECOND;

/* Of an entry that no unanswered DISPOSE is about. */
enum { ITEM_NONE = UINT16_MAX };

void producer_cancel_tell(struct producer *producer, uint32_t slot, struct producer_actions *out)
{
    const struct producer_entry *entry = &producer->entries[slot];
    bool kept = entry->state == ENTRY_AWAITED || entry->state == ENTRY_CANCELLED;
    struct producer_action *action = producer_act(out, PRODUCER_ENDED, kept ? entry->where : 0);
    action->result = (struct result){
        .id = producer->index.ids[slot], .state = TASK_CANCELLED, .reason = REASON_CANCELLED};
    action->ticket = entry->ticket;
    producer->ended++;
    producer_entry_detach(producer, slot);
}

void producer_cancel_hush(struct producer *producer, uint32_t slot)
{
    struct producer_entry *entry = &producer->entries[slot];
    if (entry->accepted) producer->awaited--;
    entry->remnant = true;
    producer->remnants++;
    producer_entry_drop_task(producer, slot);
}

void producer_cancel_keep(struct producer *producer, uint32_t slot, uint32_t link)
{
    struct producer_entry *entry = &producer->entries[slot];
    assert(entry->state != ENTRY_CANCELLED);
    if (entry->remnant && producer->remnants > PRODUCER_REMNANTS_MAX) {
        producer_entry_forget(producer, slot);
        return;
    }
    uint32_t head = entry->remnant ? producer_remnants_head(producer, link)
                                   : producer_cancelled_head(producer, link);
    if (!producer->options.guarded) producer_entry_drop_task(producer, slot);
    circle_remove(&producer->ages, slot); /* its patience is over */
    circle_append(&producer->places, head, slot);
    entry->state = ENTRY_CANCELLED;
    producer->disowned++;
    entry->cancelled = false;
    entry->where = link;
    entry->tenure = producer->links[link].tenure;
    entry->item = ITEM_NONE;
}

/* Tells the end, and leaves a remnant for the ventilator of `link`. */
static void end_with_remnant(struct producer *producer, uint32_t slot, uint32_t link,
                             struct producer_actions *out)
{
    producer_cancel_tell(producer, slot, out);
    producer_cancel_hush(producer, slot);
    producer_cancel_keep(producer, slot, link);
}

void producer_cancel_end(struct producer *producer, uint32_t slot, struct producer_actions *out)
{
    const struct producer_entry *entry = &producer->entries[slot];
    if (entry->state == ENTRY_AWAITED) {
        end_with_remnant(producer, slot, entry->where, out);
    } else if (entry->state == ENTRY_SENT && producer->batches[entry->where].flown > 0) {
        end_with_remnant(producer, slot, producer->batches[entry->where].link, out);
    } else {
        producer_cancel_tell(producer, slot, out);
        producer_entry_forget(producer, slot);
    }
}

static void mark(struct producer *producer, uint32_t slot)
{
    struct producer_entry *entry = &producer->entries[slot];
    if (entry->cancelled) return;
    entry->cancelled = true;
    producer->batches[entry->where].cancelled++;
    producer->doomed++;
}

static bool is_orphan(const struct producer *producer, const struct producer_entry *entry)
{
    return entry->tenure != producer->links[entry->where].tenure;
}

void producer_cancel_task(struct producer *producer, const struct producer_event *event,
                          struct producer_actions *out)
{
    uint32_t slot = index_find(&producer->index, event->id);
    if (slot == INDEX_NONE) return;
    const struct producer_entry *entry = &producer->entries[slot];
    out->hold = entry->flew ? PRODUCER_HOLDS_PERHAPS : PRODUCER_HOLDS_ALONE;
    switch (entry->state) {
    case ENTRY_OUTBOX: producer_cancel_end(producer, slot, out); break;
    case ENTRY_SENT:
        if (producer->batches[entry->where].state == BATCH_FLYING ||
            producer_batch_goes_again(producer, entry->where)) {
            mark(producer, slot);
        } else {
            producer_cancel_end(producer, slot, out);
        }
        break;
    case ENTRY_AWAITED:
        if (is_orphan(producer, entry)) {
            producer_cancel_end(producer, slot, out);
            break;
        }
        producer_entry_detach(producer, slot);
        producer_cancel_keep(producer, slot, entry->where);
        break;
    case ENTRY_CANCELLED: break; /* it was cancelled before */
    }
}

/* ---- Sessions ---- */

void producer_cancel_opened(struct producer *producer, uint32_t link, enum cancel_owner owner)
{
    const struct circles *places = &producer->places;
    uint32_t cancelled = producer_cancelled_head(producer, link);
    switch (owner) {
    case OWNER_SAME: break;
    case OWNER_FORGETFUL: /* it may have them, but its results are not for us */
        circle_move_all(places, producer_astray_head(producer), cancelled);
        break;
    case OWNER_OTHER:
        circle_move_all(places, producer_gone_head(producer), cancelled);
        circle_move_all(places, producer_gone_head(producer),
                        producer_remnants_head(producer, link));
        break;
    }
    producer->links[link].disposals = 0;
    producer->links[link].asked_again_ns = 0;
}

void producer_cancel_lost(struct producer *producer, uint32_t link)
{
    circle_move_all(&producer->places, producer_cancelled_head(producer, link),
                    producer_asked_head(producer, link));
    producer->links[link].asked = false;
    producer->links[link].disposals = 0;
}

/* ---- What a ventilator is told, and answers ---- */

/* A RESULT may come with the answer, and says more: the end waits for the next TURN.
 * Whatever else a ventilator answers, it is told again. */
static void settle(struct producer *producer, uint32_t slot, enum reason reason)
{
    struct producer_entry *entry = &producer->entries[slot];
    entry->item = ITEM_NONE;
    if (reason == REASON_NONE || reason == REASON_NO_TASK) {
        circle_remove(&producer->places, slot);
        circle_append(&producer->places, producer_gone_head(producer), slot);
    } else if (reason == REASON_ENDED && entry->remnant) {
        producer_entry_detach(producer, slot);
        producer_entry_forget(producer, slot);
    } else if (reason == REASON_ENDED) {
        producer_entry_detach(producer, slot);
        circle_append(&producer->places, producer_awaited_head(producer, entry->where), slot);
        entry->state = ENTRY_AWAITED; /* its RESULT is on the way */
    } else {
        circle_remove(&producer->places, slot);
        circle_append(&producer->places, producer_cancelled_head(producer, entry->where), slot);
        producer->links[entry->where].asked_again_ns = instant_after(producer->now_ns, BUSY_NS);
    }
}

bool producer_cancel_disposed(struct producer *producer, const struct producer_event *event)
{
    const struct message_disposed *disposed = &event->message->u.disposed;
    struct producer_link *link = &producer->links[event->link];
    if (!link->asked || link->before > 0) {
        if (link->asked) link->before--;
        if (link->disposals > 0) link->disposals--;
        return false;
    }
    link->asked = false;
    enum reason reasons[MESSAGE_LETTERS_MAX];
    for (uint32_t at = 0; at < MESSAGE_LETTERS_MAX; at++) reasons[at] = disposed->reason;
    for (uint32_t at = 0; at < disposed->count; at++) {
        const struct rejection *rejection = &disposed->rejections[at];
        if (rejection->item < MESSAGE_LETTERS_MAX) reasons[rejection->item] = rejection->reason;
    }
    uint32_t head = producer_asked_head(producer, event->link);
    for (uint32_t slot = circle_next(&producer->places, head), next; slot != head; slot = next) {
        next = circle_next(&producer->places, slot);
        uint16_t item = producer->entries[slot].item;
        if (item != ITEM_NONE) settle(producer, slot, reasons[item]);
    }
    return true;
}

static bool has_news(const struct producer *producer, uint32_t link)
{
    return !circle_is_empty(&producer->places, producer_cancelled_head(producer, link)) ||
           !circle_is_empty(&producer->places, producer_remnants_head(producer, link));
}

/* When the ventilator of `link` may be told of what it has to hear. */
static uint64_t news_due(const struct producer *producer, uint32_t link)
{
    const struct producer_link *to = &producer->links[link];
    bool may = to->open && !to->asked && to->minor >= PRODUCER_CANCEL_MINOR;
    return may && has_news(producer, link) ? to->asked_again_ns : INSTANT_NEVER;
}

static void ask(struct producer *producer, uint32_t link, struct producer_actions *out)
{
    const uint32_t heads[] = {producer_cancelled_head(producer, link),
                              producer_remnants_head(producer, link)};
    uint32_t count = 0;
    for (size_t at = 0; at < sizeof heads / sizeof heads[0]; at++) {
        while (count < MESSAGE_LETTERS_MAX && !circle_is_empty(&producer->places, heads[at])) {
            uint32_t slot = circle_next(&producer->places, heads[at]);
            circle_remove(&producer->places, slot);
            circle_append(&producer->places, producer_asked_head(producer, link), slot);
            producer->entries[slot].item = (uint16_t)count;
            out->cancels[count++] = producer->index.ids[slot];
        }
    }
    producer_session_say(producer, MESSAGE_DISPOSE, link, out)->u.dispose =
        (struct message_dispose){.disposal = DISPOSAL_CANCEL, .ids = out->cancels, .count = count};
    producer->links[link].asked = true;
    producer->links[link].before = producer->links[link].disposals;
}

/* ---- Ends ---- */

/* When what the ventilator of `link` may have is given up. */
static uint64_t patience_ends(const struct producer *producer, uint32_t link)
{
    const struct producer_link *owner = &producer->links[link];
    if (!producer->options.guarded || owner->open) return INSTANT_NEVER;
    if (circle_is_empty(&producer->places, producer_cancelled_head(producer, link))) {
        return INSTANT_NEVER;
    }
    return instant_after(owner->lost_ns, producer->options.failover_ns);
}

/* The first batch with a marked task that comes back, or INDEX_NONE. */
static uint32_t find_returned(const struct producer *producer)
{
    uint32_t head = producer_waiting_head(producer);
    if (producer->doomed == 0) return INDEX_NONE;
    for (uint32_t batch = circle_next(&producer->batch_places, head); batch != head;
         batch = circle_next(&producer->batch_places, batch)) {
        bool marked = producer->batches[batch].cancelled > 0;
        if (marked && !producer_batch_goes_again(producer, batch)) return batch;
    }
    return INDEX_NONE;
}

/* Whether anything was cancelled that has not come to its end. */
static bool is_any_cancelled(const struct producer *producer)
{
    return producer->doomed > 0 || producer->disowned > 0;
}

/* Its last marked task may be the last of all, and the batch over with it. */
static void end_marked(struct producer *producer, uint32_t batch, struct producer_actions *out)
{
    uint32_t head = producer_batch_head(producer, batch);
    uint32_t slot = circle_next(&producer->places, head);
    for (uint32_t left = producer->batches[batch].cancelled; left > 0;) {
        uint32_t next = circle_next(&producer->places, slot);
        if (producer->entries[slot].cancelled) {
            producer_cancel_end(producer, slot, out);
            left--;
        }
        slot = next;
    }
}

/* Ends what stands at `head`; of what is astray a remnant stays. */
static void end_all(struct producer *producer, uint32_t head, uint32_t *budget,
                    struct producer_actions *out)
{
    bool astray = head == producer_astray_head(producer);
    while (*budget > 0 && !circle_is_empty(&producer->places, head)) {
        uint32_t slot = circle_next(&producer->places, head);
        const struct producer_entry *entry = &producer->entries[slot];
        (*budget)--;
        if (entry->remnant) {
            producer_entry_detach(producer, slot);
        } else {
            producer_cancel_tell(producer, slot, out);
            if (astray) producer_cancel_hush(producer, slot);
        }
        if (astray)
            producer_cancel_keep(producer, slot, entry->where);
        else
            producer_entry_forget(producer, slot);
    }
}

void producer_cancel_turn(struct producer *producer, struct producer_actions *out)
{
    uint32_t budget = PRODUCER_ENDS_PER_TURN;
    if (!is_any_cancelled(producer)) return;
    for (uint32_t link = 0; link < producer->options.link_count; link++) {
        if (patience_ends(producer, link) > producer->now_ns) continue;
        circle_move_all(&producer->places, producer_astray_head(producer),
                        producer_cancelled_head(producer, link));
    }
    for (uint32_t batch; (batch = find_returned(producer)) != INDEX_NONE;) {
        uint32_t marked = producer->batches[batch].cancelled;
        if (marked > budget) break;
        budget -= marked;
        end_marked(producer, batch, out);
    }
    end_all(producer, producer_gone_head(producer), &budget, out);
    end_all(producer, producer_astray_head(producer), &budget, out);
    for (uint32_t link = 0; link < producer->options.link_count; link++) {
        if (news_due(producer, link) > producer->now_ns) continue;
        ask(producer, link, out);
        break; /* the ids have room for one */
    }
}

uint64_t producer_cancel_deadline(const struct producer *producer)
{
    uint64_t deadline_ns = INSTANT_NEVER;
    if (!is_any_cancelled(producer)) return deadline_ns;
    if (!circle_is_empty(&producer->places, producer_gone_head(producer))) return 0;
    if (!circle_is_empty(&producer->places, producer_astray_head(producer))) return 0;
    if (find_returned(producer) != INDEX_NONE) return 0;
    for (uint32_t link = 0; link < producer->options.link_count; link++) {
        const uint64_t dues_ns[] = {news_due(producer, link), patience_ends(producer, link)};
        for (size_t at = 0; at < 2; at++) {
            if (dues_ns[at] < deadline_ns) deadline_ns = dues_ns[at];
        }
    }
    return deadline_ns;
}
