/* node_bench_task.c - the task of the benchmark, to the byte, and which result is its.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "../../nodes/bench_task.h"

#include <string.h>

static void its_octets_are_where_the_header_says(void **state)
{
    static const uint8_t wanted[] = {0x05, 0x04, 0x03, 0x02, 0x01, 0xdd, 0xcc, 0x0b, 0x22, 0x11};
    const struct bench_task task = {
        .number = 0x0102030405, .result_bytes = 0x0bccdd, .tag = 0x1122};
    uint8_t payload[BENCH_TASK_BYTES_MIN + 1];
    (void)state;
    payload[BENCH_TASK_BYTES_MIN] = 0x5a;
    bench_task_write(&task, payload);
    assert_memory_equal(payload, wanted, sizeof wanted);
    assert_int_equal(payload[BENCH_TASK_BYTES_MIN], 0x5a);
}

static void what_was_written_is_read_and_too_little_is_not(void **state)
{
    const struct bench_task task = {
        .number = TALLY_NUMBERS_MAX, .result_bytes = TMESH_RESULT_BYTES_MAX, .tag = 65535};
    struct bench_task other;
    uint8_t payload[BENCH_TASK_BYTES_MIN];
    (void)state;
    bench_task_write(&task, payload);
    assert_true(bench_task_read(&other, payload, sizeof payload));
    assert_true(other.number == task.number);
    assert_int_equal(other.result_bytes, task.result_bytes);
    assert_int_equal(other.tag, task.tag);
    assert_false(bench_task_read(&other, payload, sizeof payload - 1));
    assert_false(bench_task_read(&other, payload, 0));
}

static void one_that_wants_more_than_a_result_may_be_is_none(void **state)
{
    const struct bench_task task = {.result_bytes = TMESH_RESULT_BYTES_MAX + 1};
    struct bench_task other;
    uint8_t payload[BENCH_TASK_BYTES_MIN];
    (void)state;
    bench_task_write(&task, payload);
    assert_false(bench_task_read(&other, payload, sizeof payload));
}

static void a_result_is_that_of_its_task_or_it_is_not(void **state)
{
    struct bench_task task = {.number = 12345, .result_bytes = 20, .tag = 1};
    uint8_t result[20] = {0};
    (void)state;
    bench_task_write(&task, result);
    assert_true(bench_task_is_result(&task, result, 20));
    assert_false(bench_task_is_result(&task, result, 19));
    assert_false(bench_task_is_result(&task, NULL, 0));
    task.number++;
    assert_false(bench_task_is_result(&task, result, 20));
    task.number--;
    task.tag++;
    assert_false(bench_task_is_result(&task, result, 20));
}

static void a_short_result_tells_as_much_as_it_can(void **state)
{
    struct bench_task task = {.number = 77, .result_bytes = 1};
    uint8_t right = 77, wrong = 78;
    (void)state;
    assert_true(bench_task_is_result(&task, &right, 1));
    assert_false(bench_task_is_result(&task, &wrong, 1));
    task.result_bytes = 0;
    assert_true(bench_task_is_result(&task, NULL, 0));
    assert_false(bench_task_is_result(&task, &right, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_octets_are_where_the_header_says),
        cmocka_unit_test(what_was_written_is_read_and_too_little_is_not),
        cmocka_unit_test(one_that_wants_more_than_a_result_may_be_is_none),
        cmocka_unit_test(a_result_is_that_of_its_task_or_it_is_not),
        cmocka_unit_test(a_short_result_tells_as_much_as_it_can),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
