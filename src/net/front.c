/* front.c - the ventilator's sockets: ROUTER for all, PULL for bulk submissions. */
#include "front.h"

#include "../core/instant.h"
#include "binding.h"
#include "endpoint.h"
#include "monitor.h"
#include "origins.h"
#include "pipe.h"
#include "pollset.h"
#include "socket.h"
#include "timer.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    INTAKES_MAX = 2,
    LINK_BYTES = 5, /* the id that ROUTER gives a peer without one: 0, then a number */
    /* With a pipe, links below this are its connections, one after the other.  ROUTER counts
     * from a random number, so once in some hundred million times a peer gets one of these; it
     * is not heard then, and has another when it tries again. */
    PIPE_LINKS = 16,
    DROPS_MAX = 64, /* messages dropped in one call, so that nobody holds us up */
    NOTED_MAX = 64
};

/* Ways by which messages come. */
enum lane { LANE_ROUTER, LANE_PULL, LANE_PIPE, LANES };

/* Messages in a row while others wait.  Most for ROUTER: heartbeats come there. */
static const uint32_t stretches[LANES] = {[LANE_ROUTER] = 64, [LANE_PULL] = 16, [LANE_PIPE] = 16};

struct front {
    void *router, *pull;
    struct monitor monitor;
    struct origins origins;
    uint64_t noted[NOTED_MAX]; /* by its last bits, a link whose origin is known, plus one */
    struct buffers *buffers;
    struct parcels parcels;
    struct timer timer;
    uint64_t spin_ns;
    int linger_ms;
    int router_fd, pull_fd;
    struct pipe *pipe;        /* borrowed, or NULL */
    uint32_t pipe_connection; /* the latest that spoke */
    /* False after there was nothing, until front_wait says otherwise. */
    bool ready[LANES], monitor_ready;
    bool behind;           /* the turn before the last wait left something */
    bool unseen[LANES];    /* sent to since then, or read in part: see socket_fd */
    enum lane turn;        /* to be asked next, */
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
        front->ready[LANE_ROUTER] = front->ready[LANE_PULL] = front->monitor_ready =
            true; /* to be asked */
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
    timer_open(&front->timer);
    front->spin_ns = options->spin_ns;
    front->linger_ms = options->linger_ms;
    front->pipe = options->pipe;
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
    if (self->pipe != NULL) pipe_close(self->pipe);
    monitor_close(&self->monitor);
    socket_close(&self->router, self->linger_ms);
    socket_close(&self->pull, 0);
    zmq_msg_close(&self->sender);
    zmq_msg_close(&self->message);
    origins_free(&self->origins);
    buffers_destroy(&self->buffers);
    parcels_clear(&self->parcels);
    timer_close(&self->timer);
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

static void look_into(struct front *front, enum lane lane, void *socket)
{
    if (front->unseen[lane] && !front->ready[lane]) front->ready[lane] = socket_has_input(socket);
    front->unseen[lane] = false;
}

void front_watch(struct front *front, const struct waker *waker, struct pollset *set)
{
    bool *ready = front->ready;
    look_into(front, LANE_ROUTER, front->router);
    look_into(front, LANE_PULL, front->pull);
    front->behind = ready[LANE_ROUTER] || ready[LANE_PULL];
    if (front->behind || front->monitor_ready || origins_untold(&front->origins)) {
        set->ready = true;
    }
    if (front->pipe != NULL) {
        const struct waker *sleeper = set->whole ? NULL : waker;
        if (!pipe_doze(front->pipe, PIPE_VENTILATOR, sleeper)) set->ready = true;
        ready[LANE_PIPE] = true; /* to be asked after the wait: that costs next to nothing */
    }
    set->timer = &front->timer;
    pollset_add_waker(set, waker);
    pollset_add(set, front->router_fd, &ready[LANE_ROUTER]);
    pollset_add(set, front->pull_fd, &ready[LANE_PULL]);
    pollset_add(set, front->monitor.fd, &front->monitor_ready);
}

void front_wait(struct front *front, const struct waker *waker, uint64_t until_ns)
{
    struct pollset set;
    pollset_init(&set);
    front_watch(front, waker, &set);
    pollset_wait(&set, front->spin_ns, until_ns);
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
    if (origins_untold(&front->origins)) front->ready[LANE_ROUTER] = true;
}

/* Once for each link, as far as they are remembered: to ask libzmq for the descriptor costs as much
 * as to decode a small message, and ROUTER has another link for each connection. */
static void note_origin(struct front *front, uint32_t link)
{
    uint64_t *noted = &front->noted[link % NOTED_MAX];
    if (*noted == (uint64_t)link + 1) return;
    *noted = (uint64_t)link + 1;
    int fd = zmq_msg_get(&front->message, ZMQ_SRCFD);
    if (origins_knows(&front->origins, fd, link)) return;
    take_events(front);
    origins_heard(&front->origins, fd, link);
}

static bool is_pipe(const struct front *front, uint32_t link)
{
    return front->pipe != NULL && link < PIPE_LINKS;
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
        front->ready[LANE_ROUTER] = false;
        origins_settle(&front->origins);
        return TAKE_EMPTY;
    }
    bool has_body = socket_receive(front->router, &front->message);
    assert(has_body); /* libzmq hands over whole messages */
    (void)has_body;
    uint32_t link;
    bool whole = socket_ends_with(front->router, &front->message);
    if (!whole || !read_link(&front->sender, &link) || is_pipe(front, link)) return TAKE_DROPPED;
    note_origin(front, link);
    *arrival = (struct arrival){.kind = ARRIVAL_MESSAGE,
                                .link = link,
                                .passage = PASSAGE_FRONT,
                                .bytes = contents(&front->message),
                                .parcel = parcels_ready(&front->parcels, &front->message)};
    return TAKE_MESSAGE;
}

