/* slot_loan.c - a slot with nothing to do runs the loop meanwhile.
 *
 * So a short function that comes alone is run by the very thread that received it, and
 * which sends what it came to.  The slot puts the loop down before it runs anything: its
 * owner takes it back when the run lasts (pool.h, struct pool_lender).
 *
 * What arrives meanwhile goes past the queue, into the slot, and what it came to goes straight
 * to where the loop collects from: no lock of the pool's is taken on the way.  Other slots can
 * have the jobs from there as from any slot, should one of them last.
 *
 * Owns: what a slot runs between two turns, and what ends the loan.
 */
#include "slot.h"

#include <assert.h>

/* Whether it is likely to be over before anybody else had been woken for it. */
static bool is_brisk(const struct slot *slot, const struct assignment *assignment)
{
    const struct handler *handler = slot_find_handler(slot, assignment->name);
    return handler != NULL && handler->kind == HANDLER_FUNCTION && slot_is_brisk(slot, handler);
}

/* Whether this slot can do them alone, beside `before` others. */
static bool suits(const struct slot *slot, const struct pool_order *orders, uint32_t count,
                  uint32_t before)
{
    if (before + count > POOL_LONE_MAX) return false;
    for (uint32_t i = 0; i < count; i++)
        if (!is_brisk(slot, orders[i].assignment)) return false;
    return true;
}

bool slot_accept(struct slot *slot, const struct pool_order *orders, uint32_t count)
{
    latch_take(&slot->lock);
    if (slot->taken_next == slot->taken_count) slot->taken_next = slot->taken_count = 0;
    uint32_t before = slot->taken_count - slot->taken_next;
    bool accepts = suits(slot, orders, count, before);
    for (uint32_t i = 0; i < count && accepts; i++) {
        struct pool_job *job = &slot->taken[slot->taken_count++];
        job->job = orders[i].job;
        job->fence = orders[i].fence;
        job->assignment = *orders[i].assignment;
    }
    atomic_store_explicit(&slot->waiting, slot->taken_count - slot->taken_next,
                          memory_order_relaxed);
    latch_give(&slot->lock);
    return accepts;
}

/* Runs the loop until it has brought something.  False: it is to be given back. */
static bool run_loop(struct slot *slot, enum pool_turn turn)
{
    struct pool *pool = slot->pool;
    const struct pool_lender *lender = &pool->options.lender;
    bool goes_on;
    pool->borrower = slot;
    pool->refused = false;
    do {
        goes_on = lender->turn(lender->context, turn) && !pool->refused;
        turn = POOL_TURN_WAITS;
    } while (goes_on && atomic_load_explicit(&slot->waiting, memory_order_relaxed) == 0);
    pool->borrower = NULL;
    return goes_on;
}

/* What it ran before needs nobody's lock to get to the loop, nor the loop to be woken for it. */
static enum pool_turn bring_results(struct slot *slot)
{
    if (atomic_load_explicit(&slot->batch_since_ns, memory_order_relaxed) == 0)
        return POOL_TURN_WAITS;
    if (!pool_fetch_from(slot->pool, slot, UINT64_MAX)) slot_hand_over(slot);
    return POOL_TURN_AT_ONCE;
}

void slot_borrow(struct slot *slot)
{
    const struct pool_lender *lender = &slot->pool->options.lender;
    assert(slot->borrows);
    slot->borrows = lender->take(lender->context);
    if (!slot->borrows) return;
    slot->borrows = run_loop(slot, bring_results(slot));
    if (slot->borrows)
        lender->put(lender->context);
    else
        lender->end(lender->context);
    slot_look(slot);
}
