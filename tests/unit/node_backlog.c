/* node_backlog.c - lines for a stderr that is read late, slowly, or never. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "../../nodes/backlog.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TEXT_BYTES_MAX = 4 * BACKLOG_BYTES, MANY = 40000 };

/* Standard error is a pipe, of which the test is the reader. */
struct reader {
    int fd, kept;
    size_t bytes;
    char text[TEXT_BYTES_MAX + 1];
};

static struct reader reader;

static void reader_open(void)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    reader.bytes = 0;
    reader.fd = ends[0];
    reader.kept = dup(STDERR_FILENO);
    assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    close(ends[1]);
}

/* Nobody has the writing end any more. */
static void reader_restore(void)
{
    assert_int_equal(dup2(reader.kept, STDERR_FILENO), STDERR_FILENO);
    close(reader.kept);
}

static const char *reader_take(void)
{
    struct pollfd poll_fd = {.fd = reader.fd, .events = POLLIN};
    while (poll(&poll_fd, 1, 0) > 0) {
        ssize_t size = read(reader.fd, reader.text + reader.bytes, TEXT_BYTES_MAX - reader.bytes);
        if (size <= 0) break;
        reader.bytes += (size_t)size;
    }
    reader.text[reader.bytes] = '\0';
    return reader.text;
}

/* Reads until `end` has come; the test's own limit of time is the last resort. */
static const char *reader_await(const char *end)
{
    struct pollfd poll_fd = {.fd = reader.fd, .events = POLLIN};
    size_t seen = 0;
    while (strstr(reader_take() + seen, end) == NULL) {
        seen = reader.bytes < strlen(end) ? 0 : reader.bytes - strlen(end);
        poll(&poll_fd, 1, -1);
    }
    return reader.text;
}

static size_t lost_line(uint64_t lost, char line[BACKLOG_LOST_BYTES_MAX])
{
    return (size_t)snprintf(line, BACKLOG_LOST_BYTES_MAX, "lost %" PRIu64 "\n", lost);
}

static void say(enum backlog_kind kind, const char *line)
{
    backlog_line(kind, line, strlen(line));
}

static void say_numbers(unsigned from, unsigned count)
{
    char line[128];
    for (unsigned i = from; i < from + count; i++) {
        int bytes = snprintf(line, sizeof line, "line %u %060d\n", i, 0);
        backlog_line(BACKLOG_LOG, line, (size_t)bytes);
    }
}

static void a_line_is_written_at_once_while_nothing_is_held(void **state)
{
    (void)state;
    reader_open();
    say(BACKLOG_LOG, "one\n");
    reader_take();
    reader_restore();
    close(reader.fd);
    assert_string_equal(reader.text, "one\n");
}

static void what_is_held_comes_in_order_when_the_thread_is_there(void **state)
{
    (void)state;
    reader_open();
    backlog_hold(lost_line);
    say(BACKLOG_LOG, "one\n");
    say(BACKLOG_NOTICE, "two\n");
    bool early = *reader_take() != '\0';
    backlog_start();
    reader_await("two\n");
    say(BACKLOG_LOG, "three\n");
    backlog_end();
    say(BACKLOG_NOTICE, "four\n");
    reader_take();
    reader_restore();
    close(reader.fd);
    assert_false(early);
    assert_string_equal(reader.text, "one\ntwo\nthree\nfour\n");
}

static void the_end_writes_what_was_held_although_no_thread_was_started(void **state)
{
    (void)state;
    reader_open();
    backlog_hold(lost_line);
    say(BACKLOG_NOTICE, "cannot start\n");
    backlog_end();
    reader_take();
    reader_restore();
    close(reader.fd);
    assert_string_equal(reader.text, "cannot start\n");
}

/* Every number that is missing stands in the count of lost lines where it is missing.
 * Takes the text apart; returns what would be the next number. */
static unsigned check_numbers(unsigned *lost, unsigned *lost_lines)
{
    unsigned next = 0;
    *lost = *lost_lines = 0;
    for (char *line = reader.text, *end; *line != '\0'; line = end + 1) {
        end = memchr(line, '\n', reader.bytes - (size_t)(line - reader.text));
        assert_non_null(end);
        *end = '\0';
        if (strncmp(line, "lost ", 5) == 0) {
            unsigned count = (unsigned)strtoul(line + 5, NULL, 10);
            next += count;
            *lost += count;
            (*lost_lines)++;
        } else if (strncmp(line, "line ", 5) == 0) {
            assert_int_equal(strtoul(line + 5, NULL, 10), next);
            next++;
        }
    }
    return next;
}

