/* api_dead.c - dead letters as a host program sees and handles them. */
#include "api_mesh.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const tmesh_dead_choice_t all = {.all = true};

/* Fails as long as the context says so. */
static int fail_or_not(tmesh_job_t *job, void *context)
{
    atomic_bool *fails = context;
    tmesh_job_reason(job, "out of order");
    return atomic_load(fails) ? TMESH_PERMANENT : TMESH_DONE;
}

static tmesh_dead_t *list(struct mesh *mesh)
{
    tmesh_dead_t *dead = NULL;
    assert_int_equal(tmesh_producer_dead_list(mesh->producer, &all, PATIENCE_MS, &dead), TMESH_OK);
    assert_non_null(dead);
    return dead;
}

static size_t letters(struct mesh *mesh)
{
    tmesh_dead_t *dead = list(mesh);
    size_t count = dead->letter_count;
    tmesh_dead_destroy(&dead);
    return count;
}

static void a_letter_is_listed_shown_retried_and_ends_well(void **state)
{
    (void)state;
    atomic_bool fails = true;
    const tmesh_handler_t handler = {.name = "work", .handler = fail_or_not, .context = &fails};
    struct mesh mesh;
    struct ledger ledger = {0};
    mesh_start(&mesh, &handler, 1);
    tmesh_id_t id = mesh_submit(&mesh, "work", "the payload");
    ledger_await(&ledger, mesh.producer, 1);
    tmesh_dead_t *dead = list(&mesh);
    assert_int_equal(dead->letter_count, 1);
    const tmesh_letter_t *letter = &dead->letters[0];
    assert_memory_equal(&letter->id, &id, sizeof id);
    assert_string_equal(letter->endpoint, tmesh_ventilator_endpoint(mesh.ventilator));
    assert_string_equal(letter->name, "work");
    assert_string_equal(letter->queue, "default");
    assert_int_equal(letter->state, TMESH_STATE_FAILED);
    assert_string_equal(letter->error, "out of order");
    assert_int_equal(letter->attempt, 1);
    assert_int_equal(letter->payload_bytes, 11);
    tmesh_dead_destroy(&dead);

    assert_int_equal(tmesh_producer_dead_show(mesh.producer, &id, PATIENCE_MS, &dead), TMESH_OK);
    assert_int_equal(dead->letter_count, 1);
    assert_memory_equal(dead->letters[0].payload, "the payload", 11);
    assert_null(dead->letters[0].result); /* only what commands put out when they fail is kept */
    tmesh_dead_destroy(&dead);

    atomic_store(&fails, false);
    const tmesh_id_t ids[] = {id, tmesh_id_new()};
    const tmesh_dead_choice_t both = {.ids = ids, .id_count = 2};
    assert_int_equal(tmesh_producer_dead_retry(mesh.producer, &both, PATIENCE_MS, &dead), TMESH_OK);
    assert_int_equal(dead->affected, 1);
    assert_int_equal(dead->refusal_count, 2);
    assert_null(dead->refusals[0]);
    assert_non_null(dead->refusals[1]);
    tmesh_dead_destroy(&dead);
    /* Whoever submits it again hears how it ended at last. */
    tmesh_task_t again = {.name = "work", .id = id, .deliver = TMESH_DELIVER_POLL};
    assert_int_equal(tmesh_producer_submit(mesh.producer, &again, 0, NULL), TMESH_OK);
    ledger_await(&ledger, mesh.producer, 2);
    assert_int_equal(ledger.rows[1].kind, TMESH_ENDED);
    assert_int_equal(ledger.rows[1].state, TMESH_STATE_DONE);
    assert_int_equal(ledger.rows[1].attempt, 2);
    assert_int_equal(letters(&mesh), 0);
    ledger_clear(&ledger);
    mesh_stop(&mesh);
}

