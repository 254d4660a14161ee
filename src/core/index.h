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
#include "slot_pool.h"

static const uint32_t INDEX_NONE = UINT32_MAX;

enum {
    INDEX_GROUP = 16, /* as many cache lines as a processor fetches at a time */
    /* How many rounds ahead of its turn a loop asks for the memory that it will need: about
     * as many as pass while that comes. */
    INDEX_FAR = 16,
    INDEX_NEAR = 8,
    INDEX_LARGE = 8192,
    INDEX_BUCKET_IDS = 7,
    /* How many ids in a row lie side by side, and how many of them in one bucket: powers of two,
     * and a run's buckets fill a page. */
    INDEX_RUN_IDS = 128,
    INDEX_PAIR_IDS = 2
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
    struct id *ids; /* by slot */
    struct index_bucket *buckets, *overflow;
    uint32_t capacity; /* slots there can ever be */
    uint32_t count;    /* slots in use */
    struct slot_pool slots;
    uint32_t bucket_count;
    uint32_t mask; /* bits of a hash that name a bucket: the least 2^n - 1 that reaches them all */
    uint32_t overflow_fresh; /* from here on they were never used */
    uint32_t overflow_free;
    uint64_t salt;
};

/* Lays the index out in `arena`.  `capacity` is the most ids it can hold.
 * Touches none of the arena; what is used of it later grows with the ids held. */
void index_init(struct index *index, struct arena *arena, uint32_t capacity, uint64_t salt);

/* A producer counts its ids up (node/identity.c), and those of a batch are looked for one
 * after the other, so buckets lie as ids do: INDEX_PAIR_IDS of a run go to one, the next
 * ones to the bucket behind it, and the last of them to the first.  Where a run is, and which
 * of its buckets is the first, only the salt says.  The topmost bits, which name no bucket,
 * tell those of one bucket apart. */
static inline uint32_t index_hash(const struct index *index, const struct id *id)
{
    const uint32_t buckets = INDEX_RUN_IDS / INDEX_PAIR_IDS;
    const uint32_t hashes = UINT32_MAX / INDEX_PAIR_IDS + 1;
    uint64_t run = id_hash_without(id, INDEX_RUN_IDS - 1, index->salt);
    uint32_t place = id->octets[15] % INDEX_RUN_IDS;
    uint32_t bucket = (place / INDEX_PAIR_IDS + (uint32_t)(run >> 32)) % buckets;
    uint32_t where = (uint32_t)run % hashes / buckets * buckets + bucket;
    return place % INDEX_PAIR_IDS * hashes + where;
}

/* Returns the slot of `id`, or INDEX_NONE. */
uint32_t index_find_hashed(const struct index *index, const struct id *id, uint32_t hash);
static inline uint32_t index_find(const struct index *index, const struct id *id)
{
    return index_find_hashed(index, id, index_hash(index, id));
}

/* Change nothing: they have memory fetched, so that a loop over many ids waits once for
 * INDEX_GROUP of them and not for each (S. Chen and others, "Improving hash join performance
 * through prefetching", ICDE 2004).  First the buckets of a whole group; then the ids they
 * are to be compared with: that one returns the slot of the id with this hash if it is there
 * at all, so that what is kept beside it can be fetched, too, or INDEX_NONE. */
void index_fetch_bucket(const struct index *index, uint32_t hash);
uint32_t index_fetch_slot(const struct index *index, uint32_t hash);

/* Likewise before the slot of a known id is removed: INDEX_FAR and INDEX_NEAR together
 * before, the id; INDEX_FAR before, its bucket.  Not worth it for an index that is not
 * large: all of it is in a cache. */
static inline bool index_is_large(const struct index *index)
{
    return index->count >= INDEX_LARGE;
}

static inline void index_fetch_id(const struct index *index, uint32_t slot)
{
    __builtin_prefetch(&index->ids[slot], 1);
}

/* Adds `id`, which was looked for and is not there yet.  Returns its new slot, or
 * INDEX_NONE when the index is full; nothing changed then. */
uint32_t index_insert_hashed(struct index *index, const struct id *id, uint32_t hash);
static inline uint32_t index_insert(struct index *index, const struct id *id)
{
    return index_insert_hashed(index, id, index_hash(index, id));
}

/* Forgets the id in `slot`, which must be in use, and frees the slot.  The lowest that is
 * free is the first to be used again. */
void index_remove(struct index *index, uint32_t slot);

#endif
