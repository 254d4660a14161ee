/* arena_rig.c - see arena_rig.h. */
#include "arena_rig.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <stdlib.h>
#include <sys/mman.h>

enum { LINE_BYTES = 64 };

static size_t rounded(size_t bytes, size_t unit)
{
    return (bytes + unit - 1) / unit * unit;
}

/* The block ends where its last page does, as nearly as the alignment of its tables allows;
 * the page after it is for nobody. */
static size_t pages_bytes(const struct arena *arena)
{
    return rounded(arena->size, ARENA_RIG_PAGE_BYTES);
}

static uint8_t *pages(const struct arena *arena)
{
    return arena->base + rounded(arena->size, LINE_BYTES) - pages_bytes(arena);
}

void arena_rig_map(struct arena *arena)
{
    assert_null(arena->base);
    *arena = (struct arena){.size = arena->used};
    size_t bytes = pages_bytes(arena);
    uint8_t *memory = mmap(NULL, bytes + ARENA_RIG_PAGE_BYTES, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_true(memory != MAP_FAILED);
    madvise(memory, bytes, MADV_NOHUGEPAGE);
    assert_int_equal(mprotect(memory + bytes, ARENA_RIG_PAGE_BYTES, PROT_NONE), 0);
    arena->base = memory + bytes - rounded(arena->size, LINE_BYTES);
}

void arena_rig_unmap(struct arena *arena)
{
    munmap(pages(arena), pages_bytes(arena) + ARENA_RIG_PAGE_BYTES);
    *arena = (struct arena){0};
}

void arena_rig_check(const struct arena *arena)
{
    assert_non_null(arena->base);
    assert_int_equal(arena->used, arena->size);
}

size_t arena_rig_pages(const struct arena *arena)
{
    size_t count = pages_bytes(arena) / ARENA_RIG_PAGE_BYTES, resident = 0;
    unsigned char *flags = malloc(count);
    assert_non_null(flags);
    assert_int_equal(mincore(pages(arena), pages_bytes(arena), flags), 0);
    for (size_t i = 0; i < count; i++) resident += flags[i] & 1;
    free(flags);
    return resident;
}
