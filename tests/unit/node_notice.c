/* node_notice.c - what people see on stderr: notices, and the progress line on a
 * terminal, which gives way to everything else.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "../../nodes/notice.h"
#include "../../nodes/output.h"
#include "../../nodes/progress.h"
#include "node_capture.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

enum { ANSWER_MS = 10000 }; /* within which a pseudo terminal passes on what it got */

static struct capture capture;

static void expect_notice(const char *data, const char *wanted)
{
    capture_start(&capture, STDERR_FILENO);
    notice_print("%s", data);
    capture_end(&capture);
    assert_string_equal(capture.text, wanted);
}

static void a_notice_is_a_line_with_its_speaker(void **state)
{
    (void)state;
    expect_notice("hello", "tmesh: hello\n");
    notice_name("tmesh submit");
    expect_notice("hello", "tmesh submit: hello\n");
    notice_name("tmesh");
    capture_start(&capture, STDERR_FILENO);
    notice_plain("%d of %d", 1, 2);
    capture_end(&capture);
    assert_string_equal(capture.text, "1 of 2\n");
}

static void no_data_steers_a_terminal(void **state)
{
    (void)state;
    expect_notice("\x1b[31mred\x07\x7f\r\x01", "tmesh: \\x1b[31mred\\x07\\x7f\\x0d\\x01\n");
    expect_notice("\xc2\x9b"
                  "2J\xc2\x80\xc2\x9f",
                  "tmesh: \\xc2\\x9b2J\\xc2\\x80\\xc2\\x9f\n");
    expect_notice("a\tb\nc", "tmesh: a\tb\nc\n");
    expect_notice("\xc2\xa0h\xc3\xa4\xe2\x82\xac\xc2",
                  "tmesh: \xc2\xa0h\xc3\xa4\xe2\x82\xac\xc2\n");
}

static void a_notice_that_is_too_long_is_cut_and_still_a_line(void **state)
{
    (void)state;
    enum { BYTES = 20000 };
    char *text = malloc(BYTES);
    static const char letters[] = {'x', '\x01'};
    assert_non_null(text);
    for (size_t i = 0; i < sizeof letters; i++) {
        memset(text, letters[i], BYTES - 1);
        text[BYTES - 1] = 0;
        capture_start(&capture, STDERR_FILENO);
        notice_print("%s", text);
        capture_end(&capture);
        assert_in_range(capture.bytes, 8000, 8200);
        assert_ptr_equal(strchr(capture.text, '\n'), capture.text + capture.bytes - 1);
    }
    free(text);
}

static void progress_is_for_terminals_only(void **state)
{
    (void)state;
    capture_start(&capture, STDERR_FILENO);
    progress_show(1, "%d of %d", 1, 2);
    progress_hide();
    capture_end(&capture);
    assert_string_equal(capture.text, "");
}

/* A terminal in place of stderr; what the program writes is read at `master`. */
struct terminal {
    int master, slave, kept;
};

static bool terminal_open(struct terminal *terminal)
{
    struct termios raw;
    terminal->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (terminal->master < 0) return false;
    if (grantpt(terminal->master) != 0 || unlockpt(terminal->master) != 0) return false;
    const char *name = ptsname(terminal->master);
    terminal->slave = name ? open(name, O_RDWR | O_NOCTTY | O_CLOEXEC) : -1;
    if (terminal->slave < 0 || tcgetattr(terminal->slave, &raw) != 0) return false;
    cfmakeraw(&raw);
    if (tcsetattr(terminal->slave, TCSANOW, &raw) != 0) return false;
    fflush(NULL);
    terminal->kept = dup(STDERR_FILENO);
    return dup2(terminal->slave, STDERR_FILENO) == STDERR_FILENO;
}

/* Takes stderr back; `text` gets all that the terminal was sent. */
static void terminal_close(struct terminal *terminal, char *text, size_t text_bytes)
{
    size_t used = 0;
    bool over = write(STDERR_FILENO, "$", 1) != 1; /* nothing comes behind it */
    struct pollfd poll_fd = {.fd = terminal->master, .events = POLLIN};
    dup2(terminal->kept, STDERR_FILENO);
    close(terminal->kept);
    while (!over && used + 1 < text_bytes && poll(&poll_fd, 1, ANSWER_MS) == 1) {
        ssize_t bytes = read(terminal->master, text + used, text_bytes - 1 - used);
        if (bytes <= 0) break;
        used += (size_t)bytes;
        over = text[used - 1] == '$';
    }
    close(terminal->slave);
    close(terminal->master);
    assert_true(over && used > 0);
    text[used - 1] = 0;
}

