/* stage.c - staged submissions come out as they went in, in order, and a burst
 * does not keep its memory for ever. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "../../src/node/stage.h"

#include <stdlib.h>
#include <string.h>

static struct submission submission_of(unsigned number)
{
    return (struct submission){.id = {{(uint8_t)number, (uint8_t)(number >> 8), 7}},
                               .name = bytes_text("name"),
                               .flags = number % 2,
                               .attempts_max = number,
                               .crashes_max = number + 1,
                               .backoff_ms = number + 2,
                               .backoff_ms_max = number + 3,
                               .limit_ms = number + 4,
                               .soft_ms = number + 5,
                               .stalled_ms = number + 6};
}

static void check_equal(struct bytes a, struct bytes b)
{
    assert_int_equal(a.data == NULL, b.data == NULL);
    assert_true(bytes_equal(a, b));
}

static void check_next(struct stage *stage, const struct submission *expected, uint32_t ticket)
{
    struct submission submission;
    uint32_t found;
    for (int again = 0; again < 2; again++) { /* looking changes nothing */
        assert_true(stage_next(stage, &submission, &found));
        assert_int_equal(found, ticket);
        assert_true(id_equal(&submission.id, &expected->id));
        check_equal(submission.name, expected->name);
        check_equal(submission.queue, expected->queue);
        check_equal(submission.payload, expected->payload);
        assert_int_equal(submission.flags, expected->flags);
        assert_int_equal(submission.attempts_max, expected->attempts_max);
        assert_int_equal(submission.crashes_max, expected->crashes_max);
        assert_int_equal(submission.backoff_ms, expected->backoff_ms);
        assert_int_equal(submission.backoff_ms_max, expected->backoff_ms_max);
        assert_int_equal(submission.limit_ms, expected->limit_ms);
        assert_int_equal(submission.soft_ms, expected->soft_ms);
        assert_int_equal(submission.stalled_ms, expected->stalled_ms);
    }
    stage_pass(stage);
}

static void an_empty_stage_has_nothing(void **state)
{
    (void)state;
    struct stage stage = {0};
    struct submission submission;
    uint32_t ticket;
    assert_true(stage_is_empty(&stage));
    assert_false(stage_next(&stage, &submission, &ticket));
    stage_reset(&stage);
    stage_clear(&stage);
    assert_true(stage_is_empty(&stage));
}

static void absent_and_empty_stay_apart(void **state)
{
    (void)state;
    char longest[MESSAGE_NAME_BYTES_MAX];
    memset(longest, 'n', sizeof longest);
    struct stage stage = {0};
    struct submission all[5];
    for (unsigned at = 0; at < 5; at++) all[at] = submission_of(at);
    all[1].payload = bytes_of("", 0);
    all[2].queue = bytes_text("q");
    all[2].payload = bytes_of("a\0b", 3);
    all[3].name = all[3].queue = bytes_of(longest, sizeof longest);
    all[4].attempts_max = UINT32_MAX;
    all[4].flags = UINT32_MAX;
    for (unsigned at = 0; at < 5; at++) assert_true(stage_append(&stage, &all[at], at + 100));
    for (unsigned at = 0; at < 5; at++) check_next(&stage, &all[at], at + 100);
    assert_true(stage_is_empty(&stage));
    stage_clear(&stage);
}

static void it_grows_and_keeps_the_order(void **state)
{
    (void)state;
    enum { COUNT = 3000 };
    static uint8_t payload[10007];
    for (size_t at = 0; at < sizeof payload; at++) payload[at] = (uint8_t)(at * 31);
    struct stage stage = {0};
    for (unsigned at = 0; at < COUNT; at++) {
        struct submission submission = submission_of(at);
        submission.payload = bytes_of(payload, at * 13 % sizeof payload);
        assert_true(stage_append(&stage, &submission, at));
        if (at % 3 == 0) { /* reading goes on between */
            struct submission first = submission_of(at / 3);
            first.payload = bytes_of(payload, at / 3 * 13 % sizeof payload);
            check_next(&stage, &first, at / 3);
        }
    }
    for (unsigned at = COUNT / 3; at < COUNT; at++) {
        struct submission submission = submission_of(at);
        submission.payload = bytes_of(payload, at * 13 % sizeof payload);
        check_next(&stage, &submission, at);
    }
    assert_true(stage_is_empty(&stage));
    stage_clear(&stage);
}

static void the_largest_payload_fits(void **state)
{
    (void)state;
    uint8_t *payload = calloc(1, MESSAGE_PAYLOAD_BYTES_MAX);
    assert_non_null(payload);
    payload[MESSAGE_PAYLOAD_BYTES_MAX - 1] = 42;
    struct stage stage = {0};
    struct submission submission = submission_of(1);
    submission.payload = bytes_of(payload, MESSAGE_PAYLOAD_BYTES_MAX);
    for (uint32_t at = 0; at < 3; at++) assert_true(stage_append(&stage, &submission, at));
    for (uint32_t at = 0; at < 3; at++) check_next(&stage, &submission, at);
    stage_clear(&stage);
    free(payload);
}

