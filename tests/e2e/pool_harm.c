/* pool_harm.c - functions in child processes: what they may do to themselves, and that
 * it hurts nobody else.
 */
#include "pool_stage.h"

#include "core/instant.h"
#include "watch/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void assert_begins(const char *text, const char *beginning)
{
    if (strncmp(text, beginning, strlen(beginning)) != 0)
        fail_msg("\"%s\" does not begin with \"%s\"", text, beginning);
}

/* In the middle of 200 good ones, which all end well. */
static void a_death_costs_its_own_run_and_no_other(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text;
    } deaths[] = {
        {"mutter", "killed by signal 6 (Aborted): 7"},
        {"segv", "killed by signal 11 (Segmentation fault)"},
        {"abort", "killed by signal 6 (Aborted)"},
        {"exit", "its process exited with status 7 in the middle of the run"},
        {"smash", "killed by signal "},
        {"meddle", "killed by signal 11 (Segmentation fault)"},
        {"mutter", "killed by signal 6 (Aborted): 7"},
    };
    struct stage *stage = stage_bad((struct nursery_options){.slots = 2});
    for (size_t i = 0; i < sizeof deaths / sizeof *deaths; i++) {
        const char *names[200];
        for (uint32_t at = 0; at < 200; at++) names[at] = at % 40 == 20 ? deaths[i].name : "good";
        uint32_t first = stage_submit_many(stage, names, 200);
        stage_await_all(stage);
        for (uint32_t at = 0; at < 200; at++) {
            const struct outing *outing = &stage->outings[first + at];
            if (names[at] != deaths[i].name) {
                assert_int_equal(outing->outcome, OUTCOME_DONE);
                assert_string_equal(outing->result, "7");
                continue;
            }
            assert_int_equal(outing->outcome, OUTCOME_CRASHED);
            assert_begins(outing->text, deaths[i].text);
        }
    }
    stage_destroy(&stage);
}

static bool is_gone(void *context)
{
    return kill(*(const pid_t *)context, 0) != 0 && errno == ESRCH;
}

static pid_t pid_in(const struct outing *outing)
{
    long pid = strtol(outing->result, NULL, 10);
    assert_in_range(pid, 2, INT32_MAX);
    return (pid_t)pid;
}

static void an_endless_loop_is_killed_and_costs_only_itself(void **state)
{
    (void)state;
    struct stage *stage = stage_bad((struct nursery_options){.slots = 1});
    const char *const names[] = {"good", "print", "loop", "good", "deaf", "good"};
    uint32_t first = stage_submit_many(stage, names, 6);
    for (uint32_t at = 2; at <= 4; at += 2) {
        while (stage_await_start(stage) != first + at) continue;
        assert_int_equal(pool_slot_of(stage->pool, first + at), 0);
        assert_int_equal(pool_running(stage->pool), 1);
        pool_tell(stage->pool, first + at, END_SOFT_LIMIT);
        pool_kill(stage->pool, first + at, END_LIMIT);
        const struct outing *outing = stage_await(stage, first + at);
        assert_int_equal(outing->outcome, OUTCOME_FAILED);
        assert_string_equal(outing->text, "over its time limit of 2 s");
    }
    stage_await_all(stage);
    for (uint32_t at = 0; at < 6; at++)
        if (at != 2 && at != 4) assert_int_equal(stage->outings[first + at].outcome, OUTCOME_DONE);
    assert_int_equal(pool_running(stage->pool), 0);
    stage_destroy(&stage);
}

/* However the kill and the end of the run meet, no other run is hit. */
static void a_kill_hits_its_own_run_only(void **state)
{
    (void)state;
    enum { RUNS = 1000 };
    uint32_t kills = 0;
    struct stage *stage = stage_bad((struct nursery_options){.slots = 1});
    const char *names[RUNS];
    for (uint32_t i = 0; i < RUNS; i++) names[i] = "brief";
    uint32_t first = stage_submit_many(stage, names, RUNS);
    while (stage->over < RUNS) {
        struct pool_started started;
        if (pool_started(stage->pool, &started) > 0) {
            uint64_t moment_ns = clock_now_ns() + kills++ % 64 * 1000;
            while (clock_now_ns() < moment_ns) continue;
            pool_kill(stage->pool, started.job, END_REVOKED);
        }
        stage_collect(stage);
    }
    for (uint32_t i = 0; i < RUNS; i++) {
        const struct outing *outing = &stage->outings[first + i];
        if (outing->outcome == OUTCOME_RETURNED) continue; /* it had not begun after all */
        if (outing->outcome != OUTCOME_DONE) assert_string_equal(outing->text, "its lease is over");
        assert_true(outing->outcome == OUTCOME_DONE || outing->outcome == OUTCOME_FAILED);
    }
    stage_destroy(&stage);
}