static void progress_is_drawn_ten_times_a_second_and_taken_away_once(void **state)
{
    (void)state;
    struct terminal terminal;
    char seen[512];
    setenv("TERM", "xterm", 1);
    if (!terminal_open(&terminal)) skip();
    progress_show(1000, "a");
    progress_show(1001, "b");
    progress_show(1099, "c");
    progress_show(1100, "%d", 4);
    progress_hide();
    progress_hide();
    terminal_close(&terminal, seen, sizeof seen);
    assert_string_equal(seen, "\r\033[Ka"
                              "\r\033[K4"
                              "\r\033[K");
}

static void a_notice_takes_the_progress_line_away_first(void **state)
{
    (void)state;
    struct terminal terminal;
    char seen[512];
    setenv("TERM", "xterm", 1);
    if (!terminal_open(&terminal)) skip();
    progress_show(2000, "a");
    notice_print("b");
    notice_print("c");
    terminal_close(&terminal, seen, sizeof seen);
    assert_string_equal(seen, "\r\033[Ka\r\033[Ktmesh: b\ntmesh: c\n");
}

/* An answer on the same terminal, also one that is too large for the buffer. */
static void an_answer_takes_the_progress_line_away_first(void **state)
{
    (void)state;
    static struct output output;
    static char large[OUTPUT_BYTES];
    struct terminal terminal;
    char seen[512];
    int file = open("/dev/null", O_WRONLY | O_CLOEXEC);
    setenv("TERM", "xterm", 1);
    output_open(&output, file);
    if (!terminal_open(&terminal)) skip();
    progress_show(3000, "a");
    output_text(&output, "x");
    output_flush(&output);
    progress_show(3100, "b");
    output_add(&output, large, sizeof large);
    progress_show(3200, "c");
    output_flush(&output); /* nothing is there to write */
    progress_show(3300, "d");
    progress_hide();
    terminal_close(&terminal, seen, sizeof seen);
    close(file);
    assert_string_equal(seen, "\r\033[Ka\r\033[K\r\033[Kb\r\033[K\r\033[Kc\r\033[Kd\r\033[K");
}

static void a_terminal_that_cannot_do_it_is_spared(void **state)
{
    (void)state;
    struct terminal terminal;
    char seen[512];
    setenv("TERM", "dumb", 1);
    if (!terminal_open(&terminal)) skip();
    progress_show(4000, "a");
    progress_hide();
    terminal_close(&terminal, seen, sizeof seen);
    assert_string_equal(seen, "");
}

static void a_progress_line_that_is_too_long_is_cut(void **state)
{
    (void)state;
    struct terminal terminal;
    char seen[2000], text[1000];
    memset(text, 'x', sizeof text);
    setenv("TERM", "xterm", 1);
    if (!terminal_open(&terminal)) skip();
    progress_show(5000, "%.*s", (int)sizeof text, text);
    progress_hide();
    terminal_close(&terminal, seen, sizeof seen);
    assert_int_equal(strlen(seen), 511 + 4);
    assert_string_equal(seen + 511, "\r\033[K");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_notice_is_a_line_with_its_speaker),
        cmocka_unit_test(no_data_steers_a_terminal),
        cmocka_unit_test(a_notice_that_is_too_long_is_cut_and_still_a_line),
        cmocka_unit_test(progress_is_for_terminals_only),
        cmocka_unit_test(progress_is_drawn_ten_times_a_second_and_taken_away_once),
        cmocka_unit_test(a_notice_takes_the_progress_line_away_first),
        cmocka_unit_test(an_answer_takes_the_progress_line_away_first),
        cmocka_unit_test(a_terminal_that_cannot_do_it_is_spared),
        cmocka_unit_test(a_progress_line_that_is_too_long_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
