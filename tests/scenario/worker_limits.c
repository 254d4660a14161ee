/* worker_limits.c - runs that take too long, and slots that are lost to them. */
#include "worker_story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Two slots; what is given may run for two seconds. */
static void start(struct worker_story *story)
{
    struct worker_options options = worker_story_options();
    worker_story_start_open(story, &options);
    story->limit_ms = 2000;
}

/* The ventilator is heard all the time, so that only what a story is about happens;
 * heartbeats and credit stay out of the trace. */
static void pass(struct worker_story *story, uint64_t ms)
{
    for (uint64_t at = 0; at < ms; at += 100) {
        worker_story_say(story, 0, (struct message){.kind = MESSAGE_HEARTBEAT});
        worker_story_pass(story, ms - at < 100 ? ms - at : 100);
    }
}

static void a_run_is_killed_at_its_limit_and_fails(void **unused)
{
    (void)unused;
    struct worker_story story;
    start(&story);
    worker_story_give(&story, 0, "a1", 0);
    assert_true(worker_story_tells(&story, "run a1 within 2000 ms"));
    worker_story_begin(&story, "a1");
    pass(&story, 1999);
    assert_false(worker_story_tells(&story, "kill"));
    pass(&story, 1);
    assert_true(worker_story_tells(&story, "[ 2.00] 0 kill a1 (limit)\n"));
    worker_story_clear(&story);
    pass(&story, 500);
    worker_story_finish(&story, "a1", OUTCOME_FAILED, 2500);
    worker_story_turn(&story);
    assert_true(worker_story_tells(&story, "[ 2.50] 0 COMPLETE a1 failed (sorry)\n"));
    pass(&story, 10000);
    assert_false(worker_story_tells(&story, "kill"));
    assert_false(worker_story_tells(&story, "hung"));
    assert_int_equal(worker_story_counts(&story).failed, 1);
    worker_story_end(&story);
}

static void a_task_without_a_limit_gets_that_of_the_worker(void **unused)
{
    (void)unused;
    struct worker_story story;
    struct worker_options options = worker_story_options();
    options.limit_ms = 500;
    worker_story_start_open(&story, &options);
    worker_story_give(&story, 0, "a1", 0);
    story.limit_ms = 3000;
    worker_story_give(&story, 0, "b1", 0);
    assert_true(worker_story_tells(&story, "run a1 within 500 ms"));
    assert_true(worker_story_tells(&story, "run b1 within 3000 ms"));
    worker_story_begin(&story, "a1");
    worker_story_begin(&story, "b1");
    pass(&story, 499);
    assert_false(worker_story_tells(&story, "kill"));
    pass(&story, 1);
    assert_true(worker_story_tells(&story, "[ 0.50] 0 kill a1 (limit)\n"));
    assert_false(worker_story_tells(&story, "kill b1"));
    worker_story_end(&story);
}

static void without_any_limit_nobody_looks_at_the_time(void **unused)
{
    (void)unused;
    struct worker_story story;
    start(&story);
    story.limit_ms = 0;
    worker_story_give(&story, 0, "a1", 0);
    worker_story_begin(&story, "a1");
    for (int minute = 0; minute < 7 * 24 * 60; minute++) {
        worker_story_clear(&story);
        story.now_ns += 60 * SECOND;
        worker_story_on(&story, WORKER_TURN, 0);
        assert_false(worker_story_tells(&story, "kill") || worker_story_tells(&story, "recall") ||
                     worker_story_tells(&story, "hung"));
    }
    assert_int_equal(worker_story_counts(&story).running, 1);
    worker_story_end(&story);
}

/* The pool does not wake us when it begins a job: that is told at the next turn, and
 * that is never too late. */
static void expect_after_300_ms(struct worker_story *story, const char *what)
{
    worker_story_give(story, 0, "a1", 0);
    uint64_t begun_ns = story->now_ns + 250 * MILLISECOND;
    bool told = false;
    while (!worker_story_tells(story, what)) {
        assert_true(story->now_ns < 101 * SECOND);
        story->now_ns = worker_deadline(story->worker);
        if (story->now_ns >= begun_ns && !told) {
            told = true;
            worker_story_step(story, (struct worker_event){.kind = WORKER_STARTED,
                                                           .job = story->jobs[0][1] - 1,
                                                           .began_ns = begun_ns});
        }
        worker_story_turn(story);
    }
    assert_int_equal(story->now_ns, 100 * SECOND + 550 * MILLISECOND);
    worker_story_end(story);
}

