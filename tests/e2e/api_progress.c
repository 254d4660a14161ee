/* api_progress.c - what a host program hears of runs that go on. */
#include "api_mesh.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The latest of one task, and what followed the end. */
struct hearing {
    tmesh_id_t id;
    uint64_t number;
    uint32_t attempt;
    char text[TMESH_PROGRESS_BYTES_MAX + 1];
    void *tag;
    unsigned heard, heard_of_others, ended, heard_after_end;
};

static void hear(const tmesh_answer_t *answer, void *context)
{
    struct hearing *hearing = context;
    bool own = memcmp(&answer->id, &hearing->id, sizeof answer->id) == 0;
    if (answer->kind == TMESH_ENDED && own) hearing->ended++;
    if (answer->kind != TMESH_PROGRESS) return;
    assert_null(answer->reason);
    assert_null(answer->result);
    if (!own) hearing->heard_of_others++;
    if (!own) return;
    if (hearing->ended > 0) hearing->heard_after_end++;
    assert_true(answer->attempt > hearing->attempt || answer->number >= hearing->number);
    hearing->heard++;
    hearing->number = answer->number;
    hearing->attempt = answer->attempt;
    hearing->tag = answer->tag;
    snprintf(hearing->text, sizeof hearing->text, "%s", answer->text);
}

/* Counts while the gate is closed, and says so. */
static int count(tmesh_job_t *job, void *context)
{
    struct gate *gate = context;
    atomic_fetch_add(&gate->entered, 1);
    for (uint64_t number = 1; !atomic_load(&gate->open); number++) {
        tmesh_job_progress(job, number, "counting");
        atomic_fetch_add(&gate->left, 1);
        (void)poll(NULL, 0, 1);
    }
    return TMESH_DONE;
}

static tmesh_id_t submit(struct mesh *mesh, bool report, enum tmesh_deliver deliver, void *tag)
{
    const tmesh_task_t task = {
        .name = "count", .deliver = deliver, .report_progress = report, .tag = tag};
    tmesh_id_t id;
    assert_int_equal(tmesh_producer_submit(mesh->producer, &task, PATIENCE_MS, &id), TMESH_OK);
    return id;
}

static void what_a_run_tells_is_heard_while_it_goes_on(void **state)
{
    (void)state;
    struct gate gate = {.open = false};
    const tmesh_handler_t handler = {.name = "count", .handler = count, .context = &gate};
    struct mesh mesh;
    struct hearing hearing = {0};
    struct ledger ledger = {0};
    int tag;
    mesh_start(&mesh, &handler, 3);
    hearing.id = submit(&mesh, true, TMESH_DELIVER_WAIT, &tag);
    (void)submit(&mesh, false, TMESH_DELIVER_POLL, NULL); /* it tells too, and nobody asked */
    (void)submit(&mesh, false, TMESH_DELIVER_NONE, NULL);
    gate_await(&gate, 3);
    for (unsigned heard = 0; heard < 3;) {
        struct pollfd fd = {.fd = tmesh_producer_fd(mesh.producer), .events = POLLIN};
        assert_int_equal(poll(&fd, 1, PATIENCE_MS), 1);
        (void)tmesh_producer_poll(mesh.producer, 0, 0, hear, &hearing);
        heard = hearing.heard;
    }
    assert_true(hearing.number > 1);
    assert_int_equal(hearing.attempt, 1);
    assert_string_equal(hearing.text, "counting");
    assert_ptr_equal(hearing.tag, &tag);
    assert_int_equal(hearing.heard_of_others, 0);
    atomic_store(&gate.open, true);
    assert_int_equal(
        tmesh_producer_wait(mesh.producer, &hearing.id, PATIENCE_MS, ledger_note, &ledger),
        TMESH_OK);
    hearing.ended = 1;
    for (int round = 0; round < 5; round++) {
        (void)tmesh_producer_poll(mesh.producer, 50, 0, hear, &hearing);
    }
    assert_int_equal(hearing.heard_after_end, 0);
    struct pollfd fd = {.fd = tmesh_producer_fd(mesh.producer), .events = POLLIN};
    assert_int_equal(poll(&fd, 1, 0), 0);
    ledger_clear(&ledger);
    mesh_stop(&mesh);
}

/* Nobody polls, and yet there is no more to be polled than one answer for the task. */
static void only_the_latest_waits(void **state)
{
    (void)state;
    struct gate gate = {.open = false};
    const tmesh_handler_t handler = {.name = "count", .handler = count, .context = &gate};
    struct mesh mesh;
    struct hearing hearing = {0};
    mesh_start(&mesh, &handler, 1);
    hearing.id = submit(&mesh, true, TMESH_DELIVER_POLL, NULL);
    gate_await(&gate, 1);
    while (atomic_load(&gate.left) < 500) (void)poll(NULL, 0, 10); /* it has told so often */
    while (tmesh_producer_poll(mesh.producer, PATIENCE_MS, 0, hear, &hearing) == 0) {
    }
    assert_int_equal(hearing.heard, 1);
    atomic_store(&gate.open, true);
    while (hearing.ended == 0) {
        (void)tmesh_producer_poll(mesh.producer, PATIENCE_MS, 0, hear, &hearing);
    }
    assert_int_equal(tmesh_producer_poll(mesh.producer, 0, 0, hear, &hearing), 0);
    mesh_stop(&mesh);
}

static void progress_without_a_result_is_refused(void **state)
{
    (void)state;
    struct mesh mesh = {0};
    mesh_ventilator(&mesh, NULL);
    mesh_producer(&mesh, NULL);
    const tmesh_task_t task = {.name = "count", .report_progress = true};
    assert_int_equal(tmesh_producer_submit(mesh.producer, &task, 0, NULL), TMESH_E_INVALID);
    mesh_stop(&mesh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_run_tells_is_heard_while_it_goes_on),
        cmocka_unit_test(only_the_latest_waits),
        cmocka_unit_test(progress_without_a_result_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
