/* instant.h - time as data.
 *
 * An instant is nanoseconds on the node's own monotonic clock; no two nodes
 * ever compare theirs.  The core never reads a clock: every event carries one
 * `now_ns`, and a step sees no other.
 */
#ifndef CORE_INSTANT_H
#define CORE_INSTANT_H

#include <stdint.h>

static const uint64_t INSTANT_NEVER = UINT64_MAX;
static const uint64_t MILLISECOND = 1000000;
static const uint64_t SECOND = 1000000000;

/* `instant_ns` moved by `delay_ns`, held at INSTANT_NEVER instead of wrapping round. */
static inline uint64_t instant_after(uint64_t instant_ns, uint64_t delay_ns)
{
    return instant_ns > INSTANT_NEVER - delay_ns ? INSTANT_NEVER : instant_ns + delay_ns;
}

#endif
