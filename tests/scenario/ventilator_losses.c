/* ventilator_losses.c - workers that vanish, fall silent, come back or leave,
 * and what becomes of their leases. */
#include "ventilator_story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* A producer, and W1 with leases of `letters`. */
static void start_with_leases(struct story *story, const char *letters)
{
    story_start(story);
    story_hello(story, P1);
    story_hello(story, W1);
    story_credit(story, W1, strlen(letters));
    story_submit(story, P1, letters);
    story_clear(story);
}

static void a_closed_connection_gives_half_a_second_of_grace(void **state)
{
    (void)state;
    struct story story;
    start_with_leases(&story, "AB");
    story_submit(&story, P1, "C");
    story_hello(&story, W2);
    story_clear(&story);
    story_close(&story, W1);
    story_pass(&story, 499);
    story_expect(&story, "[    0] w1 closed\n");
    story_pass(&story, 500);
    story_expect(&story, "[  500] w1 lost\n"
                         "[  500] requeued B/1 w1\n"
                         "[  500] requeued A/1 w1\n");
    story_credit(&story, W2, 3); /* ahead of the line, in their old order */
    story_expect(&story, "[  999] leased A/2 w2\n"
                         "[  999] leased B/2 w2\n"
                         "[  999] leased C/1 w2\n"
                         "[  999] > w2 work A/2 B/2 C/1\n");
    assert_int_equal(story_totals(&story).requeued, 2);
    assert_int_equal(story_totals(&story).workers, 1);
    story_end(&story);
}

static void what_a_lost_worker_held_goes_to_another_at_once(void **state)
{
    (void)state;
    struct story story;
    start_with_leases(&story, "AB");
    story_hello(&story, W2);
    story_credit(&story, W2, 5);
    story_clear(&story);
    story_close(&story, W1);
    story_pass(&story, 500);
    story_expect(&story, "[    0] w1 closed\n"
                         "[  500] w1 lost\n"
                         "[  500] requeued B/1 w1\n"
                         "[  500] requeued A/1 w1\n"
                         "[  500] leased A/2 w2\n"
                         "[  500] leased B/2 w2\n"
                         "[  500] > w2 work A/2 B/2\n");
    story_end(&story);
}

static void a_silent_worker_is_suspect_after_two_seconds_and_lost_after_four(void **state)
{
    (void)state;
    struct story story;
    start_with_leases(&story, "A");
    story_credit(&story, W1, 5);
    story_silence(&story, W1);
    story_pass(&story, 2000);
    story_submit(&story, P1, "B"); /* no new work for a suspect */
    story_pass(&story, 1999);
    story_expect(&story, "[ 2000] w1 suspect\n"
                         "[ 2000] accepted B/0\n"
                         "[ 2000] > p1 accept 2\n");
    story_pass(&story, 1);
    story_expect(&story, "[ 4000] w1 lost\n"
                         "[ 4000] requeued A/1 w1\n"
                         "[ 4000] > w1 who\n");
    story_end(&story);
}

static void a_suspect_that_speaks_again_gets_work_again(void **state)
{
    (void)state;
    struct story story;
    start_with_leases(&story, "A");
    story_credit(&story, W1, 1);
    story_silence(&story, W1);
    story_pass(&story, 3000);
    story_submit(&story, P1, "B");
    story_clear(&story);
    story_say(&story, W1, (struct message){.kind = MESSAGE_HEARTBEAT});
    story_expect(&story, "[ 3000] leased B/1 w1\n"
                         "[ 3000] > w1 work B/1\n");
    story_pass(&story, 3999); /* and is as patiently waited for as before */
    story_expect(&story, "[ 5000] w1 suspect\n");
    story_pass(&story, 1);
    story_expect(&story, "[ 7000] w1 lost\n"
                         "[ 7000] requeued B/1 w1\n"
                         "[ 7000] requeued A/1 w1\n"
                         "[ 7000] > w1 who\n");
    story_end(&story);
}

static void a_late_completion_is_welcome_while_the_task_waits(void **state)
{
    (void)state;
    struct story story;
    start_with_leases(&story, "a");
    story_silence(&story, W1);
    story_pass(&story, 4000);
    struct story_lease late = story.peers[W1].held[0];
    story_hello(&story, W2); /* whoever says it: the lease decides */
    story.peers[W2].held[story.peers[W2].held_count++] = late;
    story_clear(&story);
    story_complete(&story, W2, "a", OUTCOME_DONE);
    story_expect(&story, "[ 4000] ended a/1 done\n"
                         "[ 4000] > p1 result a/1 done\n"
                         "[ 4000] > w2 receipt 1\n");
    assert_int_equal(story_totals(&story).stale, 0);
    story_end(&story);
}

