/* pool_functions.c - C handlers in real threads. */
#include "pool_stage.h"

#include "watch/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* A handler that stays in its run until the gate opens. */
struct gate {
    atomic_uint entered;
    atomic_bool open;
};

static bool is_open(void *context)
{
    return atomic_load(&((struct gate *)context)->open);
}

static int wait_at(tmesh_job_t *job, void *context)
{
    (void)job;
    atomic_fetch_add(&((struct gate *)context)->entered, 1);
    stage_until(is_open, context);
    return TMESH_DONE;
}

/* Waits only if the payload says so. */
static int maybe_wait_at(tmesh_job_t *job, void *context)
{
    size_t bytes;
    const char *payload = tmesh_job_payload(job, &bytes);
    if (bytes == 4 && memcmp(payload, "wait", 4) == 0) return wait_at(job, context);
    return TMESH_DONE;
}

static bool is_entered(void *context)
{
    return atomic_load(&((struct gate *)context)->entered) > 0;
}

static int echo(tmesh_job_t *job, void *context)
{
    (void)context;
    size_t bytes;
    const void *payload = tmesh_job_payload(job, &bytes);
    return tmesh_job_result(job, payload, bytes) == TMESH_OK ? TMESH_DONE : TMESH_RETRY;
}

/* Returns what the payload says, with a reason and a wish. */
static int say(tmesh_job_t *job, void *context)
{
    (void)context;
    tmesh_job_reason(job, "because");
    tmesh_job_retry_after(job, 1234);
    return atoi(tmesh_job_payload(job, NULL));
}

static int fall_silent(tmesh_job_t *job, void *context)
{
    (void)job;
    (void)context;
    return -7;
}

static int too_much(tmesh_job_t *job, void *context)
{
    (void)context;
    static const char block[65536];
    for (int i = 0; i < 16; i++)
        if (tmesh_job_result(job, block, sizeof block) != TMESH_OK) return TMESH_RETRY;
    if (tmesh_job_result(job, block, 1) != TMESH_E_TOO_BIG) return TMESH_RETRY;
    return TMESH_DONE;
}

static int describe(tmesh_job_t *job, void *context)
{
    tmesh_id_t id = tmesh_job_id(job);
    char text[128];
    int size = snprintf(text, sizeof text, "%s %u %llx %02x %02x %s", tmesh_job_name(job),
                        tmesh_job_attempt(job), (unsigned long long)tmesh_job_lease(job),
                        id.octets[0], id.octets[15], (const char *)context);
    return tmesh_job_result(job, text, (size_t)size) == TMESH_OK ? TMESH_DONE : TMESH_RETRY;
}

static int name_thread(tmesh_job_t *job, void *context)
{
    (void)context;
    char name[16];
    if (pthread_getname_np(pthread_self(), name, sizeof name) != 0) return TMESH_RETRY;
    return tmesh_job_result(job, name, strlen(name)) == TMESH_OK ? TMESH_DONE : TMESH_RETRY;
}

static struct stage *stage_with(const char *name, tmesh_handler_fn *handler, void *context)
{
    struct stage *stage = stage_new();
    assert_int_equal(tmesh_registry_add(stage->registry, name, handler, context), TMESH_OK);
    return stage;
}

static void a_handler_sees_its_task_and_its_context(void **state)
{
    (void)state;
    char context[] = "mine";
    struct stage *stage = stage_with("describe", describe, context);
    stage_start(stage, 1);
    const struct outing *outing = stage_await(stage, stage_submit_text(stage, "describe", ""));
    assert_int_equal(outing->outcome, OUTCOME_DONE);
    assert_string_equal(outing->result, "describe 3 c0ffee00c0ffee 01 fe mine");
    stage_destroy(&stage);
}

static void slots_have_a_name_for_operators(void **state)
{
    (void)state;
    struct stage *stage = stage_with("name", name_thread, NULL);
    stage_start(stage, 1);
    assert_string_equal(stage_await(stage, stage_submit_text(stage, "name", ""))->result,
                        "tmesh-slot");
    stage_destroy(&stage);
}

