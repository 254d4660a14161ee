/* front.c - the ventilator's sockets: ROUTER for all, PULL for bulk submissions. */
#include "front.h"

#include "../core/instant.h"
#include "binding.h"
#include "endpoint.h"
#include "monitor.h"
#include "origins.h"
#include "socket.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    INTAKES_MAX = 2,
    LINK_BYTES = 5,      /* the id that ROUTER gives a peer without one: 0, then a number */
    FRONT_STRETCH = 64,  /* messages in a row, while the intake waits */
    INTAKE_STRETCH = 16, /* fewer: heartbeats come by the front */
    DROPS_MAX = 64,      /* messages dropped in one call, so that nobody holds us up */
    FAREWELL_LINGER_MS = 100
};

struct front {
    void *router, *pull;
    struct monitor monitor;
    struct origins origins;
    struct buffers *buffers;
    uint64_t spin_ns;
    int router_fd, pull_fd;
    /* False after a socket had nothing, until front_wait says otherwise. */
    bool router_ready, pull_ready, monitor_ready;
    bool router_sent;      /* since then; see socket_fd */
    enum passage turn;     /* the socket to ask next, */
    uint32_t stretch_left; /* this many times in a row */
    uint64_t ignored;
    zmq_msg_t sender, message; /* reused, so that a message costs no allocation of ours */
    char endpoint[ENDPOINT_BYTES];
    char intake_texts[INTAKES_MAX][ENDPOINT_BYTES];
    struct bytes intakes[INTAKES_MAX];
    uint32_t intake_count;
};

/* Binding. */

struct complaint {
    char *text;
    size_t bytes;
};

static bool complain(struct complaint complaint, const char *endpoint, int error)
{
    (void)snprintf(complaint.text, complaint.bytes, "cannot bind %s: %s%s", endpoint,
                   zmq_strerror(error), binding_advice(error));
    return false;
}

static void name_intake(struct front *front, const char *bound)
{
    assert(front->intake_count < INTAKES_MAX);
    char *text = front->intake_texts[front->intake_count];
    /* The host is whatever a peer reached the front by: only that is sure to
     * work from where the peer is. */
    bool tcp = strncmp(bound, "tcp://", 6) == 0;
    (void)snprintf(text, ENDPOINT_BYTES, "%s%s", tcp ? "tcp://*" : "",
                   tcp ? strrchr(bound, ':') : bound);
    front->intakes[front->intake_count++] = bytes_text(text);
}

static bool bind_outside(struct front *front, const struct front_options *options,
                         struct complaint complaint)
{
    if (options->bind == NULL) return true;
    int error = binding_open(front->router, options->bind, front->endpoint);
    if (error != 0) return complain(complaint, options->bind, error);

    char beside[ENDPOINT_BYTES], bound[ENDPOINT_BYTES];
    binding_beside(front->endpoint, beside);
    const char *intake = options->intake != NULL ? options->intake : beside;
    error = binding_open(front->pull, intake, bound);
    if (error != 0) return complain(complaint, intake, error);
    name_intake(front, bound);
    return true;
}

static bool bind_inside(struct front *front, const struct front_options *options,
                        struct complaint complaint)
{
    if (!options->inproc) return true;
    int error = socket_bind(front->router, "inproc://front");
    if (error != 0) return complain(complaint, "inproc://front", error);
    error = socket_bind(front->pull, "inproc://intake");
    if (error != 0) return complain(complaint, "inproc://intake", error);
    name_intake(front, "inproc://intake");
    return true;
}

static bool open_sockets(struct front *front, const struct front_options *options,
                         struct complaint complaint)
{
    int events = ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED;
    front->router = socket_new(options->context, ZMQ_ROUTER, options->message_bytes_max);
    front->pull = socket_new(options->context, ZMQ_PULL, options->message_bytes_max);
    int error = front->router == NULL || front->pull == NULL ? errno : 0;
    if (error == 0) error = monitor_open(&front->monitor, options->context, front->router, events);
    if (error == 0) {
        front->router_fd = socket_fd(front->router);
        front->pull_fd = socket_fd(front->pull);
        front->router_ready = front->pull_ready = front->monitor_ready = true; /* to be asked */
        return true;
    }
    (void)snprintf(complaint.text, complaint.bytes, "cannot open a socket: %s%s",
                   zmq_strerror(error), binding_advice(error));
    return false;
}

