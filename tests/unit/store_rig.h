/* store_rig.h - stores in memory of their own, and values that differ. */
#ifndef TESTS_UNIT_STORE_RIG_H
#define TESTS_UNIT_STORE_RIG_H

#include "../../src/core/store.h"

/* For cmocka: makes what values are cut from; once, before the tests. */
int store_rig_open(void **state);

/* A store of `bytes_max`, in memory that takes pages only when they are written to; it lives
 * until arena_rig_unmap. */
void store_rig_build(struct store *store, struct arena *arena, uint64_t bytes_max);

/* A value whose bytes depend on `variant`, which is kept to tell values apart.  It lives as
 * long as the program. */
struct bytes store_rig_value(uint32_t size, uint32_t variant);

#endif