static void too_much_output_ends_the_run(void **state)
{
    (void)state;
    struct stage *stage = stage_bad((struct nursery_options){.slots = 2});
    const char *const names[] = {"good", "gigabyte", "good", "gigabyte", "good"};
    uint32_t first = stage_submit_many(stage, names, 5);
    stage_await_all(stage);
    for (uint32_t at = 0; at < 5; at++) {
        const struct outing *outing = &stage->outings[first + at];
        if (at % 2 == 0) {
            assert_int_equal(outing->outcome, OUTCOME_DONE);
            continue;
        }
        assert_int_equal(outing->outcome, OUTCOME_PERMANENT);
        assert_begins(outing->text, "wrote more than 4 MiB to its standard output: ggg");
    }
    stage_destroy(&stage);
}

static void processes_left_behind_end_with_the_child(void **state)
{
    (void)state;
    struct stage *stage = stage_bad((struct nursery_options){.slots = 1});
    pid_t child = pid_in(stage_await(stage, stage_submit_text(stage, "process", "")));
    pid_t orphan = pid_in(stage_await(stage, stage_submit_text(stage, "orphan", "")));
    pid_t daemon_pid = pid_in(stage_await(stage, stage_submit_text(stage, "daemon", "")));
    assert_false(is_gone(&orphan));
    assert_false(is_gone(&daemon_pid));
    uint32_t job = stage_submit_text(stage, "segv", "");
    assert_int_equal(stage_await(stage, job)->outcome, OUTCOME_CRASHED);
    stage_until(is_gone, &child);
    stage_until(is_gone, &orphan);
    stage_until(is_gone, &daemon_pid);

    child = pid_in(stage_await(stage, stage_submit_text(stage, "process", "")));
    daemon_pid = pid_in(stage_await(stage, stage_submit_text(stage, "daemon", "")));
    pid_t nursery = stage->nursery->pid;
    stage_destroy(&stage);
    stage_until(is_gone, &child);
    stage_until(is_gone, &daemon_pid);
    stage_until(is_gone, &nursery);
}

/* The process that came back from a handler a second time does not run the jobs a
 * second time. */
static void a_handler_that_returns_twice_counts_once(void **state)
{
    (void)state;
    struct stage *stage = stage_bad((struct nursery_options){.slots = 1});
    const char *const names[] = {"process", "twice", "process", "process"};
    uint32_t first = stage_submit_many(stage, names, 4);
    stage_await_all(stage);
    for (uint32_t at = 1; at < 4; at++) {
        assert_int_equal(stage->outings[first + at].outcome, OUTCOME_DONE);
        assert_string_equal(stage->outings[first + at].result, stage->outings[first].result);
    }
    stage_destroy(&stage);
}

static void memory_written_over_is_not_believed(void **state)
{
    (void)state;
    static const char *const values[] = {"0", "255", "1", "127", "257", "258"};
    struct stage *stage = stage_bad((struct nursery_options){.slots = 1});
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        static const char *const kinds[] = {"scribble", "deface"};
        for (size_t kind = 0; kind < 2; kind++) {
            uint32_t before = stage_submit_text(stage, "good", "before");
            assert_string_equal(stage_await(stage, before)->result, "before");
            uint32_t lines = stage_lines(stage);
            uint32_t job = stage_submit_text(stage, kinds[kind], values[i]);
            uint32_t after = stage_submit_text(stage, "good", "after");
            while (stage_lines(stage) == lines) stage_collect(stage);
            while (kind == 0 && !stage->outings[job].over) { /* it waits to be ended */
                pool_kill(stage->pool, job, END_LIMIT);
                stage_collect(stage);
            }
            const struct outing *outing = stage_await(stage, job);
            /* Which one noticed first, the worker or the test, is a matter of chance. */
            if (kind != 0 || outing->outcome != OUTCOME_FAILED)
                assert_int_equal(outing->outcome, OUTCOME_CRASHED);
            assert_string_equal(stage_await(stage, after)->result, "after");
        }
    }
    stage_destroy(&stage);
}

static void a_child_without_descriptors_is_replaced(void **state)
{
    (void)state;
    struct stage *stage = stage_bad((struct nursery_options){.slots = 1});
    const char *const names[] = {"good", "unplug", "good", "process"};
    uint32_t first = stage_submit_many(stage, names, 4);
    stage_await_all(stage);
    for (uint32_t at = 0; at < 4; at++)
        assert_int_equal(stage->outings[first + at].outcome, OUTCOME_DONE);
    assert_string_not_equal(stage->outings[first + 1].result, stage->outings[first + 3].result);
    stage_destroy(&stage);
}

static bool has_spares(void *context)
{
    pid_t pids[2];
    return stage_children(((const struct stage *)context)->nursery->pid, "tmesh-spare", pids, 2) ==
           2;
}

/* What a worker leaves running when it is killed. */
static _Noreturn void be_a_worker(int told)
{
    struct stage *stage = stage_bad((struct nursery_options){.slots = 2});
    stage_until(has_spares, stage);
    (void)stage_submit_text(stage, "orphan", "");
    (void)stage_submit_text(stage, "daemon", "");
    stage_await_all(stage);
    (void)stage_submit_text(stage, "deaf", "");
    (void)stage_await_start(stage);
    if (write(told, "x", 1) != 1) _exit(1);
    for (;;) (void)pause();
}

