/* journal_faults.c - every operation of the disk fails once: the error is told, it is
 * final, and what was acknowledged before is there afterwards.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/core/random.h"
#include "journal_story.h"

#include <errno.h>

enum aftermath { KILLED, CUT_OFF, KILLED_THEN_CUT_OFF };

enum { COMMITS = 12 };

static struct journal_story new_story(uint64_t seed)
{
    return (struct journal_story){.disk = platter_new(seed), .chance = seed};
}

static void end_story(struct journal_story *story)
{
    platter_destroy(&story->disk);
}

/* Two lives on a disk that fails at one operation, and a third on one that does not.
 * Says whether the operation was reached. */
static bool survive(uint64_t operation, int error, enum platter_plan plan, enum aftermath aftermath)
{
    struct journal_story story = new_story(operation);
    struct journal_fault fault;
    story.chance = 7; /* the same life each time */
    platter_fail(story.disk, operation, error, plan);
    enum journal_error result = JOURNAL_OK;
    for (int life = 0; life < 2 && result == JOURNAL_OK; life++)
        result = journal_story_live(&story, COMMITS, &fault);
    bool reached = platter_failed(story.disk);
    if (!reached) assert_int_equal(result, JOURNAL_OK);
    /* No room for a spare is no error; everything else is one, and is the disk's. */
    if (reached && error != ENOSPC) assert_int_equal(result, JOURNAL_IO);
    if (result != JOURNAL_OK) {
        assert_int_equal(fault.error, JOURNAL_IO);
        assert_int_equal(fault.number, error);
    }
    platter_fail(story.disk, 0, 0, PLATTER_FAILS_ONCE);
    if (aftermath == CUT_OFF)
        platter_cut_power(story.disk);
    else
        platter_kill(story.disk);
    assert_int_equal(journal_story_live(&story, 0, &fault), JOURNAL_OK);
    /* What that life read, it answers for: it has to survive the next cut, even if
     * it came out of memory after a sync that failed. */
    if (aftermath == KILLED_THEN_CUT_OFF) platter_cut_power(story.disk);
    result = journal_story_live(&story, COMMITS, &fault);
    if (result != JOURNAL_OK) fail_msg("%s", fault.text);
    end_story(&story);
    return reached;
}

static void sweep(const char *name, int error, enum platter_plan plan)
{
    for (enum aftermath aftermath = KILLED; aftermath <= KILLED_THEN_CUT_OFF; aftermath++) {
        uint64_t operation = 0;
        while (survive(operation, error, plan, aftermath)) operation++;
        print_message("TEST %s aftermath=%d points=%llu lost=0\n", name, aftermath,
                      (unsigned long long)operation);
        assert_true(operation > 100);
    }
}

static void an_error_at_any_operation_is_final_and_loses_nothing(void **state)
{
    (void)state;
    sweep("eio_once", EIO, PLATTER_FAILS_ONCE);
}

static void a_disk_that_dies_at_any_operation_loses_nothing(void **state)
{
    (void)state;
    sweep("eio_for_good", EIO, PLATTER_STAYS_BROKEN);
}

static void no_room_at_any_operation_loses_nothing(void **state)
{
    (void)state;
    sweep("enospc_once", ENOSPC, PLATTER_FAILS_ONCE);
}

static void a_sync_that_fails_once_is_not_tried_again(void **state)
{
    (void)state;
    struct platter *disk = platter_new(1);
    struct journal_options options = rig_options(disk);
    struct rig_past past;
    struct journal_fault fault;
    uint64_t durable;
    struct journal *journal = rig_start(&options, &past);
    rig_append(journal, 3);
    rig_commit(journal);
    rig_tend(journal);
    rig_append(journal, 3);
    journal_hand_over(journal);
    platter_fail(disk, 1, EIO, PLATTER_FAILS_ONCE); /* after the write, the sync */
    uint64_t syncs = platter_syncs(disk);
    for (int again = 0; again < 5; again++) {
        assert_int_equal(journal_commit(journal, &durable, &fault), JOURNAL_IO);
        assert_int_equal(fault.number, EIO);
        assert_non_null(strstr(fault.text, "cannot sync journal-0000000001"));
        assert_int_equal(durable, 3);
    }
    assert_int_equal(platter_syncs(disk), syncs + 1);
    journal_close(&journal);
    platter_destroy(&disk);
}

/* ---- a disk that fills up ---- */

