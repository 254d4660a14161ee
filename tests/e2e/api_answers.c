/* api_answers.c - what became of a submission, told exactly once: by poll, by
 * wait, or not at all when nobody wants to know. */
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

static const tmesh_handler_t echo = {.name = "echo", .handler = handle_echo};

struct target {
    tmesh_producer_t *producer;
    uint64_t ended;
};

static bool has_ended(void *context)
{
    const struct target *target = context;
    tmesh_producer_counts_t counts;
    tmesh_producer_counts(target->producer, &counts);
    return counts.ended >= target->ended;
}

/* Answers are there, and counted, at the same moment. */
static void await_ended(struct mesh *mesh, uint64_t ended)
{
    mesh_until(has_ended, &(struct target){.producer = mesh->producer, .ended = ended});
}

static bool is_readable(struct mesh *mesh, int timeout_ms)
{
    struct pollfd watched = {.fd = tmesh_producer_fd(mesh->producer), .events = POLLIN};
    return poll(&watched, 1, timeout_ms) == 1 && watched.revents == POLLIN;
}

/* ---- Poll ---- */

static void poll_hands_out_at_most_what_was_asked_for(void **state)
{
    (void)state;
    struct mesh mesh;
    struct ledger ledger = {0};
    mesh_start(&mesh, &echo, 1);
    assert_int_equal(tmesh_producer_poll(mesh.producer, 0, 0, ledger_note, &ledger), 0);
    for (int at = 0; at < 7; at++) (void)mesh_submit(&mesh, "echo", "x");
    await_ended(&mesh, 7);
    assert_int_equal(tmesh_producer_poll(mesh.producer, 0, 1, ledger_note, &ledger), 1);
    assert_int_equal(tmesh_producer_poll(mesh.producer, 1000, 4, ledger_note, &ledger), 4);
    assert_int_equal(tmesh_producer_poll(mesh.producer, 0, 0, ledger_note, &ledger), 2);
    assert_int_equal(tmesh_producer_poll(mesh.producer, 0, 0, ledger_note, &ledger), 0);
    for (size_t at = 0; at < ledger.count; at++) {
        assert_non_null(ledger_find(&ledger, &ledger.rows[at].id, TMESH_ENDED));
    }
    ledger_clear(&ledger);
    mesh_stop(&mesh);
}

static void poll_waits_for_the_first_answer_and_no_longer(void **state)
{
    (void)state;
    struct gate gate = {0};
    const tmesh_handler_t handler = {.name = "gate", .handler = handle_gate, .context = &gate};
    struct mesh mesh;
    struct ledger ledger = {0};
    mesh_start(&mesh, &handler, 1);
    (void)mesh_submit(&mesh, "gate", "");
    uint64_t before_ms = mesh_now_ms();
    assert_int_equal(tmesh_producer_poll(mesh.producer, 120, 0, ledger_note, &ledger), 0);
    assert_true(mesh_now_ms() - before_ms >= 119);
    atomic_store(&gate.open, true);
    assert_int_equal(tmesh_producer_poll(mesh.producer, PATIENCE_MS, 5, ledger_note, &ledger), 1);
    ledger_clear(&ledger);
    mesh_stop(&mesh);
}

static void the_descriptor_is_readable_exactly_while_answers_wait(void **state)
{
    (void)state;
    struct mesh mesh;
    struct ledger ledger = {0};
    mesh_start(&mesh, &echo, 1);
    for (int round = 0; round < 20; round++) {
        assert_false(is_readable(&mesh, 0));
        for (int at = 0; at < 3; at++) (void)mesh_submit(&mesh, "echo", "x");
        assert_true(is_readable(&mesh, PATIENCE_MS));
        assert_true(is_readable(&mesh, 0));
        await_ended(&mesh, (uint64_t)round * 3 + 3);
        assert_int_equal(tmesh_producer_poll(mesh.producer, 0, 2, ledger_note, &ledger), 2);
        assert_true(is_readable(&mesh, 0));
        assert_int_equal(tmesh_producer_poll(mesh.producer, 0, 2, ledger_note, &ledger), 1);
    }
    ledger_clear(&ledger);
    mesh_stop(&mesh);
}

struct busy_poll {
    tmesh_producer_t *producer;
    atomic_uint *handed;
    unsigned target;
};

static void count_one(const tmesh_answer_t *answer, void *context)
{
    (void)answer;
    atomic_fetch_add((atomic_uint *)context, 1);
}

static void *poll_a_lot(void *context)
{
    const struct busy_poll *busy = context;
    uint64_t until_ms = mesh_now_ms() + PATIENCE_MS;
    while (atomic_load(busy->handed) < busy->target && mesh_now_ms() < until_ms) {
        (void)tmesh_producer_poll(busy->producer, 20, 3, count_one, busy->handed);
    }
    return NULL;
}