static void a_late_completion_is_refused_and_counted_once_the_task_is_leased_again(void **state)
{
    (void)state;
    struct story story;
    start_with_leases(&story, "a");
    story_close(&story, W1);
    story_pass(&story, 500);
    struct story_lease late = story.peers[W1].held[0];
    story_hello(&story, W2);
    story_credit(&story, W2, 1);
    story_hello(&story, W3);
    story.peers[W3].held[story.peers[W3].held_count++] = late;
    story_clear(&story);
    story_complete(&story, W3, "a", OUTCOME_DONE);
    story_expect(&story, "[  500] stale a/1 w3\n"
                         "[  500] > w3 receipt 1\n");
    story_complete(&story, W2, "a", OUTCOME_DONE);
    story.peers[W3].held[story.peers[W3].held_count++] = late;
    story_complete(&story, W3, "a", OUTCOME_DONE); /* nor after the end */
    story_expect(&story, "[  500] ended a/2 w2 done\n"
                         "[  500] > p1 result a/2 done\n"
                         "[  500] > w2 receipt 2\n"
                         "[  500] stale a/1 w3\n"
                         "[  500] > w3 receipt 2\n");
    assert_int_equal(story_totals(&story).stale, 2);
    story_end(&story);
}

static void a_late_failure_of_a_task_in_line_changes_nothing(void **state)
{
    (void)state;
    struct story story;
    start_with_leases(&story, "AB");
    story_close(&story, W1);
    story_pass(&story, 500);
    story.peers[W2] = story.peers[W1];
    story.peers[W2].held_count = 0;
    story_hello(&story, W2);
    story.peers[W2].held[0] = story.peers[W1].held[0];
    story.peers[W2].held[1] = story.peers[W1].held[1];
    story.peers[W2].held_count = 2;
    story_clear(&story);
    story_complete(&story, W2, "A", OUTCOME_CRASHED);
    story_complete(&story, W2, "B", OUTCOME_RETURNED);
    story_expect(&story, "[  500] > w2 receipt 1\n"
                         "[  500] > w2 receipt 2\n");
    story_credit(&story, W2, 2);
    story_expect(&story, "[  500] leased A/2 w2\n"
                         "[  500] leased B/2 w2\n"
                         "[  500] > w2 work A/2 B/2\n");
    story_end(&story);
}

static void a_lease_with_a_wrong_token_or_attempt_completes_nothing(void **state)
{
    (void)state;
    struct story story;
    start_with_leases(&story, "A");
    struct lease lease = story.peers[W1].held[0].lease;
    struct completion items[] = {{.lease = lease}, {.lease = lease}, {.lease = lease}};
    items[0].lease.token++;
    items[1].lease.attempt++;
    items[2].lease.id = story_id('Z');
    struct message message = {.kind = MESSAGE_COMPLETE};
    message.u.complete = (struct message_complete){.items = items, .count = 3};
    story_say(&story, W1, message);
    story_expect(&story, "[    0] stale A/1 w1\n"
                         "[    0] stale A/2 w1\n"
                         "[    0] stale Z/1 w1\n"
                         "[    0] > w1 receipt 2\n");
    assert_int_equal(story_totals(&story).leased, 1);
    story_end(&story);
}

static void a_worker_back_within_its_grace_keeps_its_leases(void **state)
{
    (void)state;
    struct story story;
    start_with_leases(&story, "abc");
    story_close(&story, W1);
    story_pass(&story, 400);
    story_forget(&story, W1, 'b'); /* never reached it */
    story_hello(&story, W1);
    story_credit(&story, W1, 1);
    story_complete(&story, W1, "ac", OUTCOME_DONE);
    story_expect(&story, "[    0] w1 closed\n"
                         "[  400] w1 resumed\n"
                         "[  400] > w1 welcome\n"
                         "[  400] returned b/0 w1\n"
                         "[  400] leased b/1 w1\n"
                         "[  400] > w1 work b/1\n"
                         "[  400] ended a/1 w1 done\n"
                         "[  400] ended c/1 w1 done\n"
                         "[  400] > p1 result a/1 done, c/1 done\n"
                         "[  400] > w1 receipt 2\n");
    story_pass(&story, 3000); /* the grace that began at the close is over and done with */
    story_expect(&story, "");
    story_end(&story);
}

static void an_unclaimed_lease_is_void_though_its_attempt_was_not_used(void **state)
{
    (void)state;
    struct story story;
    start_with_leases(&story, "A");
    struct story_lease unclaimed = story.peers[W1].held[0];
    story_forget(&story, W1, 'A');
    story_hello(&story, W1);
    story.peers[W1].held[story.peers[W1].held_count++] = unclaimed;
    story_clear(&story);
    story_complete(&story, W1, "A", OUTCOME_DONE);
    story_credit(&story, W1, 1);
    story_expect(&story, "[    0] stale A/1 w1\n"
                         "[    0] > w1 receipt 1\n"
                         "[    0] leased A/1 w1\n"
                         "[    0] > w1 work A/1\n");
    story_end(&story);
}

