/* store_rig.c - see store_rig.h. */
#include "store_rig.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <sys/mman.h>

enum { PATTERN_PERIOD = 251 }; /* odd, so that a value put at a wrong place shows */

static uint8_t pattern[STORE_VALUE_BYTES_MAX + PATTERN_PERIOD];

int store_rig_open(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof pattern; i++) pattern[i] = (uint8_t)(i % PATTERN_PERIOD);
    return 0;
}

void store_rig_build(struct store *store, struct arena *arena, uint64_t bytes_max)
{
    *arena = (struct arena){0};
    store_init(store, arena, bytes_max);
    arena->size = arena->used;
    arena->used = 0;
    arena->base = mmap(NULL, arena->size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_true(arena->base != MAP_FAILED);
    madvise(arena->base, arena->size, MADV_NOHUGEPAGE);
    store_init(store, arena, bytes_max);
    assert_int_equal(arena->used, arena->size);
}

void store_rig_unmap(struct arena *arena)
{
    munmap(arena->base, arena->size);
}

struct bytes store_rig_value(uint32_t size, uint32_t variant)
{
    return bytes_of(pattern + variant % PATTERN_PERIOD, size);
}
