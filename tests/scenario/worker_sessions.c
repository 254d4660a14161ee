/* worker_sessions.c - stories of a worker whose ventilators come and go. */
#include "worker_story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void start(struct worker_story *story)
{
    struct worker_options options = worker_story_options();
    worker_story_start(story, &options);
    worker_story_turn(story);
}

/* A session with ventilator v, two leases in the pool, nothing told yet. */
static void start_busy(struct worker_story *story)
{
    start(story);
    worker_story_open(story, 0, 'v', "");
    worker_story_turn(story);
    worker_story_give(story, 0, "a1 b1", 0);
    worker_story_begin(story, "a1");
    worker_story_clear(story);
}

static void a_worker_connects_works_and_is_receipted(void **unused)
{
    (void)unused;
    struct worker_story story;
    start(&story);
    story.now_ns += 10 * MILLISECOND;
    worker_story_open(&story, 0, 'v', "");
    worker_story_turn(&story);
    story.now_ns += 10 * MILLISECOND;
    worker_story_give(&story, 0, "a1", 0);
    worker_story_begin(&story, "a1");
    story.now_ns += 200 * MILLISECOND;
    worker_story_finish(&story, "a1", OUTCOME_DONE, 200);
    worker_story_turn(&story);
    assert_string_equal(story.trace, "[ 0.00] 0 open\n"
                                     "[ 0.01] 0 HELLO\n"
                                     "[ 0.01] 0 opened\n"
                                     "[ 0.01] 0 CREDIT 2\n"
                                     "[ 0.02] 0 run a1\n"
                                     "[ 0.22] 0 COMPLETE a1 done =a1\n"
                                     "[ 0.22] 0 CREDIT 3\n");
    assert_int_equal(worker_story_counts(&story).owed, 1);
    worker_story_receipt(&story, 0);
    assert_int_equal(worker_story_counts(&story).owed, 0);
    assert_int_equal(worker_story_counts(&story).done, 1);
    worker_story_end(&story);
}

static void a_lost_session_lists_its_leases_and_sends_again_what_was_not_receipted(void **unused)
{
    (void)unused;
    struct worker_story story;
    start_busy(&story);
    worker_story_finish(&story, "a1", OUTCOME_DONE, 5000);
    worker_story_turn(&story);
    worker_story_on(&story, WORKER_CLOSED, 0);
    worker_story_finish(&story, "b1", OUTCOME_FAILED, 5000);
    worker_story_pass(&story, 100);
    worker_story_clear(&story);
    worker_story_open(&story, 0, 'v', "");
    worker_story_turn(&story);
    assert_string_equal(story.trace, "[ 0.10] 0 HELLO a1 b1\n"
                                     "[ 0.10] 0 opened\n"
                                     "[ 0.10] 0 COMPLETE a1 done =a1 b1 failed (sorry)\n"
                                     "[ 0.10] 0 CREDIT 2\n");
    worker_story_receipt(&story, 0);
    assert_int_equal(worker_story_counts(&story).owed, 0);
    worker_story_end(&story);
}

static void a_receipt_frees_only_what_it_covers(void **unused)
{
    (void)unused;
    struct worker_story story;
    start_busy(&story);
    worker_story_finish(&story, "a1", OUTCOME_DONE, 5000);
    worker_story_turn(&story);
    uint32_t first = story.links[0].completed;
    worker_story_finish(&story, "b1", OUTCOME_DONE, 5000);
    worker_story_turn(&story);

    struct message receipt = {.kind = MESSAGE_RECEIPT};
    receipt.u.receipt.through = first - 1;
    worker_story_say(&story, 0, receipt);
    assert_int_equal(worker_story_counts(&story).owed, 2);
    receipt.u.receipt.through = first;
    worker_story_say(&story, 0, receipt);
    assert_int_equal(worker_story_counts(&story).owed, 1);

    /* Of what was not sent yet there can be no receipt, whatever the number. */
    worker_story_give(&story, 0, "c1", 0);
    worker_story_finish(&story, "c1", OUTCOME_DONE, 5000);
    receipt.u.receipt.through = first + 1000;
    worker_story_say(&story, 0, receipt);
    assert_int_equal(worker_story_counts(&story).owed, 1);
    worker_story_end(&story);
}

