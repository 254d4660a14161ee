/* pool_told.c - runs that are told to end, or killed, and what is said of them. */
#include "pool_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* A folder, and a file in it by which a script says how far it is. */
struct marks {
    char folder[32], path[64];
    off_t size; /* that the file must have */
};

static void marks_open(struct marks *marks)
{
    (void)snprintf(marks->folder, sizeof marks->folder, "/tmp/tmesh-told-XXXXXX");
    assert_non_null(mkdtemp(marks->folder));
    (void)snprintf(marks->path, sizeof marks->path, "%s/mark", marks->folder);
    assert_int_equal(setenv("MARK", marks->path, 1), 0);
}

static void marks_close(struct marks *marks)
{
    (void)unlink(marks->path);
    assert_int_equal(rmdir(marks->folder), 0);
    assert_int_equal(unsetenv("MARK"), 0);
}

static bool is_marked(void *context)
{
    const struct marks *marks = context;
    struct stat status;
    return stat(marks->path, &status) == 0 && status.st_size >= marks->size;
}

static void await_marks(struct marks *marks, off_t size)
{
    marks->size = size;
    stage_until(is_marked, marks);
}

/* A function that goes on until it is told, and then returns what its payload says. */
struct patience {
    atomic_uint entered;
};

static int wait_to_be_told(tmesh_job_t *job, void *context)
{
    struct patience *patience = context;
    const struct timespec pause = {.tv_nsec = 1000000};
    size_t size;
    const char *payload = tmesh_job_payload(job, &size);
    atomic_fetch_add(&patience->entered, 1);
    while (!tmesh_job_should_stop(job)) (void)nanosleep(&pause, NULL);
    if (size > 0 && payload[0] == 'r') tmesh_job_reason(job, "half way");
    return size == 0 ? TMESH_DONE : size == 1 && payload[0] == 'p' ? TMESH_PERMANENT : 7;
}

static int count(tmesh_job_t *job, void *context)
{
    (void)job;
    atomic_fetch_add((atomic_uint *)context, 1);
    return TMESH_DONE;
}

static bool somebody_waits(void *context)
{
    struct patience *patience = context;
    return atomic_load(&patience->entered) > 0;
}

static struct stage *stage_with(const char *script, struct patience *patience)
{
    static const char *const passed[] = {"MARK", NULL};
    struct stage *stage = stage_new();
    stage->environment = passed;
    const char *const argv[] = {"sh", "-c", script, NULL};
    assert_int_equal(registry_add_command(stage->registry, "c", argv, NULL), TMESH_OK);
    assert_int_equal(tmesh_registry_add(stage->registry, "f", wait_to_be_told, patience), TMESH_OK);
    stage_start(stage, 1);
    return stage;
}

static uint32_t submit(struct stage *stage, const char *name, const char *payload)
{
    const struct assignment assignment = {.name = bytes_text(name),
                                          .payload = bytes_text(payload),
                                          .soft_ms = 1000,
                                          .limit_ms = 2500,
                                          .stalled_ms = 5000};
    return stage_assign(stage, &assignment, 1);
}

enum ended { IS_TOLD, IS_KILLED };

/* What `script` comes to when it is ended for `cause` once it has made its mark. */
static void expect(const char *script, enum ended ended, enum end_cause cause, enum outcome outcome,
                   const char *said)
{
    struct marks marks;
    struct patience patience = {0};
    marks_open(&marks);
    struct stage *stage = stage_with(script, &patience);
    uint32_t job = submit(stage, "c", "");
    await_marks(&marks, 1);
    if (ended == IS_TOLD)
        pool_tell(stage->pool, job, cause);
    else
        pool_kill(stage->pool, job, cause);
    const struct outing *outing = stage_await(stage, job);
    assert_int_equal(outing->outcome, outcome);
    assert_string_equal(outing->outcome == OUTCOME_DONE ? outing->result : outing->text, said);
    stage_destroy(&stage);
    marks_close(&marks);
}

