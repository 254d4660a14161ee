/* ventilator_results.c - results on their way to producers, and ids after the end. */
#include "ventilator_story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

static void begin(struct story *story)
{
    struct ventilator_options options = story_options();
    story_start_served(story, &options, 100000);
}

static void run(struct story *story, const char *letters)
{
    story_submit(story, P1, letters);
    story_complete(story, W1, letters, OUTCOME_DONE);
}

static void results_not_receipted_are_sent_again_in_order_in_the_next_session(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    run(&story, "ab");
    run(&story, "c");
    story_close(&story, P1);
    run(&story, "");
    story_clear(&story);
    story_pass(&story, 400);
    story_hello(&story, P1);
    story_expect(&story, "[  400] p1 resumed\n"
                         "[  400] > p1 welcome\n"
                         "[  400] > p1 result a/1 done, b/1 done, c/1 done\n");
    story_receipt(&story, P1);
    story_hello(&story, P1);
    story_expect(&story, "[  400] p1 closed\n"
                         "[  400] p1 resumed\n"
                         "[  400] > p1 welcome\n");
    story_end(&story);
}

/* It would wait for ever for what it believes to be known. */
static void a_producer_is_a_stranger_until_it_has_read_so(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story_submit(&story, P1, "a");
    story_close(&story, P1);
    story_pass(&story, story.ventilator->options.absent_ns_max / MILLISECOND + 1000);
    for (uint32_t lost = 0; lost < 2; lost++) {
        story_greet(&story, P1);
        assert_false(story.out->sends[0].message.u.welcome.known);
        story_close(&story, P1); /* and the WELCOME was still on its way */
    }
    story_greet(&story, P1);
    story_submit(&story, P1, "b");
    story_close(&story, P1);
    story_greet(&story, P1);
    assert_true(story.out->sends[0].message.u.welcome.known);
    story_end(&story);
}

static void a_payload_is_dropped_as_soon_as_its_task_is_done(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    char large[4096] = {0};
    uint64_t before = story_totals(&story).store_bytes;
    story.task.payload = bytes_of(large, sizeof large);
    run(&story, "a"); /* its result, which is empty, is not receipted */
    assert_int_equal(ventilator_open_count(story.ventilator), 1);
    assert_int_equal(story_totals(&story).store_bytes, before);
    story_end(&story);
}

static void a_receipt_covers_what_came_before_it_and_nothing_after(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    run(&story, "a");
    uint32_t heard = story.peers[P1].heard;
    run(&story, "b");
    struct message receipt = {.kind = MESSAGE_RECEIPT, .u.receipt = {.through = heard}};
    story_say(&story, P1, receipt);
    assert_int_equal(ventilator_open_count(story.ventilator), 1);
    story_say(&story, P1, receipt); /* again: nothing more */
    receipt.u.receipt.through = 0;
    story_say(&story, P1, receipt);
    assert_int_equal(ventilator_open_count(story.ventilator), 1);
    story_receipt(&story, P1);
    assert_int_equal(ventilator_open_count(story.ventilator), 0);
    story_end(&story);
}

static void results_wait_for_a_producer_that_is_away_for_a_while(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story_submit(&story, P1, "ab");
    story_complete(&story, W1, "a", OUTCOME_DONE);
    story_close(&story, P1);
    story_clear(&story);
    story_pass(&story, 5000);
    story_complete(&story, W1, "b", OUTCOME_DONE);
    story_pass(&story, 595499);
    story_expect(&story, "[  500] p1 lost\n"
                         "[ 5000] ended b/1 w1 done\n"
                         "[ 5000] > w1 receipt 8\n");
    story_hello(&story, P1);
    story_expect(&story, "[600499] p1 resumed\n"
                         "[600499] > p1 welcome\n"
                         "[600499] > p1 result a/1 done, b/1 done\n");
    story_receipt(&story, P1);
    assert_int_equal(ventilator_open_count(story.ventilator), 0);
    story_end(&story);
}

static void results_of_a_producer_away_too_long_are_dropped(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story_submit(&story, P1, "abc");
    story.run.result = bytes_text("to be dropped");
    story_complete(&story, W1, "a", OUTCOME_DONE);
    story_close(&story, P1);
    story_complete(&story, W1, "b", OUTCOME_DONE);
    story_clear(&story);
    story_pass(&story, 600500);
    story_expect(&story, "[  500] p1 lost\n"
                         "[600500] p1 lost\n");
    assert_int_equal(ventilator_open_count(story.ventilator), 1); /* c is still leased */
    story_complete(&story, W1, "c", OUTCOME_DONE);
    assert_int_equal(ventilator_open_count(story.ventilator), 0);
    story_hello(&story, P1);
    assert_null(strstr(story.trace, "result"));
    story_end(&story);
}

