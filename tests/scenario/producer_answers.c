/* producer_answers.c - stories of what one ventilator says of tasks, or does not.
 *
 * Owns: ACCEPT, its rejections, its absence, RESULT and RECEIPT.
 * Not here: how batches are made (producer_delivery.c) and sessions that end
 * (producer_sessions.c).
 */
#include "producer_story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void a_rejected_task_is_told_and_the_others_are_accepted(void **state)
{
    (void)state;
    struct producer_story story;
    producer_story_start_links(&story, 1);
    producer_story_submit(&story, "abc");
    producer_story_turn(&story);
    producer_story_reject(&story, 0, 1, (struct rejection){.item = 1, .reason = REASON_TOO_BIG});
    producer_story_turn(&story);
    producer_story_expect(&story, "[ 0.0] 0 submit 1 front: abc\n"
                                  "[ 0.0] 0 accepted a\n"
                                  "[ 0.0] 0 rejected b too big\n"
                                  "[ 0.0] 0 accepted c\n");
    producer_story_expect_counts(&story, "open 1 outbox 0 awaited 2 accepted 2 rejected 1 ended 0 "
                                         "unknown 0 resent 0");
    producer_story_end(&story);
}

static void a_busy_ventilator_is_left_alone_for_a_while_and_order_is_kept(void **state)
{
    (void)state;
    struct producer_story story;
    producer_story_start_links(&story, 1);
    producer_story_submit(&story, "abcd");
    producer_story_turn(&story);
    producer_story_submit(&story, "e");
    struct rejection rejections[] = {{.item = 3, .reason = REASON_BUSY},
                                     {.item = 1, .reason = REASON_BUSY}};
    producer_story_say(
        &story, 0,
        (struct message){.kind = MESSAGE_ACCEPT,
                         .u.accept = {.batch = 1, .rejections = rejections, .count = 2}});
    producer_story_turn(&story);
    producer_story_expect(&story, "[ 0.0] 0 submit 1 front: abcd\n"
                                  "[ 0.0] 0 accepted a\n"
                                  "[ 0.0] 0 accepted c\n");
    uint64_t due_ns = producer_deadline(story.producer);
    assert_true(due_ns >= story.now_ns + 100 * MILLISECOND);
    assert_true(due_ns <= story.now_ns + 1000 * MILLISECOND);
    producer_story_pass(&story, 99);
    producer_story_expect(&story, "");
    story.now_ns = due_ns;
    producer_story_turn(&story);
    assert_int_equal(story.out->count, 1);
    assert_int_equal(story.out->actions[0].message.u.submit.count, 3);
    assert_int_equal(story.out->submissions[0].id.octets[15], 'b');
    assert_int_equal(story.out->submissions[1].id.octets[15], 'd');
    assert_int_equal(story.out->submissions[2].id.octets[15], 'e');
    producer_story_end(&story);
}

static uint64_t pause_after_busy(struct producer_story *story, uint64_t batch)
{
    producer_story_reject(story, 0, batch, (struct rejection){.item = 0, .reason = REASON_BUSY});
    return producer_deadline(story->producer) - story->now_ns;
}

static void busy_answers_to_what_was_on_its_way_make_the_pause_no_longer(void **state)
{
    (void)state;
    struct producer_story story;
    producer_story_start_links(&story, 1);
    for (const char *letter = "abcd"; *letter != '\0'; letter++) {
        producer_story_submit(&story, (char[]){*letter, '\0'});
        producer_story_turn(&story);
    }
    uint64_t pause_ns = pause_after_busy(&story, 1);
    for (uint64_t batch = 2; batch <= 4; batch++) {
        assert_int_equal(pause_after_busy(&story, batch), pause_ns);
    }
    producer_story_end(&story);
}

static void pauses_grow_while_busy_goes_on_and_begin_short_again_after_it(void **state)
{
    (void)state;
    struct producer_story story;
    producer_story_start_links(&story, 1);
    producer_story_submit(&story, "a");
    producer_story_turn(&story);
    uint64_t longest_ns = 0;
    uint64_t batch = 1;
    for (; batch <= 12; batch++) {
        uint64_t pause_ns = pause_after_busy(&story, batch);
        if (pause_ns > longest_ns) longest_ns = pause_ns;
        producer_story_pass(&story, pause_ns / MILLISECOND + 1);
    }
    assert_true(longest_ns > 500 * MILLISECOND && longest_ns <= 1000 * MILLISECOND);
    producer_story_accept(&story, 0, batch);
    producer_story_submit(&story, "b");
    producer_story_turn(&story);
    for (uint32_t n = 0; n < 12; n++) {
        batch++;
        uint64_t pause_ns = pause_after_busy(&story, batch++);
        assert_true(pause_ns <= 200 * MILLISECOND);
        producer_story_pass(&story, 200);
        producer_story_accept(&story, 0, batch);
        producer_story_submit(&story, "B");
        producer_story_turn(&story);
    }
    producer_story_end(&story);
}

