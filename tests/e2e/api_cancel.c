/* api_cancel.c - tasks that a host program cancels, wherever they are by then.
 *
 * Not here: runs that are stopped (cancel.sh), and meshes that lose messages and
 * ventilators (tests/scenario/producer_cancel.c).
 */
#include "api_mesh.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char nowhere[] = "ipc:///tmp/tmesh-nobody-is-here";

static tmesh_id_t submit(tmesh_producer_t *producer, const char *name, enum tmesh_deliver deliver)
{
    tmesh_id_t id;
    const tmesh_task_t task = {.name = name, .deliver = deliver};
    assert_int_equal(tmesh_producer_submit(producer, &task, PATIENCE_MS, &id), TMESH_OK);
    return id;
}

static tmesh_cancel_t *cancel_all(tmesh_producer_t *producer, const tmesh_id_t *ids, size_t count,
                                  uint32_t timeout_ms, enum tmesh_err expected)
{
    tmesh_cancel_t *cancel = NULL;
    assert_int_equal(tmesh_producer_cancel(producer, ids, count, timeout_ms, &cancel), expected);
    assert_non_null(cancel);
    assert_int_equal(cancel->row_count, count);
    return cancel;
}

static enum tmesh_cancel_outcome cancel_one(struct mesh *mesh, const tmesh_id_t *id)
{
    tmesh_cancel_t *cancel = cancel_all(mesh->producer, id, 1, PATIENCE_MS, TMESH_OK);
    enum tmesh_cancel_outcome outcome = cancel->rows[0].outcome;
    assert_true((outcome == TMESH_CANCEL_DONE) == (cancel->rows[0].reason == NULL));
    tmesh_cancel_destroy(&cancel);
    return outcome;
}

static void expect_cancelled(const struct ledger *ledger, const tmesh_id_t *id)
{
    const struct told *told = ledger_find(ledger, id, TMESH_ENDED);
    assert_non_null(told);
    assert_int_equal(told->state, TMESH_STATE_CANCELLED);
    assert_string_equal(told->reason, "it was cancelled");
}

static void what_was_not_handed_over_ends_at_once(void **state)
{
    (void)state;
    struct ledger ledger = {0};
    tmesh_producer_t *producer =
        tmesh_producer_new(&(tmesh_producer_options_t){.connect = nowhere}, NULL);
    assert_non_null(producer);
    const tmesh_id_t ids[] = {submit(producer, "work", TMESH_DELIVER_POLL),
                              submit(producer, "work", TMESH_DELIVER_NONE),
                              submit(producer, "work", TMESH_DELIVER_WAIT), tmesh_id_new()};
    const tmesh_id_t stays = submit(producer, "work", TMESH_DELIVER_POLL);
    tmesh_cancel_t *cancel = cancel_all(producer, ids, 4, 0, TMESH_E_TIMEOUT);
    assert_int_equal(cancel->done, 3);
    for (int at = 0; at < 3; at++) {
        assert_int_equal(cancel->rows[at].outcome, TMESH_CANCEL_DONE);
        assert_null(cancel->rows[at].endpoint);
    }
    assert_int_equal(cancel->rows[3].outcome, TMESH_CANCEL_UNKNOWN);
    assert_false(cancel->ventilators[0].answered);
    tmesh_cancel_destroy(&cancel);
    ledger_await(&ledger, producer, 2);
    assert_int_equal(tmesh_producer_wait(producer, &ids[2], PATIENCE_MS, ledger_note, &ledger),
                     TMESH_OK);
    for (int at = 0; at < 3; at++) expect_cancelled(&ledger, &ids[at]);
    tmesh_producer_counts_t counts;
    do tmesh_producer_counts(producer, &counts);
    while (counts.outbox != 1);
    assert_int_equal(tmesh_producer_close(producer, 0), TMESH_E_TIMEOUT);
    ledger_await(&ledger, producer, 4);
    assert_non_null(ledger_find(&ledger, &stays, TMESH_UNKNOWN));
    ledger_clear(&ledger);
    tmesh_producer_destroy(&producer);
}