static void a_producer_that_says_bye_wants_nothing_any_more(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story_submit(&story, P1, "abc");
    story_complete(&story, W1, "a", OUTCOME_DONE);
    story_clear(&story);
    story_bye(&story, P1);
    story_complete(&story, W1, "bc", OUTCOME_DONE); /* they are run all the same */
    story_expect(&story, "[    0] p1 left\n"
                         "[    0] ended b/1 w1 done\n"
                         "[    0] ended c/1 w1 done\n"
                         "[    0] > w1 receipt 3\n");
    assert_int_equal(ventilator_open_count(story.ventilator), 0);
    story_hello(&story, P1);
    story_expect(&story, "[    0] p1 opened\n"
                         "[    0] > p1 welcome\n");
    story_end(&story);
}

static void results_of_many_bytes_go_out_as_far_as_the_window_and_on_with_receipts(void **state)
{
    (void)state;
    enum { LARGE = 1024 * 1024 };
    struct ventilator_options options = story_options();
    options.store_bytes_max = 64 * LARGE;
    struct story story;
    story_start_served(&story, &options, 100000);
    char *large = calloc(1, LARGE);
    story.run.result = bytes_of(large, LARGE);
    run(&story, "abcdefghijkl");
    const struct peer *producer = &story.ventilator->peers.peers[0];
    assert_int_equal(producer->unreceipted.count, 8);
    assert_int_equal(producer->results.count, 4);
    struct message first = {.kind = MESSAGE_RECEIPT};
    first.u.receipt.through = story.peers[P1].heard - 7; /* one of the eight */
    story_say(&story, P1, first);
    assert_int_equal(producer->unreceipted.count, 8);
    assert_int_equal(producer->results.count, 3);
    story_receipt(&story, P1);
    assert_int_equal(producer->unreceipted.count, 3);
    story_hello(&story, P1); /* the window of a new session is empty */
    story_receipt(&story, P1);
    assert_int_equal(ventilator_open_count(story.ventilator), 0);
    assert_int_equal(producer->unreceipted_bytes, 0);
    free(large);
    story_end(&story);
}

static void start_with_two_producers(struct story *story)
{
    begin(story);
    story_hello(story, P2);
    story_clear(story);
}

static void a_task_submitted_twice_is_accepted_once(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story_submit(&story, P1, "a");
    story_submit(&story, P1, "a");
    story_complete(&story, W1, "a", OUTCOME_DONE);
    story_submit(&story, P1, "a"); /* it may have read the result before it asked */
    story_receipt(&story, P1);
    story_expect(&story, "[    0] accepted a/0\n"
                         "[    0] > p1 accept 1\n"
                         "[    0] leased a/1 w1\n"
                         "[    0] > w1 work a/1\n"
                         "[    0] duplicate a/1\n"
                         "[    0] > p1 accept 2\n"
                         "[    0] ended a/1 w1 done\n"
                         "[    0] > p1 result a/1 done\n"
                         "[    0] > w1 receipt 2\n"
                         "[    0] duplicate a/1\n"
                         "[    0] > p1 accept 3\n"
                         "[    0] > p1 result a/1 done\n");
    assert_int_equal(story_totals(&story).duplicates, 2);
    assert_int_equal(story_totals(&story).submitted, 1);
    story_end(&story);
}

static void the_producer_that_asked_last_gets_the_result(void **state)
{
    (void)state;
    struct story story;
    start_with_two_producers(&story);
    story_submit(&story, P1, "a");
    story_submit(&story, P2, "a");
    story_clear(&story);
    story_complete(&story, W1, "a", OUTCOME_DONE);
    story_expect(&story, "[    0] ended a/1 w1 done\n"
                         "[    0] > p2 result a/1 done\n"
                         "[    0] > w1 receipt 2\n");
    story_submit(&story, P1, "a"); /* kept, and now for the first again */
    story_expect(&story, "[    0] duplicate a/1\n"
                         "[    0] > p1 accept 2\n"
                         "[    0] > p1 result a/1 done\n");
    assert_int_equal(ventilator_open_count(story.ventilator), 1);
    story_receipt(&story, P2); /* has no say in it any more */
    assert_int_equal(ventilator_open_count(story.ventilator), 1);
    story_receipt(&story, P1);
    assert_int_equal(ventilator_open_count(story.ventilator), 0);
    story_end(&story);
}

/* What a process said before it died comes after its successor has asked again.  It may
 * as well live: then it would wait for an end that another is told. */
