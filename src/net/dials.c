/* dials.c - the sockets of a producer or a worker. */
#include "dials.h"

#include "../core/instant.h"
#include "endpoint.h"
#include "monitor.h"
#include "pipe.h"
#include "pollset.h"
#include "share.h"
#include "socket.h"
#include "timer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    DIALS_MAX = 64,
    STRETCH = 64,  /* messages in a row from one link, while others wait */
    DROPS_MAX = 64 /* messages dropped in one call */
};

/* One socket, or the way through a pipe, and what is known of its connection. */
struct line {
    void *socket;        /* NULL: not open, or a pipe */
    struct pipe *pipe;   /* borrowed; NULL: not open, or a socket */
    uint32_t connection; /* of the pipe */
    int fd;              /* to be polled */
    struct monitor monitor;
    /* False after there was nothing, until dials_wait says otherwise. */
    bool ready, monitor_ready;
    bool receives;  /* the front; by the intake nothing comes */
    bool unseen;    /* sent to since then, or read in part: see socket_fd */
    uint32_t taken; /* messages since it was empty last */
    uint32_t most;  /* so many are taken before the next: as many as came the last time */
    bool joined;    /* connected as soon as it is open, which no monitor reports: inproc, a pipe */
    bool up;        /* its connection was told of, and not yet its end */
    bool ending;    /* the connection is gone; what it brought is still being read */
    bool reached;   /* its host had an address when it was tried last */
};

struct dial {
    char *endpoint;
    struct pipe *pipe; /* the way there, if it is not a socket */
    bool host_unknown; /* as was told last */
    struct line front, intake;
};

struct dials {
    void *context;
    uint32_t message_bytes_max;
    uint32_t count;
    uint32_t turn; /* the link to ask next, */
    uint32_t stretch_left;
    zmq_msg_t message;
    struct buffers *buffers;
    struct parcels parcels;
    struct timer timer;
    uint64_t spin_ns;
    struct dial *dial;
};

struct dials *dials_new(void *context, const char *const *endpoints, uint32_t count,
                        uint32_t message_bytes_max)
{
    assert(count > 0 && count <= DIALS_MAX);
    struct dials *dials = calloc(1, sizeof *dials);
    if (dials == NULL) return NULL;
    timer_open(&dials->timer);
    dials->context = context;
    dials->message_bytes_max = message_bytes_max;
    dials->stretch_left = STRETCH;
    zmq_msg_init(&dials->message);
    dials->dial = calloc(count, sizeof *dials->dial);
    dials->buffers = buffers_new();
    bool complete = dials->dial != NULL && dials->buffers != NULL;
    while (complete && dials->count < count) {
        char *endpoint = strdup(endpoints[dials->count]);
        complete = endpoint != NULL;
        if (complete) dials->dial[dials->count++].endpoint = endpoint;
    }
    if (!complete) dials_destroy(&dials);
    return dials;
}

void dials_destroy(struct dials **dials)
{
    struct dials *self = *dials;
    if (self == NULL) return;
    for (uint32_t link = 0; link < self->count; link++) {
        dials_shut(self, link, 0);
        free(self->dial[link].endpoint);
    }
    zmq_msg_close(&self->message);
    buffers_destroy(&self->buffers);
    parcels_clear(&self->parcels);
    timer_close(&self->timer);
    free(self->dial);
    free(self);
    *dials = NULL;
}

static struct dial *dial_of(struct dials *dials, uint32_t link)
{
    assert(link < dials->count);
    return &dials->dial[link];
}

void dials_join(struct dials *dials, uint32_t link, struct pipe *pipe)
{
    dial_of(dials, link)->pipe = pipe;
}

/* Opening and closing. */

static void line_close(struct line *line, int linger_ms)
{
    if (line->pipe != NULL) pipe_disconnect(line->pipe);
    monitor_close(&line->monitor);
    socket_close(&line->socket, linger_ms);
    *line = (struct line){0};
}

