/* clock.h - a node's own monotonic clock, as a view of virtual time.
 *
 * Each starts somewhere else and goes a little too fast or too slow, so that a
 * core that compared two clocks, or trusted a peer's, would be found out.
 */
#ifndef SIM_CLOCK_H
#define SIM_CLOCK_H

#include "core/instant.h"

struct clock {
    uint64_t offset_ns;
    uint32_t rate_ppm; /* 1000000 is exact */
};

/* What the clock shows at the virtual time `at_ns`. */
static inline uint64_t clock_show(const struct clock *clock, uint64_t at_ns)
{
    return clock->offset_ns + at_ns / 1000000 * clock->rate_ppm +
           at_ns % 1000000 * clock->rate_ppm / 1000000;
}

/* The first virtual time at which it shows `local_ns` or more. */
static inline uint64_t clock_when(const struct clock *clock, uint64_t local_ns)
{
    if (local_ns == INSTANT_NEVER) return INSTANT_NEVER;
    if (local_ns <= clock->offset_ns) return 0;
    uint64_t shown_ns = local_ns - clock->offset_ns;
    uint64_t at_ns = shown_ns / clock->rate_ppm * 1000000 +
                     shown_ns % clock->rate_ppm * 1000000 / clock->rate_ppm;
    while (clock_show(clock, at_ns) < local_ns) at_ns++;
    return at_ns;
}

#endif
