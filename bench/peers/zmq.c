/* zmq.c - what libzmq alone can do, without any promise: the limit of what is built
 * on it.  One message for each task; nothing is packed, decoded, kept or repeated.
 *
 * Modes, with the hops that a task and its answer take between processes:
 *   pushpull  1: producer to worker, and no answer
 *   rtt       2: producer to worker and back
 *   chain     3: producer to relay to worker to producer
 *   relay     4: producer to relay to worker, and back by the same way
 * With WINDOW tasks in flight, fewer if they are large, or one to measure latency.
 * Answers are a task's number in W1, and as long as the task in the other workloads.
 * A task is copied once, when it is submitted; what was received is passed on as it is.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

#include "trial.h"

enum { WINDOW = 1000, PUSH_MARK = 65536, ENDPOINT_BYTES = 64, TURN_MESSAGES = 256 };

static void check(int status, const char *what)
{
    if (status < 0) trial_fail("zmq: %s: %s", what, zmq_strerror(errno));
}

static int mode_is(const struct trial *trial, const char *mode)
{
    return strcmp(trial->mode, mode) == 0;
}

static size_t answer_bytes(const struct trial *trial)
{
    return trial_wants_results(trial) ? trial->size : sizeof(uint64_t);
}

/* --- sockets --------------------------------------------------------------- */

static void *opened(void *context, int type, const struct trial *trial)
{
    void *socket = zmq_socket(context, type);
    /* A ROUTER drops what is above its mark, and learns late of what was read: half a mark. */
    int mark = mode_is(trial, "pushpull") ? (int)trial_in_flight(trial, PUSH_MARK)
                                          : 4 * (int)trial_in_flight(trial, PUSH_MARK / 4);
    if (!socket) trial_fail("zmq: no socket");
    check(zmq_setsockopt(socket, ZMQ_SNDHWM, &mark, sizeof mark), "mark");
    check(zmq_setsockopt(socket, ZMQ_RCVHWM, &mark, sizeof mark), "mark");
    return socket;
}

/* A socket bound to a free port, whose endpoint the processes to come are told. */
static void *bound(void *context, int type, struct trial *trial)
{
    char endpoint[ENDPOINT_BYTES], all[4 * ENDPOINT_BYTES];
    size_t bytes = sizeof endpoint;
    void *socket = opened(context, type, trial);
    check(zmq_bind(socket, "tcp://127.0.0.1:*"), "bind");
    check(zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, endpoint, &bytes), "endpoint");
    snprintf(all, sizeof all, "%s %s", trial_told(trial), endpoint);
    trial_tell(trial, all);
    return socket;
}

/* A socket connected to the endpoint that was told as number `index`. */
static void *connected(void *context, int type, const struct trial *trial, int index)
{
    char endpoint[ENDPOINT_BYTES] = "";
    const char *at = trial_told(trial);
    void *socket = opened(context, type, trial);
    for (int used = 0; index >= 0; index--, at += used) {
        if (sscanf(at, "%63s%n", endpoint, &used) != 1) trial_fail("zmq: too few endpoints");
    }
    check(zmq_connect(socket, endpoint), "connect");
    return socket;
}

/* Whether a message was there; if not, *count stays as it is. */
static int receive(void *socket, void *bytes, size_t size, int flags, size_t *count)
{
    int got = zmq_recv(socket, bytes, size, flags);
    if (got < 0 && errno == EAGAIN) return 0;
    check(got, "receive");
    *count = (size_t)got;
    return 1;
}

/* The same for a message, which was initialised before and is to be closed or sent. */
static int receive_message(void *socket, zmq_msg_t *message, int flags)
{
    int got = zmq_msg_recv(message, socket, flags);
    if (got < 0 && errno == EAGAIN) return 0;
    check(got, "receive");
    return 1;
}

static void send_message(void *socket, zmq_msg_t *message)
{
    check(zmq_msg_send(message, socket, 0), "send");
}

static void send_task(void *socket, const struct trial *trial, uint8_t *task, uint64_t number)
{
    trial_stamp(task, number);
    check(zmq_send(socket, task, trial->size, 0), "send");
}

