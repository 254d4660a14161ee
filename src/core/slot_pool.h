/* slot_pool.h - which slots of a table are free.
 *
 * Owns: the slots that were given back.  The lowest is taken first, so that what is in use
 * stays dense, and what comes together lies side by side, however things go in between; a
 * stack or a list of free slots is shuffled after a while, and a loop over things that came
 * one after the other then waits for the memory of each.
 * Like a van Emde Boas tree of fan-out 64: a bit for each slot, a bit for each word of those
 * that is not empty, and so on; a take or a give touches one word of each, and mostly just
 * one.
 */
#ifndef CORE_SLOT_POOL_H
#define CORE_SLOT_POOL_H

#include "arena.h"

enum { SLOT_POOL_LEVELS = 6, SLOT_POOL_WORD_BITS = 64 }; /* 64^6 is more than 2^32 */

struct slot_pool {
    uint64_t *levels[SLOT_POOL_LEVELS]; /* of slots, of words of slots, ... */
    uint32_t level_count;
    uint32_t free_count; /* given back */
    uint32_t fresh;      /* slots from here on were never used */
    uint32_t lowest;     /* the first word of slots that is not empty is not before this one */
};

static inline void slot_pool_init(struct slot_pool *pool, struct arena *arena, uint32_t capacity)
{
    *pool = (struct slot_pool){.level_count = 0};
    uint32_t bits = capacity, words;
    do {
        words = bits / SLOT_POOL_WORD_BITS + 1;
        pool->levels[pool->level_count++] = arena_take(arena, words, sizeof(uint64_t));
        bits = words;
    } while (words > 1);
}

static inline uint32_t slot_pool_bit(uint64_t word)
{
    return (uint32_t)__builtin_ctzll(word);
}

/* Finds the first word that is not empty; there is one. */
static inline void slot_pool_look(struct slot_pool *pool)
{
    if (pool->levels[0][pool->lowest] != 0) return;
    uint32_t word = 0;
    for (uint32_t level = pool->level_count - 1; level > 0; level--)
        word = word * SLOT_POOL_WORD_BITS + slot_pool_bit(pool->levels[level][word]);
    pool->lowest = word;
}

/* The lowest free slot.  That the table is not full the caller knows. */
static inline uint32_t slot_pool_take(struct slot_pool *pool)
{
    if (pool->free_count == 0) return pool->fresh++;
    slot_pool_look(pool);
    uint32_t at = pool->lowest;
    uint32_t slot = at * SLOT_POOL_WORD_BITS + slot_pool_bit(pool->levels[0][at]);
    pool->levels[0][at] &= pool->levels[0][at] - 1;
    for (uint32_t level = 1; level < pool->level_count; level++) {
        if (pool->levels[level - 1][at] != 0) break;
        uint64_t bit = UINT64_C(1) << at % SLOT_POOL_WORD_BITS;
        at /= SLOT_POOL_WORD_BITS;
        pool->levels[level][at] &= ~bit;
    }
    pool->free_count--;
    return slot;
}

static inline void slot_pool_give(struct slot_pool *pool, uint32_t slot)
{
    assert(slot < pool->fresh);
    uint32_t at = slot;
    for (uint32_t level = 0; level < pool->level_count; level++) {
        uint64_t bit = UINT64_C(1) << at % SLOT_POOL_WORD_BITS;
        at /= SLOT_POOL_WORD_BITS;
        uint64_t before = pool->levels[level][at];
        assert(level > 0 || (before & bit) == 0); /* it was in use */
        pool->levels[level][at] = before | bit;
        if (before != 0) break;
    }
    at = slot / SLOT_POOL_WORD_BITS;
    if (at < pool->lowest || pool->free_count == 0) pool->lowest = at;
    pool->free_count++;
}

/* Changes nothing that is seen: some of the slots that are taken next, a bit for each from
 * the returned one on. */
static inline uint64_t slot_pool_next(struct slot_pool *pool, uint32_t *first)
{
    *first = pool->fresh;
    if (pool->free_count == 0) return 0;
    slot_pool_look(pool);
    *first = pool->lowest * SLOT_POOL_WORD_BITS;
    return pool->levels[0][pool->lowest];
}

#endif
