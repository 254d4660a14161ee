/* worker_revoke.c - leases that are over, and tasks that somebody else could run. */
#include "worker_story.h"

#include "core/worker_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Two slots, both taken, and one job that waits. */
static void start(struct worker_story *story)
{
    struct worker_options options = worker_story_options();
    worker_story_start_open(story, &options);
    worker_story_give(story, 0, "a1 b1 c1", 0);
    worker_story_begin(story, "a1");
    worker_story_begin(story, "b1");
    worker_story_clear(story);
}

static void a_run_whose_lease_is_over_is_told_and_not_completed(void **unused)
{
    (void)unused;
    struct worker_story story;
    start(&story);
    worker_story_revoke(&story, 0, "a1");
    assert_string_equal(story.trace, "[ 0.00] 0 tell a1 (revoked)\n");
    worker_story_pass_heard(&story, 900);
    assert_false(worker_story_tells(&story, "CREDIT")); /* its slot is taken until it has ended */
    assert_int_equal(worker_story_counts(&story).running, 2);
    worker_story_finish(&story, "a1", OUTCOME_DONE, 900);
    worker_story_begin(&story, "c1");
    worker_story_turn(&story);
    worker_story_pass_heard(&story, 5000);
    assert_false(worker_story_tells(&story, "COMPLETE"));
    assert_false(worker_story_tells(&story, "kill"));
    assert_int_equal(worker_story_counts(&story).owed, 0);
    assert_int_equal(worker_story_counts(&story).running, 2);
    worker_story_end(&story);
}

static void one_that_does_not_heed_it_is_killed_a_second_later(void **unused)
{
    (void)unused;
    struct worker_story story;
    start(&story);
    worker_story_revoke(&story, 0, "a1");
    worker_story_pass_heard(&story, 999);
    assert_false(worker_story_tells(&story, "kill"));
    worker_story_pass_heard(&story, 1);
    assert_true(worker_story_tells(&story, "[ 1.00] 0 kill a1 (revoked)\n"));
    worker_story_finish(&story, "a1", OUTCOME_FAILED, 1000);
    worker_story_turn(&story);
    worker_story_pass_heard(&story, 5000);
    assert_false(worker_story_tells(&story, "COMPLETE"));
    assert_false(worker_story_tells(&story, "hung"));
    worker_story_end(&story);
}

static void what_did_not_begin_is_taken_from_the_pool_and_nobody_is_told(void **unused)
{
    (void)unused;
    struct worker_story story;
    start(&story);
    worker_story_revoke(&story, 0, "c1");
    assert_true(worker_story_tells(&story, "[ 0.00] 0 recall c1\n"));
    worker_story_finish(&story, "c1", OUTCOME_RETURNED, 0);
    worker_story_turn(&story);
    assert_int_equal(worker_story_counts(&story).held, 2);
    worker_story_on(&story, WORKER_CLOSED, 0);
    worker_story_pass(&story, 100);
    worker_story_open(&story, 0, 'v', "");
    worker_story_pass_heard(&story, 2000);
    assert_true(worker_story_tells(&story, "HELLO a1 b1\n"));
    assert_false(worker_story_tells(&story, "COMPLETE"));
    assert_false(worker_story_tells(&story, "kill"));
    worker_story_end(&story);
}

/* It began in the same moment: the recall comes too late, what is told does not. */
static void what_began_in_the_same_moment_is_told(void **unused)
{
    (void)unused;
    struct worker_story story;
    start(&story);
    worker_story_revoke(&story, 0, "c1");
    assert_true(worker_story_tells(&story, "[ 0.00] 0 recall c1\n[ 0.00] 0 tell c1 (revoked)\n"));
    worker_story_finish(&story, "a1", OUTCOME_DONE, 1);
    worker_story_begin(&story, "c1");
    worker_story_pass_heard(&story, 1000);
    assert_true(worker_story_tells(&story, "[ 1.00] 0 kill c1 (revoked)\n"));
    worker_story_finish(&story, "c1", OUTCOME_FAILED, 1000);
    worker_story_pass_heard(&story, 100);
    assert_false(worker_story_tells(&story, "COMPLETE c1"));
    assert_int_equal(worker_story_counts(&story).running, 1);
    worker_story_end(&story);
}

