/* api_embed.c - a ventilator that lives inside a producer. */
#include "api_mesh.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const tmesh_handler_t echo = {.name = "echo", .handler = handle_echo};
static const tmesh_ventilator_options_t with_bind = {.bind = "tcp://127.0.0.1:0"};
static const tmesh_ventilator_options_t without_bind = {0};

static void start(struct mesh *mesh, const tmesh_handler_t *handler)
{
    *mesh = (struct mesh){0};
    mesh_producer(mesh, &(tmesh_producer_options_t){.embed = &with_bind});
    mesh_worker(mesh, &(tmesh_worker_options_t){.connect = tmesh_producer_endpoint(mesh->producer),
                                                .slots = 2,
                                                .handlers = handler,
                                                .handler_count = 1});
}

static void a_worker_elsewhere_runs_what_is_submitted_here(void **state)
{
    (void)state;
    struct mesh mesh;
    struct ledger ledger = {0};
    start(&mesh, &echo);
    assert_int_equal(strncmp(tmesh_producer_endpoint(mesh.producer), "tcp://127.0.0.1:", 16), 0);
    for (int at = 0; at < 1000; at++) (void)mesh_submit(&mesh, "echo", "x");
    ledger_await(&ledger, mesh.producer, 1000);
    assert_int_equal(ledger_count(&ledger, TMESH_ENDED), 1000);
    assert_int_equal(tmesh_producer_close(mesh.producer, PATIENCE_MS), TMESH_OK);
    assert_int_equal(tmesh_producer_poll(mesh.producer, 0, 0, ledger_note, &ledger), 0);
    ledger_clear(&ledger);
    mesh_stop(&mesh);
}

static void closing_drains_it(void **state)
{
    (void)state;
    struct mesh mesh;
    struct ledger ledger = {0};
    start(&mesh, &echo);
    for (int at = 0; at < 500; at++) (void)mesh_submit(&mesh, "echo", "x");
    assert_int_equal(tmesh_producer_close(mesh.producer, PATIENCE_MS), TMESH_OK);
    assert_int_equal(tmesh_producer_poll(mesh.producer, 0, 0, ledger_note, &ledger), 500);
    for (size_t at = 0; at < ledger.count; at++) {
        assert_int_equal(ledger.rows[at].kind, TMESH_ENDED);
        assert_int_equal(ledger.rows[at].state, TMESH_STATE_DONE);
    }
    ledger_clear(&ledger);
    mesh_stop(&mesh);
}

static void what_it_could_not_drain_in_time_is_unknown(void **state)
{
    (void)state;
    struct gate gate = {0};
    const tmesh_handler_t handler = {.name = "gate", .handler = handle_gate, .context = &gate};
    struct mesh mesh;
    struct ledger ledger = {0};
    start(&mesh, &handler);
    for (int at = 0; at < 5; at++) (void)mesh_submit(&mesh, "gate", "");
    gate_await(&gate, 2);
    uint64_t before_ms = mesh_now_ms();
    assert_int_equal(tmesh_producer_close(mesh.producer, 80), TMESH_E_TIMEOUT);
    assert_true(mesh_now_ms() - before_ms >= 78);
    assert_int_equal(tmesh_producer_poll(mesh.producer, 0, 0, ledger_note, &ledger), 5);
    assert_int_equal(ledger_count(&ledger, TMESH_UNKNOWN), 5);
    atomic_store(&gate.open, true);
    ledger_clear(&ledger);
    mesh_stop(&mesh);
}

static void without_a_front_it_keeps_tasks_for_nobody_else(void **state)
{
    (void)state;
    struct mesh mesh = {0};
    struct ledger ledger = {0};
    mesh_producer(&mesh, &(tmesh_producer_options_t){.embed = &without_bind});
    assert_null(tmesh_producer_endpoint(mesh.producer));
    const tmesh_task_t task = {.name = "echo", .report_accepted = true};
    tmesh_id_t id;
    assert_int_equal(tmesh_producer_submit(mesh.producer, &task, 0, &id), TMESH_OK);
    ledger_await(&ledger, mesh.producer, 1);
    assert_non_null(ledger_find(&ledger, &id, TMESH_ACCEPTED));
    tmesh_status_t *status = NULL;
    assert_int_equal(tmesh_producer_status(mesh.producer, PATIENCE_MS, &status), TMESH_OK);
    assert_int_equal(status->ventilator_count, 1);
    assert_int_equal(status->ventilators[0].ready, 1);
    tmesh_status_destroy(&status);
    /* No answer is due, and yet it will be forgotten. */
    assert_int_equal(tmesh_producer_close(mesh.producer, 30), TMESH_E_TIMEOUT);
    assert_int_equal(tmesh_producer_poll(mesh.producer, 0, 0, ledger_note, &ledger), 0);
    ledger_clear(&ledger);
    mesh_stop(&mesh);
}