static void the_time_counts_from_the_beginning_of_the_run(void **unused)
{
    (void)unused;
    struct worker_story story;
    start(&story);
    story.limit_ms = 300;
    expect_after_300_ms(&story, "kill a1 (limit)");
    start(&story);
    story.limit_ms = 0;
    story.soft_ms = 300;
    expect_after_300_ms(&story, "tell a1 (soft limit)");
    start(&story);
    story.limit_ms = story.soft_ms = 0;
    story.stalled_ms = 300;
    expect_after_300_ms(&story, "kill a1 (stalled)");
}

static void a_job_that_waits_too_long_behind_others_is_recalled(void **unused)
{
    (void)unused;
    struct worker_story story;
    start(&story);
    story.limit_ms = 0;
    worker_story_give(&story, 0, "a1 b1", 0);
    worker_story_begin(&story, "a1");
    worker_story_begin(&story, "b1");
    story.limit_ms = 60000;
    worker_story_give(&story, 0, "c1", 0);
    pass(&story, 1999);
    assert_false(worker_story_tells(&story, "recall"));
    pass(&story, 1);
    assert_true(worker_story_tells(&story, "[ 2.00] 0 recall c1\n"));
    worker_story_finish(&story, "c1", OUTCOME_RETURNED, 0);
    worker_story_turn(&story);
    assert_true(worker_story_tells(&story, "[ 2.00] 0 COMPLETE c1 returned\n"));
    worker_story_end(&story);
}

/* It began in the same moment: the recall changes nothing, and its limit holds. */
static void a_recall_that_came_too_late_does_no_harm(void **unused)
{
    (void)unused;
    struct worker_story story;
    start(&story);
    story.limit_ms = 5000;
    worker_story_give(&story, 0, "a1", 0);
    pass(&story, 2000);
    assert_true(worker_story_tells(&story, "[ 2.00] 0 recall a1\n"));
    worker_story_begin(&story, "a1");
    worker_story_clear(&story);
    pass(&story, 4999);
    assert_false(worker_story_tells(&story, "kill") || worker_story_tells(&story, "recall"));
    pass(&story, 1);
    assert_true(worker_story_tells(&story, "[ 7.00] 0 kill a1 (limit)\n"));
    worker_story_end(&story);
}

/* a1 does not end when it is killed. */
static void hang(struct worker_story *story)
{
    start(story);
    worker_story_give(story, 0, "a1", 0);
    worker_story_begin(story, "a1");
    pass(story, 2000);
    worker_story_clear(story);
}

static void a_run_that_cannot_be_ended_is_given_up_and_its_slot_stays_taken(void **unused)
{
    (void)unused;
    struct worker_story story;
    hang(&story);
    pass(&story, 999);
    assert_false(worker_story_tells(&story, "hung"));
    pass(&story, 1);
    assert_true(worker_story_tells(&story, "[ 3.00] 0 hung a1 (limit)\n"));
    assert_true(worker_story_tells(
        &story, "[ 3.00] 0 COMPLETE a1 failed (over its time limit of 2 s; it cannot "
                "be ended)\n"));
    assert_int_equal(worker_story_counts(&story).hung, 1);
    assert_int_equal(worker_story_counts(&story).held, 1);
    assert_int_equal(worker_story_counts(&story).running, 1);
    assert_int_equal(worker_story_counts(&story).owed, 1);
    worker_story_receipt(&story, 0);
    assert_int_equal(worker_story_counts(&story).owed, 0);
    assert_int_equal(worker_story_counts(&story).held, 1);

    story.limit_ms = 0; /* the other slot goes on */
    worker_story_give(&story, 0, "b1", 0);
    worker_story_begin(&story, "b1");
    worker_story_finish(&story, "b1", OUTCOME_DONE, 1);
    worker_story_turn(&story);
    assert_true(worker_story_tells(&story, "COMPLETE b1 done"));

    worker_story_clear(&story);
    worker_story_finish(&story, "a1", OUTCOME_DONE, 9000); /* it returns after all */
    worker_story_turn(&story);
    assert_false(worker_story_tells(&story, "COMPLETE a1"));
    assert_int_equal(worker_story_counts(&story).hung, 0);
    assert_int_equal(worker_story_counts(&story).held, 0);
    assert_int_equal(worker_story_counts(&story).running, 0);
    assert_int_equal(worker_story_counts(&story).failed, 1);
    assert_int_equal(worker_story_counts(&story).done, 1);
    worker_story_end(&story);
}

