/* turn.c - our own lateness, and the silence of others measured without it. */
#include "core/turn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const uint64_t PATIENCE_NS = 1500 * MILLISECOND;
static const uint64_t START_NS = 100 * SECOND;

/* Steps that come in time, up to `now_ns`. */
static void run_until(struct turn *turn, uint64_t now_ns)
{
    while (turn->last_ns < now_ns) {
        uint64_t next_ns = turn->last_ns + SECOND;
        turn_note(turn, PATIENCE_NS, next_ns < now_ns ? next_ns : now_ns);
    }
}

static void silence_is_time_when_we_are_in_time(void **state)
{
    (void)state;
    struct turn turn = {.last_ns = START_NS};
    uint64_t heard_ns = turn_clock(&turn, START_NS);
    run_until(&turn, START_NS + 3 * SECOND);
    assert_int_equal(turn_silence(&turn, heard_ns, START_NS + 3 * SECOND), 3 * SECOND);
    assert_int_equal(turn_silent_at(&turn, heard_ns, 4 * SECOND), START_NS + 4 * SECOND);
    assert_int_equal(turn.resumed_ns, 0);
}

static void after_a_late_step_silence_begins_anew(void **state)
{
    (void)state;
    struct turn turn = {.last_ns = START_NS};
    uint64_t heard_ns = turn_clock(&turn, START_NS), now_ns = START_NS + 600 * SECOND;
    turn_note(&turn, PATIENCE_NS, now_ns);
    assert_int_equal(turn.resumed_ns, now_ns);
    assert_int_equal(turn_silence(&turn, heard_ns, now_ns), 0);
    assert_int_equal(turn_silent_at(&turn, heard_ns, 4 * SECOND), now_ns + 4 * SECOND);
    run_until(&turn, now_ns + SECOND);
    assert_int_equal(turn_silence(&turn, heard_ns, now_ns + SECOND), SECOND);
    heard_ns = turn_clock(&turn, now_ns + SECOND);
    assert_int_equal(turn_silence(&turn, heard_ns, now_ns + SECOND), 0);
}

/* As late as this each time: a dead peer is noticed all the same, and one that is
 * heard in every step is never silent for long. */
static void who_is_late_over_and_over_still_notices_silence(void **state)
{
    (void)state;
    struct turn turn = {.last_ns = START_NS};
    uint64_t dead_ns = turn_clock(&turn, START_NS), alive_ns = dead_ns, now_ns = START_NS;
    uint32_t steps = 0;
    for (; turn_silence(&turn, dead_ns, now_ns) < 4 * SECOND; steps++) {
        assert_true(steps < 5);
        now_ns += 3 * SECOND;
        turn_note(&turn, PATIENCE_NS, now_ns);
        assert_true(turn_silence(&turn, alive_ns, now_ns) <= PATIENCE_NS);
        alive_ns = turn_clock(&turn, now_ns);
    }
    assert_int_equal(steps, 4); /* the first one excuses all, the others all but 1.5 s each */
}

static void a_late_step_after_a_calm_time_stands_alone_again(void **state)
{
    (void)state;
    struct turn turn = {.last_ns = START_NS};
    uint64_t now_ns = START_NS + 3 * SECOND;
    turn_note(&turn, PATIENCE_NS, now_ns);
    uint64_t heard_ns = turn_clock(&turn, now_ns);
    now_ns += 3 * SECOND;
    turn_note(&turn, PATIENCE_NS, now_ns);
    assert_int_equal(turn_silence(&turn, heard_ns, now_ns), PATIENCE_NS);
    now_ns += TURN_CALM_NS;
    run_until(&turn, now_ns);
    heard_ns = turn_clock(&turn, now_ns);
    now_ns += 3 * SECOND;
    turn_note(&turn, PATIENCE_NS, now_ns);
    assert_int_equal(turn_silence(&turn, heard_ns, now_ns), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silence_is_time_when_we_are_in_time),
        cmocka_unit_test(after_a_late_step_silence_begins_anew),
        cmocka_unit_test(who_is_late_over_and_over_still_notices_silence),
        cmocka_unit_test(a_late_step_after_a_calm_time_stands_alone_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
