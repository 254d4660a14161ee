/* ventilator_retries.c - runs that fail, and tasks that are given up. */
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
    story_start_served(story, &options, 1000);
}

static void a_failed_run_is_tried_again_after_its_delay(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story_submit(&story, P1, "a");
    story.run.text = bytes_text("no luck");
    story.run.retry_after_ms = 1500;
    story_complete(&story, W1, "a", OUTCOME_FAILED);
    assert_int_equal(story_totals(&story).waiting, 1);
    story_pass(&story, 1499);
    story_expect(&story, "[    0] accepted a/0\n"
                         "[    0] > p1 accept 1\n"
                         "[    0] leased a/1 w1\n"
                         "[    0] > w1 work a/1\n"
                         "[    0] retried a/1 w1\n"
                         "[    0] > w1 receipt 2\n");
    assert_true(ventilator_deadline(story.ventilator) == story.now_ns + MILLISECOND);
    story_pass(&story, 1);
    story.run = (struct completion){.result = bytes_text("well")};
    story_complete(&story, W1, "a", OUTCOME_DONE);
    story_expect(&story, "[ 1500] ripe a/1\n"
                         "[ 1500] leased a/2 w1\n"
                         "[ 1500] > w1 work a/2\n"
                         "[ 1500] ended a/2 w1 done\n"
                         "[ 1500] > p1 result a/2 done \"well\"\n"
                         "[ 1500] > w1 receipt 4\n");
    assert_int_equal(story_totals(&story).retried, 1);
    story_end(&story);
}

static void a_failed_lease_is_over_while_its_task_waits(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story_submit(&story, P1, "A");
    struct story_lease first = story.peers[W1].held[0];
    story_complete(&story, W1, "A", OUTCOME_FAILED);
    story.peers[W1].held[story.peers[W1].held_count++] = first;
    story_clear(&story);
    story_complete(&story, W1, "A", OUTCOME_DONE);
    story_expect(&story, "[    0] stale A/1 w1\n"
                         "[    0] > w1 receipt 3\n");
    story_end(&story);
}

/* The longest and the mean delay before the attempt that follows `failures`. */
static void measure_delays(struct story *story, uint64_t longest_ns[6], uint64_t mean_ns[6])
{
    enum { TASKS = 200 };
    for (int round = 0; round < TASKS; round++) {
        story_submit(story, P1, "A");
        for (uint32_t failures = 1; failures <= 5; failures++) {
            story_complete(story, W1, "A", OUTCOME_FAILED);
            mean_ns[failures] += story->delay_ns / TASKS;
            if (story->delay_ns > longest_ns[failures]) longest_ns[failures] = story->delay_ns;
            story_pass(story, story->delay_ns / MILLISECOND + 1);
        }
        story_complete(story, W1, "A", OUTCOME_DONE);
        story_pass(story, 2); /* the id is forgotten */
        story_credit(story, W1, 10);
        story_clear(story);
    }
}

static void the_backoff_doubles_with_full_jitter_up_to_its_limit(void **state)
{
    (void)state;
    struct ventilator_options options = story_options();
    options.ended_ns_max = MILLISECOND;
    options.backoff_ns = SECOND;
    options.backoff_ns_max = 6 * SECOND;
    options.attempts_max = 10;
    struct story story;
    story_start_served(&story, &options, 1000);
    uint64_t longest_ns[6] = {0}, mean_ns[6] = {0};
    measure_delays(&story, longest_ns, mean_ns);
    const uint64_t limits_ns[6] = {0, SECOND, 2 * SECOND, 4 * SECOND, 6 * SECOND, 6 * SECOND};
    for (uint32_t failures = 1; failures <= 5; failures++) {
        assert_true(longest_ns[failures] <= limits_ns[failures]);
        assert_true(longest_ns[failures] > limits_ns[failures] * 9 / 10);
        assert_true(mean_ns[failures] > limits_ns[failures] * 4 / 10);
        assert_true(mean_ns[failures] < limits_ns[failures] * 6 / 10);
    }
    story_end(&story);
}

