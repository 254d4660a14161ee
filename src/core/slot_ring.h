/* slot_ring.h - a bounded queue of task slots, oldest first. */
#ifndef CORE_SLOT_RING_H
#define CORE_SLOT_RING_H

#include "arena.h"

#include <stdbool.h>

struct slot_ring {
    uint32_t *slots;
    uint32_t first, count, capacity;
};

static inline void slot_ring_init(struct slot_ring *ring, struct arena *arena, uint32_t capacity)
{
    assert(capacity > 0);
    ring->slots = arena_take(arena, capacity, sizeof *ring->slots);
    ring->first = ring->count = 0;
    ring->capacity = capacity;
}

static inline bool slot_ring_is_full(const struct slot_ring *ring)
{
    return ring->count == ring->capacity;
}

/* The entry `place` places behind the oldest. */
static inline uint32_t slot_ring_at(const struct slot_ring *ring, uint32_t place)
{
    assert(place < ring->count);
    uint64_t at = (uint64_t)ring->first + place;
    return ring->slots[at < ring->capacity ? at : at - ring->capacity];
}

static inline void slot_ring_push(struct slot_ring *ring, uint32_t slot)
{
    assert(!slot_ring_is_full(ring));
    uint64_t at = (uint64_t)ring->first + ring->count++;
    ring->slots[at < ring->capacity ? at : at - ring->capacity] = slot;
}

static inline uint32_t slot_ring_pop(struct slot_ring *ring)
{
    uint32_t slot = slot_ring_at(ring, 0);
    ring->first = ring->first + 1 == ring->capacity ? 0 : ring->first + 1;
    ring->count--;
    return slot;
}

#endif
