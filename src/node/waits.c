/* waits.c - answers kept for the one who waits for a certain task. */
#include "waits.h"

static struct id key_of(const tmesh_id_t *id)
{
    struct id key;
    memcpy(key.octets, id->octets, sizeof key.octets);
    return key;
}

void waits_init(struct waits *waits, struct arena *arena, uint32_t capacity, uint64_t salt)
{
    index_init(&waits->index, arena, capacity, salt);
    waits->told = arena_take(arena, capacity, sizeof(struct answer_chunk *));
}

void waits_clear(struct waits *waits)
{
    for (uint32_t slot = 0; slot < waits->index.slots.fresh; slot++) {
        if (waits->told[slot] != NULL) answer_chunk_free(waits->told[slot]);
        waits->told[slot] = NULL;
    }
}

bool waits_expect(struct waits *waits, const tmesh_id_t *id)
{
    struct id key = key_of(id);
    if (index_find(&waits->index, &key) != INDEX_NONE) return false;
    uint32_t slot = index_insert(&waits->index, &key);
    if (slot == INDEX_NONE) return false;
    waits->told[slot] = NULL;
    return true;
}

bool waits_are_full(const struct waits *waits)
{
    return waits->index.count == waits->index.capacity;
}

void waits_forget(struct waits *waits, const tmesh_id_t *id)
{
    struct id key = key_of(id);
    uint32_t slot = index_find(&waits->index, &key);
    if (slot != INDEX_NONE && waits->told[slot] == NULL) index_remove(&waits->index, slot);
}

bool waits_tell(struct waits *waits, const tmesh_answer_t *answer)
{
    struct id key = key_of(&answer->id);
    uint32_t slot = index_find(&waits->index, &key);
    if (slot == INDEX_NONE || waits->told[slot] != NULL) return false;
    waits->told[slot] = answer_single(answer);
    return waits->told[slot] != NULL;
}

enum waits_found waits_take(struct waits *waits, const tmesh_id_t *id, struct answer_chunk **chunk)
{
    struct id key = key_of(id);
    uint32_t slot = index_find(&waits->index, &key);
    if (slot == INDEX_NONE) return WAITS_UNKNOWN;
    if (waits->told[slot] == NULL) return WAITS_PENDING;
    *chunk = waits->told[slot];
    waits->told[slot] = NULL;
    index_remove(&waits->index, slot);
    return WAITS_TOLD;
}