/* Fails one task until it ends.  Returns how many runs that took. */
static uint32_t runs_until_the_end(struct story *story, enum outcome outcome)
{
    for (uint32_t runs = 1;; runs++) {
        uint64_t ended = story_totals(story).failed + story_totals(story).dead;
        story->run.retry_after_ms = 1;
        story_complete(story, W1, "a", outcome);
        if (story_totals(story).failed + story_totals(story).dead > ended) return runs;
        story_pass(story, 1);
    }
}

static void a_task_fails_after_as_many_attempts_as_its_policy_allows(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story_submit(&story, P1, "a");
    story.run.text = bytes_text("the last word");
    story_clear(&story);
    assert_int_equal(runs_until_the_end(&story, OUTCOME_FAILED), 5);
    assert_non_null(strstr(story.trace, "[    4] ended a/5 w1 failed attempts\n"));
    assert_non_null(strstr(story.trace, "> p1 result a/5 failed attempts \"the last word\"\n"));
    story_receipt(&story, P1);
    story_pass(&story, 601000);
    assert_int_equal(story_totals(&story).dead_letters, 1); /* forgotten it is not */
    story_end(&story);
}

static void a_task_may_bring_its_own_limit_of_attempts(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story.task.attempts_max = 2;
    story_submit(&story, P1, "a");
    assert_int_equal(runs_until_the_end(&story, OUTCOME_FAILED), 2);
    story_end(&story);
    begin(&story);
    story.task.attempts_max = 1;
    story_submit(&story, P1, "a");
    assert_int_equal(runs_until_the_end(&story, OUTCOME_FAILED), 1);
    story_end(&story);
}

static void a_limit_of_attempts_too_large_to_count_is_held_at_what_can_be(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story.task.attempts_max = UINT32_MAX;
    story_submit(&story, P1, "A");
    story.task.attempts_max = 65536;
    story_submit(&story, P1, "B");
    story_complete(&story, W1, "AB", OUTCOME_FAILED);
    assert_int_equal(story_totals(&story).waiting, 2);
    story_end(&story);
}

static void a_permanent_failure_is_not_tried_again(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story_submit(&story, P1, "a");
    story_clear(&story);
    story.run.text = bytes_text("never");
    story_complete(&story, W1, "a", OUTCOME_PERMANENT);
    story_expect(&story, "[    0] ended a/1 w1 failed permanent\n"
                         "[    0] > p1 result a/1 failed permanent \"never\"\n"
                         "[    0] > w1 receipt 2\n");
    story_end(&story);
}

static void a_task_that_crashed_three_handlers_is_dead(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story_submit(&story, P1, "a");
    story_clear(&story);
    assert_int_equal(runs_until_the_end(&story, OUTCOME_CRASHED), 3);
    assert_non_null(strstr(story.trace, "ended a/3 w1 dead crashes\n"));
    assert_int_equal(story_totals(&story).dead, 1);
    assert_int_equal(story_totals(&story).failed, 0);
    story_end(&story);
}

static void crashes_use_attempts_too(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story.task.attempts_max = 2;
    story_submit(&story, P1, "a");
    story_clear(&story);
    assert_int_equal(runs_until_the_end(&story, OUTCOME_CRASHED), 2);
    assert_non_null(strstr(story.trace, "ended a/2 w1 failed attempts\n"));
    story_end(&story);
}

static void a_task_given_back_uses_no_attempt_and_is_first_in_line(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story.task.attempts_max = 1;
    story_submit(&story, P1, "A");
    struct story_lease first = story.peers[W1].held[0];
    for (int round = 0; round < 10; round++) story_complete(&story, W1, "A", OUTCOME_RETURNED);
    assert_int_equal(story_totals(&story).returned, 10);
    assert_int_equal(story.peers[W1].held[0].lease.attempt, 1);
    assert_true(story.peers[W1].held[0].lease.token != first.lease.token);
    story_hello(&story, W1); /* no credit now */
    story_submit(&story, P1, "B");
    story_complete(&story, W1, "A", OUTCOME_RETURNED);
    story_clear(&story);
    story_credit(&story, W1, 2);
    story_expect(&story, "[    0] leased A/1 w1\n"
                         "[    0] leased B/1 w1\n"
                         "[    0] > w1 work A/1 B/1\n");
    story.peers[W1].held[story.peers[W1].held_count++] = first;
    story_complete(&story, W1, "A", OUTCOME_DONE); /* the attempt fits, the token does not */
    story_expect(&story, "[    0] stale A/1 w1\n"
                         "[    0] > w1 receipt 3\n");
    story_end(&story);
}

