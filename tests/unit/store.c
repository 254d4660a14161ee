/* store.c - the store against plain copies, at the borders of its sizes, and
 * through exhaustion and back. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "../../src/core/random.h"
#include "../../src/core/store.h"
#include "arena_rig.h"
#include "store_rig.h"

#include <stdlib.h>

enum {
    KIB = 1024,
    MIB = 1024 * KIB,
    VALUES = 400, /* held at once by the random run */
    STEPS = 20000
};

static void check_value(const struct store *store, struct stored stored, struct bytes expected)
{
    struct bytes kept = store_get(store, stored);
    assert_non_null(kept.data);
    assert_int_equal(kept.size, expected.size);
    assert_int_equal((uintptr_t)kept.data % 16, 0);
    assert_true(bytes_equal(kept, expected));
}

static const uint32_t border_sizes[] = {
    0,       1,           15,           16,           17,       31,       32,        33,
    127,     128,         129,          160,          161,      255,      256,       257,
    1023,    1024,        1025,         4096,         16 * KIB, 20 * KIB, 28 * KIB,  28673,
    32767,   32 * KIB,    32 * KIB + 1, 64 * KIB - 1, 64 * KIB, 65537,    128 * KIB, 131073,
    1 * MIB, 1 * MIB + 1, 4 * MIB,      8 * MIB,      8388609,  16777215, 16 * MIB,
};
enum { BORDER_SIZES = sizeof border_sizes / sizeof border_sizes[0] };

static void absent_is_not_kept_but_empty_is(void **state)
{
    (void)state;
    struct store store;
    struct arena arena;
    store_rig_build(&store, &arena, 0);
    struct stored absent = store_put(&store, (struct bytes){.data = NULL, .size = 0});
    assert_int_equal(absent.place, 0);
    assert_int_equal(absent.size, 0);
    assert_null(store_get(&store, absent).data);
    assert_int_equal(store_get(&store, absent).size, 0);
    store_drop(&store, &absent);
    assert_int_equal(store.bytes_used, 0);

    struct stored empty = store_put(&store, bytes_text(""));
    assert_int_not_equal(empty.place, 0);
    check_value(&store, empty, bytes_text(""));
    store_drop(&store, &empty);
    assert_int_equal(empty.place, 0);
    assert_null(store_get(&store, empty).data);
    assert_int_equal(store.bytes_used, 0);
    arena_rig_unmap(&arena);
}

static void values_at_the_borders_of_sizes_are_kept_whole(void **state)
{
    (void)state;
    struct store store;
    struct arena arena;
    store_rig_build(&store, &arena, 100 * MIB);
    struct stored kept[BORDER_SIZES];
    for (uint32_t i = 0; i < BORDER_SIZES; i++) {
        assert_true(store_fits(&store, border_sizes[i]));
        kept[i] = store_put(&store, store_rig_value(border_sizes[i], i));
        assert_int_not_equal(kept[i].place, 0);
    }
    for (uint32_t i = 0; i < BORDER_SIZES; i++) {
        check_value(&store, kept[i], store_rig_value(border_sizes[i], i));
    }
    for (uint32_t i = 0; i < BORDER_SIZES; i++) {
        store_drop(&store, &kept[i]);
        for (uint32_t j = i + 1; j < BORDER_SIZES; j++) {
            if (border_sizes[j] > 64 * KIB) continue;
            check_value(&store, kept[j], store_rig_value(border_sizes[j], j));
        }
    }
    assert_int_equal(store.bytes_used, 0);
    arena_rig_unmap(&arena);
}

static void a_value_over_the_limit_is_refused(void **state)
{
    (void)state;
    struct store store;
    struct arena arena;
    store_rig_build(&store, &arena, 64 * MIB);
    assert_false(store_fits(&store, STORE_VALUE_BYTES_MAX + 1));
    assert_false(store_fits(&store, UINT32_MAX));
    assert_int_equal(store_put(&store, store_rig_value(STORE_VALUE_BYTES_MAX + 1, 0)).place, 0);
    assert_int_equal(store.bytes_used, 0);
    assert_int_equal(store.fresh, 0);
    arena_rig_unmap(&arena);
}

static void rounding_wastes_a_quarter_of_a_slab_value_at_most(void **state)
{
    (void)state;
    struct store store;
    struct arena arena;
    store_rig_build(&store, &arena, 0);
    for (uint32_t size = 0; size <= 32 * KIB; size++) {
        struct stored stored = store_put(&store, store_rig_value(size, 0));
        assert_true(store.bytes_used >= size);
        uint64_t waste = store.bytes_used - size;
        assert_true(waste <= 16 || waste * 4 <= size);
        store_drop(&store, &stored);
        assert_int_equal(store.bytes_used, 0);
    }
    arena_rig_unmap(&arena);
}

