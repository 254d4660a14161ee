/* runs.c - progress that is kept, against a list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/core/random.h"
#include "../../src/core/runs.h"
#include "arena_rig.h"

/* Rows, least lately told first. */
struct model {
    uint32_t rows[RUNS_MAX], count;
};

static struct runs runs;
static struct model model;
static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    runs_init(&runs, &arena);
    arena_rig_map(&arena);
    runs_init(&runs, &arena);
    arena_rig_check(&arena);
    model.count = 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_rig_unmap(&arena);
    return 0;
}

static void model_remove(uint32_t at)
{
    model.count--;
    memmove(model.rows + at, model.rows + at + 1, (model.count - at) * sizeof model.rows[0]);
}

static void add(uint32_t slot)
{
    uint32_t row = runs_add(&runs, slot);
    assert_int_equal(runs.rows[row].slot, slot);
    assert_int_equal(runs.rows[row].listener, RUN_NONE);
    for (uint32_t at = 0; at < model.count; at++) assert_int_not_equal(model.rows[at], row);
    model.rows[model.count++] = row;
}

static void tell(uint32_t at, uint64_t number)
{
    uint32_t row = model.rows[at];
    const struct progress progress = {.number = number, .text = bytes_of(&number, sizeof number)};
    runs_tell(&runs, row, &progress, number + 1);
    assert_int_equal(runs.rows[row].number, number);
    assert_int_equal(runs.rows[row].told_ns, number + 1);
    assert_int_equal(runs.rows[row].text_bytes, sizeof number);
    assert_memory_equal(runs.rows[row].text, &number, sizeof number);
    model_remove(at);
    model.rows[model.count++] = row;
}

static void the_oldest_is_the_one_that_told_least_lately(void **state)
{
    (void)state;
    uint64_t chance = 1;
    for (uint32_t step = 0; step < 30000; step++) {
        uint64_t what = random_up_to(&chance, 9);
        uint32_t at = model.count == 0 ? 0 : (uint32_t)random_up_to(&chance, model.count - 1);
        if (what < 5 && !runs_are_full(&runs)) {
            add(step);
        } else if (what < 8 && model.count > 0) {
            tell(at, step);
        } else if (model.count > 0) {
            runs_remove(&runs, model.rows[at]);
            model_remove(at);
        }
        assert_int_equal(runs.count, model.count);
        if (model.count > 0) assert_int_equal(runs_oldest(&runs), model.rows[0]);
    }
    assert_true(model.count > 100);
}

static void there_is_room_for_so_many_and_no_row_is_lost(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < 3; round++) {
        while (!runs_are_full(&runs)) add(model.count);
        assert_int_equal(model.count, RUNS_MAX);
        while (model.count > 0) {
            runs_remove(&runs, runs_oldest(&runs));
            model_remove(0);
        }
        assert_int_equal(runs.fresh, RUNS_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_oldest_is_the_one_that_told_least_lately, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(there_is_room_for_so_many_and_no_row_is_lost, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
