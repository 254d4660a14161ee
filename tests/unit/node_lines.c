/* node_lines.c - records of a stream that comes in pieces, through a pipe. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "../../nodes/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct stream {
    struct lines lines;
    int to;
};

static void stream_open(struct stream *stream, char separator, size_t bytes_max)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    assert_true(lines_open(&stream->lines, ends[0], separator, bytes_max));
    stream->to = ends[1];
}

static void stream_write(struct stream *stream, const char *data, size_t bytes)
{
    assert_int_equal(write(stream->to, data, bytes), bytes);
    lines_read(&stream->lines);
}

static void stream_end(struct stream *stream)
{
    close(stream->to);
    stream->to = -1;
    lines_read(&stream->lines);
}

static void stream_close(struct stream *stream)
{
    if (stream->to >= 0) close(stream->to);
    close(stream->lines.fd);
    lines_close(&stream->lines);
    assert_null(stream->lines.buffer);
}

static void expect_state(struct stream *stream, enum lines_state wanted)
{
    struct line line;
    assert_int_equal(lines_peek(&stream->lines, &line), wanted);
    assert_int_equal(lines_peek(&stream->lines, &line), wanted);
}

/* Takes one record. */
static void expect(struct stream *stream, const char *data, size_t bytes)
{
    struct line line;
    expect_state(stream, LINES_READY);
    assert_int_equal(lines_peek(&stream->lines, &line), LINES_READY);
    assert_int_equal(line.bytes, bytes);
    assert_memory_equal(line.data, data, bytes);
    lines_take(&stream->lines);
}

static void one_read_may_bring_many_lines(void **state)
{
    (void)state;
    struct stream stream;
    stream_open(&stream, '\n', 100);
    expect_state(&stream, LINES_WANTING);
    stream_write(&stream, "one\ntwo\nthree\n", 14);
    assert_int_equal(stream.lines.number, 1);
    expect(&stream, "one", 3);
    assert_int_equal(stream.lines.number, 2);
    expect(&stream, "two", 3);
    expect(&stream, "three", 5);
    expect_state(&stream, LINES_WANTING);
    assert_int_equal(stream.lines.number, 4);
    stream_end(&stream);
    expect_state(&stream, LINES_OVER);
    stream_close(&stream);
}

static void a_line_may_come_in_many_pieces(void **state)
{
    (void)state;
    struct stream stream;
    stream_open(&stream, '\n', 100);
    for (const char *at = "abc\nd"; *at; at++) {
        stream_write(&stream, at, 1);
        if (*at == '\n') expect(&stream, "abc", 3);
        expect_state(&stream, LINES_WANTING);
    }
    stream_write(&stream, "e\nf", 3);
    expect(&stream, "de", 2);
    expect_state(&stream, LINES_WANTING);
    stream_close(&stream);
}

static void the_last_line_needs_no_end(void **state)
{
    (void)state;
    struct stream stream;
    stream_open(&stream, '\n', 100);
    stream_write(&stream, "one\nlast", 8);
    expect(&stream, "one", 3);
    expect_state(&stream, LINES_WANTING);
    stream_end(&stream);
    expect(&stream, "last", 4);
    expect_state(&stream, LINES_OVER);
    stream_close(&stream);
}

static void empty_lines_count_but_an_empty_end_does_not(void **state)
{
    (void)state;
    struct stream stream;
    stream_open(&stream, '\n', 100);
    stream_write(&stream, "\n\na\n\n", 5);
    stream_end(&stream);
    expect(&stream, "", 0);
    expect(&stream, "", 0);
    expect(&stream, "a", 1);
    expect(&stream, "", 0);
    expect_state(&stream, LINES_OVER);
    assert_int_equal(stream.lines.number, 5);
    stream_close(&stream);
    stream_open(&stream, '\n', 100);
    stream_end(&stream);
    expect_state(&stream, LINES_OVER);
    stream_close(&stream);
}

static void a_line_may_hold_any_other_byte(void **state)
{
    (void)state;
    struct stream stream;
    stream_open(&stream, '\n', 100);
    stream_write(&stream, "a\0b\r\n\xff\0\n", 8);
    expect(&stream, "a\0b\r", 4);
    expect(&stream, "\xff\0", 2);
    expect_state(&stream, LINES_WANTING);
    stream_close(&stream);
}

static void records_may_end_with_a_zero_byte_instead(void **state)
{
    (void)state;
    struct stream stream;
    stream_open(&stream, 0, 100);
    stream_write(&stream, "a\nb\0\0c", 6);
    expect(&stream, "a\nb", 3);
    expect(&stream, "", 0);
    expect_state(&stream, LINES_WANTING);
    stream_end(&stream);
    expect(&stream, "c", 1);
    expect_state(&stream, LINES_OVER);
    stream_close(&stream);
}

static void a_line_of_the_largest_size_passes_with_and_without_an_end(void **state)
{
    (void)state;
    struct stream stream;
    stream_open(&stream, '\n', 8);
    stream_write(&stream, "12345678\n12345678", 17);
    expect(&stream, "12345678", 8);
    expect_state(&stream, LINES_WANTING);
    stream_end(&stream);
    expect(&stream, "12345678", 8);
    expect_state(&stream, LINES_OVER);
    stream_close(&stream);
}

