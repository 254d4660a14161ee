/* producer_cancel.c - stories of tasks that the application cancels.
 *
 * Owns: wherever a task is in the producer's hands, that it ends as cancelled, is
 * given to nobody any more, and that whoever may have it is told.
 * Not here: the question to all ventilators (tests/unit/errand.c).
 */
#include "producer_story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

static void forget_trace(struct producer_story *story)
{
    story->used = 0;
    story->trace[0] = '\0';
}

static void start(struct producer_story *story, uint32_t link_count, bool guarded)
{
    struct producer_options options = producer_story_options_for(link_count);
    options.guarded = guarded;
    producer_story_start_open(story, &options);
    for (uint32_t link = 1; link < link_count; link++) {
        producer_story_say(
            story, link,
            (struct message){.kind = MESSAGE_HEARTBEAT, .u.heartbeat = {.backlog = 1000}});
    }
}

/* Tasks that link 0 has accepted, in one batch. */
static void start_accepted(struct producer_story *story, uint32_t link_count, bool guarded,
                           const char *letters)
{
    start(story, link_count, guarded);
    producer_story_submit(story, letters);
    producer_story_turn(story);
    producer_story_accept(story, 0, 1);
    forget_trace(story);
}

static void answer(struct producer_story *story, uint32_t link, enum reason reason)
{
    const struct rejection rejection = {.item = 0, .reason = reason};
    const bool well = reason == REASON_NONE;
    producer_story_say(story, link,
                       (struct message){.kind = MESSAGE_DISPOSED,
                                        .u.disposed = {.disposal = DISPOSAL_CANCEL,
                                                       .affected = well ? 1 : 0,
                                                       .rejections = well ? NULL : &rejection,
                                                       .count = well ? 0 : 1}});
}

static void lose(struct producer_story *story, uint32_t link)
{
    producer_story_on(story, PRODUCER_CLOSED, link);
    producer_story_turn(story);
}

/* Link 0 answers again, as `node`. */
static void come_back(struct producer_story *story, char node)
{
    for (;;) {
        producer_story_on(story, PRODUCER_CONNECTED, 0);
        if (strstr(story->trace, "0 hello\n") != NULL) break;
        producer_story_pass(story, 100);
    }
    producer_story_open(story, 0, node);
    forget_trace(story);
    producer_story_turn(story);
}

static const char nothing_left[] =
    "open 1 outbox 0 awaited 0 accepted 1 rejected 0 ended 1 unknown 0 resent 0";

static void what_nobody_has_ends_at_once(void **state)
{
    (void)state;
    struct producer_story story;
    start(&story, 1, false);
    lose(&story, 0);
    forget_trace(&story);
    producer_story_submit(&story, "aBc");
    assert_int_equal(producer_story_cancel(&story, "aB"), PRODUCER_HOLDS_ALONE);
    producer_story_expect(&story, "[ 0.0] 0 ended a cancelled\n"
                                  "[ 0.0] 0 ended B cancelled\n");
    assert_int_equal(producer_story_cancel(&story, "a"), PRODUCER_HOLDS_NOT);
    come_back(&story, 'V');
    assert_non_null(strstr(story.trace, "0 submit 1 front: c\n"));
    producer_story_end(&story);
}

/* A DISPOSE that is sent now may be there before the batch. */
static void what_is_under_way_is_cancelled_when_it_is_known_to_have_arrived(void **state)
{
    (void)state;
    struct producer_story story;
    struct producer_counts counts;
    start(&story, 1, false);
    producer_story_submit(&story, "aBc");
    producer_story_turn(&story);
    forget_trace(&story);
    assert_int_equal(producer_story_cancel(&story, "aB"), PRODUCER_HOLDS_PERHAPS);
    assert_int_equal(producer_story_cancel(&story, "a"), PRODUCER_HOLDS_PERHAPS); /* once more */
    producer_story_turn(&story);
    producer_story_expect(&story, "");
    producer_counts(story.producer, &counts);
    assert_int_equal(counts.doomed, 2);
    producer_story_accept(&story, 0, 1);
    producer_counts(story.producer, &counts);
    assert_int_equal(counts.doomed, 0);
    producer_story_turn(&story);
    producer_story_expect(&story, "[ 0.0] 0 accepted a\n"
                                  "[ 0.0] 0 accepted B\n"
                                  "[ 0.0] 0 accepted c\n"
                                  "[ 0.0] 0 cancel aB\n");
    answer(&story, 0, REASON_NONE);
    producer_story_turn(&story);
    producer_story_expect(&story, "[ 0.0] 0 ended a cancelled\n"); /* B's end nobody waits for */
    producer_story_expect_counts(&story, "open 1 outbox 0 awaited 1 accepted 3 rejected 0 ended 1 "
                                         "unknown 0 resent 0");
    producer_story_end(&story);
}