static void what_was_returned_goes_to_another_worker_at_once(void **state)
{
    (void)state;
    struct story story;
    start_with_leases(&story, "A");
    story_hello(&story, W2);
    story_credit(&story, W2, 1);
    story_forget(&story, W1, 'A');
    story_clear(&story);
    story_hello(&story, W1);
    story_expect(&story, "[    0] w1 closed\n"
                         "[    0] w1 resumed\n"
                         "[    0] > w1 welcome\n"
                         "[    0] returned A/0 w1\n"
                         "[    0] leased A/1 w2\n"
                         "[    0] > w2 work A/1\n");
    story_end(&story);
}

static void a_worker_back_too_late_resumes_what_is_in_line_and_drops_the_rest(void **state)
{
    (void)state;
    struct story story;
    start_with_leases(&story, "abcd");
    story_close(&story, W1);
    story_pass(&story, 500);
    story_hello(&story, W2);
    story_credit(&story, W2, 2);
    story_complete(&story, W2, "b", OUTCOME_DONE); /* a leased to W2, b ended, c and d in line */
    story_clear(&story);
    story_hello(&story, W1);
    story_expect(&story, "[  500] stale a/1 w1\n"
                         "[  500] stale b/1 w1\n"
                         "[  500] leased c/1 w1\n"
                         "[  500] leased d/1 w1\n"
                         "[  500] w1 opened\n"
                         "[  500] > w1 welcome but a/1 b/1\n");
    story_complete(&story, W1, "cd", OUTCOME_DONE);
    story_complete(&story, W2, "a", OUTCOME_DONE);
    assert_int_equal(story_totals(&story).done, 4);
    assert_int_equal(story_totals(&story).stale, 2);
    story_end(&story);
}

static void a_lease_that_another_worker_holds_cannot_be_claimed(void **state)
{
    (void)state;
    struct story story;
    start_with_leases(&story, "A");
    story.peers[W2].held[0] = story.peers[W1].held[0];
    story.peers[W2].held_count = 1;
    story_hello(&story, W2);
    story_expect(&story, "[    0] w2 opened\n"
                         "[    0] > w2 welcome\n");
    assert_int_equal(story.ventilator->peers.peers[1].leases.count, 1);
    story_end(&story);
}

static void a_lease_that_is_just_taken_back_cannot_be_claimed_by_another(void **state)
{
    (void)state;
    struct story story;
    start_with_leases(&story, "AB");
    story.peers[W2].held[0] = story.peers[W1].held[0];
    story.peers[W2].held_count = 1;
    story.peers[W1].held_count = 0;
    story_greet(&story, W1); /* no turn since */
    story_hello(&story, W2);
    story_expect(&story, "[    0] w1 closed\n"
                         "[    0] w1 resumed\n"
                         "[    0] > w1 welcome\n"
                         "[    0] w2 opened\n"
                         "[    0] > w2 welcome\n"
                         "[    0] returned B/0 w1\n"
                         "[    0] returned A/0 w1\n");
    story_end(&story);
}

static void a_claim_that_is_said_twice_counts_once(void **state)
{
    (void)state;
    struct story story;
    start_with_leases(&story, "AB");
    story.peers[W1].held[2] = story.peers[W1].held[0];
    story.peers[W1].held_count = 3;
    story_hello(&story, W1);
    assert_int_equal(story_totals(&story).leased, 2);
    story_close(&story, W1);
    story_pass(&story, 500);
    story_hello(&story, W1);
    assert_int_equal(story_totals(&story).leased, 2);
    assert_int_equal(story.ventilator->peers.peers[1].leases.count, 2);
    story_end(&story);
}

static void a_worker_that_says_bye_gives_its_tasks_back_and_is_not_blamed(void **state)
{
    (void)state;
    struct ventilator_options options = story_options();
    options.losses_max = 1;
    struct story story;
    story_start_with(&story, &options);
    story_hello(&story, P1);
    story_hello(&story, W1);
    story_credit(&story, W1, 2);
    story_submit(&story, P1, "AB");
    story_clear(&story);
    story_bye(&story, W1);
    story_expect(&story, "[    0] w1 left\n"
                         "[    0] requeued B/1 w1\n"
                         "[    0] requeued A/1 w1\n");
    story_hello(&story, W2);
    story_credit(&story, W2, 2);
    story_close(&story, W2);
    story_clear(&story);
    story_pass(&story, 500); /* this one is */
    story_expect(&story, "[  500] w2 lost\n"
                         "[  500] ended B/2 w2 dead losses\n"
                         "[  500] ended A/2 w2 dead losses\n");
    story_end(&story);
}

