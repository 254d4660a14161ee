/* clock.h - how much time has passed. */
#ifndef NODES_CLOCK_H
#define NODES_CLOCK_H

#include <stdint.h>

/* Milliseconds, and nanoseconds, on the monotonic clock; the base is arbitrary. */
uint64_t clock_ms(void);
uint64_t clock_ns(void);

#endif
