/* journal_log.c - what is appended and committed comes back, over many segments,
 * and what is released goes away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "journal_rig.h"

#include <errno.h>

static void a_new_directory_becomes_an_empty_journal(void **state)
{
    (void)state;
    struct platter *disk = platter_new(1);
    struct journal_options options = rig_options(disk);
    struct rig_past past;
    struct journal *journal = rig_start(&options, &past);
    assert_non_null(journal);
    assert_int_equal(past.count, 0);
    assert_int_equal(journal_last(journal), 0);
    assert_int_equal(journal_gathered(journal), 0);
    struct id node = journal_node(journal);
    assert_true(id_equal(&node, &options.node));
    journal_close(&journal);
    assert_int_equal(platter_open_files(disk), 0);
    past = rig_look(disk);
    assert_int_equal(past.error, JOURNAL_END);
    assert_int_equal(past.torn.bytes, 0);
    platter_destroy(&disk);
}

static void what_was_committed_comes_back_in_order(void **state)
{
    (void)state;
    static const uint64_t batches[] = {1, 2, 7, 64, 1000};
    for (size_t b = 0; b < sizeof batches / sizeof *batches; b++) {
        struct platter *disk = rig_written(1000, batches[b]);
        struct rig_past past = rig_look(disk);
        assert_int_equal(past.error, JOURNAL_END);
        assert_int_equal(past.first, 1);
        assert_int_equal(past.count, 1000);
        assert_int_equal(past.torn.bytes, 0);
        platter_destroy(&disk);
    }
}

static void what_was_not_committed_is_not_there(void **state)
{
    (void)state;
    struct platter *disk = platter_new(1);
    struct journal_options options = rig_options(disk);
    struct rig_past past;
    struct journal *journal = rig_start(&options, &past);
    rig_append(journal, 5);
    assert_int_equal(rig_commit(journal), 5);
    rig_append(journal, 3);
    assert_true(journal_gathered(journal) > 0);
    journal_close(&journal);
    assert_int_equal(rig_look(disk).count, 5);
    platter_destroy(&disk);
}

static void numbers_go_on_over_many_openings(void **state)
{
    (void)state;
    struct platter *disk = platter_new(1);
    struct journal_options options = rig_options(disk);
    for (uint64_t round = 0; round < 50; round++) {
        struct rig_past past;
        struct journal *journal = rig_start(&options, &past);
        assert_non_null(journal);
        assert_int_equal(past.count, round * 3);
        rig_append(journal, 3);
        assert_int_equal(rig_commit(journal), round * 3 + 3);
        journal_close(&journal);
    }
    assert_int_equal(rig_look(disk).last, 150);
    platter_destroy(&disk);
}

static void an_opening_without_a_record_leaves_no_segment_behind(void **state)
{
    (void)state;
    struct platter *disk = rig_written(10, 10);
    struct journal_options options = rig_options(disk);
    uint64_t bytes = 0;
    for (int round = 0; round < 20; round++) {
        struct rig_past past;
        struct journal *journal = rig_start(&options, &past);
        rig_tend(journal);
        if (round == 0) bytes = journal_disk_bytes(journal);
        assert_int_equal(journal_disk_bytes(journal), bytes);
        journal_close(&journal);
    }
    platter_destroy(&disk);
}

static void one_commit_is_one_sync(void **state)
{
    (void)state;
    struct platter *disk = platter_new(1);
    struct journal_options options = rig_options(disk);
    struct rig_past past;
    struct journal *journal = rig_start(&options, &past);
    rig_tend(journal);
    uint64_t syncs = platter_syncs(disk);
    uint64_t operations = platter_operations(disk);
    rig_append(journal, 20);
    assert_int_equal(platter_operations(disk), operations);
    rig_commit(journal);
    assert_int_equal(platter_syncs(disk), syncs + 1);
    assert_int_equal(platter_operations(disk), operations + 2);
    journal_close(&journal);
    platter_destroy(&disk);
}

/* The commits in between wait for each piece.  However long the segment before lasted, the next
 * spare is not made in one go; and only when it is whole is it synced, its name as well. */
