/* clock.h - the only place that reads the time. */
#ifndef WATCH_CLOCK_H
#define WATCH_CLOCK_H

#include <stdint.h>

/* Nanoseconds on the monotonic clock, which keeps running through suspension of
 * the process but not of the machine.  The base is arbitrary, never 0. */
uint64_t clock_now_ns(void);

/* The same as of the kernel's last tick, at a fraction of the price.  While it does not
 * change, no more than CLOCK_TICK_NS_MAX have passed. */
uint64_t clock_tick_ns(void);
enum { CLOCK_TICK_NS_MAX = 10 * 1000 * 1000 };

/* Nanoseconds from now until `deadline_ns`: 0 when it is past, UINT64_MAX when it
 * is UINT64_MAX, which means never. */
uint64_t clock_left_ns(uint64_t deadline_ns);

/* Milliseconds since 1970 (UTC) as of the kernel's last tick, which was a few of them ago
 * at most.  For ids only: it may jump. */
uint64_t clock_wall_ms(void);

#endif
