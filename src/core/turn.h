/* turn.h - notices when our own loop was late, and keeps a clock without it.
 *
 * A node that was suspended or starved sees everybody else silent.  Silence is
 * therefore measured on our own clock, which stands still while we do, and after a
 * late step it begins anew for everybody.  But a node that is late over and over
 * must notice too who is gone, if slowly: then silence goes on through it, and of
 * each late step as much counts as we would have waited anyway.
 */
#ifndef CORE_TURN_H
#define CORE_TURN_H

#include "instant.h"

#include <stdbool.h>

/* A late step so long after the one before it stands alone. */
static const uint64_t TURN_CALM_NS = 60 * SECOND;

struct turn {
    uint64_t last_ns;    /* the latest step */
    uint64_t resumed_ns; /* the latest that came late; 0 for none */
    uint64_t excused_ns; /* by how much all of them together were late */
    uint64_t floor_ns;   /* no silence began before this, by our own clock */
};

/* What our own clock shows; when somebody was heard is kept by it. */
static inline uint64_t turn_clock(const struct turn *turn, uint64_t now_ns)
{
    return now_ns - turn->excused_ns;
}

/* Notes a step at `now_ns`; it is late when more than `patience_ns` passed
 * since the one before. */
static inline void turn_note(struct turn *turn, uint64_t patience_ns, uint64_t now_ns)
{
    uint64_t gap_ns = now_ns - turn->last_ns;
    if (turn->last_ns != 0 && gap_ns > patience_ns) {
        bool alone = turn->resumed_ns == 0 || turn->last_ns - turn->resumed_ns >= TURN_CALM_NS;
        turn->excused_ns += gap_ns - patience_ns;
        turn->resumed_ns = now_ns;
        if (alone) turn->floor_ns = turn_clock(turn, now_ns);
    }
    turn->last_ns = now_ns;
}

static inline uint64_t turn_silent_since(const struct turn *turn, uint64_t heard_ns)
{
    return heard_ns > turn->floor_ns ? heard_ns : turn->floor_ns;
}

/* How long a peer last heard at `heard_ns` of our own clock has been silent, as
 * far as we can tell. */
static inline uint64_t turn_silence(const struct turn *turn, uint64_t heard_ns, uint64_t now_ns)
{
    uint64_t clock_ns = turn_clock(turn, now_ns), since_ns = turn_silent_since(turn, heard_ns);
    return clock_ns > since_ns ? clock_ns - since_ns : 0;
}

/* When that silence will have lasted `silence_ns`, if we are not late again. */
static inline uint64_t turn_silent_at(const struct turn *turn, uint64_t heard_ns,
                                      uint64_t silence_ns)
{
    uint64_t since_ns = turn_silent_since(turn, heard_ns);
    return instant_after(instant_after(since_ns, turn->excused_ns), silence_ns);
}

#endif
