/* wire_hostile.c - bytes of no good will: cut, changed, and bombs.
 *
 * Whatever comes, the decoder says an error or gives a message that can be
 * encoded again, and its memory does not grow.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/wire/decode.h"
#include "golden.h"
#include "message_equal.h"

#include <malloc.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif

#ifdef __SANITIZE_ADDRESS__
size_t __sanitizer_get_current_allocated_bytes(void);
#endif

static size_t heap_bytes(void)
{
#ifdef __SANITIZE_ADDRESS__
    return __sanitizer_get_current_allocated_bytes();
#else
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
#endif
}

struct fixture {
    struct goldens goldens;
    struct decoder *decoder;
    struct encoder *encoder;
    /* A second pair, to look at what the first one made. */
    struct decoder *witness;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    if (fixture == NULL) return -1;
    goldens_load(&fixture->goldens);
    fixture->decoder = decoder_new();
    fixture->witness = decoder_new();
    fixture->encoder = encoder_new();
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    decoder_destroy(&fixture->decoder);
    decoder_destroy(&fixture->witness);
    encoder_destroy(&fixture->encoder);
    free(fixture);
    return 0;
}

/* What a walk that knows of no kinds says to the body. */
static enum wire_error walk(const uint8_t *data, uint32_t size)
{
    static const struct scan_limits limits = {DECODE_DEPTH_MAX, DECODE_OBJECTS_MAX};
    if (size < MESSAGE_HEADER_BYTES) return WIRE_SHORT;
    return scan_check(bytes_of(data + MESSAGE_HEADER_BYTES, size - MESSAGE_HEADER_BYTES), limits);
}

/* Decodes `size` bytes that end where their memory ends.  Decoding reads a body and
 * checks it at once: it must never take one that the walk refuses. */
static enum wire_error decode_copy(struct fixture *fixture, const uint8_t *data, uint32_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    assert_non_null(copy);
    memcpy(copy, data, size);
    struct message message, again;
    struct bytes bytes;
    enum wire_error error = wire_decode(fixture->decoder, bytes_of(copy, size), &message);
    if (error == WIRE_OK) assert_int_equal(walk(copy, size), WIRE_OK);
    if (error == WIRE_OK && message.kind != MESSAGE_OTHER) {
        assert_int_equal(wire_encode(fixture->encoder, &message, &bytes), WIRE_OK);
        assert_int_equal(wire_decode(fixture->witness, bytes, &again), WIRE_OK);
        assert_true(message_equal(&message, &again));
    }
    free(copy);
    return error;
}

static void a_message_that_was_cut_anywhere_is_an_error(void **state)
{
    struct fixture *fixture = *state;
    assert_true(fixture->goldens.count > 0);
    for (uint32_t i = 0; i < fixture->goldens.count; i++) {
        const struct golden *golden = &fixture->goldens.list[i];
        assert_int_equal(decode_copy(fixture, golden->data, golden->size), WIRE_OK);
        for (uint32_t size = 0; size < golden->size; size++) {
            assert_int_equal(decode_copy(fixture, golden->data, size), WIRE_SHORT);
        }
    }
}

static void a_message_with_any_byte_changed_is_an_error_or_a_message(void **state)
{
    struct fixture *fixture = *state;
    uint32_t refused = 0;
    for (uint32_t i = 0; i < fixture->goldens.count; i++) {
        struct golden golden = fixture->goldens.list[i];
        for (uint32_t at = 0; at < golden.size; at++) {
            for (uint32_t change = 1; change < 256; change++) {
                golden.data[at] = (uint8_t)(fixture->goldens.list[i].data[at] ^ change);
                if (decode_copy(fixture, golden.data, golden.size) != WIRE_OK) refused++;
            }
            golden.data[at] = fixture->goldens.list[i].data[at];
        }
    }
    assert_true(refused > 0);
}

static void bytes_behind_a_message_are_an_error(void **state)
{
    struct fixture *fixture = *state;
    for (uint32_t i = 0; i < fixture->goldens.count; i++) {
        struct golden golden = fixture->goldens.list[i];
        golden.data[golden.size] = 0xc0;
        assert_int_equal(decode_copy(fixture, golden.data, golden.size + 1), WIRE_TRAILING);
    }
}

