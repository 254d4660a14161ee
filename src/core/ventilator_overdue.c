/* ventilator_overdue.c - leases with a time limit that their worker does not end.
 *
 * It is the worker that ends a run at its limit, and says so.  One that does not
 * know limits, or whose thread hangs while its heartbeats go on, does neither:
 * its lease is over a while later all the same.  The while, lost_ns, is there for
 * the way to the worker, for the wait behind other tasks there, and for the end of
 * the run; it does not pass while we stand still ourselves.
 *
 * Only the limit of the whole run has this: when a run should have heeded its soft
 * limit, or shown life, is known to its worker alone.
 */
#include "time_limit.h"
#include "ventilator_state.h"

static uint64_t patience_ns(const struct ventilator *ventilator, const struct task *task)
{
    return task->limit_ms * MILLISECOND + ventilator->options.lost_ns;
}

static uint32_t clock_ms(const struct ventilator *ventilator)
{
    return (uint32_t)(turn_clock(&ventilator->turn, ventilator->now_ns) / MILLISECOND);
}

uint32_t ventilator_leased_ms(const struct ventilator *ventilator, const struct task *task)
{
    return clock_ms(ventilator) - task->leased_ms;
}

void ventilator_watch_lease(struct ventilator *ventilator, uint32_t slot)
{
    struct task *task = &ventilator->tasks[slot];
    task->leased_ms = clock_ms(ventilator);
    if (task->limit_ms == 0) return;
    heap_set(&ventilator->alarms, slot,
             instant_after(ventilator->now_ns, patience_ns(ventilator, task)));
}

void ventilator_lease_alarm(struct ventilator *ventilator, uint32_t slot)
{
    struct task *task = &ventilator->tasks[slot];
    /* Our own clock stood still while we did.  It wraps round, and so does this. */
    uint32_t due_ms = task->leased_ms + (uint32_t)(patience_ns(ventilator, task) / MILLISECOND);
    int32_t left_ms = (int32_t)(due_ms - clock_ms(ventilator));
    if (left_ms > 0) {
        heap_set(&ventilator->alarms, slot,
                 instant_after(ventilator->now_ns, (uint64_t)left_ms * MILLISECOND));
        return;
    }
    uint32_t holder = task->holder;
    char text[TIME_LIMIT_TEXT_BYTES];
    const struct completion completion = {
        .outcome = OUTCOME_FAILED,
        .text = end_cause_text(END_LIMIT, task->limit_ms, "; its worker did not end it", text),
    };
    ventilator_fail(ventilator, slot, &completion);
    ventilator_ring_update(ventilator, holder); /* it may hold another instead */
}
