/* wire_fields.c - what is read from bytes is what MessagePack-C unpacks from them. */
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

static bool shows(struct bytes view, const char *data, uint32_t size)
{
    return view.data != NULL && bytes_equal(view, bytes_of(data, size));
}

/* ---- One field, against its object.  `fields` is a copy. ---- */

static void check_number(struct fields fields, const msgpack_object *object)
{
    struct fields before = fields;
    uint64_t number = fields_u64(&fields);
    if (object->type == MSGPACK_OBJECT_POSITIVE_INTEGER) {
        assert_int_equal(fields.error, WIRE_OK);
        assert_true(number == object->via.u64);
        uint32_t narrow = fields_u32(&before);
        assert_int_equal(before.error, number <= UINT32_MAX ? WIRE_OK : WIRE_FORM);
        if (number <= UINT32_MAX) assert_int_equal(narrow, number);
    } else {
        assert_int_equal(fields.error, WIRE_FORM);
        assert_int_equal(number, 0);
    }
}

static void check_string(struct fields fields, const msgpack_object *object)
{
    struct fields before = fields;
    struct bytes string = fields_string(&fields, 1000);
    bool str = object->type == MSGPACK_OBJECT_STR, bin = object->type == MSGPACK_OBJECT_BIN;
    if (!str && !bin) {
        assert_int_equal(fields.error, WIRE_FORM);
        return;
    }
    uint32_t size = str ? object->via.str.size : object->via.bin.size;
    const char *data = str ? object->via.str.ptr : object->via.bin.ptr;
    assert_true(size > 1000 ? fields.error == WIRE_LARGE : shows(string, data, size));
    if (size == 0) return;
    assert_null(fields_string(&before, size - 1).data);
    assert_int_equal(before.error, WIRE_LARGE);
}

static void check_value(struct fields fields, const msgpack_object *object)
{
    struct fields before = fields;
    struct bytes value = fields_value(&fields);
    struct id id = fields_id(&before);
    if (object->type != MSGPACK_OBJECT_BIN) {
        assert_int_equal(fields.error, WIRE_FORM);
        assert_int_equal(before.error, WIRE_FORM);
        return;
    }
    assert_true(shows(value, object->via.bin.ptr, object->via.bin.size));
    assert_int_equal(before.error, value.size == sizeof id.octets ? WIRE_OK : WIRE_FORM);
    if (value.size == sizeof id.octets) assert_memory_equal(id.octets, value.data, value.size);
}

static void check_holders(struct fields fields, const msgpack_object *object)
{
    struct fields array = fields, map = fields, narrow = fields;
    fields_array(&array, UINT32_MAX);
    fields_map(&map);
    assert_int_equal(array.error, object->type == MSGPACK_OBJECT_ARRAY ? WIRE_OK : WIRE_FORM);
    assert_int_equal(map.error, object->type == MSGPACK_OBJECT_MAP ? WIRE_OK : WIRE_FORM);
    if (object->type != MSGPACK_OBJECT_ARRAY || object->via.array.size == 0) return;
    struct fields inner = fields_array(&narrow, object->via.array.size - 1);
    fields_close(&narrow, &inner);
    assert_int_equal(narrow.error, WIRE_LARGE);
}

/* ---- A body ---- */

static void compare(struct fields *fields, const msgpack_object *object, uint32_t depth);

static void compare_array(struct fields *fields, const msgpack_object_array *array, uint32_t depth)
{
    struct fields inner = fields_array(fields, UINT32_MAX);
    assert_int_equal(inner.left, array->size);
    uint32_t read = array->size - (array->size > 2 ? 1 : 0); /* the last of more is not read */
    for (uint32_t i = 0; i < read; i++) compare(&inner, &array->ptr[i], depth + 1);
    fields_close(fields, &inner);
}

static void compare_map(struct fields *fields, const msgpack_object_map *map, uint32_t depth)
{
    struct fields inner = fields_map(fields);
    assert_int_equal(inner.left, 2 * map->size);
    for (uint32_t i = 0; i < map->size; i++) {
        compare(&inner, &map->ptr[i].key, depth + 1);
        compare(&inner, &map->ptr[i].val, depth + 1);
    }
    fields_close(fields, &inner);
}

