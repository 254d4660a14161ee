/* tickets.h - what the application said about each submission besides the task.
 *
 * Owns: one ticket for each task from submit to its last answer, and which of
 * them are free.  A ticket's number travels through the core with the task.
 */
#ifndef NODE_TICKETS_H
#define NODE_TICKETS_H

#include "../core/arena.h"

#include <stdbool.h>
#include <tmesh/producer.h>

static const uint32_t TICKET_NONE = UINT32_MAX;

enum ticket_state { TICKET_FREE, TICKET_OUTBOX, TICKET_AWAITED };

struct ticket {
    tmesh_id_t id;
    void *tag;
    uint32_t bytes; /* counted against the outbox */
    uint32_t next;  /* free ones, plus one */
    uint16_t news;  /* its row on the board, plus one */
    uint8_t state, deliver;
    bool report_accepted, report_progress;
};

struct tickets {
    struct ticket *tickets;
    uint32_t capacity, fresh, free, used;
};

static inline void tickets_init(struct tickets *tickets, struct arena *arena, uint32_t capacity)
{
    tickets->tickets = arena_take(arena, capacity, sizeof *tickets->tickets);
    tickets->capacity = capacity;
    tickets->fresh = tickets->free = tickets->used = 0;
}

/* TICKET_NONE when all are out. */
static inline uint32_t tickets_draw(struct tickets *tickets)
{
    uint32_t number = TICKET_NONE;
    if (tickets->free != 0) {
        number = tickets->free - 1;
        tickets->free = tickets->tickets[number].next;
    } else if (tickets->fresh < tickets->capacity) {
        number = tickets->fresh++;
    } else {
        return TICKET_NONE;
    }
    tickets->used++;
    return number;
}

static inline void tickets_return(struct tickets *tickets, uint32_t number)
{
    struct ticket *ticket = &tickets->tickets[number];
    assert(ticket->state != TICKET_FREE && tickets->used > 0);
    ticket->state = TICKET_FREE;
    ticket->next = tickets->free;
    tickets->free = number + 1;
    tickets->used--;
}

#endif
