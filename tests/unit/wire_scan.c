/* wire_scan.c - the walk that trusts nothing: every form of MessagePack, every limit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/core/random.h"
#include "../../src/wire/fields.h"

#include <msgpack.h>
#include <stdlib.h>

static const struct scan_limits ROOMY = {.depth_max = 4, .objects_max = 1000};

/* What is well formed is what MessagePack-C unpacks, of just as many bytes. */
static void unpack(const uint8_t *data, size_t size)
{
    msgpack_unpacked unpacked;
    size_t used = 0;
    msgpack_unpacked_init(&unpacked);
    assert_int_equal(msgpack_unpack_next(&unpacked, (const char *)data, size, &used),
                     MSGPACK_UNPACK_SUCCESS);
    assert_int_equal(used, size);
    msgpack_unpacked_destroy(&unpacked);
}

/* Scans a copy that ends where its memory ends, so that a tool sees every access
 * behind it; and passes over its object, which must find the same. */
static enum wire_error scan(const void *data, size_t size, struct scan_limits limits)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    assert_non_null(copy);
    memcpy(copy, data, size);
    enum wire_error error = scan_check(bytes_of(copy, size), limits);
    struct fields fields = fields_of(bytes_of(copy, size), limits);
    assert_int_equal(fields_end(&fields, bytes_of(copy, size), limits), error);
    if (error == WIRE_OK) unpack(copy, size);
    free(copy);
    return error;
}

/* The first bytes of one object of each form, and how long the object is. */
struct form {
    uint8_t head[6];
    size_t size;
};

static const struct form FORMS[] = {
    {{0x00}, 1},
    {{0x7f}, 1},
    {{0xe0}, 1},
    {{0xff}, 1},
    {{0xc0}, 1},
    {{0xc2}, 1},
    {{0xc3}, 1},
    {{0x80}, 1},
    {{0x82}, 5},
    {{0x8f}, 31},
    {{0x90}, 1},
    {{0x9f}, 16},
    {{0xa0}, 1},
    {{0xbf}, 32},
    {{0xc4, 0}, 2},
    {{0xc4, 200}, 202},
    {{0xc5, 1, 0}, 259},
    {{0xc6, 0, 1, 0, 0}, 65541},
    {{0xc7, 3}, 6},
    {{0xc8, 1, 0}, 260},
    {{0xc9, 0, 1, 0, 0}, 65542},
    {{0xca}, 5},
    {{0xcb}, 9},
    {{0xcc}, 2},
    {{0xcd}, 3},
    {{0xce}, 5},
    {{0xcf}, 9},
    {{0xd0}, 2},
    {{0xd1}, 3},
    {{0xd2}, 5},
    {{0xd3}, 9},
    {{0xd4}, 3},
    {{0xd5}, 4},
    {{0xd6}, 6},
    {{0xd7}, 10},
    {{0xd8}, 18},
    {{0xd9, 200}, 202},
    {{0xda, 1, 0}, 259},
    {{0xdb, 0, 1, 0, 0}, 65541},
    {{0xdc, 0, 3}, 6},
    {{0xdd, 0, 0, 0, 3}, 8},
    {{0xde, 0, 3}, 9},
    {{0xdf, 0, 0, 0, 3}, 11},
};

static void each_form_is_as_long_as_it_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof FORMS / sizeof FORMS[0]; i++) {
        uint8_t *data = calloc(1, FORMS[i].size + sizeof FORMS[i].head);
        assert_non_null(data);
        memcpy(data, FORMS[i].head, sizeof FORMS[i].head);
        assert_int_equal(scan(data, FORMS[i].size, ROOMY), WIRE_OK);
        assert_int_equal(scan(data, FORMS[i].size - 1, ROOMY), WIRE_SHORT);
        assert_int_equal(scan(data, FORMS[i].size + 1, ROOMY), WIRE_TRAILING);
        free(data);
    }
}

static void nothing_at_all_is_too_short(void **state)
{
    (void)state;
    assert_int_equal(scan("", 0, ROOMY), WIRE_SHORT);
    assert_int_equal(scan_check((struct bytes){0}, ROOMY), WIRE_SHORT);
}

static void the_byte_that_is_never_used_is_refused_at_any_depth(void **state)
{
    (void)state;
    assert_int_equal(scan("\xc1", 1, ROOMY), WIRE_FORM);
    assert_int_equal(scan("\x92\x00\xc1", 3, ROOMY), WIRE_FORM);
    assert_int_equal(scan("\x81\xc1\x00", 3, ROOMY), WIRE_FORM);
}

