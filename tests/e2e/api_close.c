/* api_close.c - the ends: of a producer, of a ventilator under it, and of
 * patience.  No submission is forgotten in silence. */
#include "api_mesh.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const tmesh_handler_t echo = {.name = "echo", .handler = handle_echo};

static tmesh_producer_t *producer_to_nowhere(tmesh_producer_options_t options)
{
    tmesh_error_t error;
    options.connect = "ipc:///tmp/tmesh-nobody-is-here";
    tmesh_producer_t *producer = tmesh_producer_new(&options, &error);
    if (producer == NULL) fail_msg("%s", error.text);
    return producer;
}

static tmesh_id_t submit(tmesh_producer_t *producer, enum tmesh_deliver deliver, void *tag)
{
    tmesh_id_t id;
    const tmesh_task_t task = {.name = "echo", .deliver = deliver, .tag = tag};
    assert_int_equal(tmesh_producer_submit(producer, &task, PATIENCE_MS, &id), TMESH_OK);
    return id;
}

/* ---- Closing a producer ---- */

static void closing_an_idle_producer_is_quick_and_final(void **state)
{
    (void)state;
    struct mesh mesh;
    tmesh_error_t error;
    tmesh_status_t *status;
    mesh_start(&mesh, &echo, 1);
    assert_int_equal(tmesh_producer_close(mesh.producer, PATIENCE_MS), TMESH_OK);
    assert_int_equal(tmesh_producer_close(mesh.producer, PATIENCE_MS), TMESH_OK);
    assert_int_equal(
        tmesh_producer_submit(mesh.producer, &(tmesh_task_t){.name = "echo"}, PATIENCE_MS, NULL),
        TMESH_E_CLOSED);
    assert_int_equal(tmesh_producer_connected(mesh.producer, PATIENCE_MS, &error), TMESH_E_CLOSED);
    assert_int_equal(tmesh_producer_status(mesh.producer, PATIENCE_MS, &status), TMESH_E_CLOSED);
    assert_null(status);
    assert_int_equal(tmesh_producer_flush(mesh.producer, PATIENCE_MS), TMESH_OK);
    assert_int_equal(tmesh_producer_poll(mesh.producer, PATIENCE_MS, 0, ledger_note, NULL), 0);
    tmesh_producer_counts_t counts;
    tmesh_producer_counts(mesh.producer, &counts);
    assert_int_equal(counts.ventilators, 0);
    mesh_stop(&mesh);
}

static void what_was_never_accepted_answers_unknown_once(void **state)
{
    (void)state;
    enum { EACH = 20, DELIVERS = 3 };
    tmesh_producer_t *producer = producer_to_nowhere((tmesh_producer_options_t){0});
    tmesh_id_t ids[DELIVERS][EACH];
    struct ledger ledger = {0};
    for (int deliver = 0; deliver < DELIVERS; deliver++) {
        for (int at = 0; at < EACH; at++) {
            ids[deliver][at] = submit(producer, (enum tmesh_deliver)deliver, &ids[deliver][at]);
        }
    }
    uint64_t before_ms = mesh_now_ms();
    assert_int_equal(tmesh_producer_flush(producer, 40), TMESH_E_TIMEOUT);
    assert_int_equal(tmesh_producer_close(producer, 40), TMESH_E_TIMEOUT);
    assert_true(mesh_now_ms() - before_ms >= 78);
    assert_int_equal(tmesh_producer_close(producer, 40), TMESH_E_TIMEOUT);
    assert_int_equal(tmesh_producer_poll(producer, 0, 0, ledger_note, &ledger), 2 * EACH);
    for (int at = 0; at < EACH; at++) {
        assert_int_equal(
            tmesh_producer_wait(producer, &ids[TMESH_DELIVER_WAIT][at], 0, ledger_note, &ledger),
            TMESH_OK);
    }
    assert_int_equal(ledger_count(&ledger, TMESH_UNKNOWN), DELIVERS * EACH);
    for (int at = 0; at < DELIVERS * EACH; at++) {
        const struct told *told = ledger_find(&ledger, &ids[0][0] + at, TMESH_UNKNOWN);
        assert_non_null(told);
        assert_ptr_equal(told->tag, &ids[0][0] + at);
        assert_string_equal(told->reason, "the producer was closed first");
    }
    tmesh_producer_counts_t counts;
    tmesh_producer_counts(producer, &counts);
    assert_int_equal(counts.unknown, DELIVERS * EACH);
    assert_int_equal(counts.outbox + counts.awaited, 0);
    ledger_clear(&ledger);
    tmesh_producer_destroy(&producer);
}

