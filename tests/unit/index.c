/* index.c - the index against a naive table, at its borders, and in what it touches. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "../../src/core/index.h"
#include "../../src/core/random.h"
#include "arena_rig.h"

enum { KNOWN = 600, CAPACITY = 280, STEPS = 30000 };

static void index_build(struct index *index, struct arena *arena, uint32_t capacity, uint64_t salt)
{
    *arena = (struct arena){0};
    index_init(index, arena, capacity, salt);
    arena_rig_map(arena);
    index_init(index, arena, capacity, salt);
    arena_rig_check(arena);
}

/* Counted up as a producer counts its ids. */
static struct id id_of(uint64_t number)
{
    struct id id = {{0}};
    for (uint32_t at = 0; at < 8; at++) id.octets[15 - at] = (uint8_t)(number >> 8 * at);
    return id;
}

static uint32_t insert(struct index *index, uint64_t number)
{
    struct id id = id_of(number);
    return index_insert(index, &id);
}

static uint32_t find(const struct index *index, uint64_t number)
{
    struct id id = id_of(number);
    return index_find(index, &id);
}

/* Returns how many buckets overflowed into. */
static uint32_t check_chain(const struct index *index, const struct index_bucket *bucket,
                            uint32_t *seen)
{
    for (uint32_t overflowed = 0;; overflowed++) {
        assert_in_range(bucket->count, overflowed == 0 ? 0 : 1, INDEX_BUCKET_IDS);
        for (uint32_t at = 0; at < bucket->count; at++) {
            assert_true(++*seen <= index->count);
            assert_int_equal(index_find(index, &index->ids[bucket->slots[at]]), bucket->slots[at]);
        }
        if (bucket->more == 0) return overflowed;
        assert_int_equal(bucket->count, INDEX_BUCKET_IDS);
        assert_true(bucket->more <= index->overflow_fresh);
        bucket = &index->overflow[bucket->more - 1];
    }
}

/* Every slot in use stands in exactly one bucket, buckets that do not exist are empty, and
 * what overflows is in a chain or free. */
static void check_buckets(const struct index *index)
{
    uint32_t seen = 0, overflowed = 0;
    for (uint32_t bucket = 0; bucket < index->bucket_count; bucket++)
        overflowed += check_chain(index, &index->buckets[bucket], &seen);
    assert_int_equal(seen, index->count);
    for (uint32_t bucket = index->bucket_count; bucket < index->capacity / 2; bucket++) {
        assert_int_equal(index->buckets[bucket].count, 0);
        assert_int_equal(index->buckets[bucket].more, 0);
    }
    uint32_t free = 0;
    for (uint32_t link = index->overflow_free; link != 0; link = index->overflow[link - 1].more)
        assert_true(++free <= index->overflow_fresh);
    assert_int_equal(overflowed + free, index->overflow_fresh);
}

static void an_id_is_found_under_its_slot_until_it_is_removed(void **state)
{
    (void)state;
    struct index index;
    struct arena arena;
    index_build(&index, &arena, 10, 1);
    assert_int_equal(find(&index, 7), INDEX_NONE);
    uint32_t slot = insert(&index, 7);
    assert_int_not_equal(slot, INDEX_NONE);
    assert_int_equal(find(&index, 7), slot);
    assert_int_equal(find(&index, 8), INDEX_NONE);
    index_remove(&index, slot);
    assert_int_equal(find(&index, 7), INDEX_NONE);
    assert_int_equal(index.count, 0);
    arena_rig_unmap(&arena);
}

static void ids_that_differ_in_one_octet_are_different(void **state)
{
    (void)state;
    struct index index;
    struct arena arena;
    index_build(&index, &arena, 17, 1);
    struct id id = {{0}};
    uint32_t zero = index_insert(&index, &id);
    uint32_t slots[16];
    for (uint32_t i = 0; i < 16; i++) {
        struct id other = id;
        other.octets[i] = 1;
        assert_int_equal(index_find(&index, &other), INDEX_NONE);
        slots[i] = index_insert(&index, &other);
        assert_int_equal(index_find(&index, &other), slots[i]);
    }
    assert_int_equal(index_find(&index, &id), zero);
    arena_rig_unmap(&arena);
}

static void a_full_index_refuses_and_is_unchanged(void **state)
{
    (void)state;
    for (uint32_t capacity = 1; capacity <= 40; capacity++) {
        struct index index;
        struct arena arena;
        index_build(&index, &arena, capacity, 1);
        for (uint32_t i = 0; i < capacity; i++) assert_int_equal(insert(&index, i), i);

        struct index before = index;
        assert_int_equal(insert(&index, capacity), INDEX_NONE);
        assert_memory_equal(&index, &before, sizeof index);
        assert_int_equal(find(&index, capacity), INDEX_NONE);
        check_buckets(&index);

        index_remove(&index, find(&index, 0));
        assert_int_equal(insert(&index, capacity), 0);
        check_buckets(&index);
        arena_rig_unmap(&arena);
    }
}

