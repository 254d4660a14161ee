/* log.c - which lines reach the host's log function, and how. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "../../src/watch/log.h"

#include <string.h>

struct heard {
    uint32_t count;
    enum tmesh_level level;
    bool about_task;
    char line[TMESH_LOG_LINE_BYTES_MAX];
};

static void hear(const tmesh_log_entry_t *entry, void *context)
{
    struct heard *heard = context;
    heard->count++;
    heard->level = entry->level;
    heard->about_task = entry->task != NULL;
    strcpy(heard->line, entry->line);
}

static void nobody_has_to_listen(void **state)
{
    (void)state;
    const struct log log = {0};
    assert_false(log_wants(&log, TMESH_ERROR));
    log_line(&log, TMESH_ERROR, "%s", "unheard");
}

static void lines_below_the_level_are_not_made(void **state)
{
    (void)state;
    struct heard heard = {0};
    const struct log_subject subject = {.attempt = 1};
    for (int least = TMESH_DEBUG; least <= TMESH_ERROR; least++) {
        const struct log log = {&hear, &heard, (enum tmesh_level)least};
        for (int level = TMESH_DEBUG; level <= TMESH_ERROR; level++) {
            heard = (struct heard){0};
            log_line(&log, (enum tmesh_level)level, "line %d", level);
            assert_int_equal(heard.count, level >= least);
            assert_false(heard.about_task);
            log_task_line(&log, &subject, (enum tmesh_level)level, "line %d", level);
            assert_int_equal(heard.count, level >= least ? 2 : 0);
            if (level < least) continue;
            assert_int_equal(heard.level, level);
            assert_true(heard.about_task);
        }
    }
    assert_string_equal(heard.line, "line 3");
}

static void what_is_not_printable_is_escaped(void **state)
{
    (void)state;
    struct heard heard = {0};
    const struct log log = {.write = hear, .context = &heard};
    log_line(&log, TMESH_INFO, "a\n%s", "\x1b[31m");
    assert_string_equal(heard.line, "a\\x0a\\x1b[31m");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_has_to_listen),
        cmocka_unit_test(lines_below_the_level_are_not_made),
        cmocka_unit_test(what_is_not_printable_is_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
