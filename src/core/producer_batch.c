/* producer_batch.c - the life of one batch: made, sent, called back, sent again.
 *
 * Owns: which tasks travel together, their numbers in each session, and how
 * long an answer may take.
 * Not here: which ventilator is chosen (producer_choice.c).
 *
 * A batch that is called back keeps its tasks and their positions.  If it goes
 * out again unchanged, an ACCEPT of any number it ever had in a session that
 * still stands settles it: a slow ventilator is not made slower by tasks that
 * it accepted already.  If it goes out changed, because a result or the end of
 * patience took tasks out of it, only the newest number counts.
 */
#include "producer_state.h"

/* How often a ventilator that does not answer is asked again about cancelled tasks. */
enum { AGAIN_MAX = 3 };

static struct producer_flight *flight_of(struct producer_link *link, uint64_t number)
{
    return &link->flights[number % PRODUCER_BATCHES_MAX];
}

/* Moves the first tasks of the circle of `head` into the batch, as many as it has room
 * for. */
static void fill(struct producer *producer, uint32_t index, uint32_t head)
{
    struct producer_batch *batch = &producer->batches[index];
    uint32_t first = circle_next(&producer->places, head), last = head, slot = first;
    while (slot != head && batch->entries < PRODUCER_BATCH_ITEMS_MAX) {
        struct producer_entry *entry = &producer->entries[slot];
        uint32_t bytes = producer_entry_bytes(producer, slot);
        if (batch->entries > 0 && batch->bytes + bytes > MESSAGE_BATCH_BYTES) break;
        assert(entry->state == ENTRY_OUTBOX || entry->state == ENTRY_AWAITED);
        if (entry->state == ENTRY_AWAITED) producer->failed_over++;
        entry->state = ENTRY_SENT;
        entry->flew = true;
        entry->where = index;
        batch->entries++;
        batch->bytes += bytes;
        last = slot;
        slot = circle_next(&producer->places, slot);
    }
    if (last != head)
        circle_move(&producer->places, producer_batch_head(producer, index), first, last);
}

uint32_t producer_batch_make(struct producer *producer)
{
    assert(circle_is_empty(&producer->batch_places, producer_waiting_head(producer)));
    assert(!circle_is_empty(&producer->batch_places, producer_free_head(producer)));
    uint32_t index = circle_next(&producer->batch_places, producer_free_head(producer));
    struct producer_batch *batch = &producer->batches[index];
    circle_remove(&producer->batch_places, index);

    for (uint32_t filled = UINT32_MAX; filled != batch->entries;) {
        filled = batch->entries;
        fill(producer, index, producer_line_head(producer));
    }
    assert(batch->entries > 0);
    batch->items = batch->entries;
    batch->state = BATCH_WAITING;
    return index;
}

/* Writes the items of `batch` for its message, and tells the tasks their positions. */
static struct message_submit items_of(struct producer *producer, uint32_t index,
                                      struct producer_actions *out)
{
    struct producer_batch *batch = &producer->batches[index];
    uint32_t head = producer_batch_head(producer, index);
    struct submission *items = &out->submissions[out->submission_count];
    uint32_t count = 0;
    assert(out->submission_count + batch->entries <= MESSAGE_ITEMS_MAX);
    for (uint32_t slot = circle_next(&producer->places, head); slot != head;
         slot = circle_next(&producer->places, slot)) {
        producer->entries[slot].item = (uint16_t)count;
        producer_entry_submission(producer, slot, &items[count++]);
    }
    assert(count == batch->entries);
    out->submission_count += count;
    if (count != batch->items) batch->generation++;
    batch->items = count;
    return (struct message_submit){.batch = batch->number, .items = items, .count = count};
}

/* The intake may be up and yet lead nowhere; what was not answered in time
 * goes by the front, whose sequence the ventilator watches. */
static enum passage passage_of(const struct producer_link *link, const struct producer_batch *batch)
{
    return link->intake_up && batch->timeouts == 0 ? PASSAGE_INTAKE : PASSAGE_FRONT;
}

void producer_batch_send(struct producer *producer, uint32_t index, uint32_t to,
                         struct producer_actions *out)
{
    struct producer_batch *batch = &producer->batches[index];
    struct producer_link *link = &producer->links[to];
    assert(link->open);
    assert(batch->state == BATCH_WAITING);
    circle_remove(&producer->batch_places, index);
    batch->state = BATCH_FLYING;
    batch->link = to;
    batch->number = link->number++;
    if (batch->flown++ > 0) producer->resent += batch->entries;

