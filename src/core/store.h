/* store.h - keeps payloads and results: byte runs of any size up to a limit.
 *
 * Owns: one region of memory, cut into spans of 64 KiB.  Small values share a
 * span with values of like size (a slab); values above half a span take a run
 * of spans whose length is a power of two (buddies; D. Knuth, TAOCP 1, 2.5).
 * Every operation is O(1) or O(log spans); nothing ever moves, so a view stays
 * good until its value is dropped.
 *
 * A large value can also be kept in the memory that it arrived in, if whoever has that
 * offers it.  Such memory counts whole, for as long as anything in it is kept, is at most
 * half of what the store may have, and takes that much from the region.
 */
#ifndef CORE_STORE_H
#define CORE_STORE_H

#include "arena.h"
#include "bytes.h"
#include "pins.h"

/* Names one kept value.  0 names none, and reads as no bytes at all. */
struct stored {
    uint32_t place; /* offset in units of 16 bytes, plus one; the last PINS_MAX are pinned values */
    uint32_t size;
};

enum {
    STORE_SPAN_BYTES = 64 * 1024,
    STORE_VALUE_BYTES_MAX = 16 * 1024 * 1024,
    STORE_CLASSES = 40, /* 16, 32 .. 128 bytes, then four to each doubling up to 32 KiB */
    STORE_ORDERS = 9    /* runs of 1, 2, 4 .. 256 spans */
};

/* What a `place` can reach, with room above it for more than PINS_MAX. */
static const uint64_t STORE_BYTES_MAX = (UINT64_C(64) << 30) - STORE_VALUE_BYTES_MAX;

struct store_span; /* bookkeeping of one span, in store.c's own layout */

struct store {
    uint8_t *region;
    struct store_span *spans;
    uint32_t span_count;
    uint32_t fresh;                   /* spans from here on were never used */
    uint32_t free_runs[STORE_ORDERS]; /* first free run of each order plus one, 0 for none */
    uint32_t partial[STORE_CLASSES];  /* first slab of each class with room plus one, 0 for none */
    uint32_t shares[STORE_CLASSES];   /* of each class: 2^32 over its units, rounded up */
    /* The span of the slab that was emptied last, plus one, 0 for none.  The next slab is made of
     * it: a value that comes and goes alone would split and join runs of all lengths each time.
     * It goes to the free ones with the next that is emptied, or when a run needs it. */
    uint32_t idle;
    uint64_t bytes_used; /* what the values kept now occupy, rounding included */
    struct pins pins;
};

/* Lays the store out in `arena` with room for about `bytes_max` (rounded up to
 * a whole number of the longest runs, at least one, at most STORE_BYTES_MAX).
 * Touches none of the arena; what is used of it later grows with the values kept. */
void store_init(struct store *store, struct arena *arena, uint64_t bytes_max);

/* Copies `value` in, unless it is large and in memory that is offered (store_offer).  Returns
 * {0, 0} when there is no room (nothing changed) and when `value` is absent.  An empty value
 * that is present is kept as such. */
struct stored store_put_copy(struct store *store, struct bytes value);
struct stored store_put_large(struct store *store, struct bytes value);
static inline struct stored store_put(struct store *store, struct bytes value)
{
    if (value.data == NULL) return (struct stored){.place = 0, .size = 0};
    return value.size < PIN_BYTES_MIN ? store_put_copy(store, value)
                                      : store_put_large(store, value);
}

/* Copies in one value that is `first` and then `second`; absent ones are empty. */
struct stored store_put_both(struct store *store, struct bytes first, struct bytes second);

/* Keeps a value of `size` bytes that the caller writes to *address before anything else
 * is done with the store.  Returns {0, 0} when there is no room, and nothing changed. */
struct stored store_claim(struct store *store, uint32_t size, uint8_t **address);

/* The bytes kept under `stored`; borrowed until it is dropped. */
struct bytes store_get(const struct store *store, struct stored stored);

/* Forgets a value and clears the caller's name for it.  {0, 0} is fine. */
void store_drop_value(struct store *store, struct stored *stored);
static inline void store_drop(struct store *store, struct stored *stored)
{
    if (stored->place != 0) store_drop_value(store, stored);
}

/* Until store_took is asked, values that are part of `memory` may be kept there.  `lender`
 * stands for whoever has it. */
void store_offer(struct store *store, struct bytes memory, void *lender);

/* Ends the offer.  True: a value is kept in it, and the memory must stay as it is until
 * store_returned has named its lender. */
bool store_took(struct store *store);

/* Names, once each, lenders in whose memory nothing is kept any more; NULL: no other now. */
void *store_returned(struct store *store);

/* For the end: names the lenders that store_returned did not.  The store is of no use then. */
void *store_reclaim(struct store *store);

/* Whether a value of `size` bytes would fit now.  */
bool store_fits(const struct store *store, uint32_t size);

#endif