static void a_command_that_dies_of_being_told_fails_with_the_cause(void **state)
{
    (void)state;
    expect("echo m >$MARK; exec sleep 1000", IS_TOLD, END_SOFT_LIMIT, OUTCOME_FAILED,
           "over its soft time limit of 1 s");
    expect("echo far >&2; echo m >$MARK; exec sleep 1000", IS_TOLD, END_SOFT_LIMIT, OUTCOME_FAILED,
           "over its soft time limit of 1 s: far");
    expect("echo m >$MARK; exec sleep 1000", IS_TOLD, END_REVOKED, OUTCOME_FAILED,
           "its lease is over");
}

static void what_a_told_command_says_comes_behind_the_cause(void **state)
{
    (void)state;
    const char *script = "trap 'echo no disk >&2; exit 3' TERM; echo m >$MARK; "
                         "while :; do sleep 1000 & wait; done";
    expect(script, IS_TOLD, END_SOFT_LIMIT, OUTCOME_FAILED,
           "over its soft time limit of 1 s: exit status 3: no disk");
    script = "trap 'exit 65' TERM; echo m >$MARK; while :; do sleep 1000 & wait; done";
    expect(script, IS_TOLD, END_SOFT_LIMIT, OUTCOME_PERMANENT,
           "over its soft time limit of 1 s: exit status 65");
}

static void a_told_command_that_ends_well_is_done(void **state)
{
    (void)state;
    expect("trap 'echo saved; exit 0' TERM; echo m >$MARK; while :; do sleep 1000 & wait; done",
           IS_TOLD, END_SOFT_LIMIT, OUTCOME_DONE, "saved\n");
}

static void a_killed_command_fails_with_the_cause(void **state)
{
    (void)state;
    const char *script = "trap '' TERM; echo here >&2; echo m >$MARK; exec sleep 1000";
    expect(script, IS_KILLED, END_LIMIT, OUTCOME_FAILED, "over its time limit of 2500 ms: here");
    expect(script, IS_KILLED, END_STALLED, OUTCOME_FAILED, "no sign of life for 5 s: here");
}

/* SIGTERM and SIGKILL were expected, anything else is a death of its own; but who
 * dies for a lease that is over was no crash. */
static void a_told_command_may_still_crash(void **state)
{
    (void)state;
    const char *script =
        "trap 'kill -SEGV $$' TERM; echo m >$MARK; while :; do sleep 1000 & wait; done";
    expect(script, IS_TOLD, END_SOFT_LIMIT, OUTCOME_CRASHED,
           "over its soft time limit of 1 s: killed by signal 11 (Segmentation fault)");
    expect(script, IS_TOLD, END_REVOKED, OUTCOME_FAILED,
           "its lease is over: killed by signal 11 (Segmentation fault)");
}

static void what_nobody_told_is_a_crash(void **state)
{
    (void)state;
    struct patience patience = {0};
    struct stage *stage = stage_with("kill -TERM $$", &patience);
    const struct outing *outing = stage_await(stage, submit(stage, "c", ""));
    assert_int_equal(outing->outcome, OUTCOME_CRASHED);
    assert_string_equal(outing->text, "killed by signal 15 (Terminated)");
    stage_destroy(&stage);
}

static void each_tell_is_one_signal_and_the_kill_has_the_last_word(void **state)
{
    (void)state;
    struct marks marks;
    struct patience patience = {0};
    marks_open(&marks);
    struct stage *stage = stage_with(
        "trap 'echo term >>$MARK' TERM; echo >>$MARK; while :; do sleep 1000 & wait; done",
        &patience);
    uint32_t job = submit(stage, "c", "");
    await_marks(&marks, 1);
    pool_tell(stage->pool, job, END_SOFT_LIMIT);
    await_marks(&marks, 1 + 5);
    pool_tell(stage->pool, job, END_SOFT_LIMIT);
    await_marks(&marks, 1 + 5 + 5);
    pool_kill(stage->pool, job, END_LIMIT);
    pool_tell(stage->pool, job, END_SOFT_LIMIT);
    pool_recall(stage->pool, job);
    const struct outing *outing = stage_await(stage, job);
    assert_int_equal(outing->outcome, OUTCOME_FAILED);
    assert_string_equal(outing->text, "over its time limit of 2500 ms");
    struct stat status;
    assert_int_equal(stat(marks.path, &status), 0);
    assert_int_equal(status.st_size, 1 + 5 + 5);
    stage_destroy(&stage);
    marks_close(&marks);
}

