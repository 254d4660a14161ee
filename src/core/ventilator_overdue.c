/* ventilator_overdue.c - leases with a time limit that their worker does not end.
 *
 * It is the worker that ends a run at its limit, and says so.  One that does not
 * know limits, or whose thread hangs while its heartbeats go on, does neither:
 * its lease is over a while later all the same.  The while, lost_ns, is there for
 * the way to the worker, for the wait behind other tasks there, and for the end of
 * the run; it does not pass while we stand still ourselves.
 */
#include "time_limit.h"
#include "ventilator_state.h"

void ventilator_watch_lease(struct ventilator *ventilator, uint32_t slot)
{
    struct task *task = &ventilator->tasks[slot];
    if (task->limit_ms == 0) return;
    uint64_t patience_ns = task->limit_ms * MILLISECOND + ventilator->options.lost_ns;
    task->excused_ms = (uint32_t)(ventilator->turn.excused_ns / MILLISECOND);
    heap_set(&ventilator->alarms, slot, instant_after(ventilator->now_ns, patience_ns));
}

void ventilator_lease_alarm(struct ventilator *ventilator, uint32_t slot)
{
    struct task *task = &ventilator->tasks[slot];
    uint32_t excused_ms = (uint32_t)(ventilator->turn.excused_ns / MILLISECOND);
    uint32_t late_ms = excused_ms - task->excused_ms; /* wraps round with the counts */
    if (late_ms > 0) {
        uint64_t due_ns = heap_key(&ventilator->alarms, slot);
        task->excused_ms = excused_ms;
        heap_set(&ventilator->alarms, slot, instant_after(due_ns, late_ms * MILLISECOND));
        return;
    }
    uint32_t holder = task->holder;
    char text[TIME_LIMIT_TEXT_BYTES];
    const struct assignment limits = {.limit_ms = task->limit_ms};
    const struct completion completion = {
        .outcome = OUTCOME_FAILED,
        .text = end_cause_text(END_LIMIT, &limits, "; its worker did not end it", text),
    };
    ventilator_fail(ventilator, slot, &completion);
    ventilator_ring_update(ventilator, holder); /* it may hold another instead */
}
