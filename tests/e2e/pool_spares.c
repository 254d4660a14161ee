/* pool_spares.c - children that are forked ahead: a slot whose child has ended goes on in
 * one of them, and what happens to them hurts nobody.
 */
#include "pool/stock.h"
#include "pool_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum { SPARES_ROOM = 2 * STOCK_MAX };

/* The spares that there should be. */
struct expected {
    pid_t nursery;
    uint32_t count;
    pid_t not_this; /* 0: any */
    pid_t pids[SPARES_ROOM];
};

static bool are_there(void *context)
{
    struct expected *expected = context;
    uint32_t count = stage_children(expected->nursery, "tmesh-spare", expected->pids, SPARES_ROOM);
    for (uint32_t i = 0; i < count; i++)
        if (expected->pids[i] == expected->not_this) return false;
    return count == expected->count;
}

/* Waits until there are so many, without one that was there before. */
static struct expected await_spares(const struct stage *stage, uint32_t count, pid_t not_this)
{
    struct expected expected = {
        .nursery = stage->nursery->pid, .count = count, .not_this = not_this};
    stage_until(are_there, &expected);
    return expected;
}

static bool is_gone(void *context)
{
    return kill(*(const pid_t *)context, 0) != 0 && errno == ESRCH;
}

static bool is_dead(void *context)
{
    return stage_is_dead(*(const pid_t *)context);
}

static pid_t run_process(struct stage *stage)
{
    const struct outing *outing = stage_await(stage, stage_submit_text(stage, "process", ""));
    assert_int_equal(outing->outcome, OUTCOME_DONE);
    return (pid_t)strtol(outing->result, NULL, 10);
}

static void crash(struct stage *stage)
{
    const struct outing *outing = stage_await(stage, stage_submit_text(stage, "segv", ""));
    assert_int_equal(outing->outcome, OUTCOME_CRASHED);
}

static void assert_nobody_complained(const struct stage *stage)
{
    if (stage_lines(stage) == 0) return;
    char *log = stage_log(stage);
    print_error("%s", log);
    free(log);
    fail_msg("there is something in the log");
}

static void after_a_crash_a_slot_goes_on_in_a_child_that_was_there_before(void **state)
{
    (void)state;
    struct stage *stage = stage_bad((struct nursery_options){.slots = 1});
    pid_t child = run_process(stage), spare = 0;
    for (int i = 0; i < 5; i++) {
        spare = await_spares(stage, 1, spare).pids[0];
        crash(stage);
        assert_int_not_equal(child, spare);
        child = run_process(stage);
        assert_int_equal(child, spare);
    }
    assert_nobody_complained(stage);
    stage_destroy(&stage);
}

static void so_it_does_when_its_child_has_served_enough(void **state)
{
    (void)state;
    struct stage *stage = stage_bad((struct nursery_options){.slots = 1, .tasks_per_child = 2});
    pid_t spare = 0;
    (void)run_process(stage);
    for (int i = 0; i < 5; i++) {
        spare = await_spares(stage, 1, spare).pids[0];
        assert_int_not_equal(run_process(stage), spare);
        assert_int_equal(run_process(stage), spare);
    }
    assert_nobody_complained(stage);
    stage_destroy(&stage);
}

static bool is_child(void *context)
{
    const struct expected *expected = context;
    pid_t pid = 0;
    return stage_children(expected->nursery, "tmesh-child", &pid, 1) == 1 &&
           pid == expected->pids[0];
}

/* The slot has nothing to do, and does not look. */
static void the_nursery_replaces_a_child_unasked(void **state)
{
    (void)state;
    struct stage *stage = stage_bad((struct nursery_options){.slots = 1});
    pid_t child = run_process(stage);
    struct expected spares = await_spares(stage, 1, 0);
    assert_int_equal(kill(child, SIGKILL), 0);
    stage_until(is_child, &spares);
    stage_destroy(&stage);
}

/* No spare is on its way to a slot that had none yet. */
static bool have_children(void *context)
{
    const struct stage *stage = context;
    pid_t pids[SPARES_ROOM];
    return stage_children(stage->nursery->pid, "tmesh-child", pids, SPARES_ROOM) ==
           stage->nursery->slots;
}

static bool has(const struct expected *spares, pid_t pid)
{
    for (uint32_t i = 0; i < spares->count; i++)
        if (spares->pids[i] == pid) return true;
    return false;
}

