/* parcels.h - messages that are kept as they came, because what is in them is used where
 * it is; and other memory that is kept likewise.
 *
 * Owns: those that were handed out.  One thread.
 */
#ifndef NET_PARCELS_H
#define NET_PARCELS_H

#include <stdbool.h>
#include <zmq.h>

/* Below this many bytes what a message holds is better copied. */
enum { PARCELS_WORTH_BYTES = 16 * 1024 };

struct parcel;

/* All zeros is ready for use. */
struct parcels {
    struct parcel *spare; /* the one that parcels_ready promises */
    struct parcel *held;
};

/* What `message` would be kept in; NULL: copy what is needed.  It is small, or memory is
 * short, or it came by inproc: then its bytes are a piece of the sender's buffer, which can
 * be far larger than the message and is wanted back. */
struct parcel *parcels_ready(struct parcels *parcels, zmq_msg_t *message);

/* Moves `message` into what parcels_ready gave for it.  Its bytes stay where they are until
 * the parcel goes back. */
void parcels_keep(struct parcels *parcels, zmq_msg_t *message);

/* The same for memory from malloc: a parcel that it could be kept in, or NULL, and then that
 * it is, and freed when the parcel goes back. */
struct parcel *parcels_spare(struct parcels *parcels);
void parcels_keep_block(struct parcels *parcels, void *block);

void parcels_return(struct parcels *parcels, struct parcel *parcel);

/* Frees all of them. */
void parcels_clear(struct parcels *parcels);

#endif