static void every_job_comes_back_once_with_its_own_result(void **state)
{
    (void)state;
    static char payloads[STAGE_JOBS_MAX][12];
    struct stage *stage = stage_with("echo", echo, NULL);
    stage_start(stage, 3);
    for (uint32_t i = 0; i < STAGE_JOBS_MAX; i++) {
        int size = snprintf(payloads[i], sizeof payloads[i], "%u", i);
        stage_submit(stage, "echo", bytes_of(payloads[i], (size_t)size));
        if (i % 999 == 0) stage_collect(stage);
    }
    stage_await_all(stage);
    for (uint32_t i = 0; i < STAGE_JOBS_MAX; i++) {
        assert_int_equal(stage->outings[i].outcome, OUTCOME_DONE);
        assert_string_equal(stage->outings[i].result, payloads[i]);
    }
    assert_int_equal(pool_running(stage->pool), 0);
    stage_destroy(&stage);
}

static void large_results_stay_whole_among_small_ones(void **state)
{
    (void)state;
    enum { SIZE = 700 * 1000 };
    char *large = malloc(SIZE);
    assert_non_null(large);
    for (size_t i = 0; i < SIZE; i++) large[i] = (char)(i * 7 + i / 251);
    struct stage *stage = stage_with("echo", echo, NULL);
    stage_start(stage, 2);
    for (int i = 0; i < 30; i++)
        stage_submit(stage, "echo", i % 3 == 1 ? bytes_of(large, SIZE) : bytes_text("small"));
    stage_await_all(stage);
    for (int i = 0; i < 30; i++) {
        const struct outing *outing = &stage->outings[i];
        assert_int_equal(outing->result_size, i % 3 == 1 ? SIZE : 5);
        assert_memory_equal(outing->result, i % 3 == 1 ? large : "small", outing->result_size);
    }
    assert_int_equal(stage->alone, 10);
    stage_destroy(&stage);
    free(large);
}

static void an_empty_result_is_not_the_same_as_none(void **state)
{
    (void)state;
    struct stage *stage = stage_with("echo", echo, NULL);
    assert_int_equal(tmesh_registry_add(stage->registry, "say", say, NULL), TMESH_OK);
    stage_start(stage, 1);
    assert_true(stage_await(stage, stage_submit_text(stage, "echo", ""))->has_result);
    const struct outing *outing = stage_await(stage, stage_submit_text(stage, "say", "0"));
    assert_int_equal(outing->outcome, OUTCOME_DONE);
    assert_false(outing->has_result);
    assert_false(outing->has_text);
    stage_destroy(&stage);
}

static void a_verdict_becomes_an_outcome_with_its_reason(void **state)
{
    (void)state;
    struct stage *stage = stage_with("say", say, NULL);
    assert_int_equal(tmesh_registry_add(stage->registry, "silent", fall_silent, NULL), TMESH_OK);
    stage_start(stage, 1);
    const struct outing *outing = stage_await(stage, stage_submit_text(stage, "say", "75"));
    assert_int_equal(outing->outcome, OUTCOME_FAILED);
    assert_int_equal(outing->retry_after_ms, 1234);
    assert_string_equal(outing->text, "because");
    outing = stage_await(stage, stage_submit_text(stage, "say", "65"));
    assert_int_equal(outing->outcome, OUTCOME_PERMANENT);
    assert_int_equal(outing->retry_after_ms, 0);
    outing = stage_await(stage, stage_submit_text(stage, "say", "1"));
    assert_int_equal(outing->outcome, OUTCOME_FAILED);
    outing = stage_await(stage, stage_submit_text(stage, "silent", ""));
    assert_int_equal(outing->outcome, OUTCOME_FAILED);
    assert_string_equal(outing->text, "handler returned -7");
    stage_destroy(&stage);
}

