/* buffers.h - buffers that libzmq sends from, and that are used again afterwards.
 *
 * Owns: those that libzmq is through with, a few of them.  To copy a large message
 * into memory that is new for each costs more than all else that is done for it:
 * the copy, and the kernel's zeroing of the pages.
 */
#ifndef NET_BUFFERS_H
#define NET_BUFFERS_H

#include "../core/bytes.h"

#include <stdbool.h>
#include <zmq.h>

/* Below this many bytes a message is better copied: a buffer is large, and libzmq may
 * keep many small messages for a peer that does not read. */
enum { BUFFERS_WORTH_BYTES = 16 * 1024 };

struct buffers;

/* The buffer from malloc that `bytes` begin, and whoever calls owns. */
static inline uint8_t *buffers_under(struct bytes bytes)
{
    return (uint8_t *)(uintptr_t)bytes.data;
}

/* NULL: memory is short. */
struct buffers *buffers_new(void);

/* Frees those that are here; libzmq may still have some, which are freed when it is
 * through with them. */
void buffers_destroy(struct buffers **buffers);

/* Makes `message` of `bytes`, which begin a buffer from malloc that is the message's from
 * here on.  False: memory is short, and the buffer is here again. */
bool buffers_wrap(struct buffers *buffers, struct bytes bytes, zmq_msg_t *message);

/* A buffer that was wrapped and can be written again; NULL: there is none.  The caller's to
 * free or wrap. */
uint8_t *buffers_take(struct buffers *buffers);

#endif
