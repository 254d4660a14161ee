/* latch.c - one at a time has it, and who waits gets it. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "../../src/pool/latch.h"

#include <pthread.h>
#include <sched.h>

enum { THREADS = 4, ROUNDS = 50000 };

struct room {
    struct latch latch;
    uint64_t inside, visits; /* plain: the latch guards them */
    atomic_bool overlaps;
    atomic_bool waits, entered;
};

static void *visit_often(void *context)
{
    struct room *room = context;
    for (int round = 0; round < ROUNDS; round++) {
        latch_take(&room->latch);
        if (room->inside++ != 0) atomic_store(&room->overlaps, true);
        if (round % 1000 == 0) (void)sched_yield(); /* with the latch held */
        room->visits++;
        room->inside--;
        latch_give(&room->latch);
    }
    return NULL;
}

static void many_threads_are_never_inside_together(void **state)
{
    (void)state;
    struct room room = {.visits = 0};
    pthread_t threads[THREADS];
    for (int at = 0; at < THREADS; at++) {
        assert_int_equal(pthread_create(&threads[at], NULL, visit_often, &room), 0);
    }
    for (int at = 0; at < THREADS; at++) assert_int_equal(pthread_join(threads[at], NULL), 0);
    assert_false(atomic_load(&room.overlaps));
    assert_int_equal(room.visits, THREADS * ROUNDS);
}

static void *visit_once(void *context)
{
    struct room *room = context;
    assert_false(latch_try(&room->latch));
    atomic_store(&room->waits, true);
    latch_take(&room->latch);
    atomic_store(&room->entered, true);
    latch_give(&room->latch);
    return NULL;
}

/* Through glances and yields to naps, however many of them fit in between. */
static void who_finds_it_held_waits_and_then_has_it(void **state)
{
    (void)state;
    enum { LOOKS = 2000 };
    struct room room = {.visits = 0};
    pthread_t visitor;
    assert_true(latch_try(&room.latch));
    assert_int_equal(pthread_create(&visitor, NULL, visit_once, &room), 0);
    while (!atomic_load(&room.waits)) (void)sched_yield();
    for (int look = 0; look < LOOKS; look++) {
        assert_false(atomic_load(&room.entered));
        (void)sched_yield();
    }
    latch_give(&room.latch);
    assert_int_equal(pthread_join(visitor, NULL), 0);
    assert_true(atomic_load(&room.entered));
    assert_true(latch_try(&room.latch)); /* given back */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_threads_are_never_inside_together),
        cmocka_unit_test(who_finds_it_held_waits_and_then_has_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
