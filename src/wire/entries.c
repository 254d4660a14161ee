/* entries.c - reads the known entries of one MessagePack map. */
#include "entries.h"

#include <assert.h>

static uint32_t key_position(const struct entries *entries, const msgpack_object *key)
{
    if (key->type != MSGPACK_OBJECT_STR) return entries->key_count;
    struct bytes said = bytes_of(key->via.str.ptr, key->via.str.size);
    uint32_t position = 0;
    while (position < entries->key_count && !bytes_equal(said, bytes_text(entries->keys[position])))
        position++;
    return position;
}

struct entries entries_of(struct fields *fields, const char *const *keys, uint32_t key_count)
{
    assert(key_count <= 32);
    struct entries entries = {.owner = fields, .keys = keys, .key_count = key_count};
    const msgpack_object_map *map = fields_map(fields);
    if (map != NULL) {
        entries.next = map->ptr;
        entries.left = map->size;
    }
    return entries;
}

bool entries_next(struct entries *entries, uint32_t *key, struct fields *value)
{
    while (entries->left > 0 && entries->owner->error == WIRE_OK) {
        const msgpack_object_kv *entry = entries->next++;
        entries->left--;
        uint32_t position = key_position(entries, &entry->key);
        if (position == entries->key_count) continue;
        if ((entries->met >> position & 1) != 0) {
            fields_fail(entries->owner, WIRE_FORM);
            return false;
        }
        entries->met |= 1U << position;
        *key = position;
        *value = fields_of(&entry->val);
        return true;
    }
    return false;
}

void entries_need(struct entries *entries, uint32_t needed)
{
    if ((entries->met & needed) != needed) fields_fail(entries->owner, WIRE_FORM);
}
