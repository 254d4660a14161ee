/* random.h - chance as state.
 *
 * A seeded generator (splitmix64: Steele, Lea, Flood, OOPSLA 2014) is a field
 * of every machine that needs jitter or tokens, so that one seed replays all.
 * Not for keys: lease tokens only need to be unlike each other, and a peer is
 * authorised by its connection.
 */
#ifndef CORE_RANDOM_H
#define CORE_RANDOM_H

#include <stdint.h>

static inline uint64_t random_next(uint64_t *state)
{
    uint64_t mixed = (*state += 0x9e3779b97f4a7c15U);
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9U;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebU;
    return mixed ^ (mixed >> 31);
}

/* A number from 0 to `limit` inclusive, near enough uniform for jitter. */
static inline uint64_t random_up_to(uint64_t *state, uint64_t limit)
{
    return limit == UINT64_MAX ? random_next(state) : random_next(state) % (limit + 1);
}

#endif
