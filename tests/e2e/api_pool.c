/* api_pool.c - a host program's own handlers in child processes. */
#include "api_mesh.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int answer(tmesh_job_t *job, long value)
{
    char text[32];
    int bytes = snprintf(text, sizeof text, "%ld", value);
    return tmesh_job_result(job, text, (size_t)bytes) == TMESH_OK ? TMESH_DONE : TMESH_RETRY;
}

static int handle_parent(tmesh_job_t *job, void *context)
{
    (void)context;
    return answer(job, (long)getppid());
}

/* Counts in memory that is the child's copy of the host's. */
static int handle_count(tmesh_job_t *job, void *context)
{
    int *count = context;
    return answer(job, ++*count);
}

/* Whether the descriptor of the host, which it finds at `context`, is open here. */
static int handle_peek(tmesh_job_t *job, void *context)
{
    return answer(job, fcntl(*(const int *)context, F_GETFD) >= 0);
}

static int handle_abort(tmesh_job_t *job, void *context)
{
    (void)context;
    if (write(STDERR_FILENO, "alas\n", 5) != 5) return TMESH_RETRY;
    (void)job;
    abort();
}

static int handle_loop(tmesh_job_t *job, void *context)
{
    (void)context;
    while (tmesh_job_name(job) != NULL) (void)pause();
    return TMESH_DONE;
}

static int shared_count = 41, host_pipe[2];

static const tmesh_handler_t handlers[] = {
    {.name = "parent", .handler = handle_parent},
    {.name = "count", .handler = handle_count, .context = &shared_count},
    {.name = "peek", .handler = handle_peek, .context = &host_pipe[0]},
    {.name = "abort", .handler = handle_abort},
    {.name = "loop", .handler = handle_loop},
};

static tmesh_worker_options_t options_with(struct lines *lines)
{
    return (tmesh_worker_options_t){
        .slots = 1,
        .handlers = handlers,
        .handler_count = sizeof handlers / sizeof *handlers,
        .pool = TMESH_POOL_PROCESS,
        .log = lines != NULL ? lines_note : NULL,
        .log_context = lines,
    };
}

static const struct told *run_one(struct mesh *mesh, struct ledger *ledger, const char *name)
{
    size_t count = ledger->count;
    tmesh_id_t id = mesh_submit(mesh, name, "");
    ledger_await(ledger, mesh->producer, count + 1);
    const struct told *told = ledger_find(ledger, &id, TMESH_ENDED);
    assert_non_null(told);
    return told;
}

static void handlers_run_in_a_copy_of_the_host(void **state)
{
    (void)state;
    struct mesh mesh = {0};
    struct ledger ledger = {0};
    static struct lines lines;
    const tmesh_worker_options_t options = options_with(&lines);
    assert_int_equal(pipe(host_pipe), 0);
    mesh_ventilator(&mesh, NULL);
    mesh_worker(&mesh, &options);
    mesh_producer(&mesh, NULL);
    assert_true(lines_mention(&lines, "the process pool is made in a program that has "));
    assert_string_equal(run_one(&mesh, &ledger, "count")->result, "42");
    assert_string_equal(run_one(&mesh, &ledger, "count")->result, "43");
    assert_int_equal(shared_count, 41);
    assert_string_equal(run_one(&mesh, &ledger, "peek")->result, "0");
    ledger_clear(&ledger);
    mesh_stop(&mesh);
    (void)close(host_pipe[0]);
    (void)close(host_pipe[1]);
}

static void a_task_that_kills_its_child_too_often_is_dead(void **state)
{
    (void)state;
    struct mesh mesh = {0};
    struct ledger ledger = {0};
    const tmesh_worker_options_t options = options_with(NULL);
    mesh_ventilator(&mesh, &(tmesh_ventilator_options_t){.backoff_ms = 1, .backoff_ms_max = 1});
    mesh_worker(&mesh, &options);
    mesh_producer(&mesh, NULL);
    const struct told *told = run_one(&mesh, &ledger, "abort");
    assert_int_equal(told->state, TMESH_STATE_DEAD);
    assert_int_equal(told->attempt, 3);
    assert_string_equal(told->reason, "killed by signal 6 (Aborted): alas");
    assert_string_equal(run_one(&mesh, &ledger, "count")->result, "42");
    ledger_clear(&ledger);
    mesh_stop(&mesh);
}