static void a_result_over_the_limit_is_refused_and_what_was_there_stays(void **state)
{
    (void)state;
    struct stage *stage = stage_with("much", too_much, NULL);
    stage_start(stage, 1);
    const struct outing *outing = stage_await(stage, stage_submit_text(stage, "much", ""));
    assert_int_equal(outing->outcome, OUTCOME_DONE);
    assert_int_equal(outing->result_size, TMESH_RESULT_BYTES_MAX);
    stage_destroy(&stage);
}

static void a_task_without_a_handler_fails_and_is_not_given_back(void **state)
{
    (void)state;
    struct stage *stage = stage_with("echo", echo, NULL);
    stage_start(stage, 1);
    const struct outing *outing = stage_await(stage, stage_submit_text(stage, "nobody", ""));
    assert_int_equal(outing->outcome, OUTCOME_FAILED);
    assert_string_equal(outing->text, "this worker has no handler named \"nobody\"");
    stage_destroy(&stage);
}

static void withdrawing_returns_what_no_slot_has_begun(void **state)
{
    (void)state;
    struct gate gate = {0};
    struct stage *stage = stage_with("gate", wait_at, &gate);
    stage_start(stage, 1);
    for (int i = 0; i < 200; i++) stage_submit_text(stage, "gate", "");
    stage_until(is_entered, &gate);
    assert_int_equal(pool_running(stage->pool), 1);
    pool_withdraw(stage->pool);
    stage_collect(stage);
    assert_int_equal(stage->over, 199);
    for (int i = 1; i < 200; i++) {
        assert_int_equal(stage->outings[i].outcome, OUTCOME_RETURNED);
        assert_int_equal(stage->outings[i].run_ns, 0);
    }
    atomic_store(&gate.open, true);
    stage_await_all(stage);
    assert_int_equal(stage->outings[0].outcome, OUTCOME_DONE);
    assert_true(stage->outings[0].run_ns > 0);
    assert_int_equal(atomic_load(&gate.entered), 1);
    stage_destroy(&stage);
}

static void jobs_behind_a_long_one_go_to_other_slots(void **state)
{
    (void)state;
    struct gate gate = {0};
    struct stage *stage = stage_with("maybe", maybe_wait_at, &gate);
    stage_start(stage, 2);
    for (int i = 0; i < 5000; i++) stage_submit_text(stage, "maybe", i == 777 ? "wait" : "");
    stage_until(is_entered, &gate);
    /* All but the one that waits must end while it waits. */
    for (uint32_t i = 0; i < 5000; i++)
        if (i != 777) assert_int_equal(stage_await(stage, i)->outcome, OUTCOME_DONE);
    assert_false(stage->outings[777].over);
    atomic_store(&gate.open, true);
    stage_await_all(stage);
    stage_destroy(&stage);
}

static void results_do_not_wait_for_a_long_run_after_them(void **state)
{
    (void)state;
    struct gate gate = {0};
    struct stage *stage = stage_with("maybe", maybe_wait_at, &gate);
    stage_start(stage, 1);
    for (int i = 0; i < 1000; i++) stage_submit_text(stage, "maybe", i == 500 ? "wait" : "");
    stage_until(is_entered, &gate);
    for (uint32_t i = 0; i < 500; i++)
        assert_int_equal(stage_await(stage, i)->outcome, OUTCOME_DONE);
    atomic_store(&gate.open, true);
    stage_await_all(stage);
    stage_destroy(&stage);
}

static void the_loop_is_woken_once_for_many(void **state)
{
    (void)state;
    struct gate gate = {0};
    struct stage *stage = stage_with("echo", echo, NULL);
    assert_int_equal(tmesh_registry_add(stage->registry, "gate", wait_at, &gate), TMESH_OK);
    stage_start(stage, 1);
    for (int i = 0; i < 5000; i++) stage_submit_text(stage, "echo", "x");
    stage_submit_text(stage, "gate", "");
    stage_until(is_entered, &gate);
    /* 5000 results wait, and nothing was collected in between. */
    assert_int_equal(atomic_load(&stage->wakes), 1);
    stage_collect(stage);
    assert_int_equal(stage->over, 5000);
    atomic_store(&gate.open, true);
    stage_await_all(stage);
    assert_int_equal(atomic_load(&stage->wakes), 2);
    stage_destroy(&stage);
}