static void a_hung_run_that_returns_before_its_receipt_is_told_once(void **unused)
{
    (void)unused;
    struct worker_story story;
    hang(&story);
    pass(&story, 1000);
    worker_story_finish(&story, "a1", OUTCOME_DONE, 3000);
    worker_story_on(&story, WORKER_CLOSED, 0);
    worker_story_pass(&story, 100);
    worker_story_clear(&story);
    worker_story_open(&story, 0, 'v', "");
    worker_story_turn(&story);
    assert_true(worker_story_tells(&story, "HELLO a1\n"));
    assert_true(worker_story_tells(&story, "COMPLETE a1 failed"));
    worker_story_receipt(&story, 0);
    assert_int_equal(worker_story_counts(&story).held + worker_story_counts(&story).owed +
                         worker_story_counts(&story).hung,
                     0);
    worker_story_end(&story);
}

static void a_hung_run_outlives_the_end_of_its_lease(void **unused)
{
    (void)unused;
    struct worker_story story;
    hang(&story);
    pass(&story, 1000);
    worker_story_on(&story, WORKER_CLOSED, 0);
    worker_story_pass(&story, 100);
    worker_story_open(&story, 0, 'v', "a1");
    worker_story_turn(&story);
    assert_int_equal(worker_story_counts(&story).owed, 0);
    assert_int_equal(worker_story_counts(&story).hung, 1);
    worker_story_on(&story, WORKER_CLOSED, 0);
    worker_story_pass(&story, 100);
    worker_story_clear(&story);
    worker_story_open(&story, 0, 'v', "");
    assert_true(worker_story_tells(&story, "HELLO\n"));
    worker_story_finish(&story, "a1", OUTCOME_DONE, 9000);
    assert_int_equal(worker_story_counts(&story).held + worker_story_counts(&story).hung, 0);
    worker_story_end(&story);
}

static void a_worker_whose_slots_all_hang_takes_nothing(void **unused)
{
    (void)unused;
    struct worker_story story;
    start(&story);
    worker_story_give(&story, 0, "a1 b1", 0);
    worker_story_begin(&story, "a1");
    worker_story_begin(&story, "b1");
    story.limit_ms = 0;
    pass(&story, 2900);
    worker_story_give(&story, 0, "c1", 5);
    worker_story_clear(&story);
    pass(&story, 100);
    assert_true(worker_story_tells(&story, "hung a1"));
    assert_true(worker_story_tells(&story, "hung b1"));
    assert_true(worker_story_tells(&story, "[ 3.00] 0 recall c1\n"));
    assert_int_equal(worker_story_counts(&story).hung, 2);
    worker_story_finish(&story, "c1", OUTCOME_RETURNED, 0);
    worker_story_clear(&story);
    worker_story_give(&story, 0, "d1", 5);
    assert_true(worker_story_tells(&story, "COMPLETE d1 returned"));
    assert_false(worker_story_tells(&story, "run d1"));
    pass(&story, 5000);
    assert_false(worker_story_tells(&story, "CREDIT"));
    worker_story_finish(&story, "a1", OUTCOME_DONE, 9000);
    pass(&story, 100);
    assert_true(worker_story_tells(&story, "CREDIT"));
    worker_story_give(&story, 0, "e1", 0);
    assert_true(worker_story_tells(&story, "run e1"));
    worker_story_end(&story);
}