/* Puts values of one size until none fits any more; returns how many fitted. */
static uint32_t fill(struct store *store, uint32_t size, struct stored kept[], uint32_t kept_max)
{
    uint32_t count = 0;
    while (store_fits(store, size)) {
        assert_true(count < kept_max);
        kept[count] = store_put(store, store_rig_value(size, count));
        assert_int_not_equal(kept[count].place, 0);
        count++;
    }
    struct store before = *store;
    assert_int_equal(store_put(store, store_rig_value(size, 0)).place, 0);
    assert_memory_equal(store, &before, sizeof before);
    return count;
}

static void a_full_store_refuses_and_recovers_whole(void **state)
{
    (void)state;
    static const struct {
        uint32_t size, fitting; /* into one longest run */
    } cases[] = {
        {16, 256 * 4096},    {100, 256 * 585},    {160, 256 * 409}, {28 * KIB, 256 * 2},
        {32 * KIB, 256 * 2}, {32 * KIB + 1, 256}, {64 * KIB, 256},  {64 * KIB + 1, 128},
        {1 * MIB, 16},       {8 * MIB + 1, 1},    {16 * MIB, 1},
    };
    uint32_t kept_max = 2 * 256 * 4096;
    struct stored *kept = malloc(kept_max * sizeof *kept);
    assert_non_null(kept);
    struct store store;
    struct arena arena;
    store_rig_build(&store, &arena, 17 * MIB); /* rounded up to 32 */
    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint32_t count = fill(&store, cases[i].size, kept, kept_max);
        assert_int_equal(count, 2 * cases[i].fitting);
        for (uint32_t j = 0; j < count; j++) {
            check_value(&store, kept[j], store_rig_value(cases[i].size, j));
        }
        /* Odd ones first, so that nothing can be joined until the end. */
        for (uint32_t j = 1; j < count; j += 2) store_drop(&store, &kept[j]);
        for (uint32_t j = 0; j < count; j += 2) store_drop(&store, &kept[j]);
        assert_int_equal(store.bytes_used, 0);
        assert_int_equal(fill(&store, STORE_VALUE_BYTES_MAX, kept, kept_max), 2);
        store_drop(&store, &kept[0]);
        store_drop(&store, &kept[1]);
    }
    free(kept);
    arena_rig_unmap(&arena);
}

static void one_small_value_blocks_only_its_own_run(void **state)
{
    (void)state;
    struct store store;
    struct arena arena;
    store_rig_build(&store, &arena, 16 * MIB);
    struct stored small = store_put(&store, store_rig_value(1, 0));
    struct stored half = store_put(&store, store_rig_value(8 * MIB, 1));
    assert_int_not_equal(half.place, 0);
    assert_false(store_fits(&store, 8 * MIB));
    assert_true(store_fits(&store, 4 * MIB));
    store_drop(&store, &half);
    assert_true(store_fits(&store, 8 * MIB));
    assert_false(store_fits(&store, 16 * MIB));
    store_drop(&store, &small);
    assert_true(store_fits(&store, 16 * MIB));
    arena_rig_unmap(&arena);
}

static void a_cell_given_back_is_used_again(void **state)
{
    (void)state;
    struct store store;
    struct arena arena;
    store_rig_build(&store, &arena, 0);
    struct stored first = store_put(&store, store_rig_value(100, 1));
    struct stored second = store_put(&store, store_rig_value(100, 2));
    uint32_t place = first.place;
    store_drop(&store, &first);
    first = store_put(&store, store_rig_value(112, 3));
    assert_int_equal(first.place, place);
    check_value(&store, second, store_rig_value(100, 2));
    arena_rig_unmap(&arena);
}

static uint32_t random_size(uint64_t *random)
{
    uint64_t kind = random_up_to(random, 99);
    if (kind < 50) return (uint32_t)random_up_to(random, 300);
    if (kind < 70) return (uint32_t)random_up_to(random, 40 * KIB);
    if (kind < 90) return border_sizes[random_up_to(random, 30)]; /* up to 64 KiB and a bit */
    return (uint32_t)random_up_to(random, 600 * KIB);
}

struct copy {
    struct stored stored;
    uint32_t size, variant;
};

