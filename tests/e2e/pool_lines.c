/* pool_lines.c - functions in child processes: what they say is logged, all of it, as
 * their own.
 */
#include "pool_stage.h"

#include "core/instant.h"
#include "watch/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sched.h>
#include <stdlib.h>

struct wanted {
    const struct stage *stage;
    uint32_t lines;
};

static bool are_logged(void *context)
{
    const struct wanted *wanted = context;
    return stage_lines(wanted->stage) == wanted->lines;
}

static void a_line_without_an_end_is_its_own_runs(void **state)
{
    (void)state;
    struct stage *stage = stage_bad((struct nursery_options){.slots = 1});
    const char *const names[] = {"whisper", "print", "hum", "print", "hum", "whisper"};
    (void)stage_submit_many(stage, names, 6);
    stage_await_all(stage);
    struct wanted wanted = {stage, 6};
    stage_until(are_logged, &wanted);
    static const char logged[] = "info 00000000-0000-0000-0000-000000000000 whisper 1: 7\n"
                                 "info 00000000-0000-0000-0000-000000000000 print 1: 7\n"
                                 "info 00000000-0000-0000-0000-000000000000 hum 1: 7\n"
                                 "info 00000000-0000-0000-0000-000000000000 print 1: 7\n"
                                 "info 00000000-0000-0000-0000-000000000000 hum 1: 7\n"
                                 "info 00000000-0000-0000-0000-000000000000 whisper 1: 7\n";
    char *log = stage_log(stage);
    assert_string_equal(log, logged);
    free(log);
    stage_destroy(&stage);
}

/* The log is so slow that the run is over when its first line is written. */
static void wait_for_the_result(struct stage *stage)
{
    const uint64_t deadline_ns = clock_now_ns() + 10 * SECOND;
    const struct area area = areas_at(&stage->nursery->areas, 0);
    while (atomic_load(&area.board->finished) == 0 && clock_now_ns() < deadline_ns)
        (void)sched_yield();
}

static void wait_for_the_rounds_end(struct stage *stage)
{
    const uint64_t deadline_ns = clock_now_ns() + 10 * SECOND;
    const struct area area = areas_at(&stage->nursery->areas, 0);
    while (atomic_load(&area.board->over) == 0 && clock_now_ns() < deadline_ns) (void)sched_yield();
}

static void a_burst_of_lines_is_logged_before_anything_else_runs(void **state)
{
    (void)state;
    struct stage *stage = stage_bad((struct nursery_options){.slots = 1});
    stage->on_line = wait_for_the_rounds_end;
    (void)stage_submit_text(stage, "babble", "200");
    stage_await_all(stage);
    struct wanted wanted = {stage, 200};
    stage_until(are_logged, &wanted);
    stage_destroy(&stage);
}

static void what_a_child_said_last_is_logged_after_its_end(void **state)
{
    (void)state;
    struct stage *stage = stage_bad((struct nursery_options){.slots = 1, .tasks_per_child = 1});
    stage->on_line = wait_for_the_result;
    (void)stage_submit_text(stage, "babble", "220");
    stage_await_all(stage);
    struct wanted wanted = {stage, 220};
    stage_until(are_logged, &wanted);
    stage_destroy(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_without_an_end_is_its_own_runs),
        cmocka_unit_test(a_burst_of_lines_is_logged_before_anything_else_runs),
        cmocka_unit_test(what_a_child_said_last_is_logged_after_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
