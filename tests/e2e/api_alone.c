/* api_alone.c - tasks that come alone: whoever waits for one runs the producer's loop
 * meanwhile, and nobody is left without a loop when that is over.
 */
#include "api_mesh.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>

static const tmesh_handler_t echo = {.name = "echo", .handler = handle_echo};

static tmesh_id_t submit(struct mesh *mesh, enum tmesh_deliver deliver, const char *name)
{
    const tmesh_task_t task = {
        .name = name, .payload = "x", .payload_bytes = 1, .deliver = deliver};
    tmesh_id_t id;
    assert_int_equal(tmesh_producer_submit(mesh->producer, &task, PATIENCE_MS, &id), TMESH_OK);
    return id;
}

static void one_at_a_time(struct mesh *mesh, int tasks)
{
    for (int at = 0; at < tasks; at++) {
        struct ledger ledger = {0};
        tmesh_id_t id = mesh_submit(mesh, "echo", "x");
        ledger_await(&ledger, mesh->producer, 1);
        const struct told *told = ledger_find(&ledger, &id, TMESH_ENDED);
        assert_non_null(told);
        assert_int_equal(told->state, TMESH_STATE_DONE);
        ledger_clear(&ledger);
    }
}

static void each_is_answered_once(void **state)
{
    (void)state;
    struct mesh mesh;
    mesh_start(&mesh, &echo, 1);
    one_at_a_time(&mesh, 500);
    assert_int_equal(tmesh_producer_poll(mesh.producer, 0, 0, ledger_note, NULL), 0);
    mesh_stop(&mesh);
}

static void they_are_with_a_ventilator_in_the_same_process(void **state)
{
    (void)state;
    struct mesh mesh = {0};
    const tmesh_ventilator_options_t embed = {.bind = "tcp://127.0.0.1:0"};
    mesh_producer(&mesh, &(tmesh_producer_options_t){.embed = &embed, .spin_us = 20});
    mesh_worker(&mesh, &(tmesh_worker_options_t){.connect = tmesh_producer_endpoint(mesh.producer),
                                                 .slots = 1,
                                                 .handlers = &echo,
                                                 .handler_count = 1,
                                                 .spin_us = 20});
    one_at_a_time(&mesh, 500);
    mesh_stop(&mesh);
}

static void *wait_for_each(void *context)
{
    struct listener *waiter = context;
    for (int at = 0; at < 200; at++) {
        tmesh_id_t id = submit(waiter->mesh, TMESH_DELIVER_WAIT, "echo");
        if (tmesh_producer_wait(waiter->mesh->producer, &id, PATIENCE_MS, ledger_note,
                                &waiter->ledger) != TMESH_OK) {
            break;
        }
    }
    return NULL;
}

/* They take turns with the loop, and each hears of its own. */
static void several_threads_wait_each_for_its_own(void **state)
{
    (void)state;
    enum { THREADS = 3 };
    struct mesh mesh;
    struct listener waiters[THREADS];
    pthread_t threads[THREADS];
    mesh_start(&mesh, &echo, 2);
    for (int at = 0; at < THREADS; at++) {
        waiters[at] = (struct listener){.mesh = &mesh};
        assert_int_equal(pthread_create(&threads[at], NULL, wait_for_each, &waiters[at]), 0);
    }
    for (int at = 0; at < THREADS; at++) pthread_join(threads[at], NULL);
    for (int at = 0; at < THREADS; at++) {
        assert_int_equal(ledger_count(&waiters[at].ledger, TMESH_ENDED), 200);
        ledger_clear(&waiters[at].ledger);
    }
    mesh_stop(&mesh);
}

/* Nobody polls after it, so only the producer's own thread can carry it. */
static void what_nobody_waits_for_goes_out_all_the_same(void **state)
{
    (void)state;
    struct gate gate = {.open = true};
    struct mesh mesh;
    const tmesh_handler_t handlers[] = {echo, {"gate", handle_gate, &gate}};
    mesh_ventilator(&mesh, NULL);
    mesh.producer = NULL;
    mesh.worker = NULL;
    mesh_producer(&mesh, NULL);
    mesh_worker(&mesh,
                &(tmesh_worker_options_t){.connect = tmesh_ventilator_endpoint(mesh.ventilator),
                                          .slots = 1,
                                          .handlers = handlers,
                                          .handler_count = 2});
    for (int round = 0; round < 20; round++) {
        one_at_a_time(&mesh, 3);
        atomic_store(&gate.entered, 0);
        for (int at = 0; at < round; at++) (void)submit(&mesh, TMESH_DELIVER_NONE, "gate");
        if (round > 0) gate_await(&gate, 1);
    }
    assert_int_equal(tmesh_producer_flush(mesh.producer, PATIENCE_MS), TMESH_OK);
    mesh_stop(&mesh);
}

/* Whoever has the loop then gives it up, and what was under way is told as unknown. */
static void closing_takes_the_loop_back(void **state)
{
    (void)state;
    for (int round = 0; round < 10; round++) {
        struct gate gate = {.open = false};
        struct mesh mesh;
        const tmesh_handler_t handler = {"gate", handle_gate, &gate};
        mesh_start(&mesh, &handler, 1);
        struct listener waiter = {.mesh = &mesh};
        pthread_t thread;
        tmesh_id_t id = mesh_submit(&mesh, "gate", "x");
        assert_int_equal(pthread_create(&thread, NULL, listener_poll, &waiter), 0);
        if (round % 2 == 0) gate_await(&gate, 1);
        (void)tmesh_producer_close(mesh.producer, 0);
        pthread_join(thread, NULL);
        (void)tmesh_producer_poll(mesh.producer, 0, 0, ledger_note, &waiter.ledger);
        assert_non_null(ledger_find(&waiter.ledger, &id, TMESH_UNKNOWN));
        ledger_clear(&waiter.ledger);
        atomic_store(&gate.open, true);
        mesh_stop(&mesh);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_answered_once),
        cmocka_unit_test(they_are_with_a_ventilator_in_the_same_process),
        cmocka_unit_test(several_threads_wait_each_for_its_own),
        cmocka_unit_test(what_nobody_waits_for_goes_out_all_the_same),
        cmocka_unit_test(closing_takes_the_loop_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