/* A ventilator may leave ACCEPT out when RESULT says as much. */
static void a_result_without_accept_ends_a_batch_and_the_pauses(void **state)
{
    (void)state;
    struct producer_story story;
    struct producer_counts counts;
    producer_story_start_links(&story, 1);
    producer_story_submit(&story, "a");
    producer_story_turn(&story);
    uint64_t pause_ns = pause_after_busy(&story, 1);
    producer_story_pass(&story, pause_ns / MILLISECOND + 1); /* it goes out once more */
    producer_counts(story.producer, &counts);
    assert_int_equal(counts.links_busy, 1);
    producer_story_result(&story, 0, "a");
    producer_counts(story.producer, &counts);
    assert_int_equal(counts.links_busy, 0);
    assert_int_equal(counts.outbox + counts.awaited, 0);
    assert_int_equal(counts.accepted, 1);
    assert_int_equal(counts.ended, 1);
    producer_story_end(&story);
}

static void a_draining_ventilator_gets_nothing_until_its_next_session(void **state)
{
    (void)state;
    struct producer_story story;
    producer_story_start_links(&story, 1);
    producer_story_submit(&story, "a");
    producer_story_turn(&story);
    producer_story_reject(&story, 0, 1, (struct rejection){.item = 0, .reason = REASON_DRAINING});
    producer_story_pass(&story, 60 * 1000);
    producer_story_expect(&story, "[ 0.0] 0 submit 1 front: a\n");
    producer_story_on(&story, PRODUCER_CLOSED, 0);
    producer_story_pass(&story, 1000);
    producer_story_open(&story, 0, 'V');
    producer_story_turn(&story);
    producer_story_expect(&story, "[60.0] 0 shut\n"
                                  "[60.0] 0 lost\n"
                                  "[60.1] 0 open\n"
                                  "[61.0] 0 hello\n"
                                  "[61.0] 0 opened\n"
                                  "[61.0] 0 intake\n"
                                  "[61.0] 0 submit 1 front: a\n");
    producer_story_end(&story);
}

static void a_batch_without_answer_goes_again_by_the_front_before_newer_ones(void **state)
{
    (void)state;
    struct producer_story story;
    producer_story_start_links(&story, 1);
    producer_story_on(&story, PRODUCER_INTAKE_UP, 0);
    producer_story_submit(&story, "ab");
    producer_story_turn(&story);
    producer_story_pass(&story, 1000);
    producer_story_submit(&story, "c");
    producer_story_turn(&story);
    producer_story_pass(&story, 3999);
    producer_story_submit(&story, "d");
    story.now_ns += MILLISECOND;
    producer_story_turn(&story);
    producer_story_accept(&story, 0, 3);
    producer_story_expect(&story, "[ 0.0] 0 submit 1 intake: ab\n"
                                  "[ 1.0] 0 submit 2 intake: c\n"
                                  "[ 5.0] 0 submit 3 front: ab\n"
                                  "[ 5.0] 0 submit 4 intake: d\n"
                                  "[ 5.0] 0 accepted a\n"
                                  "[ 5.0] 0 accepted b\n");
    producer_story_expect_counts(&story, "open 1 outbox 2 awaited 2 accepted 2 rejected 0 ended 0 "
                                         "unknown 0 resent 2");
    producer_story_end(&story);
}

static void a_late_accept_settles_the_batch_that_was_sent_again(void **state)
{
    (void)state;
    struct producer_story story;
    producer_story_start_links(&story, 1);
    producer_story_submit(&story, "ab");
    producer_story_turn(&story);
    producer_story_pass(&story, 5000);
    producer_story_reject(&story, 0, 1, (struct rejection){.item = 1, .reason = REASON_BAD_NAME});
    producer_story_accept(&story, 0, 2); /* of what is settled already */
    producer_story_pass(&story, 20000);
    producer_story_expect(&story, "[ 0.0] 0 submit 1 front: ab\n"
                                  "[ 5.0] 0 submit 2 front: ab\n"
                                  "[ 5.0] 0 accepted a\n"
                                  "[ 5.0] 0 rejected b bad name\n");
    producer_story_end(&story);
}

