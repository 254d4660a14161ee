/* api_workers.c - workers that come, share, drain, and leave in the middle. */
#include "api_mesh.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const tmesh_handler_t echo = {.name = "echo", .handler = handle_echo};

struct expected {
    tmesh_worker_t *worker;
    tmesh_worker_counts_t least;
};

static bool counts_reach(void *context)
{
    const struct expected *expected = context;
    tmesh_worker_counts_t now;
    tmesh_worker_counts(expected->worker, &now);
    return now.ventilators >= expected->least.ventilators && now.held >= expected->least.held &&
           now.running >= expected->least.running && now.started >= expected->least.started &&
           now.done >= expected->least.done && now.failed >= expected->least.failed &&
           now.returned >= expected->least.returned;
}

static void await_counts(tmesh_worker_t *worker, tmesh_worker_counts_t least)
{
    mesh_until(counts_reach, &(struct expected){.worker = worker, .least = least});
}

static int refuse(tmesh_job_t *job, void *context)
{
    (void)job;
    (void)context;
    return TMESH_PERMANENT;
}

static void a_worker_counts_what_it_does(void **state)
{
    (void)state;
    struct gate gate = {0};
    const tmesh_handler_t handlers[] = {{.name = "gate", .handler = handle_gate, .context = &gate},
                                        {.name = "refuse", .handler = refuse},
                                        echo};
    struct mesh mesh = {0};
    struct ledger ledger = {0};
    mesh_ventilator(&mesh, NULL);
    mesh_worker(&mesh,
                &(tmesh_worker_options_t){.slots = 2, .handlers = handlers, .handler_count = 3});
    await_counts(mesh.worker, (tmesh_worker_counts_t){.ventilators = 1});
    mesh_producer(&mesh, NULL);
    for (int at = 0; at < 3; at++) (void)mesh_submit(&mesh, "echo", "");
    (void)mesh_submit(&mesh, "refuse", "");
    ledger_await(&ledger, mesh.producer, 4);
    (void)mesh_submit(&mesh, "gate", "");
    (void)mesh_submit(&mesh, "gate", "");
    await_counts(mesh.worker, (tmesh_worker_counts_t){.held = 2, .running = 2});
    tmesh_worker_counts_t counts;
    tmesh_worker_counts(mesh.worker, &counts);
    assert_int_equal(counts.held, 2);
    assert_int_equal(counts.running, 2);
    assert_int_equal(counts.done, 3);
    assert_int_equal(counts.failed, 1);
    assert_int_equal(counts.returned, 0);
    atomic_store(&gate.open, true);
    ledger_await(&ledger, mesh.producer, 6);
    await_counts(mesh.worker, (tmesh_worker_counts_t){.done = 5, .started = 6});
    assert_int_equal(tmesh_worker_drain(mesh.worker, PATIENCE_MS), TMESH_OK);
    tmesh_worker_counts(mesh.worker, &counts);
    assert_int_equal(counts.held + counts.running, 0);
    assert_int_equal(counts.started, 6);
    ledger_clear(&ledger);
    mesh_stop(&mesh);
}

static void a_worker_waits_for_its_ventilator_and_a_task_for_its_worker(void **state)
{
    (void)state;
    char folder[] = "/tmp/tmesh-api-XXXXXX", endpoint[64];
    assert_non_null(mkdtemp(folder));
    (void)snprintf(endpoint, sizeof endpoint, "ipc://%s/front", folder);
    struct mesh mesh = {0};
    struct ledger ledger = {0};
    mesh_worker(&mesh, &(tmesh_worker_options_t){
                           .connect = endpoint, .handlers = &echo, .handler_count = 1});
    mesh_ventilator(&mesh, &(tmesh_ventilator_options_t){.bind = endpoint});
    mesh_producer(&mesh, NULL);
    tmesh_id_t other = mesh_submit(&mesh, "other", "");
    (void)mesh_submit(&mesh, "echo", "");
    ledger_await(&ledger, mesh.producer, 1);
    assert_null(ledger_find(&ledger, &other, TMESH_ENDED)); /* nobody serves it */
    const tmesh_handler_t handler = {.name = "other", .handler = handle_echo};
    struct mesh second = {.ventilator = mesh.ventilator};
    mesh_worker(&second, &(tmesh_worker_options_t){.handlers = &handler, .handler_count = 1});
    ledger_await(&ledger, mesh.producer, 2);
    assert_non_null(ledger_find(&ledger, &other, TMESH_ENDED));
    tmesh_worker_destroy(&second.worker);
    ledger_clear(&ledger);
    mesh_stop(&mesh);
    assert_int_equal(remove(folder), 0);
}