static void dead_letters_are_bounded_and_the_oldest_is_dropped(void **state)
{
    (void)state;
    struct ventilator_options options = story_options();
    options.dead_letters_max = 3;
    struct story story;
    story_start_served(&story, &options, 1000);
    story.task.payload = bytes_text("kept, to be tried again");
    story_submit(&story, P1, "ABCDE");
    story.run.text = bytes_text("why");
    story_complete(&story, W1, "ABCDE", OUTCOME_PERMANENT);
    assert_int_equal(story_totals(&story).failed, 5);
    assert_int_equal(story_totals(&story).dead_letters, 3);
    story_query(&story, P1, QUERY_DEAD, 0);
    const struct message_answer *answer = &story.out->sends[0].message.u.answer;
    assert_int_equal(answer->count, 3);
    assert_int_equal(answer->cursor, 0);
    for (uint32_t row = 0; row < 3; row++) {
        const struct dead_row *dead = &answer->dead[row];
        assert_int_equal(dead->id.octets[15], 'C' + row);
        assert_int_equal(dead->state, TASK_FAILED);
        assert_int_equal(dead->reason, REASON_PERMANENT);
        assert_int_equal(dead->attempt, 1);
        assert_true(bytes_equal(dead->text, bytes_text("why")));
        assert_true(bytes_equal(dead->name, bytes_text("t")));
        assert_true(bytes_equal(dead->queue, bytes_text("default")));
    }
    story_end(&story);
}

static void a_dead_letter_keeps_its_name_when_lanes_are_short(void **state)
{
    (void)state;
    struct ventilator_options options = story_options();
    options.tasks_max = 2 * LANES_MAX;
    struct story story;
    story_start_served(&story, &options, 1000);
    story.check.is_shallow = true;
    story_submit(&story, P1, "A");
    story_complete(&story, W1, "A", OUTCOME_PERMANENT);
    for (uint32_t number = 0; number < LANES_MAX; number++) {
        struct submission item = {.id = {.octets = {3, (uint8_t)(number >> 8), (uint8_t)number}}};
        char name[] = {'n', (char)('a' + number / 26 / 26), (char)('a' + number / 26 % 26),
                       (char)('a' + number % 26), '\0'};
        item.name = bytes_text(name);
        struct message message = {.kind = MESSAGE_SUBMIT};
        message.u.submit = (struct message_submit){.batch = number, .items = &item, .count = 1};
        story_tell(&story, P1, message);
    }
    story_query(&story, P1, QUERY_DEAD, 0);
    const struct message_answer *answer = &story.out->sends[0].message.u.answer;
    assert_int_equal(answer->count, 1);
    assert_true(bytes_equal(answer->dead[0].name, bytes_text("t")));
    ventilator_check_tables(story.ventilator, CHECK_ANY_TIME);
    story_end(&story);
}