static void a_repeated_accept_does_not_touch_the_batch_that_came_after(void **state)
{
    (void)state;
    struct producer_story story;
    producer_story_start_links(&story, 1);
    producer_story_submit(&story, "a");
    producer_story_turn(&story);
    producer_story_accept(&story, 0, 1);
    producer_story_submit(&story, "b");
    producer_story_turn(&story);
    producer_story_accept(&story, 0, 1);
    producer_story_expect(&story, "[ 0.0] 0 submit 1 front: a\n"
                                  "[ 0.0] 0 accepted a\n"
                                  "[ 0.0] 0 submit 2 front: b\n");
    producer_story_end(&story);
}

static void a_late_accept_of_a_batch_that_changed_since_is_passed_over(void **state)
{
    (void)state;
    struct producer_story story;
    producer_story_start_links(&story, 1);
    producer_story_submit(&story, "abc");
    producer_story_turn(&story);
    producer_story_result(&story, 0, "a");
    producer_story_pass(&story, 5000);
    producer_story_reject(&story, 0, 1, (struct rejection){.item = 1, .reason = REASON_BAD_NAME});
    producer_story_accept(&story, 0, 2);
    producer_story_expect(&story, "[ 0.0] 0 submit 1 front: abc\n"
                                  "[ 0.0] 0 accepted a\n"
                                  "[ 0.0] 0 ended a\n"
                                  "[ 0.0] 0 receipt through 1\n"
                                  "[ 5.0] 0 submit 2 front: bc\n"
                                  "[ 5.0] 0 accepted b\n"
                                  "[ 5.0] 0 accepted c\n");
    producer_story_end(&story);
}

static void a_result_before_its_accept_implies_it(void **state)
{
    (void)state;
    struct producer_story story;
    producer_story_start_links(&story, 1);
    producer_story_submit(&story, "aBc");
    producer_story_turn(&story);
    producer_story_result(&story, 0, "aBx"); /* x was never ours, B's result not wanted */
    producer_story_reject(&story, 0, 1, (struct rejection){.item = 2, .reason = REASON_TOO_BIG});
    producer_story_expect(&story, "[ 0.0] 0 submit 1 front: aBc\n"
                                  "[ 0.0] 0 accepted a\n"
                                  "[ 0.0] 0 ended a\n"
                                  "[ 0.0] 0 accepted B\n"
                                  "[ 0.0] 0 rejected c too big\n");
    producer_story_end(&story);
}

static void results_that_take_a_whole_batch_open_its_window(void **state)
{
    (void)state;
    struct producer_story story;
    struct producer_options options = producer_story_options();
    options.batches_max = 1;
    producer_story_start_open(&story, &options);
    producer_story_submit(&story, "a");
    producer_story_turn(&story);
    producer_story_submit(&story, "b");
    producer_story_turn(&story);
    producer_story_result(&story, 0, "a");
    producer_story_turn(&story);
    producer_story_accept(&story, 0, 1); /* late: all of it ended */
    producer_story_accept(&story, 0, 2);
    producer_story_expect(&story, "[ 0.0] 0 submit 1 front: a\n"
                                  "[ 0.0] 0 accepted a\n"
                                  "[ 0.0] 0 ended a\n"
                                  "[ 0.0] 0 receipt through 1\n"
                                  "[ 0.0] 0 submit 2 front: b\n"
                                  "[ 0.0] 0 accepted b\n");
    producer_story_end(&story);
}

static void answers_about_nothing_change_nothing(void **state)
{
    (void)state;
    struct producer_story story;
    producer_story_start_links(&story, 1);
    producer_story_accept(&story, 0, 0);
    producer_story_accept(&story, 0, 1);
    producer_story_submit(&story, "a");
    producer_story_turn(&story);
    producer_story_accept(&story, 0, 0);
    producer_story_accept(&story, 0, 2);
    producer_story_accept(&story, 0, 257);
    producer_story_accept(&story, 0, UINT64_MAX);
    struct result running = {.id = producer_story_id('a'), .state = TASK_LEASED};
    producer_story_say(
        &story, 0,
        (struct message){.kind = MESSAGE_RESULT, .u.result = {.items = &running, .count = 1}});
    producer_story_expect(&story, "[ 0.0] 0 submit 1 front: a\n");
    producer_story_reject(&story, 0, 1,
                          (struct rejection){.item = UINT32_MAX, .reason = REASON_BUSY});
    producer_story_expect(&story, "[ 0.0] 0 accepted a\n");
    producer_story_end(&story);
}

