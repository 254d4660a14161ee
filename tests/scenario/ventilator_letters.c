/* ventilator_letters.c - dead letters: what they keep, and the policies that lead to them. */
#include "ventilator_story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void begin(struct story *story)
{
    struct ventilator_options options = story_options();
    story_start_served(story, &options, 100000);
}

static const struct message_answer *letter(struct story *story, char name, uint32_t cursor)
{
    struct message message = {.kind = MESSAGE_QUERY};
    message.u.query =
        (struct message_query){.query = QUERY_LETTER, .cursor = cursor, .id = story_id(name)};
    story_tell(story, P1, message);
    return &story->out->sends[0].message.u.answer;
}

static void a_letter_keeps_what_led_to_it(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story.task.payload = bytes_text("payload");
    story_submit(&story, P1, "A");
    story.run = (struct completion){.retry_after_ms = 1, .text = bytes_text("first words")};
    story_complete(&story, W1, "A", OUTCOME_FAILED);
    story_pass(&story, 1);
    story_hello(&story, W2);
    story_close(&story, W1);
    story_pass(&story, 600); /* that worker is lost */
    story_credit(&story, W2, 10);
    story.run.text = bytes_text("last words");
    story.run.result = bytes_text("put out all the same");
    story_complete(&story, W2, "A", OUTCOME_CRASHED);
    story_pass(&story, 1);
    story_complete(&story, W2, "A", OUTCOME_PERMANENT);
    story_pass(&story, 700);
    story_query(&story, P1, QUERY_DEAD, 0);
    const struct dead_row *dead = story.out->sends[0].message.u.answer.dead;
    assert_int_equal(story.out->sends[0].message.u.answer.count, 1);
    assert_int_equal(dead->state, TASK_FAILED);
    assert_int_equal(dead->reason, REASON_PERMANENT);
    assert_int_equal(dead->attempt, 4);
    assert_int_equal(dead->failures, 2);
    assert_int_equal(dead->crashes, 1);
    assert_int_equal(dead->losses, 1);
    assert_int_equal(dead->age_ms, 700);
    assert_int_equal(dead->payload_bytes, 7);
    assert_true(bytes_equal(dead->text, bytes_text("last words")));
    story_end(&story);
}

static void one_letter_is_shown_with_both_its_values(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story.task.payload = bytes_text("payload");
    story.run.result = bytes_text("output"); /* and nobody waits for it */
    story_bury(&story, "A");
    story.run.result = (struct bytes){0};
    story_bury(&story, "B");
    const struct message_answer *answer = letter(&story, 'A', 0);
    assert_int_equal(answer->query, QUERY_LETTER);
    assert_int_equal(answer->count, 1);
    assert_int_equal(answer->cursor, 1);
    assert_int_equal(answer->letter->dead.id.octets[15], 'A');
    assert_true(bytes_equal(answer->letter->value, bytes_text("payload")));
    answer = letter(&story, 'A', answer->cursor);
    assert_int_equal(answer->cursor, 0);
    assert_true(bytes_equal(answer->letter->value, bytes_text("output")));
    answer = letter(&story, 'B', 0);
    assert_int_equal(answer->count, 1);
    assert_int_equal(answer->cursor, 0);
    assert_int_equal(letter(&story, 'C', 0)->count, 0);
    story_submit(&story, P1, "C"); /* known, but alive */
    assert_int_equal(letter(&story, 'C', 0)->count, 0);
    story_end(&story);
}

static void a_task_may_bring_its_own_limit_of_crashes(void **state)
{
    (void)state;
    for (uint32_t limit = 1; limit <= 4; limit++) {
        struct story story;
        begin(&story);
        story.task.crashes_max = limit;
        story_submit(&story, P1, "A");
        story.run.retry_after_ms = 1;
        for (uint32_t crash = 1; crash < limit; crash++) {
            story_complete(&story, W1, "A", OUTCOME_CRASHED);
            story_pass(&story, 1);
        }
        assert_int_equal(story_totals(&story).dead, 0);
        story_clear(&story);
        story.run.text = bytes_text("killed by signal 11");
        story_complete(&story, W1, "A", OUTCOME_CRASHED);
        assert_int_equal(story_totals(&story).dead, 1);
        assert_non_null(strstr(story.trace, " w1 dead crashes\n"));
        story_query(&story, P1, QUERY_DEAD, 0);
        const struct dead_row *dead = story.out->sends[0].message.u.answer.dead;
        assert_int_equal(dead->crashes, limit);
        assert_int_equal(dead->failures, limit);
        assert_true(bytes_equal(dead->text, bytes_text("killed by signal 11")));
        story_end(&story);
    }
}

/* The longest of many delays before the attempt that follows `failures`. */
static uint64_t longest_delay(struct story *story, uint32_t failures)
{
    uint64_t longest_ns = 0;
    for (int round = 0; round < 100; round++) {
        story_submit(story, P1, "A");
        for (uint32_t failure = 1; failure <= failures; failure++) {
            story_complete(story, W1, "A", OUTCOME_FAILED);
            if (failure < failures) story_pass(story, story->delay_ns / MILLISECOND + 1);
        }
        if (story->delay_ns > longest_ns) longest_ns = story->delay_ns;
        story_pass(story, story->delay_ns / MILLISECOND + 1);
        story_complete(story, W1, "A", OUTCOME_DONE);
        story_pass(story, 2); /* the id is forgotten */
        story_clear(story);
    }
    return longest_ns;
}

static void a_task_may_bring_its_own_backoff(void **state)
{
    (void)state;
    struct ventilator_options options = story_options();
    options.ended_ns_max = MILLISECOND;
    options.attempts_max = 10;
    static const struct {
        uint32_t backoff_ms, backoff_ms_max, failures;
        uint64_t limit_ms;
    } cases[] = {
        {100, 0, 1, 100}, {100, 0, 3, 400},    {100, 300, 3, 300},
        {0, 500, 3, 500}, {5000, 200, 1, 200}, {0, 0, 2, 2000},
    };
    for (size_t at = 0; at < sizeof cases / sizeof cases[0]; at++) {
        struct story story;
        story_start_served(&story, &options, 100000);
        story.task.backoff_ms = cases[at].backoff_ms;
        story.task.backoff_ms_max = cases[at].backoff_ms_max;
        uint64_t longest_ns = longest_delay(&story, cases[at].failures);
        assert_true(longest_ns <= cases[at].limit_ms * MILLISECOND);
        assert_true(longest_ns > cases[at].limit_ms * MILLISECOND * 9 / 10);
        story_end(&story);
    }
}

static void a_handlers_own_delay_comes_before_any_policy(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story.task.backoff_ms = 10;
    story.task.backoff_ms_max = 20;
    story_submit(&story, P1, "A");
    story.run.retry_after_ms = 90000;
    story_complete(&story, W1, "A", OUTCOME_FAILED);
    assert_true(story.delay_ns == 90 * SECOND);
    story_end(&story);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_letter_keeps_what_led_to_it),
        cmocka_unit_test(one_letter_is_shown_with_both_its_values),
        cmocka_unit_test(a_task_may_bring_its_own_limit_of_crashes),
        cmocka_unit_test(a_task_may_bring_its_own_backoff),
        cmocka_unit_test(a_handlers_own_delay_comes_before_any_policy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
