/* ventilator_limits.c - tasks with a time limit, and workers that do not keep to it. */
#include "ventilator_story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* A producer, a worker with credit, and tasks that may run for two seconds. */
static void begin(struct story *story)
{
    story_start(story);
    story_hello(story, P1);
    story_hello(story, W1);
    story_credit(story, W1, 100);
    story->task.limit_ms = 2000;
    story->task.attempts_max = 2;
    story_clear(story);
}

static void a_limit_goes_with_each_lease_and_a_run_within_it_counts(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story_submit(&story, P1, "a");
    story_pass(&story, 1999);
    story_complete(&story, W1, "a", OUTCOME_DONE);
    story_expect(&story, "[    0] accepted a/0\n"
                         "[    0] > p1 accept 1\n"
                         "[    0] leased a/1 w1\n"
                         "[    0] > w1 work a/1 within 2000 ms\n"
                         "[ 1999] ended a/1 w1 done\n"
                         "[ 1999] > p1 result a/1 done\n"
                         "[ 1999] > w1 receipt 3\n");
    story_pass(&story, 10000);
    story_expect(&story, "");
    story_end(&story);
}

static void a_task_without_a_limit_may_run_for_a_week(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story.task.limit_ms = 0;
    story_submit(&story, P1, "a");
    story_clear(&story);
    story_pass(&story, UINT64_C(7) * 24 * 3600 * 1000);
    assert_int_equal(story_totals(&story).leased, 1);
    story_complete(&story, W1, "a", OUTCOME_DONE);
    assert_int_equal(story_totals(&story).done, 1);
    assert_int_equal(story_totals(&story).dispatched, 1);
    story_end(&story);
}

static void its_worker_alone_sees_to_the_other_limits(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story.task.limit_ms = 0;
    story.task.soft_ms = 1000;
    story.task.stalled_ms = 100;
    story_submit(&story, P1, "a");
    story_expect(&story, "[    0] accepted a/0\n"
                         "[    0] > p1 accept 1\n"
                         "[    0] leased a/1 w1\n"
                         "[    0] > w1 work a/1 asked after 1000 ms alive every 100 ms\n");
    story_pass(&story, 3600 * 1000);
    story_expect(&story, "");
    story_complete(&story, W1, "a", OUTCOME_DONE);
    assert_int_equal(story_totals(&story).done, 1);
    story_end(&story);
}

static void a_lease_that_its_worker_does_not_end_is_taken_back_as_failed(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story_submit(&story, P1, "a");
    story_clear(&story);
    struct story_lease first = story.peers[W1].held[0];
    story_pass(&story, 5999); /* the limit, and lost_ns */
    story_expect(&story, "");
    story_pass(&story, 1);
    story_expect(&story, "[ 6000] retried a/1 w1\n");
    assert_int_equal(story.ventilator->peers.peers[1].leases.count, 0);
    story_pass(&story, story.delay_ns / MILLISECOND + 1);
    assert_int_equal(story.peers[W1].held_count, 2);
    struct story_lease second = story.peers[W1].held[1];
    assert_int_equal(second.lease.attempt, 2);

    story.peers[W1].held[0] = first; /* its first run ends after all */
    story.peers[W1].held[1] = second;
    story.peers[W1].held_count = 1;
    story_complete(&story, W1, "a", OUTCOME_DONE);
    assert_int_equal(story_totals(&story).stale, 1);
    story.peers[W1].held[0] = second;
    story.peers[W1].held_count = 1;
    story_pass(&story, 6000);
    assert_non_null(strstr(story.trace, "> p1 result a/2 failed attempts \"over its time limit of "
                                        "2 s; its worker did not end it\"\n"));
    assert_int_equal(story_totals(&story).failed, 1);
    story_end(&story);
}

static void a_lease_that_was_taken_back_cannot_be_claimed(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story.task.backoff_ms = 600000;
    story_submit(&story, P1, "a");
    story_pass(&story, 6000);
    story_clear(&story);
    story_hello(&story, W1);
    story_expect(&story, "[ 6000] w1 closed\n"
                         "[ 6000] stale a/1 w1\n"
                         "[ 6000] w1 resumed\n"
                         "[ 6000] > w1 welcome but a/1\n");
    assert_int_equal(story_totals(&story).waiting, 1);
    assert_int_equal(story_totals(&story).stale, 1);
    story_end(&story);
}

