/* entries.h - reads the known entries of one MessagePack map.
 *
 * Owns: which keys count.  Keys that are not known belong to a later minor
 * version and are passed over, whatever their type; a known key that comes
 * twice has no meaning and is an error.
 */
#ifndef WIRE_ENTRIES_H
#define WIRE_ENTRIES_H

#include "fields.h"

struct entries {
    struct fields *owner; /* where the map stood, and where errors go */
    const msgpack_object_kv *next;
    uint32_t left;
    const char *const *keys;
    uint32_t key_count; /* at most 32 */
    uint32_t met;       /* one bit for each key that came so far */
};

/* Takes the next of `fields`, which must be a map. */
struct entries entries_of(struct fields *fields, const char *const *keys, uint32_t key_count);

/* Finds the next entry with a known key: its position among the keys, and its
 * value as the only one of `value`.  False when there is none, or after an error. */
bool entries_next(struct entries *entries, uint32_t *key, struct fields *value);

/* Fails unless every key of the bit set `needed` came. */
void entries_need(struct entries *entries, uint32_t needed);

#endif