/* Answers a task that was handled: with itself, or with its number alone. */
static void send_answer(void *socket, const struct trial *trial, zmq_msg_t *task)
{
    if (trial_wants_results(trial))
        send_message(socket, task);
    else
        check(zmq_send(socket, zmq_msg_data(task), answer_bytes(trial), 0), "send");
}

static void handle(struct trial *trial, zmq_msg_t *task)
{
    trial_handled(trial, zmq_msg_data(task), zmq_msg_size(task));
}

/* --- pushpull -------------------------------------------------------------- */

static void push_all(void *socket, struct trial *trial)
{
    uint8_t *task = trial_payloads(trial, 1);
    trial_begin(trial);
    for (uint64_t next = 0; next < trial->tasks; next++) send_task(socket, trial, task, next);
}

static void pull_all(void *socket, struct trial *trial)
{
    zmq_msg_t task;
    zmq_msg_init(&task);
    trial_ready(trial);
    for (uint64_t handled = 0; handled < trial->tasks; handled++) {
        receive_message(socket, &task, 0);
        handle(trial, &task);
    }
    trial_end(trial);
}

/* --- the producer of the others -------------------------------------------- */

/* Notes an answer, which may be shorter than a result. */
static uint64_t note_answer(struct trial *trial, zmq_msg_t *message)
{
    const void *answer = zmq_msg_data(message);
    size_t count = zmq_msg_size(message);
    uint64_t number;
    if (count != answer_bytes(trial)) trial_fail("INTEGRITY: an answer of %zu bytes", count);
    if (trial_wants_results(trial)) return trial_answered(trial, answer, count);
    memcpy(&number, answer, sizeof number);
    return number;
}

static void submit_windowed(void *tasks, void *answers, struct trial *trial)
{
    uint8_t *task = trial_payloads(trial, 1);
    size_t window = trial_in_flight(trial, WINDOW);
    uint64_t answered = 0;
    zmq_msg_t answer;
    zmq_msg_init(&answer);
    trial_begin(trial);
    for (uint64_t next = 0; answered < trial->tasks;) {
        for (; next < trial->tasks && next - answered < window; next++) {
            send_task(tasks, trial, task, next);
        }
        for (int flags = 0; receive_message(answers, &answer, flags);) {
            note_answer(trial, &answer);
            answered++;
            flags = ZMQ_DONTWAIT;
            if (answered == trial->tasks) break;
        }
    }
    trial_end(trial);
}

static void submit_singly(void *tasks, void *answers, struct trial *trial)
{
    uint8_t *task = trial_payloads(trial, 1);
    zmq_msg_t answer;
    zmq_msg_init(&answer);
    trial_begin(trial);
    for (uint64_t next = 0; next < trial->tasks; next++) {
        uint64_t start = trial_clock_ns();
        send_task(tasks, trial, task, next);
        receive_message(answers, &answer, 0);
        if (note_answer(trial, &answer) != next) trial_fail("INTEGRITY: another's answer");
        trial_latency(trial, next, trial_clock_ns() - start);
    }
    trial_end(trial);
}

static void produce(struct trial *trial)
{
    void *context = zmq_ctx_new();
    if (mode_is(trial, "pushpull")) {
        push_all(connected(context, ZMQ_PUSH, trial, 0), trial);
        return;
    }
    void *tasks, *answers;
    if (mode_is(trial, "chain")) {
        tasks = connected(context, ZMQ_PUSH, trial, 0);
        answers = connected(context, ZMQ_PULL, trial, 2);
    } else {
        tasks = answers = connected(context, ZMQ_DEALER, trial, 0);
    }
    if (trial->workload == WORKLOAD_LATENCY) {
        submit_singly(tasks, answers, trial);
    } else {
        submit_windowed(tasks, answers, trial);
    }
}

/* --- the worker ------------------------------------------------------------ */

/* Answers through the socket that tasks come by, to the peer named before each. */
static void answer_router(void *router, struct trial *trial)
{
    uint8_t peer[256];
    size_t peer_bytes = 0;
    zmq_msg_t task;
    zmq_msg_init(&task);
    trial_ready(trial);
    for (uint64_t handled = 0; handled < trial->tasks; handled++) {
        receive(router, peer, sizeof peer, 0, &peer_bytes);
        receive_message(router, &task, 0);
        handle(trial, &task);
        check(zmq_send(router, peer, peer_bytes, ZMQ_SNDMORE), "send");
        send_answer(router, trial, &task);
    }
}

