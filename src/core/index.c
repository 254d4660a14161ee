/* index.c - the linear hash behind index.h.
 *
 * Owns: where an id's bucket is, and when the table splits or merges one.
 * Links are numbers plus one, so that zeroed memory is an empty table and nothing
 * has to be filled in before the first insertion.
 */
#include "index.h"

enum {
    BUCKETS_MIN = 32,
    /* Ids for each bucket beyond which one is split.  A bucket that is next to be split has
     * twice as many, in pairs; so few overflow. */
    IDS_EACH = 2,
    MERGED_BELOW = 8 /* this part of the load at which buckets are split */
};

static uint32_t buckets_max(uint32_t capacity)
{
    uint32_t buckets = capacity / IDS_EACH + 1;
    return buckets < BUCKETS_MIN ? BUCKETS_MIN : buckets;
}

void index_init(struct index *index, struct arena *arena, uint32_t capacity, uint64_t salt)
{
    assert(capacity > 0);
    assert(capacity < INDEX_NONE);
    assert(buckets_max(capacity) <= UINT32_MAX / INDEX_PAIR_IDS + 1); /* hashes name all */
    *index = (struct index){
        .ids = arena_take(arena, capacity, sizeof *index->ids),
        .buckets = arena_take(arena, buckets_max(capacity), sizeof *index->buckets),
        /* Enough if all ids fell into one bucket. */
        .overflow = arena_take(arena, capacity / INDEX_BUCKET_IDS + 1, sizeof *index->overflow),
        .capacity = capacity,
        .bucket_count = BUCKETS_MIN,
        .mask = BUCKETS_MIN - 1,
        .salt = salt,
    };
    slot_pool_init(&index->slots, arena, capacity);
}

/* Buckets from bucket_count on do not exist yet: their ids are still in the
 * bucket they will be split from, which is named by one bit less. */
static uint32_t bucket_of(const struct index *index, uint32_t hash)
{
    uint32_t bucket = hash & index->mask;
    return bucket < index->bucket_count ? bucket : bucket & (index->mask >> 1);
}

/* The next of its chain, or NULL. */
static struct index_bucket *more_of(const struct index *index, const struct index_bucket *bucket)
{
    return bucket->more == 0 ? NULL : &index->overflow[bucket->more - 1];
}

/* A bit for each of the first `count` that is `wanted`.  Without a branch: where in its
 * bucket an id is, no processor can foresee. */
static uint32_t places_of(const uint32_t numbers[INDEX_BUCKET_IDS], uint32_t count, uint32_t wanted)
{
    uint32_t places = 0;
#pragma GCC unroll 7
    for (uint32_t at = 0; at < INDEX_BUCKET_IDS; at++)
        places |= (uint32_t)(numbers[at] == wanted) << at;
    return places & ((UINT32_C(1) << count) - 1);
}

static uint32_t first_of(uint32_t places)
{
    return (uint32_t)__builtin_ctz(places);
}

uint32_t index_find_hashed(const struct index *index, const struct id *id, uint32_t hash)
{
    const struct index_bucket *bucket = &index->buckets[bucket_of(index, hash)];
    for (; bucket != NULL; bucket = more_of(index, bucket)) {
        uint32_t places = places_of(bucket->hashes, bucket->count, hash);
        for (; places != 0; places &= places - 1) {
            uint32_t slot = bucket->slots[first_of(places)];
            if (id_equal(&index->ids[slot], id)) return slot;
        }
    }
    return INDEX_NONE;
}

void index_fetch_bucket(const struct index *index, uint32_t hash)
{
    __builtin_prefetch(&index->buckets[bucket_of(index, hash)], 1);
}

uint32_t index_fetch_slot(const struct index *index, uint32_t hash)
{
    const struct index_bucket *bucket = &index->buckets[bucket_of(index, hash)];
    uint32_t places = places_of(bucket->hashes, bucket->count, hash);
    if (places == 0) return INDEX_NONE;
    uint32_t slot = bucket->slots[first_of(places)];
    index_fetch_id(index, slot);
    return slot;
}