/* Whatever the ventilator says of it, and whichever of its messages comes first. */
static void what_was_accepted_ends_as_its_ventilator_says(void **state)
{
    (void)state;
    struct producer_story story;
    start_accepted(&story, 1, false, "a");
    assert_int_equal(producer_story_cancel(&story, "a"), PRODUCER_HOLDS_PERHAPS);
    producer_story_turn(&story);
    producer_story_expect(&story, "[ 0.0] 0 cancel a\n");
    producer_story_result(&story, 0, "a"); /* it was done before it was cancelled */
    answer(&story, 0, REASON_ENDED);
    producer_story_turn(&story);
    producer_story_expect(&story, "[ 0.0] 0 ended a\n"
                                  "[ 0.0] 0 receipt through 2\n");
    producer_story_expect_counts(&story, nothing_left);
    producer_story_end(&story);

    start_accepted(&story, 1, false, "a");
    (void)producer_story_cancel(&story, "a");
    producer_story_turn(&story);
    answer(&story, 0, REASON_ENDED);
    producer_story_turn(&story);
    forget_trace(&story);
    producer_story_result(&story, 0, "a");
    producer_story_expect(&story, "[ 0.0] 0 ended a\n");
    producer_story_end(&story);

    start_accepted(&story, 1, false, "a");
    (void)producer_story_cancel(&story, "a");
    producer_story_turn(&story);
    answer(&story, 0, REASON_NO_TASK);
    forget_trace(&story);
    producer_story_turn(&story);
    producer_story_expect(&story, "[ 0.0] 0 ended a cancelled\n");
    producer_story_expect_counts(&story, nothing_left);
    producer_story_end(&story);
}

/* Its RESULT tells more than the answer: how often it was tried. */
static void a_result_that_comes_with_the_answer_is_the_one_that_is_told(void **state)
{
    (void)state;
    struct producer_story story;
    start_accepted(&story, 1, false, "a");
    (void)producer_story_cancel(&story, "a");
    producer_story_turn(&story);
    answer(&story, 0, REASON_NONE);
    const struct result result = {.id = producer_story_id('a'),
                                  .state = TASK_CANCELLED,
                                  .attempt = 3,
                                  .reason = REASON_CANCELLED};
    forget_trace(&story);
    producer_story_say(
        &story, 0,
        (struct message){.kind = MESSAGE_RESULT, .u.result = {.items = &result, .count = 1}});
    assert_int_equal(story.out->actions[0].result.attempt, 3);
    producer_story_turn(&story);
    producer_story_expect(&story, "[ 0.0] 0 ended a cancelled\n"
                                  "[ 0.0] 0 receipt through 3\n");
    producer_story_expect_counts(&story, nothing_left);
    producer_story_end(&story);
}

static void a_ventilator_that_is_away_is_told_when_it_is_back(void **state)
{
    (void)state;
    struct producer_story story;
    start_accepted(&story, 1, false, "a");
    lose(&story, 0);
    assert_int_equal(producer_story_cancel(&story, "a"), PRODUCER_HOLDS_PERHAPS);
    producer_story_pass(&story, 60000);
    forget_trace(&story);
    come_back(&story, 'V');
    assert_non_null(strstr(story.trace, "0 cancel a\n"));
    lose(&story, 0); /* before it answered */
    come_back(&story, 'V');
    assert_non_null(strstr(story.trace, "0 cancel a\n"));
    answer(&story, 0, REASON_NONE);
    forget_trace(&story);
    producer_story_turn(&story);
    assert_non_null(strstr(story.trace, "0 ended a cancelled\n"));
    producer_story_expect_counts(&story, nothing_left);
    producer_story_end(&story);
}