static bool line_open(struct line *line, const struct dials *dials, int type, const char *endpoint)
{
    int events = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED;
    char name[ENDPOINT_BYTES];
    if (type == ZMQ_DEALER && endpoint_host_name(endpoint, name)) {
        events |= ZMQ_EVENT_CONNECTED | ZMQ_EVENT_CLOSED | ZMQ_EVENT_CONNECT_RETRIED;
    }
    *line = (struct line){.socket = socket_new(dials->context, type, dials->message_bytes_max)};
    if (line->socket == NULL) return false;
    line->joined = strncmp(endpoint, "inproc:", 7) == 0;
    if ((line->joined || monitor_open(&line->monitor, dials->context, line->socket, events) == 0) &&
        socket_connect(line->socket, endpoint) == 0) {
        line->fd = socket_fd(line->socket);
        line->monitor_ready = !line->joined; /* to be asked */
        line->ready = line->receives = type == ZMQ_DEALER;
        line->most = 1;
        return true;
    }
    line_close(line, 0);
    return false;
}

bool dials_open(struct dials *dials, uint32_t link)
{
    struct dial *dial = dial_of(dials, link);
    dials_shut(dials, link, 0);
    if (dial->pipe != NULL) {
        dial->front = (struct line){.pipe = dial->pipe,
                                    .connection = pipe_connect(dial->pipe),
                                    .joined = true,
                                    .receives = true};
        return true;
    }
    return line_open(&dial->front, dials, ZMQ_DEALER, dial->endpoint);
}

bool dials_open_intake(struct dials *dials, uint32_t link, const struct bytes *intakes,
                       uint32_t count)
{
    struct dial *dial = dial_of(dials, link);
    char endpoint[ENDPOINT_BYTES];
    line_close(&dial->intake, 0);
    if (dial->pipe != NULL) return true; /* nothing is held up there by a batch before it */
    for (uint32_t i = 0; i < count; i++) {
        const char *intake = (const char *)intakes[i].data;
        if (!endpoint_resolve(dial->endpoint, intake, intakes[i].size, endpoint)) continue;
        return line_open(&dial->intake, dials, ZMQ_PUSH, endpoint);
    }
    return false;
}

void dials_shut(struct dials *dials, uint32_t link, int linger_ms)
{
    struct dial *dial = dial_of(dials, link);
    line_close(&dial->front, linger_ms);
    line_close(&dial->intake, linger_ms);
}

/* Receiving. */

/* Whether there is no need to wait. */
static bool line_has_something(struct line *line, const struct waker *sleeper)
{
    if (line->pipe != NULL) {
        line->ready = true; /* to be asked after the wait: that costs next to nothing */
        return !pipe_doze(line->pipe, PIPE_PRODUCER, sleeper) || line->joined;
    }
    bool behind = line->unseen && !line->ready && socket_has_input(line->socket);
    line->ready = line->ready || behind;
    if (behind) {
        line->most = UINT32_MAX;
    } else {
        line->most = line->taken > 0 ? line->taken : 1;
        line->taken = 0;
    }
    line->unseen = false;
    return line->ready || line->monitor_ready || line->joined || line->ending;
}

void dials_spin(struct dials *dials, uint64_t spin_ns)
{
    dials->spin_ns = spin_ns;
}

static void watch(struct pollset *set, void *socket, int fd, bool *flag)
{
    if (socket != NULL) pollset_add(set, fd, flag);
}

void dials_watch(struct dials *dials, const struct waker *waker, struct pollset *set)
{
    const struct waker *sleeper = set->whole ? NULL : waker;
    set->timer = &dials->timer;
    pollset_add_waker(set, waker);
    for (uint32_t link = 0; link < dials->count; link++) {
        struct line *front = &dials->dial[link].front, *intake = &dials->dial[link].intake;
        if (line_has_something(front, sleeper)) set->ready = true;
        if (line_has_something(intake, sleeper)) set->ready = true;
        watch(set, front->socket, front->fd, &front->ready);
        watch(set, front->monitor.socket, front->monitor.fd, &front->monitor_ready);
        watch(set, intake->monitor.socket, intake->monitor.fd, &intake->monitor_ready);
    }
}

