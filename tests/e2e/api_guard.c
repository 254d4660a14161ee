/* api_guard.c - guarded producers: accepted tasks whose ventilator goes away, as a
 * host program lives through it. */
#include "api_mesh.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NEVER_MS = 3600 * 1000 };

static const tmesh_handler_t echo = {.name = "echo", .handler = handle_echo};

/* Two addresses that can be bound again. */
struct place {
    char folder[32], first[64], second[64], both[160];
};

static void place_make(struct place *place)
{
    strcpy(place->folder, "/tmp/tmesh-guard-XXXXXX");
    assert_non_null(mkdtemp(place->folder));
    snprintf(place->first, sizeof place->first, "ipc://%s/1", place->folder);
    snprintf(place->second, sizeof place->second, "ipc://%s/2", place->folder);
    snprintf(place->both, sizeof place->both, "%s,%s", place->first, place->second);
}

static void place_clear(const struct place *place)
{
    const char *names[] = {"1", "2", "1.intake", "2.intake"};
    for (size_t at = 0; at < sizeof names / sizeof *names; at++) {
        char path[64];
        snprintf(path, sizeof path, "%s/%s", place->folder, names[at]);
        (void)unlink(path);
    }
    (void)rmdir(place->folder);
}

static void start_ventilator(struct mesh *mesh, const char *endpoint)
{
    mesh_ventilator(mesh, &(tmesh_ventilator_options_t){.bind = endpoint});
}

static void start_worker(struct mesh *mesh, const char *endpoint)
{
    mesh_worker(mesh, &(tmesh_worker_options_t){
                          .connect = endpoint, .slots = 1, .handlers = &echo, .handler_count = 1});
}

static tmesh_id_t submit(tmesh_producer_t *producer, enum tmesh_deliver deliver,
                         const char *payload)
{
    tmesh_id_t id;
    const tmesh_task_t task = {.name = "echo",
                               .payload = payload,
                               .payload_bytes = strlen(payload),
                               .deliver = deliver,
                               .report_accepted = true};
    assert_int_equal(tmesh_producer_submit(producer, &task, PATIENCE_MS, &id), TMESH_OK);
    return id;
}

static tmesh_producer_counts_t counts_of(tmesh_producer_t *producer)
{
    tmesh_producer_counts_t counts;
    tmesh_producer_counts(producer, &counts);
    return counts;
}

static void check_result(const struct ledger *ledger, const tmesh_id_t *id, const char *result)
{
    const struct told *told = ledger_find(ledger, id, TMESH_ENDED);
    assert_non_null(told);
    assert_int_equal(told->state, TMESH_STATE_DONE);
    assert_string_equal(told->result, result);
}

static void tasks_of_a_ventilator_that_left_run_at_another(void **state)
{
    (void)state;
    struct mesh first = {0}, second = {0};
    struct ledger ledger = {0};
    struct place place;
    place_make(&place);
    start_ventilator(&first, place.first);
    mesh_producer(&first, &(tmesh_producer_options_t){.connect = place.both,
                                                      .guard = TMESH_GUARD_FAILOVER,
                                                      .failover_after_ms = 300});
    tmesh_id_t polled = submit(first.producer, TMESH_DELIVER_POLL, "one");
    tmesh_id_t waited = submit(first.producer, TMESH_DELIVER_WAIT, "two");
    tmesh_id_t silent = submit(first.producer, TMESH_DELIVER_NONE, "three");
    ledger_await(&ledger, first.producer, 3);
    assert_int_equal(ledger_count(&ledger, TMESH_ACCEPTED), 3);

    start_ventilator(&second, place.second);
    start_worker(&second, place.second);
    tmesh_ventilator_destroy(&first.ventilator);
    assert_int_equal(tmesh_producer_flush(first.producer, PATIENCE_MS), TMESH_OK);
    assert_int_equal(
        tmesh_producer_wait(first.producer, &waited, PATIENCE_MS, ledger_note, &ledger), TMESH_OK);
    ledger_await(&ledger, first.producer, 5);
    assert_int_equal(tmesh_producer_poll(first.producer, 0, 0, ledger_note, &ledger), 0);
    check_result(&ledger, &polled, "one");
    check_result(&ledger, &waited, "two");
    assert_null(ledger_find(&ledger, &silent, TMESH_ENDED));
    const tmesh_producer_counts_t counts = counts_of(first.producer);
    assert_int_equal(counts.failed_over, 3);
    assert_int_equal(counts.accepted, 3);
    assert_int_equal(counts.ended, 3);
    assert_int_equal(counts.outbox + counts.awaited + counts.unknown, 0);
    assert_int_equal(tmesh_producer_close(first.producer, PATIENCE_MS), TMESH_OK);
    ledger_clear(&ledger);
    mesh_stop(&first);
    mesh_stop(&second);
    place_clear(&place);
}