struct front *front_new(const struct front_options *options, char *error, size_t error_bytes)
{
    assert(options->bind != NULL || options->inproc);
    struct complaint complaint = {.text = error, .bytes = error_bytes};
    struct front *front = calloc(1, sizeof *front);
    if (front == NULL) {
        (void)snprintf(error, error_bytes, "out of memory");
        return NULL;
    }
    front->spin_ns = options->spin_ns;
    zmq_msg_init(&front->sender);
    zmq_msg_init(&front->message);
    front->buffers = buffers_new();
    if (front->buffers == NULL) {
        (void)snprintf(error, error_bytes, "out of memory");
        front_destroy(&front);
        return NULL;
    }
    if (!open_sockets(front, options, complaint) || !bind_outside(front, options, complaint) ||
        !bind_inside(front, options, complaint)) {
        front_destroy(&front);
    }
    return front;
}

/* libzmq leaves the files it made.  They go while we still listen: later, a
 * successor could have put its own there. */
static void remove_paths(const struct front *front)
{
    binding_remove(front->endpoint);
    for (uint32_t i = 0; i < front->intake_count; i++) binding_remove(front->intake_texts[i]);
}

void front_destroy(struct front **front)
{
    struct front *self = *front;
    if (self == NULL) return;
    remove_paths(self);
    monitor_close(&self->monitor);
    socket_close(&self->router, FAREWELL_LINGER_MS);
    socket_close(&self->pull, 0);
    zmq_msg_close(&self->sender);
    zmq_msg_close(&self->message);
    origins_free(&self->origins);
    buffers_destroy(&self->buffers);
    free(self);
    *front = NULL;
}

const char *front_endpoint(const struct front *front)
{
    return front->endpoint;
}

const struct bytes *front_intakes(const struct front *front, uint32_t *count)
{
    *count = front->intake_count;
    return front->intakes;
}

uint64_t front_ignored(const struct front *front)
{
    return front->ignored;
}

/* Receiving. */

void front_wait(struct front *front, const struct waker *waker, uint64_t timeout_ns)
{
    struct pollfd items[] = {{.fd = -1}, /* the waker's */
                             {.fd = front->router_fd, .events = POLLIN},
                             {.fd = front->pull_fd, .events = POLLIN},
                             {.fd = front->monitor.fd, .events = POLLIN}};
    if (front->router_sent && !front->router_ready) {
        front->router_ready = socket_has_input(front->router);
    }
    front->router_sent = false;
    bool ready = front->router_ready || front->pull_ready || front->monitor_ready ||
                 origins_untold(&front->origins);
    socket_wait(waker, items, sizeof items / sizeof *items, front->spin_ns, ready ? 0 : timeout_ns);
    if (items[1].revents != 0) front->router_ready = true;
    if (items[2].revents != 0) front->pull_ready = true;
    if (items[3].revents != 0) front->monitor_ready = true;
}

static void take_events(struct front *front)
{
    struct monitor_event event;
    while (monitor_next(&front->monitor, &event)) {
        if (event.event == ZMQ_EVENT_ACCEPTED) origins_accepted(&front->origins, event.fd);
        if (event.event == ZMQ_EVENT_DISCONNECTED) origins_disconnected(&front->origins, event.fd);
    }
    front->monitor_ready = false;
    /* Only asking ROUTER again shows that nothing is left of those who went. */
    if (origins_untold(&front->origins)) front->router_ready = true;
}

static void note_origin(struct front *front, uint32_t link)
{
    int fd = zmq_msg_get(&front->message, ZMQ_SRCFD);
    if (origins_knows(&front->origins, fd, link)) return;
    take_events(front);
    origins_heard(&front->origins, fd, link);
}

static bool read_link(zmq_msg_t *sender, uint32_t *link)
{
    const uint8_t *id = zmq_msg_data(sender);
    if (zmq_msg_size(sender) != LINK_BYTES || id[0] != 0) return false;
    *link = (uint32_t)id[1] << 24 | (uint32_t)id[2] << 16 | (uint32_t)id[3] << 8 | id[4];
    return true;
}

static struct bytes contents(zmq_msg_t *message)
{
    return bytes_of(zmq_msg_data(message), zmq_msg_size(message));
}

enum take { TAKE_MESSAGE, TAKE_DROPPED, TAKE_EMPTY };