void dials_wait(struct dials *dials, const struct waker *waker, uint64_t until_ns)
{
    struct pollset set;
    pollset_init(&set);
    dials_watch(dials, waker, &set);
    pollset_wait(&set, dials->spin_ns, until_ns);
}

enum line_news { LINE_NOTHING, LINE_UP, LINE_HOST_UNKNOWN, LINE_HOST_KNOWN };

/* Reads what happened to the connection, up to the first thing that may be told.  Of a host name
 * that has no address libzmq says only that it tries again, and not that anything was opened or
 * closed since it tried last. */
static enum line_news line_heard(struct line *line)
{
    struct monitor_event event;
    if (line->joined) {
        line->joined = false;
        line->up = true;
        return LINE_UP;
    }
    while (line->monitor_ready && !line->ending) {
        if (!monitor_next(&line->monitor, &event)) {
            line->monitor_ready = false;
        } else if (event.event == ZMQ_EVENT_CONNECT_RETRIED) {
            if (!line->reached) return LINE_HOST_UNKNOWN;
            line->reached = false;
        } else if (event.event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED && !line->up) {
            line->up = true;
            return LINE_UP;
        } else if (event.event == ZMQ_EVENT_DISCONNECTED && line->up) {
            line->ending = true;
            line->ready = true; /* only asking again shows that nothing is left */
        } else {
            line->reached = true;
            return LINE_HOST_KNOWN;
        }
    }
    return LINE_NOTHING;
}

static enum line_news line_news(struct line *line)
{
    return line->joined || line->monitor_ready ? line_heard(line) : LINE_NOTHING;
}

static void tell(struct arrival *arrival, enum arrival_kind kind, uint32_t link)
{
    *arrival = (struct arrival){.kind = kind, .link = link};
}

static bool next_of_intake(struct dials *dials, uint32_t link, struct arrival *arrival)
{
    struct line *line = &dials->dial[link].intake;
    for (enum line_news news; (news = line_news(line)) != LINE_NOTHING;) {
        if (news != LINE_UP) continue;
        tell(arrival, ARRIVAL_INTAKE_UP, link);
        return true;
    }
    if (!line->ending) return false;
    line->ending = line->ready = line->up = false;
    tell(arrival, ARRIVAL_INTAKE_DOWN, link);
    return true;
}

static bool line_receive(struct line *line, zmq_msg_t *message)
{
    uint32_t connection; /* the one that stands: of no other anything comes */
    if (line->pipe != NULL) {
        return pipe_receive(line->pipe, PIPE_PRODUCER, message, &connection);
    }
    return socket_receive(line->socket, message);
}

/* To find a socket empty costs as much as a message, and so does the look before the wait, which
 * a turn that sends needs anyway.  So when as many came as the last time, no more is asked for;
 * but the end of a connection is told only at the sight of an empty socket. */
static void leave_if_enough(struct line *line)
{
    if (line->pipe != NULL || !line->ready || line->ending || line->taken < line->most) return;
    line->ready = false;
    line->unseen = true;
}

/* Whether there is news of the connection.  Of a host name each try is news to the line. */
static bool news_of_front(struct dials *dials, uint32_t link, struct arrival *arrival)
{
    struct dial *dial = &dials->dial[link];
    for (enum line_news news; (news = line_news(&dial->front)) != LINE_NOTHING;) {
        bool unknown = news == LINE_HOST_UNKNOWN;
        if (news == LINE_UP) {
            tell(arrival, ARRIVAL_CONNECTED, link);
            return true;
        }
        if (unknown != dial->host_unknown) {
            dial->host_unknown = unknown;
            tell(arrival, unknown ? ARRIVAL_HOST_UNKNOWN : ARRIVAL_HOST_KNOWN, link);
            return true;
        }
    }
    return false;
}

