/* api_status.c - what a mesh says of itself. */
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

static tmesh_status_t *status_of(struct mesh *mesh)
{
    tmesh_status_t *status = NULL;
    assert_int_equal(tmesh_producer_status(mesh->producer, PATIENCE_MS, &status), TMESH_OK);
    assert_non_null(status);
    return status;
}

static void tasks_and_workers_are_counted(void **state)
{
    (void)state;
    struct gate gate = {0};
    const tmesh_handler_t handlers[] = {{.name = "gate", .handler = handle_gate, .context = &gate},
                                        echo};
    struct mesh mesh = {0};
    struct ledger ledger = {0};
    mesh_ventilator(&mesh, NULL);
    mesh_worker(&mesh, &(tmesh_worker_options_t){.slots = 1,
                                                 .label = "the worker",
                                                 .queues = (const char *const[]){"night", NULL},
                                                 .handlers = handlers,
                                                 .handler_count = 2});
    mesh_producer(&mesh, NULL);
    static const char *const names[] = {"echo", "gate", "nobody"};
    for (int at = 0; at < 3; at++) {
        tmesh_task_t task = {
            .name = names[at], .queue = at < 2 ? "night" : NULL, .deliver = TMESH_DELIVER_POLL};
        assert_int_equal(tmesh_producer_submit(mesh.producer, &task, 0, NULL), TMESH_OK);
        if (at == 0) ledger_await(&ledger, mesh.producer, 1);
    }
    gate_await(&gate, 1);
    assert_int_equal(tmesh_producer_flush(mesh.producer, PATIENCE_MS), TMESH_OK);

    tmesh_status_t *status = status_of(&mesh);
    assert_int_equal(status->ventilator_count, 1);
    const tmesh_ventilator_row_t *row = &status->ventilators[0];
    assert_true(row->answered);
    assert_string_equal(row->endpoint, tmesh_ventilator_endpoint(mesh.ventilator));
    assert_int_equal(row->submitted, 3);
    assert_int_equal(row->dispatched, 2);
    assert_int_equal(row->done, 1);
    assert_int_equal(row->leased, 1);
    assert_int_equal(row->ready, 1);
    assert_int_equal(row->waiting, 0);
    assert_int_equal(row->workers_open, 1);
    assert_int_equal(row->producers_open, 1);
    assert_int_equal(row->worker_count, 1);
    assert_string_equal(row->workers[0].label, "the worker");
    assert_int_equal(row->workers[0].slots, 1);
    assert_int_equal(row->workers[0].leased, 1);
    assert_int_equal(row->workers[0].completed, 1);
    assert_int_equal(row->lane_count, 3);
    for (size_t at = 0; at < 3; at++) {
        const tmesh_lane_row_t *lane = &row->lanes[at];
        bool served = strcmp(lane->name, "nobody") != 0;
        assert_string_equal(lane->queue, served ? "night" : "default");
        assert_int_equal(lane->workers, served ? 1 : 0);
        assert_int_equal(lane->ready, served ? 0 : 1);
        assert_int_equal(lane->leased, strcmp(lane->name, "gate") == 0);
    }
    assert_int_equal(row->dead_count, 0);
    tmesh_status_destroy(&status);
    assert_null(status);
    tmesh_status_destroy(&status);
    atomic_store(&gate.open, true);
    ledger_clear(&ledger);
    mesh_stop(&mesh);
}

static void an_absent_ventilator_has_a_row_that_says_so(void **state)
{
    (void)state;
    struct mesh mesh = {0};
    char connect[512];
    mesh_ventilator(&mesh, NULL);
    (void)snprintf(connect, sizeof connect, "ipc:///tmp/tmesh-nobody-is-here,%s",
                   tmesh_ventilator_endpoint(mesh.ventilator));
    mesh_producer(&mesh, &(tmesh_producer_options_t){.connect = connect});
    tmesh_status_t *status = NULL;
    bool answered = false;
    for (uint32_t timeout_ms = 50; !answered && timeout_ms < PATIENCE_MS; timeout_ms *= 2) {
        assert_int_equal(tmesh_producer_status(mesh.producer, timeout_ms, &status),
                         TMESH_E_TIMEOUT);
        assert_non_null(status);
        assert_int_equal(status->ventilator_count, 2);
        assert_string_equal(status->ventilators[0].endpoint, "ipc:///tmp/tmesh-nobody-is-here");
        assert_false(status->ventilators[0].answered);
        assert_int_equal(status->ventilators[0].worker_count, 0);
        answered = status->ventilators[1].answered;
        if (answered) assert_int_equal(status->ventilators[1].producers_open, 1);
        tmesh_status_destroy(&status);
    }
    assert_true(answered);
    mesh_stop(&mesh);
}

static void two_ventilators_have_a_row_each(void **state)
{
    (void)state;
    struct mesh mesh = {0}, other = {0};
    char connect[512];
    mesh_ventilator(&mesh, NULL);
    mesh_ventilator(&other, NULL);
    (void)snprintf(connect, sizeof connect, "%s , %s", tmesh_ventilator_endpoint(mesh.ventilator),
                   tmesh_ventilator_endpoint(other.ventilator));
    mesh_producer(&mesh, &(tmesh_producer_options_t){.connect = connect});
    for (int at = 0; at < 100; at++) (void)mesh_submit(&mesh, "echo", "");
    assert_int_equal(tmesh_producer_flush(mesh.producer, PATIENCE_MS), TMESH_OK);
    tmesh_status_t *status = status_of(&mesh);
    assert_int_equal(status->ventilator_count, 2);
    assert_string_equal(status->ventilators[0].endpoint,
                        tmesh_ventilator_endpoint(mesh.ventilator));
    assert_string_equal(status->ventilators[1].endpoint,
                        tmesh_ventilator_endpoint(other.ventilator));
    assert_int_equal(status->ventilators[0].ready + status->ventilators[1].ready, 100);
    tmesh_status_destroy(&status);
    tmesh_ventilator_destroy(&other.ventilator);
    mesh_stop(&mesh);
}

