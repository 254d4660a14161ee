/* pins.c - values that the store keeps where they came, in memory of somebody else: how
 * long, how many, and what is left for the others. */
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
    STEPS = 5000
};

static void check_value(const struct store *store, struct stored stored, struct bytes expected)
{
    assert_int_not_equal(stored.place, 0);
    assert_true(bytes_equal(store_get(store, stored), expected));
}

struct copy {
    struct stored stored;
    uint32_t size, variant;
};

/* Some are too small to be borrowed. */
static uint32_t random_size(uint64_t *random)
{
    uint64_t kind = random_up_to(random, 99);
    if (kind < 40) return (uint32_t)random_up_to(random, 300);
    return (uint32_t)random_up_to(random, kind < 70 ? 40 * KIB : 600 * KIB);
}

/* Offers `memory`, puts `value`, ends the offer; whether it was taken is in *took. */
static struct stored put_offered(struct store *store, struct bytes memory, void *lender,
                                 struct bytes value, bool *took)
{
    store_offer(store, memory, lender);
    struct stored stored = store_put(store, value);
    *took = store_took(store);
    return stored;
}

static void a_large_value_stays_where_it_came_until_it_is_dropped(void **state)
{
    (void)state;
    struct store store;
    struct arena arena;
    store_rig_build(&store, &arena, 64 * MIB);
    struct bytes memory = store_rig_value(100 * KIB, 0);
    int lender;
    store_offer(&store, memory, &lender);
    struct stored first = store_put(&store, bytes_of(memory.data + 3, 20 * KIB));
    struct stored second = store_put(&store, bytes_of(memory.data + 84 * KIB, 16 * KIB));
    struct stored small = store_put(&store, bytes_of(memory.data, 16 * KIB - 1));
    struct stored behind = store_put(&store, bytes_of(memory.data + 84 * KIB + 1, 16 * KIB));
    assert_true(store_took(&store));
    assert_false(store_took(&store));
    assert_ptr_equal(store_get(&store, first).data, memory.data + 3);
    assert_ptr_equal(store_get(&store, second).data, memory.data + 84 * KIB);
    check_value(&store, small, bytes_of(memory.data, 16 * KIB - 1));
    check_value(&store, behind, bytes_of(memory.data + 84 * KIB + 1, 16 * KIB));

    /* The memory counts whole, once, until the last value in it is dropped. */
    store_drop(&store, &small);
    store_drop(&store, &behind);
    assert_int_equal(store.bytes_used, memory.size);
    store_drop(&store, &first);
    assert_int_equal(first.place, 0);
    assert_int_equal(store.bytes_used, memory.size);
    assert_null(store_returned(&store));
    store_drop(&store, &second);
    assert_int_equal(store.bytes_used, 0);
    assert_ptr_equal(store_returned(&store), &lender);
    assert_null(store_returned(&store));

    struct stored late = store_put(&store, memory); /* the offer is over */
    assert_ptr_not_equal(store_get(&store, late).data, memory.data);
    bool took;
    struct stored other = put_offered(&store, store_rig_value(16 * KIB, 0), &lender,
                                      bytes_of(memory.data + 16 * KIB, 20 * KIB), &took);
    assert_false(took);
    check_value(&store, other, bytes_of(memory.data + 16 * KIB, 20 * KIB));
    assert_null(store_returned(&store));
    arena_rig_unmap(&arena);
}

static void what_is_taken_and_dropped_within_one_offer_goes_back(void **state)
{
    (void)state;
    struct store store;
    struct arena arena;
    store_rig_build(&store, &arena, 64 * MIB);
    struct bytes memory = store_rig_value(40 * KIB, 0);
    int lender;
    store_offer(&store, memory, &lender);
    struct stored stored = store_put(&store, memory);
    store_drop(&store, &stored);
    assert_true(store_took(&store));
    assert_ptr_equal(store_returned(&store), &lender);
    assert_null(store_returned(&store));
    assert_int_equal(store.bytes_used, 0);
    arena_rig_unmap(&arena);
}

/* A message may end one task whose result nobody wants and then one whose is wanted. */
static void what_is_taken_after_a_drop_within_one_offer_stays(void **state)
{
    (void)state;
    struct store store;
    struct arena arena;
    store_rig_build(&store, &arena, 64 * MIB);
    struct bytes memory = store_rig_value(40 * KIB, 0);
    struct bytes second = bytes_of(memory.data + 16 * KIB, 20 * KIB);
    int lender;
    store_offer(&store, memory, &lender);
    struct stored stored = store_put(&store, memory);
    store_drop(&store, &stored);
    stored = store_put(&store, second);
    assert_true(store_took(&store));
    assert_null(store_returned(&store));
    assert_ptr_equal(store_get(&store, stored).data, second.data);
    store_drop(&store, &stored);
    assert_ptr_equal(store_returned(&store), &lender);
    assert_null(store_returned(&store));
    assert_int_equal(store.bytes_used, 0);
    arena_rig_unmap(&arena);
}

/* Puts values of 1 MiB that are offered, until none fits.  Returns how many were borrowed;
 * *count: all. */
static uint32_t fill_offered(struct store *store, struct stored kept[], uint32_t *count)
{
    static int lender;
    uint32_t borrowed = 0;
    bool took;
    for (*count = 0; store_fits(store, MIB); (*count)++) {
        struct bytes value = store_rig_value(MIB, *count);
        kept[*count] = put_offered(store, value, &lender, value, &took);
        assert_int_not_equal(kept[*count].place, 0);
        borrowed += took;
    }
    return borrowed;
}