static void worker_beside(struct mesh *mesh, const char *connect)
{
    const tmesh_worker_options_t options = {.connect = connect,
                                            .beside = mesh->producer,
                                            .slots = 2,
                                            .handlers = &echo,
                                            .handler_count = 1};
    tmesh_error_t error;
    mesh->worker = tmesh_worker_new(&options, &error);
    if (mesh->worker == NULL) fail_msg("%s", error.text);
}

static void a_worker_beside_it_needs_no_front(void **state)
{
    (void)state;
    struct mesh mesh = {0};
    struct ledger ledger = {0};
    mesh_producer(&mesh, &(tmesh_producer_options_t){.embed = &without_bind});
    worker_beside(&mesh, NULL);
    for (int at = 0; at < 1000; at++) (void)mesh_submit(&mesh, "echo", "x");
    ledger_await(&ledger, mesh.producer, 1000);
    for (size_t at = 0; at < ledger.count; at++) assert_string_equal(ledger.rows[at].result, "x");
    /* The next one finds the same place, and what the first has not run. */
    tmesh_worker_destroy(&mesh.worker);
    (void)mesh_submit(&mesh, "echo", "later");
    worker_beside(&mesh, NULL);
    ledger_await(&ledger, mesh.producer, 1001);
    assert_string_equal(ledger.rows[1000].result, "later");
    assert_int_equal(tmesh_worker_drain(mesh.worker, PATIENCE_MS), TMESH_OK);
    ledger_clear(&ledger);
    mesh_stop(&mesh); /* the producer first */
}

static void it_may_end_before_the_worker_beside_it(void **state)
{
    (void)state;
    struct mesh mesh = {0}, other = {0};
    struct ledger ledger = {0};
    mesh_ventilator(&other, NULL);
    mesh_producer(&mesh, &(tmesh_producer_options_t){.embed = &without_bind});
    worker_beside(&mesh, tmesh_ventilator_endpoint(other.ventilator));
    (void)mesh_submit(&mesh, "echo", "its own");
    ledger_await(&ledger, mesh.producer, 1);
    tmesh_producer_destroy(&mesh.producer);
    mesh_producer(&other, NULL);
    (void)mesh_submit(&other, "echo", "another's");
    ledger_await(&ledger, other.producer, 2);
    assert_string_equal(ledger.rows[1].result, "another's");
    ledger_clear(&ledger);
    mesh_stop(&mesh);
    mesh_stop(&other);
}

static void others_may_submit_to_it_and_it_beside_others(void **state)
{
    (void)state;
    struct mesh mesh = {0}, guest = {0};
    struct ledger ledger = {0};
    char connect[512];
    mesh_ventilator(&mesh, NULL);
    mesh_producer(
        &mesh, &(tmesh_producer_options_t){.embed = &with_bind,
                                           .connect = tmesh_ventilator_endpoint(mesh.ventilator)});
    (void)snprintf(connect, sizeof connect, "%s,%s", tmesh_ventilator_endpoint(mesh.ventilator),
                   tmesh_producer_endpoint(mesh.producer));
    mesh_worker(&mesh, &(tmesh_worker_options_t){
                           .connect = connect, .handlers = &echo, .handler_count = 1});
    mesh_producer(&guest,
                  &(tmesh_producer_options_t){.connect = tmesh_producer_endpoint(mesh.producer)});
    for (int at = 0; at < 300; at++) (void)mesh_submit(&mesh, "echo", "mine");
    (void)mesh_submit(&guest, "echo", "a guest's");
    ledger_await(&ledger, guest.producer, 1);
    assert_string_equal(ledger.rows[0].result, "a guest's");
    ledger_await(&ledger, mesh.producer, 301);
    tmesh_status_t *status = NULL;
    assert_int_equal(tmesh_producer_status(mesh.producer, PATIENCE_MS, &status), TMESH_OK);
    assert_int_equal(status->ventilator_count, 2);
    assert_int_equal(status->ventilators[0].done + status->ventilators[1].done, 301);
    tmesh_status_destroy(&status);
    ledger_clear(&ledger);
    mesh_stop(&guest);
    mesh_stop(&mesh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_worker_elsewhere_runs_what_is_submitted_here),
        cmocka_unit_test(closing_drains_it),
        cmocka_unit_test(what_it_could_not_drain_in_time_is_unknown),
        cmocka_unit_test(without_a_front_it_keeps_tasks_for_nobody_else),
        cmocka_unit_test(a_worker_beside_it_needs_no_front),
        cmocka_unit_test(it_may_end_before_the_worker_beside_it),
        cmocka_unit_test(others_may_submit_to_it_and_it_beside_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
