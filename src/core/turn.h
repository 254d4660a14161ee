/* turn.h - notices when our own loop was late.
 *
 * A node that was suspended or starved sees everybody else silent.  Silence is
 * therefore measured from the last turn that came late, never from before it.
 */
#ifndef CORE_TURN_H
#define CORE_TURN_H

#include "instant.h"

struct turn {
    uint64_t last_ns;    /* the latest turn */
    uint64_t resumed_ns; /* the latest turn that came late; 0 for none */
};

/* Notes a turn at `now_ns`; it is late when more than `patience_ns` passed
 * since the one before. */
static inline void turn_note(struct turn *turn, uint64_t patience_ns, uint64_t now_ns)
{
    if (turn->last_ns != 0 && now_ns - turn->last_ns > patience_ns) turn->resumed_ns = now_ns;
    turn->last_ns = now_ns;
}

/* How long a peer last heard at `heard_ns` has been silent, as far as we can tell. */
static inline uint64_t turn_silence(const struct turn *turn, uint64_t heard_ns, uint64_t now_ns)
{
    uint64_t from_ns = heard_ns > turn->resumed_ns ? heard_ns : turn->resumed_ns;
    return now_ns > from_ns ? now_ns - from_ns : 0;
}

#endif
