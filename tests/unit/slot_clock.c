/* slot_clock.c - short runs are measured together, and their times add up. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "../../src/pool/slot.h"

#include <stdlib.h>
#include <string.h>

enum { RUNS = 100000, OFF_NS_MAX = 50 * 1000 };

struct desk {
    struct pool *pool;
    struct slot *slot;
    const struct handler *handler;
};

static int nothing(tmesh_job_t *job, void *context)
{
    (void)job;
    (void)context;
    return TMESH_DONE;
}

static void *zeroed(size_t alignment, size_t bytes)
{
    void *memory = aligned_alloc(alignment, bytes);
    assert_non_null(memory);
    return memset(memory, 0, bytes);
}

/* As much of a pool and a slot as has to do with time; no thread runs. */
static void open_desk(struct desk *desk)
{
    desk->pool = zeroed(_Alignof(struct pool), sizeof *desk->pool);
    desk->slot = zeroed(_Alignof(struct slot), sizeof *desk->slot);
    tmesh_registry_t *registry = registry_new();
    assert_non_null(registry);
    assert_int_equal(tmesh_registry_add(registry, "brisk", nothing, NULL), TMESH_OK);
    desk->pool->options.registry = registry;
    desk->slot->pool = desk->pool;
    desk->handler = registry_at(registry, 0);
    slot_look(desk->slot);
}

static void close_desk(struct desk *desk)
{
    tmesh_registry_t *registry = (tmesh_registry_t *)desk->pool->options.registry;
    registry_destroy(&registry);
    free(desk->slot);
    free(desk->pool);
}

/* Runs that take no time but what it takes to measure them.  With each look what all were
 * said to take must be what has passed, and a bit more that later ones are to make good.
 * Returns how often the slot looked. */
static uint32_t run_many(struct desk *desk)
{
    struct slot *slot = desk->slot;
    uint64_t began_ns = slot->laps.looked_ns, said_ns = 0;
    uint32_t looks = 0;
    for (int run = 0; run < RUNS; run++) {
        said_ns += slot_lap(slot, desk->handler);
        if (slot->laps.guesses > 0) continue;
        looks++;
        assert_int_equal(said_ns, slot->laps.looked_ns - began_ns + slot->laps.excess_ns);
        assert_true(slot->laps.excess_ns <= OFF_NS_MAX);
    }
    return looks;
}

static void times_of_short_runs_add_up(void **state)
{
    (void)state;
    struct desk desk;
    open_desk(&desk);
    (void)run_many(&desk);
    close_desk(&desk);
}

/* What some were said to take too long is no reason to look after each of the next. */
static void many_short_runs_share_a_look(void **state)
{
    (void)state;
    struct desk desk;
    open_desk(&desk);
    assert_true(run_many(&desk) < RUNS / 6);
    close_desk(&desk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_of_short_runs_add_up),
        cmocka_unit_test(many_short_runs_share_a_look),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
