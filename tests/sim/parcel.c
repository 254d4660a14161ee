/* parcel.c - parcels and their queues.  Small ones are used again. */
#include "parcel.h"

#include <stdlib.h>

enum { SMALL_BYTES = 256 };

static struct parcel *spare;

struct parcel *parcel_new(enum parcel_kind kind, struct bytes bytes)
{
    struct parcel *parcel = NULL;
    if (bytes.size <= SMALL_BYTES && spare != NULL) {
        parcel = spare;
        spare = parcel->next;
    } else {
        uint32_t room = bytes.size <= SMALL_BYTES ? SMALL_BYTES : bytes.size;
        parcel = malloc(sizeof *parcel + room);
        if (parcel == NULL) abort();
    }
    *parcel = (struct parcel){.kind = kind, .size = bytes.size};
    if (bytes.size > 0) memcpy(parcel->bytes, bytes.data, bytes.size);
    return parcel;
}

void parcel_free(struct parcel *parcel)
{
    if (parcel->size > SMALL_BYTES) {
        free(parcel);
        return;
    }
    parcel->next = spare;
    spare = parcel;
}

void parcel_append(struct parcel_queue *queue, struct parcel *parcel)
{
    parcel->next = NULL;
    if (queue->last == NULL)
        queue->first = parcel;
    else
        queue->last->next = parcel;
    queue->last = parcel;
    queue->count++;
}

void parcel_file(struct parcel_queue *queue, struct parcel *parcel)
{
    if (queue->last == NULL || queue->last->due_ns <= parcel->due_ns) {
        parcel_append(queue, parcel);
        return;
    }
    struct parcel **place = &queue->first;
    while ((*place)->due_ns <= parcel->due_ns) place = &(*place)->next;
    parcel->next = *place;
    *place = parcel;
    queue->count++;
}

struct parcel *parcel_take(struct parcel_queue *queue)
{
    struct parcel *parcel = queue->first;
    if (parcel == NULL) return NULL;
    queue->first = parcel->next;
    if (queue->first == NULL) queue->last = NULL;
    queue->count--;
    return parcel;
}

void parcel_drop_behind(struct parcel_queue *queue, uint32_t kept)
{
    struct parcel_queue rest = {0};
    for (uint32_t left = queue->count; left > 0; left--) {
        struct parcel *parcel = parcel_take(queue);
        if (rest.count < kept)
            parcel_append(&rest, parcel);
        else
            parcel_free(parcel);
    }
    *queue = rest;
}
