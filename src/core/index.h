/* index.h - finds a slot by its 128-bit id.
 *
 * Owns: the ids, the free slots, and the buckets.  Slots are small stable
 * numbers; whoever uses the index keeps arrays of its own beside it.
 * A linear hash (W. Litwin, VLDB 1980): each insertion splits at most one
 * bucket and each removal merges at most one, so that no single operation ever
 * pays for a table that grew, however many ids it holds.
 */
#ifndef CORE_INDEX_H
#define CORE_INDEX_H

#include "arena.h"
#include "id.h"

static const uint32_t INDEX_NONE = UINT32_MAX;

enum {
    /* How many rounds ahead of its turn a loop over many ids asks for the memory that it
     * will need: about as many as pass while that comes. */
    INDEX_FAR = 16,
    INDEX_NEAR = 8,
    /* With fewer ids all of it, and what is kept beside it, is in a cache. */
    INDEX_LARGE = 8192,
    INDEX_BUCKET_IDS = 7
};

/* One cache line, with enough of each id's hash to tell most ids apart: an id that is not
 * there is missed, a bucket is split, and one is merged without a look at the ids
 * themselves.  In a large index each look would be a cache miss, and one of the TLB. */
struct index_bucket {
    uint32_t hashes[INDEX_BUCKET_IDS];
    uint32_t slots[INDEX_BUCKET_IDS];
    uint32_t count; /* of these, in use; 7 in each but the last of a chain */
    uint32_t more;  /* what did not fit: one of `overflow`, plus one; 0: no more */
};

_Static_assert(sizeof(struct index_bucket) == 64, "a bucket is a cache line");

struct index {
    struct id *ids; /* by slot; in free slots: the free slot after it, plus one */
    struct index_bucket *buckets, *overflow;
    uint32_t capacity; /* slots there can ever be */
    uint32_t count;    /* slots in use */
    uint32_t fresh;    /* slots from here on were never used */
    uint32_t free;     /* slot given back last plus one, 0 for none */
    uint32_t bucket_count;
    uint32_t mask; /* bits of a hash that name a bucket: the least 2^n - 1 that reaches them all */
    uint32_t overflow_fresh; /* likewise of the buckets in `overflow` */
    uint32_t overflow_free;
    uint64_t salt;
};

/* Lays the index out in `arena`.  `capacity` is the most ids it can hold.
 * Touches none of the arena; what is used of it later grows with the ids held. */
void index_init(struct index *index, struct arena *arena, uint32_t capacity, uint64_t salt);

static inline uint32_t index_hash(const struct index *index, const struct id *id)
{
    return (uint32_t)id_hash(id, index->salt);
}

/* Returns the slot of `id`, or INDEX_NONE. */
uint32_t index_find_hashed(const struct index *index, const struct id *id, uint32_t hash);
static inline uint32_t index_find(const struct index *index, const struct id *id)
{
    return index_find_hashed(index, id, index_hash(index, id));
}

/* Whether it is worth a loop's while to have memory fetched, as below. */
static inline bool index_is_large(const struct index *index)
{
    return index->count >= INDEX_LARGE;
}

/* Change nothing: they have memory fetched, so that a loop does not wait for it at each
 * id.  First, INDEX_FAR rounds before an id is looked for, its bucket; then, INDEX_NEAR
 * rounds before, the id that it is to be compared with.  Returns that one's slot, likely
 * that of `id` if it is there at all, so that what is kept beside it can be fetched, too;
 * or INDEX_NONE. */
void index_fetch_far(const struct index *index, const struct id *id);
uint32_t index_fetch_near(const struct index *index, const struct id *id);

/* Likewise before the slot of a known id is removed: INDEX_FAR and INDEX_NEAR together
 * before, the id; INDEX_FAR before, its bucket. */
static inline void index_fetch_id(const struct index *index, uint32_t slot)
{
    __builtin_prefetch(&index->ids[slot], 1);
}

static inline void index_fetch_bucket(const struct index *index, uint32_t slot)
{
    index_fetch_far(index, &index->ids[slot]);
}

/* Adds `id`, which was looked for and is not there yet.  Returns its new slot, or
 * INDEX_NONE when the index is full; nothing changed then. */
uint32_t index_insert_hashed(struct index *index, const struct id *id, uint32_t hash);
static inline uint32_t index_insert(struct index *index, const struct id *id)
{
    return index_insert_hashed(index, id, index_hash(index, id));
}

/* Forgets the id in `slot`, which must be in use, and frees the slot.  The slot
 * freed last is the first to be used again. */
void index_remove(struct index *index, uint32_t slot);

#endif