static void no_more_than_half_is_borrowed_and_the_region_gives_way(void **state)
{
    (void)state;
    enum { ROOM = 64 };
    struct store store;
    struct arena arena;
    struct stored kept[ROOM + 1], whole[4];
    uint32_t count;
    store_rig_build(&store, &arena, ROOM * MIB);
    for (int again = 0; again < 2; again++) {
        assert_int_equal(fill_offered(&store, kept, &count), ROOM / 2);
        assert_int_equal(count, ROOM);
        assert_true(store.bytes_used <= ROOM * MIB);
        for (uint32_t i = 0; i < count; i++) {
            assert_true(bytes_equal(store_get(&store, kept[i]), store_rig_value(MIB, i)));
            store_drop(&store, &kept[i]);
        }
        while (store_returned(&store) != NULL) continue;
        assert_int_equal(store.bytes_used, 0);
        assert_int_equal(store.fresh, ROOM / 2 * 16);
    }
    /* The region takes the rest, which is not to be borrowed again: it stays touched. */
    for (int i = 0; i < 4; i++)
        whole[i] = store_put(&store, store_rig_value(STORE_VALUE_BYTES_MAX, 0));
    for (int i = 0; i < 4; i++) assert_int_not_equal(whole[i].place, 0);
    for (int i = 0; i < 4; i++) store_drop(&store, &whole[i]);
    assert_int_equal(fill_offered(&store, kept, &count), 0);
    assert_int_equal(count, ROOM);
    arena_rig_unmap(&arena);

    store_rig_build(&store, &arena, ROOM / 2 * MIB); /* too small to borrow at all */
    assert_int_equal(fill_offered(&store, kept, &count), 0);
    assert_int_equal(count, ROOM / 2);
    arena_rig_unmap(&arena);
}

static void more_values_than_the_table_has_are_copied(void **state)
{
    (void)state;
    struct store store;
    struct arena arena;
    static struct stored kept[PINS_MAX];
    store_rig_build(&store, &arena, 2 * (uint64_t)(PINS_MAX + 1) * PIN_BYTES_MIN);
    struct bytes value = store_rig_value(PIN_BYTES_MIN, 0);
    int lender;
    bool took;
    for (int again = 0; again < 2; again++) {
        for (uint32_t i = 0; i < PINS_MAX; i++) {
            kept[i] = put_offered(&store, value, &lender, value, &took);
            assert_true(took);
        }
        struct stored more = put_offered(&store, value, &lender, value, &took);
        assert_false(took);
        check_value(&store, more, value);
        store_drop(&store, &more);
        for (uint32_t i = 0; i < PINS_MAX; i++) store_drop(&store, &kept[i]);
        /* Nobody has fetched what went back yet. */
        more = put_offered(&store, value, &lender, value, &took);
        assert_false(took);
        store_drop(&store, &more);
        uint32_t returned = 0;
        while (store_returned(&store) != NULL) returned++;
        assert_int_equal(returned, PINS_MAX);
    }
    assert_int_equal(store.bytes_used, 0);
    arena_rig_unmap(&arena);
}

/* Each value lies in memory of its own, which is freed when it comes back, so that what
 * comes back too early is used after it was freed, and what does not is lost. */
static void random_pins_come_back_once_nobody_needs_them(void **state)
{
    (void)state;
    struct store store;
    struct arena arena;
    static struct copy copies[VALUES];
    memset(copies, 0, sizeof copies);
    store_rig_build(&store, &arena, 64 * MIB);
    uint64_t random = 7;
    uint32_t out = 0, borrowed = 0;
    for (uint32_t step = 0; step < STEPS; step++) {
        struct copy *copy = &copies[random_up_to(&random, VALUES - 1)];
        if (copy->stored.place != 0) {
            assert_true(bytes_equal(store_get(&store, copy->stored),
                                    store_rig_value(copy->size, copy->variant)));
            store_drop(&store, &copy->stored);
        } else {
            copy->size = random_size(&random);
            copy->variant = step;
            struct bytes value = store_rig_value(copy->size, copy->variant);
            uint8_t *memory = malloc(value.size + 1);
            assert_non_null(memory);
            memcpy(memory, value.data, value.size);
            bool took;
            struct bytes offered = bytes_of(memory, value.size);
            copy->stored = put_offered(&store, offered, memory, offered, &took);
            borrowed += took;
            out += took;
            if (!took) free(memory);
        }
        for (void *memory; (memory = store_returned(&store)) != NULL; out--) free(memory);
    }
    assert_true(borrowed > STEPS / 20);
    for (void *memory; (memory = store_reclaim(&store)) != NULL; out--) free(memory);
    assert_int_equal(out, 0);
    arena_rig_unmap(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_large_value_stays_where_it_came_until_it_is_dropped),
        cmocka_unit_test(what_is_taken_and_dropped_within_one_offer_goes_back),
        cmocka_unit_test(what_is_taken_after_a_drop_within_one_offer_stays),
        cmocka_unit_test(no_more_than_half_is_borrowed_and_the_region_gives_way),
        cmocka_unit_test(more_values_than_the_table_has_are_copied),
        cmocka_unit_test(random_pins_come_back_once_nobody_needs_them),
    };
    return cmocka_run_group_tests(tests, store_rig_open, NULL);
}
