/* slot_recall.c - a slot as other threads see it: jobs are taken back from it, told to
 * end, ended, and asked about while it runs them.
 */
#include "slot.h"

#include "../watch/clock.h"

#include <assert.h>

uint32_t slot_take_back(struct slot *slot, struct pool_job jobs[SLOT_JOBS_MAX])
{
    latch_take(&slot->lock);
    uint32_t count = deputy_take_back(&slot->deputy, jobs);
    for (uint32_t i = slot->taken_next; i < slot->taken_count; i++) jobs[count++] = slot->taken[i];
    assert(count <= SLOT_JOBS_MAX);
    slot->taken_count = slot->taken_next;
    atomic_store_explicit(&slot->waiting, 0, memory_order_relaxed);
    latch_give(&slot->lock);
    return count;
}

static bool take_waiting(struct slot *slot, uint32_t job)
{
    uint32_t at = slot->taken_next;
    while (at < slot->taken_count && slot->taken[at].job != job) at++;
    if (at == slot->taken_count) return false;
    for (; at + 1 < slot->taken_count; at++) slot->taken[at] = slot->taken[at + 1];
    slot->taken_count--;
    atomic_store_explicit(&slot->waiting, slot->taken_count - slot->taken_next,
                          memory_order_relaxed);
    return true;
}

/* What was said last is the cause, but a lease that is over stays so. */
static void mark_told(struct slot *slot, enum end_cause cause)
{
    bool told = atomic_load_explicit(&slot->told, memory_order_relaxed);
    if (!told || slot->cause != END_REVOKED) slot->cause = cause;
    atomic_store_explicit(&slot->told, true, memory_order_relaxed);
}

enum slot_has slot_withdraw(struct slot *slot, uint32_t job, enum slot_take take,
                            enum end_cause cause)
{
    enum slot_has has = SLOT_HAS_IT_NOT;
    latch_take(&slot->lock);
    bool runs = atomic_load_explicit(&slot->began_ns, memory_order_relaxed) != 0;
    if (runs && slot->current == job) {
        has = SLOT_RUNS_IT;
        if (take == SLOT_KILLS_RUNNING) {
            mark_told(slot, cause);
            slot->killed = true;
            command_kill(&slot->command);
        }
    } else if (take_waiting(slot, job)) {
        has = SLOT_TOOK_IT;
    } else {
        enum deputy_has deputy_has = deputy_withdraw(&slot->deputy, job);
        if (deputy_has == DEPUTY_HAD_IT) has = SLOT_TOOK_IT;
        if (deputy_has == DEPUTY_RUNS_IT) has = SLOT_RUNS_IT;
        if (deputy_has == DEPUTY_RUNS_IT && take == SLOT_KILLS_RUNNING)
            deputy_end(&slot->deputy, job, cause);
    }
    latch_give(&slot->lock);
    return has;
}

void slot_tell(struct slot *slot, uint32_t job, enum end_cause cause)
{
    latch_take(&slot->lock);
    bool runs = atomic_load_explicit(&slot->began_ns, memory_order_relaxed) != 0;
    if (runs && slot->current == job && !slot->killed) {
        mark_told(slot, cause);
        command_tell(&slot->command);
    }
    deputy_tell(&slot->deputy, job, cause);
    latch_give(&slot->lock);
}

bool slot_take_progress(struct slot *slot, struct pool_progress *progress,
                        char text[TMESH_PROGRESS_BYTES_MAX])
{
    if (atomic_load_explicit(&slot->deputy.serving, memory_order_relaxed)) {
        uint64_t now_ns = clock_now_ns();
        latch_take(&slot->lock);
        bool told_some = deputy_take_progress(&slot->deputy, progress, text, now_ns);
        latch_give(&slot->lock);
        return told_some;
    }
    if (!atomic_load_explicit(&slot->has_progress, memory_order_relaxed)) return false;
    latch_take(&slot->lock);
    struct slot_progress *told = &slot->progress;
    bool fresh = told->fresh;
    *progress = (struct pool_progress){
        .job = slot->current, .told_ns = told->told_ns, .number = told->number};
    memcpy(text, told->text, told->text_size);
    progress->text = bytes_of(text, told->text_size);
    told->fresh = false;
    atomic_store_explicit(&slot->has_progress, false, memory_order_relaxed);
    latch_give(&slot->lock);
    return fresh;
}

struct pool_started slot_current(struct slot *slot)
{
    latch_take(&slot->lock);
    struct pool_started current = {
        .job = slot->current,
        .began_ns = atomic_load_explicit(&slot->began_ns, memory_order_relaxed),
    };
    if (current.began_ns == 0) current = deputy_current(&slot->deputy);
    latch_give(&slot->lock);
    return current;
}

uint64_t slot_began_ns(const struct slot *slot)
{
    uint64_t began_ns = atomic_load_explicit(&slot->began_ns, memory_order_relaxed);
    return began_ns != 0 ? began_ns : deputy_began_ns(&slot->deputy);
}

struct batch *slot_take_batch(struct slot *slot, struct batch *fresh, uint64_t since_ns)
{
    assert(fresh->count == 0);
    struct batch *taken = NULL;
    latch_take(&slot->lock);
    if (slot->batch != NULL && slot->batch->count > 0 && slot->batch->since_ns < since_ns) {
        taken = slot->batch;
        slot->batch = fresh;
        atomic_store_explicit(&slot->batch_since_ns, 0, memory_order_relaxed);
    }
    latch_give(&slot->lock);
    return taken;
}

void slot_stop(struct slot *slot)
{
    latch_take(&slot->lock);
    slot->taken_count = slot->taken_next;
    atomic_store_explicit(&slot->waiting, 0, memory_order_relaxed);
    mark_told(slot, END_REVOKED);
    latch_give(&slot->lock);
    command_stop(&slot->command);
    if (slot->deputy.line >= 0) deputy_kill(&slot->deputy);
}
