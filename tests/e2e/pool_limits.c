/* pool_limits.c - jobs that are taken back, killed, or not begun at all. */
#include "pool_stage.h"

#include "core/instant.h"
#include "watch/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* A handler that waits until it is let go. */
struct gate {
    atomic_uint entered, open;
};

static int wait_at_gate(tmesh_job_t *job, void *context)
{
    (void)job;
    struct gate *gate = context;
    const struct timespec pause = {.tv_nsec = 1000000};
    atomic_fetch_add(&gate->entered, 1);
    while (atomic_load(&gate->open) == 0) (void)nanosleep(&pause, NULL);
    return TMESH_DONE;
}

static bool somebody_waits(void *context)
{
    struct gate *gate = context;
    return atomic_load(&gate->entered) > 0;
}

static struct stage *stage_with_gate(struct gate *gate, const char *script)
{
    struct stage *stage = stage_new();
    const char *const argv[] = {"sh", "-c", script, NULL};
    assert_int_equal(registry_add_command(stage->registry, "c", argv, NULL), TMESH_OK);
    assert_int_equal(tmesh_registry_add(stage->registry, "gate", wait_at_gate, gate), TMESH_OK);
    stage_start(stage, 1);
    return stage;
}

static uint32_t started_job(struct stage *stage, struct pool_started *started)
{
    uint32_t count = pool_started(stage->pool, started);
    assert_in_range(count, 0, 1); /* it has one slot */
    return count == 0 ? UINT32_MAX : started->job;
}

static void what_waits_is_taken_back_and_what_runs_is_not(void **state)
{
    (void)state;
    struct gate gate = {0};
    struct stage *stage = stage_with_gate(&gate, ":");
    uint32_t runs = stage_submit_text(stage, "gate", "");
    stage_until(somebody_waits, &gate);
    uint32_t first = stage_submit_text(stage, "gate", ""),
             second = stage_submit_text(stage, "c", "");
    uint32_t third = stage_submit_text(stage, "c", "");
    pool_recall(stage->pool, second);
    pool_recall(stage->pool, runs);
    pool_recall(stage->pool, 9999);
    assert_int_equal(stage_await(stage, second)->outcome, OUTCOME_RETURNED);
    assert_false(stage->outings[first].over);
    pool_kill(stage->pool, third, END_LIMIT);
    assert_int_equal(stage_await(stage, third)->outcome, OUTCOME_RETURNED);
    assert_int_equal(pool_slot_of(stage->pool, runs), 0);
    assert_int_equal(pool_slot_of(stage->pool, first), POOL_NO_SLOT);
    atomic_store(&gate.open, 1);
    assert_int_equal(stage_await(stage, runs)->outcome, OUTCOME_DONE);
    assert_int_equal(stage_await(stage, first)->outcome, OUTCOME_DONE);
    assert_int_equal(atomic_load(&gate.entered), 2);
    stage_destroy(&stage);
}

/* A slot takes many small jobs at once; those behind the one that runs are its own. */
static void what_waits_in_a_slot_is_taken_back_too(void **state)
{
    (void)state;
    struct gate gate = {0};
    struct stage *stage = stage_with_gate(&gate, ":");
    struct assignment gates[64];
    for (uint32_t i = 0; i < 64; i++) gates[i] = (struct assignment){.name = bytes_text("gate")};
    assert_int_equal(stage_assign(stage, gates, 64), 0);
    stage_until(somebody_waits, &gate);
    for (uint32_t i = 1; i < 64; i += 2) pool_recall(stage->pool, i);
    atomic_store(&gate.open, 1);
    stage_await_all(stage);
    for (uint32_t i = 0; i < 64; i++) {
        assert_int_equal(stage->outings[i].outcome, i % 2 == 0 ? OUTCOME_DONE : OUTCOME_RETURNED);
    }
    assert_int_equal(atomic_load(&gate.entered), 32);
    stage_destroy(&stage);
}

static bool has_written(void *context)
{
    return access(context, F_OK) == 0;
}

static bool is_dead(void *context)
{
    return kill(*(const pid_t *)context, 0) != 0;
}

static pid_t read_pid(const char *path)
{
    int pid = 0;
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%d", &pid), 1);
    (void)fclose(file);
    return pid;
}

