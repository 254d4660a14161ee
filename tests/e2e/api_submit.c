/* api_submit.c - handing tasks over: from many threads, again, too many, too
 * large, too late, and from inside an answer. */
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

/* ---- Many threads ---- */

enum { THREADS = 8, TASKS_EACH = 10000, TASKS = THREADS * TASKS_EACH };

struct crowd {
    tmesh_producer_t *producer;
    atomic_uint next;      /* thread */
    atomic_uint refused;   /* submissions */
    uint8_t told[TASKS];   /* by the task's number */
    unsigned wrong, total; /* answers */
};

static void *submit_many(void *context)
{
    struct crowd *crowd = context;
    uint32_t first = atomic_fetch_add(&crowd->next, 1) * TASKS_EACH;
    for (uint32_t number = first; number < first + TASKS_EACH; number++) {
        tmesh_task_t task = {.name = "echo",
                             .payload = &number,
                             .payload_bytes = sizeof number,
                             .deliver = TMESH_DELIVER_POLL,
                             .tag = &crowd->told[number]};
        if (tmesh_producer_submit(crowd->producer, &task, PATIENCE_MS, NULL) != TMESH_OK) {
            atomic_fetch_add(&crowd->refused, 1);
        }
    }
    return NULL;
}

static void count_answer(const tmesh_answer_t *answer, void *context)
{
    struct crowd *crowd = context;
    uint8_t *told = answer->tag;
    uint32_t number = (uint32_t)(told - crowd->told);
    crowd->total++;
    ++*told;
    if (answer->kind != TMESH_ENDED || answer->state != TMESH_STATE_DONE ||
        answer->reason != NULL || answer->result_bytes != sizeof number ||
        memcmp(answer->result, &number, sizeof number) != 0) {
        crowd->wrong++;
    }
}

static void eight_threads_submit_at_once_and_every_answer_comes_once(void **state)
{
    (void)state;
    struct mesh mesh;
    pthread_t threads[THREADS];
    struct crowd *crowd = calloc(1, sizeof *crowd);
    assert_non_null(crowd);
    mesh_start(&mesh, &echo, 2);
    crowd->producer = mesh.producer;
    for (int at = 0; at < THREADS; at++) {
        assert_int_equal(pthread_create(&threads[at], NULL, submit_many, crowd), 0);
    }
    uint64_t until_ms = mesh_now_ms() + PATIENCE_MS;
    while (crowd->total < TASKS && mesh_now_ms() < until_ms) {
        (void)tmesh_producer_poll(mesh.producer, 100, 0, count_answer, crowd);
    }
    for (int at = 0; at < THREADS; at++) assert_int_equal(pthread_join(threads[at], NULL), 0);
    assert_int_equal(tmesh_producer_close(mesh.producer, PATIENCE_MS), TMESH_OK);
    (void)tmesh_producer_poll(mesh.producer, 0, 0, count_answer, crowd);
    assert_int_equal(crowd->refused, 0);
    assert_int_equal(crowd->wrong, 0);
    assert_int_equal(crowd->total, TASKS);
    for (int at = 0; at < TASKS; at++) assert_int_equal(crowd->told[at], 1);
    tmesh_producer_counts_t counts;
    tmesh_producer_counts(mesh.producer, &counts);
    assert_int_equal(counts.submitted, TASKS);
    assert_int_equal(counts.accepted, TASKS);
    assert_int_equal(counts.ended, TASKS);
    assert_int_equal(counts.unknown + counts.rejected + counts.outbox + counts.awaited, 0);
    mesh_stop(&mesh);
    free(crowd);
}

/* ---- A full outbox ---- */

static tmesh_producer_t *producer_to_nowhere(tmesh_producer_options_t options)
{
    tmesh_error_t error;
    options.connect = "ipc:///tmp/tmesh-nobody-is-here";
    tmesh_producer_t *producer = tmesh_producer_new(&options, &error);
    if (producer == NULL) fail_msg("%s", error.text);
    return producer;
}