static void what_was_completed_is_not_sent_again(void **unused)
{
    (void)unused;
    struct worker_story story;
    start(&story);
    worker_story_finish(&story, "a1", OUTCOME_DONE, 1);
    worker_story_turn(&story);
    worker_story_revoke(&story, 0, "a1 z9");
    assert_int_equal(worker_story_counts(&story).owed, 0);
    worker_story_on(&story, WORKER_CLOSED, 0);
    worker_story_pass(&story, 100);
    worker_story_clear(&story);
    worker_story_open(&story, 0, 'v', "");
    worker_story_turn(&story);
    assert_true(worker_story_tells(&story, "HELLO b1 c1\n"));
    assert_false(worker_story_tells(&story, "COMPLETE"));
    worker_story_end(&story);
}

static void nobody_ends_the_leases_of_another(void **unused)
{
    (void)unused;
    struct worker_story story;
    struct worker_options options = worker_story_options();
    options.link_count = 2;
    worker_story_start_open(&story, &options);
    worker_story_give(&story, 0, "a1 b1 c1", 0);
    worker_story_begin(&story, "a1");
    worker_story_clear(&story);
    worker_story_revoke(&story, 1, "a1 b1");
    worker_story_recall(&story, 1, "b1");
    assert_string_equal(story.trace, "");
    worker_story_end(&story);
}

/* Both slots hang in runs that are over: whatever came would wait for ever. */
static void a_slot_that_a_revoked_run_does_not_leave_is_lost(void **unused)
{
    (void)unused;
    struct worker_story story;
    start(&story);
    worker_story_revoke(&story, 0, "a1 b1");
    worker_story_pass_heard(&story, 1999);
    assert_false(worker_story_tells(&story, "hung"));
    worker_story_pass_heard(&story, 1);
    assert_true(worker_story_tells(&story, "[ 2.00] 0 hung a1 (revoked)\n"));
    assert_true(worker_story_tells(&story, "[ 2.00] 0 hung b1 (revoked)\n"));
    assert_true(worker_story_tells(&story, "[ 2.00] 0 recall c1\n"));
    assert_true(worker_story_tells(&story, "HEARTBEAT held 1 running 0 hung 2\n"));
    assert_int_equal(worker_story_counts(&story).hung, 2);
    worker_story_finish(&story, "c1", OUTCOME_RETURNED, 0);
    worker_story_clear(&story);
    worker_story_give(&story, 0, "d1", 5);
    assert_true(worker_story_tells(&story, "COMPLETE c1 returned"));
    assert_true(worker_story_tells(&story, "COMPLETE d1 returned"));
    worker_story_pass_heard(&story, 5000);
    assert_false(worker_story_tells(&story, "CREDIT"));

    worker_story_finish(&story, "a1", OUTCOME_DONE, 9000); /* it returns after all */
    worker_story_turn(&story);
    assert_true(worker_story_tells(&story, "CREDIT"));
    worker_story_give(&story, 0, "e1", 0);
    assert_true(worker_story_tells(&story, "run e1"));
    assert_false(worker_story_tells(&story, "COMPLETE a1"));
    assert_int_equal(worker_story_counts(&story).hung, 1);
    worker_story_finish(&story, "b1", OUTCOME_DONE, 9000);
    worker_story_finish(&story, "e1", OUTCOME_DONE, 9000);
    worker_story_turn(&story);
    worker_story_receipt(&story, 0);
    assert_int_equal(worker_story_counts(&story).held + worker_story_counts(&story).hung +
                         worker_story_counts(&story).owed,
                     0);
    assert_int_equal(story.worker->store.bytes_used, 0);
    worker_story_end(&story);
}