static void a_queue_that_stands_there_twice_is_one_queue(void **state)
{
    (void)state;
    struct mesh mesh = {0};
    struct ledger ledger = {0};
    mesh_ventilator(&mesh, NULL);
    mesh_worker(&mesh, &(tmesh_worker_options_t){
                           .queues = (const char *const[]){"default", "default", NULL},
                           .handlers = &echo,
                           .handler_count = 1});
    mesh_producer(&mesh, NULL);
    (void)mesh_submit(&mesh, "echo", "");
    ledger_await(&ledger, mesh.producer, 1);
    tmesh_status_t *status = NULL;
    assert_int_equal(tmesh_producer_status(mesh.producer, PATIENCE_MS, &status), TMESH_OK);
    assert_int_equal(status->ventilators[0].lane_count, 1);
    assert_int_equal(status->ventilators[0].lanes[0].workers, 1);
    tmesh_status_destroy(&status);
    ledger_clear(&ledger);
    mesh_stop(&mesh);
}

/* ---- Draining ---- */

enum { TASKS = 200 };

struct tally {
    struct gate gate;
    atomic_uint runs[TASKS];
};

static int tally(tmesh_job_t *job, void *context)
{
    struct tally *tallied = context;
    uint32_t number;
    memcpy(&number, tmesh_job_payload(job, NULL), sizeof number);
    atomic_fetch_add(&tallied->runs[number], 1);
    return handle_gate(job, &tallied->gate);
}

static void submit_numbers(struct mesh *mesh)
{
    for (uint32_t number = 0; number < TASKS; number++) {
        const tmesh_task_t task = {.name = "tally",
                                   .payload = &number,
                                   .payload_bytes = sizeof number,
                                   .deliver = TMESH_DELIVER_POLL};
        assert_int_equal(tmesh_producer_submit(mesh->producer, &task, PATIENCE_MS, NULL), TMESH_OK);
    }
}

static void *drain(void *worker)
{
    return tmesh_worker_drain(worker, PATIENCE_MS) == TMESH_OK ? worker : NULL;
}

static bool holds_only_what_runs(void *worker)
{
    tmesh_worker_counts_t counts;
    tmesh_worker_counts(worker, &counts);
    return counts.held == 2;
}

static void a_drained_worker_finishes_what_runs_and_gives_back_the_rest(void **state)
{
    (void)state;
    static struct tally tallied;
    const tmesh_handler_t handlers[] = {{.name = "tally", .handler = tally, .context = &tallied},
                                        echo};
    const tmesh_worker_options_t options = {.slots = 2, .handlers = handlers, .handler_count = 2};
    struct mesh mesh = {0}, second;
    struct ledger ledger = {0};
    pthread_t thread;
    void *drained;
    mesh_ventilator(&mesh, NULL);
    mesh_worker(&mesh, &options);
    mesh_producer(&mesh, NULL);
    for (int at = 0; at < 50; at++) (void)mesh_submit(&mesh, "echo", ""); /* so it expects more */
    ledger_await(&ledger, mesh.producer, 50);
    submit_numbers(&mesh);
    gate_await(&tallied.gate, 2);
    await_counts(mesh.worker, (tmesh_worker_counts_t){.held = 3});
    assert_int_equal(pthread_create(&thread, NULL, drain, mesh.worker), 0);
    mesh_until(holds_only_what_runs, mesh.worker);
    atomic_store(&tallied.gate.open, true);
    assert_int_equal(pthread_join(thread, &drained), 0);
    assert_ptr_equal(drained, mesh.worker);
    tmesh_worker_counts_t counts;
    tmesh_worker_counts(mesh.worker, &counts);
    assert_int_equal(counts.done, 52);
    assert_true(counts.returned >= 1);
    ledger_await(&ledger, mesh.producer, 52); /* the receipts have come, the results will */
    assert_int_equal(atomic_load(&tallied.gate.entered), 2);

    second = (struct mesh){.ventilator = mesh.ventilator};
    mesh_worker(&second, &options);
    ledger_await(&ledger, mesh.producer, 50 + TASKS);
    for (int at = 0; at < TASKS; at++) assert_int_equal(atomic_load(&tallied.runs[at]), 1);
    for (size_t at = 0; at < ledger.count; at++) {
        assert_int_equal(ledger.rows[at].state, TMESH_STATE_DONE);
        assert_int_equal(ledger.rows[at].attempt, 1); /* giving back used none */
    }
    tmesh_worker_destroy(&second.worker);
    ledger_clear(&ledger);
    mesh_stop(&mesh);
}