static void one_receipt_answers_all_results_of_a_turn(void **state)
{
    (void)state;
    struct producer_story story;
    producer_story_start_links(&story, 1);
    producer_story_submit(&story, "abc");
    producer_story_turn(&story);
    producer_story_accept(&story, 0, 1);
    producer_story_result(&story, 0, "a");
    producer_story_result(&story, 0, "b");
    assert_true(producer_deadline(story.producer) <= story.now_ns);
    producer_story_turn(&story);
    producer_story_result(&story, 0, "b"); /* again: receipted, told no more */
    producer_story_turn(&story);
    producer_story_turn(&story);
    producer_story_expect(&story, "[ 0.0] 0 submit 1 front: abc\n"
                                  "[ 0.0] 0 accepted a\n"
                                  "[ 0.0] 0 accepted b\n"
                                  "[ 0.0] 0 accepted c\n"
                                  "[ 0.0] 0 ended a\n"
                                  "[ 0.0] 0 ended b\n"
                                  "[ 0.0] 0 receipt through 3\n"
                                  "[ 0.0] 0 receipt through 4\n");
    producer_story_end(&story);
}

/* A task that comes alone costs its ventilator no message but SUBMIT. */
static void a_receipt_waits_for_others_but_not_for_long(void **state)
{
    (void)state;
    struct producer_story story;
    struct producer_options options = producer_story_options();
    options.receipt_ns = producer_defaults().receipt_ns;
    options.tasks_max = 64;
    producer_story_start_open(&story, &options);
    for (const char *letter = "ab"; *letter != '\0'; letter++) {
        const char alone[] = {*letter, '\0'};
        producer_story_submit(&story, alone);
        producer_story_turn(&story);
        producer_story_result(&story, 0, alone);
        producer_story_turn(&story);
    }
    producer_story_expect(&story, "[ 0.0] 0 submit 1 front: a\n"
                                  "[ 0.0] 0 accepted a\n"
                                  "[ 0.0] 0 ended a\n"
                                  "[ 0.0] 0 submit 2 front: b\n"
                                  "[ 0.0] 0 accepted b\n"
                                  "[ 0.0] 0 ended b\n");
    producer_story_pass(&story, 9);
    producer_story_expect(&story, "");
    producer_story_pass(&story, 1);
    producer_story_expect(&story, "[ 0.0] 0 receipt through 2\n");
    producer_story_submit(&story, "ABCDEFabcdefghijklmnopqrstuvwxyz");
    producer_story_turn(&story);
    producer_story_result(&story, 0, "ABCDEFabcdefghi");
    producer_story_result(&story, 0, "jklmnopqrstuvwx");
    producer_story_result(&story, 0, "y");
    producer_story_turn(&story);
    story.trace[story.used = 0] = '\0';
    producer_story_result(&story, 0, "z");
    producer_story_turn(&story);
    producer_story_expect(&story, "[ 0.0] 0 accepted z\n"
                                  "[ 0.0] 0 ended z\n"
                                  "[ 0.0] 0 receipt through 6\n");
    producer_story_submit(&story, "g");
    producer_story_turn(&story);
    producer_story_result(&story, 0, "g");
    story.trace[story.used = 0] = '\0';
    producer_story_on(&story, PRODUCER_STOP, 0);
    producer_story_expect(&story, "[ 0.0] 0 receipt through 7\n"
                                  "[ 0.0] 0 bye\n");
    producer_story_end(&story);
}

static void a_crowded_application_puts_receipts_off(void **state)
{
    (void)state;
    struct producer_story story;
    producer_story_start_links(&story, 1);
    producer_story_submit(&story, "ab");
    producer_story_turn(&story);
    producer_story_accept(&story, 0, 1);
    producer_story_result(&story, 0, "a");
    struct producer_event crowded = {.kind = PRODUCER_TURN, .crowded = true};
    producer_story_step(&story, crowded);
    assert_true(producer_deadline(story.producer) > story.now_ns);
    producer_story_result(&story, 0, "b");
    producer_story_step(&story, crowded);
    producer_story_expect(&story, "[ 0.0] 0 submit 1 front: ab\n"
                                  "[ 0.0] 0 accepted a\n"
                                  "[ 0.0] 0 accepted b\n"
                                  "[ 0.0] 0 ended a\n"
                                  "[ 0.0] 0 ended b\n");
    producer_story_turn(&story);
    producer_story_expect(&story, "[ 0.0] 0 receipt through 3\n");
    producer_story_end(&story);
}