static enum take take_from_pull(struct front *front, struct arrival *arrival)
{
    if (!socket_receive(front->pull, &front->message)) {
        front->ready[LANE_PULL] = false;
        return TAKE_EMPTY;
    }
    if (!socket_ends_with(front->pull, &front->message)) return TAKE_DROPPED;
    *arrival = (struct arrival){.kind = ARRIVAL_MESSAGE,
                                .passage = PASSAGE_INTAKE,
                                .bytes = contents(&front->message),
                                .parcel = parcels_ready(&front->parcels, &front->message)};
    return TAKE_MESSAGE;
}

static uint32_t pipe_link(uint32_t connection)
{
    return connection % PIPE_LINKS;
}

static enum take take_from_pipe(struct front *front, struct arrival *arrival)
{
    if (!pipe_receive(front->pipe, PIPE_VENTILATOR, &front->message, &front->pipe_connection)) {
        front->ready[LANE_PIPE] = false;
        return TAKE_EMPTY;
    }
    *arrival = (struct arrival){.kind = ARRIVAL_MESSAGE,
                                .link = pipe_link(front->pipe_connection),
                                .passage = PASSAGE_FRONT,
                                .bytes = contents(&front->message)};
    return TAKE_MESSAGE;
}

static enum take take_from(struct front *front, enum lane lane, struct arrival *arrival)
{
    switch (lane) {
    case LANE_ROUTER: return take_from_router(front, arrival);
    case LANE_PULL: return take_from_pull(front, arrival);
    case LANE_PIPE: return take_from_pipe(front, arrival);
    case LANES: break;
    }
    return TAKE_EMPTY;
}

/* Which to ask: each for a stretch, unless only one has something.  LANES: none has. */
static enum lane next_lane(struct front *front)
{
    bool over = front->stretch_left == 0 || !front->ready[front->turn];
    for (uint32_t passed = 0; over && passed < LANES; passed++) {
        front->turn = (enum lane)((front->turn + 1) % LANES);
        front->stretch_left = stretches[front->turn];
        over = !front->ready[front->turn];
    }
    if (over) return LANES;
    front->stretch_left--;
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
    for (enum lane lane; drops < DROPS_MAX && (lane = next_lane(front)) != LANES;) {
        enum take take = take_from(front, lane, arrival);
        if (take == TAKE_MESSAGE) return;
        if (take == TAKE_DROPPED) {
            drops++;
            front->ignored++;
        }
    }
    if (take_ending(front, arrival)) return;
    *arrival = (struct arrival){.kind = ARRIVAL_NONE};
}

void front_keep(struct front *front)
{
    parcels_keep(&front->parcels, &front->message);
}

void front_return(struct front *front, struct parcel *parcel)
{
    parcels_return(&front->parcels, parcel);
}

bool front_has_news(struct front *front)
{
    if (front->pipe == NULL) return false;
    front->ready[LANE_PIPE] = !pipe_doze(front->pipe, PIPE_VENTILATOR, NULL);
    return front->ready[LANE_PIPE];
}

bool front_is_behind(const struct front *front)
{
    return front->behind;
}

static void leave(struct front *front, enum lane lane)
{
    if (!front->ready[lane]) return;
    front->ready[lane] = false;
    front->unseen[lane] = true;
}

void front_pause(struct front *front)
{
    leave(front, LANE_PULL);
    /* To tell that a peer is gone takes the sight of an empty ROUTER. */
    if (!origins_untold(&front->origins)) leave(front, LANE_ROUTER);
}

/* Sending. */

/* Sends `message` through the pipe, or closes it. */
static bool send_through_pipe(struct front *front, uint32_t link, zmq_msg_t *message)
{
    bool sent = link == pipe_link(front->pipe_connection) &&
                pipe_send(front->pipe, PIPE_VENTILATOR, front->pipe_connection, message);
    zmq_msg_close(message);
    return sent;
}

/* Sends `message`, or closes it. */
static bool send_to(struct front *front, uint32_t link, zmq_msg_t *message)
{
    if (is_pipe(front, link)) return send_through_pipe(front, link, message);
    /* Both frames are made before the first is sent: ROUTER must never be left
     * in the middle of a message. */
    zmq_msg_t sender;
    zmq_msg_init_size(&sender, LINK_BYTES); /* this small, it needs no memory */
    const uint8_t id[LINK_BYTES] = {0, (uint8_t)(link >> 24), (uint8_t)(link >> 16),
                                    (uint8_t)(link >> 8), (uint8_t)link};
    memcpy(zmq_msg_data(&sender), id, sizeof id);
    front->unseen[LANE_ROUTER] = true;

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