static void a_gap_resets_the_session(void **unused)
{
    (void)unused;
    struct worker_story story;
    start_busy(&story);
    story.links[0].sequence++; /* one message is lost on the way */
    worker_story_give(&story, 0, "c1", 0);
    worker_story_pass(&story, 100);
    worker_story_clear(&story);
    worker_story_open(&story, 0, 'v', "");
    worker_story_turn(&story);
    assert_string_equal(story.trace, "[ 0.10] 0 HELLO a1 b1\n"
                                     "[ 0.10] 0 opened\n"
                                     "[ 0.10] 0 HEARTBEAT held 2 running 1\n");
    worker_story_end(&story);
}

static void leases_that_are_over_are_not_completed(void **unused)
{
    (void)unused;
    struct worker_story story;
    start_busy(&story);
    worker_story_finish(&story, "b1", OUTCOME_DONE, 5000);
    worker_story_on(&story, WORKER_CLOSED, 0);
    worker_story_pass(&story, 100);
    worker_story_clear(&story);
    worker_story_open(&story, 0, 'v', "b1 a1 z9");
    worker_story_turn(&story);
    assert_int_equal(worker_story_counts(&story).owed, 0);
    assert_int_equal(worker_story_counts(&story).held, 1);
    worker_story_finish(&story, "a1", OUTCOME_DONE, 5000);
    worker_story_turn(&story);
    assert_string_equal(story.trace, "[ 0.10] 0 HELLO a1 b1\n"
                                     "[ 0.10] 0 tell a1 (revoked)\n"
                                     "[ 0.10] 0 opened\n"
                                     "[ 0.10] 0 CREDIT 1\n"
                                     "[ 0.10] 0 CREDIT 2\n");
    assert_int_equal(worker_story_counts(&story).held, 0);
    assert_int_equal(worker_story_counts(&story).owed, 0);
    assert_int_equal(worker_story_counts(&story).running, 0);
    worker_story_end(&story);
}

static void a_ventilator_that_restarted_gets_nothing_of_the_one_before(void **unused)
{
    (void)unused;
    struct worker_story story;
    start_busy(&story);
    worker_story_finish(&story, "b1", OUTCOME_DONE, 5000);
    worker_story_turn(&story);
    worker_story_on(&story, WORKER_CLOSED, 0);
    worker_story_pass(&story, 100);
    worker_story_clear(&story);
    worker_story_open(&story, 0, 'n', "");
    worker_story_turn(&story);
    worker_story_give(&story, 0, "b2", 0);
    worker_story_finish(&story, "a1", OUTCOME_DONE, 5000);
    worker_story_finish(&story, "b2", OUTCOME_DONE, 5000);
    worker_story_turn(&story);
    assert_string_equal(story.trace, "[ 0.10] 0 HELLO a1 b1\n"
                                     "[ 0.10] 0 recall a1\n"
                                     "[ 0.10] 0 opened\n"
                                     "[ 0.10] 0 CREDIT 1\n"
                                     "[ 0.10] 0 run b2\n"
                                     "[ 0.10] 0 COMPLETE b2 done =b2\n"
                                     "[ 0.10] 0 CREDIT 3\n");
    assert_int_equal(worker_story_counts(&story).owed, 1);
    worker_story_end(&story);
}

