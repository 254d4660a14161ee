/* node_output.c - many small additions, few writes; and what becomes of an error. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "../../nodes/output.h"
#include "node_capture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sysexits.h>
#include <unistd.h>

static struct output output;
static struct capture capture;

static size_t written(void)
{
    off_t bytes = lseek(output.fd, 0, SEEK_END);
    assert_true(bytes >= 0);
    return (size_t)bytes;
}

static int open_file(void **state)
{
    (void)state;
    output_open(&output, memfd_create("output", MFD_CLOEXEC));
    return output.fd < 0;
}

static int close_file(void **state)
{
    (void)state;
    return close(output.fd);
}

static void nothing_is_written_before_it_must_be(void **state)
{
    (void)state;
    for (size_t i = 0; i < OUTPUT_BYTES; i++) {
        if (i % 2) output_byte(&output, 'b');
        if (i % 2 == 0) output_text(&output, "a");
    }
    assert_int_equal(written(), 0);
    output_byte(&output, 'c');
    assert_int_equal(written(), OUTPUT_BYTES);
    assert_true(output_flush(&output));
    assert_int_equal(written(), OUTPUT_BYTES + 1);
    assert_true(output_flush(&output));
    assert_int_equal(written(), OUTPUT_BYTES + 1);
}

/* Additions of all sizes around the buffer's, each at every fill around its
 * borders: the file holds the same stream. */
static void additions_of_any_size_keep_their_order(void **state)
{
    (void)state;
    enum { MOST = OUTPUT_BYTES + 2 };
    static const size_t sizes[] = {0,
                                   1,
                                   OUTPUT_BYTES / 2,
                                   OUTPUT_BYTES / 2 + 1,
                                   OUTPUT_BYTES - 1,
                                   OUTPUT_BYTES,
                                   OUTPUT_BYTES + 1};
    enum { SIZES = sizeof sizes / sizeof *sizes };
    static char data[MOST], seen[MOST];
    uint32_t next = 0;
    size_t total = 0;
    for (size_t a = 0; a < SIZES; a++) {
        for (size_t b = 0; b < SIZES; b++) {
            for (size_t i = 0; i < sizes[a] + sizes[b]; i++) {
                size_t at = i < sizes[a] ? i : i - sizes[a];
                data[at] = (char)(next++ % 251);
                if (i + 1 == sizes[a]) output_add(&output, data, sizes[a]);
                if (i + 1 == sizes[a] + sizes[b]) output_add(&output, data, sizes[b]);
            }
            total += sizes[a] + sizes[b];
        }
    }
    assert_true(output_flush(&output));
    assert_int_equal(written(), total);
    for (size_t at = 0; at < total;) {
        ssize_t got = pread(output.fd, seen, MOST, (off_t)at);
        assert_true(got > 0);
        for (ssize_t i = 0; i < got; i++, at++) assert_int_equal(seen[i], (char)(at % 251));
    }
}

static void when_all_went_well_the_status_stands(void **state)
{
    (void)state;
    output_text(&output, "x");
    assert_int_equal(output_end(&output, 1), 1);
    assert_int_equal(written(), 1);
    assert_int_equal(output_end(&output, 0), 0);
}

static void a_disk_that_is_full_is_told_and_has_a_status(void **state)
{
    (void)state;
    static char big[2 * OUTPUT_BYTES];
    int kept = output.fd;
    output.fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_true(output.fd >= 0);
    output_text(&output, "x");
    assert_false(output_flush(&output));
    assert_int_equal(output.error, ENOSPC);
    close(output.fd);
    output.fd = kept;
    /* What comes after an error would leave a hole before it: it is dropped. */
    for (size_t i = 0; i < 2 * OUTPUT_BYTES; i++) output_byte(&output, 'y');
    output_add(&output, big, sizeof big);
    output_text(&output, "z");
    capture_start(&capture, STDERR_FILENO);
    int status = output_end(&output, 0);
    const char *said = capture_end(&capture);
    assert_int_equal(status, EX_IOERR);
    assert_string_equal(said, "tmesh: cannot write the answer: No space left on device\n");
    assert_int_equal(written(), 0);
}

static void a_reader_that_went_away_is_no_news(void **state)
{
    (void)state;
    int ends[2], kept = output.fd;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    close(ends[0]);
    signal(SIGPIPE, SIG_IGN);
    output.fd = ends[1];
    output_text(&output, "x");
    capture_start(&capture, STDERR_FILENO);
    int status = output_end(&output, 0);
    const char *said = capture_end(&capture);
    close(ends[1]);
    output.fd = kept;
    assert_int_equal(status, 141);
    assert_string_equal(said, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_is_written_before_it_must_be, open_file,
                                        close_file),
        cmocka_unit_test_setup_teardown(additions_of_any_size_keep_their_order, open_file,
                                        close_file),
        cmocka_unit_test_setup_teardown(when_all_went_well_the_status_stands, open_file,
                                        close_file),
        cmocka_unit_test_setup_teardown(a_disk_that_is_full_is_told_and_has_a_status, open_file,
                                        close_file),
        cmocka_unit_test_setup_teardown(a_reader_that_went_away_is_no_news, open_file, close_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