/* Long enough that nobody takes it for brief. */
static int nap(tmesh_job_t *job, void *context)
{
    const struct timespec moment = {.tv_nsec = 5000000};
    (void)job;
    atomic_fetch_add(&((struct gate *)context)->entered, 1);
    (void)nanosleep(&moment, NULL);
    return TMESH_DONE;
}

enum { SPIN_NS = 2000, SPINS = 4000 };

/* When the last one ended. */
static _Atomic uint64_t spun_ns;

static int spin(tmesh_job_t *job, void *context)
{
    (void)job;
    (void)context;
    uint64_t until_ns = clock_now_ns() + SPIN_NS, now_ns;
    while ((now_ns = clock_now_ns()) < until_ns) continue;
    atomic_store(&spun_ns, now_ns);
    return TMESH_DONE;
}

/* Short runs are measured several at a time, and that adds up. */
static void the_times_of_short_runs_add_up(void **state)
{
    (void)state;
    static struct assignment spins[500];
    struct stage *stage = stage_with("spin", spin, NULL);
    stage_start(stage, 1);
    for (uint32_t i = 0; i < 500; i++) spins[i] = (struct assignment){.name = bytes_text("spin")};
    uint64_t began_ns = clock_now_ns(), sum_ns = 0;
    for (uint32_t i = 0; i < SPINS; i += 500) {
        (void)stage_assign(stage, spins, 500);
        stage_await_all(stage);
    }
    uint64_t passed_ns = clock_now_ns() - began_ns;
    for (uint32_t i = 0; i < SPINS; i++) sum_ns += stage->outings[i].run_ns;
    assert_true(sum_ns >= SPINS * (uint64_t)SPIN_NS * 9 / 10);
    /* What the last runs were said to take too long nobody paid back. */
    assert_true(sum_ns <= passed_ns + 50000);
    stage_destroy(&stage);
}

/* A limit counts from the beginning of its run, not from that of the runs before. */
static void a_run_with_a_limit_begins_when_the_one_before_has_ended(void **state)
{
    (void)state;
    static struct assignment row[41];
    for (int round = 0; round < 20; round++) {
        struct gate gate = {0};
        struct stage *stage = stage_with("wait", maybe_wait_at, &gate);
        assert_int_equal(tmesh_registry_add(stage->registry, "spin", spin, NULL), TMESH_OK);
        stage_start(stage, 1);
        for (uint32_t i = 0; i < 41; i++) row[i] = (struct assignment){.name = bytes_text("spin")};
        row[40] = (struct assignment){
            .name = bytes_text("wait"), .payload = bytes_text("wait"), .limit_ms = 60000};
        (void)stage_assign(stage, row, 41);
        stage_until(is_entered, &gate);
        struct pool_started started;
        assert_int_equal(pool_started(stage->pool, &started), 1);
        assert_int_equal(started.job, 40);
        assert_true(started.began_ns >= atomic_load(&spun_ns));
        atomic_store(&gate.open, true);
        stage_await_all(stage);
        stage_destroy(&stage);
    }
}

static void destroying_begins_no_more_jobs(void **state)
{
    (void)state;
    struct gate gate = {0};
    struct stage *stage = stage_with("nap", nap, &gate);
    stage_start(stage, 1);
    struct assignment naps[200];
    for (uint32_t i = 0; i < 200; i++) naps[i] = (struct assignment){.name = bytes_text("nap")};
    (void)stage_assign(stage, naps, 200);
    stage_until(is_entered, &gate);
    stage_destroy(&stage);
    assert_in_range(atomic_load(&gate.entered), 1, 20);
}