/* A worker that holds as many as it may gets another one when one is taken back. */
static void what_was_taken_back_is_no_longer_counted_as_held(void **state)
{
    (void)state;
    struct story story;
    struct ventilator_options options = story_options();
    options.leases_max = 1;
    story_start_with(&story, &options);
    story_hello(&story, P1);
    story_hello(&story, W1);
    story_credit(&story, W1, 100);
    story.task.limit_ms = 2000;
    story.task.backoff_ms = 600000;
    story_submit(&story, P1, "ab");
    story_clear(&story);
    story_pass(&story, 6000);
    story_expect(&story, "[ 6000] retried a/1 w1\n"
                         "[ 6000] leased b/1 w1\n"
                         "[ 6000] > w1 work b/1 within 2000 ms\n");
    story_end(&story);
}

static void a_lost_worker_ends_the_watch_over_its_leases(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story_submit(&story, P1, "a");
    story_close(&story, W1);
    story_pass(&story, 500);
    story_clear(&story);
    story_pass(&story, 20000); /* in line, with nobody to run it */
    story_expect(&story, "");
    assert_int_equal(story_totals(&story).ready, 1);
    story_end(&story);
}

static void a_worker_that_is_back_has_the_whole_time_again(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story_submit(&story, P1, "a");
    story_pass(&story, 5000);
    story_close(&story, W1);
    story_pass(&story, 500); /* lost: the task is in line */
    story_hello(&story, W1); /* and it is its own again */
    story_clear(&story);
    story_pass(&story, 5999);
    story_expect(&story, "");
    story_pass(&story, 1);
    story_expect(&story, "[11500] retried a/1 w1\n");
    story_end(&story);
}

/* What came in meanwhile is still to be read, and may be the end of the run. */
static void the_time_in_which_we_stood_still_does_not_count(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story_submit(&story, P1, "a");
    story_pass(&story, 1000);
    story_stall(&story, 60000);
    story_clear(&story);
    story_turn(&story);
    story_expect(&story, "");
    story_pass(&story, 3499);
    story_expect(&story, "");
    story_pass(&story, 1); /* 6 s of our own time, of which the stall counts for 1.5 s */
    story_expect(&story, "[64500] retried a/1 w1\n");
    story_end(&story);
}

static void limits_survive_a_restart(void **state)
{
    (void)state;
    struct story story;
    struct ventilator_options options = story_options();
    options.journals = true;
    options.dead_letters_max = VENTILATOR_RECORDS_MAX + 1;
    story_start_with(&story, &options);
    story_hello(&story, P1);
    story.task.limit_ms = 2000;
    story.task.soft_ms = 1000;
    story.task.stalled_ms = 500;
    story_submit(&story, P1, "a");
    story_sync(&story);
    story_restart(&story, 100);
    story_hello(&story, W1);
    story_clear(&story);
    story_credit(&story, W1, 1);
    story_expect(&story,
                 "[  100] leased a/1 w1\n"
                 "[  100] > w1 work a/1 within 2000 ms asked after 1000 ms alive every 500 ms\n");
    story_pass(&story, 6000);
    assert_int_equal(story_totals(&story).retried, 1);
    story_end(&story);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_limit_goes_with_each_lease_and_a_run_within_it_counts),
        cmocka_unit_test(a_task_without_a_limit_may_run_for_a_week),
        cmocka_unit_test(its_worker_alone_sees_to_the_other_limits),
        cmocka_unit_test(a_lease_that_its_worker_does_not_end_is_taken_back_as_failed),
        cmocka_unit_test(a_lease_that_was_taken_back_cannot_be_claimed),
        cmocka_unit_test(what_was_taken_back_is_no_longer_counted_as_held),
        cmocka_unit_test(a_lost_worker_ends_the_watch_over_its_leases),
        cmocka_unit_test(a_worker_that_is_back_has_the_whole_time_again),
        cmocka_unit_test(the_time_in_which_we_stood_still_does_not_count),
        cmocka_unit_test(limits_survive_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