static void a_ventilator_that_is_back_without_them_gets_its_tasks_again(void **state)
{
    (void)state;
    struct mesh mesh = {0};
    struct ledger ledger = {0};
    struct place place;
    place_make(&place);
    start_ventilator(&mesh, place.first);
    mesh_producer(&mesh, &(tmesh_producer_options_t){.connect = place.first,
                                                     .guard = TMESH_GUARD_FAILOVER,
                                                     .failover_after_ms = NEVER_MS});
    tmesh_id_t id = submit(mesh.producer, TMESH_DELIVER_POLL, "again");
    ledger_await(&ledger, mesh.producer, 1);
    tmesh_ventilator_destroy(&mesh.ventilator);
    start_ventilator(&mesh, place.first);
    start_worker(&mesh, place.first);
    ledger_await(&ledger, mesh.producer, 2);
    check_result(&ledger, &id, "again");
    assert_int_equal(counts_of(mesh.producer).failed_over, 1);
    ledger_clear(&ledger);
    mesh_stop(&mesh);
    place_clear(&place);
}

static void flush_waits_for_the_end_of_what_is_guarded(void **state)
{
    (void)state;
    struct mesh mesh = {0};
    struct gate gate = {0};
    const tmesh_handler_t handler = {.name = "echo", .handler = handle_gate, .context = &gate};
    mesh_ventilator(&mesh, NULL);
    mesh_worker(&mesh,
                &(tmesh_worker_options_t){.slots = 1, .handlers = &handler, .handler_count = 1});
    mesh_producer(&mesh, &(tmesh_producer_options_t){.guard = TMESH_GUARD_FAILOVER});
    submit(mesh.producer, TMESH_DELIVER_NONE, "x");
    gate_await(&gate, 1);
    assert_int_equal(tmesh_producer_flush(mesh.producer, 50), TMESH_E_TIMEOUT);
    assert_int_equal(counts_of(mesh.producer).awaited, 1);
    atomic_store(&gate.open, true);
    assert_int_equal(tmesh_producer_flush(mesh.producer, PATIENCE_MS), TMESH_OK);
    assert_int_equal(counts_of(mesh.producer).awaited, 0);
    mesh_stop(&mesh);
}

/* The one that wants no result has heard all that it wanted to hear. */
static void closing_ends_the_guard_and_says_so(void **state)
{
    (void)state;
    struct mesh mesh = {0};
    struct ledger ledger = {0};
    mesh_ventilator(&mesh, NULL);
    mesh_producer(&mesh, &(tmesh_producer_options_t){.guard = TMESH_GUARD_FAILOVER});
    submit(mesh.producer, TMESH_DELIVER_NONE, "x");
    tmesh_id_t polled = submit(mesh.producer, TMESH_DELIVER_POLL, "y");
    ledger_await(&ledger, mesh.producer, 2);
    assert_int_equal(tmesh_producer_close(mesh.producer, 50), TMESH_E_TIMEOUT);
    ledger_await(&ledger, mesh.producer, 3);
    assert_int_equal(tmesh_producer_poll(mesh.producer, 0, 0, ledger_note, &ledger), 0);
    assert_non_null(ledger_find(&ledger, &polled, TMESH_UNKNOWN));
    const tmesh_producer_counts_t counts = counts_of(mesh.producer);
    assert_int_equal(counts.accepted, 2);
    assert_int_equal(counts.unknown, 1);
    assert_int_equal(counts.outbox + counts.awaited, 0);
    ledger_clear(&ledger);
    mesh_stop(&mesh);
}

static void guarded_tasks_take_room_until_they_end(void **state)
{
    (void)state;
    enum { BYTES = 3000, FIT = 3 };
    struct mesh mesh = {0};
    struct gate gate = {0};
    char payload[BYTES] = {0};
    const tmesh_handler_t handler = {.name = "echo", .handler = handle_gate, .context = &gate};
    const tmesh_task_t task = {.name = "echo", .payload = payload, .payload_bytes = BYTES};
    mesh_ventilator(&mesh, NULL);
    mesh_worker(&mesh,
                &(tmesh_worker_options_t){.slots = 1, .handlers = &handler, .handler_count = 1});
    mesh_producer(&mesh, &(tmesh_producer_options_t){.guard = TMESH_GUARD_FAILOVER,
                                                     .guarded_bytes_max = FIT * BYTES + 1});
    for (int at = 0; at < FIT; at++) {
        assert_int_equal(tmesh_producer_submit(mesh.producer, &task, 0, NULL), TMESH_OK);
    }
    gate_await(&gate, 1);
    assert_int_equal(tmesh_producer_submit(mesh.producer, &task, 50, NULL), TMESH_E_FULL);
    atomic_store(&gate.open, true);
    assert_int_equal(tmesh_producer_submit(mesh.producer, &task, PATIENCE_MS, NULL), TMESH_OK);
    assert_int_equal(tmesh_producer_flush(mesh.producer, PATIENCE_MS), TMESH_OK);
    assert_int_equal(counts_of(mesh.producer).ended, FIT + 1);
    mesh_stop(&mesh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tasks_of_a_ventilator_that_left_run_at_another),
        cmocka_unit_test(a_ventilator_that_is_back_without_them_gets_its_tasks_again),
        cmocka_unit_test(flush_waits_for_the_end_of_what_is_guarded),
        cmocka_unit_test(closing_ends_the_guard_and_says_so),
        cmocka_unit_test(guarded_tasks_take_room_until_they_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
