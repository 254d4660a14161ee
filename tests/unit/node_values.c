/* node_values.c - numbers, sizes, times and truths as people write them, and as
 * they should not.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "../../nodes/values.h"

#include <string.h>

static const uint64_t KI = 1024, MI = 1048576, GI = 1073741824, TI = 1099511627776;

static void expect_count(const char *text, uint64_t wanted)
{
    uint64_t count = 77;
    assert_null(value_count(text, &count));
    assert_int_equal(count, wanted);
}

static void expect_size(const char *text, uint64_t wanted)
{
    uint64_t bytes = 77;
    if (value_size(text, &bytes)) fail_msg("'%s' is refused", text);
    assert_int_equal(bytes, wanted);
}

static void expect_duration(const char *text, uint64_t wanted)
{
    uint64_t ms = 77;
    if (value_duration(text, 1000, &ms)) fail_msg("'%s' is refused", text);
    assert_int_equal(ms, wanted);
}

static void a_count_is_any_whole_number_of_64_bits(void **state)
{
    (void)state;
    expect_count("0", 0);
    expect_count("20000", 20000);
    expect_count("007", 7);
    expect_count("18446744073709551615", UINT64_MAX);
    expect_count("0000000000000000000000000000001", 1);
}

static void anything_else_is_no_count(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        " ",
                                        "-1",
                                        "+1",
                                        " 1",
                                        "1 ",
                                        "1.0",
                                        "1,000",
                                        "0x1",
                                        "1e3",
                                        "1K",
                                        "\xd9\xa1",
                                        "x",
                                        "1\n",
                                        "--1",
                                        "18446744073709551616",
                                        "/",
                                        ":",
                                        "1:",
                                        "18446744073709551620",
                                        "99999999999999999999",
                                        "184467440737095516150"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        uint64_t count = 0;
        const char *fault = value_count(texts[i], &count);
        if (!fault) fail_msg("'%s' is taken for %ju", texts[i], (uintmax_t)count);
        assert_string_equal(fault, "must be a whole number");
    }
}

static void sizes_have_units_of_1024(void **state)
{
    (void)state;
    expect_size("0", 0);
    expect_size("4096", 4096);
    expect_size("64K", 64 * KI);
    expect_size("64k", 64 * KI);
    expect_size("10M", 10 * MI);
    expect_size("10m", 10 * MI);
    expect_size("2G", 2 * GI);
    expect_size("2g", 2 * GI);
    expect_size("1T", TI);
    expect_size("1t", TI);
    expect_size("3KiB", 3 * KI);
    expect_size("3KB", 3 * KI);
    expect_size("3Ki", 3 * KI);
    expect_size("3MiB", 3 * MI);
    expect_size("18446744073709551615", UINT64_MAX);
    expect_size("16777215T", 16777215 * TI);
    expect_size("18014398509481983K", 18014398509481983 * KI);
}

static void a_size_that_does_not_fit_says_so(void **state)
{
    (void)state;
    uint64_t bytes;
    const char *fault = "is more than any machine has";
    assert_string_equal(value_size("16777216T", &bytes), fault);
    assert_string_equal(value_size("18014398509481984K", &bytes), fault);
    assert_string_equal(value_size("17592186044416M", &bytes), fault);
    assert_string_equal(value_size("17179869184G", &bytes), fault);
    assert_string_equal(value_size("18446744073709551615k", &bytes), fault);
}

static void anything_else_is_no_size(void **state)
{
    (void)state;
    static const char *const texts[] = {"",      "K",    "-1",    "1.5G", "1 K",
                                        "1KK",   "1Kb",  "1B",    "1iB",  "1Q",
                                        "1P",    "1Kib", "1K ",   "0x10", "1KBi",
                                        "1\x01", "1 ",   "1\xcb", "1@",   "18446744073709551616"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        uint64_t bytes = 0;
        const char *fault = value_size(texts[i], &bytes);
        if (!fault) fail_msg("'%s' is taken for %ju", texts[i], (uintmax_t)bytes);
        assert_non_null(strstr(fault, "must be a size"));
    }
}

static void times_have_units(void **state)
{
    (void)state;
    expect_duration("500ms", 500);
    expect_duration("10s", 10000);
    expect_duration("10sec", 10000);
    expect_duration("2m", 120000);
    expect_duration("2min", 120000);
    expect_duration("1h", 3600000);
    expect_duration("1d", 86400000);
    expect_duration("0", 0);
    expect_duration("0s", 0);
    expect_duration("7", 7000);
}

static void a_plain_number_counts_what_the_option_says(void **state)
{
    (void)state;
    uint64_t ms = 0;
    assert_null(value_duration("7", 1, &ms));
    assert_int_equal(ms, 7);
    assert_null(value_duration("7s", 1, &ms));
    assert_int_equal(ms, 7000);
    assert_null(value_duration("7", 60000, &ms));
    assert_int_equal(ms, 420000);
}

static void times_may_have_decimals_down_to_a_millisecond(void **state)
{
    (void)state;
    expect_duration("1.5s", 1500);
    expect_duration("1.5", 1500);
    expect_duration("0.25s", 250);
    expect_duration("0.001s", 1);
    expect_duration("0.0019s", 1);
    expect_duration("2.999999999999999999999999s", 2999);
    expect_duration("1.5m", 90000);
    expect_duration("0.5h", 1800000);
    expect_duration("0.125d", 10800000);
    expect_duration("1.05s", 1050);
    expect_duration("1.9ms", 1);
}

static void the_longest_time_does_not_wrap_around(void **state)
{
    (void)state;
    uint64_t ms;
    expect_duration("4294967295ms", UINT32_MAX);
    expect_duration("4294967295.999d", (uint64_t)UINT32_MAX * 86400000 + 86313600);
    assert_string_equal(value_duration("4294967296", 1, &ms), "is too long");
    assert_string_equal(value_duration("4294967296ms", 1000, &ms), "is too long");
    assert_string_equal(value_duration("4294967296d", 1000, &ms), "is too long");
    assert_string_equal(value_duration("18446744073709551615s", 1000, &ms), "is too long");
}

static void anything_else_is_no_time(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",     "s",    "-1s",   "+1s", "1 s",  "1S", "1MS", "1us",
        "1ns",  "1w",   "1hour", "1s ", "1.s",  "1.", ".5s", "1..5",
        "1.5.", "1,5s", "1h30m", "1e3", "soon", "1x", " 1s", "18446744073709551616"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        uint64_t ms = 0;
        const char *fault = value_duration(texts[i], 1000, &ms);
        if (!fault) fail_msg("'%s' is taken for %ju ms", texts[i], (uintmax_t)ms);
        assert_non_null(strstr(fault, "must be a time"));
    }
}

static void truths_have_four_names_and_falsehoods_five(void **state)
{
    (void)state;
    static const char *const yes[] = {"1", "yes", "true", "on", "YES", "True", "oN"};
    static const char *const no[] = {"", "0", "no", "false", "off", "NO", "False", "oFF"};
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
        bool flag = false;
        assert_null(value_flag(yes[i], &flag));
        assert_true(flag);
    }
    for (size_t i = 0; i < sizeof no / sizeof *no; i++) {
        bool flag = true;
        assert_null(value_flag(no[i], &flag));
        assert_false(flag);
    }
}

static void anything_else_is_neither(void **state)
{
    (void)state;
    static const char *const texts[] = {"2", "y", "n", "yes ", " no", "maybe", "00", "tru", "onn"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        bool flag;
        const char *fault = value_flag(texts[i], &flag);
        assert_non_null(fault);
        assert_string_equal(fault, "must be yes or no");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_count_is_any_whole_number_of_64_bits),
        cmocka_unit_test(anything_else_is_no_count),
        cmocka_unit_test(sizes_have_units_of_1024),
        cmocka_unit_test(a_size_that_does_not_fit_says_so),
        cmocka_unit_test(anything_else_is_no_size),
        cmocka_unit_test(times_have_units),
        cmocka_unit_test(a_plain_number_counts_what_the_option_says),
        cmocka_unit_test(times_may_have_decimals_down_to_a_millisecond),
        cmocka_unit_test(the_longest_time_does_not_wrap_around),
        cmocka_unit_test(anything_else_is_no_time),
        cmocka_unit_test(truths_have_four_names_and_falsehoods_five),
        cmocka_unit_test(anything_else_is_neither),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
