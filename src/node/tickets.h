/* tickets.h - what the application said about each submission besides the task.
 *
 * Owns: one ticket for each task from submit to its last answer, and which of
 * them are free.  A ticket's number travels through the core with the task.
 */
#ifndef NODE_TICKETS_H
#define NODE_TICKETS_H

#include "../core/arena.h"

#include <stdbool.h>
#include <string.h>
#include <tmesh/producer.h>

static const uint32_t TICKET_NONE = UINT32_MAX;

enum ticket_state { TICKET_FREE, TICKET_OUTBOX, TICKET_AWAITED };

/* It goes to another processor and back for each task: so it is in no two cache lines. */
struct ticket {
    tmesh_id_t id;
    void *tag;
    uint32_t bytes; /* counted against the outbox */
    uint16_t news;  /* its row on the board, plus one */
    enum ticket_state state : 4;
    enum tmesh_deliver deliver : 4;
    bool report_accepted : 1, report_progress : 1;
};

_Static_assert(sizeof(struct ticket) == 32, "half a cache line");

struct tickets {
    struct ticket *tickets;
    uint32_t *free; /* those that came back; the last one goes first */
    uint32_t capacity;
    /* Written each time one is drawn.  Whoever reads what is above for a ticket of its own, on
     * another processor, is not to wait for that. */
    _Alignas(64) uint32_t fresh;
    uint32_t free_count, used;
};

/* A ticket comes back on another processor than the one it is drawn on.  This has its memory
 * come, and changes nothing. */
enum { TICKETS_AHEAD = 6 };

static inline void tickets_fetch(const struct tickets *tickets, uint32_t number)
{
    __builtin_prefetch(&tickets->tickets[number], 1);
}

static inline void tickets_init(struct tickets *tickets, struct arena *arena, uint32_t capacity)
{
    tickets->tickets = arena_take(arena, capacity, sizeof *tickets->tickets);
    tickets->free = arena_take(arena, capacity, sizeof *tickets->free);
    tickets->capacity = capacity;
    tickets->fresh = tickets->free_count = tickets->used = 0;
}

/* TICKET_NONE when all are out. */
static inline uint32_t tickets_draw(struct tickets *tickets)
{
    uint32_t number = TICKET_NONE;
    if (tickets->free_count > 0) {
        number = tickets->free[--tickets->free_count];
        if (tickets->free_count >= TICKETS_AHEAD) {
            tickets_fetch(tickets, tickets->free[tickets->free_count - TICKETS_AHEAD]);
        }
    } else if (tickets->fresh < tickets->capacity) {
        number = tickets->fresh++;
    } else {
        return TICKET_NONE;
    }
    tickets->used++;
    return number;
}

/* Nobody needs this one any more.  It can be drawn again when tickets_return has it back:
 * many at once, so that whoever holds a lock for that holds it briefly. */
static inline void tickets_retire(struct tickets *tickets, uint32_t number)
{
    assert(tickets->tickets[number].state != TICKET_FREE);
    tickets->tickets[number].state = TICKET_FREE;
}

static inline void tickets_return(struct tickets *tickets, const uint32_t *numbers, uint32_t count)
{
    assert(tickets->used >= count && tickets->free_count + count <= tickets->capacity);
    if (count > 0) memcpy(&tickets->free[tickets->free_count], numbers, count * sizeof *numbers);
    tickets->free_count += count;
    tickets->used -= count;
}

static inline void tickets_return_one(struct tickets *tickets, uint32_t number)
{
    tickets_retire(tickets, number);
    tickets_return(tickets, &number, 1);
}

#endif
