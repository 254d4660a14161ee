/* heap.h - which of many owners comes first.
 *
 * A four-ary heap of (key, owner), one entry per owner at most.  Keys are
 * instants where it holds deadlines and order numbers where it holds lanes.
 * Equal keys come out in order of their owners' numbers, so that a replay
 * repeats.  Every operation is O(log n); the first is O(1).
 */
#ifndef CORE_HEAP_H
#define CORE_HEAP_H

#include "arena.h"

#include <stdbool.h>

struct heap_entry {
    uint64_t key;
    uint32_t owner;
};

struct heap {
    struct heap_entry *entries; /* laid out so that four siblings share a cache line */
    uint32_t *where;            /* by owner: position in entries plus one, 0 for not there */
    uint32_t count;
    uint32_t capacity; /* owners are 0 .. capacity-1 */
};

/* Lays the heap out in `arena`, touching none of it. */
void heap_init(struct heap *heap, struct arena *arena, uint32_t capacity);

/* Adds `owner`, or moves it when it is there already. */
void heap_set(struct heap *heap, uint32_t owner, uint64_t key);

/* Takes `owner` out; nothing happens when it is not there. */
void heap_remove(struct heap *heap, uint32_t owner);

bool heap_has(const struct heap *heap, uint32_t owner);

/* The key of an owner that is there. */
uint64_t heap_key(const struct heap *heap, uint32_t owner);

/* The entry with the smallest key, or NULL when the heap is empty.  Borrowed:
 * valid until the heap changes. */
static inline const struct heap_entry *heap_first(const struct heap *heap)
{
    return heap->count == 0 ? NULL : &heap->entries[0];
}

#endif