static bool next_of_front(struct dials *dials, uint32_t link, struct arrival *arrival)
{
    struct line *line = &dials->dial[link].front;
    if (news_of_front(dials, link, arrival)) return true;
    leave_if_enough(line);
    for (uint32_t drops = 0; line->ready && drops < DROPS_MAX;) {
        if (!line_receive(line, &dials->message)) {
            line->ready = false;
        } else if (line->pipe == NULL && !socket_ends_with(line->socket, &dials->message)) {
            drops++; /* several frames: not our protocol */
        } else {
            line->taken++;
            tell(arrival, ARRIVAL_MESSAGE, link);
            arrival->passage = PASSAGE_FRONT;
            arrival->bytes = bytes_of(zmq_msg_data(&dials->message), zmq_msg_size(&dials->message));
            if (line->pipe == NULL) {
                arrival->parcel = parcels_ready(&dials->parcels, &dials->message);
            }
            return true;
        }
    }
    if (line->ready || !line->ending) return false;
    line_close(line, 0);
    tell(arrival, ARRIVAL_CLOSED, link);
    return true;
}

static void turn_to_next(struct dials *dials)
{
    dials->turn = (dials->turn + 1) % dials->count;
    dials->stretch_left = STRETCH;
}

void dials_next(struct dials *dials, struct arrival *arrival)
{
    if (dials->stretch_left == 0) turn_to_next(dials);
    for (uint32_t asked = 0; asked < dials->count; asked++) {
        dials->stretch_left--;
        uint32_t link = dials->turn;
        if (next_of_intake(dials, link, arrival)) return;
        if (next_of_front(dials, link, arrival)) return;
        turn_to_next(dials);
    }
    tell(arrival, ARRIVAL_NONE, 0);
}

void dials_keep(struct dials *dials)
{
    parcels_keep(&dials->parcels, &dials->message);
}

void dials_return(struct dials *dials, struct parcel *parcel)
{
    parcels_return(&dials->parcels, parcel);
}

struct parcel *dials_parcel(struct dials *dials)
{
    return parcels_spare(&dials->parcels);
}

void dials_keep_block(struct dials *dials, void *block)
{
    parcels_keep_block(&dials->parcels, block);
}

struct share *dials_share(struct dials *dials)
{
    return share_new(&dials->message);
}

/* Sending. */

/* libzmq would keep it for a later connection, which is another session. */
static bool is_up(const struct line *line)
{
    return line->up && !line->ending;
}

static struct line *line_of(struct dials *dials, uint32_t link, enum passage passage)
{
    struct dial *dial = dial_of(dials, link);
    return passage == PASSAGE_FRONT ? &dial->front : &dial->intake;
}

static bool line_send(struct line *line, zmq_msg_t *message)
{
    if (line->pipe != NULL) {
        return pipe_send(line->pipe, PIPE_PRODUCER, line->connection, message);
    }
    line->unseen = line->receives;
    return socket_send(line->socket, message, 0);
}

bool dials_send(struct dials *dials, uint32_t link, enum passage passage, struct bytes bytes)
{
    struct line *line = line_of(dials, link, passage);
    zmq_msg_t message;
    if (!is_up(line) || !socket_copy(&message, bytes)) return false;
    bool sent = line_send(line, &message);
    zmq_msg_close(&message);
    return sent;
}

uint8_t *dials_send_buffer(struct dials *dials, uint32_t link, enum passage passage,
                           struct bytes bytes)
{
    struct line *line = line_of(dials, link, passage);
    zmq_msg_t message;
    if (bytes.size < BUFFERS_WORTH_BYTES) {
        (void)dials_send(dials, link, passage, bytes);
        return buffers_under(bytes);
    }
    if (buffers_wrap(dials->buffers, bytes, &message)) {
        if (is_up(line)) (void)line_send(line, &message);
        zmq_msg_close(&message);
    }
    return buffers_take(dials->buffers);
}