static void draining_ends_in_time_and_can_be_asked_again(void **state)
{
    (void)state;
    struct gate gate = {0};
    const tmesh_handler_t handler = {.name = "gate", .handler = handle_gate, .context = &gate};
    struct mesh mesh;
    struct ledger ledger = {0};
    mesh_start(&mesh, &handler, 1);
    (void)mesh_submit(&mesh, "gate", "");
    gate_await(&gate, 1);
    for (int at = 0; at < 100; at++) {
        assert_int_equal(tmesh_worker_drain(mesh.worker, 0), TMESH_E_TIMEOUT);
    }
    assert_int_equal(tmesh_worker_drain(mesh.worker, 50), TMESH_E_TIMEOUT);
    atomic_store(&gate.open, true);
    assert_int_equal(tmesh_worker_drain(mesh.worker, PATIENCE_MS), TMESH_OK);
    for (int at = 0; at < 100; at++) {
        assert_int_equal(tmesh_worker_drain(mesh.worker, 0), TMESH_OK);
    }
    ledger_await(&ledger, mesh.producer, 1);
    ledger_clear(&ledger);
    mesh_stop(&mesh);
}

/* ---- Leaving in the middle ---- */

static void *destroy(void *context)
{
    tmesh_worker_destroy(context);
    return NULL;
}

