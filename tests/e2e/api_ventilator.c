/* api_ventilator.c - a ventilator in a host program: where it listens, how it
 * drains, and how its limits are felt. */
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

static void check_endpoint(const tmesh_ventilator_options_t *options, const char *prefix)
{
    struct mesh mesh = {0};
    struct ledger ledger = {0};
    mesh_ventilator(&mesh, options);
    const char *endpoint = tmesh_ventilator_endpoint(mesh.ventilator);
    assert_int_equal(strncmp(endpoint, prefix, strlen(prefix)), 0);
    if (strcmp(prefix, options->bind) != 0) assert_string_not_equal(endpoint, options->bind);
    mesh_worker(&mesh, &(tmesh_worker_options_t){.handlers = &echo, .handler_count = 1});
    mesh_producer(&mesh, NULL);
    (void)mesh_submit(&mesh, "echo", "here");
    ledger_await(&ledger, mesh.producer, 1);
    assert_string_equal(ledger.rows[0].result, "here");
    ledger_clear(&ledger);
    mesh_stop(&mesh);
}

static void the_endpoint_is_the_one_to_connect_to(void **state)
{
    (void)state;
    char folder[] = "/tmp/tmesh-api-XXXXXX", path[64], intake[64];
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "ipc://%s/front", folder);
    (void)snprintf(intake, sizeof intake, "ipc://%s/intake", folder);
    typedef tmesh_ventilator_options_t options;
    check_endpoint(&(options){.bind = "tcp://127.0.0.1:0"}, "tcp://127.0.0.1:");
    check_endpoint(&(options){.bind = "tcp://127.0.0.1:*"}, "tcp://127.0.0.1:");
    check_endpoint(&(options){.bind = path}, path);
    check_endpoint(&(options){.bind = path, .intake = intake}, path);
    check_endpoint(&(options){.bind = path, .intake = "tcp://127.0.0.1:0"}, path);
    check_endpoint(&(options){.bind = "tcp://127.0.0.1:0", .intake = "tcp://127.0.0.1:*"},
                   "tcp://127.0.0.1:");
    assert_int_equal(remove(folder), 0);
    tmesh_ventilator_t *nothing = NULL;
    tmesh_ventilator_destroy(&nothing);
}

/* ---- Draining ---- */

static void an_empty_ventilator_is_drained_at_once(void **state)
{
    (void)state;
    struct mesh mesh;
    struct ledger ledger = {0};
    mesh_start(&mesh, &echo, 1);
    (void)mesh_submit(&mesh, "echo", "");
    ledger_await(&ledger, mesh.producer, 1);
    assert_int_equal(tmesh_ventilator_drain(mesh.ventilator, PATIENCE_MS, NULL), TMESH_OK);
    for (int at = 0; at < 100; at++) {
        uint64_t open = 7;
        assert_int_equal(tmesh_ventilator_drain(mesh.ventilator, 0, &open), TMESH_OK);
        assert_int_equal(open, 0);
    }
    ledger_clear(&ledger);
    mesh_stop(&mesh);
}

static void draining_in_vain_tells_how_many_are_open(void **state)
{
    (void)state;
    struct mesh mesh = {0};
    uint64_t open = 0;
    mesh_ventilator(&mesh, NULL);
    mesh_producer(&mesh, NULL);
    for (int at = 0; at < 17; at++) (void)mesh_submit(&mesh, "echo", "");
    assert_int_equal(tmesh_producer_flush(mesh.producer, PATIENCE_MS), TMESH_OK);
    for (int at = 0; at < 100; at++) {
        assert_int_equal(tmesh_ventilator_drain(mesh.ventilator, 0, &open), TMESH_E_TIMEOUT);
        assert_int_equal(open, 17);
    }
    uint64_t before_ms = mesh_now_ms();
    assert_int_equal(tmesh_ventilator_drain(mesh.ventilator, 60, &open), TMESH_E_TIMEOUT);
    assert_true(mesh_now_ms() - before_ms >= 59);
    assert_int_equal(open, 17);
    assert_int_equal(tmesh_ventilator_drain(mesh.ventilator, 0, NULL), TMESH_E_TIMEOUT);
    mesh_stop(&mesh);
}

static void *drain(void *ventilator)
{
    uint64_t open = 7;
    enum tmesh_err result = tmesh_ventilator_drain(ventilator, PATIENCE_MS, &open);
    return result == TMESH_OK && open == 0 ? ventilator : NULL;
}

static bool has_all(void *producer)
{
    tmesh_producer_counts_t counts;
    tmesh_producer_counts(producer, &counts);
    return counts.ended == 300 && counts.awaited == 0;
}

static void a_drained_ventilator_owes_nobody_a_result(void **state)
{
    (void)state;
    struct mesh mesh = {0};
    struct ledger ledger = {0};
    pthread_t thread;
    void *drained;
    mesh_ventilator(&mesh, NULL);
    mesh_producer(&mesh, NULL);
    for (int at = 0; at < 300; at++) (void)mesh_submit(&mesh, "echo", "");
    assert_int_equal(tmesh_producer_flush(mesh.producer, PATIENCE_MS), TMESH_OK);
    assert_int_equal(pthread_create(&thread, NULL, drain, mesh.ventilator), 0);
    mesh_worker(&mesh, &(tmesh_worker_options_t){.handlers = &echo, .handler_count = 1});
    assert_int_equal(pthread_join(thread, &drained), 0);
    assert_ptr_equal(drained, mesh.ventilator);
    tmesh_ventilator_destroy(&mesh.ventilator);
    mesh_until(has_all, mesh.producer);
    assert_int_equal(tmesh_producer_poll(mesh.producer, 0, 0, ledger_note, &ledger), 300);
    assert_int_equal(ledger_count(&ledger, TMESH_ENDED), 300);
    ledger_clear(&ledger);
    mesh_stop(&mesh);
}