static void several_threads_may_poll_and_each_answer_goes_to_one(void **state)
{
    (void)state;
    enum { TASKS = 3000, POLLERS = 4 };
    struct mesh mesh;
    mesh_start(&mesh, &echo, 2);
    atomic_uint handed = 0;
    struct busy_poll busy = {.producer = mesh.producer, .handed = &handed, .target = TASKS};
    pthread_t threads[POLLERS];
    for (int at = 0; at < POLLERS; at++) {
        assert_int_equal(pthread_create(&threads[at], NULL, poll_a_lot, &busy), 0);
    }
    for (int at = 0; at < TASKS; at++) (void)mesh_submit(&mesh, "echo", "x");
    for (int at = 0; at < POLLERS; at++) assert_int_equal(pthread_join(threads[at], NULL), 0);
    assert_int_equal(tmesh_producer_close(mesh.producer, 0), TMESH_OK);
    (void)tmesh_producer_poll(mesh.producer, 0, 0, count_one, &handed);
    assert_int_equal(atomic_load(&handed), TASKS);
    assert_false(is_readable(&mesh, 0));
    mesh_stop(&mesh);
}

/* ---- What is told to whom ---- */

static tmesh_id_t submit(struct mesh *mesh, tmesh_task_t task)
{
    tmesh_id_t id;
    if (task.name == NULL) task.name = "echo";
    assert_int_equal(tmesh_producer_submit(mesh->producer, &task, PATIENCE_MS, &id), TMESH_OK);
    return id;
}

static void a_task_whose_result_nobody_wants_is_done_once_accepted(void **state)
{
    (void)state;
    struct mesh mesh;
    struct ledger ledger = {0};
    mesh_start(&mesh, &echo, 1);
    int tag;
    (void)submit(&mesh, (tmesh_task_t){.deliver = TMESH_DELIVER_NONE});
    tmesh_id_t id = submit(
        &mesh, (tmesh_task_t){.deliver = TMESH_DELIVER_NONE, .report_accepted = true, .tag = &tag});
    assert_int_equal(tmesh_producer_flush(mesh.producer, PATIENCE_MS), TMESH_OK);
    assert_int_equal(tmesh_producer_close(mesh.producer, 0), TMESH_OK);
    assert_int_equal(tmesh_producer_poll(mesh.producer, 0, 0, ledger_note, &ledger), 1);
    const struct told *told = ledger_find(&ledger, &id, TMESH_ACCEPTED);
    assert_non_null(told);
    assert_ptr_equal(told->tag, &tag);
    assert_false(told->has_reason);
    assert_false(told->has_result);
    ledger_clear(&ledger);
    mesh_stop(&mesh);
}

static void acceptance_is_told_before_the_end_if_it_was_asked_for(void **state)
{
    (void)state;
    struct mesh mesh;
    struct ledger ledger = {0};
    mesh_start(&mesh, &echo, 1);
    int tag;
    tmesh_id_t id = submit(
        &mesh, (tmesh_task_t){.deliver = TMESH_DELIVER_POLL, .report_accepted = true, .tag = &tag});
    ledger_await(&ledger, mesh.producer, 2);
    assert_int_equal(ledger.rows[0].kind, TMESH_ACCEPTED);
    assert_int_equal(ledger.rows[1].kind, TMESH_ENDED);
    for (int at = 0; at < 2; at++) {
        assert_memory_equal(&ledger.rows[at].id, &id, sizeof id);
        assert_ptr_equal(ledger.rows[at].tag, &tag);
    }
    ledger_clear(&ledger);
    mesh_stop(&mesh);
}

/* ---- Wait ---- */

