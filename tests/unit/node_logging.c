/* node_logging.c - the library's log lines, as text and as JSON. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "../../nodes/logging.h"
#include "node_capture.h"

#include <stdbool.h>
#include <string.h>

static struct capture capture;

/* What the line becomes, with every digit shown as a 9: the time is another. */
static const char *logged_entry(struct logging logging, const tmesh_log_entry_t *entry)
{
    capture_start(&capture, STDERR_FILENO);
    logging_write(entry, &logging);
    capture_end(&capture);
    for (char *at = capture.text; *at; at++) {
        if (*at >= '0' && *at <= '9') *at = '9';
    }
    return capture.text;
}

static const char *logged(struct logging logging, enum tmesh_level level, const char *line)
{
    return logged_entry(logging, &(tmesh_log_entry_t){.level = level, .line = line});
}

static void a_line_has_time_and_level(void **state)
{
    (void)state;
    struct logging logging = logging_from("debug", "text");
    assert_string_equal(logged(logging, TMESH_INFO, "worker \"a\" came"),
                        "9999-99-99T99:99:99.999Z info    worker \"a\" came\n");
    assert_string_equal(logged(logging, TMESH_WARNING, "x"),
                        "9999-99-99T99:99:99.999Z warning x\n");
    assert_string_equal(logged(logging_from("debug", "json"), TMESH_ERROR, "say \"a\"\n\xff"),
                        "{\"ts\":\"9999-99-99T99:99:99.999Z\",\"level\":\"error\","
                        "\"msg\":\"say \\\"a\\\"\\n\\ufffd\"}\n");
}

static void a_line_about_a_task_names_it(void **state)
{
    (void)state;
    tmesh_id_t id;
    assert_int_equal(tmesh_id_parse("0180c0de-ffff-7fff-bfff-ffffffffffff", &id), TMESH_OK);
    tmesh_log_entry_t entry = {
        .level = TMESH_INFO, .line = "half way", .task = &id, .name = "resize", .attempt = 12};
    assert_string_equal(logged_entry(logging_from("debug", "text"), &entry),
                        "9999-99-99T99:99:99.999Z info    "
                        "task=9999c9de-ffff-9fff-bfff-ffffffffffff name=resize attempt=99 "
                        "half way\n");
    assert_string_equal(logged_entry(logging_from("debug", "json"), &entry),
                        "{\"ts\":\"9999-99-99T99:99:99.999Z\",\"level\":\"info\","
                        "\"task\":\"9999c9de-ffff-9fff-bfff-ffffffffffff\",\"name\":\"resize\","
                        "\"attempt\":99,\"msg\":\"half way\"}\n");
    entry.name = NULL;
    assert_string_equal(logged_entry(logging_from("debug", "text"), &entry),
                        "9999-99-99T99:99:99.999Z info    "
                        "task=9999c9de-ffff-9fff-bfff-ffffffffffff attempt=99 half way\n");
    assert_null(strstr(logged_entry(logging_from("debug", "json"), &entry), "name"));
}

static void what_is_below_the_level_is_not_shown(void **state)
{
    (void)state;
    static const char *const names[] = {"debug", "info", "warning", "error"};
    for (unsigned least = 0; least < 4; least++) {
        for (unsigned level = 0; level < 4; level++) {
            struct logging logging = logging_from(names[least], least % 2 ? "json" : "text");
            bool shown = *logged(logging, (enum tmesh_level)level, "x") != 0;
            assert_int_equal(shown, level >= least);
            if (shown) assert_non_null(strstr(capture.text, names[level]));
        }
    }
}

static void a_line_that_is_too_long_is_cut_and_still_ends(void **state)
{
    (void)state;
    static char line[2 * TMESH_LOG_LINE_BYTES_MAX];
    memset(line, 'x', sizeof line - 1);
    const char *text = logged(logging_from("debug", "text"), TMESH_INFO, line);
    assert_in_range(capture.bytes, TMESH_LOG_LINE_BYTES_MAX, TMESH_LOG_LINE_BYTES_MAX + 256);
    assert_ptr_equal(strchr(text, '\n'), text + capture.bytes - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_has_time_and_level),
        cmocka_unit_test(a_line_about_a_task_names_it),
        cmocka_unit_test(what_is_below_the_level_is_not_shown),
        cmocka_unit_test(a_line_that_is_too_long_is_cut_and_still_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