/* One that is killed, or all of them.  A slot may have got one that was not dead yet. */
static void spares_that_are_killed_are_replaced(void **state)
{
    (void)state;
    struct stage *stage = stage_bad((struct nursery_options){.slots = STOCK_MAX + 2});
    stage_until(have_children, stage);
    struct expected before = await_spares(stage, STOCK_MAX, 0);
    assert_int_equal(kill(before.pids[1], SIGKILL), 0);
    struct expected spares = await_spares(stage, STOCK_MAX, before.pids[1]);
    for (uint32_t i = 0; i < STOCK_MAX; i++) assert_int_equal(has(&spares, before.pids[i]), i != 1);
    for (uint32_t i = 0; i < STOCK_MAX; i++) assert_int_equal(kill(spares.pids[i], SIGKILL), 0);
    for (int i = 0; i < 10; i++) crash(stage);
    for (uint32_t i = 0; i < STOCK_MAX; i++) (void)await_spares(stage, STOCK_MAX, spares.pids[i]);
    (void)run_process(stage);
    stage_destroy(&stage);
}

/* The nursery is to hear of both deaths at once, and of the child's first. */
static void a_slot_is_not_given_a_spare_that_has_died(void **state)
{
    (void)state;
    struct stage *stage = stage_bad((struct nursery_options){.slots = 1});
    pid_t child = run_process(stage), nursery = stage->nursery->pid;
    pid_t spare = await_spares(stage, 1, 0).pids[0];
    assert_int_equal(kill(nursery, SIGSTOP), 0);
    assert_int_equal(kill(spare, SIGKILL), 0);
    stage_until(is_dead, &spare);
    uint32_t victim = stage_submit_text(stage, "segv", "");
    stage_until(is_dead, &child);
    assert_int_equal(kill(nursery, SIGCONT), 0);
    assert_int_equal(stage_await(stage, victim)->outcome, OUTCOME_CRASHED);
    assert_int_not_equal(run_process(stage), spare);
    (void)await_spares(stage, 1, spare);
    assert_nobody_complained(stage);
    stage_destroy(&stage);
}

/* Three streams, the worker's line, and two entries that are none. */
static bool are_lean(void *context)
{
    const struct expected *spares = context;
    for (uint32_t i = 0; i < STOCK_MAX; i++)
        if (stage_descriptors(spares->pids[i]) != 6) return false;
    return true;
}

/* Or one would not notice that its worker has gone, or that nobody reads its output. */
static void spares_have_nothing_of_each_other(void **state)
{
    (void)state;
    struct stage *stage = stage_bad((struct nursery_options){.slots = STOCK_MAX});
    struct expected spares = await_spares(stage, STOCK_MAX, 0);
    stage_until(are_lean, &spares);
    stage_destroy(&stage);
}

static void they_end_with_the_pool(void **state)
{
    (void)state;
    struct stage *stage = stage_bad((struct nursery_options){.slots = STOCK_MAX});
    struct expected spares = await_spares(stage, STOCK_MAX, 0);
    stage_destroy(&stage);
    for (uint32_t i = 0; i < STOCK_MAX; i++) stage_until(is_gone, &spares.pids[i]);
}

static void they_end_with_the_nursery(void **state)
{
    (void)state;
    struct stage *stage = stage_bad((struct nursery_options){.slots = STOCK_MAX});
    struct expected spares = await_spares(stage, STOCK_MAX, 0);
    assert_int_equal(kill(stage->nursery->pid, SIGKILL), 0);
    for (uint32_t i = 0; i < STOCK_MAX; i++) stage_until(is_dead, &spares.pids[i]);
    stage_destroy(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(after_a_crash_a_slot_goes_on_in_a_child_that_was_there_before),
        cmocka_unit_test(so_it_does_when_its_child_has_served_enough),
        cmocka_unit_test(the_nursery_replaces_a_child_unasked),
        cmocka_unit_test(spares_that_are_killed_are_replaced),
        cmocka_unit_test(a_slot_is_not_given_a_spare_that_has_died),
        cmocka_unit_test(spares_have_nothing_of_each_other),
        cmocka_unit_test(they_end_with_the_pool),
        cmocka_unit_test(they_end_with_the_nursery),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
