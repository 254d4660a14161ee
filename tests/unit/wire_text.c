/* wire_text.c - how a text is written: str when it is UTF-8, bin when it is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/wire/codec.h"

/* How the encoder wrote the one text of a BYE. */
static uint8_t form_of_text(struct encoder *encoder, const char *text)
{
    struct message message = {.kind = MESSAGE_BYE, .u.bye.text = bytes_text(text)};
    struct bytes bytes;
    assert_int_equal(wire_encode(encoder, &message, &bytes), WIRE_OK);
    return bytes.data[MESSAGE_HEADER_BYTES + 1];
}

static void a_text_is_str_exactly_when_it_is_utf8(void **state)
{
    (void)state;
    static const char *const good[] = {"",
                                       "plain",
                                       "\x7f",
                                       "\xc2\x80",
                                       "\xdf\xbf",
                                       "\xe0\xa0\x80",
                                       "\xed\x9f\xbf",
                                       "\xef\xbf\xbf",
                                       "\xf0\x90\x80\x80",
                                       "\xf4\x8f\xbf\xbf",
                                       "a\xc3\xa9z"};
    static const char *const bad[] = {"\x80",
                                      "\xbf",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xc3",
                                      "\xc3(",
                                      "\xe0\x9f\xbf",
                                      "\xed\xa0\x80",
                                      "\xe2\x82",
                                      "\xe2\x82z",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xff",
                                      "cut \xf0\x9f\x98"};
    struct encoder *encoder = encoder_new();
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(form_of_text(encoder, good[i]) & 0xe0, 0xa0);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(form_of_text(encoder, bad[i]), 0xc4);
    }
    encoder_destroy(&encoder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_is_str_exactly_when_it_is_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