static void *make_worker(void *context)
{
    struct mesh *mesh = context;
    const tmesh_worker_options_t options = options_with(NULL);
    mesh_worker(mesh, &options);
    return NULL;
}

static void the_thread_that_made_a_worker_may_end(void **state)
{
    (void)state;
    struct mesh mesh = {0};
    struct ledger ledger = {0};
    pthread_t thread;
    mesh_ventilator(&mesh, NULL);
    assert_int_equal(pthread_create(&thread, NULL, make_worker, &mesh), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    mesh_producer(&mesh, NULL);
    assert_string_equal(run_one(&mesh, &ledger, "count")->result, "42");
    ledger_clear(&ledger);
    mesh_stop(&mesh);
}

static bool has_one_running(void *context)
{
    tmesh_worker_counts_t counts;
    tmesh_worker_counts(context, &counts);
    return counts.running == 1;
}

/* It does not wait for a handler that never returns. */
static void a_worker_ends_its_children_with_itself(void **state)
{
    (void)state;
    struct mesh mesh = {0};
    const tmesh_worker_options_t options = options_with(NULL);
    mesh_ventilator(&mesh, NULL);
    mesh_worker(&mesh, &options);
    mesh_producer(&mesh, NULL);
    (void)mesh_submit(&mesh, "loop", "");
    mesh_until(has_one_running, mesh.worker);
    assert_int_equal(tmesh_worker_drain(mesh.worker, 1), TMESH_E_TIMEOUT);
    mesh_stop(&mesh);
}

static bool wants_to_drain(void *context)
{
    uint32_t grace_ms;
    return tmesh_worker_asked_to_drain(context, &grace_ms);
}

static void a_worker_that_loses_its_nursery_drains(void **state)
{
    (void)state;
    struct mesh mesh = {0};
    struct ledger ledger = {0};
    static struct lines lines;
    tmesh_worker_options_t options = options_with(&lines);
    tmesh_worker_counts_t counts;
    mesh_ventilator(&mesh, NULL);
    mesh_worker(&mesh, &options);
    mesh_producer(&mesh, NULL);
    pid_t nursery = (pid_t)strtol(run_one(&mesh, &ledger, "parent")->result, NULL, 10);
    assert_true(nursery > 1 && nursery != getpid());
    tmesh_worker_counts(mesh.worker, &counts);
    assert_false(counts.crippled);
    tmesh_id_t id = mesh_submit(&mesh, "loop", "");
    mesh_until(has_one_running, mesh.worker);
    assert_int_equal(kill(nursery, SIGKILL), 0);
    mesh_until(wants_to_drain, mesh.worker);
    tmesh_worker_counts(mesh.worker, &counts);
    assert_true(counts.crippled);
    assert_true(lines_mention(&lines, "this worker runs no more functions; start it again"));
    assert_int_equal(tmesh_worker_drain(mesh.worker, PATIENCE_MS), TMESH_OK);
    tmesh_worker_destroy(&mesh.worker);

    /* Nothing is lost: another worker takes over.  It may have the loop first, which keeps a slot
     * for good. */
    options.slots = 2;
    mesh_worker(&mesh, &options);
    assert_string_equal(run_one(&mesh, &ledger, "count")->result, "42");
    assert_null(ledger_find(&ledger, &id, TMESH_ENDED));
    ledger_clear(&ledger);
    mesh_stop(&mesh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handlers_run_in_a_copy_of_the_host),
        cmocka_unit_test(a_task_that_kills_its_child_too_often_is_dead),
        cmocka_unit_test(the_thread_that_made_a_worker_may_end),
        cmocka_unit_test(a_worker_ends_its_children_with_itself),
        cmocka_unit_test(a_worker_that_loses_its_nursery_drains),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