static void what_its_ventilator_lost_is_cancelled_and_not_unknown(void **state)
{
    (void)state;
    struct producer_story story;
    for (int guarded = 0; guarded < 2; guarded++) {
        start_accepted(&story, 1, guarded != 0, "a");
        lose(&story, 0);
        (void)producer_story_cancel(&story, "a");
        come_back(&story, 'X');
        assert_non_null(strstr(story.trace, "0 ended a cancelled\n"));
        assert_null(strstr(story.trace, "submit"));
        assert_null(strstr(story.trace, "0 cancel"));
        producer_story_expect_counts(&story, nothing_left);
        producer_story_end(&story);
    }
}

static void a_ventilator_that_is_too_busy_is_told_again_in_a_while(void **state)
{
    (void)state;
    struct producer_story story;
    start_accepted(&story, 1, false, "a");
    (void)producer_story_cancel(&story, "a");
    producer_story_turn(&story);
    answer(&story, 0, REASON_BUSY);
    forget_trace(&story);
    producer_story_pass(&story, 99);
    producer_story_expect(&story, "");
    producer_story_pass(&story, 1);
    producer_story_expect(&story, "[ 0.1] 0 cancel a\n");
    answer(&story, 0, REASON_NONE);
    producer_story_turn(&story);
    producer_story_expect(&story, "[ 0.1] 0 ended a cancelled\n");
    producer_story_end(&story);
}

/* It may have the task, but gave up telling us of its end. */
static void a_ventilator_that_forgot_us_is_told_all_the_same(void **state)
{
    (void)state;
    struct producer_story story;
    start_accepted(&story, 1, false, "a");
    lose(&story, 0);
    (void)producer_story_cancel(&story, "a");
    story.links[0].forgetful = true;
    come_back(&story, 'V');
    assert_non_null(strstr(story.trace, "0 ended a cancelled\n"));
    assert_non_null(strstr(story.trace, "0 cancel a\n"));
    producer_story_expect_counts(&story, nothing_left);
    answer(&story, 0, REASON_NO_TASK);
    forget_trace(&story);
    producer_story_turn(&story);
    producer_story_expect(&story, "");
    producer_story_end(&story);
}

static void a_guarded_task_goes_to_nobody_else_once_it_is_cancelled(void **state)
{
    (void)state;
    struct producer_story story;
    start_accepted(&story, 2, true, "a");
    lose(&story, 0);
    producer_story_pass(&story, 5000);
    (void)producer_story_cancel(&story, "a");
    forget_trace(&story);
    producer_story_pass(&story, 5000);
    assert_non_null(strstr(story.trace, "[10.0] 0 ended a cancelled\n"));
    producer_story_pass(&story, 60000);
    assert_null(strstr(story.trace, "submit"));
    forget_trace(&story);
    come_back(&story, 'V'); /* with all that it had */
    assert_non_null(strstr(story.trace, "0 cancel a\n"));
    assert_null(strstr(story.trace, "ended"));
    producer_story_result(&story, 0, "a"); /* it was done long ago, and nobody is told twice */
    answer(&story, 0, REASON_ENDED);
    forget_trace(&story);
    producer_story_turn(&story);
    assert_null(strstr(story.trace, "ended"));
    producer_story_end(&story);
}

/* The ventilator that a batch went to may have it, and be gone before it says so. */
static void what_was_under_way_to_a_lost_ventilator_goes_to_nobody_else(void **state)
{
    (void)state;
    struct producer_story story;
    start(&story, 2, false);
    producer_story_submit(&story, "abc");
    producer_story_turn(&story);
    producer_story_expect(&story, "[ 0.0] 0 submit 1 front: abc\n");
    assert_int_equal(producer_story_cancel(&story, "b"), PRODUCER_HOLDS_PERHAPS);
    lose(&story, 0);
    assert_non_null(strstr(story.trace, "0 ended b cancelled\n"));
    assert_non_null(strstr(story.trace, "1 submit 1 front: ac\n"));
    producer_story_accept(&story, 1, 1);
    come_back(&story, 'V');
    assert_non_null(strstr(story.trace, "0 cancel b\n"));
    answer(&story, 0, REASON_NO_TASK);
    producer_story_expect_counts(&story, "open 2 outbox 0 awaited 2 accepted 2 rejected 0 ended 1 "
                                         "unknown 0 resent 2");
    producer_story_end(&story);
}

