/* api_drain.c - nodes in a host program that an operator drains from afar, in the words
 * of the protocol.
 */
#include "api_mesh.h"

#include "../../src/core/instant.h"
#include "../../src/net/dials.h"
#include "../../src/watch/clock.h"
#include "../../src/wire/codec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>

/* A producer that submits nothing. */
struct foreman {
    void *context;
    struct dials *dials;
    struct waker waker;
    struct encoder *encoder;
    struct decoder *decoder;
    uint32_t session;
};

static void say(struct foreman *foreman, const struct message *message)
{
    struct bytes bytes;
    assert_int_equal(wire_encode(foreman->encoder, message, &bytes), WIRE_OK);
    assert_true(dials_send(foreman->dials, 0, PASSAGE_FRONT, bytes));
}

static struct arrival next_arrival(struct foreman *foreman)
{
    struct arrival arrival;
    uint64_t end_ns = clock_now_ns() + PATIENCE_MS * MILLISECOND;
    dials_next(foreman->dials, &arrival);
    for (; arrival.kind == ARRIVAL_NONE; dials_next(foreman->dials, &arrival)) {
        if (clock_now_ns() >= end_ns) fail_msg("nothing comes from the ventilator");
        dials_wait(foreman->dials, &foreman->waker, end_ns);
    }
    return arrival;
}

/* The next message of this kind. */
static struct message hear(struct foreman *foreman, enum message_kind kind)
{
    for (;;) {
        struct message message;
        struct arrival arrival = next_arrival(foreman);
        if (arrival.kind != ARRIVAL_MESSAGE) continue;
        assert_int_equal(wire_decode(foreman->decoder, arrival.bytes, &message), WIRE_OK);
        if (message.kind == kind) return message;
    }
}

static void connect_to(struct foreman *foreman, const char *endpoint)
{
    *foreman = (struct foreman){
        .context = net_context_new(), .encoder = encoder_new(), .decoder = decoder_new()};
    assert_int_equal(waker_open(&foreman->waker), 0);
    foreman->dials = dials_new(foreman->context, &endpoint, 1, MESSAGE_BYTES_MAX);
    assert_non_null(foreman->dials);
    assert_true(dials_open(foreman->dials, 0));
    while (next_arrival(foreman).kind != ARRIVAL_CONNECTED) {
    }
    struct message hello = {.kind = MESSAGE_HELLO};
    hello.u.hello = (struct message_hello){.role = ROLE_PRODUCER,
                                           .minor = MESSAGE_VERSION_MINOR,
                                           .node = {{1}},
                                           .software = bytes_text("a test"),
                                           .label = bytes_text("operator")};
    say(foreman, &hello);
    foreman->session = hear(foreman, MESSAGE_WELCOME).session;
}

static void leave(struct foreman *foreman)
{
    dials_destroy(&foreman->dials);
    net_context_destroy(&foreman->context);
    waker_close(&foreman->waker);
    encoder_destroy(&foreman->encoder);
    decoder_destroy(&foreman->decoder);
}

/* Of the ventilator itself when `target` is empty.  Returns how many were told. */
static uint32_t drain_node(const char *endpoint, const char *target, uint32_t grace_ms)
{
    struct foreman foreman;
    connect_to(&foreman, endpoint);
    struct message message = {.kind = MESSAGE_DRAIN, .session = foreman.session, .sequence = 1};
    message.u.drain = (struct message_drain){.target = bytes_text(target), .grace_ms = grace_ms};
    say(&foreman, &message);
    uint32_t told = hear(&foreman, MESSAGE_DRAINING).u.draining.affected;
    leave(&foreman);
    return told;
}

static uint32_t drain(const char *endpoint, uint32_t grace_ms)
{
    return drain_node(endpoint, "", grace_ms);
}

static bool is_readable(int fd, int timeout_ms)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    return poll(&poll_fd, 1, timeout_ms) == 1;
}

