/* ventilator_chaos.c - seeded crowds of good and bad peers, and what holds all the same.
 *
 * Messages are lost, repeated and forged; connections close, workers crash or
 * fall silent, our own loop stands still, and a ventilator with a journal dies
 * and comes back.  After that everything is healed and must finish: each
 * accepted task ended once, and each producer knows the end of each task it
 * asked for.
 */
#include "ventilator_chaos_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

enum { SEEDS = 200, SEEDS_WITH_JOURNAL = 60, EVENTS = 2000, TABLES_EVERY = 16 };

static void check_the_end(const struct chaos *chaos)
{
    uint64_t accepted = 0;
    for (uint32_t task = 0; task < chaos->tasks; task++) {
        struct id id = chaos_task_id(task);
        const struct check_task *known = ventilator_check_task(&chaos->check, &id);
        if (known == NULL || known->state == TASK_NONE) continue;
        accepted++;
        assert_int_equal(known->ended, 1);
        bool is_told = false;
        for (uint32_t peer = 0; peer < PRODUCERS; peer++) {
            const struct chaos_wish *wish = &chaos->actors[peer].wishes[task];
            if (wish->end == TASK_NONE) continue;
            is_told = true;
            /* Who was told of the end before a retry is told nothing more. */
            if (!chaos->is_revived[task]) assert_int_equal(wish->end, known->state);
        }
        assert_true(is_told);
    }
    const struct totals *totals = &chaos->ventilator->totals;
    assert_true(accepted > 0);
    if (chaos->crashes > 0) return; /* totals count since the last one */
    assert_int_equal(accepted, totals->submitted);
    assert_int_equal(totals->done + totals->failed + totals->dead,
                     totals->submitted + chaos->revivals);
}

/* What a producer was promised did not depend on anybody's life. */
static void check_promises(const struct chaos *chaos)
{
    for (uint32_t task = 0; task < chaos->tasks; task++) {
        struct id id = chaos_task_id(task);
        for (uint32_t peer = 0; peer < PRODUCERS; peer++) {
            if (!chaos->actors[peer].wishes[task].is_accepted) continue;
            const struct check_task *known = ventilator_check_task(&chaos->check, &id);
            assert_non_null(known);
            assert_int_equal(known->ended, 1);
        }
    }
}

static void live(struct chaos *chaos)
{
    for (uint32_t event = 0; event < EVENTS; event++) {
        chaos->check.is_shallow = event % TABLES_EVERY != 0;
        chaos_act(chaos);
        if (chaos_chance(chaos, 3) > 0) continue;
        chaos_turn(chaos);
        chaos_pass_time(chaos);
    }
    chaos->is_healed = true;
    /* Those that forged a lease forgot their own; a new session finds that out. */
    for (uint32_t peer = 0; peer < PEERS; peer++) chaos->actors[peer].session = 0;
    for (uint32_t event = 0; event < 20 * EVENTS; event++) {
        chaos->check.is_shallow = event % TABLES_EVERY != 0;
        chaos_act(chaos);
        chaos_turn(chaos);
        chaos_pass_time(chaos);
        if (event % 64 == 0 && ventilator_open_count(chaos->ventilator) == 0 &&
            event > EVENTS / 2) {
            break;
        }
    }
    if (ventilator_open_count(chaos->ventilator) > 0) fail_msg("not everything ended");
    check_the_end(chaos);
    check_promises(chaos);
}

static void survive(struct chaos *chaos, enum chaos_keeping keeping)
{
    const char *one = getenv("SEED"); /* to replay what failed */
    uint64_t first = one != NULL ? strtoull(one, NULL, 10) : 1;
    uint64_t seeds = keeping == CHAOS_IN_MEMORY ? SEEDS : SEEDS_WITH_JOURNAL;
    uint64_t last = one != NULL ? first : seeds, crashes = 0, released = 0, revivals = 0;
    for (uint64_t seed = first; seed <= last; seed++) {
        chaos_begin(chaos, seed, keeping);
        live(chaos);
        crashes += chaos->crashes;
        released += chaos->log.released;
        revivals += chaos->revivals;
        chaos_end(chaos);
    }
    if (one == NULL) assert_true(revivals > seeds);
    if (one != NULL || keeping == CHAOS_IN_MEMORY) return;
    assert_true(crashes > seeds && released > 100 * seeds);
}

static void whatever_peers_do_each_task_ends_once_and_its_end_is_known(void **state)
{
    survive(*state, CHAOS_IN_MEMORY);
}

static void the_same_holds_for_a_ventilator_that_dies_and_comes_back(void **state)
{
    survive(*state, CHAOS_WITH_JOURNAL);
}

static int setup(void **state)
{
    *state = calloc(1, sizeof(struct chaos));
    return *state == NULL;
}

static int teardown(void **state)
{
    struct chaos *chaos = *state;
    if (chaos->memory != NULL) {
        print_message("replay with SEED=%llu\n", (unsigned long long)chaos->seed);
        chaos_end(chaos);
    }
    free(chaos);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(whatever_peers_do_each_task_ends_once_and_its_end_is_known,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(the_same_holds_for_a_ventilator_that_dies_and_comes_back,
                                        setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
