/* share.h - a share in a message that came: its bytes stay as they are while anybody has one.
 *
 * Owns: its part of the message.  Unlike a parcel it goes from thread to thread, and whoever
 * has it drops it.
 */
#ifndef NET_SHARE_H
#define NET_SHARE_H

#include <zmq.h>

struct share;

/* NULL: memory is short.  `message` is one that parcels_ready has a parcel for. */
struct share *share_new(zmq_msg_t *message);

/* Any thread.  NULL is fine. */
void share_drop(struct share *share);

#endif
