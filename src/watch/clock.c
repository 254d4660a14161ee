/* clock.c - the only place that reads the time. */
#include "clock.h"

#include <time.h>

static uint64_t read_ns(clockid_t which)
{
    struct timespec now;
    (void)clock_gettime(which, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

uint64_t clock_now_ns(void)
{
    return read_ns(CLOCK_MONOTONIC) + 1;
}

uint64_t clock_tick_ns(void)
{
    return read_ns(CLOCK_MONOTONIC_COARSE) + 1;
}

uint64_t clock_left_ns(uint64_t deadline_ns)
{
    if (deadline_ns == UINT64_MAX) return UINT64_MAX;
    uint64_t now_ns = clock_now_ns();
    return deadline_ns > now_ns ? deadline_ns - now_ns : 0;
}

uint64_t clock_wall_ms(void)
{
    return read_ns(CLOCK_REALTIME_COARSE) / 1000000U;
}