static int refuse(tmesh_job_t *job, void *context)
{
    (void)context;
    tmesh_job_reason(job, "no\nthanks");
    return TMESH_PERMANENT;
}

static void dead_letters_are_listed_with_their_reasons(void **state)
{
    (void)state;
    enum { LETTERS = 700 }; /* several pages */
    static tmesh_id_t ids[LETTERS];
    const tmesh_handler_t handler = {.name = "refuse", .handler = refuse};
    struct mesh mesh;
    struct ledger ledger = {0};
    mesh_start(&mesh, &handler, 1);
    for (int at = 0; at < LETTERS; at++) ids[at] = mesh_submit(&mesh, "refuse", "");
    ledger_await(&ledger, mesh.producer, LETTERS);
    tmesh_status_t *status = status_of(&mesh);
    const tmesh_ventilator_row_t *row = &status->ventilators[0];
    assert_int_equal(row->failed, LETTERS);
    assert_int_equal(row->dead_letters, LETTERS);
    assert_int_equal(row->dead_count, LETTERS);
    for (int at = 0; at < LETTERS; at++) {
        const tmesh_dead_row_t *dead = &row->dead_rows[at];
        unsigned same = 0;
        for (int other = 0; other < LETTERS; other++) {
            same += memcmp(&dead->id, &ids[other], sizeof dead->id) == 0;
            same += memcmp(&ids[at], &row->dead_rows[other].id, sizeof dead->id) == 0;
        }
        assert_int_equal(same, 2); /* each letter is a task's, each task has a letter */
        assert_string_equal(dead->queue, "default");
        assert_string_equal(dead->name, "refuse");
        assert_int_equal(dead->state, TMESH_STATE_FAILED);
        assert_int_equal(dead->attempt, 1);
        assert_string_equal(dead->reason, "no\nthanks");
    }
    tmesh_status_destroy(&status);
    ledger_clear(&ledger);
    mesh_stop(&mesh);
}

static void *ask_often(void *context)
{
    struct mesh *mesh = context;
    uintptr_t wrong = 0;
    for (int at = 0; at < 20; at++) {
        tmesh_status_t *status = NULL;
        if (tmesh_producer_status(mesh->producer, PATIENCE_MS, &status) != TMESH_OK ||
            status == NULL || status->ventilators[0].worker_count != 1 ||
            status->ventilators[0].lane_count != 1) {
            wrong++;
        }
        tmesh_status_destroy(&status);
    }
    return (void *)wrong;
}

static void threads_that_ask_at_once_wait_their_turn(void **state)
{
    (void)state;
    enum { THREADS = 4 };
    struct mesh mesh;
    struct ledger ledger = {0};
    pthread_t threads[THREADS];
    mesh_start(&mesh, &echo, 1);
    (void)mesh_submit(&mesh, "echo", "");
    ledger_await(&ledger, mesh.producer, 1);
    for (int at = 0; at < THREADS; at++) {
        assert_int_equal(pthread_create(&threads[at], NULL, ask_often, &mesh), 0);
    }
    for (int at = 0; at < THREADS; at++) {
        void *wrong;
        assert_int_equal(pthread_join(threads[at], &wrong), 0);
        assert_null(wrong);
    }
    ledger_clear(&ledger);
    mesh_stop(&mesh);
}

struct question {
    tmesh_producer_t *producer;
    uint32_t timeout_ms;
    enum tmesh_err result;
    bool rows; /* one, that did not answer */
};

static void *ask(void *context)
{
    struct question *question = context;
    tmesh_status_t *status = NULL;
    question->result = tmesh_producer_status(question->producer, question->timeout_ms, &status);
    question->rows =
        status != NULL && status->ventilator_count == 1 && !status->ventilators[0].answered;
    tmesh_status_destroy(&status);
    return NULL;
}

static void whoever_waits_for_a_turn_in_vain_has_rows_too(void **state)
{
    (void)state;
    tmesh_error_t error;
    tmesh_producer_t *producer = tmesh_producer_new(
        &(tmesh_producer_options_t){.connect = "ipc:///tmp/tmesh-nobody-is-here"}, &error);
    assert_non_null(producer);
    struct question patient = {.producer = producer, .timeout_ms = PATIENCE_MS};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, ask, &patient), 0);
    for (int at = 0; at < 20; at++) { /* the other one is before us, sooner or later */
        struct question hasty = {.producer = producer, .timeout_ms = 10};
        (void)ask(&hasty);
        assert_int_equal(hasty.result, TMESH_E_TIMEOUT);
        assert_true(hasty.rows);
    }
    assert_int_equal(tmesh_producer_close(producer, 0), TMESH_OK);
    assert_int_equal(pthread_join(thread, NULL), 0); /* closing ended its patience */
    if (patient.result == TMESH_E_TIMEOUT)
        assert_true(patient.rows);
    else
        assert_int_equal(patient.result, TMESH_E_CLOSED); /* it never had its turn */
    tmesh_producer_destroy(&producer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tasks_and_workers_are_counted),
        cmocka_unit_test(an_absent_ventilator_has_a_row_that_says_so),
        cmocka_unit_test(two_ventilators_have_a_row_each),
        cmocka_unit_test(dead_letters_are_listed_with_their_reasons),
        cmocka_unit_test(threads_that_ask_at_once_wait_their_turn),
        cmocka_unit_test(whoever_waits_for_a_turn_in_vain_has_rows_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