static void a_count_that_disagrees_with_the_body_is_an_error(void **state)
{
    struct fixture *fixture = *state;
    for (uint32_t i = 0; i < fixture->goldens.count; i++) {
        struct golden golden = fixture->goldens.list[i];
        if (strcmp(golden.name, "OTHER") == 0) continue;
        uint8_t count = golden.data[5];
        golden.data[5] = (uint8_t)(count + 1);
        assert_int_equal(decode_copy(fixture, golden.data, golden.size), WIRE_FORM);
        if (count == 0) continue;
        golden.data[5] = (uint8_t)(count - 1);
        assert_int_equal(decode_copy(fixture, golden.data, golden.size), WIRE_FORM);
    }
}

static void an_error_leaves_only_the_header(void **state)
{
    struct fixture *fixture = *state;
    static const struct message_hello nothing;
    struct golden golden = *goldens_find(&fixture->goldens, "HELLO-worker");
    struct message message;
    golden.data[5] = 7;
    golden.data[11] = 9;
    golden.data[15] = 4;
    assert_int_equal(wire_decode(fixture->decoder, golden_bytes(&golden), &message), WIRE_FORM);
    assert_int_equal(message.kind, MESSAGE_HELLO);
    assert_int_equal(message.session, 9);
    assert_int_equal(message.sequence, 4);
    assert_memory_equal(&message.u.hello, &nothing, sizeof nothing);
}

static void another_major_version_is_told_apart_by_its_header(void **state)
{
    struct fixture *fixture = *state;
    struct golden golden = *goldens_find(&fixture->goldens, "WORK");
    struct message message;
    golden.data[2] = 2;
    assert_int_equal(wire_decode(fixture->decoder, golden_bytes(&golden), &message), WIRE_MAJOR);
    assert_int_equal(message.kind, MESSAGE_OTHER);
    assert_int_equal(message.session, 0x50001);
    assert_int_equal(message.sequence, 1);
    golden.size = 3; /* however short its messages are */
    assert_int_equal(wire_decode(fixture->decoder, golden_bytes(&golden), &message), WIRE_MAJOR);
    assert_int_equal(message.session, 0);
}

static void bytes_without_our_magic_are_not_looked_at(void **state)
{
    struct fixture *fixture = *state;
    struct message message;
    static const char text[] = "GET / HTTP/1.1\r\nHost: example.org\r\n\r\n";
    struct bytes bytes = bytes_of(text, sizeof text - 1);
    assert_int_equal(wire_decode(fixture->decoder, bytes, &message), WIRE_MAGIC);
    assert_int_equal(message.session, 0);
    assert_int_equal(wire_decode(fixture->decoder, (struct bytes){0}, &message), WIRE_SHORT);
}

/* A frame for bodies of any size: a header of `kind`, then `size` bytes for the
 * caller to fill in. */
static uint8_t *frame_new(uint8_t kind, uint32_t size)
{
    uint8_t *frame = calloc(1, MESSAGE_HEADER_BYTES + (size_t)size);
    assert_non_null(frame);
    memcpy(frame, "TM\x01", 3);
    frame[3] = kind;
    return frame;
}

/* Decodes a body as every kind there could be; returns how often it was taken. */
static uint32_t taken_as_any_kind(struct fixture *fixture, const void *body, uint32_t size)
{
    uint32_t taken = 0;
    uint8_t *frame = frame_new(0, size);
    memcpy(frame + MESSAGE_HEADER_BYTES, body, size);
    size_t before = heap_bytes();
    for (uint32_t kind = 0; kind < 256; kind++) {
        struct message message;
        frame[3] = (uint8_t)kind;
        struct bytes bytes = bytes_of(frame, MESSAGE_HEADER_BYTES + (size_t)size);
        if (wire_decode(fixture->decoder, bytes, &message) == WIRE_OK) taken++;
        assert_int_equal(heap_bytes(), before);
    }
    free(frame);
    return taken;
}

static void bombs_of_a_few_bytes_cost_nothing(void **state)
{
    struct fixture *fixture = *state;
    static const char *const bombs[] = {"\xdd\xff\xff\xff\xff", "\xdf\xff\xff\xff\xff",
                                        "\xdb\xff\xff\xff\xff", "\xc6\xff\xff\xff\xff",
                                        "\xc9\xff\xff\xff\xff", "\xdd\x1d\xcd\x65\x01"};
    for (size_t i = 0; i < sizeof bombs / sizeof bombs[0]; i++) {
        assert_int_equal(taken_as_any_kind(fixture, bombs[i], 5), 0);
    }
    uint8_t nested[31 * 5];
    for (size_t i = 0; i < sizeof nested; i += 5) memcpy(nested + i, bombs[5], 5);
    assert_int_equal(taken_as_any_kind(fixture, nested, sizeof nested), 0);
}

