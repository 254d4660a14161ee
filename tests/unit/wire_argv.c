/* wire_argv.c - command lines in payloads: what becomes one, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/wire/argv.h"

#include <stdlib.h>

/* Reads a copy that ends where its memory ends. */
static enum wire_error read_copy(const void *data, size_t size, struct argv *argv)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    assert_non_null(copy);
    memcpy(copy, data, size);
    enum wire_error error = argv_read(bytes_of(copy, size), argv);
    free(copy);
    if (error == WIRE_OK) return error;
    assert_null(argv->items);
    assert_int_equal(argv->count, 0);
    return error;
}

static enum wire_error refused(const void *data, size_t size)
{
    struct argv argv;
    enum wire_error error = read_copy(data, size, &argv);
    argv_free(&argv);
    return error;
}

static void items_are_texts_of_their_own_with_an_end(void **state)
{
    (void)state;
    struct argv argv;
    assert_int_equal(read_copy("\x94\xa2ls\xc4\x02-l\xa0\xd9\x03@ @", 14, &argv), WIRE_OK);
    assert_int_equal(argv.count, 4);
    assert_string_equal(argv.items[0], "ls");
    assert_string_equal(argv.items[1], "-l");
    assert_string_equal(argv.items[2], "");
    assert_string_equal(argv.items[3], "@ @");
    assert_null(argv.items[4]);
    argv_free(&argv);
    assert_null(argv.items);
}

static void what_cannot_be_handed_to_a_program_is_refused(void **state)
{
    (void)state;
    assert_int_equal(refused("\x90", 1), WIRE_FORM);
    assert_int_equal(refused("\x91\xa0", 2), WIRE_FORM);
    assert_int_equal(refused("\x92\xa1x\xa2x\x00", 6), WIRE_FORM);
    assert_int_equal(refused("\x92\xa1x\x05", 4), WIRE_FORM);
    assert_int_equal(refused("\x92\xa1x\xc0", 4), WIRE_FORM);
    assert_int_equal(refused("\x81\xa1x\xa1y", 5), WIRE_FORM);
    assert_int_equal(refused("\xa1x", 2), WIRE_FORM);
    assert_int_equal(refused("\x92\xa1x\x90", 4), WIRE_LARGE);
    assert_int_equal(refused("\x92\xa1x", 3), WIRE_SHORT);
    assert_int_equal(refused("\x91\xa2x", 3), WIRE_SHORT);
    assert_int_equal(refused("\xdd\xff\xff\xff\xff", 5), WIRE_SHORT);
    assert_int_equal(refused("\x91\xa1x\xc0", 4), WIRE_TRAILING);
    assert_int_equal(refused("", 0), WIRE_SHORT);
    struct argv argv;
    assert_int_equal(argv_read((struct bytes){0}, &argv), WIRE_SHORT);
}

static enum wire_error many(uint32_t count, struct argv *argv)
{
    uint8_t *data = malloc(3 + 2 * (size_t)count);
    assert_non_null(data);
    data[0] = 0xdc;
    data[1] = (uint8_t)(count >> 8);
    data[2] = (uint8_t)count;
    for (uint32_t i = 0; i < count; i++) memcpy(data + 3 + 2 * (size_t)i, "\xa1x", 2);
    enum wire_error error = read_copy(data, 3 + 2 * (size_t)count, argv);
    free(data);
    return error;
}

static void items_end_at_their_limit(void **state)
{
    (void)state;
    struct argv argv;
    assert_int_equal(many(ARGV_ITEMS_MAX, &argv), WIRE_OK);
    assert_int_equal(argv.count, ARGV_ITEMS_MAX);
    assert_string_equal(argv.items[ARGV_ITEMS_MAX - 1], "x");
    argv_free(&argv);
    assert_int_equal(many(ARGV_ITEMS_MAX + 1, &argv), WIRE_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_are_texts_of_their_own_with_an_end),
        cmocka_unit_test(what_cannot_be_handed_to_a_program_is_refused),
        cmocka_unit_test(items_end_at_their_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
