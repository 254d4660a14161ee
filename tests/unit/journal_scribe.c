/* journal_scribe.c - the thread beside the loop: what is pushed becomes durable, in
 * order, and an error ends it.
 *
 * This file is about a thread, so it waits for it; on conditions, never for a time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/journal/scribe.h"
#include "journal_rig.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

enum { SEGMENT_BYTES = 256 * 1024 };

struct fixture {
    struct platter *platter;
    struct journal *journal;
    struct scribe *scribe;
    pthread_mutex_t lock;
    pthread_cond_t told;
    uint64_t news;
    bool held; /* the thread waits in count_news */
    /* A tireless owner, who has the next commit ready as soon as one is done. */
    uint32_t commits_left;
    uint64_t disk_bytes_max;
};

/* In the scribe's thread, while the test's own waits. */
static void push_again(struct fixture *fixture)
{
    uint64_t bytes = journal_disk_bytes(fixture->journal);
    if (bytes > fixture->disk_bytes_max) fixture->disk_bytes_max = bytes;
    rig_append(fixture->journal, 100);
    journal_release(fixture->journal, journal_last(fixture->journal));
    fixture->commits_left--;
    scribe_push(fixture->scribe);
}

static void count_news(void *context)
{
    struct fixture *fixture = context;
    if (fixture->commits_left > 0) push_again(fixture);
    pthread_mutex_lock(&fixture->lock);
    fixture->news++;
    pthread_cond_broadcast(&fixture->told);
    while (fixture->held) pthread_cond_wait(&fixture->told, &fixture->lock);
    pthread_mutex_unlock(&fixture->lock);
}

static void hold(struct fixture *fixture, bool held)
{
    pthread_mutex_lock(&fixture->lock);
    fixture->held = held;
    pthread_cond_broadcast(&fixture->told);
    pthread_mutex_unlock(&fixture->lock);
}

/* Waits for news later than `seen`, and returns how much there has been. */
static uint64_t await_news(struct fixture *fixture, uint64_t seen)
{
    pthread_mutex_lock(&fixture->lock);
    while (fixture->news <= seen) pthread_cond_wait(&fixture->told, &fixture->lock);
    uint64_t news = fixture->news;
    pthread_mutex_unlock(&fixture->lock);
    return news;
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    if (fixture == NULL) return -1;
    struct rig_past past;
    pthread_mutex_init(&fixture->lock, NULL);
    pthread_cond_init(&fixture->told, NULL);
    fixture->platter = platter_new(1);
    struct journal_options options = rig_options(fixture->platter);
    options.segment_bytes = SEGMENT_BYTES;
    fixture->journal = rig_start(&options, &past);
    fixture->scribe = scribe_new(fixture->journal, count_news, fixture);
    *state = fixture;
    return fixture->scribe == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    scribe_destroy(&fixture->scribe);
    journal_close(&fixture->journal);
    platter_destroy(&fixture->platter);
    pthread_cond_destroy(&fixture->told);
    pthread_mutex_destroy(&fixture->lock);
    free(fixture);
    return 0;
}

static void what_is_pushed_becomes_durable_and_is_told(void **state)
{
    struct fixture *fixture = *state;
    struct scribe_view view;
    uint64_t news = 0;
    for (uint64_t turn = 1; turn <= 300; turn++) {
        rig_append(fixture->journal, 3);
        scribe_push(fixture->scribe);
        scribe_look(fixture->scribe, &view);
        while (turn % 50 == 0 && view.durable < turn * 3) {
            news = await_news(fixture, news);
            scribe_look(fixture->scribe, &view);
        }
        assert_int_equal(view.error, JOURNAL_OK);
        assert_true(view.durable <= turn * 3);
    }
    assert_int_equal(view.durable, 900);
    assert_true(view.disk_bytes > 0);
    assert_false(view.full);
}

static void a_flush_waits_for_everything(void **state)
{
    struct fixture *fixture = *state;
    struct journal_fault fault;
    struct scribe_view view;
    rig_append(fixture->journal, 500);
    scribe_push(fixture->scribe);
    rig_append(fixture->journal, 500);
    assert_int_equal(scribe_flush(fixture->scribe, &fault), JOURNAL_OK);
    scribe_look(fixture->scribe, &view);
    assert_int_equal(view.durable, 1000);
    assert_int_equal(scribe_flush(fixture->scribe, &fault), JOURNAL_OK);
}

