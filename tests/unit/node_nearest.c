/* node_nearest.c - the word that was probably meant, or none. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "../../nodes/nearest.h"

#include <stdbool.h>
#include <string.h>

static const char *const options[] = {"connect",    "command", "module",    "allow-exec",
                                      "queue",      "slots",   "pool",      "label",
                                      "log-format", "grace",   "log-level", NULL};

static const char *meant(const char *wanted)
{
    struct nearest nearest = nearest_to(wanted);
    for (size_t i = 0; options[i]; i++) nearest_offer(&nearest, options[i]);
    return nearest.word;
}

static void expect(const char *wanted, const char *word)
{
    const char *seen = meant(wanted);
    if (!seen || strcmp(seen, word) != 0) {
        fail_msg("'%s' is taken for '%s', not '%s'", wanted, seen ? seen : "(nothing)", word);
    }
}

static void a_letter_too_many_too_few_or_wrong_is_seen_through(void **state)
{
    (void)state;
    expect("conect", "connect");
    expect("connnect", "connect");
    expect("cannect", "connect");
    expect("xslots", "slots");
    expect("lots", "slots");
    expect("slotz", "slots");
    expect("tools", "pool");
    expect("log_format", "log-format");
    expect("qeueu", "queue");
}

static void the_beginning_of_a_name_means_that_name(void **state)
{
    (void)state;
    expect("log-f", "log-format");
    expect("allow", "allow-exec");
    expect("mo", "module");
}

static void a_single_letter_means_nothing(void **state)
{
    (void)state;
    assert_null(meant("a"));
    assert_null(meant("m"));
    assert_null(meant(""));
}

static void another_word_is_not_taken_for_one_of_ours(void **state)
{
    (void)state;
    assert_null(meant("frobnicate"));
    assert_null(meant("xyz"));
    assert_null(meant("bind"));
    assert_null(meant("bol"));
    assert_null(meant("tcp://127.0.0.1:5555"));
}

static void a_long_word_is_near_to_nothing(void **state)
{
    (void)state;
    char word[1001] = "";
    for (size_t bytes = 12; bytes + 1 < sizeof word; bytes++) {
        memset(word, 'o', bytes);
        const char *seen = meant(word);
        if (seen) fail_msg("%zu letters are taken for '%s'", bytes, seen);
    }
}

static void a_long_candidate_is_found_by_its_beginning_only(void **state)
{
    (void)state;
    char longer[41] = "";
    memset(longer, 'z', sizeof longer - 1);
    struct nearest nearest = nearest_to("zzzy");
    nearest_offer(&nearest, longer);
    assert_null(nearest.word);
    nearest = nearest_to("zzzz");
    nearest_offer(&nearest, longer);
    assert_ptr_equal(nearest.word, longer);
}

static void of_two_that_are_as_near_the_first_wins(void **state)
{
    (void)state;
    struct nearest nearest = nearest_to("cat");
    nearest_offer(&nearest, "bat");
    nearest_offer(&nearest, "hat");
    assert_string_equal(nearest.word, "bat");
    nearest = nearest_to("jobbs");
    nearest_offer(&nearest, "jabs");
    nearest_offer(&nearest, "jobs");
    nearest_offer(&nearest, "rubs");
    assert_string_equal(nearest.word, "jobs");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_letter_too_many_too_few_or_wrong_is_seen_through),
        cmocka_unit_test(the_beginning_of_a_name_means_that_name),
        cmocka_unit_test(a_single_letter_means_nothing),
        cmocka_unit_test(another_word_is_not_taken_for_one_of_ours),
        cmocka_unit_test(a_long_word_is_near_to_nothing),
        cmocka_unit_test(a_long_candidate_is_found_by_its_beginning_only),
        cmocka_unit_test(of_two_that_are_as_near_the_first_wins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
