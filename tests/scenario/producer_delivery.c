/* producer_delivery.c - stories of tasks on their way to one ventilator.
 *
 * Owns: what is taken, how batches are made, and by which passage they go.
 * Not here: answers (producer_answers.c), sessions that end
 * (producer_sessions.c), and chance (producer_chaos.c).
 */
#include "producer_story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

static void a_task_goes_out_at_once_and_alone(void **state)
{
    (void)state;
    struct producer_story story;
    producer_story_start_links(&story, 1);
    assert_true(producer_deadline(story.producer) > story.now_ns);
    producer_story_submit(&story, "a");
    assert_true(producer_deadline(story.producer) <= story.now_ns);
    producer_story_turn(&story);
    producer_story_submit(&story, "b");
    producer_story_turn(&story);
    producer_story_accept(&story, 0, 1);
    producer_story_accept(&story, 0, 2);
    producer_story_result(&story, 0, "ba");
    producer_story_turn(&story);
    producer_story_expect(&story, "[ 0.0] 0 submit 1 front: a\n"
                                  "[ 0.0] 0 submit 2 front: b\n"
                                  "[ 0.0] 0 accepted a\n"
                                  "[ 0.0] 0 accepted b\n"
                                  "[ 0.0] 0 ended b\n"
                                  "[ 0.0] 0 ended a\n"
                                  "[ 0.0] 0 receipt through 3\n");
    producer_story_expect_counts(&story, "open 1 outbox 0 awaited 0 accepted 2 rejected 0 ended 2 "
                                         "unknown 0 resent 0");
    producer_story_end(&story);
}

static void a_task_without_result_is_forgotten_once_accepted(void **state)
{
    (void)state;
    struct producer_story story;
    producer_story_start_links(&story, 1);
    producer_story_submit(&story, "Ab");
    producer_story_turn(&story);
    producer_story_accept(&story, 0, 1);
    producer_story_expect(&story, "[ 0.0] 0 submit 1 front: Ab\n"
                                  "[ 0.0] 0 accepted A\n"
                                  "[ 0.0] 0 accepted b\n");
    producer_story_expect_counts(&story, "open 1 outbox 0 awaited 1 accepted 2 rejected 0 ended 0 "
                                         "unknown 0 resent 0");
    producer_story_end(&story);
}

static void what_was_submitted_is_what_is_sent(void **state)
{
    (void)state;
    struct producer_story story;
    producer_story_start_links(&story, 1);
    char name[] = "resize", queue[] = "images", payload[] = "0123456789";
    struct submission submission = {
        .id = producer_story_id('a'),
        .name = bytes_text(name),
        .queue = bytes_text(queue),
        .payload = bytes_text(payload),
        .flags = SUBMISSION_WANTS_RESULT,
        .attempts_max = 4,
        .crashes_max = 2,
        .backoff_ms = 300,
        .backoff_ms_max = 7000,
        .limit_ms = 4000,
        .soft_ms = 3000,
        .stalled_ms = 2000,
    };
    producer_story_step(
        &story, (struct producer_event){.kind = PRODUCER_SUBMIT, .submission = &submission});
    memset(name, 'x', sizeof name); /* the core copied what it keeps */
    memset(queue, 'x', sizeof queue);
    memset(payload, 'x', sizeof payload);
    submission = (struct submission){.id = producer_story_id('b'), .name = bytes_text("n")};
    producer_story_step(
        &story, (struct producer_event){.kind = PRODUCER_SUBMIT, .submission = &submission});
    producer_story_turn(&story);

    const struct message_submit *submit = &story.out->actions[0].message.u.submit;
    assert_int_equal(story.out->count, 1);
    assert_int_equal(submit->count, 2);
    assert_true(bytes_equal(submit->items[0].name, bytes_text("resize")));
    assert_true(bytes_equal(submit->items[0].queue, bytes_text("images")));
    assert_true(bytes_equal(submit->items[0].payload, bytes_text("0123456789")));
    assert_int_equal(submit->items[0].flags, SUBMISSION_WANTS_RESULT);
    assert_int_equal(submit->items[0].attempts_max, 4);
    assert_int_equal(submit->items[0].crashes_max, 2);
    assert_int_equal(submit->items[0].backoff_ms, 300);
    assert_int_equal(submit->items[0].backoff_ms_max, 7000);
    assert_int_equal(submit->items[0].limit_ms, 4000);
    assert_int_equal(submit->items[0].soft_ms, 3000);
    assert_int_equal(submit->items[0].stalled_ms, 2000);
    assert_true(bytes_equal(submit->items[1].name, bytes_text("n")));
    assert_null(submit->items[1].queue.data);
    assert_int_equal(submit->items[1].payload.size, 0);
    assert_int_equal(submit->items[1].flags, 0);
    producer_story_end(&story);
}

