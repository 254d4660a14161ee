/* chance.h - chance for the simulator, in the shapes it needs.
 *
 * All of it comes from states that descend from the seed of the run, so that
 * the seed alone replays the run.
 */
#ifndef SIM_CHANCE_H
#define SIM_CHANCE_H

#include "core/id.h"
#include "core/random.h"

/* 0 .. limit-1; 0 for a limit of 0. */
static inline uint64_t chance_below(uint64_t *chance, uint64_t limit)
{
    return limit == 0 ? 0 : random_next(chance) % limit;
}

static inline uint64_t chance_between(uint64_t *chance, uint64_t least, uint64_t most)
{
    return least + chance_below(chance, most - least + 1);
}

/* True this often in a million. */
static inline bool chance_ppm(uint64_t *chance, uint32_t ppm)
{
    return ppm != 0 && chance_below(chance, 1000000) < ppm;
}

static inline bool chance_one_in(uint64_t *chance, uint32_t times)
{
    return chance_below(chance, times) == 0;
}

/* Around `mean`, and now and then much more: what delays are like. */
static inline uint64_t chance_about(uint64_t *chance, uint64_t mean)
{
    uint64_t value = chance_below(chance, 2 * mean + 1);
    return chance_one_in(chance, 32) ? value * 8 : value;
}

static inline struct id chance_id(uint64_t *chance)
{
    uint64_t halves[2] = {random_next(chance), random_next(chance)};
    struct id id;
    memcpy(id.octets, halves, sizeof id.octets);
    return id;
}

#endif