static void what_a_destroyed_worker_ran_runs_elsewhere(void **state)
{
    (void)state;
    struct gate gate = {0};
    const tmesh_handler_t blocked = {.name = "echo", .handler = handle_gate, .context = &gate};
    struct mesh mesh, second;
    struct ledger ledger = {0};
    pthread_t thread;
    mesh_start(&mesh, &blocked, 1);
    tmesh_id_t id = mesh_submit(&mesh, "echo", "found");
    gate_await(&gate, 1);
    assert_int_equal(pthread_create(&thread, NULL, destroy, &mesh.worker), 0);
    second = (struct mesh){.ventilator = mesh.ventilator};
    mesh_worker(&second, &(tmesh_worker_options_t){.handlers = &echo, .handler_count = 1});
    ledger_await(&ledger, mesh.producer, 1); /* while the first still runs */
    const struct told *told = ledger_find(&ledger, &id, TMESH_ENDED);
    assert_non_null(told);
    assert_int_equal(told->state, TMESH_STATE_DONE);
    assert_int_equal(told->attempt, 2);
    assert_string_equal(told->result, "found");
    assert_int_equal(atomic_load(&gate.left), 0);
    atomic_store(&gate.open, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_null(mesh.worker);
    assert_int_equal(atomic_load(&gate.left), 1); /* it was waited for */
    tmesh_worker_destroy(&second.worker);
    ledger_clear(&ledger);
    mesh_stop(&mesh);
}

static void a_command_that_runs_is_killed_with_its_worker(void **state)
{
    (void)state;
    static const char *const endless[] = {"sh", "-c", "while :; do sleep 600; done", NULL};
    const tmesh_command_t command = {.name = "echo", .argv = endless};
    struct mesh mesh = {0}, second;
    struct ledger ledger = {0};
    mesh_ventilator(&mesh, NULL);
    mesh_worker(&mesh, &(tmesh_worker_options_t){.commands = &command, .command_count = 1});
    mesh_producer(&mesh, NULL);
    (void)mesh_submit(&mesh, "echo", "free");
    await_counts(mesh.worker, (tmesh_worker_counts_t){.running = 1});
    tmesh_worker_destroy(&mesh.worker);
    second = (struct mesh){.ventilator = mesh.ventilator};
    mesh_worker(&second, &(tmesh_worker_options_t){.handlers = &echo, .handler_count = 1});
    ledger_await(&ledger, mesh.producer, 1);
    assert_int_equal(ledger.rows[0].attempt, 2);
    assert_string_equal(ledger.rows[0].result, "free");
    tmesh_worker_destroy(&second.worker);
    ledger_clear(&ledger);
    mesh_stop(&mesh);
}

/* ---- Several ---- */

static void two_workers_at_two_ventilators_share_and_run_nothing_twice(void **state)
{
    (void)state;
    static struct tally tallied;
    const tmesh_handler_t handler = {.name = "tally", .handler = tally, .context = &tallied};
    struct mesh mesh = {0}, other = {0};
    struct ledger ledger = {0};
    char connect[512];
    atomic_store(&tallied.gate.open, true);
    mesh_ventilator(&mesh, NULL);
    mesh_ventilator(&other, NULL);
    (void)snprintf(connect, sizeof connect, "%s,%s", tmesh_ventilator_endpoint(mesh.ventilator),
                   tmesh_ventilator_endpoint(other.ventilator));
    const tmesh_worker_options_t options = {
        .connect = connect, .slots = 2, .handlers = &handler, .handler_count = 1};
    mesh_worker(&mesh, &options);
    mesh_worker(&other, &options);
    mesh_producer(&mesh, &(tmesh_producer_options_t){.connect = connect});
    await_counts(mesh.worker, (tmesh_worker_counts_t){.ventilators = 2});
    submit_numbers(&mesh);
    ledger_await(&ledger, mesh.producer, TASKS);
    for (int at = 0; at < TASKS; at++) assert_int_equal(atomic_load(&tallied.runs[at]), 1);
    ledger_clear(&ledger);
    mesh_stop(&mesh);
    mesh_stop(&other);
}

static void whoever_may_submit_runs_any_program_where_that_is_allowed(void **state)
{
    (void)state;
    struct mesh mesh = {0};
    struct ledger ledger = {0};
    mesh_ventilator(&mesh, NULL);
    mesh_worker(&mesh, &(tmesh_worker_options_t){.allow_exec = true});
    mesh_producer(&mesh, NULL);
    (void)mesh_submit(&mesh, "tmesh.exec",
                      "\x93\xa4"
                      "echo\xa3two\xa5words");
    ledger_await(&ledger, mesh.producer, 1);
    assert_int_equal(ledger.rows[0].state, TMESH_STATE_DONE);
    assert_string_equal(ledger.rows[0].result, "two words\n");
    ledger_clear(&ledger);
    mesh_stop(&mesh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_worker_counts_what_it_does),
        cmocka_unit_test(a_worker_waits_for_its_ventilator_and_a_task_for_its_worker),
        cmocka_unit_test(a_queue_that_stands_there_twice_is_one_queue),
        cmocka_unit_test(a_drained_worker_finishes_what_runs_and_gives_back_the_rest),
        cmocka_unit_test(draining_ends_in_time_and_can_be_asked_again),
        cmocka_unit_test(what_a_destroyed_worker_ran_runs_elsewhere),
        cmocka_unit_test(a_command_that_runs_is_killed_with_its_worker),
        cmocka_unit_test(two_workers_at_two_ventilators_share_and_run_nothing_twice),
        cmocka_unit_test(whoever_may_submit_runs_any_program_where_that_is_allowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
