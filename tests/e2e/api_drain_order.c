/* api_drain_order.c - a host program that orders others to drain.
 *
 * Not here: what the programs make of it (drain_afar.sh).
 */
#include "api_mesh.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <string.h>

static const tmesh_handler_t echo = {.name = "echo", .handler = handle_echo};

static uint64_t drain(struct mesh *mesh, const char *node, int64_t grace_ms)
{
    tmesh_drain_t *drain = NULL;
    assert_int_equal(tmesh_producer_drain(mesh->producer, node, grace_ms, PATIENCE_MS, &drain),
                     TMESH_OK);
    assert_int_equal(drain->ventilator_count, 1);
    assert_true(drain->ventilators[0].answered);
    assert_null(drain->ventilators[0].refusal);
    uint64_t affected = drain->affected;
    tmesh_drain_destroy(&drain);
    assert_null(drain);
    return affected;
}

static void a_worker_is_told_by_its_label_and_a_ventilator_by_its_front(void **state)
{
    (void)state;
    struct mesh mesh = {0};
    uint32_t grace_ms = 0;
    mesh_ventilator(&mesh, NULL);
    mesh_worker(&mesh, &(tmesh_worker_options_t){
                           .label = "the worker", .handlers = &echo, .handler_count = 1});
    mesh_producer(&mesh, NULL);
    assert_int_equal(drain(&mesh, "another", 0), 0);
    while (drain(&mesh, "the worker", 1234) == 0) { /* until it has a session */
    }
    struct pollfd fd = {.fd = tmesh_worker_fd(mesh.worker), .events = POLLIN};
    assert_int_equal(poll(&fd, 1, PATIENCE_MS), 1);
    assert_true(tmesh_worker_asked_to_drain(mesh.worker, &grace_ms));
    assert_int_equal(grace_ms, 1234);
    assert_false(tmesh_ventilator_asked_to_drain(mesh.ventilator, NULL));
    assert_int_equal(
        drain(&mesh, tmesh_ventilator_endpoint(mesh.ventilator), TMESH_DRAIN_OWN_GRACE), 1);
    fd.fd = tmesh_ventilator_fd(mesh.ventilator);
    assert_int_equal(poll(&fd, 1, PATIENCE_MS), 1);
    assert_true(tmesh_ventilator_asked_to_drain(mesh.ventilator, &grace_ms));
    assert_int_equal(grace_ms, UINT32_MAX);
    mesh_stop(&mesh);
}

static void a_wrong_order_is_refused(void **state)
{
    (void)state;
    static char longest[TMESH_TEXT_BYTES_MAX + 2];
    struct mesh mesh = {0};
    mesh_ventilator(&mesh, NULL);
    mesh_producer(&mesh, NULL);
    memset(longest, 'x', sizeof longest - 1);
    const struct {
        const char *node;
        int64_t grace_ms;
    } wrong[] = {{NULL, 0}, {"", 0}, {longest, 0}, {"w", -2}, {"w", UINT32_MAX}};
    for (size_t at = 0; at < sizeof wrong / sizeof wrong[0]; at++) {
        tmesh_drain_t *drain = (tmesh_drain_t *)(uintptr_t)1;
        assert_int_equal(
            tmesh_producer_drain(mesh.producer, wrong[at].node, wrong[at].grace_ms, 0, &drain),
            TMESH_E_INVALID);
        assert_null(drain);
    }
    assert_int_equal(drain(&mesh, longest + 1, 0), 0);
    mesh_stop(&mesh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_worker_is_told_by_its_label_and_a_ventilator_by_its_front),
        cmocka_unit_test(a_wrong_order_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