/* Takes one field, and looks at it in every way there is. */
static void compare(struct fields *fields, const msgpack_object *object, uint32_t depth)
{
    struct fields nil = *fields;
    uint32_t left = fields->left;
    assert_true(left > 0 && depth <= ROOMY.depth_max);
    assert_int_equal(fields_nil(&nil), object->type == MSGPACK_OBJECT_NIL);
    check_number(*fields, object);
    check_string(*fields, object);
    check_value(*fields, object);
    if (depth < ROOMY.depth_max) check_holders(*fields, object);
    if (object->type == MSGPACK_OBJECT_ARRAY)
        compare_array(fields, &object->via.array, depth);
    else if (object->type == MSGPACK_OBJECT_MAP)
        compare_map(fields, &object->via.map, depth);
    else
        fields_ignore(fields, 1);
    assert_int_equal(fields->error, WIRE_OK);
    assert_int_equal(fields->left, left - 1);
}

/* Reads a copy that ends where its memory ends, so that a tool sees every access
 * behind it. */
static void read_all(const void *data, size_t size)
{
    char *copy = malloc(size);
    assert_non_null(copy);
    memcpy(copy, data, size);
    struct bytes bytes = bytes_of(copy, size);
    msgpack_unpacked unpacked;
    msgpack_unpacked_init(&unpacked);
    assert_int_equal(msgpack_unpack_next(&unpacked, copy, size, NULL), MSGPACK_UNPACK_SUCCESS);
    struct fields body = fields_of(bytes, ROOMY);
    compare(&body, &unpacked.data, 0);
    assert_int_equal(fields_end(&body, bytes, ROOMY), WIRE_OK);
    msgpack_unpacked_destroy(&unpacked);
    free(copy);
}

static void numbers_are_read_from_every_encoding(void **state)
{
    (void)state;
    static const struct {
        const char *data;
        size_t size;
    } numbers[] = {
        {"\x00", 1},
        {"\x7f", 1},
        {"\xff", 1},
        {"\xe0", 1},
        {"\xcc\x00", 2},
        {"\xcc\xff", 2},
        {"\xcd\xff\x01", 3},
        {"\xce\xff\x01\x02\x03", 5},
        {"\xcf\x00\x00\x00\x01\x00\x00\x00\x00", 9},
        {"\xcf\xff\x01\x02\x03\x04\x05\x06\x07", 9},
        {"\xd0\xff", 2},
        {"\xd0\x7f", 2},
        {"\xd1\x80\x01", 3},
        {"\xd1\x7f\xff", 3},
        {"\xd2\x80\x01\x02\x03", 5},
        {"\xd2\x7f\x01\x02\x03", 5},
        {"\xd3\x80\x01\x02\x03\x04\x05\x06\x07", 9},
        {"\xd3\x7f\x01\x02\x03\x04\x05\x06\x07", 9},
        {"\xca\x3f\x80\x00\x00", 5},
        {"\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00", 9},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        read_all(numbers[i].data, numbers[i].size);
}

/* A run of `size` bytes behind a head whose length has `length_bytes`, or is in its
 * first byte when it has none. */
static void read_run(uint8_t first, uint32_t length_bytes, uint32_t size)
{
    uint8_t *data = calloc(1, 5 + (size_t)size);
    assert_non_null(data);
    data[0] = (uint8_t)(length_bytes == 0 ? first + size : first);
    for (uint32_t i = 0; i < length_bytes; i++)
        data[1 + i] = (uint8_t)(size >> (8 * (length_bytes - 1 - i)));
    read_all(data, 1 + (size_t)length_bytes + size);
    free(data);
}

static void runs_of_bytes_are_read_from_every_encoding(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {0, 1, 15, 16, 17, 31, 32, 255, 256, 1000, 65535, 65536};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint32_t size = sizes[i];
        if (size <= 31) read_run(0xa0, 0, size);
        for (uint32_t kind = 0; kind < 2; kind++) {
            uint8_t first = kind == 0 ? 0xc4 : 0xd9;
            if (size <= UINT8_MAX) read_run(first, 1, size);
            if (size <= UINT16_MAX) read_run((uint8_t)(first + 1), 2, size);
            read_run((uint8_t)(first + 2), 4, size);
        }
    }
}

static void arrays_and_maps_are_read_from_every_encoding(void **state)
{
    (void)state;
    read_all("\x90", 1);
    read_all("\x93\x01\x02\x03", 4);
    read_all("\xdc\x00\x02\x01\x02", 5);
    read_all("\xdd\x00\x00\x00\x01\x01", 6);
    read_all("\x80", 1);
    read_all("\x81\xa1q\x91\x05", 5);
    read_all("\xde\x00\x01\x01\x02", 5);
    read_all("\xdf\x00\x00\x00\x01\x01\x02", 7);
    read_all("\x91\x91\x91\x91\x01", 5);
}

/* Mostly heads of little, so that many are well formed. */
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