static enum take take_from_router(struct front *front, struct arrival *arrival)
{
    if (!socket_receive(front->router, &front->sender)) {
        front->router_ready = false;
        origins_settle(&front->origins);
        return TAKE_EMPTY;
    }
    bool has_body = socket_receive(front->router, &front->message);
    assert(has_body); /* libzmq hands over whole messages */
    (void)has_body;
    uint32_t link;
    bool whole = socket_ends_with(front->router, &front->message);
    if (!whole || !read_link(&front->sender, &link)) return TAKE_DROPPED;
    note_origin(front, link);
    *arrival = (struct arrival){.kind = ARRIVAL_MESSAGE,
                                .link = link,
                                .passage = PASSAGE_FRONT,
                                .bytes = contents(&front->message)};
    return TAKE_MESSAGE;
}

static enum take take_from_pull(struct front *front, struct arrival *arrival)
{
    if (!socket_receive(front->pull, &front->message)) {
        front->pull_ready = false;
        return TAKE_EMPTY;
    }
    if (!socket_ends_with(front->pull, &front->message)) return TAKE_DROPPED;
    *arrival = (struct arrival){
        .kind = ARRIVAL_MESSAGE, .passage = PASSAGE_INTAKE, .bytes = contents(&front->message)};
    return TAKE_MESSAGE;
}

/* Which socket to ask: each for a stretch, unless only one has something. */
static enum passage next_passage(struct front *front)
{
    assert(front->router_ready || front->pull_ready);
    if (front->stretch_left == 0) {
        front->turn = front->turn == PASSAGE_FRONT ? PASSAGE_INTAKE : PASSAGE_FRONT;
        front->stretch_left = front->turn == PASSAGE_FRONT ? FRONT_STRETCH : INTAKE_STRETCH;
    }
    front->stretch_left--;
    if (!front->router_ready) return PASSAGE_INTAKE;
    if (!front->pull_ready) return PASSAGE_FRONT;
    return front->turn;
}

static bool take_ending(struct front *front, struct arrival *arrival)
{
    uint32_t link;
    if (!origins_take_ending(&front->origins, &link)) return false;
    *arrival = (struct arrival){.kind = ARRIVAL_CLOSED, .link = link};
    return true;
}

void front_next(struct front *front, struct arrival *arrival)
{
    if (front->monitor_ready) take_events(front);
    if (take_ending(front, arrival)) return;
    uint32_t drops = 0;
    while ((front->router_ready || front->pull_ready) && drops < DROPS_MAX) {
        enum take take = next_passage(front) == PASSAGE_FRONT ? take_from_router(front, arrival)
                                                              : take_from_pull(front, arrival);
        if (take == TAKE_MESSAGE) return;
        if (take == TAKE_DROPPED) {
            drops++;
            front->ignored++;
        }
    }
    if (take_ending(front, arrival)) return;
    *arrival = (struct arrival){.kind = ARRIVAL_NONE};
}

/* Sending. */

/* Sends `message`, or closes it. */
static bool send_to(struct front *front, uint32_t link, zmq_msg_t *message)
{
    /* Both frames are made before the first is sent: ROUTER must never be left
     * in the middle of a message. */
    zmq_msg_t sender;
    zmq_msg_init_size(&sender, LINK_BYTES); /* this small, it needs no memory */
    const uint8_t id[LINK_BYTES] = {0, (uint8_t)(link >> 24), (uint8_t)(link >> 16),
                                    (uint8_t)(link >> 8), (uint8_t)link};
    memcpy(zmq_msg_data(&sender), id, sizeof id);
    front->router_sent = true;

    bool sent = socket_send(front->router, &sender, ZMQ_SNDMORE);
    if (!sent && zmq_errno() == EAGAIN) {
        /* Full, unless the peer has read meanwhile: libzmq looks for that about once
         * in a millisecond, and when it is asked for the socket's events. */
        int events;
        size_t size = sizeof events;
        (void)zmq_getsockopt(front->router, ZMQ_EVENTS, &events, &size);
        sent = socket_send(front->router, &sender, ZMQ_SNDMORE);
    }
    if (sent) {
        bool followed = socket_send(front->router, message, 0);
        assert(followed); /* ROUTER refuses only ids */
        (void)followed;
    }
    zmq_msg_close(&sender);
    zmq_msg_close(message);
    return sent;
}

bool front_send(struct front *front, uint32_t link, struct bytes bytes)
{
    zmq_msg_t message;
    return socket_copy(&message, bytes) && send_to(front, link, &message);
}

uint8_t *front_send_buffer(struct front *front, uint32_t link, struct bytes bytes)
{
    zmq_msg_t message;
    if (bytes.size < BUFFERS_WORTH_BYTES) {
        (void)front_send(front, link, bytes);
        return buffers_under(bytes);
    }
    if (buffers_wrap(front->buffers, bytes, &message)) (void)send_to(front, link, &message);
    return buffers_take(front->buffers);
}
