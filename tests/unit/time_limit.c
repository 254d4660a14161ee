/* time_limit.c - what is said of a run that took too long. */
#include "core/time_limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void check_cause(enum end_cause cause, const char *behind, const char *expected)
{
    static const struct assignment task = {.limit_ms = 2000, .soft_ms = 1, .stalled_ms = 5000};
    char text[TIME_LIMIT_TEXT_BYTES];
    assert_true(bytes_equal(end_cause_text(cause, end_cause_limit_ms(cause, &task), behind, text),
                            bytes_text(expected)));
}

static void check(uint32_t limit_ms, const char *behind, const char *expected)
{
    char text[TIME_LIMIT_TEXT_BYTES];
    assert_true(
        bytes_equal(end_cause_text(END_LIMIT, limit_ms, behind, text), bytes_text(expected)));
}

static void each_cause_has_words_of_its_own(void **state)
{
    (void)state;
    check_cause(END_SOFT_LIMIT, "", "over its soft time limit of 1 ms");
    check_cause(END_LIMIT, "", "over its time limit of 2 s");
    check_cause(END_STALLED, ": x", "no sign of life for 5 s: x");
    check_cause(END_REVOKED, "", "its lease is over");
}

static void the_limit_is_told_in_seconds_or_in_milliseconds(void **state)
{
    (void)state;
    check(2000, "", "over its time limit of 2 s");
    check(1, "", "over its time limit of 1 ms");
    check(1500, "", "over its time limit of 1500 ms");
    check(3600000, "; and so on", "over its time limit of 3600 s; and so on");
    check(UINT32_MAX, "; which is thirty-two bytes long",
          "over its time limit of 4294967295 ms; "
          "which is thirty-two bytes long");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_cause_has_words_of_its_own),
        cmocka_unit_test(the_limit_is_told_in_seconds_or_in_milliseconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