static void what_a_burst_needed_is_kept_for_the_next_but_not_for_ever(void **state)
{
    (void)state;
    enum { MANY = 1000 };
    static uint8_t payload[10000];
    struct stage stage = {0};
    struct submission submission = submission_of(1);
    assert_true(stage_append(&stage, &submission, 1));
    stage_reset(&stage);
    assert_true(stage_is_empty(&stage));
    assert_true(stage.capacity > 0);
    submission.payload = bytes_of(payload, sizeof payload);
    for (uint32_t burst = 0; burst < 3; burst++) {
        for (uint32_t at = 0; at < MANY; at++) assert_true(stage_append(&stage, &submission, at));
        for (uint32_t turn = 0; turn < 100; turn++) stage_reset(&stage);
        assert_true(stage_is_empty(&stage));
        assert_true(stage.capacity >= MANY * sizeof payload);
    }
    for (uint32_t turn = 0; turn < 1000; turn++) stage_reset(&stage);
    assert_true(stage.capacity < 5 * 1024 * 1024);
    assert_true(stage_append(&stage, &submission, 9));
    check_next(&stage, &submission, 9);
    stage_clear(&stage);
    assert_int_equal(stage.capacity, 0);
}

static void what_joins_comes_behind_and_nothing_piles_up(void **state)
{
    (void)state;
    enum { EACH = 100, JOINS = 1000 };
    struct stage to = {0}, from = {0};
    struct submission submission = submission_of(1);
    assert_true(stage_join(&to, &from)); /* nothing to nothing */
    uint32_t in = 0, out = 0;
    for (int joins = 0; joins < JOINS; joins++) {
        for (int at = 0; at < EACH; at++) assert_true(stage_append(&from, &submission, in++));
        if (joins % 2 == 0) {
            stage_skip(&from);
            stage_rewind(&from);
        } else {
            stage_pass(&from); /* is not moved */
            assert_true(stage_append(&from, &submission, in++));
        }
        assert_true(stage_join(&to, &from));
        assert_true(stage_is_empty(&from));
        for (int at = 0; at < EACH - (joins < 5); at++) { /* some are always left */
            if (out % (2 * EACH + 1) == EACH) out++;
            check_next(&to, &submission, out++);
        }
        assert_true(to.capacity <= 256 * 1024);
    }
    assert_false(stage_is_empty(&to));
    stage_clear(&to);
    stage_clear(&from);
}

/* What is freed twice, or not at all, is the sanitizer's to find. */
static void a_large_payload_has_memory_of_its_own(void **state)
{
    (void)state;
    enum { LARGE = 16 * 1024, COUNT = 6 };
    static uint8_t payload[LARGE];
    memset(payload, 5, sizeof payload);
    struct stage first = {0}, second = {0};
    struct submission submission = submission_of(1), found;
    submission.payload = bytes_of(payload, LARGE - 1);
    assert_true(stage_append(&first, &submission, 0));
    assert_null(stage_block(&first));
    check_next(&first, &submission, 0);

    submission.payload = bytes_of(payload, LARGE);
    for (uint32_t at = 0; at < COUNT; at++) assert_true(stage_append(&first, &submission, at));
    assert_true(first.used < LARGE + 2 * 1024);
    uint32_t ticket;
    assert_true(stage_next(&first, &found, &ticket));
    void *block = stage_block(&first);
    assert_ptr_equal(block, found.payload.data);
    stage_hand_over(&first); /* ours now */
    check_next(&first, &submission, 1);
    assert_memory_equal(block, payload, LARGE);
    free(block);

    stage_skip(&first);
    assert_true(stage_next(&first, &found, &ticket));
    assert_int_equal(ticket, 3);
    stage_rewind(&first);
    assert_true(stage_append(&second, &submission, 9));
    assert_true(stage_join(&second, &first));
    check_next(&second, &submission, 9);
    check_next(&second, &submission, 2);
    assert_true(stage_join(&first, &second)); /* empty: the two change places */
    check_next(&first, &submission, 3);
    stage_reset(&first); /* the last two were never passed */
    assert_int_equal(first.blocks, 0);
    assert_true(stage_append(&first, &submission, 1));
    stage_skip(&first);
    stage_clear(&first);
    stage_clear(&second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_stage_has_nothing),
        cmocka_unit_test(absent_and_empty_stay_apart),
        cmocka_unit_test(it_grows_and_keeps_the_order),
        cmocka_unit_test(the_largest_payload_fits),
        cmocka_unit_test(what_a_burst_needed_is_kept_for_the_next_but_not_for_ever),
        cmocka_unit_test(what_joins_comes_behind_and_nothing_piles_up),
        cmocka_unit_test(a_large_payload_has_memory_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
