/* heap.c - the heap against a naive search, and in the order of equal keys. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "../../src/core/heap.h"
#include "../../src/core/random.h"
#include "arena_rig.h"

enum { OWNERS = 300, STEPS = 20000 };

static const uint64_t ABSENT = UINT64_MAX; /* in the naive table only */

static void heap_build(struct heap *heap, struct arena *arena, uint32_t capacity)
{
    *arena = (struct arena){0};
    heap_init(heap, arena, capacity);
    arena_rig_map(arena);
    heap_init(heap, arena, capacity);
    arena_rig_check(arena);
}

static void check_first(const struct heap *heap, uint32_t owner, uint64_t key)
{
    const struct heap_entry *first = heap_first(heap);
    assert_non_null(first);
    assert_int_equal(first->owner, owner);
    assert_int_equal(first->key, key);
}

static void an_empty_heap_has_no_first(void **state)
{
    (void)state;
    struct heap heap;
    struct arena arena;
    heap_build(&heap, &arena, 1);
    assert_null(heap_first(&heap));
    assert_false(heap_has(&heap, 0));
    heap_remove(&heap, 0);
    heap_set(&heap, 0, UINT64_MAX);
    check_first(&heap, 0, UINT64_MAX);
    assert_true(heap_has(&heap, 0));
    heap_remove(&heap, 0);
    assert_null(heap_first(&heap));
    assert_false(heap_has(&heap, 0));
    arena_rig_unmap(&arena);
}

static void setting_an_owner_again_moves_it(void **state)
{
    (void)state;
    struct heap heap;
    struct arena arena;
    heap_build(&heap, &arena, 3);
    heap_set(&heap, 0, 10);
    heap_set(&heap, 1, 20);
    heap_set(&heap, 2, 30);
    heap_set(&heap, 0, 25);
    check_first(&heap, 1, 20);
    heap_set(&heap, 2, 5);
    check_first(&heap, 2, 5);
    heap_set(&heap, 2, 5);
    check_first(&heap, 2, 5);
    assert_int_equal(heap.count, 3);
    arena_rig_unmap(&arena);
}

static void equal_keys_come_in_order_of_owners(void **state)
{
    (void)state;
    struct heap heap;
    struct arena arena;
    heap_build(&heap, &arena, OWNERS);
    for (uint32_t i = 0; i < OWNERS; i++) heap_set(&heap, i * 7 % OWNERS, 42);
    for (uint32_t i = 0; i < OWNERS; i++) {
        check_first(&heap, i, 42);
        heap_remove(&heap, i);
    }
    assert_null(heap_first(&heap));
    arena_rig_unmap(&arena);
}

static void groups_of_siblings_begin_a_cache_line(void **state)
{
    (void)state;
    struct heap heap;
    struct arena arena;
    heap_build(&heap, &arena, OWNERS);
    assert_int_equal((uintptr_t)&heap.entries[1] % 64, 0);
    assert_int_equal((uintptr_t)&heap.entries[5] % 64, 0);
    arena_rig_unmap(&arena);
}

static uint32_t owner_of_least(const uint64_t keys[])
{
    uint32_t least = 0;
    for (uint32_t i = 1; i < OWNERS; i++) {
        if (keys[i] < keys[least]) least = i;
    }
    return least;
}

static void check_against(const struct heap *heap, const uint64_t keys[])
{
    uint32_t least = owner_of_least(keys);
    if (keys[least] == ABSENT) {
        assert_null(heap_first(heap));
    } else {
        check_first(heap, least, keys[least]);
    }
}

static void run_against_a_search(uint64_t seed)
{
    struct heap heap;
    struct arena arena;
    heap_build(&heap, &arena, OWNERS);
    uint64_t keys[OWNERS];
    for (uint32_t i = 0; i < OWNERS; i++) keys[i] = ABSENT;

    uint64_t random = seed;
    uint64_t keys_max = seed % 2 == 0 ? 20 : 1000000;
    for (uint32_t step = 0; step < STEPS; step++) {
        uint32_t owner = (uint32_t)random_up_to(&random, OWNERS - 1);
        uint32_t removals_percent = step / 2000 % 2 == 0 ? 20 : 80;
        if (random_up_to(&random, 99) < removals_percent) {
            heap_remove(&heap, owner);
            keys[owner] = ABSENT;
        } else {
            keys[owner] = random_up_to(&random, keys_max);
            heap_set(&heap, owner, keys[owner]);
        }
        assert_int_equal(heap_has(&heap, owner), keys[owner] != ABSENT);
        check_against(&heap, keys);
    }
    for (uint32_t left = heap.count; left > 0; left--) {
        uint32_t owner = owner_of_least(keys);
        check_against(&heap, keys);
        heap_remove(&heap, owner);
        keys[owner] = ABSENT;
    }
    assert_null(heap_first(&heap));
    arena_rig_unmap(&arena);
}

static void random_operations_agree_with_a_search(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        print_message("seed %llu\n", (unsigned long long)seed);
        run_against_a_search(seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_heap_has_no_first),
        cmocka_unit_test(setting_an_owner_again_moves_it),
        cmocka_unit_test(equal_keys_come_in_order_of_owners),
        cmocka_unit_test(groups_of_siblings_begin_a_cache_line),
        cmocka_unit_test(random_operations_agree_with_a_search),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
