/* arena.h - carves the fixed tables of a machine out of one block of memory.
 *
 * The core allocates nothing.  Whoever owns a machine asks how much memory its
 * limits need, hands over one zeroed block, and the machine lays its tables out
 * in it once.  Pages that are never touched cost nothing when the block comes
 * from mmap, so limits can be generous.
 */
#ifndef CORE_ARENA_H
#define CORE_ARENA_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ARENA_LARGE_BYTES = 16 * 1024 * 1024,
    ARENA_LARGE_MAX = 16 /* tables are noted; any more are as good as small */
};

struct arena_table {
    size_t start, bytes;
};

struct arena {
    uint8_t *base; /* NULL: only measure */
    size_t size;   /* of the block behind base; ignored while measuring */
    size_t used;
    uint32_t large_count;
    struct arena_table large[ARENA_LARGE_MAX]; /* that can fill to ARENA_LARGE_BYTES or more */
};

/* Takes `count` items of `item_bytes`, aligned for a cache line.  Returns NULL
 * while measuring; asserts that the block is large enough otherwise. */
static inline void *arena_take(struct arena *arena, size_t count, size_t item_bytes)
{
    size_t start = (arena->used + 63) & ~(size_t)63;
    assert(item_bytes == 0 || count <= (SIZE_MAX - start) / item_bytes);
    arena->used = start + count * item_bytes;
    if (count * item_bytes >= ARENA_LARGE_BYTES && arena->large_count < ARENA_LARGE_MAX) {
        arena->large[arena->large_count++] = (struct arena_table){start, count * item_bytes};
    }
    if (arena->base == NULL) return NULL;
    assert(arena->used <= arena->size);
    return arena->base + start;
}

#endif
