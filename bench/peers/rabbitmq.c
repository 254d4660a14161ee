/* rabbitmq.c - RabbitMQ through librabbitmq: publisher confirms with WINDOW
 * outstanding, PREFETCH deliveries, acknowledgements of ACKNOWLEDGE at once.
 *
 * Modes: `classic` and `quorum` queues.  In W3 the queue is durable and messages are
 * persistent.  Results come by direct reply-to; then a task needs no confirm, its
 * result is one.  Acknowledgements have no answer: a question on the same channel
 * behind the last one shows that all were taken.
 */
#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <stdlib.h>
#include <string.h>

#include "trial.h"

enum { WINDOW = 1000, PREFETCH = 500, ACKNOWLEDGE = 100, CHANNEL = 1 };

static const char queue_name[] = "tasks";

struct submitter {
    amqp_connection_state_t connection;
    struct trial *trial;
    uint8_t *confirmed; /* by delivery tag */
    uint64_t settled;   /* confirmed, or answered */
};

/* --- the connection -------------------------------------------------------- */

static void check(int status, const char *what)
{
    if (status < 0) trial_fail("rabbitmq: %s: %s", what, amqp_error_string2(status));
}

static void check_reply(amqp_rpc_reply_t reply, const char *what)
{
    if (reply.reply_type == AMQP_RESPONSE_NORMAL) return;
    if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION) {
        trial_fail("rabbitmq: %s: %s", what, amqp_error_string2(reply.library_error));
    }
    trial_fail("rabbitmq: %s: the server refused it", what);
}

static void declare(amqp_connection_state_t connection, const struct trial *trial, int passive)
{
    amqp_table_entry_t entry = {.key = amqp_cstring_bytes("x-queue-type")};
    amqp_table_t arguments = {.num_entries = 1, .entries = &entry};
    int quorum = strcmp(trial->mode, "quorum") == 0;
    entry.value.kind = AMQP_FIELD_KIND_UTF8;
    entry.value.value.bytes = amqp_cstring_bytes(trial->mode);
    amqp_queue_declare(connection, CHANNEL, amqp_cstring_bytes(queue_name), passive,
                       quorum || trial->workload == WORKLOAD_DURABLE, 0, 0, arguments);
    check_reply(amqp_get_rpc_reply(connection), "queue.declare");
}

static amqp_connection_state_t opened(const struct trial *trial)
{
    amqp_connection_state_t connection = amqp_new_connection();
    amqp_socket_t *socket = amqp_tcp_socket_new(connection);
    if (!socket) trial_fail("rabbitmq: no socket");
    check(amqp_socket_open(socket, "127.0.0.1", trial->port), "connect");
    check_reply(amqp_login(connection, "/", 0, AMQP_DEFAULT_FRAME_SIZE, 0, AMQP_SASL_METHOD_PLAIN,
                           "guest", "guest"),
                "login");
    amqp_channel_open(connection, CHANNEL);
    check_reply(amqp_get_rpc_reply(connection), "channel.open");
    return connection;
}

static amqp_connection_state_t connected(const struct trial *trial)
{
    amqp_connection_state_t connection = opened(trial);
    declare(connection, trial, 0);
    return connection;
}

/* The same without what a run before left: the server outlives a run. */
static amqp_connection_state_t fresh(const struct trial *trial)
{
    amqp_connection_state_t connection = opened(trial);
    amqp_queue_delete(connection, CHANNEL, amqp_cstring_bytes(queue_name), 0, 0);
    check_reply(amqp_get_rpc_reply(connection), "queue.delete");
    declare(connection, trial, 0);
    return connection;
}

static void consume(amqp_connection_state_t connection, amqp_bytes_t queue, int no_ack)
{
    amqp_basic_consume(connection, CHANNEL, queue, amqp_empty_bytes, 0, no_ack, 0,
                       amqp_empty_table);
    check_reply(amqp_get_rpc_reply(connection), "basic.consume");
}

static void publish(amqp_connection_state_t connection, amqp_bytes_t queue,
                    const amqp_basic_properties_t *properties, const void *payload)
{
    amqp_bytes_t body = {.len = TRIAL_PAYLOAD_BYTES, .bytes = (void *)(uintptr_t)payload};
    check(amqp_basic_publish(connection, CHANNEL, amqp_empty_bytes, queue, 0, 0, properties, body),
          "basic.publish");
}

/* --- the producer ---------------------------------------------------------- */

static void on_confirm(struct submitter *submitter, const amqp_basic_ack_t *confirm)
{
    if (confirm->delivery_tag > submitter->trial->tasks) trial_fail("rabbitmq: a strange confirm");
    if (confirm->multiple) {
        if (confirm->delivery_tag > submitter->settled) submitter->settled = confirm->delivery_tag;
    } else {
        submitter->confirmed[confirm->delivery_tag] = 1;
    }
    while (submitter->settled < submitter->trial->tasks &&
           submitter->confirmed[submitter->settled + 1]) {
        submitter->settled++;
    }
}