static void batches_grow_while_the_window_is_full(void **state)
{
    (void)state;
    struct producer_story story;
    struct producer_options options = producer_story_options();
    options.batches_max = 2;
    producer_story_start_open(&story, &options);
    const char *const arrivals[] = {"a", "b", "c", "d", "e"};
    for (size_t i = 0; i < 5; i++) {
        producer_story_submit(&story, arrivals[i]);
        producer_story_turn(&story);
    }
    producer_story_accept(&story, 0, 1);
    producer_story_turn(&story);
    producer_story_expect(&story, "[ 0.0] 0 submit 1 front: a\n"
                                  "[ 0.0] 0 submit 2 front: b\n"
                                  "[ 0.0] 0 accepted a\n"
                                  "[ 0.0] 0 submit 3 front: cde\n");
    producer_story_end(&story);
}

static void submit_numbered(struct producer_story *story, uint32_t count, uint32_t payload_bytes,
                            uint32_t flags)
{
    uint8_t *payload = calloc(1, payload_bytes);
    assert_non_null(payload);
    for (uint32_t n = 1; n <= count; n++) {
        struct submission submission = {.name = bytes_text("task"),
                                        .payload = bytes_of(payload, payload_bytes),
                                        .flags = flags};
        memcpy(submission.id.octets, &n, sizeof n);
        producer_story_step(
            story, (struct producer_event){.kind = PRODUCER_SUBMIT, .submission = &submission});
        assert_false(story->out->full);
    }
    free(payload);
}

static void one_turn_says_no_more_than_fits_and_asks_for_another(void **state)
{
    (void)state;
    struct producer_story story;
    struct producer_options options = producer_story_options();
    options.tasks_max = 10000;
    producer_story_start_open(&story, &options);
    submit_numbered(&story, 5000, 1, 0);
    producer_story_on(&story, PRODUCER_TURN, 0);
    assert_true(story.out->more);
    producer_story_expect(&story, "[ 0.0] 0 submit 1 front: 1024 tasks\n"
                                  "[ 0.0] 0 submit 2 front: 1024 tasks\n"
                                  "[ 0.0] 0 submit 3 front: 1024 tasks\n"
                                  "[ 0.0] 0 submit 4 front: 1024 tasks\n");
    producer_story_on(&story, PRODUCER_TURN, 0);
    assert_false(story.out->more);
    producer_story_expect(&story, "[ 0.0] 0 submit 5 front: 904 tasks\n");
    uint32_t n = 0;
    memcpy(&n, story.out->submissions[0].id.octets, sizeof n);
    assert_int_equal(n, 4097); /* in order across batches and turns */
    producer_story_end(&story);
}

static void batches_keep_to_their_size_and_the_window_to_eight_mebibytes(void **state)
{
    (void)state;
    struct producer_story story;
    struct producer_options options = producer_story_options();
    options.tasks_max = 200;
    options.store_bytes_max = 64 * 1024 * 1024;
    producer_story_start_open(&story, &options);
    submit_numbered(&story, 200, 100 * 1024, 0);
    producer_story_turn(&story);
    uint32_t sent = 0;
    for (uint32_t i = 0; i < story.out->count; i++) {
        assert_int_equal(story.out->actions[i].message.u.submit.count, 2);
        sent += story.out->actions[i].message.u.submit.count;
    }
    assert_true(sent * 100 * 1024 <= 9 * 1024 * 1024);
    assert_int_equal(sent, 2 * 32); /* 32 batches are open, at 200 KiB each */
    producer_story_end(&story);

    options.batches_max = 256;
    producer_story_start_open(&story, &options);
    submit_numbered(&story, 30, MESSAGE_PAYLOAD_BYTES_MAX, 0);
    producer_story_turn(&story);
    assert_int_equal(story.out->count, 8); /* one task each, larger than a batch should be */
    producer_story_end(&story);
}