static void what_has_not_ended_answers_unknown_once(void **state)
{
    (void)state;
    struct mesh mesh = {0};
    struct ledger ledger = {0};
    mesh_ventilator(&mesh, NULL);
    mesh_producer(&mesh, NULL);
    tmesh_id_t polled = submit(mesh.producer, TMESH_DELIVER_POLL, &polled);
    tmesh_id_t waited = submit(mesh.producer, TMESH_DELIVER_WAIT, &waited);
    (void)submit(mesh.producer, TMESH_DELIVER_NONE, NULL); /* told all there is to tell */
    assert_int_equal(tmesh_producer_close(mesh.producer, PATIENCE_MS), TMESH_E_TIMEOUT);
    assert_int_equal(tmesh_producer_poll(mesh.producer, 0, 0, ledger_note, &ledger), 1);
    assert_int_equal(tmesh_producer_wait(mesh.producer, &waited, 0, ledger_note, &ledger),
                     TMESH_OK);
    assert_non_null(ledger_find(&ledger, &polled, TMESH_UNKNOWN));
    assert_non_null(ledger_find(&ledger, &waited, TMESH_UNKNOWN));
    assert_int_equal(tmesh_producer_poll(mesh.producer, 0, 0, ledger_note, &ledger), 0);
    tmesh_producer_counts_t counts;
    tmesh_producer_counts(mesh.producer, &counts);
    assert_int_equal(counts.accepted, 3);
    assert_int_equal(counts.unknown, 2);
    assert_int_equal(counts.awaited, 0);
    ledger_clear(&ledger);
    mesh_stop(&mesh);
}

static void closing_flushes_what_was_submitted(void **state)
{
    (void)state;
    struct mesh mesh = {0};
    uint64_t open = 0;
    mesh_ventilator(&mesh, NULL);
    mesh_producer(&mesh, NULL);
    for (int at = 0; at < 1000; at++) (void)submit(mesh.producer, TMESH_DELIVER_NONE, NULL);
    assert_int_equal(tmesh_producer_close(mesh.producer, PATIENCE_MS), TMESH_OK);
    assert_int_equal(tmesh_ventilator_drain(mesh.ventilator, 0, &open), TMESH_E_TIMEOUT);
    assert_int_equal(open, 1000);
    mesh_stop(&mesh);
}

static void *poll_long(void *context)
{
    struct ledger ledger = {0};
    (void)tmesh_producer_poll(context, PATIENCE_MS, 0, ledger_note, &ledger);
    ledger_clear(&ledger);
    return NULL;
}

static void closing_ends_the_waiting_of_others(void **state)
{
    (void)state;
    tmesh_producer_t *producer = producer_to_nowhere((tmesh_producer_options_t){0});
    pthread_t thread;
    uint64_t before_ms = mesh_now_ms();
    assert_int_equal(pthread_create(&thread, NULL, poll_long, producer), 0);
    assert_int_equal(tmesh_producer_close(producer, 0), TMESH_OK);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(mesh_now_ms() - before_ms < PATIENCE_MS);
    tmesh_producer_destroy(&producer);
}

static void destroying_takes_care_of_everything_left(void **state)
{
    (void)state;
    tmesh_producer_t *nothing = NULL;
    tmesh_producer_destroy(&nothing);
    struct mesh mesh;
    mesh_start(&mesh, &echo, 1);
    for (int at = 0; at < 100; at++) {
        (void)submit(mesh.producer, TMESH_DELIVER_POLL, NULL);
        (void)submit(mesh.producer, TMESH_DELIVER_WAIT, NULL);
    }
    mesh_stop(&mesh);
}

/* ---- Patience ---- */

static void a_task_that_nobody_accepts_ends_unknown_after_its_time(void **state)
{
    (void)state;
    struct ledger ledger = {0};
    uint64_t before_ms = mesh_now_ms();
    tmesh_producer_t *producer =
        producer_to_nowhere((tmesh_producer_options_t){.unknown_after_ms = 100});
    int tag;
    tmesh_id_t id = submit(producer, TMESH_DELIVER_NONE, &tag);
    tmesh_id_t waited = submit(producer, TMESH_DELIVER_WAIT, &tag);
    assert_int_equal(tmesh_producer_wait(producer, &waited, PATIENCE_MS, ledger_note, &ledger),
                     TMESH_OK);
    assert_true(mesh_now_ms() - before_ms >= 99);
    ledger_await(&ledger, producer, 2);
    assert_non_null(ledger_find(&ledger, &waited, TMESH_UNKNOWN));
    const struct told *told = ledger_find(&ledger, &id, TMESH_UNKNOWN);
    assert_non_null(told);
    assert_ptr_equal(told->tag, &tag);
    assert_true(told->has_reason);
    assert_int_not_equal(strlen(told->reason), 0);
    assert_int_equal(tmesh_producer_close(producer, 0), TMESH_OK);
    assert_int_equal(tmesh_producer_poll(producer, 0, 0, ledger_note, &ledger), 0);
    tmesh_producer_counts_t counts;
    tmesh_producer_counts(producer, &counts);
    assert_int_equal(counts.unknown, 2);
    ledger_clear(&ledger);
    tmesh_producer_destroy(&producer);
}

/* The outbox can be full by what keeping its payloads costs, before it is full
 * by their bytes: then tasks wait on their way in, and nothing must spin. */