static void a_lease_that_a_welcome_drops_ends_in_the_same_way(void **unused)
{
    (void)unused;
    struct worker_story story;
    start(&story);
    worker_story_on(&story, WORKER_CLOSED, 0);
    worker_story_pass(&story, 100);
    worker_story_open(&story, 0, 'v', "a1 c1");
    worker_story_turn(&story);
    assert_true(worker_story_tells(&story, "[ 0.10] 0 tell a1 (revoked)\n"));
    assert_true(worker_story_tells(&story, "[ 0.10] 0 recall c1\n"));
    worker_story_finish(&story, "c1", OUTCOME_RETURNED, 0);
    worker_story_pass_heard(&story, 1000);
    assert_true(worker_story_tells(&story, "[ 1.10] 0 kill a1 (revoked)\n"));
    worker_story_pass_heard(&story, 1000);
    assert_true(worker_story_tells(&story, "[ 2.10] 0 hung a1 (revoked)\n"));
    assert_false(worker_story_tells(&story, "COMPLETE"));
    worker_story_end(&story);
}

/* It was killed at its limit already: its second begins anew, and so does the wait
 * for its end. */
static void a_run_over_its_limit_can_be_revoked(void **unused)
{
    (void)unused;
    struct worker_story story;
    struct worker_options options = worker_story_options();
    options.limit_ms = 1000;
    worker_story_start_open(&story, &options);
    worker_story_give(&story, 0, "a1", 0);
    worker_story_begin(&story, "a1");
    worker_story_pass_heard(&story, 1100);
    assert_true(worker_story_tells(&story, "kill a1 (limit)"));
    worker_story_revoke(&story, 0, "a1");
    worker_story_pass_heard(&story, 1999);
    assert_true(worker_story_tells(&story, "[ 2.10] 0 kill a1 (revoked)\n"));
    assert_false(worker_story_tells(&story, "hung"));
    worker_story_pass_heard(&story, 1);
    assert_true(worker_story_tells(&story, "[ 3.10] 0 hung a1 (revoked)\n"));
    assert_false(worker_story_tells(&story, "COMPLETE"));
    worker_story_end(&story);
}

static void what_is_asked_back_comes_back_unless_it_began(void **unused)
{
    (void)unused;
    struct worker_story story;
    start(&story);
    worker_story_give(&story, 0, "d1", 0);
    worker_story_clear(&story);
    worker_story_recall(&story, 0, "z9 d1 c1 a1"); /* the latest first */
    assert_string_equal(story.trace, "[ 0.00] 0 recall c1\n"
                                     "[ 0.00] 0 recall d1\n");
    worker_story_finish(&story, "d1", OUTCOME_RETURNED, 0);
    worker_story_finish(&story, "c1", OUTCOME_RETURNED, 0);
    worker_story_turn(&story);
    assert_true(worker_story_tells(&story, "COMPLETE d1 returned c1 returned\n"));
    assert_int_equal(worker_story_counts(&story).returned, 2);
    worker_story_finish(&story, "a1", OUTCOME_DONE, 1);
    worker_story_turn(&story);
    assert_true(worker_story_tells(&story, "COMPLETE a1 done =a1\n"));
    worker_story_end(&story);
}

/* One slot, taken by v; w keeps credit for one task, so that it gets on. */
static void who_wanted_a_task_back_gets_no_credit_for_one_that_would_wait(void **unused)
{
    (void)unused;
    struct worker_story story;
    struct worker_options options = worker_story_options();
    options.link_count = 2;
    options.slots = 1;
    worker_story_start_open(&story, &options);
    worker_story_give(&story, 0, "a1", 0);
    worker_story_begin(&story, "a1");
    worker_story_give(&story, 1, "b1", 0);
    worker_story_clear(&story);
    worker_story_recall(&story, 1, "b1");
    worker_story_finish(&story, "b1", OUTCOME_RETURNED, 0);
    worker_story_turn(&story);
    assert_true(worker_story_tells(&story, "1 COMPLETE b1 returned\n"));
    worker_story_pass(&story, 900);
    assert_false(worker_story_tells(&story, "1 CREDIT"));
    worker_story_say(&story, 0, (struct message){.kind = MESSAGE_HEARTBEAT});
    worker_story_say(&story, 1, (struct message){.kind = MESSAGE_HEARTBEAT});
    worker_story_pass(&story, 1100); /* but not for ever */
    assert_true(worker_story_tells(&story, "1 CREDIT 2\n"));
    worker_story_end(&story);
}