/* The run of the issue: told at one second, killed at two. */
static void a_run_is_asked_to_end_at_its_soft_limit_and_killed_at_its_hard_one(void **unused)
{
    (void)unused;
    struct worker_story story;
    start(&story);
    story.soft_ms = 1000;
    worker_story_give(&story, 0, "a1", 0);
    worker_story_begin(&story, "a1");
    pass(&story, 999);
    assert_false(worker_story_tells(&story, "tell"));
    pass(&story, 1);
    assert_true(worker_story_tells(&story, "[ 1.00] 0 tell a1 (soft limit)\n"));
    worker_story_clear(&story);
    pass(&story, 999);
    assert_false(worker_story_tells(&story, "tell") || worker_story_tells(&story, "kill"));
    pass(&story, 1);
    assert_true(worker_story_tells(&story, "[ 2.00] 0 kill a1 (limit)\n"));
    worker_story_end(&story);
}

static void a_run_that_heeds_its_soft_limit_ends_as_it_says(void **unused)
{
    (void)unused;
    struct worker_story story;
    start(&story);
    story.limit_ms = 0;
    story.soft_ms = 1000;
    worker_story_give(&story, 0, "a1 b1", 0);
    worker_story_begin(&story, "a1");
    worker_story_begin(&story, "b1");
    pass(&story, 1100);
    worker_story_clear(&story);
    worker_story_finish(&story, "a1", OUTCOME_DONE, 1100);
    worker_story_turn(&story);
    assert_true(worker_story_tells(&story, "COMPLETE a1 done =a1"));
    pass(&story, 60000); /* b1 does not, and has no other limit */
    assert_false(worker_story_tells(&story, "tell") || worker_story_tells(&story, "kill") ||
                 worker_story_tells(&story, "hung"));
    worker_story_end(&story);
}

static void a_soft_limit_behind_the_hard_one_is_never_told(void **unused)
{
    (void)unused;
    struct worker_story story;
    start(&story);
    story.soft_ms = 2000;
    worker_story_give(&story, 0, "a1", 0);
    story.soft_ms = 5000;
    worker_story_give(&story, 0, "b1", 0);
    worker_story_begin(&story, "a1");
    worker_story_begin(&story, "b1");
    pass(&story, 2000);
    assert_true(worker_story_tells(&story, "kill a1 (limit)"));
    assert_true(worker_story_tells(&story, "kill b1 (limit)"));
    pass(&story, 10000);
    assert_false(worker_story_tells(&story, "tell"));
    worker_story_end(&story);
}

static void a_run_that_shows_no_life_is_killed_and_one_that_does_is_not(void **unused)
{
    (void)unused;
    struct worker_story story;
    start(&story);
    story.limit_ms = 0;
    story.stalled_ms = 1000;
    worker_story_give(&story, 0, "a1 b1", 0);
    worker_story_begin(&story, "a1");
    worker_story_begin(&story, "b1");
    pass(&story, 900);
    worker_story_progress(&story, "b1", 1, "half");
    pass(&story, 99);
    assert_false(worker_story_tells(&story, "kill"));
    pass(&story, 1);
    assert_true(worker_story_tells(&story, "[ 1.00] 0 kill a1 (stalled)\n"));
    for (int second = 0; second < 3600; second++) {
        worker_story_progress(&story, "b1", (uint64_t)second, "on");
        worker_story_clear(&story);
        pass(&story, 900);
        assert_false(worker_story_tells(&story, "kill b1"));
    }
    pass(&story, 99);
    assert_false(worker_story_tells(&story, "kill b1"));
    pass(&story, 1);
    assert_true(worker_story_tells(&story, "kill b1 (stalled)"));
    worker_story_end(&story);
}

static void a_stalled_run_that_cannot_be_ended_says_why_it_was_given_up(void **unused)
{
    (void)unused;
    struct worker_story story;
    start(&story);
    story.limit_ms = 60000;
    story.stalled_ms = 1500;
    worker_story_give(&story, 0, "a1", 0);
    worker_story_begin(&story, "a1");
    pass(&story, 2500);
    assert_true(worker_story_tells(&story, "[ 1.50] 0 kill a1 (stalled)\n"));
    assert_true(worker_story_tells(&story, "[ 2.50] 0 hung a1 (stalled)\n"));
    assert_true(worker_story_tells(&story,
                                   "COMPLETE a1 failed (no sign of life for 1500 ms; it cannot be "
                                   "ended)\n"));
    worker_story_progress(&story, "a1", 7, "alive after all"); /* of no use to anybody now */
    pass(&story, 200);
    assert_false(worker_story_tells(&story, "PROGRESS"));
    worker_story_end(&story);
}

