/* share.c - libzmq counts who has the bytes of a message, in any thread. */
#include "share.h"

#include <assert.h>
#include <stdlib.h>

struct share {
    zmq_msg_t message;
};

struct share *share_new(zmq_msg_t *message)
{
    struct share *share = malloc(sizeof *share);
    if (share == NULL) return NULL;
    zmq_msg_init(&share->message);
    int copied = zmq_msg_copy(&share->message, message);
    assert(copied == 0 && zmq_msg_data(&share->message) == zmq_msg_data(message));
    (void)copied;
    return share;
}

void share_drop(struct share *share)
{
    if (share == NULL) return;
    zmq_msg_close(&share->message);
    free(share);
}
