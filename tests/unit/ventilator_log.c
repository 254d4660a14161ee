/* ventilator_log.c - what an operator reads of a run that failed. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "../../src/node/ventilator_log.h"

#include "../../src/core/instant.h"

#include <stdio.h>
#include <string.h>

struct paper {
    enum tmesh_level level;
    char line[TMESH_LOG_LINE_BYTES_MAX];
};

static void write_down(const tmesh_log_entry_t *entry, void *context)
{
    struct paper *paper = context;
    paper->level = entry->level;
    (void)snprintf(paper->line, sizeof paper->line, "%s", entry->line);
}

/* As the loop does it. */
static const char *line_of(struct paper *paper, const struct record *record, const char *words)
{
    const struct log log = {.write = write_down, .context = paper};
    bool wanted = ventilator_log_wants_cause(record);
    ventilator_log(&log, record, wanted ? bytes_text(words) : (struct bytes){0});
    return paper->line;
}

static void a_failed_run_is_logged_with_the_policy_and_the_cause(void **state)
{
    (void)state;
    struct paper paper;
    const struct record retried = {
        .kind = RECORD_RETRIED, .state = TASK_WAITING, .delay_ns = 250 * MILLISECOND};
    assert_string_equal(line_of(&paper, &retried, "exit status 1: no disk"),
                        "failed, runs again in 250 ms: exit status 1: no disk");
    assert_int_equal(paper.level, TMESH_INFO);
    const struct record failed = {
        .kind = RECORD_ENDED, .state = TASK_FAILED, .reason = REASON_ATTEMPTS};
    assert_string_equal(line_of(&paper, &failed, "exit status 1: no disk"),
                        "failed: it failed as often as its policy allows: exit status 1: no disk");
    assert_int_equal(paper.level, TMESH_WARNING);
    const struct record dead = {.kind = RECORD_ENDED, .state = TASK_DEAD, .reason = REASON_CRASHES};
    assert_string_equal(line_of(&paper, &dead, "SIGSEGV"),
                        "dead: it killed its handler's process too often: SIGSEGV");
}

static void a_run_that_said_nothing_leaves_no_colon_behind(void **state)
{
    (void)state;
    struct paper paper;
    const struct record failed = {
        .kind = RECORD_ENDED, .state = TASK_FAILED, .reason = REASON_PERMANENT};
    assert_string_equal(line_of(&paper, &failed, ""),
                        "failed: its handler said that trying again is useless");
}

static void a_task_whose_workers_were_lost_is_not_blamed_on_an_earlier_run(void **state)
{
    (void)state;
    struct paper paper;
    const struct record lost = {.kind = RECORD_ENDED, .state = TASK_DEAD, .reason = REASON_LOSSES};
    assert_string_equal(line_of(&paper, &lost, "exit status 1"),
                        "dead: too many workers were lost while they ran it");
    const struct record done = {.kind = RECORD_ENDED, .state = TASK_DONE};
    assert_string_equal(line_of(&paper, &done, "exit status 1"), "done");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failed_run_is_logged_with_the_policy_and_the_cause),
        cmocka_unit_test(a_run_that_said_nothing_leaves_no_colon_behind),
        cmocka_unit_test(a_task_whose_workers_were_lost_is_not_blamed_on_an_earlier_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
