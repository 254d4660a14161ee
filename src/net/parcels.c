/* parcels.c - messages that are kept as they came. */
#include "parcels.h"

#include <assert.h>
#include <stdlib.h>

struct parcel {
    zmq_msg_t message;
    void *block;                    /* what it has instead of a message; NULL: it has one */
    struct parcel *next, *previous; /* among those that are held */
};

struct parcel *parcels_ready(struct parcels *parcels, zmq_msg_t *message)
{
    if (zmq_msg_size(message) < PARCELS_WORTH_BYTES) return NULL;
    if (zmq_msg_get(message, ZMQ_SRCFD) < 0) return NULL;
    return parcels_spare(parcels);
}

struct parcel *parcels_spare(struct parcels *parcels)
{
    if (parcels->spare == NULL) parcels->spare = calloc(1, sizeof *parcels->spare);
    return parcels->spare;
}

/* The spare one is held from now on. */
static void hold(struct parcels *parcels, void *block)
{
    struct parcel *parcel = parcels->spare;
    parcel->block = block;
    parcel->previous = NULL;
    parcel->next = parcels->held;
    if (parcels->held != NULL) parcels->held->previous = parcel;
    parcels->held = parcel;
    parcels->spare = NULL;
}

void parcels_keep(struct parcels *parcels, zmq_msg_t *message)
{
    struct parcel *parcel = parcels->spare;
    assert(parcel != NULL);
    const void *bytes = zmq_msg_data(message);
    zmq_msg_init(&parcel->message);
    int moved = zmq_msg_move(&parcel->message, message);
    assert(moved == 0 && zmq_msg_data(&parcel->message) == bytes);
    (void)moved;
    (void)bytes;
    hold(parcels, NULL);
}

void parcels_keep_block(struct parcels *parcels, void *block)
{
    assert(parcels->spare != NULL && block != NULL);
    hold(parcels, block);
}

void parcels_return(struct parcels *parcels, struct parcel *parcel)
{
    if (parcel->next != NULL) parcel->next->previous = parcel->previous;
    if (parcel->previous != NULL)
        parcel->previous->next = parcel->next;
    else
        parcels->held = parcel->next;
    if (parcel->block != NULL)
        free(parcel->block);
    else
        zmq_msg_close(&parcel->message);
    if (parcels->spare == NULL)
        parcels->spare = parcel;
    else
        free(parcel);
}

void parcels_clear(struct parcels *parcels)
{
    while (parcels->held != NULL) parcels_return(parcels, parcels->held);
    free(parcels->spare);
    parcels->spare = NULL;
}