static void a_full_outbox_refuses_at_once_or_after_the_time_given(void **state)
{
    (void)state;
    tmesh_producer_t *producer = producer_to_nowhere((tmesh_producer_options_t){.outbox_max = 3});
    const tmesh_task_t task = {.name = "echo"};
    tmesh_id_t id = {{0}};
    static const tmesh_id_t none;
    for (int at = 0; at < 3; at++) {
        assert_int_equal(tmesh_producer_submit(producer, &task, 0, NULL), TMESH_OK);
    }
    assert_int_equal(tmesh_producer_submit(producer, &task, 0, &id), TMESH_E_FULL);
    assert_memory_not_equal(&id, &none, sizeof id);
    uint64_t before_ms = mesh_now_ms();
    assert_int_equal(tmesh_producer_submit(producer, &task, 150, NULL), TMESH_E_FULL);
    assert_true(mesh_now_ms() - before_ms >= 149);
    tmesh_producer_counts_t counts;
    tmesh_producer_counts(producer, &counts);
    assert_int_equal(counts.submitted, 3);
    assert_int_equal(counts.outbox, 3);
    tmesh_producer_destroy(&producer);
}

static void the_outbox_is_full_by_bytes_too_but_one_task_always_fits(void **state)
{
    (void)state;
    tmesh_producer_t *producer =
        producer_to_nowhere((tmesh_producer_options_t){.outbox_bytes_max = 1000});
    static const char payload[5000];
    tmesh_task_t task = {.name = "echo", .payload = payload, .payload_bytes = sizeof payload};
    assert_int_equal(tmesh_producer_submit(producer, &task, 0, NULL), TMESH_OK);
    task.payload_bytes = 1;
    assert_int_equal(tmesh_producer_submit(producer, &task, 0, NULL), TMESH_E_FULL);
    tmesh_producer_destroy(&producer);
}

struct waiter {
    tmesh_producer_t *producer;
    atomic_int result;
};

static void *submit_one(void *context)
{
    struct waiter *waiter = context;
    const tmesh_task_t task = {.name = "echo"};
    atomic_store(&waiter->result,
                 tmesh_producer_submit(waiter->producer, &task, PATIENCE_MS, NULL));
    return NULL;
}

static void whoever_waits_for_room_goes_on_when_a_ventilator_comes(void **state)
{
    (void)state;
    char folder[] = "/tmp/tmesh-api-XXXXXX", endpoint[64];
    assert_non_null(mkdtemp(folder));
    (void)snprintf(endpoint, sizeof endpoint, "ipc://%s/front", folder);
    tmesh_error_t error;
    struct mesh mesh = {0};
    mesh.producer = tmesh_producer_new(
        &(tmesh_producer_options_t){.connect = endpoint, .outbox_max = 1}, &error);
    assert_non_null(mesh.producer);
    assert_int_equal(tmesh_producer_submit(mesh.producer, &(tmesh_task_t){.name = "echo"}, 0, NULL),
                     TMESH_OK);
    struct waiter waiter = {.producer = mesh.producer, .result = 1};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, submit_one, &waiter), 0);
    mesh_ventilator(&mesh, &(tmesh_ventilator_options_t){.bind = endpoint});
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(waiter.result, TMESH_OK);
    assert_int_equal(tmesh_producer_flush(mesh.producer, PATIENCE_MS), TMESH_OK);
    mesh_stop(&mesh);
    (void)remove(folder);
}

static void whoever_waits_for_room_is_told_when_the_producer_closes(void **state)
{
    (void)state;
    struct waiter waiter = {
        .producer = producer_to_nowhere((tmesh_producer_options_t){.outbox_max = 1}), .result = 1};
    const tmesh_task_t task = {.name = "echo"};
    assert_int_equal(tmesh_producer_submit(waiter.producer, &task, 0, NULL), TMESH_OK);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, submit_one, &waiter), 0);
    assert_int_equal(tmesh_producer_close(waiter.producer, 50), TMESH_E_TIMEOUT);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(waiter.result, TMESH_E_CLOSED);
    tmesh_producer_destroy(&waiter.producer);
}

/* ---- What is refused ---- */