static void deep_nesting_is_refused_as_every_kind(void **state)
{
    struct fixture *fixture = *state;
    uint8_t nested[64];
    for (uint32_t depth = 5; depth < sizeof nested; depth++) {
        memset(nested, 0x91, sizeof nested);
        nested[depth] = 0xc0;
        assert_int_equal(taken_as_any_kind(fixture, nested, depth + 1), 0);
    }
}

static void a_mebibyte_of_empty_arrays_costs_nothing(void **state)
{
    struct fixture *fixture = *state;
    enum { SIZE = 1024 * 1024 };
    uint8_t *body = malloc(SIZE);
    assert_non_null(body);
    memset(body, 0x90, SIZE);
    assert_int_equal(taken_as_any_kind(fixture, body, SIZE), 0);
    /* And the same with an array around them that counts them rightly. */
    uint32_t count = SIZE - 5;
    body[0] = 0xdd;
    for (uint32_t i = 0; i < 4; i++) body[1 + i] = (uint8_t)(count >> (24 - 8 * i));
    assert_int_equal(taken_as_any_kind(fixture, body, SIZE), 0);
    free(body);
}

static void the_most_objects_that_are_allowed_cost_nothing(void **state)
{
    struct fixture *fixture = *state;
    enum { OBJECTS_MAX = 16 * 4096 + 2 * 256 + 64 };
    uint8_t *frame = frame_new(200, OBJECTS_MAX + 4);
    uint32_t count = OBJECTS_MAX - 1; /* the array is one */
    frame[MESSAGE_HEADER_BYTES] = 0xdd;
    for (uint32_t i = 0; i < 4; i++) {
        frame[MESSAGE_HEADER_BYTES + 1 + i] = (uint8_t)(count >> (24 - 8 * i));
    }
    struct bytes bytes = bytes_of(frame, MESSAGE_HEADER_BYTES + OBJECTS_MAX + 4);
    struct message message;
    size_t before = heap_bytes();
    assert_int_equal(wire_decode(fixture->decoder, bytes, &message), WIRE_OK);
    assert_int_equal(heap_bytes(), before);
    free(frame);
}

static void a_message_over_the_limit_is_refused_unread(void **state)
{
    struct fixture *fixture = *state;
    struct message message;
    uint8_t *frame = frame_new(200, MESSAGE_BYTES_MAX);
    frame[MESSAGE_HEADER_BYTES] = 0xc6;
    uint32_t size = MESSAGE_BYTES_MAX - MESSAGE_HEADER_BYTES - 5;
    for (uint32_t i = 0; i < 4; i++) {
        frame[MESSAGE_HEADER_BYTES + 1 + i] = (uint8_t)(size >> (24 - 8 * i));
    }
    struct bytes bytes = bytes_of(frame, MESSAGE_BYTES_MAX);
    assert_int_equal(wire_decode(fixture->decoder, bytes, &message), WIRE_OK);
    bytes.size++;
    assert_int_equal(wire_decode(fixture->decoder, bytes, &message), WIRE_LARGE);
    free(frame);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_that_was_cut_anywhere_is_an_error),
        cmocka_unit_test(a_message_with_any_byte_changed_is_an_error_or_a_message),
        cmocka_unit_test(bytes_behind_a_message_are_an_error),
        cmocka_unit_test(a_count_that_disagrees_with_the_body_is_an_error),
        cmocka_unit_test(an_error_leaves_only_the_header),
        cmocka_unit_test(another_major_version_is_told_apart_by_its_header),
        cmocka_unit_test(bytes_without_our_magic_are_not_looked_at),
        cmocka_unit_test(bombs_of_a_few_bytes_cost_nothing),
        cmocka_unit_test(deep_nesting_is_refused_as_every_kind),
        cmocka_unit_test(a_mebibyte_of_empty_arrays_costs_nothing),
        cmocka_unit_test(the_most_objects_that_are_allowed_cost_nothing),
        cmocka_unit_test(a_message_over_the_limit_is_refused_unread),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
