/* api_ends.c - C handlers that are asked to end: at a limit, or because their task is
 * not theirs any more.
 */
#include "api_mesh.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <time.h>

/* What a handler saw of the request to end. */
struct request {
    atomic_uint entered, told;
    _Atomic uint64_t after_ms; /* from its beginning */
};

static const struct timespec moment = {.tv_nsec = 1000000};

/* Runs until it is told to end. */
static int run_until_told(tmesh_job_t *job, void *context)
{
    struct request *request = context;
    uint64_t began_ms = mesh_now_ms();
    atomic_fetch_add(&request->entered, 1);
    while (!tmesh_job_should_stop(job)) {
        if (mesh_now_ms() - began_ms > PATIENCE_MS) return TMESH_PERMANENT;
        (void)nanosleep(&moment, NULL);
    }
    atomic_store(&request->after_ms, mesh_now_ms() - began_ms);
    atomic_fetch_add(&request->told, 1);
    return TMESH_PERMANENT;
}

static bool was_entered(void *context)
{
    return atomic_load(&((struct request *)context)->entered) > 0;
}

static bool was_told(void *context)
{
    return atomic_load(&((struct request *)context)->told) > 0;
}

static tmesh_id_t submit(struct mesh *mesh, const tmesh_task_t *task)
{
    tmesh_id_t id;
    tmesh_task_t once = *task;
    once.attempts_max = 1;
    once.deliver = TMESH_DELIVER_POLL;
    assert_int_equal(tmesh_producer_submit(mesh->producer, &once, PATIENCE_MS, &id), TMESH_OK);
    return id;
}

static void a_handler_is_told_at_its_soft_limit_and_not_before(void **state)
{
    (void)state;
    struct mesh mesh = {0};
    struct ledger ledger = {0};
    struct request request = {0};
    mesh_start(&mesh,
               &(tmesh_handler_t){.name = "work", .handler = run_until_told, .context = &request},
               1);
    tmesh_id_t id = submit(&mesh, &(tmesh_task_t){.name = "work", .soft_limit_ms = 200});
    ledger_await(&ledger, mesh.producer, 1);
    const struct told *end = ledger_find(&ledger, &id, TMESH_ENDED);
    assert_non_null(end);
    assert_int_equal(end->state, TMESH_STATE_FAILED);
    assert_string_equal(end->reason, "over its soft time limit of 200 ms");
    assert_int_equal(atomic_load(&request.told), 1);
    assert_true(atomic_load(&request.after_ms) >=
                199); /* two clocks were read, at different times */
    ledger_clear(&ledger);
    mesh_stop(&mesh);
}

static void a_handler_is_told_that_its_task_was_cancelled(void **state)
{
    (void)state;
    struct mesh mesh = {0};
    struct ledger ledger = {0};
    struct request request = {0};
    mesh_start(&mesh,
               &(tmesh_handler_t){.name = "work", .handler = run_until_told, .context = &request},
               1);
    tmesh_id_t id = submit(&mesh, &(tmesh_task_t){.name = "work"});
    mesh_until(was_entered, &request);
    tmesh_cancel_t *cancel = NULL;
    assert_int_equal(tmesh_producer_cancel(mesh.producer, &id, 1, PATIENCE_MS, &cancel), TMESH_OK);
    assert_int_equal(cancel->rows[0].outcome, TMESH_CANCEL_DONE);
    tmesh_cancel_destroy(&cancel);
    mesh_until(was_told, &request);
    ledger_await(&ledger, mesh.producer, 1);
    const struct told *end = ledger_find(&ledger, &id, TMESH_ENDED);
    assert_non_null(end);
    assert_int_equal(end->state, TMESH_STATE_CANCELLED);
    /* Nothing is owed for it, and its slot is free. */
    assert_int_equal(tmesh_worker_drain(mesh.worker, PATIENCE_MS), TMESH_OK);
    tmesh_worker_counts_t counts;
    tmesh_worker_counts(mesh.worker, &counts);
    assert_int_equal(counts.held + counts.running + counts.hung, 0);
    ledger_clear(&ledger);
    mesh_stop(&mesh);
}

static void a_handler_is_told_that_its_worker_stops(void **state)
{
    (void)state;
    struct mesh mesh = {0};
    struct request request = {0};
    mesh_start(&mesh,
               &(tmesh_handler_t){.name = "work", .handler = run_until_told, .context = &request},
               1);
    (void)submit(&mesh, &(tmesh_task_t){.name = "work"});
    mesh_until(was_entered, &request);
    tmesh_worker_destroy(&mesh.worker); /* waits for it */
    assert_int_equal(atomic_load(&request.told), 1);
    mesh_stop(&mesh);
}

/* Stays until the gate is open; shows life if its payload says so. */
static int run_behind_a_gate(tmesh_job_t *job, void *context)
{
    struct gate *gate = context;
    size_t bytes;
    bool lively = memcmp(tmesh_job_payload(job, &bytes), "lively", 6) == 0;
    uint64_t number = 0, until_ms = mesh_now_ms() + PATIENCE_MS;
    atomic_fetch_add(&gate->entered, 1);
    while (!atomic_load(&gate->open) && mesh_now_ms() < until_ms) {
        if (lively) tmesh_job_progress(job, ++number, "still here");
        (void)nanosleep(&moment, NULL);
    }
    return TMESH_DONE;
}

static bool one_hangs(void *context)
{
    tmesh_worker_counts_t counts;
    tmesh_worker_counts(context, &counts);
    return counts.hung == 1;
}

static bool none_hangs(void *context)
{
    tmesh_worker_counts_t counts;
    tmesh_worker_counts(context, &counts);
    return counts.hung == 0;
}

static void a_handler_that_shows_no_life_is_given_up(void **state)
{
    (void)state;
    struct mesh mesh = {0};
    struct ledger ledger = {0};
    struct gate gate = {0};
    mesh_start(&mesh,
               &(tmesh_handler_t){.name = "work", .handler = run_behind_a_gate, .context = &gate},
               2);
    tmesh_id_t lively = submit(&mesh, &(tmesh_task_t){.name = "work",
                                                      .payload = "lively",
                                                      .payload_bytes = 6,
                                                      .stalled_after_ms = 30000});
    tmesh_id_t silent = submit(&mesh, &(tmesh_task_t){.name = "work",
                                                      .payload = "silent",
                                                      .payload_bytes = 6,
                                                      .stalled_after_ms = 100});
    ledger_await(&ledger, mesh.producer, 1);
    const struct told *end = ledger_find(&ledger, &silent, TMESH_ENDED);
    assert_non_null(end);
    assert_int_equal(end->state, TMESH_STATE_FAILED);
    assert_string_equal(end->reason, "no sign of life for 100 ms; it cannot be ended");
    mesh_until(one_hangs, mesh.worker);
    atomic_store(&gate.open, true);
    ledger_await(&ledger, mesh.producer, 2);
    end = ledger_find(&ledger, &lively, TMESH_ENDED);
    assert_non_null(end);
    assert_int_equal(end->state, TMESH_STATE_DONE);
    mesh_until(none_hangs, mesh.worker);
    ledger_clear(&ledger);
    mesh_stop(&mesh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_handler_is_told_at_its_soft_limit_and_not_before),
        cmocka_unit_test(a_handler_is_told_that_its_task_was_cancelled),
        cmocka_unit_test(a_handler_is_told_that_its_worker_stops),
        cmocka_unit_test(a_handler_that_shows_no_life_is_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