static void wait_tells_one_answer_once_to_the_one_who_asks(void **state)
{
    (void)state;
    struct gate gate = {0};
    const tmesh_handler_t handler = {.name = "gate", .handler = handle_gate, .context = &gate};
    struct mesh mesh;
    struct ledger ledger = {0};
    mesh_start(&mesh, &handler, 1);
    int tag;
    tmesh_id_t id = submit(&mesh, (tmesh_task_t){.name = "gate",
                                                 .deliver = TMESH_DELIVER_WAIT,
                                                 .report_accepted = true,
                                                 .tag = &tag});
    tmesh_id_t stranger = tmesh_id_new();
    assert_int_equal(
        tmesh_producer_wait(mesh.producer, &stranger, PATIENCE_MS, ledger_note, &ledger),
        TMESH_E_NOT_FOUND);
    assert_int_equal(tmesh_producer_wait(mesh.producer, &id, 0, ledger_note, &ledger),
                     TMESH_E_TIMEOUT);
    assert_int_equal(tmesh_producer_wait(mesh.producer, &id, 60, ledger_note, &ledger),
                     TMESH_E_TIMEOUT);
    assert_int_equal(ledger.count, 0);
    atomic_store(&gate.open, true);
    assert_int_equal(tmesh_producer_wait(mesh.producer, &id, PATIENCE_MS, ledger_note, &ledger),
                     TMESH_OK);
    assert_int_equal(ledger.count, 1);
    assert_int_equal(ledger.rows[0].kind, TMESH_ENDED);
    assert_ptr_equal(ledger.rows[0].tag, &tag);
    assert_int_equal(tmesh_producer_wait(mesh.producer, &id, PATIENCE_MS, ledger_note, &ledger),
                     TMESH_E_NOT_FOUND);
    assert_int_equal(tmesh_producer_poll(mesh.producer, 0, 0, ledger_note, &ledger), 1);
    assert_int_equal(ledger.rows[1].kind, TMESH_ACCEPTED);
    assert_false(is_readable(&mesh, 0));
    ledger_clear(&ledger);
    mesh_stop(&mesh);
}

static void an_id_that_is_waited_for_is_not_taken_again(void **state)
{
    (void)state;
    struct mesh mesh;
    struct ledger ledger = {0};
    mesh_start(&mesh, &echo, 1);
    const tmesh_task_t task = {.name = "echo", .id = tmesh_id_new(), .deliver = TMESH_DELIVER_WAIT};
    assert_int_equal(tmesh_producer_submit(mesh.producer, &task, 0, NULL), TMESH_OK);
    assert_int_equal(tmesh_producer_submit(mesh.producer, &task, 0, NULL), TMESH_E_INVALID);
    await_ended(&mesh, 1);
    assert_int_equal(tmesh_producer_submit(mesh.producer, &task, 0, NULL), TMESH_E_INVALID);
    assert_int_equal(
        tmesh_producer_wait(mesh.producer, &task.id, PATIENCE_MS, ledger_note, &ledger), TMESH_OK);
    assert_int_equal(tmesh_producer_submit(mesh.producer, &task, 0, NULL), TMESH_OK);
    assert_int_equal(
        tmesh_producer_wait(mesh.producer, &task.id, PATIENCE_MS, ledger_note, &ledger), TMESH_OK);
    ledger_clear(&ledger);
    mesh_stop(&mesh);
}

static void *submit_and_wait(void *context)
{
    tmesh_producer_t *producer = context;
    uintptr_t missed = 0;
    for (int at = 0; at < 50; at++) {
        struct ledger ledger = {0};
        const tmesh_task_t task = {.name = "echo",
                                   .payload = &at,
                                   .payload_bytes = sizeof at,
                                   .deliver = TMESH_DELIVER_WAIT};
        tmesh_id_t id;
        if (tmesh_producer_submit(producer, &task, PATIENCE_MS, &id) != TMESH_OK ||
            tmesh_producer_wait(producer, &id, PATIENCE_MS, ledger_note, &ledger) != TMESH_OK ||
            ledger.rows[0].result_bytes != sizeof at ||
            memcmp(ledger.rows[0].result, &at, sizeof at) != 0) {
            missed++;
        }
        ledger_clear(&ledger);
    }
    return (void *)missed;
}

static void many_threads_wait_each_for_its_own(void **state)
{
    (void)state;
    enum { THREADS = 16 };
    struct mesh mesh;
    pthread_t threads[THREADS];
    mesh_start(&mesh, &echo, 2);
    for (int at = 0; at < THREADS; at++) {
        assert_int_equal(pthread_create(&threads[at], NULL, submit_and_wait, mesh.producer), 0);
    }
    for (int at = 0; at < THREADS; at++) {
        void *missed;
        assert_int_equal(pthread_join(threads[at], &missed), 0);
        assert_null(missed);
    }
    mesh_stop(&mesh);
}

/* Answers that nobody fetches are kept, so they count. */
static void answers_that_nobody_waits_for_fill_the_producer(void **state)
{
    (void)state;
    struct mesh mesh = {0};
    struct ledger ledger = {0};
    mesh_ventilator(&mesh, NULL);
    mesh_worker(&mesh, &(tmesh_worker_options_t){.handlers = &echo, .handler_count = 1});
    mesh_producer(&mesh, &(tmesh_producer_options_t){.outbox_max = 1, .awaited_max = 1});
    tmesh_id_t ids[2];
    for (uint64_t at = 0; at < 2; at++) {
        ids[at] = submit(&mesh, (tmesh_task_t){.deliver = TMESH_DELIVER_WAIT});
        await_ended(&mesh, at + 1);
    }
    const tmesh_task_t task = {.name = "echo", .deliver = TMESH_DELIVER_WAIT};
    assert_int_equal(tmesh_producer_submit(mesh.producer, &task, 0, NULL), TMESH_E_FULL);
    assert_int_equal(tmesh_producer_submit(mesh.producer, &task, 30, NULL), TMESH_E_FULL);
    (void)submit(&mesh, (tmesh_task_t){.deliver = TMESH_DELIVER_POLL});
    assert_int_equal(tmesh_producer_wait(mesh.producer, &ids[0], 0, ledger_note, &ledger),
                     TMESH_OK);
    (void)submit(&mesh, (tmesh_task_t){.deliver = TMESH_DELIVER_WAIT});
    ledger_clear(&ledger);
    mesh_stop(&mesh);
}