static void a_producer_that_can_do_nothing_does_nothing(void **state)
{
    (void)state;
    enum { LOOK_MS = 300, TASKS = 10 };
    tmesh_producer_t *producer = producer_to_nowhere((tmesh_producer_options_t){
        .outbox_max = 2 * TASKS, .outbox_bytes_max = TASKS * TMESH_PAYLOAD_BYTES_MAX});
    char *payload = calloc(1, TMESH_PAYLOAD_BYTES_MAX);
    assert_non_null(payload);
    const tmesh_task_t task = {
        .name = "echo", .payload = payload, .payload_bytes = TMESH_PAYLOAD_BYTES_MAX};
    for (int at = 0; at < TASKS; at++) {
        assert_int_equal(tmesh_producer_submit(producer, &task, 0, NULL), TMESH_OK);
        assert_int_equal(tmesh_producer_flush(producer, 10), TMESH_E_TIMEOUT);
    }
    clock_t before = clock();
    assert_int_equal(tmesh_producer_flush(producer, LOOK_MS), TMESH_E_TIMEOUT);
    double busy_ms = 1000.0 * (double)(clock() - before) / CLOCKS_PER_SEC;
    if (busy_ms > LOOK_MS / 2.0) fail_msg("%.0f ms of work in %d ms", busy_ms, LOOK_MS);
    struct ledger ledger = {0};
    assert_int_equal(tmesh_producer_close(producer, 0), TMESH_E_TIMEOUT);
    assert_int_equal(tmesh_producer_poll(producer, 0, 0, ledger_note, &ledger), TASKS);
    assert_int_equal(ledger_count(&ledger, TMESH_UNKNOWN), TASKS);
    ledger_clear(&ledger);
    free(payload);
    tmesh_producer_destroy(&producer);
}

/* ---- The end of a ventilator ---- */

static void check_replacement(const char *bind)
{
    struct gate gate = {0};
    const tmesh_handler_t handlers[] = {{.name = "gate", .handler = handle_gate, .context = &gate},
                                        echo};
    struct mesh mesh = {0};
    struct ledger ledger = {0};
    char endpoint[256];
    mesh_ventilator(&mesh, &(tmesh_ventilator_options_t){.bind = bind});
    (void)snprintf(endpoint, sizeof endpoint, "%s", tmesh_ventilator_endpoint(mesh.ventilator));
    mesh_worker(&mesh,
                &(tmesh_worker_options_t){.slots = 1, .handlers = handlers, .handler_count = 2});
    mesh_producer(&mesh, NULL);
    tmesh_id_t running = mesh_submit(&mesh, "gate", "");
    gate_await(&gate, 1);
    tmesh_id_t ready = mesh_submit(&mesh, "echo", ""); /* it finds the only slot taken */
    assert_int_equal(tmesh_producer_flush(mesh.producer, PATIENCE_MS), TMESH_OK);

    tmesh_ventilator_destroy(&mesh.ventilator);
    tmesh_id_t between = mesh_submit(&mesh, "echo", "between");
    mesh_ventilator(&mesh, &(tmesh_ventilator_options_t){.bind = endpoint});
    ledger_await(&ledger, mesh.producer, 2);
    const struct told *told = ledger_find(&ledger, &running, TMESH_UNKNOWN);
    assert_non_null(told);
    assert_string_equal(told->reason, "its ventilator restarted and has forgotten it");
    assert_non_null(ledger_find(&ledger, &ready, TMESH_UNKNOWN));
    atomic_store(&gate.open, true);
    ledger_await(&ledger, mesh.producer, 3);
    assert_string_equal(ledger_find(&ledger, &between, TMESH_ENDED)->result, "between");
    assert_int_equal(tmesh_producer_close(mesh.producer, 0), TMESH_OK);
    assert_int_equal(tmesh_producer_poll(mesh.producer, 0, 0, ledger_note, &ledger), 0);
    ledger_clear(&ledger);
    mesh_stop(&mesh);
}

static void what_a_replaced_ventilator_had_is_unknown_and_the_rest_goes_on(void **state)
{
    (void)state;
    check_replacement("tcp://127.0.0.1:0");
}

static void the_same_over_ipc(void **state)
{
    (void)state;
    char folder[] = "/tmp/tmesh-api-XXXXXX", endpoint[64];
    assert_non_null(mkdtemp(folder));
    (void)snprintf(endpoint, sizeof endpoint, "ipc://%s/front", folder);
    check_replacement(endpoint);
    assert_int_equal(remove(folder), 0); /* it left nothing there */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closing_an_idle_producer_is_quick_and_final),
        cmocka_unit_test(what_was_never_accepted_answers_unknown_once),
        cmocka_unit_test(what_has_not_ended_answers_unknown_once),
        cmocka_unit_test(closing_flushes_what_was_submitted),
        cmocka_unit_test(closing_ends_the_waiting_of_others),
        cmocka_unit_test(destroying_takes_care_of_everything_left),
        cmocka_unit_test(a_task_that_nobody_accepts_ends_unknown_after_its_time),
        cmocka_unit_test(a_producer_that_can_do_nothing_does_nothing),
        cmocka_unit_test(what_a_replaced_ventilator_had_is_unknown_and_the_rest_goes_on),
        cmocka_unit_test(the_same_over_ipc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
