/* pins.h - large values that stay where they arrived, in memory of somebody else.
 *
 * Owns: which memory is pinned, how many values are kept in it, and what goes back.
 * Not here: the memory itself, which its lender leaves alone until it has it back, and
 * how much may be pinned (store.c).
 */
#ifndef CORE_PINS_H
#define CORE_PINS_H

#include "arena.h"
#include "bytes.h"

enum {
    PINS_MAX = 16384,         /* values, and so pieces of memory */
    PIN_BYTES_MIN = 16 * 1024 /* what is smaller is better copied: a piece stays whole for it */
};

struct pin;       /* one piece of memory */
struct pin_value; /* what is kept in it */

/* Numbers within are one more than a place in a table; 0 is none. */
struct pins {
    struct pin *pins;
    struct pin_value *values;
    uint32_t free_pins, free_values, fresh_pins, fresh_values;
    uint32_t returned;   /* pieces in which nothing is kept any more */
    uint32_t offered;    /* what was taken of the offer */
    struct bytes memory; /* the offer; without data when there is none */
    void *lender;        /* ... and whose it is */
    uint64_t bytes;      /* of all pieces in which something is kept */
};

/* Touches none of the arena. */
void pins_init(struct pins *pins, struct arena *arena);

/* Until pins_taken is asked, values that lie in `memory` may stay there.  `lender` names
 * it, and is not NULL. */
void pins_offer(struct pins *pins, struct bytes memory, void *lender);

/* Ends the offer.  True: something was kept, and `lender` waits for pins_returned. */
bool pins_taken(struct pins *pins);

/* The next lender whose memory is needed no more; NULL: there is none. */
void *pins_returned(struct pins *pins);

/* For the end: names, once each, all lenders that pins_returned did not.  Nothing else may
 * be asked afterwards. */
void *pins_reclaim(struct pins *pins);

/* How much more would be pinned if this value were kept where it is; UINT32_MAX when it
 * cannot be. */
uint32_t pins_cost(const struct pins *pins, struct bytes value);

/* Keeps a value that pins_cost said could be; returns its number, from 1 to PINS_MAX. */
uint32_t pins_keep(struct pins *pins, struct bytes value);

struct bytes pins_get(const struct pins *pins, uint32_t number);

/* Forgets a value.  Returns how much less is pinned. */
uint32_t pins_drop(struct pins *pins, uint32_t number);

#endif