static bool nobody_is_left(void *context)
{
    (void)context;
    pid_t pid;
    while ((pid = waitpid(-1, NULL, WNOHANG)) > 0) continue;
    return pid < 0 && errno == ECHILD;
}

/* Whatever it left comes to this process to be waited for. */
static void nothing_outlives_a_killed_worker(void **state)
{
    (void)state;
    int told[2];
    char letter;
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
    assert_int_equal(pipe(told), 0);
    pid_t worker = fork();
    assert_true(worker >= 0);
    if (worker == 0) be_a_worker(told[1]);
    (void)close(told[1]);
    assert_int_equal(read(told[0], &letter, 1), 1);
    assert_false(nobody_is_left(NULL));
    assert_int_equal(kill(worker, SIGKILL), 0);
    stage_until(nobody_is_left, NULL);
    assert_int_equal(read(told[0], &letter, 1), 0); /* nobody holds the other end */
    (void)close(told[0]);
}

static void a_module_that_cannot_be_loaded_says_why(void **state)
{
    (void)state;
    static const char *const missing[] = {"/nowhere/module.so", NULL};
    static const struct {
        const char *how, *text;
        const char *const *modules;
    } cases[] = {
        {"crash", "bad.so crashed while it was loaded: killed by signal 11", STAGE_BAD},
        {"exit", "bad.so ended its process while it was loaded, with status 3", STAGE_BAD},
        {"no licence", "bad.so cannot be used: no licence", STAGE_BAD},
        {NULL, "cannot load module /nowhere/module.so", missing},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tmesh_error_t error = {.code = TMESH_OK};
        tmesh_registry_t *registry = registry_new();
        struct nursery_options options = {.slots = 2, .fences = 1, .modules = cases[i].modules};
        if (cases[i].how != NULL) assert_int_equal(setenv("BAD_MODULE", cases[i].how, 1), 0);
        assert_null(nursery_new(&options, registry, &error));
        assert_int_equal(error.code, TMESH_E_MODULE);
        if (strstr(error.text, cases[i].text) == NULL) fail_msg("%s", error.text);
        assert_int_equal(unsetenv("BAD_MODULE"), 0);
        registry_destroy(&registry);
    }
}

static void without_its_nursery_a_pool_runs_no_functions(void **state)
{
    (void)state;
    const char *const argv[] = {"echo", "well", NULL};
    struct stage *stage = stage_new();
    assert_int_equal(registry_add_command(stage->registry, "command", argv, NULL), TMESH_OK);
    stage_start_children(stage, (struct nursery_options){.slots = 1, .modules = STAGE_BAD});
    const char *const names[] = {"loop", "good", "command"};
    uint32_t first = stage_submit_many(stage, names, 3);
    while (stage_await_start(stage) != first) continue;
    assert_false(pool_is_lost(stage->pool));
    assert_int_equal(kill(stage->nursery->pid, SIGKILL), 0);
    const struct outing *outing = stage_await(stage, first);
    assert_int_equal(outing->outcome, OUTCOME_FAILED);
    assert_string_equal(outing->text,
                        "the process that this worker's children come from has ended");
    assert_int_equal(stage_await(stage, first + 1)->outcome, OUTCOME_RETURNED);
    assert_int_equal(stage_await(stage, first + 2)->outcome, OUTCOME_DONE);
    assert_true(pool_is_lost(stage->pool));
    uint32_t late = stage_submit_text(stage, "good", "");
    assert_int_equal(stage_await(stage, late)->outcome, OUTCOME_RETURNED);
    stage_destroy(&stage);
}

/* As when an operator signals all that is called tmesh. */
static void a_nursery_that_is_asked_to_end_goes_on(void **state)
{
    (void)state;
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1};
    struct stage *stage = stage_bad((struct nursery_options){.slots = 1});
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        assert_int_equal(kill(stage->nursery->pid, signals[i]), 0);
        uint32_t job = stage_submit_text(stage, "segv", "");
        assert_int_equal(stage_await(stage, job)->outcome, OUTCOME_CRASHED);
        job = stage_submit_text(stage, "good", "");
        assert_int_equal(stage_await(stage, job)->outcome, OUTCOME_DONE);
    }
    assert_false(pool_is_lost(stage->pool));
    stage_destroy(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_death_costs_its_own_run_and_no_other),
        cmocka_unit_test(an_endless_loop_is_killed_and_costs_only_itself),
        cmocka_unit_test(a_kill_hits_its_own_run_only),
        cmocka_unit_test(too_much_output_ends_the_run),
        cmocka_unit_test(processes_left_behind_end_with_the_child),
        cmocka_unit_test(a_handler_that_returns_twice_counts_once),
        cmocka_unit_test(memory_written_over_is_not_believed),
        cmocka_unit_test(a_child_without_descriptors_is_replaced),
        cmocka_unit_test(nothing_outlives_a_killed_worker),
        cmocka_unit_test(a_module_that_cannot_be_loaded_says_why),
        cmocka_unit_test(without_its_nursery_a_pool_runs_no_functions),
        cmocka_unit_test(a_nursery_that_is_asked_to_end_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