static void a_task_that_breaks_a_rule_is_not_taken(void **state)
{
    (void)state;
    tmesh_producer_t *producer = producer_to_nowhere((tmesh_producer_options_t){0});
    static const char too_long[] = "12345678901234567890123456789012345678901234567890"
                                   "123456789012345";
    static const char *const bad[] = {"", "Upper", "a b", "a/b", "ä", "a\n", too_long};
    for (size_t at = 0; at < sizeof bad / sizeof *bad; at++) {
        const tmesh_task_t name = {.name = bad[at]}, queue = {.name = "echo", .queue = bad[at]};
        assert_int_equal(tmesh_producer_submit(producer, &name, 0, NULL), TMESH_E_INVALID);
        assert_int_equal(tmesh_producer_submit(producer, &queue, 0, NULL), TMESH_E_INVALID);
    }
    const tmesh_task_t nameless = {.name = NULL}, nothing = {.name = "echo", .payload_bytes = 4};
    assert_int_equal(tmesh_producer_submit(producer, &nameless, 0, NULL), TMESH_E_INVALID);
    assert_int_equal(tmesh_producer_submit(producer, &nothing, 0, NULL), TMESH_E_INVALID);

    char *large = calloc(1, TMESH_PAYLOAD_BYTES_MAX + 1);
    assert_non_null(large);
    tmesh_task_t task = {
        .name = "echo", .payload = large, .payload_bytes = TMESH_PAYLOAD_BYTES_MAX + 1};
    assert_int_equal(tmesh_producer_submit(producer, &task, 0, NULL), TMESH_E_TOO_BIG);
    task.payload_bytes = SIZE_MAX;
    assert_int_equal(tmesh_producer_submit(producer, &task, 0, NULL), TMESH_E_TOO_BIG);
    free(large);

    tmesh_producer_counts_t counts;
    tmesh_producer_counts(producer, &counts);
    assert_int_equal(counts.submitted, 0);
    assert_int_equal(tmesh_producer_close(producer, 0), TMESH_OK);
    tmesh_id_t id = {{0}};
    static const tmesh_id_t none;
    assert_int_equal(tmesh_producer_submit(producer, &(tmesh_task_t){.name = "echo"}, 0, &id),
                     TMESH_E_CLOSED);
    assert_memory_not_equal(&id, &none, sizeof id);
    tmesh_producer_destroy(&producer);
}

static void what_a_ventilator_will_not_take_is_rejected_with_its_reason(void **state)
{
    (void)state;
    struct mesh mesh = {0};
    struct ledger ledger = {0};
    mesh_ventilator(&mesh, &(tmesh_ventilator_options_t){.payload_bytes_max = 10});
    mesh_producer(&mesh, NULL);
    int tag;
    tmesh_task_t task = {
        .name = "echo", .payload = "12345678901", .payload_bytes = 11, .tag = &tag};
    tmesh_id_t id;
    assert_int_equal(tmesh_producer_submit(mesh.producer, &task, 0, &id), TMESH_OK);
    ledger_await(&ledger, mesh.producer, 1);
    const struct told *told = ledger_find(&ledger, &id, TMESH_REJECTED);
    assert_non_null(told);
    assert_ptr_equal(told->tag, &tag);
    assert_string_equal(told->reason, "the payload is larger than the ventilator allows");
    tmesh_producer_counts_t counts;
    tmesh_producer_counts(mesh.producer, &counts);
    assert_int_equal(counts.rejected, 1);
    assert_int_equal(counts.outbox, 0);
    assert_int_equal(tmesh_producer_close(mesh.producer, 0), TMESH_OK);
    assert_int_equal(tmesh_producer_poll(mesh.producer, 0, 0, ledger_note, &ledger), 0);
    ledger_clear(&ledger);
    mesh_stop(&mesh);
}

/* ---- Ids ---- */

