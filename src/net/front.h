/* front.h - the ventilator's sockets: ROUTER for all, PULL for bulk submissions; and the pipe
 * from a producer that carries it.
 *
 * Owns: both sockets, the monitor that reports closed connections, and which
 * link a connection is.  No decisions and no decoding.  One thread.
 */
#ifndef NET_FRONT_H
#define NET_FRONT_H

#include "../core/bytes.h"
#include "../core/message.h"
#include "buffers.h"
#include "context.h"
#include "parcels.h"
#include "waker.h"

#include <stdbool.h>

struct front;
struct pipe;
struct pollset;

struct front_options {
    void *context;      /* a context of ours (net_context_new), borrowed */
    const char *bind;   /* NULL: inproc only */
    const char *intake; /* NULL: any free port beside `bind` */
    bool inproc;        /* also serve inproc://front and inproc://intake in this context */
    struct pipe *pipe;  /* from a producer in this process; borrowed, or NULL */
    uint32_t message_bytes_max;
    uint64_t spin_ns; /* front_wait looks for so long before it sleeps (pollset.h) */
    int linger_ms;    /* so long may what was sent last take to leave at the end; 0: dropped */
};

/* Binds.  NULL on failure, with the reason for people in `error`. */
struct front *front_new(const struct front_options *options, char *error, size_t error_bytes);
/* What was sent still goes out, unless that takes longer than `linger_ms`; the context waits
 * for it when it is destroyed. */
void front_destroy(struct front **front);

/* The front as bound, with its real port ("" for inproc only). */
const char *front_endpoint(const struct front *front);

/* The intakes to name in WELCOME; on tcp with a host of *, the one a peer reached
 * the front by.  Borrowed for the life of the front. */
const struct bytes *front_intakes(const struct front *front, uint32_t *count);

enum arrival_kind {
    ARRIVAL_NONE,         /* nothing has arrived for now */
    ARRIVAL_MESSAGE,      /* `bytes` came */
    ARRIVAL_CLOSED,       /* the connection of `link` is gone */
    ARRIVAL_CONNECTED,    /* dials only, as all that follow */
    ARRIVAL_HOST_UNKNOWN, /* there is no address for the host name of `link` */
    ARRIVAL_HOST_KNOWN,   /* now there is */
    ARRIVAL_INTAKE_UP,
    ARRIVAL_INTAKE_DOWN
};

struct arrival {
    enum arrival_kind kind;
    uint32_t link;
    enum passage passage;
    struct bytes bytes;    /* borrowed until the next call on the same object */
    struct parcel *parcel; /* they can be kept where they are, in this; NULL: they cannot */
};

/* Waits until something arrives, `waker` is woken, or until `until_ns`, as of clock_now_ns
 * (0: it only looks; INSTANT_NEVER: no limit). */
void front_wait(struct front *front, const struct waker *waker, uint64_t until_ns);

/* Adds all that front_wait waits for. */
void front_watch(struct front *front, const struct waker *waker, struct pollset *set);

/* Whether something came through the pipe since front_next found nothing. */
bool front_has_news(struct front *front);

/* Takes the next thing that arrived, never waiting.  Messages first, then
 * closed connections, so that nothing said before the end is lost. */
void front_next(struct front *front, struct arrival *arrival);

/* Keeps the bytes of the message that came last where they are, in the parcel that came with
 * it, until that is returned. */
void front_keep(struct front *front);
void front_return(struct front *front, struct parcel *parcel);

/* No more is taken from the sockets in this turn.  To find one empty costs as much as a message,
 * and so does the look before the wait, which a turn that sends needs anyway. */
void front_pause(struct front *front);

/* Whether that look, in the last wait, found that more had come than was taken. */
bool front_is_behind(const struct front *front);

/* Sends, never waiting.  False: that connection is gone (or its queue cannot
 * take it); the session's numbers will show it. */
bool front_send(struct front *front, uint32_t link, struct bytes bytes);

/* The same, and a message of BUFFERS_WORTH_BYTES or more (buffers.h) without a copy: `bytes`
 * begin a buffer from malloc, which is handed over, sent or not.  Returns one to be written
 * anew and freed or sent, which may be the same, or NULL. */
uint8_t *front_send_buffer(struct front *front, uint32_t link, struct bytes bytes);

/* How many messages were dropped unread: of several frames, or of peers that
 * chose a routing id of their own.  Neither is our protocol. */
uint64_t front_ignored(const struct front *front);

#endif