static void a_task_that_says_nothing_of_life_gets_what_the_worker_says(void **unused)
{
    (void)unused;
    struct worker_story story;
    struct worker_options options = worker_story_options();
    options.soft_ms = 300;
    options.stalled_ms = 500;
    worker_story_start_open(&story, &options);
    worker_story_give(&story, 0, "a1", 0);
    story.soft_ms = 400;
    story.stalled_ms = 600;
    worker_story_give(&story, 0, "b1", 0);
    worker_story_begin(&story, "a1");
    worker_story_begin(&story, "b1");
    pass(&story, 1000);
    assert_true(worker_story_tells(&story, "[ 0.30] 0 tell a1 (soft limit)\n"));
    assert_true(worker_story_tells(&story, "[ 0.40] 0 tell b1 (soft limit)\n"));
    assert_true(worker_story_tells(&story, "[ 0.50] 0 kill a1 (stalled)\n"));
    assert_true(worker_story_tells(&story, "[ 0.60] 0 kill b1 (stalled)\n"));
    worker_story_end(&story);
}

/* The ventilator waits for it as long as it takes. */
static void a_job_without_a_hard_limit_waits_behind_others_for_ever(void **unused)
{
    (void)unused;
    struct worker_story story;
    start(&story);
    story.limit_ms = 0;
    worker_story_give(&story, 0, "a1 b1", 0);
    worker_story_begin(&story, "a1");
    worker_story_begin(&story, "b1");
    story.soft_ms = 1000;
    story.stalled_ms = 1000;
    worker_story_give(&story, 0, "c1", 0);
    pass(&story, 5000);
    assert_false(worker_story_tells(&story, "recall") || worker_story_tells(&story, "tell") ||
                 worker_story_tells(&story, "kill"));
    worker_story_finish(&story, "a1", OUTCOME_DONE, 5000);
    worker_story_begin(&story, "c1");
    worker_story_progress(&story, "c1", 1, NULL);
    pass(&story, 1000);
    assert_true(worker_story_tells(&story, "[ 6.00] 0 kill c1 (stalled)\n"));
    worker_story_end(&story);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_is_killed_at_its_limit_and_fails),
        cmocka_unit_test(a_task_without_a_limit_gets_that_of_the_worker),
        cmocka_unit_test(without_any_limit_nobody_looks_at_the_time),
        cmocka_unit_test(the_time_counts_from_the_beginning_of_the_run),
        cmocka_unit_test(a_job_that_waits_too_long_behind_others_is_recalled),
        cmocka_unit_test(a_recall_that_came_too_late_does_no_harm),
        cmocka_unit_test(a_run_that_cannot_be_ended_is_given_up_and_its_slot_stays_taken),
        cmocka_unit_test(a_hung_run_that_returns_before_its_receipt_is_told_once),
        cmocka_unit_test(a_hung_run_outlives_the_end_of_its_lease),
        cmocka_unit_test(a_worker_whose_slots_all_hang_takes_nothing),
        cmocka_unit_test(a_run_is_asked_to_end_at_its_soft_limit_and_killed_at_its_hard_one),
        cmocka_unit_test(a_run_that_heeds_its_soft_limit_ends_as_it_says),
        cmocka_unit_test(a_soft_limit_behind_the_hard_one_is_never_told),
        cmocka_unit_test(a_run_that_shows_no_life_is_killed_and_one_that_does_is_not),
        cmocka_unit_test(a_stalled_run_that_cannot_be_ended_says_why_it_was_given_up),
        cmocka_unit_test(a_task_that_says_nothing_of_life_gets_what_the_worker_says),
        cmocka_unit_test(a_job_without_a_hard_limit_waits_behind_others_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