static void patience_counts_from_the_submission_through_every_repetition(void **state)
{
    (void)state;
    struct producer_story story;
    struct producer_options options = producer_story_options();
    options.unknown_ns = 12 * SECOND;
    producer_story_start_open(&story, &options);
    producer_story_submit(&story, "ab");
    producer_story_turn(&story);
    producer_story_pass(&story, 4000);
    producer_story_submit(&story, "c");
    producer_story_turn(&story);
    producer_story_accept(&story, 0, 2); /* c is safe, and so is its result */
    producer_story_pass(&story, 30000);
    producer_story_accept(&story, 0, 1);
    producer_story_expect(&story, "[ 0.0] 0 submit 1 front: ab\n"
                                  "[ 4.0] 0 submit 2 front: c\n"
                                  "[ 4.0] 0 accepted c\n"
                                  "[ 5.0] 0 submit 3 front: ab\n"
                                  "[10.0] 0 submit 4 front: ab\n"
                                  "[12.0] 0 unknown a\n"
                                  "[12.0] 0 unknown b\n");
    producer_story_expect_counts(&story, "open 1 outbox 0 awaited 1 accepted 1 rejected 0 ended 0 "
                                         "unknown 2 resent 4");
    producer_story_end(&story);
}

static void progress_is_told_of_tasks_that_have_not_ended(void **state)
{
    (void)state;
    struct producer_story story;
    struct producer_options options = producer_story_options();
    producer_story_start_open(&story, &options);
    producer_story_submit(&story, "ab");
    producer_story_turn(&story);
    producer_story_accept(&story, 0, 1);
    producer_story_result(&story, 0, "b");
    story.used = 0;
    const struct progress items[] = {
        {.lease = {producer_story_id('a'), 2, 0}, .number = 42, .text = bytes_text("half")},
        {.lease = {producer_story_id('b'), 1, 0}, .number = 1, .text = bytes_text("too late")},
        {.lease = {producer_story_id('c'), 1, 0}, .number = 1, .text = bytes_text("whose?")},
    };
    producer_story_say(
        &story, 0,
        (struct message){.kind = MESSAGE_PROGRESS, .u.progress = {.items = items, .count = 3}});
    producer_story_expect(&story, "[ 0.0] 0 progress a 42 of attempt 2: half\n");
    producer_story_end(&story);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rejected_task_is_told_and_the_others_are_accepted),
        cmocka_unit_test(a_busy_ventilator_is_left_alone_for_a_while_and_order_is_kept),
        cmocka_unit_test(busy_answers_to_what_was_on_its_way_make_the_pause_no_longer),
        cmocka_unit_test(a_result_without_accept_ends_a_batch_and_the_pauses),
        cmocka_unit_test(pauses_grow_while_busy_goes_on_and_begin_short_again_after_it),
        cmocka_unit_test(a_draining_ventilator_gets_nothing_until_its_next_session),
        cmocka_unit_test(a_batch_without_answer_goes_again_by_the_front_before_newer_ones),
        cmocka_unit_test(a_late_accept_settles_the_batch_that_was_sent_again),
        cmocka_unit_test(a_repeated_accept_does_not_touch_the_batch_that_came_after),
        cmocka_unit_test(a_late_accept_of_a_batch_that_changed_since_is_passed_over),
        cmocka_unit_test(a_result_before_its_accept_implies_it),
        cmocka_unit_test(results_that_take_a_whole_batch_open_its_window),
        cmocka_unit_test(answers_about_nothing_change_nothing),
        cmocka_unit_test(one_receipt_answers_all_results_of_a_turn),
        cmocka_unit_test(a_receipt_waits_for_others_but_not_for_long),
        cmocka_unit_test(a_crowded_application_puts_receipts_off),
        cmocka_unit_test(patience_counts_from_the_submission_through_every_repetition),
        cmocka_unit_test(progress_is_told_of_tasks_that_have_not_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