static void a_full_disk_says_so_in_time_and_takes_what_is_under_way(void **state)
{
    (void)state;
    struct platter *disk = platter_new(1);
    struct journal_options options = rig_options(disk);
    struct rig_past past;
    platter_limit(disk, 4 * RIG_SEGMENT_BYTES);
    struct journal *journal = rig_start(&options, &past);
    while (!journal_is_full(journal)) {
        rig_append(journal, 5);
        rig_commit(journal);
        rig_tend(journal);
        assert_true(journal_last(journal) < 10000);
    }
    /* The reserve takes completions: a good part of a segment's worth. */
    uint64_t before = journal_last(journal);
    for (int i = 0; i < 10; i++) {
        rig_append(journal, 5);
        rig_commit(journal);
        rig_tend(journal);
        assert_true(journal_is_full(journal));
    }
    assert_int_equal(journal_last(journal), before + 50);
    /* They let old segments go, and there is room again. */
    journal_release(journal, journal_last(journal));
    rig_commit(journal);
    rig_tend(journal);
    assert_false(journal_is_full(journal));
    journal_close(&journal);
    assert_int_equal(rig_look(disk).error, JOURNAL_END);
    platter_destroy(&disk);
}

static void room_that_others_make_is_noticed(void **state)
{
    (void)state;
    struct platter *disk = platter_new(1);
    struct journal_options options = rig_options(disk);
    struct rig_past past;
    struct journal_fault fault;
    platter_limit(disk, 2 * RIG_SEGMENT_BYTES + 1000);
    struct journal *journal = rig_start(&options, &past);
    while (!journal_is_full(journal)) {
        rig_append(journal, 5);
        rig_commit(journal);
        rig_tend(journal);
    }
    assert_int_equal(journal_tend(journal, &fault), JOURNAL_OK);
    assert_true(journal_is_full(journal));
    platter_limit(disk, 10 * RIG_SEGMENT_BYTES);
    assert_int_equal(journal_tend(journal, &fault), JOURNAL_OK);
    rig_tend(journal);
    assert_false(journal_is_full(journal));
    journal_close(&journal);
    platter_destroy(&disk);
}

static void the_quota_is_kept_and_full_at_nine_tenths(void **state)
{
    (void)state;
    struct platter *disk = platter_new(1);
    struct journal_options options = rig_options(disk);
    struct rig_past past;
    options.quota_bytes = 10 * RIG_SEGMENT_BYTES;
    struct journal *journal = rig_start(&options, &past);
    while (!journal_is_full(journal)) {
        assert_true(journal_disk_bytes(journal) <= options.quota_bytes / 10 * 9);
        rig_append(journal, 5);
        rig_commit(journal);
        rig_tend(journal);
    }
    assert_true(journal_disk_bytes(journal) > options.quota_bytes / 10 * 9);
    assert_true(journal_disk_bytes(journal) <= options.quota_bytes);
    journal_release(journal, journal_last(journal));
    rig_commit(journal);
    rig_tend(journal);
    assert_false(journal_is_full(journal));
    journal_close(&journal);
    platter_destroy(&disk);
}

static void no_room_in_the_middle_of_a_commit_is_the_end_and_loses_nothing(void **state)
{
    (void)state;
    struct platter *disk = platter_new(1);
    struct journal_options options = rig_options(disk);
    struct rig_past past;
    struct journal_fault fault;
    uint64_t acked = 0, durable;
    enum journal_error error;
    platter_limit(disk, 5 * RIG_SEGMENT_BYTES);
    struct journal *journal = rig_start(&options, &past);
    do {
        acked = journal_last(journal);
        rig_append(journal, 7);
        journal_hand_over(journal);
        error = journal_commit(journal, &durable, &fault);
    } while (error == JOURNAL_OK);
    assert_int_equal(error, JOURNAL_IO);
    assert_int_equal(fault.number, ENOSPC);
    assert_non_null(strstr(fault.text, "no room"));
    journal_close(&journal);
    past = rig_look(disk);
    assert_int_equal(past.error, JOURNAL_END);
    assert_true(past.last >= acked);
    platter_destroy(&disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_at_any_operation_is_final_and_loses_nothing),
        cmocka_unit_test(a_disk_that_dies_at_any_operation_loses_nothing),
        cmocka_unit_test(no_room_at_any_operation_loses_nothing),
        cmocka_unit_test(a_sync_that_fails_once_is_not_tried_again),
        cmocka_unit_test(a_full_disk_says_so_in_time_and_takes_what_is_under_way),
        cmocka_unit_test(room_that_others_make_is_noticed),
        cmocka_unit_test(the_quota_is_kept_and_full_at_nine_tenths),
        cmocka_unit_test(no_room_in_the_middle_of_a_commit_is_the_end_and_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
