/* slot_pool.c - the free slots of a table against a naive list of them. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "../../src/core/random.h"
#include "../../src/core/slot_pool.h"
#include "arena_rig.h"

#include <stdbool.h>
#include <stdlib.h>

static void pool_build(struct slot_pool *pool, struct arena *arena, uint32_t capacity)
{
    *arena = (struct arena){0};
    slot_pool_init(pool, arena, capacity);
    arena_rig_map(arena);
    slot_pool_init(pool, arena, capacity);
    arena_rig_check(arena);
}

static void slots_are_new_until_one_is_given_back(void **state)
{
    (void)state;
    struct slot_pool pool;
    struct arena arena;
    pool_build(&pool, &arena, 4);
    for (uint32_t slot = 0; slot < 4; slot++) assert_int_equal(slot_pool_take(&pool), slot);
    slot_pool_give(&pool, 3);
    slot_pool_give(&pool, 1);
    assert_int_equal(pool.free_count, 2);
    assert_int_equal(slot_pool_take(&pool), 1);
    assert_int_equal(slot_pool_take(&pool), 3);
    assert_int_equal(pool.free_count, 0);
    assert_int_equal(pool.fresh, 4);
    arena_rig_unmap(&arena);
}

/* The lowest one is at either end of a word of any level, and beside it. */
static void the_lowest_is_found_at_the_edges_of_words(void **state)
{
    (void)state;
    enum { CAPACITY = 300000 };
    static const uint32_t edges[] = {0,    1,    63,   64,   65,     4094,   4095,
                                     4096, 4097, 8191, 8192, 262143, 262144, CAPACITY - 1};
    enum { EDGES = sizeof edges / sizeof *edges };
    struct slot_pool pool;
    struct arena arena;
    pool_build(&pool, &arena, CAPACITY);
    for (uint32_t slot = 0; slot < CAPACITY; slot++) slot_pool_take(&pool);
    for (uint32_t at = EDGES; at > 0; at--) slot_pool_give(&pool, edges[at - 1]);
    for (uint32_t at = 0; at < EDGES; at++) assert_int_equal(slot_pool_take(&pool), edges[at]);
    for (uint32_t at = 0; at < EDGES; at++) slot_pool_give(&pool, edges[at]);
    for (uint32_t at = 0; at < EDGES; at++) assert_int_equal(slot_pool_take(&pool), edges[at]);
    assert_int_equal(pool.free_count, 0);
    assert_int_equal(pool.fresh, CAPACITY);
    arena_rig_unmap(&arena);
}

static void check_next(struct slot_pool *pool, const bool *used)
{
    uint32_t first, seen = 0;
    uint64_t next = slot_pool_next(pool, &first);
    assert_int_equal(next == 0, pool->free_count == 0);
    for (uint32_t slot = 0; slot < pool->fresh && seen == 0; slot++) {
        if (used[slot]) continue;
        assert_in_range(slot, first, first + 63);
        assert_int_equal(slot - first, slot_pool_bit(next));
        seen++;
    }
    for (; next != 0; next &= next - 1) assert_false(used[first + slot_pool_bit(next)]);
}

/* Fills, empties, and fills again: the phases decide how often to give. */
static void run_against_a_list(uint64_t seed, uint32_t capacity)
{
    struct slot_pool pool;
    struct arena arena;
    pool_build(&pool, &arena, capacity);
    bool *used = calloc(capacity, sizeof *used);
    assert_non_null(used);
    uint64_t random = seed;
    uint32_t count = 0;
    for (uint32_t step = 0; step < 20000; step++) {
        uint32_t gives_percent = step / 2000 % 2 == 0 ? 25 : 75;
        if (random_up_to(&random, 99) < gives_percent) {
            uint32_t slot = (uint32_t)random_up_to(&random, capacity - 1);
            if (!used[slot]) continue;
            slot_pool_give(&pool, slot);
            used[slot] = false;
            count--;
        } else if (count < capacity) {
            uint32_t lowest = 0;
            while (used[lowest]) lowest++;
            assert_int_equal(slot_pool_take(&pool), lowest);
            used[lowest] = true;
            count++;
        }
        assert_int_equal(pool.fresh - pool.free_count, count);
        if (step % 50 == 0) check_next(&pool, used);
    }
    free(used);
    arena_rig_unmap(&arena);
}

static void random_takes_and_gives_agree_with_a_list(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        print_message("seed %llu\n", (unsigned long long)seed);
        run_against_a_list(seed, 1);
        run_against_a_list(seed, 64);
        run_against_a_list(seed, 65);
        run_against_a_list(seed, 5000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slots_are_new_until_one_is_given_back),
        cmocka_unit_test(the_lowest_is_found_at_the_edges_of_words),
        cmocka_unit_test(random_takes_and_gives_agree_with_a_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