/* One that only does not answer may have it on a slow lane: it gets the same batch
 * again, by the front, and nobody else does. */
static void a_slow_ventilator_gets_the_batch_again_to_be_sure(void **state)
{
    (void)state;
    struct producer_story story;
    start(&story, 2, false);
    producer_story_submit(&story, "ab");
    producer_story_turn(&story);
    (void)producer_story_cancel(&story, "b");
    forget_trace(&story);
    producer_story_pass(&story, 5000);
    producer_story_expect(&story, "[ 5.0] 0 submit 2 front: ab\n");
    producer_story_pass(&story, 5000);
    producer_story_expect(&story, "[10.0] 0 submit 3 front: ab\n");
    producer_story_accept(&story, 0, 1); /* of whichever */
    producer_story_turn(&story);
    producer_story_expect(&story, "[10.0] 0 accepted a\n"
                                  "[10.0] 0 accepted b\n"
                                  "[10.0] 0 cancel b\n");
    producer_story_end(&story);
    start(&story, 1, false);
    producer_story_submit(&story, "ab");
    producer_story_turn(&story);
    (void)producer_story_cancel(&story, "b");
    forget_trace(&story);
    producer_story_pass(&story, 15000);
    producer_story_expect(&story, "[ 5.0] 0 submit 2 front: ab\n" /* but not for ever */
                                  "[10.0] 0 submit 3 front: ab\n"
                                  "[15.0] 0 ended b cancelled\n"
                                  "[15.0] 0 cancel b\n"
                                  "[15.0] 0 submit 4 front: a\n");
    producer_story_end(&story);
}

static void a_refusal_that_would_pass_ends_it(void **state)
{
    (void)state;
    struct producer_story story;
    start(&story, 1, false);
    producer_story_submit(&story, "a");
    producer_story_turn(&story);
    (void)producer_story_cancel(&story, "a");
    forget_trace(&story);
    producer_story_reject(&story, 0, 1, (struct rejection){.item = 0, .reason = REASON_BUSY});
    producer_story_expect(&story, "[ 0.0] 0 ended a cancelled\n");
    producer_story_pass(&story, 2000);
    producer_story_expect(&story, "");
    producer_story_end(&story);
}

/* The application's orders and ours are answered in the order in which they went. */
static void answers_to_the_application_and_to_us_are_told_apart(void **state)
{
    (void)state;
    struct producer_story story;
    const struct message_dispose drop = {.disposal = DISPOSAL_DROP_ALL};
    const struct producer_event order = {.kind = PRODUCER_DISPOSE, .dispose = &drop};
    start_accepted(&story, 1, false, "a");
    producer_story_step(&story, order);
    (void)producer_story_cancel(&story, "a");
    producer_story_turn(&story);
    producer_story_step(&story, order);
    forget_trace(&story);
    for (uint32_t affected = 5; affected < 8; affected++) {
        producer_story_say(
            &story, 0,
            (struct message){.kind = MESSAGE_DISPOSED, .u.disposed = {.affected = affected}});
    }
    producer_story_turn(&story);
    producer_story_expect(&story, "[ 0.0] 0 disposed 5\n"
                                  "[ 0.0] 0 disposed 7\n"
                                  "[ 0.0] 0 ended a cancelled\n");
    producer_story_end(&story);
}

