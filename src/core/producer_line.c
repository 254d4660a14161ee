/* producer_line.c - which tasks go out next.
 *
 * Owns: the order of those that no batch holds, and when the tasks of a
 * ventilator that is away are given to others.
 * Not here: batches that were called back; they go before all of these.
 *
 * Nothing is moved when a ventilator has been away for too long.  Its tasks stay
 * in its circle, which from then on stands in line before the outbox: so 100,000
 * cost no more than one, and if it comes back and still knows us, it keeps those
 * that nobody else got.  Every absence counts alike, after BYE too: a ventilator
 * with a journal that is started anew says BYE first and is back soon.
 */
#include "planted.h"
#include "producer_state.h"

/* When what the ventilator of `link` accepted stands in line.  Time counts even if
 * we slept through it: a run too many does less harm than a task that waits. */
static uint64_t failover_due(const struct producer *producer, uint32_t link)
{
    const struct producer_link *owner = &producer->links[link];
    if (owner->open) return INSTANT_NEVER;
    if (circle_is_empty(&producer->places, producer_awaited_head(producer, link))) {
        return INSTANT_NEVER;
    }
    return instant_after(owner->lost_ns, producer->options.failover_ns);
}

uint32_t producer_line_head(const struct producer *producer)
{
    uint32_t outbox = producer_outbox_head(producer);
    uint32_t orphans = producer_orphans_head(producer);
    if (!producer->options.guarded) return outbox;
    bool asleep = planted(PLANTED_GUARD_FALLS_ASLEEP);
    if (!circle_is_empty(&producer->places, orphans) && !asleep) return orphans;
    for (uint32_t i = 0; i < producer->options.link_count; i++) {
        if (failover_due(producer, i) > producer->now_ns) continue;
        return producer_awaited_head(producer, i);
    }
    return outbox;
}

uint64_t producer_line_deadline(const struct producer *producer)
{
    uint64_t deadline_ns = INSTANT_NEVER;
    if (!circle_is_empty(&producer->places, producer_line_head(producer))) return 0;
    if (!producer->options.guarded) return deadline_ns;
    for (uint32_t i = 0; i < producer->options.link_count; i++) {
        uint64_t due_ns = failover_due(producer, i);
        if (due_ns < deadline_ns) deadline_ns = due_ns;
    }
    return deadline_ns;
}
