/* pipe.c - messages between a producer and the ventilator that it carries, without a socket. */
#include "pipe.h"

#include "waker.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { RUN_MIN = 16 };

struct queued {
    zmq_msg_t message;
    uint32_t connection;
};

struct run {
    struct queued *items;
    uint32_t next, count, capacity; /* those before `next` were taken */
};

/* One direction.  The reader takes all that has come at once, so that the lock is taken
 * for each message only by who sends; and not at all to see that nothing has. */
struct lane {
    pthread_mutex_t lock;
    struct run sent;
    atomic_bool filled;          /* something was sent and not taken */
    const struct waker *sleeper; /* to be woken for the next one; NULL: nobody sleeps */
    bool closed;                 /* nobody reads any more */
    struct run taken;            /* the reader's own: what is to be read next, */
    bool dozes;                  /* and whether it left a sleeper */
};

struct pipe {
    struct lane lanes[2]; /* by the end that sends */
    uint32_t connection;  /* that stands, or 0; guarded by the lock of what the ventilator sends */
    uint32_t connections; /* ever; the producer's own */
};

struct pipe *pipe_new(void)
{
    struct pipe *pipe = calloc(1, sizeof *pipe);
    if (pipe == NULL) return NULL;
    (void)pthread_mutex_init(&pipe->lanes[0].lock, NULL); /* cannot fail */
    (void)pthread_mutex_init(&pipe->lanes[1].lock, NULL);
    return pipe;
}

static void drop_all(struct run *run)
{
    while (run->next < run->count) zmq_msg_close(&run->items[run->next++].message);
    run->next = run->count = 0;
}

void pipe_destroy(struct pipe **pipe)
{
    struct pipe *self = *pipe;
    *pipe = NULL;
    if (self == NULL) return;
    for (int end = 0; end < 2; end++) {
        struct lane *lane = &self->lanes[end];
        drop_all(&lane->sent);
        drop_all(&lane->taken);
        free(lane->sent.items);
        free(lane->taken.items);
        (void)pthread_mutex_destroy(&lane->lock);
    }
    free(self);
}

static void set_connection(struct pipe *pipe, uint32_t connection)
{
    struct lane *lane = &pipe->lanes[PIPE_VENTILATOR];
    (void)pthread_mutex_lock(&lane->lock);
    pipe->connection = connection;
    drop_all(&lane->sent);
    atomic_store_explicit(&lane->filled, false, memory_order_relaxed);
    (void)pthread_mutex_unlock(&lane->lock);
    drop_all(&lane->taken);
}

uint32_t pipe_connect(struct pipe *pipe)
{
    if (++pipe->connections == 0) pipe->connections = 1;
    set_connection(pipe, pipe->connections);
    return pipe->connections;
}

void pipe_disconnect(struct pipe *pipe)
{
    set_connection(pipe, 0);
}

void pipe_close(struct pipe *pipe)
{
    struct lane *lane = &pipe->lanes[PIPE_PRODUCER];
    (void)pthread_mutex_lock(&lane->lock);
    lane->closed = true;
    lane->sleeper = NULL;
    drop_all(&lane->sent);
    atomic_store_explicit(&lane->filled, false, memory_order_relaxed);
    (void)pthread_mutex_unlock(&lane->lock);
    drop_all(&lane->taken);
}

static bool has_room(struct run *run)
{
    if (run->count < run->capacity) return true;
    if (run->count >= PIPE_MESSAGES_MAX) return false;
    uint32_t capacity = run->capacity > 0 ? 2 * run->capacity : RUN_MIN;
    struct queued *items = realloc(run->items, capacity * sizeof *items);
    if (items == NULL) return false;
    run->items = items;
    run->capacity = capacity;
    return true;
}

bool pipe_send(struct pipe *pipe, enum pipe_end from, uint32_t connection, zmq_msg_t *message)
{
    struct lane *lane = &pipe->lanes[from];
    const struct waker *sleeper = NULL;
    (void)pthread_mutex_lock(&lane->lock);
    bool stands = from == PIPE_PRODUCER || connection == pipe->connection;
    bool sent = stands && !lane->closed && has_room(&lane->sent);
    if (sent) {
        struct queued *queued = &lane->sent.items[lane->sent.count++];
        zmq_msg_init(&queued->message);
        (void)zmq_msg_move(&queued->message, message); /* both are sound */
        queued->connection = connection;
        sleeper = lane->sleeper;
        lane->sleeper = NULL;
        atomic_store_explicit(&lane->filled, true, memory_order_relaxed);
    }
    (void)pthread_mutex_unlock(&lane->lock);
    if (sleeper != NULL) waker_wake(sleeper);
    return sent;
}

/* Whether a look would find nothing, and has nothing else to do.  What is sent at this very
 * moment comes after the look; with nobody asleep, the sender relies on the next one. */
static bool is_empty(const struct lane *lane)
{
    return !lane->dozes && !atomic_load_explicit(&lane->filled, memory_order_relaxed);
}

static bool take_all(struct lane *lane)
{
    lane->taken.next = lane->taken.count = 0;
    lane->dozes = false;
    (void)pthread_mutex_lock(&lane->lock);
    const struct run swapped = lane->sent;
    lane->sent = lane->taken;
    lane->taken = swapped;
    lane->sleeper = NULL;
    atomic_store_explicit(&lane->filled, false, memory_order_relaxed);
    (void)pthread_mutex_unlock(&lane->lock);
    return lane->taken.count > 0;
}

bool pipe_receive(struct pipe *pipe, enum pipe_end at, zmq_msg_t *message, uint32_t *connection)
{
    struct lane *lane = &pipe->lanes[at == PIPE_PRODUCER ? PIPE_VENTILATOR : PIPE_PRODUCER];
    bool none = lane->taken.next == lane->taken.count;
    if (none && (is_empty(lane) || !take_all(lane))) return false;
    struct queued *queued = &lane->taken.items[lane->taken.next++];
    (void)zmq_msg_move(message, &queued->message);
    zmq_msg_close(&queued->message);
    *connection = queued->connection;
    return true;
}

bool pipe_doze(struct pipe *pipe, enum pipe_end at, const struct waker *waker)
{
    struct lane *lane = &pipe->lanes[at == PIPE_PRODUCER ? PIPE_VENTILATOR : PIPE_PRODUCER];
    if (lane->taken.next < lane->taken.count) return false;
    if (waker == NULL && !lane->dozes) return is_empty(lane);
    (void)pthread_mutex_lock(&lane->lock);
    bool empty = lane->sent.count == 0;
    lane->sleeper = empty ? waker : NULL;
    lane->dozes = lane->sleeper != NULL;
    (void)pthread_mutex_unlock(&lane->lock);
    return empty;
}