static void an_older_ventilator_is_not_asked_for_what_it_cannot_do(void **state)
{
    (void)state;
    struct producer_story story;
    struct producer_options options = producer_story_options();
    producer_story_start_minor(&story, &options, 1);
    producer_story_submit(&story, "a");
    producer_story_turn(&story);
    producer_story_accept(&story, 0, 1);
    (void)producer_story_cancel(&story, "a");
    forget_trace(&story);
    producer_story_turn(&story);
    producer_story_expect(&story, "");
    producer_story_result(&story, 0, "a");
    producer_story_expect(&story, "[ 0.0] 0 ended a\n");
    producer_story_end(&story);
}

static void an_id_that_is_submitted_again_is_wanted_again(void **state)
{
    (void)state;
    struct producer_story story;
    start_accepted(&story, 2, true, "a");
    lose(&story, 0);
    (void)producer_story_cancel(&story, "a");
    producer_story_pass(&story, 10000);
    producer_story_submit(&story, "a");
    forget_trace(&story);
    producer_story_turn(&story);
    producer_story_expect(&story, "[10.0] 1 submit 1 front: a\n");
    producer_story_end(&story);
}

/* No more than there is room for, in no more messages than they need. */
static void many_are_cancelled_at_once(void **state)
{
    (void)state;
    enum { TASKS = 600 };
    struct producer_story story;
    struct producer_options options = producer_story_options();
    options.tasks_max = TASKS;
    options.store_bytes_max = 1024 * 1024;
    producer_story_start_open(&story, &options);
    for (uint32_t number = 0; number < TASKS; number++) {
        struct submission submission = {.name = bytes_text("task"),
                                        .flags = SUBMISSION_WANTS_RESULT};
        memcpy(submission.id.octets, &number, sizeof number);
        submission.id.octets[15] = 'a';
        producer_story_step(
            &story, (struct producer_event){.kind = PRODUCER_SUBMIT, .submission = &submission});
    }
    producer_story_turn(&story);
    producer_story_accept(&story, 0, 1);
    for (uint32_t number = 0; number < TASKS; number++) {
        struct id id = {0};
        memcpy(id.octets, &number, sizeof number);
        id.octets[15] = 'a';
        producer_story_step(&story, (struct producer_event){.kind = PRODUCER_CANCEL, .id = &id});
        assert_int_equal(story.out->hold, PRODUCER_HOLDS_PERHAPS);
    }
    forget_trace(&story);
    for (int message = 0; message < 3; message++) {
        producer_story_on(&story, PRODUCER_TURN, 0);
        producer_story_say(&story, 0, (struct message){.kind = MESSAGE_DISPOSED});
        if (message < 2) forget_trace(&story);
    }
    assert_non_null(strstr(story.trace, "dispose 5 of 88\n"));
    producer_story_turn(&story);
    struct producer_counts counts;
    producer_counts(story.producer, &counts);
    assert_int_equal(counts.ended, TASKS);
    assert_int_equal(counts.awaited, 0);
    producer_story_end(&story);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_nobody_has_ends_at_once),
        cmocka_unit_test(what_is_under_way_is_cancelled_when_it_is_known_to_have_arrived),
        cmocka_unit_test(what_was_accepted_ends_as_its_ventilator_says),
        cmocka_unit_test(a_result_that_comes_with_the_answer_is_the_one_that_is_told),
        cmocka_unit_test(a_ventilator_that_is_away_is_told_when_it_is_back),
        cmocka_unit_test(what_its_ventilator_lost_is_cancelled_and_not_unknown),
        cmocka_unit_test(a_ventilator_that_is_too_busy_is_told_again_in_a_while),
        cmocka_unit_test(a_ventilator_that_forgot_us_is_told_all_the_same),
        cmocka_unit_test(a_guarded_task_goes_to_nobody_else_once_it_is_cancelled),
        cmocka_unit_test(what_was_under_way_to_a_lost_ventilator_goes_to_nobody_else),
        cmocka_unit_test(a_slow_ventilator_gets_the_batch_again_to_be_sure),
        cmocka_unit_test(a_refusal_that_would_pass_ends_it),
        cmocka_unit_test(answers_to_the_application_and_to_us_are_told_apart),
        cmocka_unit_test(an_older_ventilator_is_not_asked_for_what_it_cannot_do),
        cmocka_unit_test(an_id_that_is_submitted_again_is_wanted_again),
        cmocka_unit_test(many_are_cancelled_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