static void a_killed_command_dies_with_its_group_and_keeps_what_it_said(void **state)
{
    (void)state;
    struct gate gate = {.open = 1};
    char folder[] = "/tmp/tmesh-pool-XXXXXX", mark[64], script[512];
    assert_non_null(mkdtemp(folder));
    (void)snprintf(mark, sizeof mark, "%s/pid", folder);
    (void)snprintf(script, sizeof script,
                   "echo partly; echo waiting for nobody >&2; sleep 1000 & echo $! >%s.new; "
                   "mv %s.new %s; wait",
                   mark, mark, mark);
    struct stage *stage = stage_with_gate(&gate, script);
    const struct assignment command = {.name = bytes_text("c"), .limit_ms = 2500};
    assert_int_equal(stage_assign(stage, &command, 1), 0);
    stage_until(has_written, mark);
    pid_t child = read_pid(mark);
    pool_kill(stage->pool, 0, END_LIMIT);
    const struct outing *outing = stage_await(stage, 0);
    assert_int_equal(outing->outcome, OUTCOME_FAILED);
    assert_string_equal(outing->text, "over its time limit of 2500 ms: waiting for nobody");
    assert_string_equal(outing->result, "partly\n");
    stage_until(is_dead, &child);

    uint32_t next = stage_submit_text(stage, "gate", ""); /* the kill is over */
    assert_int_equal(stage_await(stage, next)->outcome, OUTCOME_DONE);
    stage_destroy(&stage);
    assert_int_equal(unlink(mark), 0);
    assert_int_equal(rmdir(folder), 0);
}

/* However the kill and the start of the process meet, that run ends, and the next
 * one is not hit. */
static void a_kill_hits_its_own_run_only(void **state)
{
    (void)state;
    struct gate gate = {.open = 1};
    struct stage *stage = stage_with_gate(&gate, "sleep 1000");
    for (uint32_t round = 0; round < 40; round++) {
        struct pool_started started;
        uint32_t job = stage_submit_text(stage, "c", "");
        while (started_job(stage, &started) != job) continue;
        const struct timespec pause = {.tv_nsec = round * 50000};
        (void)nanosleep(&pause, NULL);
        pool_kill(stage->pool, job, END_LIMIT);
        assert_int_equal(stage_await(stage, job)->outcome, OUTCOME_FAILED);
        uint32_t other = stage_submit_text(stage, "gate", "");
        assert_int_equal(stage_await(stage, other)->outcome, OUTCOME_DONE);
    }
    stage_destroy(&stage);
}

static void nothing_can_be_done_about_a_function(void **state)
{
    (void)state;
    struct gate gate = {0};
    struct stage *stage = stage_with_gate(&gate, "echo well");
    uint32_t job = stage_submit_text(stage, "gate", "");
    stage_until(somebody_waits, &gate);
    pool_kill(stage->pool, job, END_LIMIT);
    uint32_t next = stage_submit_text(stage, "c", "");
    atomic_store(&gate.open, 1);
    assert_int_equal(stage_await(stage, job)->outcome, OUTCOME_DONE);
    assert_int_equal(stage_await(stage, next)->outcome, OUTCOME_DONE); /* not killed for it */
    assert_string_equal(stage_await(stage, next)->result, "well\n");
    stage_destroy(&stage);
}

static void each_run_is_told_of_once_with_its_beginning(void **state)
{
    (void)state;
    struct gate gate = {0};
    struct stage *stage = stage_with_gate(&gate, ":");
    struct pool_started started = {0};
    assert_int_equal(started_job(stage, &started), UINT32_MAX);
    uint64_t before_ns = clock_now_ns();
    uint32_t job = stage_submit_text(stage, "gate", "");
    stage_until(somebody_waits, &gate);
    assert_int_equal(started_job(stage, &started), job);
    assert_in_range(started.began_ns, before_ns, clock_now_ns());
    assert_int_equal(started_job(stage, &started), UINT32_MAX);
    atomic_store(&gate.open, 1);
    stage_await_all(stage);
    assert_int_equal(started_job(stage, &started), UINT32_MAX);
    stage_destroy(&stage);
}

static void behind_a_closed_fence_nothing_begins(void **state)
{
    (void)state;
    struct gate gate = {0};
    struct stage *stage = stage_with_gate(&gate, ":");
    uint32_t runs = stage_submit_text(stage, "gate", "");
    stage_until(somebody_waits, &gate);
    uint32_t waits = stage_submit_text(stage, "gate", "");
    pool_fence(stage->pool, 0, clock_now_ns()); /* from now on */
    atomic_store(&gate.open, 1);
    assert_int_equal(stage_await(stage, runs)->outcome, OUTCOME_DONE);
    assert_int_equal(stage_await(stage, waits)->outcome, OUTCOME_RETURNED);
    uint32_t later = stage_submit_text(stage, "c", "");
    assert_int_equal(stage_await(stage, later)->outcome, OUTCOME_RETURNED);
    assert_int_equal(atomic_load(&gate.entered), 1);
    pool_fence(stage->pool, 0, INSTANT_NEVER);
    uint32_t again = stage_submit_text(stage, "gate", "");
    assert_int_equal(stage_await(stage, again)->outcome, OUTCOME_DONE);
    stage_destroy(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_waits_is_taken_back_and_what_runs_is_not),
        cmocka_unit_test(what_waits_in_a_slot_is_taken_back_too),
        cmocka_unit_test(a_killed_command_dies_with_its_group_and_keeps_what_it_said),
        cmocka_unit_test(a_kill_hits_its_own_run_only),
        cmocka_unit_test(nothing_can_be_done_about_a_function),
        cmocka_unit_test(each_run_is_told_of_once_with_its_beginning),
        cmocka_unit_test(behind_a_closed_fence_nothing_begins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
