/* producer_choice.c - which ventilator gets the next batch, and when.
 *
 * Owns: the windows, the pauses, and the choice between ventilators.
 * Not here: what a batch is (producer_batch.c).
 *
 * The less loaded of two picked at random: nearly as even as the least loaded
 * of all, without every producer running to the same one at the same moment
 * (M. Mitzenmacher, The Power of Two Choices in Randomized Load Balancing, 2001).
 */
#include "planted.h"
#include "producer_state.h"

#include "random.h"

static bool has_room(const struct producer *producer, const struct producer_link *link)
{
    if (!link->open || link->draining) return false;
    if (link->flying >= producer->options.batches_max) return false;
    if (link->unanswered_bytes >= PRODUCER_UNANSWERED_BYTES_MAX) return false;
    return !link->flights[link->number % PRODUCER_BATCHES_MAX].flying;
}

static bool is_ready(const struct producer *producer, const struct producer_link *link)
{
    return has_room(producer, link) && link->paused_until_ns <= producer->now_ns;
}

static uint64_t load_of(const struct producer *producer, uint32_t link)
{
    return producer->links[link].backlog + producer->links[link].unanswered;
}

/* Returns a link that may take a batch now, or link_count when none may. */
static uint32_t choose(struct producer *producer)
{
    uint32_t ready[PRODUCER_LINKS_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < producer->options.link_count; i++) {
        if (is_ready(producer, &producer->links[i])) ready[count++] = i;
    }
    if (count == 0) return producer->options.link_count;
    if (count == 1) return ready[0];
    uint32_t first = (uint32_t)random_up_to(&producer->random, count - 1);
    uint32_t second = (uint32_t)random_up_to(&producer->random, count - 2);
    if (second >= first) second++;
    assert(second < count);
    bool keep = load_of(producer, ready[first]) <= load_of(producer, ready[second]);
    return keep ? ready[first] : ready[second];
}

/* A batch without an answer goes to the same ventilator once more, which then
 * recognises what it has; only after that it may land, twice, somewhere else.  With
 * a cancelled task in it, it goes nowhere else. */
static uint32_t choose_for(struct producer *producer, uint32_t index)
{
    const struct producer_batch *batch = &producer->batches[index];
    if (batch->cancelled > 0) {
        bool again = producer_batch_goes_again(producer, index) &&
                     is_ready(producer, &producer->links[batch->link]);
        return again ? batch->link : producer->options.link_count;
    }
    bool same = batch->timeouts == 1 && is_ready(producer, &producer->links[batch->link]);
    return same ? batch->link : choose(producer);
}

/* When there is something to send: 0 if there is now. */
static uint64_t work_deadline(const struct producer *producer)
{
    bool waiting = !circle_is_empty(&producer->batch_places, producer_waiting_head(producer));
    return waiting ? 0 : producer_line_deadline(producer);
}

/* As with plain PUSH and PULL: what was sent counts as accepted. */
static void trust(struct producer *producer, uint32_t batch, uint32_t link,
                  struct producer_actions *out)
{
    const struct message accept = {.kind = MESSAGE_ACCEPT,
                                   .u.accept.batch = producer->batches[batch].number};
    const struct producer_event event = {.link = link, .message = &accept};
    producer_answer_accept(producer, &event, out);
}

void producer_choice_dispatch(struct producer *producer, struct producer_actions *out)
{
    uint32_t waiting = producer_waiting_head(producer);
    while (work_deadline(producer) <= producer->now_ns) {
        if (out->submission_count + PRODUCER_BATCH_ITEMS_MAX > MESSAGE_ITEMS_MAX) return;
        uint32_t batch = circle_next(&producer->batch_places, waiting);
        uint32_t link = batch == waiting ? choose(producer) : choose_for(producer, batch);
        if (link == producer->options.link_count) return;
        if (batch == waiting) batch = producer_batch_make(producer);
        producer_batch_send(producer, batch, link, out);
        if (planted(PLANTED_TRUST_SEND)) trust(producer, batch, link, out);
    }
}

uint64_t producer_choice_deadline(const struct producer *producer)
{
    uint64_t deadline_ns = INSTANT_NEVER;
    uint64_t work_ns = work_deadline(producer);
    if (work_ns == INSTANT_NEVER) return work_ns;
    uint32_t first = circle_next(&producer->batch_places, producer_waiting_head(producer));
    bool bound = first != producer_waiting_head(producer) && producer->batches[first].cancelled > 0;
    for (uint32_t i = 0; i < producer->options.link_count; i++) {
        const struct producer_link *link = &producer->links[i];
        if (bound && i != producer->batches[first].link) continue;
        if (!has_room(producer, link)) continue;
        if (link->paused_until_ns < deadline_ns) deadline_ns = link->paused_until_ns;
    }
    return deadline_ns > work_ns ? deadline_ns : work_ns;
}
