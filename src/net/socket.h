/* socket.h - raw ZeroMQ sockets, with our options set in one place.
 *
 * Owns nothing: callers keep the sockets.  A socket belongs to one thread.
 * Nothing here waits; pollset_wait does.
 */
#ifndef NET_SOCKET_H
#define NET_SOCKET_H

#include "../core/bytes.h"

#include <stdbool.h>
#include <stdint.h>
#include <zmq.h>

/* A socket of a ZMQ_* type with our options, neither bound nor connected.
 * NULL, with errno, when the system refuses. */
void *socket_new(void *context, int type, uint32_t message_bytes_max);

/* Closes it and sets *socket to NULL.  What was not sent yet still is, unless
 * `linger_ms` passes first (0: dropped).  *socket may be NULL. */
void socket_close(void **socket, int linger_ms);

/* Both return 0, or an errno value. */
int socket_bind(void *socket, const char *endpoint);
int socket_connect(void *socket, const char *endpoint);

/* Takes the next frame into `frame`, which was initialised before; what it held
 * is released.  False: nothing has arrived. */
bool socket_receive(void *socket, zmq_msg_t *frame);

/* Discards the frames that follow `frame` in its message.  False when there
 * were any: then it was no message of ours. */
bool socket_ends_with(void *socket, const zmq_msg_t *frame);

/* Makes `frame` of a copy of `bytes`.  False: memory is short. */
bool socket_copy(zmq_msg_t *frame, struct bytes bytes);

/* Sends one frame; ZMQ_SNDMORE in `flags` announces another.  False: it cannot
 * be sent, and errno says why. */
bool socket_send(void *socket, zmq_msg_t *frame, int flags);

/* The descriptor to be polled for input.  It only tells that something came since
 * libzmq looked last, and libzmq looks also while it sends.  So whoever sleeps on it
 * first receives until there is nothing, and after sending asks socket_has_input. */
int socket_fd(void *socket);
bool socket_has_input(void *socket);

#endif