/* Ids whose hashes agree in all bits that name a bucket: whoever could choose the salt
 * could choose these. */
static void ids_that_all_fall_into_one_bucket_are_found(void **state)
{
    (void)state;
    enum { CROWD = 100 };
    struct index index;
    struct arena arena;
    index_build(&index, &arena, CROWD, 1);
    uint64_t numbers[CROWD];
    uint32_t crowd = 0;
    for (uint64_t i = 0; crowd < CROWD; i++) {
        struct id id = id_of(i);
        if ((index_hash(&index, &id) & 63) == 5) numbers[crowd++] = i;
    }
    for (uint32_t i = 0; i < CROWD; i++) assert_int_equal(insert(&index, numbers[i]), i);
    check_buckets(&index);
    for (uint32_t i = 0; i < CROWD; i++) assert_int_equal(find(&index, numbers[i]), i);
    for (uint32_t i = 0; i < CROWD; i += 2) {
        index_remove(&index, i);
        check_buckets(&index);
        assert_int_equal(find(&index, numbers[i]), INDEX_NONE);
        assert_int_equal(find(&index, numbers[i + 1]), i + 1);
    }
    for (uint32_t i = 1; i < CROWD; i += 2) index_remove(&index, i);
    check_buckets(&index);
    arena_rig_unmap(&arena);
}

/* In a table of so many buckets that each run has its own. */
static void ids_in_a_row_lie_side_by_side(void **state)
{
    (void)state;
    enum { RUN_BUCKETS = INDEX_RUN_IDS / INDEX_PAIR_IDS, TABLE = 1 << 24, RUNS = 1000 };
    struct index index;
    struct arena arena;
    index_build(&index, &arena, 100, 1);
    uint32_t apart = 0, firsts[RUN_BUCKETS] = {0};
    for (uint64_t run = 0; run < RUNS; run++) {
        uint32_t first = 0;
        for (uint32_t at = 0; at < INDEX_RUN_IDS; at++) {
            struct id id = id_of(run * INDEX_RUN_IDS + at);
            uint32_t hash = index_hash(&index, &id), bucket = hash % TABLE;
            if (at == 0) first = bucket;
            assert_int_equal(bucket / RUN_BUCKETS, first / RUN_BUCKETS);
            assert_int_equal(bucket % RUN_BUCKETS, (first + at / INDEX_PAIR_IDS) % RUN_BUCKETS);
            struct id other = id_of(run * INDEX_RUN_IDS + at - at % INDEX_PAIR_IDS);
            if (at % INDEX_PAIR_IDS != 0) assert_int_not_equal(hash, index_hash(&index, &other));
        }
        firsts[first % RUN_BUCKETS]++;
        struct id next = id_of((run + 1) * INDEX_RUN_IDS);
        apart += index_hash(&index, &next) % TABLE / RUN_BUCKETS != first / RUN_BUCKETS;
    }
    assert_in_range(apart, RUNS - 10, RUNS);
    for (uint32_t at = 0; at < RUN_BUCKETS; at++) assert_in_range(firsts[at], 1, RUNS / 16);
    arena_rig_unmap(&arena);
}

static void the_lowest_free_slot_is_used_first(void **state)
{
    (void)state;
    struct index index;
    struct arena arena;
    index_build(&index, &arena, 10, 1);
    for (uint64_t i = 0; i < 5; i++) insert(&index, i);
    index_remove(&index, 1);
    index_remove(&index, 3);
    assert_int_equal(insert(&index, 10), 1);
    assert_int_equal(insert(&index, 11), 3);
    assert_int_equal(insert(&index, 12), 5);
    arena_rig_unmap(&arena);
}

static void one_operation_splits_or_merges_one_bucket_at_most(void **state)
{
    (void)state;
    struct index index;
    struct arena arena;
    index_build(&index, &arena, 5000, 1);
    uint32_t least = index.bucket_count;
    for (uint64_t i = 0; i < 5000; i++) {
        uint32_t before = index.bucket_count;
        insert(&index, i);
        assert_in_range(index.bucket_count, before, before + 1);
        assert_true(index.count <= 2 * index.bucket_count);
    }
    for (uint64_t i = 0; i < 5000; i++) {
        uint32_t before = index.bucket_count;
        index_remove(&index, find(&index, i));
        assert_in_range(index.bucket_count, before - 1, before);
    }
    check_buckets(&index);

    /* What is left over goes with later removals. */
    for (uint64_t i = 0; i < 5000; i++) index_remove(&index, insert(&index, i));
    assert_int_equal(index.bucket_count, least);
    check_buckets(&index);
    arena_rig_unmap(&arena);
}

static void a_count_that_swings_neither_splits_nor_merges(void **state)
{
    (void)state;
    struct index index;
    struct arena arena;
    index_build(&index, &arena, 1000, 1);
    for (uint64_t i = 0; i < 1000; i++) insert(&index, i);
    for (uint32_t round = 0; round < 10; round++) {
        for (uint64_t i = 0; i < 800; i++) index_remove(&index, find(&index, i));
        assert_int_equal(index.bucket_count, 500);
        for (uint64_t i = 0; i < 800; i++) insert(&index, i);
        assert_int_equal(index.bucket_count, 500);
    }
    arena_rig_unmap(&arena);
}

