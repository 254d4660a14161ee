/* parcel.h - a message under way or waiting in an inbox, or the news of a connection.
 *
 * Owns: the bytes, and queues of parcels.  Whoever takes one off a queue frees it.
 */
#ifndef SIM_PARCEL_H
#define SIM_PARCEL_H

#include "core/bytes.h"
#include "core/message.h"

enum parcel_kind {
    PARCEL_MESSAGE,
    PARCEL_END,      /* in a lane: the connection ends here.  In an inbox: it is gone */
    PARCEL_CONNECTED /* in an inbox only */
};

struct parcel {
    struct parcel *next;
    enum parcel_kind kind;
    enum passage passage;
    uint32_t connection, generation; /* by which it came, */
    uint32_t from;                   /* and from which node */
    uint32_t life;                   /* of the ventilator's state then, in the ledger */
    uint64_t due_ns;                 /* in a lane */
    uint32_t size;
    uint8_t bytes[];
};

struct parcel_queue {
    struct parcel *first, *last;
    uint32_t count;
};

/* A copy of the bytes; ends the program when there is no memory. */
struct parcel *parcel_new(enum parcel_kind kind, struct bytes bytes);
void parcel_free(struct parcel *parcel);

void parcel_append(struct parcel_queue *queue, struct parcel *parcel);
/* Before all that are due later. */
void parcel_file(struct parcel_queue *queue, struct parcel *parcel);
struct parcel *parcel_take(struct parcel_queue *queue);
/* Frees all behind the first `kept`. */
void parcel_drop_behind(struct parcel_queue *queue, uint32_t kept);

#endif