static void a_letter_may_be_as_large_as_a_message(void **state)
{
    (void)state;
    static char payload[TMESH_PAYLOAD_BYTES_MAX];
    const char *const argv[] = {"sh", "-c", "cat; exit 65", NULL};
    const tmesh_command_t command = {.name = "work", .argv = argv};
    struct mesh mesh = {0};
    struct ledger ledger = {0};
    mesh_ventilator(&mesh, NULL);
    mesh_worker(&mesh, &(tmesh_worker_options_t){.commands = &command, .command_count = 1});
    mesh_producer(&mesh, NULL);
    for (size_t at = 0; at < sizeof payload; at++) payload[at] = (char)(at / 251);
    tmesh_id_t id;
    tmesh_task_t task = {.name = "work",
                         .payload = payload,
                         .payload_bytes = sizeof payload,
                         .deliver = TMESH_DELIVER_POLL};
    assert_int_equal(tmesh_producer_submit(mesh.producer, &task, 0, &id), TMESH_OK);
    ledger_await(&ledger, mesh.producer, 1);
    tmesh_dead_t *dead;
    assert_int_equal(tmesh_producer_dead_show(mesh.producer, &id, PATIENCE_MS, &dead), TMESH_OK);
    assert_int_equal(dead->letters[0].payload_bytes, sizeof payload);
    assert_memory_equal(dead->letters[0].payload, payload, sizeof payload);
    assert_int_equal(dead->letters[0].result_bytes, sizeof payload);
    assert_memory_equal(dead->letters[0].result, payload, sizeof payload);
    tmesh_dead_destroy(&dead);
    ledger_clear(&ledger);
    mesh_stop(&mesh);
}

static void all_letters_of_a_name_are_retried_or_dropped(void **state)
{
    (void)state;
    enum { EACH = 400 }; /* more than one question can change */
    atomic_bool fails = true;
    const tmesh_handler_t handlers[] = {{.name = "one", .handler = fail_or_not, .context = &fails},
                                        {.name = "two", .handler = fail_or_not, .context = &fails}};
    struct mesh mesh = {0};
    struct ledger ledger = {0};
    mesh_ventilator(&mesh, NULL);
    mesh_worker(&mesh,
                &(tmesh_worker_options_t){.slots = 2, .handlers = handlers, .handler_count = 2});
    mesh_producer(&mesh, NULL);
    for (int at = 0; at < EACH; at++) {
        (void)mesh_submit(&mesh, "one", "");
        (void)mesh_submit(&mesh, "two", "");
    }
    ledger_await(&ledger, mesh.producer, 2 * EACH);
    assert_int_equal(letters(&mesh), 2 * EACH);
    const tmesh_dead_choice_t ones = {.all = true, .name = "one"};
    tmesh_dead_t *dead;
    assert_int_equal(tmesh_producer_dead_drop(mesh.producer, &ones, PATIENCE_MS, &dead), TMESH_OK);
    assert_int_equal(dead->affected, EACH);
    tmesh_dead_destroy(&dead);
    assert_int_equal(letters(&mesh), EACH);
    /* They fail again while others are still being retried; none is retried twice. */
    assert_int_equal(tmesh_producer_dead_retry(mesh.producer, &all, PATIENCE_MS, &dead), TMESH_OK);
    assert_int_equal(dead->affected, EACH);
    tmesh_dead_destroy(&dead);
    while (letters(&mesh) < EACH) {
    }
    tmesh_status_t *status;
    assert_int_equal(tmesh_producer_status(mesh.producer, PATIENCE_MS, &status), TMESH_OK);
    assert_int_equal(status->ventilators[0].failed, 3 * EACH);
    tmesh_status_destroy(&status);
    ledger_clear(&ledger);
    mesh_stop(&mesh);
}