/* Grows, then shrinks, then grows again: the phases decide how often to remove. */
static void run_against_a_table(uint64_t seed)
{
    struct index index;
    struct arena arena;
    index_build(&index, &arena, CAPACITY, seed);
    uint32_t slot_of[KNOWN];
    uint32_t count = 0;
    for (uint32_t i = 0; i < KNOWN; i++) slot_of[i] = INDEX_NONE;

    uint64_t random = seed;
    for (uint32_t step = 0; step < STEPS; step++) {
        uint32_t number = (uint32_t)random_up_to(&random, KNOWN - 1);
        uint32_t removals_percent = step / 3000 % 2 == 0 ? 20 : 98;
        assert_int_equal(find(&index, number), slot_of[number]);
        if (random_up_to(&random, 99) < removals_percent) {
            if (slot_of[number] == INDEX_NONE) continue;
            index_remove(&index, slot_of[number]);
            slot_of[number] = INDEX_NONE;
            count--;
        } else if (slot_of[number] == INDEX_NONE) {
            uint32_t slot = insert(&index, number);
            assert_int_equal(slot == INDEX_NONE, count == CAPACITY);
            if (slot == INDEX_NONE) continue;
            for (uint32_t i = 0; i < KNOWN; i++) assert_int_not_equal(slot_of[i], slot);
            slot_of[number] = slot;
            count++;
        }
        assert_int_equal(index.count, count);
        if (step % 100 == 0) check_buckets(&index);
    }
    arena_rig_unmap(&arena);
}

static void random_operations_agree_with_a_table(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        print_message("seed %llu\n", (unsigned long long)seed);
        run_against_a_table(seed);
    }
}

static void fetching_ahead_names_the_slot_of_most_ids_and_changes_nothing(void **state)
{
    (void)state;
    struct index index;
    struct arena arena;
    index_build(&index, &arena, 2 * INDEX_LARGE, 1);
    uint32_t named = 0;
    for (uint64_t i = 0; i < INDEX_LARGE; i++) {
        assert_false(index_is_large(&index));
        insert(&index, i);
    }
    assert_true(index_is_large(&index));
    struct index before = index;
    for (uint64_t i = 0; i < 2 * INDEX_LARGE; i++) {
        struct id id = id_of(i);
        uint32_t hash = index_hash(&index, &id);
        index_fetch_bucket(&index, hash);
        uint32_t slot = index_fetch_slot(&index, hash);
        assert_true(slot == INDEX_NONE || slot < index.slots.fresh);
        if (slot != INDEX_NONE && slot == find(&index, i)) named++;
        if (slot != INDEX_NONE) index_fetch_id(&index, slot);
    }
    assert_true(named > INDEX_LARGE / 10 * 9);
    assert_memory_equal(&before, &index, sizeof index);
    arena_rig_unmap(&arena);
}

static void memory_is_touched_only_as_ids_come(void **state)
{
    (void)state;
    struct index index;
    struct arena arena;
    index_build(&index, &arena, 50000000, 1);
    assert_int_equal(arena_rig_pages(&arena), 0);
    for (uint64_t i = 0; i < 10000; i++) insert(&index, i);
    /* 16 bytes for each id, 32 for its part of a bucket, and some for those that overflow;
     * and a page more at either end of three tables. */
    assert_true(arena_rig_pages(&arena) <= 10000 * 52 / ARENA_RIG_PAGE_BYTES + 6);

    size_t resident = arena_rig_pages(&arena);
    for (uint64_t i = 0; i < 100000; i++) {
        index_remove(&index, find(&index, i));
        insert(&index, i + 10000);
    }
    /* Which slots are free is written down in words of a few levels, and runs of ids fall
     * where none did: some have three in a bucket's place for two, and overflow. */
    assert_in_range(arena_rig_pages(&arena), resident, resident + SLOT_POOL_LEVELS + 4);
    arena_rig_unmap(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_is_found_under_its_slot_until_it_is_removed),
        cmocka_unit_test(ids_that_differ_in_one_octet_are_different),
        cmocka_unit_test(a_full_index_refuses_and_is_unchanged),
        cmocka_unit_test(ids_that_all_fall_into_one_bucket_are_found),
        cmocka_unit_test(ids_in_a_row_lie_side_by_side),
        cmocka_unit_test(the_lowest_free_slot_is_used_first),
        cmocka_unit_test(one_operation_splits_or_merges_one_bucket_at_most),
        cmocka_unit_test(a_count_that_swings_neither_splits_nor_merges),
        cmocka_unit_test(random_operations_agree_with_a_table),
        cmocka_unit_test(fetching_ahead_names_the_slot_of_most_ids_and_changes_nothing),
        cmocka_unit_test(memory_is_touched_only_as_ids_come),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
