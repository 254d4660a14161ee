/* stock.c - children that were forked ahead, as far as they are numbers, on a clock of the
 * test's own.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "core/instant.h"
#include "pool/stock.h"

static const uint64_t START_NS = 1000 * 1000000000ULL;

static void add(struct stock *stock, pid_t pid)
{
    stock_add(stock, &(struct spare){.pid = pid, .talk = -1, .output = -1});
}

static pid_t take(struct stock *stock, uint64_t now_ns)
{
    struct spare spare;
    return stock_take(stock, &spare, now_ns) ? spare.pid : 0;
}

static void there_are_as_many_as_slots_but_not_more_than_a_few(void **state)
{
    (void)state;
    struct stock stock;
    const uint32_t slots[] = {1, 3, 4, 5, 256}, wanted[] = {1, 3, 4, 4, 4};
    for (int i = 0; i < 5; i++) {
        uint32_t count = 0;
        stock_open(&stock, slots[i]);
        for (; stock_is_due(&stock, START_NS); count++) add(&stock, (pid_t)(100 + count));
        assert_int_equal(count, wanted[i]);
        assert_int_equal(stock_wait_ms(&stock, START_NS), -1);
    }
}

static void the_oldest_goes_first(void **state)
{
    (void)state;
    struct stock stock;
    stock_open(&stock, 3);
    for (pid_t pid = 10; pid < 13; pid++) add(&stock, pid);
    assert_int_equal(take(&stock, START_NS), 10);
    add(&stock, 13);
    assert_false(stock_has(&stock, 10));
    assert_true(stock_has(&stock, 13));
    assert_int_equal(take(&stock, START_NS), 11);
    assert_int_equal(take(&stock, START_NS), 12);
    assert_int_equal(take(&stock, START_NS), 13);
    assert_int_equal(take(&stock, START_NS), 0);
}

static void the_next_is_forked_a_moment_after_one_was_taken(void **state)
{
    (void)state;
    struct stock stock;
    stock_open(&stock, 2);
    add(&stock, 10);
    add(&stock, 11);
    assert_int_equal(take(&stock, START_NS), 10);
    assert_false(stock_is_due(&stock, START_NS));
    assert_in_range(stock_wait_ms(&stock, START_NS), 1, 2);
    assert_true(stock_is_due(&stock, START_NS + MILLISECOND));
    assert_int_equal(stock_wait_ms(&stock, START_NS + MILLISECOND), 0);
}

static void one_that_dies_is_none_any_more(void **state)
{
    (void)state;
    struct stock stock;
    stock_open(&stock, 3);
    for (pid_t pid = 10; pid < 13; pid++) add(&stock, pid);
    assert_true(stock_bury(&stock, 11, START_NS));
    assert_false(stock_bury(&stock, 11, START_NS));
    assert_false(stock_bury(&stock, 99, START_NS));
    assert_int_equal(take(&stock, START_NS), 10);
    assert_int_equal(take(&stock, START_NS), 12);
    assert_int_equal(take(&stock, START_NS), 0);
}

/* Fails until the stock waits for so long; returns how often. */
static uint32_t fail_until(struct stock *stock, uint64_t *now_ns, uint64_t pause_ns)
{
    uint32_t failures = 0;
    for (uint64_t waited_ns = 0; waited_ns < pause_ns; failures++) {
        stock_fail(stock, *now_ns);
        assert_false(stock_is_due(stock, *now_ns));
        uint64_t before_ns = *now_ns;
        while (!stock_is_due(stock, *now_ns)) *now_ns += MILLISECOND;
        assert_true(*now_ns - before_ns >= waited_ns);
        waited_ns = *now_ns - before_ns;
    }
    return failures;
}

static void what_fails_again_and_again_is_tried_once_a_second(void **state)
{
    (void)state;
    struct stock stock;
    uint64_t now_ns = START_NS;
    stock_open(&stock, 1);
    assert_in_range(fail_until(&stock, &now_ns, SECOND), 5, 10);
    for (int i = 0; i < 100; i++) {
        stock_fail(&stock, now_ns);
        assert_int_equal(stock_wait_ms(&stock, now_ns), 1001);
        now_ns += SECOND;
        assert_true(stock_is_due(&stock, now_ns));
    }
    add(&stock, 10); /* one that a slot can use makes up for it */
    assert_int_equal(take(&stock, now_ns), 10);
    stock_fail(&stock, now_ns);
    assert_true(stock_is_due(&stock, now_ns + 10 * MILLISECOND));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_are_as_many_as_slots_but_not_more_than_a_few),
        cmocka_unit_test(the_oldest_goes_first),
        cmocka_unit_test(the_next_is_forked_a_moment_after_one_was_taken),
        cmocka_unit_test(one_that_dies_is_none_any_more),
        cmocka_unit_test(what_fails_again_and_again_is_tried_once_a_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
