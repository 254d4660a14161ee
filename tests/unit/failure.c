/* failure.c - an error has its code and its story, and every code has a sentence. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "../../src/node/failure.h"

#include <stdlib.h>
#include <string.h>

static void a_failure_fills_in_code_and_text(void **state)
{
    (void)state;
    tmesh_error_t error;
    assert_int_equal(failure(&error, TMESH_E_FULL, "%d of %s", 3, "these"), TMESH_E_FULL);
    assert_int_equal(error.code, TMESH_E_FULL);
    assert_string_equal(error.text, "3 of these");
}

static void nobody_has_to_listen(void **state)
{
    (void)state;
    assert_int_equal(failure(NULL, TMESH_E_SYSTEM, "%s", "unheard"), TMESH_E_SYSTEM);
}

static void a_long_text_is_cut_and_terminated(void **state)
{
    (void)state;
    char text[2 * TMESH_ERROR_TEXT_BYTES];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    tmesh_error_t error;
    (void)failure(&error, TMESH_E_INVALID, "%s", text);
    assert_int_equal(strlen(error.text), TMESH_ERROR_TEXT_BYTES - 1);
}

/* Sentences for codes 0 .. count-1 are there, and no two are alike. */
static void check_sentences(const char *(*text_of)(int code), int count)
{
    for (int code = 0; code < count; code++) {
        assert_true(strlen(text_of(code)) > 0);
        for (int other = 0; other < code; other++) {
            assert_string_not_equal(text_of(code), text_of(other));
        }
    }
    assert_true(strlen(text_of(count)) > 0); /* of a later version */
    assert_string_equal(text_of(count), text_of(count + 1));
}

static const char *error_text(int code)
{
    return tmesh_error_text((enum tmesh_err) - code);
}

static const char *reason_text(int code)
{
    return failure_reason((enum reason)code);
}

static void every_code_and_every_reason_has_a_sentence_of_its_own(void **state)
{
    (void)state;
    check_sentences(error_text, -TMESH_E_DAMAGED + 1);
    check_sentences(reason_text, REASON_AWAITED + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failure_fills_in_code_and_text),
        cmocka_unit_test(nobody_has_to_listen),
        cmocka_unit_test(a_long_text_is_cut_and_terminated),
        cmocka_unit_test(every_code_and_every_reason_has_a_sentence_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
