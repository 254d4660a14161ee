/* socket.c - raw ZeroMQ sockets, with our options set in one place. */
#include "socket.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum {
    /* Beyond it a peer does not read what it asks for, and a message is lost: the
     * gap in the numbers resets its session.  Honest peers stay far below. */
    FRONT_SEND_MARK = 1024,
    INTAKE_SEND_MARK = 256,  /* backpressure: beyond it, the producer keeps its batches */
    INTAKE_RECEIVE_MARK = 64 /* for each connection: a batch can be large */
};

enum { RECONNECT_MS_MIN = 100, RECONNECT_MS_MAX = 300 };

enum { RAND_STATE_BYTES = 64 };

struct option {
    int name, value;
};

/* ZMTP's own heartbeats stay off: with a finite mark and a busy application
 * they abort the process.  No routing ids and no handover: a stable id makes a
 * returning peer unreachable, or lets another one take its place. */
static const struct option common_options[] = {
    {ZMQ_LINGER, 0},
    {ZMQ_HANDSHAKE_IVL, 3000},
    {ZMQ_CONNECT_TIMEOUT, 5000},
    {ZMQ_TCP_MAXRT, 20000},
    {ZMQ_TCP_KEEPALIVE, 1},
    {ZMQ_TCP_KEEPALIVE_IDLE, 30},
    {ZMQ_TCP_KEEPALIVE_INTVL, 10},
    {ZMQ_TCP_KEEPALIVE_CNT, 3},
    {ZMQ_RECONNECT_IVL_MAX, 5000},
    {ZMQ_BACKLOG, 1024},
};

/* IMMEDIATE makes PUSH forget what it queued for a connection that broke: it is
 * sent again anyway, in a new session.  A DEALER must go without, because it
 * would also forget what it had received and we had not read yet.
 *
 * Marks of 0: a session's credit bounds what is under way, and a finite mark
 * would hold up heartbeats.  A monitor's
 * reader (PAIR) has none either, or libzmq's I/O thread would wait for us. */
static const struct option_of {
    int type;
    struct option option;
} options_by_type[] = {
    {ZMQ_ROUTER, {ZMQ_ROUTER_MANDATORY, 1}},
    {ZMQ_ROUTER, {ZMQ_SNDHWM, FRONT_SEND_MARK}},
    {ZMQ_ROUTER, {ZMQ_RCVHWM, 0}},
    {ZMQ_DEALER, {ZMQ_SNDHWM, 0}},
    {ZMQ_DEALER, {ZMQ_RCVHWM, 0}},
    {ZMQ_PUSH, {ZMQ_IMMEDIATE, 1}},
    {ZMQ_PUSH, {ZMQ_SNDHWM, INTAKE_SEND_MARK}},
    {ZMQ_PULL, {ZMQ_RCVHWM, INTAKE_RECEIVE_MARK}},
    {ZMQ_PAIR, {ZMQ_RCVHWM, 0}},
};

static bool set_option(void *socket, struct option option)
{
    return zmq_setsockopt(socket, option.name, &option.value, sizeof option.value) == 0;
}

static bool set_options(void *socket, int type)
{
    for (size_t i = 0; i < sizeof common_options / sizeof *common_options; i++) {
        if (!set_option(socket, common_options[i])) return false;
    }
    for (size_t i = 0; i < sizeof options_by_type / sizeof *options_by_type; i++) {
        if (options_by_type[i].type != type) continue;
        if (!set_option(socket, options_by_type[i].option)) return false;
    }
    return true;
}

/* Peers that lost the same ventilator must not come back in step. */
static bool set_reconnect(void *socket)
{
    uint16_t chance = 0;
    if (getrandom(&chance, sizeof chance, 0) != (ssize_t)sizeof chance) return false;
    int wait_ms = RECONNECT_MS_MIN + chance % (RECONNECT_MS_MAX - RECONNECT_MS_MIN + 1);
    return set_option(socket, (struct option){ZMQ_RECONNECT_IVL, wait_ms});
}