static void on_result(struct submitter *submitter)
{
    amqp_message_t message;
    check_reply(amqp_read_message(submitter->connection, CHANNEL, &message, 0), "result");
    trial_answered(submitter->trial, message.body.bytes, message.body.len);
    amqp_destroy_message(&message);
    submitter->settled++;
}

/* Waits for one frame, and does what it says. */
static void receive(struct submitter *submitter)
{
    amqp_frame_t frame;
    amqp_maybe_release_buffers(submitter->connection);
    check(amqp_simple_wait_frame(submitter->connection, &frame), "receive");
    if (frame.frame_type != AMQP_FRAME_METHOD) return;
    switch (frame.payload.method.id) {
    case AMQP_BASIC_ACK_METHOD: on_confirm(submitter, frame.payload.method.decoded); return;
    case AMQP_BASIC_DELIVER_METHOD: on_result(submitter); return;
    default: trial_fail("rabbitmq: an unexpected %s", amqp_method_name(frame.payload.method.id));
    }
}

/* Keeps `window` tasks on their way; when that many are, waits until a few are not. */
static void submit_all(struct submitter *submitter, const amqp_basic_properties_t *properties,
                       uint64_t window)
{
    uint8_t payload[TRIAL_PAYLOAD_BYTES];
    struct trial *trial = submitter->trial;
    uint64_t slack = window / 10;
    for (uint64_t next = 0; next < trial->tasks; next++) {
        uint64_t start = trial_clock_ns();
        trial_fill(payload, next);
        publish(submitter->connection, amqp_cstring_bytes(queue_name), properties, payload);
        if (next + 1 - submitter->settled < window) continue;
        while (next + 1 - submitter->settled > window - slack - 1) receive(submitter);
        if (window == 1) trial_latency(trial, next, trial_clock_ns() - start);
    }
    while (submitter->settled < trial->tasks) receive(submitter);
}

static void produce(struct trial *trial)
{
    struct submitter submitter = {.connection = connected(trial), .trial = trial};
    amqp_basic_properties_t properties = {._flags = AMQP_BASIC_DELIVERY_MODE_FLAG};
    amqp_bytes_t reply_to = amqp_cstring_bytes("amq.rabbitmq.reply-to");
    int answers = trial_wants_results(trial);
    submitter.confirmed = calloc(trial->tasks + 2, 1);
    if (!submitter.confirmed) trial_fail("out of memory");
    properties.delivery_mode = trial->workload == WORKLOAD_DURABLE ? AMQP_DELIVERY_PERSISTENT
                                                                   : AMQP_DELIVERY_NONPERSISTENT;
    if (answers) {
        properties._flags |= AMQP_BASIC_REPLY_TO_FLAG;
        properties.reply_to = reply_to;
        consume(submitter.connection, reply_to, 1);
    } else {
        amqp_confirm_select(submitter.connection, CHANNEL);
        check_reply(amqp_get_rpc_reply(submitter.connection), "confirm.select");
    }
    trial_begin(trial);
    submit_all(&submitter, &properties, trial->workload == WORKLOAD_LATENCY ? 1 : WINDOW);
    if (answers) trial_end(trial);
}

/* --- the worker ------------------------------------------------------------ */

/* Handles the next delivery.  Returns its tag. */
static uint64_t handle_next(amqp_connection_state_t connection, struct trial *trial)
{
    amqp_envelope_t envelope;
    amqp_basic_properties_t properties = {._flags = AMQP_BASIC_DELIVERY_MODE_FLAG,
                                          .delivery_mode = AMQP_DELIVERY_NONPERSISTENT};
    amqp_maybe_release_buffers(connection);
    check_reply(amqp_consume_message(connection, &envelope, NULL, 0), "consume");
    trial_handled(trial, envelope.message.body.bytes, envelope.message.body.len);
    if (trial_wants_results(trial)) {
        publish(connection, envelope.message.properties.reply_to, &properties,
                envelope.message.body.bytes);
    }
    uint64_t tag = envelope.delivery_tag;
    amqp_destroy_envelope(&envelope);
    return tag;
}

static void work(struct trial *trial)
{
    amqp_connection_state_t connection = fresh(trial);
    uint64_t together = trial->workload == WORKLOAD_LATENCY ? 1 : ACKNOWLEDGE;
    amqp_basic_qos(connection, CHANNEL, 0, PREFETCH, 0);
    check_reply(amqp_get_rpc_reply(connection), "basic.qos");
    consume(connection, amqp_cstring_bytes(queue_name), 0);
    trial_ready(trial);
    for (uint64_t handled = 1; handled <= trial->tasks; handled++) {
        uint64_t tag = handle_next(connection, trial);
        if (handled % together == 0 || handled == trial->tasks) {
            check(amqp_basic_ack(connection, CHANNEL, tag, 1), "basic.ack");
        }
    }
    declare(connection, trial, 1);
    if (!trial_wants_results(trial)) trial_end(trial);
}

int main(int argc, char **argv)
{
    static const struct peer peer = {.modes = " classic quorum ", .work = work, .produce = produce};
    return trial_main(argc, argv, &peer);
}