static void a_lease_that_was_dropped_and_is_given_again_is_given_back(void **unused)
{
    (void)unused;
    struct worker_story story;
    start_busy(&story);
    worker_story_on(&story, WORKER_CLOSED, 0);
    worker_story_pass(&story, 100);
    worker_story_open(&story, 0, 'v', "a1");
    worker_story_turn(&story);
    worker_story_clear(&story);
    worker_story_give(&story, 0, "a1", 0);
    worker_story_finish(&story, "a1", OUTCOME_DONE, 5000);
    worker_story_turn(&story);
    assert_string_equal(story.trace, "[ 0.10] 0 COMPLETE a1 returned\n"
                                     "[ 0.10] 0 CREDIT 2\n");
    worker_story_end(&story);
}

static void an_idle_worker_turns_for_its_heartbeats_and_nothing_else(void **unused)
{
    (void)unused;
    struct worker_story story;
    start_busy(&story);
    worker_story_begin(&story, "b1");
    worker_story_turn(&story);
    uint32_t turns = story.turns;
    struct message heartbeat = {.kind = MESSAGE_HEARTBEAT};
    for (int i = 0; i < 3; i++) {
        worker_story_pass(&story, 1000);
        worker_story_say(&story, 0, heartbeat);
        worker_story_turn(&story);
    }
    assert_string_equal(story.trace, "[ 1.00] 0 HEARTBEAT held 2 running 2\n"
                                     "[ 2.00] 0 HEARTBEAT held 2 running 2\n"
                                     "[ 3.00] 0 HEARTBEAT held 2 running 2\n");
    assert_int_equal(story.turns - turns, 6);
    for (int i = 0; i < 5; i++) { /* a turn that nobody asked for says nothing */
        story.now_ns += 100 * MILLISECOND;
        worker_story_turn(&story);
        assert_int_equal(story.out->count, 0);
    }
    assert_true(worker_deadline(story.worker) == 104 * SECOND);
    worker_story_end(&story);
}

static void a_silent_ventilator_is_lost_and_tried_again(void **unused)
{
    (void)unused;
    struct worker_story story;
    start_busy(&story);
    worker_story_pass(&story, 4100);
    assert_string_equal(story.trace, "[ 0.03] 0 HEARTBEAT held 2 running 1\n"
                                     "[ 1.02] 0 HEARTBEAT held 2 running 1\n"
                                     "[ 2.02] 0 HEARTBEAT held 2 running 1\n"
                                     "[ 3.02] 0 HEARTBEAT held 2 running 1\n"
                                     "[ 4.00] 0 shut\n"
                                     "[ 4.00] 0 lost\n"
                                     "[ 4.08] 0 open\n");
    worker_story_end(&story);
}

static void a_late_turn_does_not_blame_the_ventilator(void **unused)
{
    (void)unused;
    struct worker_story story;
    start_busy(&story);
    worker_story_turn(&story);
    story.now_ns += 2900 * MILLISECOND; /* suspended */
    worker_story_turn(&story);
    worker_story_pass(&story, 3900);
    assert_string_equal(story.trace, "[ 2.90] 0 HEARTBEAT held 2 running 1\n"
                                     "[ 3.90] 0 HEARTBEAT held 2 running 1\n"
                                     "[ 4.90] 0 HEARTBEAT held 2 running 1\n"
                                     "[ 5.90] 0 HEARTBEAT held 2 running 1\n");
    worker_story_clear(&story);
    worker_story_pass(&story, 110);
    assert_string_equal(story.trace, "[ 6.90] 0 shut\n"
                                     "[ 6.90] 0 lost\n");
    worker_story_end(&story);
}

static void a_refusal_is_reported_and_tried_again_slowly(void **unused)
{
    (void)unused;
    struct worker_story story;
    start(&story);
    worker_story_on(&story, WORKER_CONNECTED, 0);
    struct message refuse = {.kind = MESSAGE_REFUSE};
    refuse.u.refuse.reason = REASON_BUSY;
    worker_story_step(&story, (struct worker_event){.kind = WORKER_MESSAGE, .message = &refuse});
    assert_int_equal(story.out->actions[1].message.u.refuse.reason, REASON_BUSY);
    worker_story_pass(&story, 4999);
    assert_string_equal(story.trace, "[ 0.00] 0 open\n"
                                     "[ 0.00] 0 HELLO\n"
                                     "[ 0.00] 0 shut\n"
                                     "[ 0.00] 0 refused\n");
    worker_story_pass(&story, 5001);
    assert_non_null(strstr(story.trace, "refused\n["));
    worker_story_end(&story);
}