static void a_wrong_choice_is_refused(void **state)
{
    (void)state;
    struct mesh mesh = {0};
    mesh_ventilator(&mesh, NULL);
    mesh_producer(&mesh, NULL);
    const tmesh_id_t id = tmesh_id_new();
    const tmesh_dead_choice_t wrong[] = {
        {0},
        {.all = true, .ids = &id, .id_count = 1},
        {.ids = &id, .id_count = 0},
        {.ids = &id, .id_count = TMESH_DEAD_IDS_MAX + 1},
        {.ids = &id, .id_count = 1, .queue = "q"},
        {.all = true, .queue = "Q U"},
        {.all = true, .name = ""},
    };
    for (size_t at = 0; at < sizeof wrong / sizeof wrong[0]; at++) {
        tmesh_dead_t *dead = (tmesh_dead_t *)(uintptr_t)1;
        assert_int_equal(tmesh_producer_dead_retry(mesh.producer, &wrong[at], 0, &dead),
                         TMESH_E_INVALID);
        assert_null(dead);
        assert_int_equal(tmesh_producer_dead_drop(mesh.producer, &wrong[at], 0, &dead),
                         TMESH_E_INVALID);
    }
    const tmesh_dead_choice_t one = {.ids = &id, .id_count = 1};
    tmesh_dead_t *dead;
    assert_int_equal(tmesh_producer_dead_list(mesh.producer, &one, 0, &dead), TMESH_E_INVALID);
    assert_int_equal(tmesh_producer_dead_show(mesh.producer, &id, PATIENCE_MS, &dead), TMESH_OK);
    assert_int_equal(dead->letter_count, 0);
    tmesh_dead_destroy(&dead);
    mesh_stop(&mesh);
}

static void a_ventilator_that_is_not_there_has_a_row_that_says_so(void **state)
{
    (void)state;
    atomic_bool fails = true;
    const tmesh_handler_t handler = {.name = "work", .handler = fail_or_not, .context = &fails};
    struct mesh mesh = {0};
    struct ledger ledger = {0};
    char connect[512];
    mesh_ventilator(&mesh, NULL);
    mesh_worker(&mesh, &(tmesh_worker_options_t){.handlers = &handler, .handler_count = 1});
    (void)snprintf(connect, sizeof connect, "%s,ipc:///tmp/tmesh-nobody-is-here",
                   tmesh_ventilator_endpoint(mesh.ventilator));
    mesh_producer(&mesh, &(tmesh_producer_options_t){.connect = connect});
    tmesh_id_t id = mesh_submit(&mesh, "work", "");
    ledger_await(&ledger, mesh.producer, 1);
    const tmesh_dead_choice_t one = {.ids = &id, .id_count = 1};
    bool answered = false;
    for (uint32_t timeout_ms = 50; !answered && timeout_ms < PATIENCE_MS; timeout_ms *= 2) {
        tmesh_dead_t *dead;
        assert_int_equal(tmesh_producer_dead_list(mesh.producer, &all, timeout_ms, &dead),
                         TMESH_E_TIMEOUT);
        answered = dead->ventilators[0].answered;
        if (answered) assert_int_equal(dead->letter_count, 1);
        assert_false(dead->ventilators[1].answered);
        tmesh_dead_destroy(&dead);
    }
    assert_true(answered);
    tmesh_dead_t *dead;
    assert_int_equal(tmesh_producer_dead_drop(mesh.producer, &one, 1000, &dead), TMESH_E_TIMEOUT);
    tmesh_dead_destroy(&dead); /* what was asked of the other one happens, sooner or later */
    for (bool gone = false; !gone;) {
        assert_int_equal(tmesh_producer_dead_list(mesh.producer, &all, 200, &dead),
                         TMESH_E_TIMEOUT);
        gone = dead->ventilators[0].answered && dead->letter_count == 0;
        tmesh_dead_destroy(&dead);
    }
    ledger_clear(&ledger);
    mesh_stop(&mesh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_letter_is_listed_shown_retried_and_ends_well),
        cmocka_unit_test(a_letter_may_be_as_large_as_a_message),
        cmocka_unit_test(all_letters_of_a_name_are_retried_or_dropped),
        cmocka_unit_test(a_wrong_choice_is_refused),
        cmocka_unit_test(a_ventilator_that_is_not_there_has_a_row_that_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