static void what_a_draining_ventilator_does_not_take_goes_to_another(void **state)
{
    (void)state;
    struct mesh mesh = {0}, other = {0};
    struct ledger ledger = {0};
    char connect[512];
    mesh_ventilator(&mesh, NULL);
    assert_int_equal(tmesh_ventilator_drain(mesh.ventilator, 0, NULL), TMESH_OK);
    mesh_producer(&mesh, NULL);
    (void)mesh_submit(&mesh, "echo", "");
    assert_int_equal(tmesh_producer_flush(mesh.producer, 100), TMESH_E_TIMEOUT);
    tmesh_producer_destroy(&mesh.producer);

    mesh_ventilator(&other, NULL);
    (void)snprintf(connect, sizeof connect, "%s,%s", tmesh_ventilator_endpoint(mesh.ventilator),
                   tmesh_ventilator_endpoint(other.ventilator));
    mesh_worker(&other, &(tmesh_worker_options_t){.handlers = &echo, .handler_count = 1});
    mesh_producer(&mesh, &(tmesh_producer_options_t){.connect = connect});
    for (int at = 0; at < 100; at++) (void)mesh_submit(&mesh, "echo", "");
    ledger_await(&ledger, mesh.producer, 100);
    assert_int_equal(ledger_count(&ledger, TMESH_ENDED), 100);
    ledger_clear(&ledger);
    mesh_stop(&mesh);
    mesh_stop(&other);
}

/* ---- Leaving ---- */

static bool is_alone(void *context)
{
    struct mesh *mesh = context;
    tmesh_producer_counts_t producer;
    tmesh_worker_counts_t worker;
    tmesh_producer_counts(mesh->producer, &producer);
    tmesh_worker_counts(mesh->worker, &worker);
    return producer.ventilators == 0 && worker.ventilators == 0;
}

static void a_destroyed_ventilator_says_goodbye(void **state)
{
    (void)state;
    struct mesh mesh = {0};
    struct ledger ledger = {0};
    /* Nobody would miss it before an hour has passed. */
    mesh_ventilator(&mesh,
                    &(tmesh_ventilator_options_t){.heartbeat_ms = 60000, .lost_ms = 3600000});
    mesh_worker(&mesh, &(tmesh_worker_options_t){.handlers = &echo, .handler_count = 1});
    mesh_producer(&mesh, NULL);
    (void)mesh_submit(&mesh, "echo", "");
    ledger_await(&ledger, mesh.producer, 1);
    tmesh_ventilator_destroy(&mesh.ventilator);
    mesh_until(is_alone, &mesh);
    ledger_clear(&ledger);
    mesh_stop(&mesh);
}

/* ---- Limits ---- */

static void check_limits(const tmesh_ventilator_options_t *options, size_t payload_bytes)
{
    enum { TASKS = 100 };
    struct mesh mesh = {0};
    struct ledger ledger = {0};
    char *payload = calloc(1, payload_bytes + 1);
    assert_non_null(payload);
    mesh_ventilator(&mesh, options);
    mesh_producer(&mesh, NULL);
    for (int at = 0; at < TASKS; at++) {
        const tmesh_task_t task = {.name = "echo",
                                   .payload = payload,
                                   .payload_bytes = payload_bytes,
                                   .deliver = TMESH_DELIVER_POLL};
        assert_int_equal(tmesh_producer_submit(mesh.producer, &task, PATIENCE_MS, NULL), TMESH_OK);
    }
    assert_int_equal(tmesh_producer_flush(mesh.producer, 100), TMESH_E_TIMEOUT); /* it is full */
    mesh_worker(&mesh, &(tmesh_worker_options_t){.handlers = &echo, .handler_count = 1});
    ledger_await(&ledger, mesh.producer, TASKS);
    assert_int_equal(ledger_count(&ledger, TMESH_ENDED), TASKS);
    for (size_t at = 0; at < ledger.count; at++) {
        assert_int_equal(ledger.rows[at].state, TMESH_STATE_DONE);
        assert_int_equal(ledger.rows[at].result_bytes, payload_bytes);
    }
    free(payload);
    ledger_clear(&ledger);
    mesh_stop(&mesh);
}

static void a_full_ventilator_makes_producers_wait_and_loses_nothing(void **state)
{
    (void)state;
    check_limits(&(tmesh_ventilator_options_t){.tasks_max = 30}, 10);
    check_limits(&(tmesh_ventilator_options_t){.memory_bytes_max = 16 * 1024 * 1024}, 500000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_endpoint_is_the_one_to_connect_to),
        cmocka_unit_test(an_empty_ventilator_is_drained_at_once),
        cmocka_unit_test(draining_in_vain_tells_how_many_are_open),
        cmocka_unit_test(a_drained_ventilator_owes_nobody_a_result),
        cmocka_unit_test(what_a_draining_ventilator_does_not_take_goes_to_another),
        cmocka_unit_test(a_destroyed_ventilator_says_goodbye),
        cmocka_unit_test(a_full_ventilator_makes_producers_wait_and_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