/* libzmq numbers the peers of a ROUTER upwards from rand(), which is the same in
 * every process unless the host seeds it.  Whoever knows the number to come can
 * take it as a routing id, and at the next honest peer libzmq finds the number
 * taken and aborts (4.3.4).  So rand() is given a state of ours, unpredictable,
 * for that one call, and its own back.  It is one for the whole process, and
 * therefore so is the lock. */
static void *open_router(void *context)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    unsigned seed;
    _Alignas(int) char state[RAND_STATE_BYTES];
    if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed) return NULL;
    pthread_mutex_lock(&lock);
    char *before = initstate(seed, state, sizeof state);
    void *socket = zmq_socket(context, ZMQ_ROUTER);
    int error = errno;
    setstate(before);
    pthread_mutex_unlock(&lock);
    errno = error;
    return socket;
}

void *socket_new(void *context, int type, uint32_t message_bytes_max)
{
    assert(context != NULL);
    void *socket = type == ZMQ_ROUTER ? open_router(context) : zmq_socket(context, type);
    if (socket == NULL) return NULL;
    /* Without a limit, nine bytes from anybody make libzmq allocate gigabytes. */
    int64_t bytes_max = message_bytes_max;
    if (set_options(socket, type) && set_reconnect(socket) &&
        zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &bytes_max, sizeof bytes_max) == 0) {
        return socket;
    }
    int error = errno;
    zmq_close(socket);
    errno = error;
    return NULL;
}

void socket_close(void **socket, int linger_ms)
{
    if (*socket == NULL) return;
    (void)zmq_setsockopt(*socket, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
    int result = zmq_close(*socket);
    assert(result == 0);
    (void)result;
    *socket = NULL;
}

/* Only an address that is IPv6 itself turns it on: otherwise a name could
 * resolve to an address that nobody listens on, and libzmq tries just one. */
static int allow_ipv6(void *socket, const char *endpoint)
{
    if (strchr(endpoint, '[') == NULL) return 0;
    return set_option(socket, (struct option){ZMQ_IPV6, 1}) ? 0 : errno;
}

int socket_bind(void *socket, const char *endpoint)
{
    int error = allow_ipv6(socket, endpoint);
    if (error != 0) return error;
    return zmq_bind(socket, endpoint) == 0 ? 0 : errno;
}

int socket_connect(void *socket, const char *endpoint)
{
    int error = allow_ipv6(socket, endpoint);
    if (error != 0) return error;
    return zmq_connect(socket, endpoint) == 0 ? 0 : errno;
}

bool socket_receive(void *socket, zmq_msg_t *frame)
{
    while (zmq_msg_recv(frame, socket, ZMQ_DONTWAIT) < 0) {
        if (errno == EINTR) continue;
        assert(errno == EAGAIN);
        return false;
    }
    return true;
}

bool socket_ends_with(void *socket, const zmq_msg_t *frame)
{
    if (!zmq_msg_more(frame)) return true;
    zmq_msg_t rest;
    zmq_msg_init(&rest);
    while (socket_receive(socket, &rest) && zmq_msg_more(&rest)) continue;
    zmq_msg_close(&rest);
    return false;
}

bool socket_copy(zmq_msg_t *frame, struct bytes bytes)
{
    if (zmq_msg_init_size(frame, bytes.size) != 0) return false;
    if (bytes.size > 0) memcpy(zmq_msg_data(frame), bytes.data, bytes.size);
    return true;
}

bool socket_send(void *socket, zmq_msg_t *frame, int flags)
{
    while (zmq_msg_send(frame, socket, flags | ZMQ_DONTWAIT) < 0) {
        if (errno != EINTR) return false;
    }
    return true;
}

int socket_fd(void *socket)
{
    int fd = -1;
    size_t size = sizeof fd;
    int result = zmq_getsockopt(socket, ZMQ_FD, &fd, &size);
    assert(result == 0);
    (void)result;
    return fd;
}

bool socket_has_input(void *socket)
{
    int events = 0;
    size_t size = sizeof events;
    while (zmq_getsockopt(socket, ZMQ_EVENTS, &events, &size) != 0) assert(errno == EINTR);
    return (events & ZMQ_POLLIN) != 0;
}
