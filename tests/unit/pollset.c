/* pollset.c - a wait ends for what came, says what that was, and forgets the wakes it saw. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "../../src/core/instant.h"
#include "../../src/net/pollset.h"
#include "../../src/net/waker.h"
#include "../../src/watch/clock.h"

static struct waker wakers[3];

static int open_wakers(void **state)
{
    (void)state;
    for (int at = 0; at < 3; at++) assert_int_equal(waker_open(&wakers[at]), 0);
    return 0;
}

static int close_wakers(void **state)
{
    (void)state;
    for (int at = 0; at < 3; at++) waker_close(&wakers[at]);
    return 0;
}

static void what_came_is_flagged_and_nothing_else(void **state)
{
    (void)state;
    struct pollset set;
    bool first = false, second = false;
    pollset_init(&set);
    pollset_add(&set, wakers[0].fd, &first);
    pollset_add(&set, wakers[1].fd, &second);
    waker_wake(&wakers[1]);
    pollset_wait(&set, 0, INSTANT_NEVER);
    assert_false(first);
    assert_true(second);
}

/* A flag of before is its owner's: what is not there now may be there all the same. */
static void a_flag_that_is_set_stays(void **state)
{
    (void)state;
    struct pollset set;
    bool flag = true;
    pollset_init(&set);
    pollset_add(&set, wakers[0].fd, &flag);
    pollset_wait(&set, 0, 0);
    assert_true(flag);
}

static void each_waker_that_woke_is_calm_again(void **state)
{
    (void)state;
    struct pollset set;
    bool told = false;
    for (int round = 0; round < 2; round++) {
        waker_wake(&wakers[0]);
        waker_wake(&wakers[1]);
        pollset_init(&set);
        pollset_add_waker(&set, &wakers[0]);
        pollset_add_waker(&set, &wakers[1]);
        pollset_wait(&set, round == 0 ? 0 : SECOND, INSTANT_NEVER);
    }
    pollset_init(&set);
    pollset_add(&set, wakers[0].fd, &told);
    pollset_add(&set, wakers[1].fd, &told);
    pollset_wait(&set, 0, 0);
    assert_false(told);
}

/* Without an end of its own, this wait would be for ever. */
static void what_is_ready_is_not_waited_for(void **state)
{
    (void)state;
    struct pollset set;
    pollset_init(&set);
    pollset_add_waker(&set, &wakers[0]);
    set.ready = true;
    pollset_wait(&set, SECOND, INSTANT_NEVER);
}

static void time_passes(void **state)
{
    (void)state;
    struct pollset set;
    pollset_init(&set);
    pollset_add_waker(&set, &wakers[0]);
    pollset_wait(&set, 0, clock_now_ns() + MILLISECOND);
    pollset_wait(&set, MILLISECOND, clock_now_ns() + 2 * MILLISECOND);
    pollset_wait(&set, 2 * MILLISECOND, clock_now_ns() + MILLISECOND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_came_is_flagged_and_nothing_else, open_wakers,
                                        close_wakers),
        cmocka_unit_test_setup_teardown(a_flag_that_is_set_stays, open_wakers, close_wakers),
        cmocka_unit_test_setup_teardown(each_waker_that_woke_is_calm_again, open_wakers,
                                        close_wakers),
        cmocka_unit_test_setup_teardown(what_is_ready_is_not_waited_for, open_wakers, close_wakers),
        cmocka_unit_test_setup_teardown(time_passes, open_wakers, close_wakers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