static void a_line_over_the_limit_is_refused_and_named(void **state)
{
    (void)state;
    struct stream stream;
    struct line line;
    stream_open(&stream, '\n', 8);
    stream_write(&stream, "ok\n1234567890\nx\n", 16);
    expect(&stream, "ok", 2);
    assert_int_equal(lines_peek(&stream.lines, &line), LINES_OVERSIZE);
    assert_int_equal(line.bytes, 10);
    assert_int_equal(stream.lines.number, 2);
    assert_true(stream.lines.scanned < stream.lines.end); /* so that is its whole size */
    stream_close(&stream);

    stream_open(&stream, '\n', 8);
    stream_write(&stream, "12345678", 8);
    expect_state(&stream, LINES_WANTING);
    stream_write(&stream, "9", 1);
    assert_int_equal(lines_peek(&stream.lines, &line), LINES_OVERSIZE);
    assert_int_equal(line.bytes, 9);
    assert_true(stream.lines.scanned == stream.lines.end); /* there may be more of it */
    stream_end(&stream);
    expect_state(&stream, LINES_OVERSIZE);
    stream_close(&stream);
}

static void no_data_just_now_is_neither_an_end_nor_an_error(void **state)
{
    (void)state;
    struct stream stream;
    stream_open(&stream, '\n', 8);
    lines_read(&stream.lines);
    expect_state(&stream, LINES_WANTING);
    stream_write(&stream, "a\n", 2);
    expect(&stream, "a", 1);
    stream_close(&stream);
}

static void a_read_that_fails_is_told_after_the_lines_before_it(void **state)
{
    (void)state;
    struct stream stream;
    stream_open(&stream, '\n', 8);
    stream_write(&stream, "a\nb", 3);
    int kept = stream.lines.fd;
    stream.lines.fd = -1;
    lines_read(&stream.lines);
    expect(&stream, "a", 1);
    expect_state(&stream, LINES_FAILED);
    assert_int_equal(stream.lines.error, EBADF);
    stream.lines.fd = kept;
    stream_write(&stream, "\n", 1);
    expect_state(&stream, LINES_FAILED);
    stream_close(&stream);
}

static uint32_t chance(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

/* The records of `data`, written in pieces of up to `piece_max`, are those that
 * memchr finds in it; the buffer is small next to the stream, so that it is
 * moved to its front again and again. */
static void check_stream(const char *data, size_t bytes, size_t piece_max, uint32_t seed)
{
    struct stream stream;
    const char *next = data;
    uint64_t number = 0;
    struct line line = {NULL, 0};
    stream_open(&stream, '\n', 5000);
    for (size_t at = 0; at <= bytes;) {
        size_t piece = 1 + chance(&seed) % piece_max;
        if (piece > bytes - at) piece = bytes - at;
        if (piece == 0) stream_end(&stream);
        if (piece > 0) stream_write(&stream, data + at, piece);
        at += piece + (piece == 0);
        while (lines_peek(&stream.lines, &line) == LINES_READY) {
            const char *end = memchr(next, '\n', (size_t)(data + bytes - next));
            if (!end) end = data + bytes;
            assert_int_equal(line.bytes, end - next);
            assert_memory_equal(line.data, next, line.bytes);
            assert_int_equal(stream.lines.number, ++number);
            next = end < data + bytes ? end + 1 : end;
            lines_take(&stream.lines);
        }
    }
    assert_int_equal(lines_peek(&stream.lines, &line), LINES_OVER);
    assert_ptr_equal(next, data + bytes);
    stream_close(&stream);
}

static void lines_are_the_same_however_the_stream_is_cut(void **state)
{
    (void)state;
    enum { BYTES = 2 * 1024 * 1024 };
    static const size_t pieces[] = {300, 4096, 60000};
    char *data = malloc(BYTES);
    assert_non_null(data);
    for (uint32_t seed = 1; seed <= 3; seed++) {
        uint32_t state_of_chance = seed * 2654435761U;
        size_t left = 0;
        for (size_t i = 0; i < BYTES; i++) {
            if (left == 0)
                left = chance(&state_of_chance) % 9 ? 1 + i % 40 : 5001; /* its end included */
            data[i] = --left == 0 ? '\n' : (char)('a' + i % 26);
        }
        check_stream(data, BYTES - seed, pieces[seed - 1], seed);
    }
    free(data);
}

/* As `tmesh submit --lines` uses it: a record of the largest payload, whose end
 * comes alone. */
static void a_line_of_a_mebibyte_has_room_for_its_end(void **state)
{
    (void)state;
    enum { BYTES = 1024 * 1024, PIECE = 32 * 1024 };
    char *data = malloc(BYTES);
    struct stream stream;
    memset(data, 'x', BYTES);
    stream_open(&stream, '\n', BYTES);
    for (int round = 0; round < 3; round++) {
        for (size_t at = 0; at < BYTES; at += PIECE) {
            stream_write(&stream, data + at, PIECE);
            expect_state(&stream, LINES_WANTING);
        }
        stream_write(&stream, "\n", 1);
        expect(&stream, data, BYTES);
    }
    stream_end(&stream);
    expect_state(&stream, LINES_OVER);
    stream_close(&stream);
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_read_may_bring_many_lines),
        cmocka_unit_test(a_line_may_come_in_many_pieces),
        cmocka_unit_test(the_last_line_needs_no_end),
        cmocka_unit_test(empty_lines_count_but_an_empty_end_does_not),
        cmocka_unit_test(a_line_may_hold_any_other_byte),
        cmocka_unit_test(records_may_end_with_a_zero_byte_instead),
        cmocka_unit_test(a_line_of_the_largest_size_passes_with_and_without_an_end),
        cmocka_unit_test(a_line_over_the_limit_is_refused_and_named),
        cmocka_unit_test(no_data_just_now_is_neither_an_end_nor_an_error),
        cmocka_unit_test(a_read_that_fails_is_told_after_the_lines_before_it),
        cmocka_unit_test(lines_are_the_same_however_the_stream_is_cut),
        cmocka_unit_test(a_line_of_a_mebibyte_has_room_for_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