static void any_well_formed_bytes_are_read_as_messagepack_c_unpacks_them(void **state)
{
    (void)state;
    enum { ROUNDS = 20000, BYTES_MAX = 40 };
    uint64_t random = 21;
    uint32_t well_formed = 0;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint8_t data[BYTES_MAX];
        for (size_t i = 0; i < BYTES_MAX; i++) data[i] = likely_byte(&random);
        enum wire_error error = WIRE_SHORT;
        size_t size = 0;
        while (error == WIRE_SHORT && size < BYTES_MAX)
            error = scan_check(bytes_of(data, ++size), ROOMY);
        if (error != WIRE_OK) continue;
        read_all(data, size);
        if (size > 3) well_formed++;
    }
    assert_true(well_formed > 1000);
}

/* Reads [[number] string id] from the first `size` bytes of it. */
static enum wire_error read_cut(const void *data, size_t size)
{
    char *copy = malloc(size > 0 ? size : 1);
    assert_non_null(copy);
    memcpy(copy, data, size);
    struct bytes bytes = bytes_of(copy, size);
    struct fields body = fields_of(bytes, ROOMY);
    struct fields outer = fields_array(&body, UINT32_MAX);
    struct fields inner = fields_array(&outer, UINT32_MAX);
    fields_u64(&inner);
    fields_close(&outer, &inner);
    fields_name(&outer);
    fields_id(&outer);
    fields_close(&body, &outer);
    enum wire_error error = fields_end(&body, bytes, ROOMY);
    free(copy);
    return error;
}

static void what_was_cut_anywhere_is_too_short_in_every_encoding(void **state)
{
    (void)state;
#define OCTETS "0123456789abcdef"
    static const struct {
        const char *data;
        size_t size;
    } bodies[] = {
        {"\x93\x91\x05\xa1q\xc4\x10" OCTETS, 23},
        {"\x93\x91\xcf\x01\x02\x03\x04\x05\x06\x07\x08\xd9\x01q\xc5\x00\x10" OCTETS, 33},
        {"\xdc\x00\x03\x91\xce\x01\x02\x03\x04\xda\x00\x01q\xc6\x00\x00\x00\x10" OCTETS, 34},
        {"\xdd\x00\x00\x00\x03\xdc\x00\x01\xcd\x01\x02\xc4\x01q\xc4\x10" OCTETS, 32},
        {"\x94\x92\xd3\x01\x02\x03\x04\x05\x06\x07\x08\xc0\xa1q\xc4\x10" OCTETS "\xc4\x01x", 35},
    };
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        assert_int_equal(read_cut(bodies[i].data, bodies[i].size), WIRE_OK);
        for (size_t size = 0; size < bodies[i].size; size++)
            assert_int_equal(read_cut(bodies[i].data, size), WIRE_SHORT);
    }
}

static void the_walk_decides_what_is_wrong_first(void **state)
{
    (void)state;
    /* A number where an array should be, and behind it something worse. */
    assert_int_equal(read_cut("\x93\x05\xa1q\xc0", 5), WIRE_FORM);
    assert_int_equal(read_cut("\x93\x05\xa1q\x91\x91\x91\x91\x90", 9), WIRE_LARGE);
    assert_int_equal(read_cut("\x93\x05\xa1q\xc5\x00", 6), WIRE_SHORT);
    assert_int_equal(read_cut("\x93\x05\xa1q\xc0\xc0", 6), WIRE_TRAILING);
}

static void nothing_is_read_after_an_error(void **state)
{
    (void)state;
    static const char data[] = "\x94\xc0\x05\xa1q\x91\x05";
    struct fields body = fields_of(bytes_of(data, 7), ROOMY);
    struct fields fields = fields_array(&body, UINT32_MAX);
    assert_int_equal(fields_u64(&fields), 0);
    assert_int_equal(fields_u64(&fields), 0);
    assert_null(fields_name(&fields).data);
    struct fields inner = fields_array(&fields, UINT32_MAX);
    assert_int_equal(inner.left, 0);
    assert_int_equal(inner.error, WIRE_FORM);
    fields_fail(&fields, WIRE_LARGE);
    assert_int_equal(fields.error, WIRE_FORM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_read_from_every_encoding),
        cmocka_unit_test(runs_of_bytes_are_read_from_every_encoding),
        cmocka_unit_test(arrays_and_maps_are_read_from_every_encoding),
        cmocka_unit_test(any_well_formed_bytes_are_read_as_messagepack_c_unpacks_them),
        cmocka_unit_test(what_was_cut_anywhere_is_too_short_in_every_encoding),
        cmocka_unit_test(the_walk_decides_what_is_wrong_first),
        cmocka_unit_test(nothing_is_read_after_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