static void an_id_in_the_producer_already_is_rejected_and_the_first_goes_on(void **state)
{
    (void)state;
    struct gate gate = {0};
    const tmesh_handler_t handler = {.name = "gate", .handler = handle_gate, .context = &gate};
    struct mesh mesh;
    struct ledger ledger = {0};
    mesh_start(&mesh, &handler, 1);
    int first, second;
    tmesh_task_t task = {
        .name = "gate", .id = tmesh_id_new(), .deliver = TMESH_DELIVER_POLL, .tag = &first};
    tmesh_id_t id;
    assert_int_equal(tmesh_producer_submit(mesh.producer, &task, 0, &id), TMESH_OK);
    assert_memory_equal(&id, &task.id, sizeof id);
    gate_await(&gate, 1);
    task.tag = &second;
    assert_int_equal(tmesh_producer_submit(mesh.producer, &task, 0, NULL), TMESH_OK);
    ledger_await(&ledger, mesh.producer, 1);
    const struct told *rejected = ledger_find(&ledger, &id, TMESH_REJECTED);
    assert_non_null(rejected);
    assert_ptr_equal(rejected->tag, &second);
    assert_string_equal(rejected->reason, "a task with this id is in this producer already");
    atomic_store(&gate.open, true);
    ledger_await(&ledger, mesh.producer, 2);
    assert_ptr_equal(ledger_find(&ledger, &id, TMESH_ENDED)->tag, &first);
    assert_int_equal(atomic_load(&gate.entered), 1);
    ledger_clear(&ledger);
    mesh_stop(&mesh);
}

static void a_task_known_to_its_ventilator_is_the_same_task(void **state)
{
    (void)state;
    struct gate gate = {0};
    const tmesh_handler_t handler = {.name = "gate", .handler = handle_gate, .context = &gate};
    struct mesh mesh, other = {0};
    struct ledger ledger = {0};
    mesh_start(&mesh, &handler, 2);
    other.ventilator = mesh.ventilator;
    mesh_producer(&other, NULL);
    const tmesh_task_t task = {.name = "gate",
                               .id = tmesh_id_new(),
                               .deliver = TMESH_DELIVER_POLL,
                               .report_accepted = true};
    assert_int_equal(tmesh_producer_submit(mesh.producer, &task, 0, NULL), TMESH_OK);
    gate_await(&gate, 1);
    assert_int_equal(tmesh_producer_submit(other.producer, &task, 0, NULL), TMESH_OK);
    ledger_await(&ledger, other.producer, 1);
    assert_non_null(ledger_find(&ledger, &task.id, TMESH_ACCEPTED));
    atomic_store(&gate.open, true);
    ledger_await(&ledger, other.producer, 2); /* whoever asked last gets the result */
    assert_int_equal(ledger_find(&ledger, &task.id, TMESH_ENDED)->state, TMESH_STATE_DONE);
    assert_int_equal(atomic_load(&gate.entered), 1);
    ledger_clear(&ledger);
    tmesh_producer_destroy(&other.producer);
    mesh_stop(&mesh);
}

static void the_same_id_after_the_end_does_not_run_again(void **state)
{
    (void)state;
    struct gate gate = {.open = true};
    const tmesh_handler_t handler = {.name = "gate", .handler = handle_gate, .context = &gate};
    struct mesh mesh;
    struct ledger ledger = {0};
    mesh_start(&mesh, &handler, 1);
    const tmesh_task_t task = {.name = "gate", .id = tmesh_id_new(), .deliver = TMESH_DELIVER_POLL};
    for (size_t times = 1; times <= 200; times++) {
        assert_int_equal(tmesh_producer_submit(mesh.producer, &task, 0, NULL), TMESH_OK);
        ledger_await(&ledger, mesh.producer, times);
        const struct told *told = &ledger.rows[times - 1];
        assert_int_equal(told->kind, TMESH_ENDED);
        assert_int_equal(told->state, TMESH_STATE_DONE);
        assert_int_equal(told->attempt, 1);
        if (told->has_reason) {
            assert_true(times > 1);
            assert_string_equal(told->reason, "it ended before, and its result is no longer kept");
        }
    }
    assert_int_equal(atomic_load(&gate.entered), 1);
    ledger_clear(&ledger);
    mesh_stop(&mesh);
}

struct echo_again {
    tmesh_producer_t *producer;
    tmesh_id_t id;
    struct ledger *ledger;
    enum tmesh_err result;
};

static void submit_again(const tmesh_answer_t *answer, void *context)
{
    struct echo_again *again = context;
    ledger_note(answer, again->ledger);
    if (memcmp(&answer->id, &again->id, sizeof again->id) != 0) return;
    const tmesh_task_t task = {.name = "echo", .id = again->id, .deliver = TMESH_DELIVER_POLL};
    again->result = tmesh_producer_submit(again->producer, &task, 0, NULL);
}

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

