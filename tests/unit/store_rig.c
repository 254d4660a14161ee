/* store_rig.c - see store_rig.h. */
#include "store_rig.h"

#include "arena_rig.h"

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
    arena_rig_map(arena);
    store_init(store, arena, bytes_max);
    arena_rig_check(arena);
}

struct bytes store_rig_value(uint32_t size, uint32_t variant)
{
    return bytes_of(pattern + variant % PATTERN_PERIOD, size);
}
