/* entries.c - reads the known entries of one MessagePack map. */
#include "entries.h"

uint32_t entries_position(const char *const *keys, uint32_t key_count, struct bytes key)
{
    if (key.size == 0) return key_count;
    uint32_t position = 0;
    for (; position < key_count; position++) {
        if ((uint8_t)keys[position][0] != key.data[0]) continue;
        if (bytes_equal(key, bytes_text(keys[position]))) break;
    }
    return position;
}
