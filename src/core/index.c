/* index.c - the linear hash behind index.h.
 *
 * Owns: where an id's bucket is, and when the table splits or merges one.
 * Links are slots plus one, so that zeroed memory is an empty table and nothing
 * has to be filled in before the first insertion.
 */
#include "index.h"

enum {
    BUCKETS_MIN = 128,
    MERGED_BELOW = 8 /* this part of the load at which buckets are split */
};

void index_init(struct index *index, struct arena *arena, uint32_t capacity, uint64_t salt)
{
    assert(capacity > 0);
    assert(capacity < INDEX_NONE);
    *index = (struct index){
        .ids = arena_take(arena, capacity, sizeof *index->ids),
        .next = arena_take(arena, capacity, sizeof *index->next),
        .buckets = arena_take(arena, capacity < BUCKETS_MIN ? BUCKETS_MIN : capacity,
                              sizeof *index->buckets),
        .capacity = capacity,
        .bucket_count = BUCKETS_MIN,
        .mask = BUCKETS_MIN - 1,
        .salt = salt,
    };
}

/* Buckets from bucket_count on do not exist yet: their ids are still in the
 * bucket they will be split from, which is named by one bit less. */
static uint32_t bucket_of(const struct index *index, const struct id *id)
{
    uint32_t bucket = (uint32_t)id_hash(id, index->salt) & index->mask;
    return bucket < index->bucket_count ? bucket : bucket & (index->mask >> 1);
}

/* The link to `id` in what is left of a bucket, or 0. */
static uint32_t find_from(const struct index *index, uint32_t link, const struct id *id)
{
    while (link != 0 && !id_equal(&index->ids[link - 1], id)) link = index->next[link - 1];
    return link;
}

uint32_t index_find(const struct index *index, const struct id *id)
{
    uint32_t link = find_from(index, index->buckets[bucket_of(index, id)], id);
    return link == 0 ? INDEX_NONE : link - 1;
}

void index_fetch_far(const struct index *index, const struct id *id)
{
    __builtin_prefetch(&index->buckets[bucket_of(index, id)]);
}

uint32_t index_fetch_near(const struct index *index, const struct id *id)
{
    uint32_t link = index->buckets[bucket_of(index, id)];
    if (link == 0) return INDEX_NONE;
    __builtin_prefetch(&index->ids[link - 1]);
    __builtin_prefetch(&index->next[link - 1]);
    return link - 1;
}

static void split_one(struct index *index)
{
    uint32_t added = index->bucket_count++;
    if (added > index->mask) index->mask = 2 * index->mask + 1;
    uint32_t *stay = &index->buckets[added & (index->mask >> 1)];
    uint32_t *move = &index->buckets[added];
    assert(*move == 0);

    for (uint32_t link = *stay; link != 0; link = index->next[link - 1]) {
        uint32_t **tail = bucket_of(index, &index->ids[link - 1]) == added ? &move : &stay;
        **tail = link;
        *tail = &index->next[link - 1];
    }
    *stay = 0;
    *move = 0;
}

static void merge_one(struct index *index)
{
    uint32_t last = --index->bucket_count;
    uint32_t *tail = &index->buckets[last & (index->mask >> 1)];
    while (*tail != 0) tail = &index->next[*tail - 1];
    *tail = index->buckets[last];
    index->buckets[last] = 0;
    if (last == (index->mask >> 1) + 1) index->mask >>= 1;
}

uint32_t index_insert(struct index *index, const struct id *id)
{
    if (index->count == index->capacity) return INDEX_NONE;
    uint32_t slot = index->fresh;
    if (index->free != 0) {
        slot = index->free - 1;
        index->free = index->next[slot];
    } else {
        index->fresh++;
    }
    index->count++;
    if (index->count > index->bucket_count) split_one(index);

    uint32_t *bucket = &index->buckets[bucket_of(index, id)];
    assert(find_from(index, *bucket, id) == 0);
    index->ids[slot] = *id;
    index->next[slot] = *bucket;
    *bucket = slot + 1;
    return slot;
}

void index_remove(struct index *index, uint32_t slot)
{
    assert(slot < index->fresh);
    uint32_t *link = &index->buckets[bucket_of(index, &index->ids[slot])];
    while (*link != slot + 1) {
        assert(*link != 0); /* the slot is in use, so its bucket holds it */
        link = &index->next[*link - 1];
    }
    *link = index->next[slot];
    index->next[slot] = index->free;
    index->free = slot + 1;
    index->count--;

    /* Tasks come and go in batches, and to split and merge with each of them costs more
     * than buckets that stand empty for a while.  A table that empties lags behind and
     * catches up with later removals. */
    if (index->bucket_count > BUCKETS_MIN && index->count < index->bucket_count / MERGED_BELOW) {
        merge_one(index);
    }
}