static void a_spare_is_made_in_small_pieces_and_synced_once(void **state)
{
    (void)state;
    enum { OPERATIONS_MAX = 8 }; /* of a mebibyte of zeros, in quarters */
    struct platter *disk = platter_new(1);
    struct journal_options options = rig_options(disk);
    options.segment_bytes = JOURNAL_SEGMENT_BYTES_MIN;
    struct rig_past past;
    struct journal_fault fault;
    struct journal *journal = rig_start(&options, &past);
    rig_tend(journal);
    while (!journal_wants_tending(journal)) {
        rig_append(journal, 100);
        rig_commit(journal);
    }
    uint64_t syncs = platter_syncs(disk);
    while (journal_wants_tending(journal)) {
        uint64_t before = platter_operations(disk);
        assert_int_equal(platter_syncs(disk), syncs);
        assert_int_equal(journal_tend(journal, &fault), JOURNAL_OK);
        assert_true(platter_operations(disk) - before <= OPERATIONS_MAX);
    }
    assert_int_equal(platter_syncs(disk), syncs + 2);
    journal_close(&journal);
    platter_destroy(&disk);
}

static void a_batch_may_be_larger_than_a_segment(void **state)
{
    (void)state;
    struct platter *disk = platter_new(1);
    struct journal_options options = rig_options(disk);
    struct rig_past past;
    struct journal *journal = rig_start(&options, &past);
    rig_append(journal, 2000);
    assert_true(journal_gathered(journal) > 4 * RIG_SEGMENT_BYTES);
    assert_int_equal(rig_commit(journal), 2000);
    journal_close(&journal);
    assert_int_equal(rig_look(disk).count, 2000);
    platter_destroy(&disk);
}

static void what_is_released_leaves_the_disk_once_the_rest_is_durable(void **state)
{
    (void)state;
    struct platter *disk = platter_new(1);
    struct journal_options options = rig_options(disk);
    struct rig_past past;
    struct journal_fault fault;
    struct journal *journal = rig_start(&options, &past);
    rig_append(journal, 1000);
    rig_commit(journal);
    rig_tend(journal);
    uint64_t bytes = journal_disk_bytes(journal);
    rig_append(journal, 1);
    journal_release(journal, 900);
    assert_int_equal(journal_tend(journal, &fault), JOURNAL_OK);
    assert_int_equal(journal_disk_bytes(journal), bytes);
    rig_commit(journal);
    rig_tend(journal);
    assert_true(journal_disk_bytes(journal) < bytes / 2);
    journal_close(&journal);
    past = rig_look(disk);
    assert_int_equal(past.error, JOURNAL_END);
    assert_true(past.first > 1 && past.first <= 900);
    assert_int_equal(past.last, 1001);
    platter_destroy(&disk);
}

static void a_journal_that_was_released_whole_keeps_its_numbers(void **state)
{
    (void)state;
    struct platter *disk = rig_written(1000, 100);
    struct journal_options options = rig_options(disk);
    struct rig_past past;
    struct journal *journal = rig_start(&options, &past);
    journal_release(journal, 1001);
    rig_commit(journal);
    rig_tend(journal);
    assert_true(journal_disk_bytes(journal) <= 2 * RIG_SEGMENT_BYTES);
    journal_close(&journal);
    journal = rig_start(&options, &past);
    assert_int_equal(past.count, 0);
    assert_int_equal(journal_last(journal), 1000);
    rig_append(journal, 1);
    assert_int_equal(rig_commit(journal), 1001);
    journal_close(&journal);
    assert_int_equal(rig_look(disk).first, 1001);
    platter_destroy(&disk);
}

/* Or the loop and the scribe would wake each other for ever. */
static void a_release_that_was_said_before_is_nothing_to_commit(void **state)
{
    (void)state;
    struct platter *disk = rig_written(10, 10);
    struct journal_options options = rig_options(disk);
    struct rig_past past;
    struct journal *journal = rig_start(&options, &past);
    journal_release(journal, 5);
    rig_commit(journal);
    journal_release(journal, 5);
    journal_release(journal, 4);
    assert_false(journal_hand_over(journal));
    journal_release(journal, 6);
    assert_true(journal_hand_over(journal));
    journal_close(&journal);
    platter_destroy(&disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_directory_becomes_an_empty_journal),
        cmocka_unit_test(what_was_committed_comes_back_in_order),
        cmocka_unit_test(what_was_not_committed_is_not_there),
        cmocka_unit_test(numbers_go_on_over_many_openings),
        cmocka_unit_test(an_opening_without_a_record_leaves_no_segment_behind),
        cmocka_unit_test(one_commit_is_one_sync),
        cmocka_unit_test(a_spare_is_made_in_small_pieces_and_synced_once),
        cmocka_unit_test(a_batch_may_be_larger_than_a_segment),
        cmocka_unit_test(what_is_released_leaves_the_disk_once_the_rest_is_durable),
        cmocka_unit_test(a_journal_that_was_released_whole_keeps_its_numbers),
        cmocka_unit_test(a_release_that_was_said_before_is_nothing_to_commit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
