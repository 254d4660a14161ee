/* buffers.c - buffers that libzmq sends from, and that are used again afterwards. */
#include "buffers.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

/* Enough for what is under way in a turn of small tasks; beyond it, as with payloads of
 * a megabyte each to a peer that is slow, memory goes back. */
enum { SPARES_MAX = 8 };

/* libzmq's own thread, or for inproc the one that reads, gives buffers back. */
struct buffers {
    pthread_mutex_t lock;
    uint8_t *spares[SPARES_MAX];
    uint32_t spare_count;
    uint64_t away; /* libzmq has them */
    bool closed;   /* whoever gives the last one back frees this */
};

struct buffers *buffers_new(void)
{
    struct buffers *buffers = calloc(1, sizeof *buffers);
    if (buffers != NULL) (void)pthread_mutex_init(&buffers->lock, NULL); /* cannot fail */
    return buffers;
}

static void release(struct buffers *buffers)
{
    (void)pthread_mutex_destroy(&buffers->lock);
    free(buffers);
}

void buffers_destroy(struct buffers **buffers)
{
    struct buffers *self = *buffers;
    *buffers = NULL;
    if (self == NULL) return;
    (void)pthread_mutex_lock(&self->lock);
    while (self->spare_count > 0) free(self->spares[--self->spare_count]);
    self->closed = true;
    bool last = self->away == 0;
    (void)pthread_mutex_unlock(&self->lock);
    if (last) release(self);
}

static void give_back(void *data, void *hint)
{
    struct buffers *buffers = hint;
    (void)pthread_mutex_lock(&buffers->lock);
    assert(buffers->away > 0);
    bool keeps = !buffers->closed && buffers->spare_count < SPARES_MAX;
    if (keeps) buffers->spares[buffers->spare_count++] = data;
    bool last = --buffers->away == 0 && buffers->closed;
    (void)pthread_mutex_unlock(&buffers->lock);
    if (!keeps) free(data);
    if (last) release(buffers);
}

bool buffers_wrap(struct buffers *buffers, struct bytes bytes, zmq_msg_t *message)
{
    uint8_t *data = buffers_under(bytes);
    (void)pthread_mutex_lock(&buffers->lock);
    buffers->away++;
    (void)pthread_mutex_unlock(&buffers->lock);
    if (zmq_msg_init_data(message, data, bytes.size, give_back, buffers) == 0) return true;
    give_back(data, buffers);
    return false;
}

uint8_t *buffers_take(struct buffers *buffers)
{
    (void)pthread_mutex_lock(&buffers->lock);
    uint8_t *data = buffers->spare_count > 0 ? buffers->spares[--buffers->spare_count] : NULL;
    (void)pthread_mutex_unlock(&buffers->lock);
    return data;
}