static void a_full_outbox_refuses_and_nothing_changes(void **state)
{
    (void)state;
    struct producer_story story;
    struct producer_options options = producer_story_options();
    options.tasks_max = 2;
    producer_story_start_open(&story, &options);
    producer_story_submit(&story, "Ab");
    assert_false(story.out->full);
    producer_story_submit(&story, "c");
    assert_true(story.out->full);
    producer_story_turn(&story);
    producer_story_expect(&story, "[ 0.0] 0 submit 1 front: Ab\n");
    producer_story_accept(&story, 0, 1); /* b is awaited and still counts */
    producer_story_submit(&story, "c");
    assert_false(story.out->full);
    producer_story_submit(&story, "d");
    assert_true(story.out->full);
    producer_story_result(&story, 0, "b");
    producer_story_submit(&story, "d");
    assert_false(story.out->full);
    producer_story_end(&story);
}

static void a_store_without_room_refuses_and_takes_again_later(void **state)
{
    (void)state;
    struct producer_story story;
    struct producer_options options = producer_story_options();
    options.tasks_max = 100;
    producer_story_start_open(&story, &options); /* 16 MiB: fifteen, and their names */
    submit_numbered(&story, 15, MESSAGE_PAYLOAD_BYTES_MAX, SUBMISSION_WANTS_RESULT);
    uint8_t *payload = calloc(1, MESSAGE_PAYLOAD_BYTES_MAX);
    struct submission submission = {.id = producer_story_id('z'),
                                    .name = bytes_text("task"),
                                    .payload = bytes_of(payload, MESSAGE_PAYLOAD_BYTES_MAX)};
    struct producer_event event = {.kind = PRODUCER_SUBMIT, .submission = &submission};
    producer_story_step(&story, event);
    assert_true(story.out->full);
    producer_story_turn(&story);
    producer_story_accept(&story, 0, 1); /* its result is awaited, its payload not kept */
    producer_story_step(&story, event);
    assert_false(story.out->full);
    free(payload);
    producer_story_end(&story);
}

static void an_id_that_is_known_is_a_duplicate(void **state)
{
    (void)state;
    struct producer_story story;
    producer_story_start_links(&story, 1);
    producer_story_submit(&story, "a");
    assert_false(story.out->duplicate);
    producer_story_submit(&story, "a");
    assert_true(story.out->duplicate);
    producer_story_turn(&story);
    producer_story_accept(&story, 0, 1);
    producer_story_submit(&story, "a");
    assert_true(story.out->duplicate);
    producer_story_result(&story, 0, "a");
    producer_story_submit(&story, "a");
    assert_false(story.out->duplicate);
    producer_story_expect(&story, "[ 0.0] 0 submit 1 front: a\n"
                                  "[ 0.0] 0 accepted a\n"
                                  "[ 0.0] 0 ended a\n");
    producer_story_end(&story);
}

static void the_intake_is_used_while_it_is_up(void **state)
{
    (void)state;
    struct producer_story story;
    producer_story_start_links(&story, 1);
    producer_story_submit(&story, "a");
    producer_story_turn(&story);
    producer_story_on(&story, PRODUCER_INTAKE_UP, 0);
    for (const char *letter = "bc"; *letter != '\0'; letter++) {
        producer_story_submit(&story, (char[]){*letter, '\0'});
        producer_story_turn(&story);
        /* Each lane counts for itself: b and c are the intake's first and second. */
        assert_int_equal(story.out->actions[0].message.sequence, *letter - 'a');
    }
    producer_story_on(&story, PRODUCER_INTAKE_DOWN, 0);
    producer_story_submit(&story, "d");
    producer_story_turn(&story);
    assert_int_equal(story.out->actions[0].message.sequence, 2);
    producer_story_expect(&story, "[ 0.0] 0 submit 1 front: a\n"
                                  "[ 0.0] 0 submit 2 intake: b\n"
                                  "[ 0.0] 0 submit 3 intake: c\n"
                                  "[ 0.0] 0 submit 4 front: d\n");
    producer_story_end(&story);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_task_goes_out_at_once_and_alone),
        cmocka_unit_test(a_task_without_result_is_forgotten_once_accepted),
        cmocka_unit_test(what_was_submitted_is_what_is_sent),
        cmocka_unit_test(batches_grow_while_the_window_is_full),
        cmocka_unit_test(one_turn_says_no_more_than_fits_and_asks_for_another),
        cmocka_unit_test(batches_keep_to_their_size_and_the_window_to_eight_mebibytes),
        cmocka_unit_test(a_full_outbox_refuses_and_nothing_changes),
        cmocka_unit_test(a_store_without_room_refuses_and_takes_again_later),
        cmocka_unit_test(an_id_that_is_known_is_a_duplicate),
        cmocka_unit_test(the_intake_is_used_while_it_is_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