static void a_task_that_lost_too_many_workers_is_dead(void **state)
{
    (void)state;
    struct ventilator_options options = story_options();
    options.losses_max = 3;
    struct story story;
    story_start_with(&story, &options);
    story_hello(&story, P1);
    story_submit(&story, P1, "a");
    for (uint32_t worker = W1; worker <= W3; worker++) {
        story_hello(&story, worker);
        story_credit(&story, worker, 1);
        story_close(&story, worker);
        story_clear(&story);
        story_pass(&story, 500);
    }
    story_expect(&story, "[ 1500] w3 lost\n"
                         "[ 1500] ended a/3 w3 dead losses\n"
                         "[ 1500] > p1 result a/3 dead losses\n");
    assert_int_equal(story_totals(&story).dead, 1);
    assert_int_equal(story_totals(&story).requeued, 2);
    story_end(&story);
}

static void our_own_late_turn_blames_nobody(void **state)
{
    (void)state;
    struct story story;
    start_with_leases(&story, "A");
    story_hello(&story, W2);
    story_silence(&story, W2);
    story_pass(&story, 3000); /* suspect already */
    story_clear(&story);
    story_stall(&story, 10000);
    story_turn(&story);
    story_expect(&story, "");
    story_pass(&story, 3999);
    story_expect(&story, "");
    story_pass(&story, 1); /* from then on silence counts again */
    story_expect(&story, "[17000] w2 lost\n"
                         "[17000] > w2 who\n");
    assert_int_equal(story_totals(&story).leased, 1);
    story_end(&story);
}

static void our_own_late_turn_prolongs_the_grace_of_a_closed_connection(void **state)
{
    (void)state;
    struct story story;
    start_with_leases(&story, "A");
    story_close(&story, W1);
    story_stall(&story, 10000); /* its HELLO may be anywhere in what has piled up */
    story_turn(&story);
    story_pass(&story, 499);
    story_expect(&story, "[    0] w1 closed\n");
    story_pass(&story, 1);
    story_expect(&story, "[10500] w1 lost\n"
                         "[10500] requeued A/1 w1\n");
    story_end(&story);
}

static void a_worker_that_never_got_its_work_is_asked_to_say_what_it_holds(void **state)
{
    (void)state;
    struct story story;
    start_with_leases(&story, "AB");
    story.peers[W1].next++; /* a message of the worker is lost */
    story_tell(&story, W1, (struct message){.kind = MESSAGE_HEARTBEAT});
    story_forget(&story, W1, 'B');
    story_hello(&story, W1);
    story_expect(&story, "[    0] w1 reset\n"
                         "[    0] > w1 who\n"
                         "[    0] w1 resumed\n"
                         "[    0] > w1 welcome\n"
                         "[    0] returned B/0 w1\n");
    story_end(&story);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_closed_connection_gives_half_a_second_of_grace),
        cmocka_unit_test(what_a_lost_worker_held_goes_to_another_at_once),
        cmocka_unit_test(a_silent_worker_is_suspect_after_two_seconds_and_lost_after_four),
        cmocka_unit_test(a_suspect_that_speaks_again_gets_work_again),
        cmocka_unit_test(a_late_completion_is_welcome_while_the_task_waits),
        cmocka_unit_test(a_late_completion_is_refused_and_counted_once_the_task_is_leased_again),
        cmocka_unit_test(a_late_failure_of_a_task_in_line_changes_nothing),
        cmocka_unit_test(a_lease_with_a_wrong_token_or_attempt_completes_nothing),
        cmocka_unit_test(a_worker_back_within_its_grace_keeps_its_leases),
        cmocka_unit_test(an_unclaimed_lease_is_void_though_its_attempt_was_not_used),
        cmocka_unit_test(what_was_returned_goes_to_another_worker_at_once),
        cmocka_unit_test(a_worker_back_too_late_resumes_what_is_in_line_and_drops_the_rest),
        cmocka_unit_test(a_lease_that_another_worker_holds_cannot_be_claimed),
        cmocka_unit_test(a_lease_that_is_just_taken_back_cannot_be_claimed_by_another),
        cmocka_unit_test(a_claim_that_is_said_twice_counts_once),
        cmocka_unit_test(a_worker_that_says_bye_gives_its_tasks_back_and_is_not_blamed),
        cmocka_unit_test(a_task_that_lost_too_many_workers_is_dead),
        cmocka_unit_test(our_own_late_turn_blames_nobody),
        cmocka_unit_test(our_own_late_turn_prolongs_the_grace_of_a_closed_connection),
        cmocka_unit_test(a_worker_that_never_got_its_work_is_asked_to_say_what_it_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