static void nobody_waits_for_a_reader_and_what_is_lost_is_counted(void **state)
{
    (void)state;
    unsigned lost, lost_lines;
    reader_open();
    backlog_hold(lost_line);
    backlog_start();
    say_numbers(0, MANY); /* it would stay here for ever if it waited */
    say(BACKLOG_NOTICE, "still heard\n");
    reader_await("still heard\n");
    say_numbers(MANY, 10);
    say(BACKLOG_NOTICE, "the last\n");
    reader_await("the last\n");
    backlog_end();
    reader_restore();
    close(reader.fd);
    assert_int_equal(check_numbers(&lost, &lost_lines), MANY + 10);
    assert_in_range(lost, 1, MANY - BACKLOG_BYTES / 2 / 80);
    assert_int_equal(lost_lines, 1); /* in one place, not between every two lines */
}

static void the_count_of_what_is_lost_comes_although_nothing_is_said_after_it(void **state)
{
    (void)state;
    unsigned lost, lost_lines;
    reader_open();
    backlog_hold(lost_line);
    backlog_start();
    say_numbers(0, MANY);
    reader_await("lost ");
    backlog_end();
    reader_take();
    reader_restore();
    close(reader.fd);
    assert_int_equal(check_numbers(&lost, &lost_lines), MANY);
    assert_true(lost > 0 && lost_lines == 1);
}

static void the_progress_line_is_taken_away_before_anything_is_said(void **state)
{
    (void)state;
    static const char expected[] = "\r\033[K10 %\r\033[Kline\n\r\033[K20 %\r\033[K30 %\r\033[K";
    reader_open();
    backlog_draw("\r\033[K10 %", 8);
    say(BACKLOG_LOG, "line\n");
    backlog_draw("\r\033[K20 %", 8);
    backlog_draw("\r\033[K30 %", 8);
    backlog_erase();
    backlog_erase();
    bool direct = strcmp(reader_take(), expected) == 0;
    reader.bytes = 0;

    backlog_hold(lost_line);
    backlog_start();
    backlog_draw("\r\033[K10 %", 8);
    say(BACKLOG_LOG, "line\n");
    reader_await("line\n");
    /* What was read may not have been counted as written yet, and then nothing is
     * drawn. */
    do backlog_draw("\r\033[K20 %", 8);
    while (strstr(reader_take(), "20 %") == NULL);
    backlog_erase();
    reader_take();
    size_t erased = reader.bytes;
    backlog_end();
    reader_take();
    reader_restore();
    close(reader.fd);
    assert_true(direct);
    assert_int_equal(erased, reader.bytes); /* it was gone when backlog_erase returned */
    assert_memory_equal(reader.text, "\r\033[K10 %\r\033[Kline\n\r\033[K20 %", 25);
    assert_string_equal(reader.text + reader.bytes - 8, "20 %\r\033[K");
}

/* Far more than is written before the crash comes, and more than a pipe takes. */
static void what_was_said_before_a_crash_is_written(void **state)
{
    (void)state;
    unsigned lost, lost_lines;
    reader_open();
    pid_t child = fork();
    if (child == 0) {
        backlog_hold(lost_line);
        backlog_start();
        say_numbers(0, 2000);
        abort();
    }
    reader_restore();
    struct pollfd poll_fd = {.fd = reader.fd, .events = POLLIN};
    size_t before;
    do {
        before = reader.bytes;
        poll(&poll_fd, 1, -1);
        reader_take();
    } while (reader.bytes > before); /* until nobody has the writing end */
    close(reader.fd);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_int_equal(check_numbers(&lost, &lost_lines), 2000);
    assert_int_equal(lost, 0);
}

/* The last one: the thread is left in its write. */
static void the_end_does_not_wait_for_a_reader_for_ever(void **state)
{
    (void)state;
    reader_open();
    backlog_hold(lost_line);
    backlog_start();
    say_numbers(0, MANY);
    backlog_end();
    say_numbers(0, MANY); /* nor does who comes later */
    say(BACKLOG_NOTICE, "unheard\n");
    backlog_erase();
    reader_restore();
    close(reader.fd);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_written_at_once_while_nothing_is_held),
        cmocka_unit_test(what_is_held_comes_in_order_when_the_thread_is_there),
        cmocka_unit_test(the_end_writes_what_was_held_although_no_thread_was_started),
        cmocka_unit_test(nobody_waits_for_a_reader_and_what_is_lost_is_counted),
        cmocka_unit_test(the_count_of_what_is_lost_comes_although_nothing_is_said_after_it),
        cmocka_unit_test(the_progress_line_is_taken_away_before_anything_is_said),
        cmocka_unit_test(what_was_said_before_a_crash_is_written),
        cmocka_unit_test(the_end_does_not_wait_for_a_reader_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