static void the_producer_that_came_last_keeps_the_result_and_the_other_is_told_so(void **state)
{
    (void)state;
    struct story story;
    start_with_two_producers(&story);
    story_submit(&story, P1, "a");
    story_submit(&story, P2, "a");
    story_clear(&story);
    story_submit(&story, P1, "a");
    story_expect(&story, "[    0] rejected a/0 awaited\n"
                         "[    0] > p1 accept 2 but 0 awaited\n");
    assert_int_equal(story_totals(&story).duplicates, 1);
    story_complete(&story, W1, "a", OUTCOME_DONE);
    story_expect(&story, "[    0] ended a/1 w1 done\n"
                         "[    0] > p2 result a/1 done\n"
                         "[    0] > w1 receipt 2\n");
    story_end(&story);
}

/* Two shells with the same id: the first one would wait for ever. */
static void the_producer_that_a_task_is_taken_from_is_told_so(void **state)
{
    (void)state;
    struct story story;
    start_with_two_producers(&story);
    story_submit(&story, P1, "ab");
    story_clear(&story);
    story_submit(&story, P2, "ab");
    story_expect(&story, "[    0] duplicate a/1 p1\n"
                         "[    0] duplicate b/1 p1\n"
                         "[    0] > p1 result a/1 cancelled awaited, b/1 cancelled awaited\n"
                         "[    0] > p2 accept 1\n");
    story_receipt(&story, P1); /* of no end: nothing is settled by it */
    story_complete(&story, W1, "a", OUTCOME_DONE);
    story_expect(&story, "[    0] ended a/1 w1 done\n"
                         "[    0] > p2 result a/1 done\n"
                         "[    0] > w1 receipt 2\n");
    story_end(&story);
}

static void a_producer_that_is_away_is_not_told_that_its_task_was_taken(void **state)
{
    (void)state;
    struct story story;
    start_with_two_producers(&story);
    story_submit(&story, P1, "a");
    story_close(&story, P1);
    story_clear(&story);
    story_submit(&story, P2, "a");
    story_expect(&story, "[    0] duplicate a/1\n"
                         "[    0] > p2 accept 1\n");
    story_end(&story);
}

static void a_result_moved_to_another_producer_leaves_no_hole_in_the_window(void **state)
{
    (void)state;
    struct story story;
    start_with_two_producers(&story);
    story.run.result = bytes_text("moves");
    run(&story, "a");
    assert_true(story.ventilator->peers.peers[0].unreceipted_bytes > 0);
    story_submit(&story, P2, "a");
    assert_int_equal(story.ventilator->peers.peers[0].unreceipted_bytes, 0);
    story_end(&story);
}

static void a_result_moves_though_its_first_producer_is_just_being_cleared_away(void **state)
{
    (void)state;
    struct story story;
    start_with_two_producers(&story);
    run(&story, "a");
    story_tell(&story, P1, (struct message){.kind = MESSAGE_BYE}); /* no turn since */
    story_silence(&story, P1);
    story_clear(&story);
    story_submit(&story, P2, "a");
    story_expect(&story, "[    0] duplicate a/1\n"
                         "[    0] > p2 accept 1\n"
                         "[    0] > p2 result a/1 done\n");
    story_receipt(&story, P2);
    assert_int_equal(ventilator_open_count(story.ventilator), 0);
    story_end(&story);
}

static void a_repeat_after_the_result_was_dropped_is_told_so(void **state)
{
    (void)state;
    struct story story;
    start_with_two_producers(&story);
    story.run.result = bytes_text("out");
    run(&story, "a");
    story_receipt(&story, P1);
    story_clear(&story);
    story_submit(&story, P2, "a");
    story_receipt(&story, P2);
    story_submit(&story, P2, "a");
    story_expect(&story, "[    0] duplicate a/1\n"
                         "[    0] > p2 accept 1\n"
                         "[    0] > p2 result a/1 done forgotten\n"
                         "[    0] duplicate a/1\n"
                         "[    0] > p2 accept 2\n"
                         "[    0] > p2 result a/1 done forgotten\n");
    story_receipt(&story, P2);
    assert_int_equal(ventilator_open_count(story.ventilator), 0);
    story_end(&story);
}

static void a_repeat_of_a_dead_letter_is_told_why_it_is_dead(void **state)
{
    (void)state;
    struct story story;
    start_with_two_producers(&story);
    story_submit(&story, P1, "A");
    story.run.text = bytes_text("why");
    story_complete(&story, W1, "A", OUTCOME_PERMANENT);
    story_clear(&story);
    struct submission item = {
        .id = story_id('A'), .name = bytes_text("t"), .flags = SUBMISSION_WANTS_RESULT};
    struct message message = {.kind = MESSAGE_SUBMIT};
    message.u.submit = (struct message_submit){.batch = 1, .items = &item, .count = 1};
    story_say(&story, P2, message);
    story_expect(&story, "[    0] duplicate A/1\n"
                         "[    0] > p2 accept 1\n"
                         "[    0] > p2 result A/1 failed permanent \"why\"\n");
    story_receipt(&story, P2);
    assert_int_equal(story_totals(&story).dead_letters, 1);
    story_end(&story);
}