static void a_count_that_cannot_fit_is_refused_before_anything_behind_it(void **state)
{
    (void)state;
    assert_int_equal(scan("\xdd\xff\xff\xff\xff\x00", 6, ROOMY), WIRE_SHORT);
    assert_int_equal(scan("\xdf\xff\xff\xff\xff\x00", 6, ROOMY), WIRE_SHORT);
    assert_int_equal(scan("\xdf\x80\x00\x00\x00\x00", 6, ROOMY), WIRE_SHORT);
    assert_int_equal(scan("\xdb\xff\xff\xff\xff\x00", 6, ROOMY), WIRE_SHORT);
    assert_int_equal(scan("\xc9\xff\xff\xff\xff\x00", 6, ROOMY), WIRE_SHORT);
    /* A pair needs two bytes, so this map of two is one byte short. */
    assert_int_equal(scan("\x82\xc1\xc1\xc1", 4, ROOMY), WIRE_SHORT);
}

static void depth_counts_arrays_and_maps_alike(void **state)
{
    (void)state;
    assert_int_equal(scan("\x91\x81\x00\x91\x90", 5, ROOMY), WIRE_OK);
    assert_int_equal(scan("\x91\x81\x00\x91\x91\x90", 6, ROOMY), WIRE_LARGE);
    assert_int_equal(scan("\x91\x81\x00\x91\x91\x80", 6, ROOMY), WIRE_LARGE);
    assert_int_equal(scan("\x90", 1, (struct scan_limits){0, 10}), WIRE_LARGE);
    assert_int_equal(scan("\x00", 1, (struct scan_limits){0, 10}), WIRE_OK);
}

static void depth_goes_down_again_behind_an_array(void **state)
{
    (void)state;
    struct scan_limits two = {.depth_max = 2, .objects_max = 100};
    assert_int_equal(scan("\x93\x91\x00\x90\x92\x00\x00", 7, two), WIRE_OK);
    assert_int_equal(scan("\x93\x91\x00\x90\x92\x00\x90", 7, two), WIRE_LARGE);
}

static void objects_are_counted_with_their_containers_and_keys(void **state)
{
    (void)state;
    assert_int_equal(scan("\x92\x81\x00\x00\x00", 5, (struct scan_limits){4, 5}), WIRE_OK);
    assert_int_equal(scan("\x92\x81\x00\x00\x00", 5, (struct scan_limits){4, 4}), WIRE_LARGE);
}

/* Mostly of holders with few children and of short runs, so that many are well formed. */
static uint8_t likely_byte(uint64_t *random)
{
    uint64_t chance = random_next(random);
    switch (chance % 8) {
    case 0: return (uint8_t)(0x90 | (chance >> 8) % 5);
    case 1: return (uint8_t)(0x80 | (chance >> 8) % 3);
    case 2: return (uint8_t)(0xa0 | (chance >> 8) % 4);
    case 3: return (uint8_t)(0xc0 | (chance >> 8) % 32);
    case 4: return (uint8_t)(chance >> 8);
    default: return (uint8_t)((chance >> 8) % 4);
    }
}

static void any_bytes_are_as_long_as_messagepack_c_finds_them_or_refused(void **state)
{
    (void)state;
    enum { ROUNDS = 20000, BYTES_MAX = 40 };
    const struct scan_limits few = {.depth_max = 4, .objects_max = 12};
    uint64_t random = 20;
    uint32_t well_formed = 0, large = 0;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint8_t data[BYTES_MAX];
        for (size_t i = 0; i < BYTES_MAX; i++) data[i] = likely_byte(&random);
        /* Until all is there that the first object says. */
        enum wire_error error = WIRE_SHORT;
        size_t size = 0;
        while (error == WIRE_SHORT && size < BYTES_MAX)
            error = scan(data, ++size, round % 2 == 0 ? ROOMY : few);
        if (error == WIRE_OK && size > 3) well_formed++;
        if (error == WIRE_LARGE) large++;
    }
    assert_true(well_formed > 1000);
    assert_true(large > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_form_is_as_long_as_it_says),
        cmocka_unit_test(nothing_at_all_is_too_short),
        cmocka_unit_test(the_byte_that_is_never_used_is_refused_at_any_depth),
        cmocka_unit_test(a_count_that_cannot_fit_is_refused_before_anything_behind_it),
        cmocka_unit_test(depth_counts_arrays_and_maps_alike),
        cmocka_unit_test(depth_goes_down_again_behind_an_array),
        cmocka_unit_test(objects_are_counted_with_their_containers_and_keys),
        cmocka_unit_test(any_bytes_are_as_long_as_messagepack_c_finds_them_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