static int tell(tmesh_job_t *job, void *context)
{
    (void)context;
    static char long_text[3000];
    memset(long_text, 'x', sizeof long_text - 1);
    tmesh_job_log(job, TMESH_DEBUG, "%s is %d%%", "it", 50);
    tmesh_job_log(job, TMESH_INFO, "forged\ninfo \033[2J\xff");
    tmesh_job_log(job, TMESH_WARNING, "with its end\r\n");
    tmesh_job_log(job, TMESH_ERROR, "\n");
    tmesh_job_log(job, (enum tmesh_level)9, "grave");
    tmesh_job_log(job, TMESH_ERROR, "%s", long_text);
    return TMESH_DONE;
}

static void a_line_of_a_handler_has_the_context_of_its_run(void **state)
{
    (void)state;
    struct stage *stage = stage_with("tell", tell, NULL);
    stage_start(stage, 1);
    stage_await(stage, stage_submit_text(stage, "tell", ""));
    static const char expected[] =
        "debug 01000000-0000-0000-0000-0000000000fe tell 3: it is 50%\n"
        "info 01000000-0000-0000-0000-0000000000fe tell 3: forged\\x0ainfo \\x1b[2J\\xff\n"
        "warning 01000000-0000-0000-0000-0000000000fe tell 3: with its end\n"
        "error 01000000-0000-0000-0000-0000000000fe tell 3: grave\n"
        "error 01000000-0000-0000-0000-0000000000fe tell 3: xxx";
    assert_int_equal(stage->lines, 5);
    assert_true(strncmp(stage->logged, expected, strlen(expected)) == 0);
    size_t rest = strlen(stage->logged) - strlen(expected);
    assert_in_range(rest, 1000, TMESH_LOG_LINE_BYTES_MAX);
    stage_destroy(&stage);
}

enum { MANY_LINES = 100000 };

static int rave(tmesh_job_t *job, void *context)
{
    (void)context;
    for (int i = 0; i < MANY_LINES; i++) tmesh_job_log(job, TMESH_INFO, "%d", i);
    return TMESH_DONE;
}

/* However slow the machine is: it would take a hundred seconds to let all pass. */
static void a_handler_that_logs_without_end_is_cut_short(void **state)
{
    (void)state;
    struct stage *stage = stage_with("rave", rave, NULL);
    stage_start(stage, 1);
    assert_int_equal(stage_await(stage, stage_submit_text(stage, "rave", ""))->outcome,
                     OUTCOME_DONE);
    assert_in_range(stage->lines, TMESH_LOG_LINES_PER_SECOND + 1, MANY_LINES - 1);
    stage_destroy(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_handler_sees_its_task_and_its_context),
        cmocka_unit_test(slots_have_a_name_for_operators),
        cmocka_unit_test(every_job_comes_back_once_with_its_own_result),
        cmocka_unit_test(large_results_stay_whole_among_small_ones),
        cmocka_unit_test(an_empty_result_is_not_the_same_as_none),
        cmocka_unit_test(a_verdict_becomes_an_outcome_with_its_reason),
        cmocka_unit_test(a_result_over_the_limit_is_refused_and_what_was_there_stays),
        cmocka_unit_test(a_task_without_a_handler_fails_and_is_not_given_back),
        cmocka_unit_test(withdrawing_returns_what_no_slot_has_begun),
        cmocka_unit_test(jobs_behind_a_long_one_go_to_other_slots),
        cmocka_unit_test(results_do_not_wait_for_a_long_run_after_them),
        cmocka_unit_test(the_loop_is_woken_once_for_many),
        cmocka_unit_test(the_times_of_short_runs_add_up),
        cmocka_unit_test(a_run_with_a_limit_begins_when_the_one_before_has_ended),
        cmocka_unit_test(destroying_begins_no_more_jobs),
        cmocka_unit_test(a_line_of_a_handler_has_the_context_of_its_run),
        cmocka_unit_test(a_handler_that_logs_without_end_is_cut_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
