/* slot_loan.c - a slot with nothing to do runs the loop meanwhile.
 *
 * So a short function that comes alone is run by the very thread that received it, and
 * which sends what it came to.  The slot puts the loop down before it runs anything: its
 * owner takes it back when the run lasts (pool.h, struct pool_lender).
 *
 * Owns: what a slot runs between two turns, and what ends the loan.
 */
#include "slot.h"

/* Whether it is likely to be over before anybody else had been woken for it. */
static bool is_brisk(const struct slot *slot, const struct pool_job *job)
{
    const struct handler *handler =
        registry_find(slot->pool->options.registry, job->assignment.name);
    return handler != NULL && handler->kind == HANDLER_FUNCTION && slot_is_brisk(slot, handler);
}

/* Whether this slot can do alone what has come. */
static bool suits(const struct slot *slot, const struct queue *queue)
{
    if (queue->count > POOL_LONE_MAX) return false;
    for (uint32_t i = 0; i < queue->count; i++)
        if (!is_brisk(slot, queue_at(queue, i))) return false;
    return true;
}

/* Runs the loop until there is something to do.  False: it is to be given back. */
static bool run_loop(struct slot *slot, enum pool_turn turn)
{
    struct pool *pool = slot->pool;
    const struct pool_lender *lender = &pool->options.lender;
    bool goes_on, arrived;
    do {
        pool->borrowed = true;
        goes_on = lender->turn(lender->context, turn);
        pool->borrowed = false;
        turn = POOL_TURN_WAITS;
        (void)pthread_mutex_lock(&pool->lock);
        arrived = pool->queue.count > 0;
        goes_on = goes_on && suits(slot, &pool->queue);
        (void)pthread_mutex_unlock(&pool->lock);
    } while (goes_on && !arrived);
    return goes_on;
}

bool slot_borrow(struct slot *slot)
{
    struct pool *pool = slot->pool;
    const struct pool_lender *lender = &pool->options.lender;
    if (!slot->borrows && !pool->offered) return false;
    pool->offered = false;
    (void)pthread_mutex_unlock(&pool->lock);
    slot->borrows = slot->has_loop = lender->take(lender->context);
    bool results = atomic_load_explicit(&slot->batch_since_ns, memory_order_relaxed) != 0;
    if (results) slot_hand_over(slot);
    if (slot->borrows) {
        slot->borrows = run_loop(slot, results ? POOL_TURN_AT_ONCE : POOL_TURN_WAITS);
        if (slot->borrows)
            lender->put(lender->context);
        else
            lender->end(lender->context);
        slot->has_loop = false;
    }
    slot_look(slot);
    (void)pthread_mutex_lock(&pool->lock);
    return true;
}