static void a_worker_that_stops_says_bye_and_nothing_more(void **unused)
{
    (void)unused;
    struct worker_story story;
    start_busy(&story);
    worker_story_finish(&story, "a1", OUTCOME_DONE, 5000);
    worker_story_on(&story, WORKER_STOP, 0);
    worker_story_turn(&story);
    worker_story_finish(&story, "b1", OUTCOME_DONE, 5000);
    worker_story_turn(&story);
    worker_story_on(&story, WORKER_CLOSED, 0);
    worker_story_turn(&story);
    assert_string_equal(story.trace, "[ 0.00] 0 COMPLETE a1 done =a1\n"
                                     "[ 0.00] 0 BYE\n");
    assert_true(worker_deadline(story.worker) == INSTANT_NEVER);
    worker_story_end(&story);
}

static void reports_of_sockets_given_up_are_ignored(void **unused)
{
    (void)unused;
    struct worker_story story;
    start_busy(&story);
    worker_story_on(&story, WORKER_CONNECTED, 0);
    assert_string_equal(story.trace, "");
    worker_story_on(&story, WORKER_CLOSED, 0);
    worker_story_clear(&story);
    worker_story_on(&story, WORKER_CLOSED, 0);
    worker_story_on(&story, WORKER_CONNECTED, 0);
    worker_story_give(&story, 0, "c1", 0);
    assert_null(strstr(story.trace, "run"));
    assert_null(strstr(story.trace, "HELLO"));
    worker_story_end(&story);
}

static void a_pool_that_tells_of_no_starts_is_taken_to_keep_its_slots_busy(void **unused)
{
    (void)unused;
    struct worker_story story;
    start(&story);
    worker_story_open(&story, 0, 'v', "");
    worker_story_turn(&story);
    worker_story_give(&story, 0, "a1 b1 c1", 0);
    worker_story_clear(&story);
    assert_int_equal(worker_story_counts(&story).running, 2);
    worker_story_pass(&story, 1000);
    worker_story_finish(&story, "a1", OUTCOME_DONE, 1000);
    worker_story_finish(&story, "b1", OUTCOME_DONE, 1000);
    assert_int_equal(worker_story_counts(&story).running, 1);
    assert_int_equal(worker_story_counts(&story).started, 2);
    assert_string_equal(story.trace, "[ 0.03] 0 HEARTBEAT held 3 running 2\n");
    worker_story_end(&story);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_worker_connects_works_and_is_receipted),
        cmocka_unit_test(a_lost_session_lists_its_leases_and_sends_again_what_was_not_receipted),
        cmocka_unit_test(a_receipt_frees_only_what_it_covers),
        cmocka_unit_test(a_gap_resets_the_session),
        cmocka_unit_test(leases_that_are_over_are_not_completed),
        cmocka_unit_test(a_ventilator_that_restarted_gets_nothing_of_the_one_before),
        cmocka_unit_test(a_lease_that_was_dropped_and_is_given_again_is_given_back),
        cmocka_unit_test(an_idle_worker_turns_for_its_heartbeats_and_nothing_else),
        cmocka_unit_test(a_silent_ventilator_is_lost_and_tried_again),
        cmocka_unit_test(a_late_turn_does_not_blame_the_ventilator),
        cmocka_unit_test(a_refusal_is_reported_and_tried_again_slowly),
        cmocka_unit_test(a_worker_that_stops_says_bye_and_nothing_more),
        cmocka_unit_test(a_pool_that_tells_of_no_starts_is_taken_to_keep_its_slots_busy),
        cmocka_unit_test(reports_of_sockets_given_up_are_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
