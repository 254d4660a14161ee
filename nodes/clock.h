/* clock.h - how much time has passed. */
#ifndef NODES_CLOCK_H
#define NODES_CLOCK_H

#include <stdint.h>

/* Milliseconds on the monotonic clock; the base is arbitrary. */
uint64_t clock_ms(void);

#endif