static void an_id_is_remembered_for_a_time_and_then_it_is_a_new_task(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    run(&story, "A");
    story_pass(&story, 599900);
    story_clear(&story);
    story_submit(&story, P1, "A");
    story_pass(&story, 1200); /* forgotten at the next turn, not by itself */
    story_submit(&story, P1, "A");
    story_expect(&story, "[599900] duplicate A/1\n"
                         "[599900] > p1 accept 2\n"
                         "[601100] accepted A/0\n"
                         "[601100] > p1 accept 3\n"
                         "[601100] leased A/1 w1\n"
                         "[601100] > w1 work A/1\n");
    story_end(&story);
}

static void only_so_many_ids_are_remembered_and_the_oldest_goes(void **state)
{
    (void)state;
    struct ventilator_options options = story_options();
    options.ended_max = 2;
    struct story story;
    story_start_served(&story, &options, 100000);
    run(&story, "ABC");
    assert_int_equal(story.ventilator->known.ids.count, 2);
    story_clear(&story);
    story_submit(&story, P1, "CBA");
    story_expect(&story, "[    0] duplicate C/1\n"
                         "[    0] duplicate B/1\n"
                         "[    0] accepted A/0\n"
                         "[    0] > p1 accept 2\n"
                         "[    0] leased A/1 w1\n"
                         "[    0] > w1 work A/1\n");
    story_end(&story);
}

static void records_of_tasks_that_ended_are_used_again(void **state)
{
    (void)state;
    struct story story;
    story_start(&story);
    story_hello(&story, P1);
    story_hello(&story, W1);
    story_credit(&story, W1, 100);
    for (char letter = 'A'; letter <= 'Z'; letter++) {
        const char letters[] = {letter, (char)(letter - 'A' + 'a'), '\0'};
        story_submit(&story, P1, letters);
        story_complete(&story, W1, letters, OUTCOME_DONE);
        story_receipt(&story, P1);
    }
    assert_int_equal(story.ventilator->known.ids.count, 52);
    assert_int_equal(story.ventilator->known.ended.count, 52);
    assert_int_equal(story.ventilator->slots.fresh, 2);
    ventilator_check_tables(story.ventilator, CHECK_SETTLED);
    story_end(&story);
}

static void a_record_in_use_again_outlives_the_memory_of_its_id(void **state)
{
    (void)state;
    struct ventilator_options options = story_options();
    options.ended_max = 1;
    struct story story;
    story_start_served(&story, &options, 100000);
    run(&story, "a");
    story_receipt(&story, P1);
    story_submit(&story, P1, "a"); /* owed again, as forgotten */
    run(&story, "BC");             /* push its id out of the memory */
    story_receipt(&story, P1);
    assert_int_equal(ventilator_open_count(story.ventilator), 0);
    assert_int_equal(story.ventilator->known.ids.count, 1);
    story_end(&story);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_not_receipted_are_sent_again_in_order_in_the_next_session),
        cmocka_unit_test(a_producer_is_a_stranger_until_it_has_read_so),
        cmocka_unit_test(a_payload_is_dropped_as_soon_as_its_task_is_done),
        cmocka_unit_test(a_receipt_covers_what_came_before_it_and_nothing_after),
        cmocka_unit_test(results_wait_for_a_producer_that_is_away_for_a_while),
        cmocka_unit_test(results_of_a_producer_away_too_long_are_dropped),
        cmocka_unit_test(a_producer_that_says_bye_wants_nothing_any_more),
        cmocka_unit_test(results_of_many_bytes_go_out_as_far_as_the_window_and_on_with_receipts),
        cmocka_unit_test(a_task_submitted_twice_is_accepted_once),
        cmocka_unit_test(the_producer_that_asked_last_gets_the_result),
        cmocka_unit_test(the_producer_that_came_last_keeps_the_result_and_the_other_is_told_so),
        cmocka_unit_test(the_producer_that_a_task_is_taken_from_is_told_so),
        cmocka_unit_test(a_producer_that_is_away_is_not_told_that_its_task_was_taken),
        cmocka_unit_test(a_result_moved_to_another_producer_leaves_no_hole_in_the_window),
        cmocka_unit_test(a_result_moves_though_its_first_producer_is_just_being_cleared_away),
        cmocka_unit_test(a_repeat_after_the_result_was_dropped_is_told_so),
        cmocka_unit_test(a_repeat_of_a_dead_letter_is_told_why_it_is_dead),
        cmocka_unit_test(an_id_is_remembered_for_a_time_and_then_it_is_a_new_task),
        cmocka_unit_test(only_so_many_ids_are_remembered_and_the_oldest_goes),
        cmocka_unit_test(records_of_tasks_that_ended_are_used_again),
        cmocka_unit_test(a_record_in_use_again_outlives_the_memory_of_its_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