/* ---- Limits ---- */

static void awaited_tasks_are_bounded(void **state)
{
    (void)state;
    struct mesh mesh = {0};
    mesh_ventilator(&mesh, NULL);
    mesh_producer(&mesh, &(tmesh_producer_options_t){.outbox_max = 2, .awaited_max = 2});
    for (int at = 0; at < 4; at++) (void)mesh_submit(&mesh, "echo", "");
    assert_int_equal(tmesh_producer_flush(mesh.producer, PATIENCE_MS), TMESH_OK);
    tmesh_producer_counts_t counts;
    tmesh_producer_counts(mesh.producer, &counts);
    assert_int_equal(counts.awaited, 4);
    assert_int_equal(counts.outbox, 0);
    assert_int_equal(counts.ventilators, 1);
    const tmesh_task_t task = {.name = "echo", .deliver = TMESH_DELIVER_POLL};
    assert_int_equal(tmesh_producer_submit(mesh.producer, &task, 0, NULL), TMESH_E_FULL);
    mesh_stop(&mesh);
}

struct finished {
    tmesh_worker_t *worker;
    uint64_t done;
};

static bool has_done(void *context)
{
    const struct finished *finished = context;
    tmesh_worker_counts_t counts;
    tmesh_worker_counts(finished->worker, &counts);
    return counts.done >= finished->done;
}

static void a_crowd_of_answers_slows_down_and_loses_nothing(void **state)
{
    (void)state;
    enum { TASKS = 300, BYTES = 100 * 1000 }; /* far more than is ever under way */
    static char payload[BYTES];
    struct mesh mesh = {0};
    struct ledger ledger = {0};
    mesh_ventilator(&mesh, NULL);
    mesh_producer(&mesh, &(tmesh_producer_options_t){.answers_bytes_max = 1});
    for (int at = 0; at < TASKS; at++) {
        (void)submit(&mesh, (tmesh_task_t){.payload = payload,
                                           .payload_bytes = sizeof payload,
                                           .deliver = TMESH_DELIVER_POLL});
    }
    /* Not before: with a crowd of answers unread no more tasks are taken. */
    mesh_worker(&mesh, &(tmesh_worker_options_t){.handlers = &echo, .handler_count = 1});
    mesh_until(has_done, &(struct finished){.worker = mesh.worker, .done = TASKS});
    tmesh_producer_counts_t counts;
    tmesh_producer_counts(mesh.producer, &counts);
    assert_true(counts.ended < TASKS);
    ledger_await(&ledger, mesh.producer, TASKS);
    for (size_t at = 0; at < TASKS; at++) {
        assert_int_equal(ledger.rows[at].result_bytes, BYTES);
        assert_non_null(ledger_find(&ledger, &ledger.rows[at].id, TMESH_ENDED));
    }
    assert_int_equal(tmesh_producer_close(mesh.producer, 0), TMESH_OK);
    assert_int_equal(tmesh_producer_poll(mesh.producer, 0, 0, ledger_note, &ledger), 0);
    ledger_clear(&ledger);
    mesh_stop(&mesh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(poll_hands_out_at_most_what_was_asked_for),
        cmocka_unit_test(poll_waits_for_the_first_answer_and_no_longer),
        cmocka_unit_test(the_descriptor_is_readable_exactly_while_answers_wait),
        cmocka_unit_test(several_threads_may_poll_and_each_answer_goes_to_one),
        cmocka_unit_test(a_task_whose_result_nobody_wants_is_done_once_accepted),
        cmocka_unit_test(acceptance_is_told_before_the_end_if_it_was_asked_for),
        cmocka_unit_test(wait_tells_one_answer_once_to_the_one_who_asks),
        cmocka_unit_test(an_id_that_is_waited_for_is_not_taken_again),
        cmocka_unit_test(many_threads_wait_each_for_its_own),
        cmocka_unit_test(answers_that_nobody_waits_for_fill_the_producer),
        cmocka_unit_test(awaited_tasks_are_bounded),
        cmocka_unit_test(a_crowd_of_answers_slows_down_and_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
