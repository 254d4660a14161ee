/* pool_process.c - functions in child processes, as they should be: heard, replaced, and
 * taken back while they wait.
 */
#include "pool_stage.h"

#include "core/instant.h"
#include "watch/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void assert_begins(const char *text, const char *beginning)
{
    if (strncmp(text, beginning, strlen(beginning)) != 0)
        fail_msg("\"%s\" does not begin with \"%s\"", text, beginning);
}

static pid_t pid_in(const struct outing *outing)
{
    long pid = strtol(outing->result, NULL, 10);
    assert_in_range(pid, 2, INT32_MAX);
    return (pid_t)pid;
}

static void what_a_run_says_is_heard(void **state)
{
    (void)state;
    struct stage *stage = stage_bad((struct nursery_options){.slots = 1});
    uint32_t job = stage_submit_text(stage, "obedient", "");
    while (stage_await_start(stage) != job) continue;
    struct pool_progress progress = {.job = UINT32_MAX};
    while (pool_progress(stage->pool, &progress) == 0) stage_collect(stage);
    assert_int_equal(progress.job, job);
    assert_int_equal(progress.number, 42);
    assert_int_equal(progress.text.size, strlen("half way"));
    assert_memory_equal(progress.text.data, "half way", progress.text.size);
    assert_in_range(progress.told_ns, clock_now_ns() - 30 * SECOND, clock_now_ns());
    while (atomic_load(&stage->wakes) == 0) stage_collect(stage);
    assert_int_equal(pool_progress(stage->pool, &progress), 0);
    pool_tell(stage->pool, job, END_SOFT_LIMIT);
    const struct outing *outing = stage_await(stage, job);
    assert_int_equal(outing->outcome, OUTCOME_FAILED);
    assert_int_equal(outing->retry_after_ms, 1234);
    assert_begins(outing->text, "over its soft time limit of 0 s: told to stop");
    stage_destroy(&stage);
}

/* Each line is its own run's, however fast they follow each other. */
static void what_a_run_writes_is_logged_with_its_context(void **state)
{
    (void)state;
    struct stage *stage = stage_bad((struct nursery_options){.slots = 1});
    const char *const names[] = {"print", "good", "mutter", "good", "print", "segv", "obedient"};
    uint32_t first = stage_submit_many(stage, names, 7);
    while (stage_await_start(stage) != first + 6) continue;
    pool_tell(stage->pool, first + 6, END_REVOKED);
    stage_await_all(stage);
    assert_string_equal(stage->outings[first + 2].text, "killed by signal 6 (Aborted): 7");
    assert_string_equal(stage->outings[first + 5].text, "killed by signal 11 (Segmentation fault)");
    static const char logged[] =
        "info 00000000-0000-0000-0000-000000000000 print 1: 7\n"
        "info 00000000-0000-0000-0000-000000000000 mutter 1: 7\n"
        "info 00000000-0000-0000-0000-000000000000 print 1: 7\n"
        "warning 00000000-0000-0000-0000-000000000000 obedient 1: told to stop\n";
    char *log = stage_log(stage);
    if (strstr(log, logged) == NULL) fail_msg("%s", log);
    free(log);
    stage_destroy(&stage);
}

static void children_are_replaced_after_so_many_tasks(void **state)
{
    (void)state;
    struct stage *stage = stage_bad((struct nursery_options){.slots = 1, .tasks_per_child = 10});
    const char *names[100];
    for (uint32_t i = 0; i < 100; i++) names[i] = "process";
    uint32_t first = stage_submit_many(stage, names, 100);
    stage_await_all(stage);
    for (uint32_t i = 0; i < 100; i++) {
        assert_int_equal(stage->outings[first + i].outcome, OUTCOME_DONE);
        bool same = i > 0 && strcmp(stage->outings[first + i].result,
                                    stage->outings[first + i - 1].result) == 0;
        assert_int_equal(same, i % 10 != 0);
    }
    stage_destroy(&stage);
}

static void children_that_hold_too_much_are_replaced(void **state)
{
    (void)state;
    struct stage *stage =
        stage_bad((struct nursery_options){.slots = 1, .memory_per_child = (uint64_t)256 << 20});
    uint32_t jobs[8];
    pid_t pids[8];
    for (uint32_t i = 0; i < 8; i++) {
        jobs[i] = stage_submit_text(stage, "leak", "100");
        pids[i] = pid_in(stage_await(stage, jobs[i]));
    }
    for (uint32_t i = 1; i < 8; i++) assert_int_equal(pids[i] == pids[i - 1], i % 3 != 0);
    stage_destroy(&stage);
}

