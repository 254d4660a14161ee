/* pace.c - so many lines a second, on a clock of the test's own. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "core/instant.h"
#include "pool/pace.h"

enum { PER_SECOND = 3 };

static char note[PACE_NOTE_BYTES];

static uint32_t passed_of(struct pace *pace, uint32_t lines, uint64_t now_ns)
{
    uint32_t passed = 0;
    for (uint32_t i = 0; i < lines; i++) {
        if (pace_allows(pace, PER_SECOND, now_ns, note)) passed++;
    }
    return passed;
}

static void a_second_lets_so_many_pass(void **state)
{
    (void)state;
    struct pace pace = {0};
    uint64_t now_ns = 5 * SECOND;
    assert_int_equal(passed_of(&pace, PER_SECOND, now_ns), PER_SECOND);
    assert_string_equal(note, "");
    assert_int_equal(passed_of(&pace, 10, now_ns + SECOND - 1), 0);
    assert_int_equal(passed_of(&pace, 10, now_ns + SECOND), PER_SECOND);
}

static void what_is_dropped_is_told_once_at_the_first_and_once_when_it_is_over(void **state)
{
    (void)state;
    struct pace pace = {0};
    assert_int_equal(passed_of(&pace, PER_SECOND, SECOND), PER_SECOND);
    assert_int_equal(passed_of(&pace, 1, SECOND), 0);
    assert_string_equal(note, "over 3 lines in this second: the slot's next ones are dropped");
    assert_int_equal(passed_of(&pace, 1, SECOND), 0);
    assert_string_equal(note, "");
    assert_int_equal(passed_of(&pace, 5, 2 * SECOND - 1), 0);
    assert_string_equal(note, "");
    /* However long nothing was said. */
    assert_int_equal(passed_of(&pace, 1, 60 * SECOND), 1);
    assert_string_equal(note, "7 lines dropped: over 3 a second");
    assert_int_equal(passed_of(&pace, 1, 60 * SECOND), 1);
    assert_string_equal(note, "");
    assert_int_equal(passed_of(&pace, 1, 62 * SECOND), 1);
    assert_string_equal(note, "");
}

static void more_than_can_be_counted_is_not_told_as_if_it_began(void **state)
{
    (void)state;
    struct pace pace = {.second_ns = SECOND, .passed = PER_SECOND, .dropped = UINT32_MAX};
    assert_int_equal(passed_of(&pace, 2, SECOND), 0);
    assert_string_equal(note, "");
    assert_int_equal(passed_of(&pace, 1, 2 * SECOND), 1);
    assert_string_equal(note, "4294967295 lines dropped: over 3 a second");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_lets_so_many_pass),
        cmocka_unit_test(what_is_dropped_is_told_once_at_the_first_and_once_when_it_is_over),
        cmocka_unit_test(more_than_can_be_counted_is_not_told_as_if_it_began),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
