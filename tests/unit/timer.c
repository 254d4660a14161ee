/* timer.c - a loop's timer: it goes off in time, stands when the next limit is later, and ends a
 * wait for what it was set to. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "../../src/core/instant.h"
#include "../../src/net/pollset.h"
#include "../../src/net/timer.h"
#include "../../src/net/waker.h"
#include "../../src/watch/clock.h"

static struct timer timer;

static int open_timer(void **state)
{
    (void)state;
    timer_open(&timer);
    return timer.fd >= 0 ? 0 : -1;
}

static int close_timer(void **state)
{
    (void)state;
    timer_close(&timer);
    return 0;
}

static void await(uint64_t timeout_ns)
{
    struct pollset set;
    pollset_init(&set);
    set.timer = &timer;
    pollset_wait(&set, 0, clock_now_ns() + timeout_ns);
}

static void a_later_limit_leaves_it_as_it_stands(void **state)
{
    (void)state;
    uint64_t hour_ns = clock_now_ns() + 3600 * SECOND;
    assert_true(timer_set(&timer, hour_ns));
    assert_true(timer_set(&timer, hour_ns + SECOND));
    assert_true(timer_set(&timer, INSTANT_NEVER));
    assert_true(timer.due_ns == hour_ns);
    assert_true(timer_set(&timer, hour_ns - TIMER_SLACK_NS));
    assert_true(timer.due_ns == hour_ns);
    assert_true(timer_set(&timer, hour_ns - SECOND));
    assert_true(timer.due_ns == hour_ns - SECOND);
}

static void a_wait_ends_in_time_and_not_before(void **state)
{
    (void)state;
    for (uint64_t round = 0; round < 10; round++) {
        uint64_t began_ns = clock_now_ns();
        await(2 * MILLISECOND);
        assert_true(clock_now_ns() - began_ns >= 2 * MILLISECOND);
        assert_true(timer.due_ns == 0); /* it is seen to have gone off */
    }
}

/* What an earlier wait left, which ended before: this one ends once for nothing, and the next
 * has a limit of its own. */
static void what_is_left_of_an_earlier_wait_ends_one(void **state)
{
    (void)state;
    uint64_t soon_ns = clock_now_ns() + MILLISECOND;
    assert_true(timer_set(&timer, soon_ns));
    await(3600 * SECOND);
    assert_true(clock_now_ns() >= soon_ns);
    assert_true(timer.due_ns == 0);
    uint64_t began_ns = clock_now_ns();
    await(MILLISECOND);
    assert_true(clock_now_ns() - began_ns >= MILLISECOND);
}

static void an_earlier_limit_moves_it(void **state)
{
    (void)state;
    struct waker waker;
    struct pollset set;
    assert_int_equal(waker_open(&waker), 0);
    waker_wake(&waker);
    pollset_init(&set);
    set.timer = &timer;
    pollset_add_waker(&set, &waker);
    pollset_wait(&set, 0, clock_now_ns() + 3600 * SECOND);
    assert_true(timer.due_ns > clock_now_ns() + SECOND);
    waker_close(&waker);
    await(MILLISECOND);
    assert_true(timer.due_ns == 0);
}

/* Out of descriptors, waits have limits of their own. */
static void without_one_a_wait_ends_in_time_too(void **state)
{
    (void)state;
    timer_close(&timer);
    assert_false(timer_set(&timer, clock_now_ns() + MILLISECOND));
    await(MILLISECOND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_later_limit_leaves_it_as_it_stands, open_timer,
                                        close_timer),
        cmocka_unit_test_setup_teardown(a_wait_ends_in_time_and_not_before, open_timer,
                                        close_timer),
        cmocka_unit_test_setup_teardown(what_is_left_of_an_earlier_wait_ends_one, open_timer,
                                        close_timer),
        cmocka_unit_test_setup_teardown(an_earlier_limit_moves_it, open_timer, close_timer),
        cmocka_unit_test_setup_teardown(without_one_a_wait_ends_in_time_too, open_timer,
                                        close_timer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