static void what_waits_for_a_worker_never_runs(void **state)
{
    (void)state;
    struct gate gate = {.open = true};
    const tmesh_handler_t handlers[] = {{.name = "work", .handler = handle_gate, .context = &gate},
                                        {.name = "echo", .handler = handle_echo}};
    struct mesh mesh = {0};
    struct ledger ledger = {0};
    mesh_ventilator(&mesh, NULL);
    mesh_producer(&mesh, NULL);
    const tmesh_id_t id = mesh_submit(&mesh, "work", "");
    tmesh_cancel_t *cancel = cancel_all(mesh.producer, &id, 1, PATIENCE_MS, TMESH_OK);
    assert_int_equal(cancel->rows[0].outcome, TMESH_CANCEL_DONE);
    assert_int_equal(cancel->done, 1);
    tmesh_cancel_destroy(&cancel);
    ledger_await(&ledger, mesh.producer, 1);
    expect_cancelled(&ledger, &id);
    assert_int_equal(cancel_one(&mesh, &id), TMESH_CANCEL_DONE); /* once more is the same */
    mesh_worker(&mesh,
                &(tmesh_worker_options_t){.slots = 1, .handlers = handlers, .handler_count = 2});
    const tmesh_id_t other = mesh_submit(&mesh, "echo", "x");
    ledger_await(&ledger, mesh.producer, 2);
    assert_int_equal(atomic_load(&gate.entered), 0);
    assert_int_equal(cancel_one(&mesh, &other), TMESH_CANCEL_TOO_LATE);
    const tmesh_id_t nobody = tmesh_id_new();
    assert_int_equal(cancel_one(&mesh, &nobody), TMESH_CANCEL_NO_TASK);
    ledger_clear(&ledger);
    mesh_stop(&mesh);
}

/* Some are in the outbox, some are on their way, some have arrived. */
static void what_is_on_its_way_is_found_wherever_it_is(void **state)
{
    (void)state;
    enum { TASKS = 3000, ROUNDS = 5 };
    static tmesh_id_t ids[TASKS];
    struct gate gate = {.open = true};
    const tmesh_handler_t handlers[] = {{.name = "work", .handler = handle_gate, .context = &gate},
                                        {.name = "echo", .handler = handle_echo}};
    struct mesh mesh = {0};
    struct ledger ledger = {0};
    tmesh_producer_counts_t counts;
    mesh_ventilator(&mesh, NULL);
    mesh_producer(&mesh, NULL);
    for (int round = 0; round < ROUNDS; round++) {
        for (int at = 0; at < TASKS; at++) {
            bool wanted = at % 2 == 0;
            ids[at] =
                submit(mesh.producer, "work", wanted ? TMESH_DELIVER_POLL : TMESH_DELIVER_NONE);
        }
        tmesh_cancel_t *cancel = cancel_all(mesh.producer, ids, TASKS, PATIENCE_MS, TMESH_OK);
        assert_int_equal(cancel->done, TASKS);
        tmesh_cancel_destroy(&cancel);
        tmesh_producer_counts(mesh.producer, &counts);
        assert_int_equal(counts.outbox, 0); /* nothing arrives behind the answer */
    }
    mesh_worker(&mesh,
                &(tmesh_worker_options_t){.slots = 1, .handlers = handlers, .handler_count = 2});
    const tmesh_id_t last = mesh_submit(&mesh, "echo", "x");
    while (ledger_find(&ledger, &last, TMESH_ENDED) == NULL) {
        (void)tmesh_producer_poll(mesh.producer, 100, 0, ledger_note, &ledger);
    }
    assert_int_equal(atomic_load(&gate.entered), 0);
    do tmesh_producer_counts(mesh.producer, &counts);
    while (counts.outbox + counts.awaited > 0);
    ledger_clear(&ledger);
    mesh_stop(&mesh);
}

/* ---- With a spool ---- */

struct place {
    char folder[32], spool[64];
};

static tmesh_producer_t *open_spool(const struct place *place, uint32_t outbox_max)
{
    const tmesh_producer_options_t options = {
        .connect = nowhere, .spool = place->spool, .outbox_max = outbox_max, .awaited_max = 1};
    tmesh_producer_t *producer = tmesh_producer_new(&options, NULL);
    assert_non_null(producer);
    return producer;
}

