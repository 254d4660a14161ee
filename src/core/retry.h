/* retry.h - how long a failed task waits before its next attempt. */
#ifndef CORE_RETRY_H
#define CORE_RETRY_H

#include "random.h"

/* Exponential backoff with full jitter: anything from 0 to base_ns doubled for
 * each failure before this one (the first is 1), and never above max_ns.  Full
 * jitter spreads a burst of failures best (M. Brooker, "Exponential Backoff And
 * Jitter", AWS Architecture Blog, 2015). */
static inline uint64_t retry_delay(uint64_t *random, uint32_t failures, uint64_t base_ns,
                                   uint64_t max_ns)
{
    uint32_t doublings = failures > 0 ? failures - 1 : 0;
    uint64_t limit_ns = base_ns;
    for (; doublings > 0 && limit_ns < max_ns; doublings--) limit_ns *= 2;
    return random_up_to(random, limit_ns < max_ns ? limit_ns : max_ns);
}

#endif