static uint32_t overflow_take(struct index *index)
{
    uint32_t number = index->overflow_fresh;
    if (index->overflow_free != 0) {
        number = index->overflow_free - 1;
        index->overflow_free = index->overflow[number].more;
    } else {
        index->overflow_fresh++;
    }
    index->overflow[number].count = index->overflow[number].more = 0;
    return number + 1;
}

/* Returns what it held; from here on it is free. */
static struct index_bucket overflow_give(struct index *index, uint32_t link)
{
    struct index_bucket held = index->overflow[link - 1];
    index->overflow[link - 1].more = index->overflow_free;
    index->overflow_free = link;
    return held;
}

/* Puts a slot behind all others of its chain. */
static void append(struct index *index, struct index_bucket *bucket, uint32_t slot, uint32_t hash)
{
    while (bucket->count == INDEX_BUCKET_IDS) {
        if (bucket->more == 0) bucket->more = overflow_take(index);
        bucket = more_of(index, bucket);
    }
    bucket->hashes[bucket->count] = hash;
    bucket->slots[bucket->count++] = slot;
}

/* Takes all slots out of the chain that begins with bucket `number`, and puts each where
 * it belongs by now.  There is always room: what held them is free before they go. */
static void spread(struct index *index, uint32_t number)
{
    struct index_bucket held = index->buckets[number];
    index->buckets[number].count = index->buckets[number].more = 0;
    for (;;) {
        for (uint32_t at = 0; at < held.count; at++) {
            uint32_t bucket = bucket_of(index, held.hashes[at]);
            append(index, &index->buckets[bucket], held.slots[at], held.hashes[at]);
        }
        if (held.more == 0) return;
        held = overflow_give(index, held.more);
    }
}

static void split_one(struct index *index)
{
    uint32_t added = index->bucket_count++;
    if (added > index->mask) index->mask = 2 * index->mask + 1;
    assert(index->buckets[added].count == 0);
    spread(index, added & (index->mask >> 1));
}

static void merge_one(struct index *index)
{
    uint32_t last = --index->bucket_count;
    spread(index, last);
    if (last == (index->mask >> 1) + 1) index->mask >>= 1;
}

uint32_t index_insert_hashed(struct index *index, const struct id *id, uint32_t hash)
{
    if (index->count == index->capacity) return INDEX_NONE;
    uint32_t slot = slot_pool_take(&index->slots);
    index->count++;
    if (index->count > (uint64_t)index->bucket_count * IDS_EACH) split_one(index);
    append(index, &index->buckets[bucket_of(index, hash)], slot, hash);
    index->ids[slot] = *id;
    return slot;
}

/* The last of the chain takes its place. */
static void take_out(struct index *index, struct index_bucket *first, uint32_t slot)
{
    struct index_bucket *bucket = first;
    uint32_t places;
    while ((places = places_of(bucket->slots, bucket->count, slot)) == 0) {
        bucket = more_of(index, bucket);
        assert(bucket != NULL); /* the slot is in use, so its bucket holds it */
    }
    uint32_t at = first_of(places);
    struct index_bucket *last = first;
    uint32_t *link = NULL;
    while (last->more != 0) {
        link = &last->more;
        last = more_of(index, last);
    }
    last->count--;
    bucket->hashes[at] = last->hashes[last->count];
    bucket->slots[at] = last->slots[last->count];
    if (last->count > 0 || link == NULL) return;
    (void)overflow_give(index, *link);
    *link = 0;
}

void index_remove(struct index *index, uint32_t slot)
{
    assert(slot < index->slots.fresh);
    uint32_t hash = index_hash(index, &index->ids[slot]);
    take_out(index, &index->buckets[bucket_of(index, hash)], slot);
    slot_pool_give(&index->slots, slot);
    index->count--;

    /* Tasks come and go in batches, and to split and merge with each of them costs more
     * than buckets that stand empty for a while.  A table that empties lags behind and
     * catches up with later removals. */
    if (index->bucket_count > BUCKETS_MIN &&
        index->count < (uint64_t)index->bucket_count * IDS_EACH / MERGED_BELOW) {
        merge_one(index);
    }
}