static void a_slot_that_is_free_is_for_everybody(void **unused)
{
    (void)unused;
    struct worker_story story;
    struct worker_options options = worker_story_options();
    options.link_count = 2;
    options.slots = 1;
    worker_story_start_open(&story, &options);
    worker_story_give(&story, 0, "a1", 0);
    worker_story_begin(&story, "a1");
    worker_story_give(&story, 1, "b1", 0);
    worker_story_recall(&story, 1, "b1");
    worker_story_finish(&story, "b1", OUTCOME_RETURNED, 0);
    worker_story_turn(&story);
    worker_story_clear(&story);
    worker_story_finish(&story, "a1", OUTCOME_DONE, 5000);
    worker_story_turn(&story);
    assert_true(worker_story_tells(&story, "1 CREDIT 2\n"));
    worker_story_end(&story);
}

/* v is gone, and w in its place: what runs for v may end, and still not for ever. */
static void a_run_whose_ventilator_is_gone_keeps_its_limits(void **unused)
{
    (void)unused;
    struct worker_story story;
    struct worker_options options = worker_story_options();
    worker_story_start_open(&story, &options);
    story.limit_ms = 2000;
    story.soft_ms = 1000;
    worker_story_give(&story, 0, "a1", 0);
    story.limit_ms = story.soft_ms = 0;
    story.stalled_ms = 3000;
    worker_story_give(&story, 0, "b1", 0);
    worker_story_begin(&story, "a1");
    worker_story_on(&story, WORKER_CLOSED, 0);
    worker_story_pass(&story, 500);
    worker_story_open(&story, 0, 'w', "");
    worker_story_begin(&story, "b1"); /* the pool was faster than the end of its lease */
    worker_story_clear(&story);
    worker_story_pass_heard(&story, 499);
    assert_false(worker_story_tells(&story, "tell") || worker_story_tells(&story, "kill"));
    worker_story_pass_heard(&story, 1);
    assert_true(worker_story_tells(&story, "[ 1.00] 0 tell a1 (soft limit)\n"));
    worker_story_pass_heard(&story, 1000);
    assert_true(worker_story_tells(&story, "[ 2.00] 0 kill a1 (limit)\n"));
    worker_story_progress(&story, "b1", 1, "half");
    worker_story_pass_heard(&story, 1000);
    assert_true(worker_story_tells(&story, "[ 3.00] 0 hung a1 (limit)\n"));
    worker_story_pass_heard(&story, 1999);
    assert_false(worker_story_tells(&story, "kill b1"));
    worker_story_pass_heard(&story, 1);
    assert_true(worker_story_tells(&story, "[ 5.00] 0 kill b1 (stalled)\n"));
    assert_false(worker_story_tells(&story, "COMPLETE") || worker_story_tells(&story, "PROGRESS"));
    worker_story_finish(&story, "a1", OUTCOME_DONE, 9000);
    worker_story_finish(&story, "b1", OUTCOME_FAILED, 5000);
    assert_int_equal(worker_story_counts(&story).held + worker_story_counts(&story).hung, 0);
    worker_story_end(&story);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_whose_lease_is_over_is_told_and_not_completed),
        cmocka_unit_test(one_that_does_not_heed_it_is_killed_a_second_later),
        cmocka_unit_test(what_did_not_begin_is_taken_from_the_pool_and_nobody_is_told),
        cmocka_unit_test(what_began_in_the_same_moment_is_told),
        cmocka_unit_test(what_was_completed_is_not_sent_again),
        cmocka_unit_test(nobody_ends_the_leases_of_another),
        cmocka_unit_test(a_slot_that_a_revoked_run_does_not_leave_is_lost),
        cmocka_unit_test(a_lease_that_a_welcome_drops_ends_in_the_same_way),
        cmocka_unit_test(a_run_over_its_limit_can_be_revoked),
        cmocka_unit_test(what_is_asked_back_comes_back_unless_it_began),
        cmocka_unit_test(who_wanted_a_task_back_gets_no_credit_for_one_that_would_wait),
        cmocka_unit_test(a_slot_that_is_free_is_for_everybody),
        cmocka_unit_test(a_run_whose_ventilator_is_gone_keeps_its_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