/* The ventilator does not know yet that the first answer arrived: with answers
 * that nobody fetched, the producer holds its receipts back. */
static void the_same_id_right_after_its_answer_is_answered_too(void **state)
{
    (void)state;
    struct mesh mesh = {0};
    struct ledger ledger = {0};
    mesh_ventilator(&mesh, NULL);
    mesh_worker(&mesh, &(tmesh_worker_options_t){.handlers = &echo, .handler_count = 1});
    mesh_producer(&mesh, &(tmesh_producer_options_t){.answers_bytes_max = 1});
    (void)mesh_submit(&mesh, "echo", "");
    mesh_until(has_ended, &(struct target){.producer = mesh.producer, .ended = 1});
    struct echo_again again = {.producer = mesh.producer,
                               .id = mesh_submit(&mesh, "echo", ""),
                               .ledger = &ledger,
                               .result = TMESH_E_INVALID};
    mesh_until(has_ended, &(struct target){.producer = mesh.producer, .ended = 2});
    assert_int_equal(tmesh_producer_poll(mesh.producer, 0, 0, submit_again, &again), 2);
    assert_int_equal(again.result, TMESH_OK);
    ledger_await(&ledger, mesh.producer, 3);
    assert_int_equal(ledger.rows[2].kind, TMESH_ENDED);
    assert_int_equal(ledger.rows[2].state, TMESH_STATE_DONE);
    assert_memory_equal(&ledger.rows[2].id, &again.id, sizeof again.id);
    assert_int_equal(tmesh_producer_close(mesh.producer, 0), TMESH_OK);
    assert_int_equal(tmesh_producer_poll(mesh.producer, 0, 0, ledger_note, &ledger), 0);
    ledger_clear(&ledger);
    mesh_stop(&mesh);
}

/* ---- From inside an answer ---- */

struct chain {
    struct mesh *mesh;
    unsigned answers, refused;
};

enum { CHAIN_LENGTH = 200 };

static void submit_next(const tmesh_answer_t *answer, void *context)
{
    struct chain *chain = context;
    (void)answer;
    if (++chain->answers >= CHAIN_LENGTH) return;
    const tmesh_task_t task = {.name = "echo", .deliver = TMESH_DELIVER_POLL};
    if (tmesh_producer_submit(chain->mesh->producer, &task, 0, NULL) != TMESH_OK) chain->refused++;
}

static void an_answer_may_submit_the_next_task(void **state)
{
    (void)state;
    struct mesh mesh;
    mesh_start(&mesh, &echo, 1);
    struct chain chain = {.mesh = &mesh};
    (void)mesh_submit(&mesh, "echo", "");
    uint64_t until_ms = mesh_now_ms() + PATIENCE_MS;
    while (chain.answers < CHAIN_LENGTH && mesh_now_ms() < until_ms) {
        (void)tmesh_producer_poll(mesh.producer, 100, 0, submit_next, &chain);
    }
    assert_int_equal(chain.refused, 0);
    assert_int_equal(chain.answers, CHAIN_LENGTH);
    mesh_stop(&mesh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(eight_threads_submit_at_once_and_every_answer_comes_once),
        cmocka_unit_test(a_full_outbox_refuses_at_once_or_after_the_time_given),
        cmocka_unit_test(the_outbox_is_full_by_bytes_too_but_one_task_always_fits),
        cmocka_unit_test(whoever_waits_for_room_goes_on_when_a_ventilator_comes),
        cmocka_unit_test(whoever_waits_for_room_is_told_when_the_producer_closes),
        cmocka_unit_test(a_task_that_breaks_a_rule_is_not_taken),
        cmocka_unit_test(what_a_ventilator_will_not_take_is_rejected_with_its_reason),
        cmocka_unit_test(an_id_in_the_producer_already_is_rejected_and_the_first_goes_on),
        cmocka_unit_test(a_task_known_to_its_ventilator_is_the_same_task),
        cmocka_unit_test(the_same_id_after_the_end_does_not_run_again),
        cmocka_unit_test(the_same_id_right_after_its_answer_is_answered_too),
        cmocka_unit_test(an_answer_may_submit_the_next_task),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