static void a_result_without_room_fails_the_task_and_says_so(void **state)
{
    (void)state;
    enum { LARGE = 1024 * 1024, COUNT = 20 };
    struct ventilator_options options = story_options();
    options.store_bytes_max = 16 * LARGE;
    struct story story;
    story_start_served(&story, &options, 1000);
    char *large = calloc(1, LARGE);
    const char letters[] = "abcdefghijklmnopqrst";
    story_submit(&story, P1, letters);
    story.run.result = bytes_of(large, LARGE);
    for (const char *letter = letters; *letter != '\0'; letter++) {
        story_complete(&story, W1, (char[]){*letter, '\0'}, OUTCOME_DONE);
    }
    assert_in_range(story_totals(&story).done, 14, 16);
    assert_int_equal(story_totals(&story).failed, COUNT - story_totals(&story).done);
    assert_true(story_totals(&story).store_bytes <= 17 * LARGE);
    story_clear(&story);
    story_receipt(&story, P1); /* eight are sent again and again, then room is there */
    while (ventilator_open_count(story.ventilator) > 0) story_receipt(&story, P1);
    assert_non_null(strstr(story.trace, " failed busy \"the ventilator had no memory left"));
    assert_true(story_totals(&story).store_bytes < LARGE);
    free(large);
    story_end(&story);
}

static void a_result_may_take_the_room_of_its_own_payload(void **state)
{
    (void)state;
    enum { LARGE = 1024 * 1024 };
    struct ventilator_options options = story_options();
    options.store_bytes_max = 16 * LARGE;
    struct story story;
    story_start_served(&story, &options, 1000);
    char *large = calloc(1, LARGE);
    story.task.payload = bytes_of(large, LARGE);
    story_submit(&story, P1, "z");
    story.task.payload = (struct bytes){0};
    story_submit(&story, P1, "abcdefghijklmnopq");
    story.run.result = bytes_of(large, LARGE);
    story_complete(&story, W1, "abcdefghijklmnopq", OUTCOME_DONE);
    assert_true(story_totals(&story).failed > 0); /* no room is left */
    uint64_t done = story_totals(&story).done;
    story_complete(&story, W1, "z", OUTCOME_DONE);
    assert_int_equal(story_totals(&story).done, done + 1);
    free(large);
    story_end(&story);
}

static void a_result_larger_than_allowed_fails_the_task(void **state)
{
    (void)state;
    struct ventilator_options options = story_options();
    options.payload_bytes_max = 100;
    struct story story;
    story_start_served(&story, &options, 1000);
    char large[101] = {0};
    story_submit(&story, P1, "ab");
    story_clear(&story);
    story.run.result = bytes_of(large, 100);
    story_complete(&story, W1, "a", OUTCOME_DONE);
    story.run.result = bytes_of(large, 101);
    story_complete(&story, W1, "b", OUTCOME_DONE);
    story_expect(&story, "[    0] ended a/1 w1 done\n"
                         "[    0] > p1 result a/1 done 100 bytes\n"
                         "[    0] > w1 receipt 2\n"
                         "[    0] ended b/1 w1 failed too big\n"
                         "[    0] > p1 result b/1 failed too big"
                         " \"the result is larger than this ventilator allows\"\n"
                         "[    0] > w1 receipt 3\n");
    story_end(&story);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failed_run_is_tried_again_after_its_delay),
        cmocka_unit_test(a_failed_lease_is_over_while_its_task_waits),
        cmocka_unit_test(the_backoff_doubles_with_full_jitter_up_to_its_limit),
        cmocka_unit_test(a_task_fails_after_as_many_attempts_as_its_policy_allows),
        cmocka_unit_test(a_task_may_bring_its_own_limit_of_attempts),
        cmocka_unit_test(a_limit_of_attempts_too_large_to_count_is_held_at_what_can_be),
        cmocka_unit_test(a_permanent_failure_is_not_tried_again),
        cmocka_unit_test(a_task_that_crashed_three_handlers_is_dead),
        cmocka_unit_test(crashes_use_attempts_too),
        cmocka_unit_test(a_task_given_back_uses_no_attempt_and_is_first_in_line),
        cmocka_unit_test(dead_letters_are_bounded_and_the_oldest_is_dropped),
        cmocka_unit_test(a_dead_letter_keeps_its_name_when_lanes_are_short),
        cmocka_unit_test(a_result_without_room_fails_the_task_and_says_so),
        cmocka_unit_test(a_result_may_take_the_room_of_its_own_payload),
        cmocka_unit_test(a_result_larger_than_allowed_fails_the_task),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
