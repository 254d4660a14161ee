/* pipe.h - messages between a producer and the ventilator that it carries, without a socket.
 *
 * Owns: the messages on their way.  Each end belongs to one thread at a time, and both may
 * belong to the same.  A message is libzmq's own, so that large ones pass without a copy.
 * Nobody is woken but who sleeps.
 *
 * The producer connects, and disconnects, as it would a socket.  What the ventilator says
 * on a connection that is over is dropped; what the producer has said before still comes.
 */
#ifndef NET_PIPE_H
#define NET_PIPE_H

#include <stdbool.h>
#include <stdint.h>
#include <zmq.h>

struct waker;
struct pipe;

enum pipe_end { PIPE_PRODUCER, PIPE_VENTILATOR };

/* On their way in one direction, each of MESSAGE_BYTES_MAX at most.  Sessions keep it far
 * below: at most 256 batches of tasks are not answered, and results wait for receipts. */
enum { PIPE_MESSAGES_MAX = 4096 };

/* NULL: memory is short. */
struct pipe *pipe_new(void);
/* No thread may be at either end any more. */
void pipe_destroy(struct pipe **pipe);

/* The producer's: opens a connection in place of the last.  Returns its number, which is
 * never 0. */
uint32_t pipe_connect(struct pipe *pipe);
void pipe_disconnect(struct pipe *pipe);

/* The ventilator's: it reads no more.  What was sent to it is dropped, and nothing is taken
 * from now on. */
void pipe_close(struct pipe *pipe);

/* Sends on `connection`, as zmq_msg_send does: `message` is empty afterwards.  False, and it is
 * untouched: that connection is over, nobody reads any more, the pipe is full, or memory is short.
 */
bool pipe_send(struct pipe *pipe, enum pipe_end from, uint32_t connection, zmq_msg_t *message);

/* Takes the next message for this end into `message`, which was initialised before, and says
 * on which connection it came.  False: there is none. */
bool pipe_receive(struct pipe *pipe, enum pipe_end at, zmq_msg_t *message, uint32_t *connection);

/* Whoever is at this end is about to sleep: `waker` is woken for the next message, once, unless
 * pipe_receive has been called until then; NULL: nobody is, since the same thread has the other
 * end.  False: there is one already. */
bool pipe_doze(struct pipe *pipe, enum pipe_end at, const struct waker *waker);

#endif
