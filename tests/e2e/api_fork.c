/* api_fork.c - a host that forks: what its child inherits is refused there, and goes on here. */
#include "api_mesh.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const tmesh_handler_t echo = {.name = "echo", .handler = handle_echo};

/* What a child finds that uses its parent's handles: 0 if all is as it should be, else the
 * number of what was not.  It hangs where a call waits for a thread that is not there. */
static int use_producer(struct mesh *mesh)
{
    tmesh_error_t error;
    tmesh_producer_counts_t counts;
    tmesh_status_t *status;
    tmesh_cancel_t *cancel;
    tmesh_id_t id;
    const tmesh_task_t task = {.name = "echo", .deliver = TMESH_DELIVER_WAIT};
    tmesh_producer_t *producer = mesh->producer;
    if (tmesh_producer_connected(producer, PATIENCE_MS, &error) != TMESH_E_CLOSED) return 1;
    if (strstr(error.text, "forked") == NULL) return 2;
    if (tmesh_producer_submit(producer, &task, PATIENCE_MS, &id) != TMESH_E_CLOSED) return 3;
    if (tmesh_producer_wait(producer, &id, PATIENCE_MS, ledger_note, NULL) != TMESH_E_CLOSED) {
        return 4;
    }
    if (tmesh_producer_poll(producer, PATIENCE_MS, 0, ledger_note, NULL) != 0) return 5;
    if (tmesh_producer_flush(producer, PATIENCE_MS) != TMESH_E_CLOSED) return 6;
    if (tmesh_producer_status(producer, PATIENCE_MS, &status) != TMESH_E_CLOSED) return 7;
    if (tmesh_producer_cancel(producer, &id, 1, PATIENCE_MS, &cancel) != TMESH_E_CLOSED) return 8;
    tmesh_producer_counts(producer, &counts);
    if (counts.submitted != 0 || counts.ventilators != 0) return 9;
    if (tmesh_producer_close(producer, PATIENCE_MS) != TMESH_E_CLOSED) return 10;
    if (tmesh_producer_fd(producer) != -1) return 11;
    tmesh_producer_destroy(&mesh->producer);
    return mesh->producer == NULL ? 0 : 12;
}

static int use_others(struct mesh *mesh)
{
    tmesh_error_t error;
    tmesh_worker_counts_t counts;
    uint64_t open;
    if (tmesh_ventilator_fault(mesh->ventilator, &error) != TMESH_E_CLOSED) return 21;
    if (tmesh_ventilator_asked_to_drain(mesh->ventilator, NULL)) return 22;
    if (tmesh_ventilator_drain(mesh->ventilator, PATIENCE_MS, &open) != TMESH_E_CLOSED) return 23;
    if (tmesh_ventilator_fd(mesh->ventilator) != -1) return 24;
    tmesh_worker_counts(mesh->worker, &counts);
    if (counts.ventilators != 0) return 25;
    if (tmesh_worker_asked_to_drain(mesh->worker, NULL)) return 26;
    if (tmesh_worker_drain(mesh->worker, PATIENCE_MS) != TMESH_E_CLOSED) return 27;
    if (tmesh_worker_fd(mesh->worker) != -1) return 28;
    tmesh_worker_destroy(&mesh->worker);
    tmesh_ventilator_destroy(&mesh->ventilator);
    return mesh->worker == NULL && mesh->ventilator == NULL ? 0 : 29;
}

static void in_a_child(int (*use)(struct mesh *mesh), struct mesh *mesh)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        (void)alarm(PATIENCE_MS / 1000);
        _exit(use(mesh));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) fail_msg("the child: %x", status);
}

static void echo_once(struct mesh *mesh, size_t answers, struct ledger *ledger)
{
    tmesh_id_t id = mesh_submit(mesh, "echo", "still here");
    ledger_await(ledger, mesh->producer, answers);
    const struct told *told = ledger_find(ledger, &id, TMESH_ENDED);
    assert_non_null(told);
    assert_string_equal(told->result, "still here");
}

static void what_a_child_inherits_is_closed_there_and_not_here(void **state)
{
    (void)state;
    struct mesh mesh = {0};
    struct ledger ledger = {0};
    mesh_start(&mesh, &echo, 1);
    in_a_child(use_producer, &mesh);
    echo_once(&mesh, 1, &ledger);
    in_a_child(use_others, &mesh);
    echo_once(&mesh, 2, &ledger);
    mesh_stop(&mesh);
    ledger_clear(&ledger);
}

/* The lock of a busy producer is as likely as not held by its thread at that moment. */
static void a_child_of_a_busy_producer_waits_for_no_lock(void **state)
{
    (void)state;
    enum { CHILDREN = 20, TASKS = 200 };
    struct mesh mesh = {0};
    struct ledger ledger = {0};
    mesh_start(&mesh, &echo, 1);
    for (size_t child = 0; child < CHILDREN; child++) {
        for (size_t at = 0; at < TASKS; at++) (void)mesh_submit(&mesh, "echo", "x");
        in_a_child(use_producer, &mesh);
    }
    ledger_await(&ledger, mesh.producer, CHILDREN * TASKS);
    assert_int_equal(ledger_count(&ledger, TMESH_ENDED), CHILDREN * TASKS);
    mesh_stop(&mesh);
    ledger_clear(&ledger);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_child_inherits_is_closed_there_and_not_here),
        cmocka_unit_test(a_child_of_a_busy_producer_waits_for_no_lock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