static void whoever_watches_the_descriptor_learns_that_it_is_to_drain(void **state)
{
    (void)state;
    struct mesh mesh = {0};
    uint32_t grace_ms = 7;
    uint64_t open = 0;
    mesh_ventilator(&mesh, NULL);
    mesh_producer(&mesh, NULL);
    (void)mesh_submit(&mesh, "echo", "before");
    assert_int_equal(tmesh_producer_flush(mesh.producer, PATIENCE_MS), TMESH_OK);
    int fd = tmesh_ventilator_fd(mesh.ventilator);
    assert_false(is_readable(fd, 0));
    assert_false(tmesh_ventilator_asked_to_drain(mesh.ventilator, &grace_ms));
    assert_int_equal(grace_ms, 7);
    assert_int_equal(drain(tmesh_ventilator_endpoint(mesh.ventilator), 1500), 1);
    assert_true(is_readable(fd, PATIENCE_MS));
    assert_true(tmesh_ventilator_asked_to_drain(mesh.ventilator, &grace_ms));
    assert_int_equal(grace_ms, 1500);
    assert_true(tmesh_ventilator_asked_to_drain(mesh.ventilator, NULL));
    assert_int_equal(tmesh_ventilator_fault(mesh.ventilator, NULL), TMESH_OK);
    /* It takes nothing new, and holds what it has. */
    (void)mesh_submit(&mesh, "echo", "behind");
    assert_int_equal(tmesh_producer_flush(mesh.producer, 200), TMESH_E_TIMEOUT);
    assert_int_equal(tmesh_ventilator_drain(mesh.ventilator, 0, &open), TMESH_E_TIMEOUT);
    assert_int_equal(open, 1);
    mesh_stop(&mesh);
}

static void a_ventilator_inside_a_producer_is_not_drained(void **state)
{
    (void)state;
    struct mesh mesh = {0};
    struct ledger ledger = {0};
    const tmesh_handler_t echo = {.name = "echo", .handler = handle_echo};
    const tmesh_ventilator_options_t embed = {.bind = "tcp://127.0.0.1:0"};
    mesh_producer(&mesh, &(tmesh_producer_options_t){.embed = &embed});
    const char *endpoint = tmesh_producer_endpoint(mesh.producer);
    assert_int_equal(drain(endpoint, UINT32_MAX), 0);
    mesh_worker(&mesh, &(tmesh_worker_options_t){
                           .connect = endpoint, .handlers = &echo, .handler_count = 1});
    (void)mesh_submit(&mesh, "echo", "still");
    ledger_await(&ledger, mesh.producer, 1);
    assert_string_equal(ledger.rows[0].result, "still");
    ledger_clear(&ledger);
    mesh_stop(&mesh);
}

/* One task runs, one waits: that one comes back before anybody does anything here. */
static void a_worker_that_is_asked_drains_at_once_and_tells_its_host(void **state)
{
    (void)state;
    struct mesh mesh = {0};
    struct ledger ledger = {0};
    struct gate gate = {0};
    const tmesh_handler_t handlers[] = {{.name = "work", .handler = handle_gate, .context = &gate}};
    uint32_t grace_ms = 7;
    mesh_ventilator(&mesh, NULL);
    mesh_producer(&mesh, NULL);
    mesh_worker(&mesh,
                &(tmesh_worker_options_t){
                    .label = "the worker", .slots = 1, .handlers = handlers, .handler_count = 1});
    const char *endpoint = tmesh_ventilator_endpoint(mesh.ventilator);
    (void)mesh_submit(&mesh, "work", "");
    gate_await(&gate, 1);
    (void)mesh_submit(&mesh, "work", "");
    int fd = tmesh_worker_fd(mesh.worker);
    assert_false(is_readable(fd, 0));
    assert_false(tmesh_worker_asked_to_drain(mesh.worker, &grace_ms));
    assert_int_equal(grace_ms, 7);
    assert_int_equal(drain_node(endpoint, "somebody else", 1500), 0);
    assert_int_equal(drain_node(endpoint, "the worker", 1500), 1);
    assert_true(is_readable(fd, PATIENCE_MS));
    assert_true(tmesh_worker_asked_to_drain(mesh.worker, &grace_ms));
    assert_int_equal(grace_ms, 1500);
    assert_true(tmesh_worker_asked_to_drain(mesh.worker, NULL));

    /* Another runs what waited, while the first is still at its task. */
    struct mesh second = {.ventilator = mesh.ventilator};
    mesh_worker(&second,
                &(tmesh_worker_options_t){.slots = 1, .handlers = handlers, .handler_count = 1});
    gate_await(&gate, 2);
    assert_int_equal(tmesh_worker_drain(mesh.worker, 0), TMESH_E_TIMEOUT);
    atomic_store(&gate.open, true);
    assert_int_equal(tmesh_worker_drain(mesh.worker, PATIENCE_MS), TMESH_OK);
    ledger_await(&ledger, mesh.producer, 2);
    assert_int_equal(atomic_load(&gate.entered), 2); /* each ran once */
    assert_int_equal(ledger.rows[0].attempt, 1);
    assert_int_equal(ledger.rows[1].attempt, 1);
    tmesh_worker_destroy(&second.worker);
    ledger_clear(&ledger);
    mesh_stop(&mesh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whoever_watches_the_descriptor_learns_that_it_is_to_drain),
        cmocka_unit_test(a_ventilator_inside_a_producer_is_not_drained),
        cmocka_unit_test(a_worker_that_is_asked_drains_at_once_and_tells_its_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