static void what_waits_in_a_child_is_taken_back(void **state)
{
    (void)state;
    struct stage *stage = stage_bad((struct nursery_options){.slots = 1});
    const char *names[64];
    for (uint32_t i = 0; i < 64; i++) names[i] = i == 0 ? "loop" : "good";
    uint32_t first = stage_submit_many(stage, names, 64);
    while (stage_await_start(stage) != first) continue;
    for (uint32_t i = 1; i < 64; i += 2) pool_recall(stage->pool, first + i);
    pool_recall(stage->pool, first);
    for (uint32_t i = 1; i < 64; i += 2)
        assert_int_equal(stage_await(stage, first + i)->outcome, OUTCOME_RETURNED);
    assert_int_equal(stage->over, 32);
    pool_kill(stage->pool, first + 62, END_REVOKED);
    assert_int_equal(stage_await(stage, first + 62)->outcome, OUTCOME_RETURNED);
    pool_kill(stage->pool, first, END_LIMIT);
    stage_await_all(stage);
    assert_int_equal(stage->outings[first].outcome, OUTCOME_FAILED);
    for (uint32_t i = 2; i < 62; i += 2)
        assert_int_equal(stage->outings[first + i].outcome, OUTCOME_DONE);

    first = stage_submit_many(stage, names, 64);
    while (stage_await_start(stage) != first) continue;
    pool_withdraw(stage->pool);
    for (uint32_t i = 1; i < 64; i++)
        assert_int_equal(stage_await(stage, first + i)->outcome, OUTCOME_RETURNED);
    pool_kill(stage->pool, first, END_LIMIT);
    stage_await_all(stage);
    stage_destroy(&stage);
}

/* Two slots, and everything behind one endless run: the other slot does it. */
static void what_waits_behind_a_long_run_goes_to_others(void **state)
{
    (void)state;
    struct stage *stage = stage_bad((struct nursery_options){.slots = 2});
    const char *names[300];
    for (uint32_t i = 0; i < 300; i++) names[i] = i == 7 ? "loop" : "good";
    uint32_t first = stage_submit_many(stage, names, 300);
    for (uint32_t i = 0; i < 300; i++)
        if (i != 7) assert_int_equal(stage_await(stage, first + i)->outcome, OUTCOME_DONE);
    assert_int_equal(pool_running(stage->pool), 1);
    pool_kill(stage->pool, first + 7, END_LIMIT);
    stage_await_all(stage);
    stage_destroy(&stage);
}

static void behind_a_closed_fence_no_child_begins(void **state)
{
    (void)state;
    struct stage *stage = stage_bad((struct nursery_options){.slots = 1});
    const char *const names[] = {"obedient", "good", "good"};
    uint32_t first = stage_submit_many(stage, names, 3);
    while (stage_await_start(stage) != first) continue;
    pool_fence(stage->pool, 0, clock_now_ns());
    pool_tell(stage->pool, first, END_SOFT_LIMIT);
    assert_int_equal(stage_await(stage, first)->outcome, OUTCOME_FAILED);
    assert_int_equal(stage_await(stage, first + 1)->outcome, OUTCOME_RETURNED);
    assert_int_equal(stage_await(stage, first + 2)->outcome, OUTCOME_RETURNED);
    pool_fence(stage->pool, 0, INSTANT_NEVER);
    uint32_t again = stage_submit_text(stage, "good", "");
    assert_int_equal(stage_await(stage, again)->outcome, OUTCOME_DONE);
    stage_destroy(&stage);
}

static void payloads_and_results_of_any_size_travel(void **state)
{
    (void)state;
    enum { JOBS = 24 };
    static uint8_t large[TMESH_RESULT_BYTES_MAX];
    for (size_t i = 0; i < sizeof large; i++) large[i] = (uint8_t)(i * 31 + i / 256);
    struct stage *stage = stage_bad((struct nursery_options){.slots = 1});
    for (uint32_t i = 0; i < JOBS; i++)
        (void)stage_submit(stage, "good",
                           bytes_of(large + i, i % 3 == 0 ? sizeof large - JOBS : i * 1000));
    stage_await_all(stage);
    for (uint32_t i = 0; i < JOBS; i++) {
        const struct outing *outing = &stage->outings[i];
        assert_int_equal(outing->outcome, OUTCOME_DONE);
        assert_int_equal(outing->result_size, i % 3 == 0 ? sizeof large - JOBS : i * 1000);
        assert_memory_equal(outing->result, large + i, outing->result_size);
    }
    stage_destroy(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_run_says_is_heard),
        cmocka_unit_test(what_a_run_writes_is_logged_with_its_context),
        cmocka_unit_test(children_are_replaced_after_so_many_tasks),
        cmocka_unit_test(children_that_hold_too_much_are_replaced),
        cmocka_unit_test(what_waits_in_a_child_is_taken_back),
        cmocka_unit_test(what_waits_behind_a_long_run_goes_to_others),
        cmocka_unit_test(behind_a_closed_fence_no_child_begins),
        cmocka_unit_test(payloads_and_results_of_any_size_travel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