static void answer_tasks(void *tasks, void *answers, struct trial *trial)
{
    zmq_msg_t task;
    zmq_msg_init(&task);
    check(zmq_send(tasks, "", 0, 0), "hello"); /* by which the relay's ROUTER knows it */
    trial_ready(trial);
    for (uint64_t handled = 0; handled < trial->tasks; handled++) {
        receive_message(tasks, &task, 0);
        handle(trial, &task);
        send_answer(answers, trial, &task);
    }
}

static void work(struct trial *trial)
{
    void *context = zmq_ctx_new();
    if (mode_is(trial, "pushpull")) {
        pull_all(bound(context, ZMQ_PULL, trial), trial);
    } else if (mode_is(trial, "rtt")) {
        answer_router(bound(context, ZMQ_ROUTER, trial), trial);
    } else {
        void *tasks = connected(context, ZMQ_DEALER, trial, 1);
        void *answers = mode_is(trial, "chain") ? bound(context, ZMQ_PUSH, trial) : tasks;
        answer_tasks(tasks, answers, trial);
    }
}

/* --- the relay ------------------------------------------------------------- */

struct relay {
    void *front, *back;                 /* to the producer, to the worker */
    uint8_t producer[256], worker[256]; /* their names at the ROUTERs */
    size_t producer_bytes, worker_bytes;
};

/* Returns how many it passed on, at most TURN_MESSAGES. */
static uint64_t pass_tasks(struct relay *relay, const struct trial *trial)
{
    zmq_msg_t task;
    uint64_t passed = 0;
    zmq_msg_init(&task);
    for (; passed < TURN_MESSAGES; passed++) {
        if (mode_is(trial, "relay") &&
            !receive(relay->front, relay->producer, sizeof relay->producer, ZMQ_DONTWAIT,
                     &relay->producer_bytes)) {
            break;
        }
        if (!receive_message(relay->front, &task, ZMQ_DONTWAIT)) break;
        check(zmq_send(relay->back, relay->worker, relay->worker_bytes, ZMQ_SNDMORE), "send");
        send_message(relay->back, &task);
    }
    return passed;
}

static uint64_t pass_answers(struct relay *relay)
{
    zmq_msg_t answer;
    uint64_t passed = 0;
    zmq_msg_init(&answer);
    for (; passed < TURN_MESSAGES; passed++) {
        if (!receive(relay->back, relay->worker, sizeof relay->worker, ZMQ_DONTWAIT,
                     &relay->worker_bytes)) {
            break;
        }
        receive_message(relay->back, &answer, 0);
        check(zmq_send(relay->front, relay->producer, relay->producer_bytes, ZMQ_SNDMORE), "send");
        send_message(relay->front, &answer);
    }
    return passed;
}

static void relay_all(struct trial *trial)
{
    void *context = zmq_ctx_new();
    int chain = mode_is(trial, "chain");
    struct relay relay = {0};
    size_t none = 0;
    uint8_t nothing[1];
    relay.front = bound(context, chain ? ZMQ_PULL : ZMQ_ROUTER, trial);
    relay.back = bound(context, ZMQ_ROUTER, trial);
    trial_ready(trial);
    receive(relay.back, relay.worker, sizeof relay.worker, 0, &relay.worker_bytes);
    receive(relay.back, nothing, sizeof nothing, 0, &none);
    zmq_pollitem_t watched[] = {{.socket = relay.front, .events = ZMQ_POLLIN},
                                {.socket = relay.back, .events = ZMQ_POLLIN}};
    uint64_t tasks = 0, answers = 0;
    while (tasks < trial->tasks || (!chain && answers < trial->tasks)) {
        check(zmq_poll(watched, chain ? 1 : 2, -1), "poll");
        if (watched[0].revents) tasks += pass_tasks(&relay, trial);
        if (watched[1].revents) answers += pass_answers(&relay);
    }
}

int main(int argc, char **argv)
{
    static const struct peer peer = {.modes = " pushpull rtt chain relay ",
                                     .relay = relay_all,
                                     .relay_modes = " chain relay ",
                                     .sized = 1,
                                     .work = work,
                                     .produce = produce};
    return trial_main(argc, argv, &peer);
}
