/* latch.h - a lock for moments, which one thread takes again and again and others rarely.
 *
 * To give it back is a plain store, where a mutex has to ask whether anybody sleeps: that, and
 * the calls, cost a slot a third of its time with short jobs, some 40 ns each.  In return
 * nobody is woken: who finds it taken looks again, first at once, then after all others that
 * could run have, and then every NAP_NS, so that a holder that lost its processor gets it.
 *
 * Never hold it while waiting for anything.
 */
#ifndef POOL_LATCH_H
#define POOL_LATCH_H

#include <stdatomic.h>
#include <stdbool.h>

/* All zero at first: it is free. */
struct latch {
    atomic_bool held;
};

/* For latch_take: it was found held. */
void latch_await(struct latch *latch);

static inline bool latch_try(struct latch *latch)
{
    return !atomic_exchange_explicit(&latch->held, true, memory_order_acquire);
}

static inline void latch_take(struct latch *latch)
{
    if (!latch_try(latch)) latch_await(latch);
}

static inline void latch_give(struct latch *latch)
{
    atomic_store_explicit(&latch->held, false, memory_order_release);
}

#endif