static void clear_place(const struct place *place)
{
    DIR *open = opendir(place->spool);
    assert_non_null(open);
    for (struct dirent *entry = readdir(open); entry != NULL; entry = readdir(open)) {
        (void)unlinkat(dirfd(open), entry->d_name, 0);
    }
    (void)closedir(open);
    assert_int_equal(rmdir(place->spool), 0);
    assert_int_equal(rmdir(place->folder), 0);
}

static void a_cancelled_task_is_not_in_the_spool_any_more(void **state)
{
    (void)state;
    enum { TASKS = 5 };
    struct place place = {.folder = "/tmp/tmesh-cancel-XXXXXX"};
    struct ledger ledger = {0};
    tmesh_id_t ids[TASKS];
    assert_non_null(mkdtemp(place.folder));
    snprintf(place.spool, sizeof place.spool, "%s/spool", place.folder);
    tmesh_producer_t *producer = open_spool(&place, TASKS + 1);
    for (int at = 0; at < TASKS; at++) ids[at] = submit(producer, "work", TMESH_DELIVER_POLL);
    (void)submit(producer, "work", TMESH_DELIVER_POLL); /* this one stays */
    tmesh_cancel_t *cancel = cancel_all(producer, ids, 1, 1000, TMESH_E_TIMEOUT);
    assert_int_equal(cancel->rows[0].outcome, TMESH_CANCEL_DONE);
    tmesh_cancel_destroy(&cancel);
    tmesh_producer_destroy(&producer);

    /* The next run has room for two of what it finds; the others wait on disk. */
    producer = open_spool(&place, 1);
    tmesh_producer_counts_t counts;
    tmesh_producer_counts(producer, &counts);
    assert_int_equal(counts.recovered, TASKS);
    cancel = cancel_all(producer, ids, TASKS, 1000, TMESH_E_TIMEOUT);
    assert_int_equal(cancel->rows[0].outcome, TMESH_CANCEL_UNKNOWN); /* nobody is there to know */
    assert_int_equal(cancel->rows[1].outcome, TMESH_CANCEL_DONE);
    assert_int_equal(cancel->rows[TASKS - 1].outcome, TMESH_CANCEL_UNKNOWN); /* the last run knew */
    tmesh_cancel_destroy(&cancel);
    ledger_await(&ledger, producer, TASKS - 1);
    for (int at = 1; at < TASKS; at++) expect_cancelled(&ledger, &ids[at]);
    do tmesh_producer_counts(producer, &counts);
    while (counts.spooled > 1);
    assert_int_equal(counts.outbox, 1);
    tmesh_producer_destroy(&producer);

    producer = open_spool(&place, 1);
    tmesh_producer_counts(producer, &counts);
    assert_int_equal(counts.recovered, 1);
    tmesh_producer_destroy(&producer);
    ledger_clear(&ledger);
    clear_place(&place);
}

static void a_wrong_wish_is_refused(void **state)
{
    (void)state;
    const tmesh_id_t id = tmesh_id_new();
    tmesh_producer_t *producer =
        tmesh_producer_new(&(tmesh_producer_options_t){.connect = nowhere}, NULL);
    assert_non_null(producer);
    const struct {
        const tmesh_id_t *ids;
        size_t count;
    } wrong[] = {{NULL, 0}, {NULL, 1}, {&id, 0}, {&id, TMESH_CANCEL_IDS_MAX + 1}};
    for (size_t at = 0; at < sizeof wrong / sizeof wrong[0]; at++) {
        tmesh_cancel_t *cancel = (tmesh_cancel_t *)(uintptr_t)1;
        assert_int_equal(
            tmesh_producer_cancel(producer, wrong[at].ids, wrong[at].count, 0, &cancel),
            TMESH_E_INVALID);
        assert_null(cancel);
    }
    assert_int_equal(tmesh_producer_close(producer, 0), TMESH_OK);
    tmesh_cancel_t *cancel;
    assert_int_equal(tmesh_producer_cancel(producer, &id, 1, 0, &cancel), TMESH_E_CLOSED);
    assert_null(cancel);
    tmesh_producer_destroy(&producer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_not_handed_over_ends_at_once),
        cmocka_unit_test(what_waits_for_a_worker_never_runs),
        cmocka_unit_test(what_is_on_its_way_is_found_wherever_it_is),
        cmocka_unit_test(a_cancelled_task_is_not_in_the_spool_any_more),
        cmocka_unit_test(a_wrong_wish_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