/* However the word and the start of the process meet, that run hears it, and the
 * next one does not. */
static void a_tell_reaches_its_own_run_only(void **state)
{
    (void)state;
    struct patience patience = {0};
    struct stage *stage = stage_with("read x && echo $x || exec sleep 1000", &patience);
    for (uint32_t round = 0; round < 40; round++) {
        uint32_t job = submit(stage, "c", "");
        while (pool_slot_of(stage->pool, job) != 0) continue;
        const struct timespec pause = {.tv_nsec = round * 50000};
        (void)nanosleep(&pause, NULL);
        pool_tell(stage->pool, job, END_SOFT_LIMIT);
        assert_int_equal(stage_await(stage, job)->outcome, OUTCOME_FAILED);
        uint32_t next = submit(stage, "c", "well\n");
        assert_int_equal(stage_await(stage, next)->outcome, OUTCOME_DONE);
    }
    stage_destroy(&stage);
}

static const struct outing *tell_function(struct stage *stage, struct patience *patience,
                                          const char *payload)
{
    atomic_store(&patience->entered, 0);
    uint32_t job = submit(stage, "f", payload);
    stage_until(somebody_waits, patience);
    pool_tell(stage->pool, job, END_SOFT_LIMIT);
    return stage_await(stage, job);
}

static void a_told_function_ends_as_it_likes_and_the_cause_is_named(void **state)
{
    (void)state;
    struct patience patience = {0};
    struct stage *stage = stage_with(":", &patience);
    assert_int_equal(tell_function(stage, &patience, "")->outcome, OUTCOME_DONE);
    const struct outing *outing = tell_function(stage, &patience, "reason");
    assert_int_equal(outing->outcome, OUTCOME_FAILED);
    assert_string_equal(outing->text, "over its soft time limit of 1 s: half way");
    outing = tell_function(stage, &patience, "x");
    assert_int_equal(outing->outcome, OUTCOME_FAILED);
    assert_string_equal(outing->text, "over its soft time limit of 1 s: handler returned 7");
    outing = tell_function(stage, &patience, "p");
    assert_int_equal(outing->outcome, OUTCOME_PERMANENT);
    assert_string_equal(outing->text, "over its soft time limit of 1 s");
    stage_destroy(&stage);
}

static void destroying_tells_what_runs_and_begins_nothing_more(void **state)
{
    (void)state;
    struct patience patience = {0};
    atomic_uint counted = 0;
    struct stage *stage = stage_new();
    assert_int_equal(tmesh_registry_add(stage->registry, "f", wait_to_be_told, &patience),
                     TMESH_OK);
    assert_int_equal(tmesh_registry_add(stage->registry, "brief", count, &counted), TMESH_OK);
    stage_start(stage, 1);
    stage_await(stage, submit(stage, "brief", ""));
    /* A slot takes many at once, and would run on through those that are brief by habit. */
    struct assignment assignments[64];
    for (uint32_t i = 0; i < 64; i++)
        assignments[i] = (struct assignment){.name = bytes_text(i == 0 ? "f" : "brief")};
    (void)stage_assign(stage, assignments, 64);
    stage_until(somebody_waits, &patience);
    stage_destroy(&stage); /* waits for it */
    assert_int_equal(atomic_load(&counted), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_that_dies_of_being_told_fails_with_the_cause),
        cmocka_unit_test(what_a_told_command_says_comes_behind_the_cause),
        cmocka_unit_test(a_told_command_that_ends_well_is_done),
        cmocka_unit_test(a_killed_command_fails_with_the_cause),
        cmocka_unit_test(a_told_command_may_still_crash),
        cmocka_unit_test(what_nobody_told_is_a_crash),
        cmocka_unit_test(each_tell_is_one_signal_and_the_kill_has_the_last_word),
        cmocka_unit_test(a_tell_reaches_its_own_run_only),
        cmocka_unit_test(a_told_function_ends_as_it_likes_and_the_cause_is_named),
        cmocka_unit_test(destroying_tells_what_runs_and_begins_nothing_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
