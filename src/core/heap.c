/* heap.c - the four-ary heap behind heap.h.
 *
 * Owns: the order of the entries, and the note of where each owner's entry is.
 * Both are kept by `put_at` alone.
 */
#include "heap.h"

enum { BRANCHES = 4, CACHE_LINE_BYTES = 64 };

_Static_assert(BRANCHES * sizeof(struct heap_entry) == CACHE_LINE_BYTES, "siblings share a line");

void heap_init(struct heap *heap, struct arena *arena, uint32_t capacity)
{
    /* The children of entry i are 4i+1 .. 4i+4: with the first entry at the end
     * of a line of its own, every group of siblings begins a line. */
    enum { SKIPPED = BRANCHES - 1 };
    assert(capacity < UINT32_MAX / BRANCHES);
    struct heap_entry *lines =
        arena_take(arena, (size_t)capacity + SKIPPED, sizeof(struct heap_entry));
    *heap = (struct heap){
        .entries = lines == NULL ? NULL : lines + SKIPPED,
        .where = arena_take(arena, capacity, sizeof *heap->where),
        .capacity = capacity,
    };
}

static bool is_before(const struct heap_entry *a, const struct heap_entry *b)
{
    return a->key != b->key ? a->key < b->key : a->owner < b->owner;
}

static void put_at(struct heap *heap, uint32_t position, struct heap_entry entry)
{
    heap->entries[position] = entry;
    heap->where[entry.owner] = position + 1;
}

/* Puts `entry` at `position`, which is vacant, or above it. */
static void rise(struct heap *heap, uint32_t position, struct heap_entry entry)
{
    while (position > 0) {
        uint32_t parent = (position - 1) / BRANCHES;
        if (!is_before(&entry, &heap->entries[parent])) break;
        put_at(heap, position, heap->entries[parent]);
        position = parent;
    }
    put_at(heap, position, entry);
}

/* Puts `entry` at `position`, which is vacant, or below it. */
static void sink(struct heap *heap, uint32_t position, struct heap_entry entry)
{
    for (;;) {
        uint32_t child = position * BRANCHES + 1;
        if (child >= heap->count) break;
        uint32_t end = heap->count - child < BRANCHES ? heap->count : child + BRANCHES;
        uint32_t least = child;
        while (++child < end) {
            if (is_before(&heap->entries[child], &heap->entries[least])) least = child;
        }
        if (!is_before(&heap->entries[least], &entry)) break;
        put_at(heap, position, heap->entries[least]);
        position = least;
    }
    put_at(heap, position, entry);
}

void heap_set(struct heap *heap, uint32_t owner, uint64_t key)
{
    assert(owner < heap->capacity);
    struct heap_entry entry = {.key = key, .owner = owner};
    if (heap->where[owner] == 0) {
        assert(heap->count < heap->capacity);
        rise(heap, heap->count++, entry);
        return;
    }
    uint32_t position = heap->where[owner] - 1;
    assert(heap->entries[position].owner == owner);
    if (heap->count == 1) {
        heap->entries[position].key = key;
    } else if (key < heap->entries[position].key) {
        rise(heap, position, entry);
    } else {
        sink(heap, position, entry);
    }
}

void heap_remove(struct heap *heap, uint32_t owner)
{
    assert(owner < heap->capacity);
    if (heap->where[owner] == 0) return;
    uint32_t position = heap->where[owner] - 1;
    struct heap_entry removed = heap->entries[position];
    struct heap_entry last = heap->entries[--heap->count];
    assert(removed.owner == owner);
    heap->where[owner] = 0;
    if (position == heap->count) return;
    if (is_before(&last, &removed)) {
        rise(heap, position, last);
    } else {
        sink(heap, position, last);
    }
}

bool heap_has(const struct heap *heap, uint32_t owner)
{
    assert(owner < heap->capacity);
    return heap->where[owner] != 0;
}

uint64_t heap_key(const struct heap *heap, uint32_t owner)
{
    assert(heap_has(heap, owner));
    return heap->entries[heap->where[owner] - 1].key;
}
