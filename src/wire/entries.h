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
    struct fields fields; /* a key, its value, the next key .. */
    const char *const *keys;
    uint32_t key_count; /* at most 32 */
    uint32_t met;       /* one bit for each key that came so far */
};

/* Takes the next of `fields`, which must be a map. */
static inline struct entries entries_of(struct fields *fields, const char *const *keys,
                                        uint32_t key_count)
{
    assert(key_count <= 32);
    return (struct entries){.fields = fields_map(fields), .keys = keys, .key_count = key_count};
}

uint32_t entries_position(const char *const *keys, uint32_t key_count, struct bytes key);

/* Takes a key, and says where among those that are known it stands; behind them, for
 * one that is not. */
static inline uint32_t entries_key(struct entries *entries)
{
    struct fields *fields = &entries->fields;
    uint8_t first = fields_are(fields, 1) ? *fields->scan.at : 0;
    bool is_str = (first >= 0xa0 && first <= 0xbf) || (first >= 0xd9 && first <= 0xdb);
    if (is_str)
        return entries_position(entries->keys, entries->key_count,
                                fields_string(fields, UINT32_MAX));
    fields_ignore(fields, 1);
    return entries->key_count;
}

/* Finds the next entry with a known key: its position among the keys.  Its value is
 * the next of entries->fields then, and must be read before the next call.  False
 * when there is none, or after an error. */
static inline bool entries_next(struct entries *entries, uint32_t *key)
{
    while (entries->fields.left > 0) {
        uint32_t position = entries_key(entries);
        if (position == entries->key_count) {
            if (entries->fields.left > 0) fields_ignore(&entries->fields, 1);
            continue;
        }
        if ((entries->met >> position & 1) == 0) {
            entries->met |= 1U << position;
            *key = position;
            return true;
        }
        fields_fail(&entries->fields, WIRE_FORM);
    }
    return false;
}

/* Goes on behind the map in the fields it was taken from, and fails unless every key
 * of the bit set `needed` came. */
static inline void entries_close(const struct entries *entries, struct fields *fields,
                                 uint32_t needed)
{
    fields_close(fields, &entries->fields);
    if ((entries->met & needed) != needed) fields_fail(fields, WIRE_FORM);
}

#endif