static void run_against_copies(uint64_t seed)
{
    struct store store;
    struct arena arena;
    store_rig_build(&store, &arena, 16 * MIB);
    static struct copy copies[VALUES];
    memset(copies, 0, sizeof copies);
    uint64_t random = seed;
    uint32_t refused = 0;
    for (uint32_t step = 0; step < STEPS; step++) {
        struct copy *copy = &copies[random_up_to(&random, VALUES - 1)];
        if (copy->stored.place != 0) {
            check_value(&store, copy->stored, store_rig_value(copy->size, copy->variant));
            store_drop(&store, &copy->stored);
            continue;
        }
        copy->size = random_size(&random);
        copy->variant = step;
        bool fits = store_fits(&store, copy->size);
        copy->stored = store_put(&store, store_rig_value(copy->size, copy->variant));
        assert_int_equal(copy->stored.place != 0, fits);
        refused += !fits;
    }
    assert_true(refused > 0); /* or the run was too kind */

    for (uint32_t i = 0; i < VALUES; i++) {
        if (copies[i].stored.place == 0) continue;
        check_value(&store, copies[i].stored, store_rig_value(copies[i].size, copies[i].variant));
        store_drop(&store, &copies[i].stored);
    }
    assert_int_equal(store.bytes_used, 0);
    for (uint32_t i = 0; i < STORE_CLASSES; i++) assert_int_equal(store.partial[i], 0);
    assert_true(store_fits(&store, STORE_VALUE_BYTES_MAX));
    arena_rig_unmap(&arena);
}

static void random_operations_agree_with_copies(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        print_message("seed %llu\n", (unsigned long long)seed);
        run_against_copies(seed);
    }
}

static void memory_is_touched_only_as_values_come(void **state)
{
    (void)state;
    struct store store;
    struct arena arena;
    store_rig_build(&store, &arena, UINT64_C(8) << 30);
    assert_int_equal(arena_rig_pages(&arena), 0);

    enum { HELD = 10000 };
    static struct stored kept[HELD];
    for (uint32_t i = 0; i < HELD; i++) kept[i] = store_put(&store, store_rig_value(100, i));
    size_t resident = arena_rig_pages(&arena);
    assert_true(resident <= HELD * 112 / ARENA_RIG_PAGE_BYTES + 16);

    /* Oldest out, newest in: what was given back is what is used. */
    for (uint32_t i = 0; i < 10 * HELD; i++) {
        store_drop(&store, &kept[i % HELD]);
        kept[i % HELD] = store_put(&store, store_rig_value(100, i));
    }
    assert_int_equal(arena_rig_pages(&arena), resident);
    arena_rig_unmap(&arena);
}

static void two_values_put_as_one_stand_one_behind_the_other(void **state)
{
    (void)state;
    struct arena arena;
    struct store store;
    store_rig_build(&store, &arena, 2 * STORE_VALUE_BYTES_MAX);
    static const uint32_t sizes[] = {0, 1, 6, 16, 100, 40 * KIB, MIB};
    enum { SIZES = sizeof sizes / sizeof sizes[0] };
    for (uint32_t i = 0; i < SIZES * SIZES; i++) {
        struct bytes first = store_rig_value(sizes[i / SIZES], i);
        struct bytes second = store_rig_value(sizes[i % SIZES], i + 7);
        struct stored stored = store_put_both(&store, first, second);
        struct bytes kept = store_get(&store, stored);
        assert_int_equal(kept.size, first.size + second.size);
        assert_true(bytes_equal(bytes_of(kept.data, first.size), first));
        assert_true(bytes_equal(bytes_of(kept.data + first.size, second.size), second));
        store_drop(&store, &stored);
        assert_int_equal(store.bytes_used, 0);
    }
    /* Absent ones are empty, and what does not fit changes nothing. */
    struct stored empty = store_put_both(&store, (struct bytes){0}, (struct bytes){0});
    assert_int_not_equal(empty.place, 0);
    uint64_t used = store.bytes_used;
    struct stored large =
        store_put_both(&store, store_rig_value(STORE_VALUE_BYTES_MAX, 0), store_rig_value(1, 0));
    assert_int_equal(large.place, 0);
    assert_int_equal(store.bytes_used, used);
    arena_rig_unmap(&arena);
}

static void the_largest_store_still_names_its_last_place(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct store store;
    store_init(&store, &arena, UINT64_MAX);
    assert_int_equal((uint64_t)store.span_count * STORE_SPAN_BYTES, STORE_BYTES_MAX);
    assert_true((uint64_t)store.span_count * (STORE_SPAN_BYTES / 16) < UINT32_MAX);
    assert_null(store.region);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(absent_is_not_kept_but_empty_is),
        cmocka_unit_test(values_at_the_borders_of_sizes_are_kept_whole),
        cmocka_unit_test(a_value_over_the_limit_is_refused),
        cmocka_unit_test(rounding_wastes_a_quarter_of_a_slab_value_at_most),
        cmocka_unit_test(a_full_store_refuses_and_recovers_whole),
        cmocka_unit_test(one_small_value_blocks_only_its_own_run),
        cmocka_unit_test(a_cell_given_back_is_used_again),
        cmocka_unit_test(random_operations_agree_with_copies),
        cmocka_unit_test(memory_is_touched_only_as_values_come),
        cmocka_unit_test(two_values_put_as_one_stand_one_behind_the_other),
        cmocka_unit_test(the_largest_store_still_names_its_last_place),
    };
    return cmocka_run_group_tests(tests, store_rig_open, NULL);
}
