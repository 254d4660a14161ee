/* dispositions.c - what the host does with signals, on a clock of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>

#include "pool/dispositions.h"

static const uint64_t START_NS = 1000 * 1000000000ULL;
static const uint64_t BELIEVED_NS = DISPOSITIONS_BELIEVED_MS * 1000000ULL;

static void handle(int number)
{
    (void)number;
}

static bool knows(const struct dispositions *dispositions, int number)
{
    for (uint32_t i = 0; i < dispositions->count; i++) {
        if (dispositions->changed[i] == number) return true;
    }
    return false;
}

static bool is_default(int number)
{
    struct sigaction action;
    assert_int_equal(sigaction(number, NULL, &action), 0);
    return action.sa_handler == SIG_DFL;
}

static void ignored_and_handled_signals_are_reset(void **state)
{
    (void)state;
    struct dispositions dispositions = {0};
    assert_true(signal(SIGUSR1, SIG_IGN) != SIG_ERR);
    assert_true(signal(SIGUSR2, handle) != SIG_ERR);
    assert_true(signal(SIGRTMAX, SIG_IGN) != SIG_ERR);
    dispositions_look(&dispositions, START_NS);
    assert_true(knows(&dispositions, SIGUSR1));
    assert_true(knows(&dispositions, SIGUSR2));
    assert_true(knows(&dispositions, SIGRTMAX));
    assert_false(knows(&dispositions, SIGTERM));
    dispositions_reset(&dispositions);
    assert_true(is_default(SIGUSR1));
    assert_true(is_default(SIGUSR2));
    assert_true(is_default(SIGRTMAX));
}

static void what_was_seen_is_believed_for_a_moment(void **state)
{
    (void)state;
    struct dispositions dispositions = {0};
    dispositions_look(&dispositions, START_NS);
    assert_true(signal(SIGUSR1, SIG_IGN) != SIG_ERR);
    dispositions_look(&dispositions, START_NS + BELIEVED_NS - 1);
    assert_false(knows(&dispositions, SIGUSR1));
    dispositions_look(&dispositions, START_NS + BELIEVED_NS);
    assert_true(knows(&dispositions, SIGUSR1));
    assert_true(signal(SIGUSR1, SIG_DFL) != SIG_ERR);
    dispositions_look(&dispositions, START_NS + 2 * BELIEVED_NS);
    assert_false(knows(&dispositions, SIGUSR1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ignored_and_handled_signals_are_reset),
        cmocka_unit_test(what_was_seen_is_believed_for_a_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