    struct producer_action *action = producer_act(out, PRODUCER_SEND, to);
    action->passage = passage_of(link, batch);
    action->message.u.submit = items_of(producer, index, out);
    if (action->passage == PASSAGE_INTAKE) {
        uplink_stamp_intake(&link->uplink, &action->message);
    } else {
        uplink_stamp(&link->uplink, MESSAGE_SUBMIT, &action->message, producer->now_ns);
    }

    struct producer_flight *flight = flight_of(link, batch->number);
    assert(!flight->flying);
    *flight = (struct producer_flight){
        .number = batch->number,
        .sent_ns = producer->now_ns,
        .batch = index,
        .generation = batch->generation,
        .flying = true,
    };
    link->flying++;
    link->unanswered += batch->items;
    link->unanswered_bytes += batch->bytes;
}

static void land(struct producer *producer, struct producer_batch *batch)
{
    struct producer_link *link = &producer->links[batch->link];
    struct producer_flight *flight = flight_of(link, batch->number);
    assert(batch->state == BATCH_FLYING);
    assert(flight->flying && flight->number == batch->number);
    flight->flying = false;
    link->flying--;
    link->unanswered -= batch->items;
    link->unanswered_bytes -= batch->bytes;
    while (link->oldest < link->number && !flight_of(link, link->oldest)->flying) link->oldest++;
}

void producer_batch_leave(struct producer *producer, uint32_t index)
{
    struct producer_batch *batch = &producer->batches[index];
    assert(batch->entries > 0);
    batch->entries--;
    if (batch->entries > 0) return;
    if (batch->state == BATCH_FLYING) land(producer, batch);
    circle_remove(&producer->batch_places, index); /* from the waiting ones, if it is one */
    uint32_t generation = batch->generation + 1;
    *batch = (struct producer_batch){.state = BATCH_FREE, .generation = generation};
    circle_reset(&producer->batch_places, index);
    circle_insert(&producer->batch_places, producer_free_head(producer), index);
}

uint32_t producer_batch_find(const struct producer *producer, uint32_t link, uint64_t number)
{
    const struct producer_flight *flight =
        &producer->links[link].flights[number % PRODUCER_BATCHES_MAX];
    if (number == 0 || flight->number != number) return INDEX_NONE;
    const struct producer_batch *batch = &producer->batches[flight->batch];
    return batch->generation == flight->generation ? flight->batch : INDEX_NONE;
}

bool producer_batch_goes_again(const struct producer *producer, uint32_t index)
{
    const struct producer_batch *batch = &producer->batches[index];
    const struct producer_link *link = &producer->links[batch->link];
    if (batch->state != BATCH_WAITING || batch->flown == 0) return false;
    if (!link->open || link->draining || batch->timeouts >= AGAIN_MAX) return false;
    return producer_batch_find(producer, batch->link, batch->number) == index;
}

/* Makes the flying batch wait behind `before`, which is the head or waits too. */
static void call_back(struct producer *producer, uint32_t index, uint32_t before)
{
    struct producer_batch *batch = &producer->batches[index];
    land(producer, batch);
    batch->state = BATCH_WAITING;
    circle_insert(&producer->batch_places, before, index);
}

void producer_batch_recall(struct producer *producer, uint32_t index)
{
    struct producer_link *link = &producer->links[index];
    uint32_t before = producer_waiting_head(producer);
    while (link->oldest < link->number) {
        uint32_t batch = flight_of(link, link->oldest)->batch;
        call_back(producer, batch, before);
        before = batch;
    }
    assert(link->flying == 0 && link->unanswered == 0 && link->unanswered_bytes == 0);
}

static uint64_t answer_due(const struct producer *producer, const struct producer_link *link)
{
    if (link->oldest == link->number) return INSTANT_NEVER;
    const struct producer_flight *oldest = &link->flights[link->oldest % PRODUCER_BATCHES_MAX];
    assert(oldest->flying);
    return instant_after(oldest->sent_ns, producer->options.resend_ns);
}

void producer_batch_timeout(struct producer *producer)
{
    uint32_t before = producer_waiting_head(producer);
    for (uint32_t i = 0; i < producer->options.link_count; i++) {
        struct producer_link *link = &producer->links[i];
        while (answer_due(producer, link) <= producer->now_ns) {
            uint32_t batch = flight_of(link, link->oldest)->batch;
            call_back(producer, batch, before);
            producer->batches[batch].timeouts++;
            before = batch;
        }
    }
}

uint64_t producer_batch_deadline(const struct producer *producer)
{
    uint64_t deadline_ns = INSTANT_NEVER;
    for (uint32_t i = 0; i < producer->options.link_count; i++) {
        uint64_t due_ns = answer_due(producer, &producer->links[i]);
        if (due_ns < deadline_ns) deadline_ns = due_ns;
    }
    return deadline_ns;
}
