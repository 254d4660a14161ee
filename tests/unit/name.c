/* name.c - the naming rule, octet by octet. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "../../src/core/name.h"

static void plain_names_are_valid(void **state)
{
    (void)state;
    assert_true(name_is_valid(bytes_text("a")));
    assert_true(name_is_valid(bytes_text("default")));
    assert_true(name_is_valid(bytes_text("image.resize_2-x")));
    assert_true(name_is_valid(bytes_text("-._")));
}

static void a_name_has_1_to_64_characters(void **state)
{
    (void)state;
    char text[66];
    memset(text, 'x', sizeof text);
    assert_false(name_is_valid(bytes_of(text, 0)));
    assert_true(name_is_valid(bytes_of(text, 1)));
    assert_true(name_is_valid(bytes_of(text, 64)));
    assert_false(name_is_valid(bytes_of(text, 65)));
}

static void an_absent_name_is_not_valid(void **state)
{
    (void)state;
    assert_false(name_is_valid((struct bytes){.data = NULL, .size = 0}));
}

static void any_other_octet_anywhere_spoils_a_name(void **state)
{
    (void)state;
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";
    for (unsigned octet = 0; octet < 256; octet++) {
        bool expected = memchr(allowed, (int)octet, sizeof allowed - 1) != NULL;
        for (size_t position = 0; position < 3; position++) {
            uint8_t text[3] = {'a', 'b', 'c'};
            text[position] = (uint8_t)octet;
            assert_int_equal(name_is_valid(bytes_of(text, sizeof text)), expected);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_names_are_valid),
        cmocka_unit_test(a_name_has_1_to_64_characters),
        cmocka_unit_test(an_absent_name_is_not_valid),
        cmocka_unit_test(any_other_octet_anywhere_spoils_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