static void after_the_end_everything_is_there_and_marked(void **state)
{
    struct fixture *fixture = *state;
    struct journal_fault fault;
    rig_append(fixture->journal, 10);
    assert_int_equal(scribe_flush(fixture->scribe, &fault), JOURNAL_OK);
    scribe_destroy(&fixture->scribe);
    journal_close(&fixture->journal);
    assert_int_equal(rig_look(fixture->platter).count, 10);
    /* The mark makes damage of the last record known for what it is. */
    uint64_t size;
    uint8_t *bytes = platter_bytes(fixture->platter, rig_name(1), &size);
    uint64_t last = size;
    while (bytes[last - 1] == 0) last--;
    bytes[last - 60] ^= 1;
    assert_int_equal(rig_look(fixture->platter).error, JOURNAL_DAMAGED);
}

static void a_failed_sync_ends_it(void **state)
{
    struct fixture *fixture = *state;
    struct journal_fault fault;
    struct scribe_view view;
    rig_append(fixture->journal, 10);
    assert_int_equal(scribe_flush(fixture->scribe, &fault), JOURNAL_OK);
    scribe_destroy(&fixture->scribe);
    rig_tend(fixture->journal);
    platter_fail(fixture->platter, 1, EIO, PLATTER_FAILS_ONCE);
    fixture->scribe = scribe_new(fixture->journal, count_news, fixture);
    assert_non_null(fixture->scribe);
    rig_append(fixture->journal, 10);
    assert_int_equal(scribe_flush(fixture->scribe, &fault), JOURNAL_IO);
    assert_int_equal(fault.number, EIO);
    rig_append(fixture->journal, 1);
    scribe_push(fixture->scribe);
    assert_int_equal(scribe_flush(fixture->scribe, &fault), JOURNAL_IO);
    scribe_look(fixture->scribe, &view);
    assert_int_equal(view.error, JOURNAL_IO);
    assert_int_equal(view.durable, 10);
}

static void a_loop_that_appends_more_than_a_commit_carries_is_behind(void **state)
{
    struct fixture *fixture = *state;
    struct journal_fault fault;
    struct scribe_view view;
    hold(fixture, true);
    rig_append(fixture->journal, 1);
    scribe_push(fixture->scribe);
    (void)await_news(fixture, 0);
    rig_append(fixture->journal, 1);
    scribe_push(fixture->scribe);
    while (journal_gathered(fixture->journal) <= 16U * 1024 * 1024) {
        scribe_look(fixture->scribe, &view);
        assert_false(view.behind);
        rig_append(fixture->journal, 1000);
    }
    scribe_look(fixture->scribe, &view);
    assert_true(view.behind);
    assert_int_equal(view.durable, 1);
    hold(fixture, false);
    assert_int_equal(scribe_flush(fixture->scribe, &fault), JOURNAL_OK);
    scribe_look(fixture->scribe, &view);
    assert_false(view.behind);
    assert_int_equal(view.durable, journal_last(fixture->journal));
}

static void an_owner_who_never_pauses_gets_rid_of_old_segments(void **state)
{
    struct fixture *fixture = *state;
    struct journal_fault fault;
    uint64_t news = 0;
    fixture->commits_left = 600;
    rig_append(fixture->journal, 1);
    scribe_push(fixture->scribe);
    while (news < 600) news = await_news(fixture, news);
    assert_int_equal(scribe_flush(fixture->scribe, &fault), JOURNAL_OK);
    assert_true(journal_last(fixture->journal) > 40000);
    assert_in_range(fixture->disk_bytes_max, SEGMENT_BYTES, 8 * SEGMENT_BYTES);
}

static void room_that_comes_back_is_noticed_without_a_push(void **state)
{
    struct fixture *fixture = *state;
    struct journal_fault fault;
    struct scribe_view view;
    scribe_destroy(&fixture->scribe);
    rig_tend(fixture->journal);
    platter_limit(fixture->platter, 2 * SEGMENT_BYTES);
    fixture->news = 0;
    fixture->scribe = scribe_new(fixture->journal, count_news, fixture);
    assert_non_null(fixture->scribe);
    uint64_t news = 0;
    /* Into the spare, for which there is then no successor. */
    while (journal_last(fixture->journal) < 3000) {
        rig_append(fixture->journal, 100);
        assert_int_equal(scribe_flush(fixture->scribe, &fault), JOURNAL_OK);
    }
    scribe_look(fixture->scribe, &view);
    while (!view.full) {
        news = await_news(fixture, news);
        scribe_look(fixture->scribe, &view);
    }
    platter_limit(fixture->platter, 1024 * 1024);
    while (view.full) {
        news = await_news(fixture, news);
        scribe_look(fixture->scribe, &view);
    }
    assert_int_equal(view.error, JOURNAL_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_pushed_becomes_durable_and_is_told, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_flush_waits_for_everything, set_up, tear_down),
        cmocka_unit_test_setup_teardown(after_the_end_everything_is_there_and_marked, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_failed_sync_ends_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_loop_that_appends_more_than_a_commit_carries_is_behind,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_owner_who_never_pauses_gets_rid_of_old_segments, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(room_that_comes_back_is_noticed_without_a_push, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
