/* scan.c - walks MessagePack without believing it.
 *
 * The stack holds only how many objects each open array or map still lacks, so
 * it is as long as the depth that is allowed.
 */
#include "scan.h"

#include <assert.h>

/* What one object says of itself. */
struct object {
    uint64_t head_bytes; /* its first byte and its own length field */
    uint64_t data_bytes; /* its value, when it holds no other objects */
    uint64_t children;
    bool holds; /* an array or a map, be it empty */
};

/* How the first bytes 0xc0 to 0xdf go on. */
struct form {
    uint8_t length_bytes;     /* big-endian length that follows the first byte */
    uint8_t fixed_bytes;      /* of data besides what that length says */
    uint8_t children_by_unit; /* 0: the length counts bytes; else it counts elements or pairs */
};

static const struct form FORMS[32] = {
    [0x00] = {0, 0, 0},  /* nil */
    [0x02] = {0, 0, 0},  /* false */
    [0x03] = {0, 0, 0},  /* true */
    [0x04] = {1, 0, 0},  /* bin 8 */
    [0x05] = {2, 0, 0},  /* bin 16 */
    [0x06] = {4, 0, 0},  /* bin 32 */
    [0x07] = {1, 1, 0},  /* ext 8 */
    [0x08] = {2, 1, 0},  /* ext 16 */
    [0x09] = {4, 1, 0},  /* ext 32 */
    [0x0a] = {0, 4, 0},  /* float 32 */
    [0x0b] = {0, 8, 0},  /* float 64 */
    [0x0c] = {0, 1, 0},  /* uint 8 */
    [0x0d] = {0, 2, 0},  /* uint 16 */
    [0x0e] = {0, 4, 0},  /* uint 32 */
    [0x0f] = {0, 8, 0},  /* uint 64 */
    [0x10] = {0, 1, 0},  /* int 8 */
    [0x11] = {0, 2, 0},  /* int 16 */
    [0x12] = {0, 4, 0},  /* int 32 */
    [0x13] = {0, 8, 0},  /* int 64 */
    [0x14] = {0, 2, 0},  /* fixext 1 */
    [0x15] = {0, 3, 0},  /* fixext 2 */
    [0x16] = {0, 5, 0},  /* fixext 4 */
    [0x17] = {0, 9, 0},  /* fixext 8 */
    [0x18] = {0, 17, 0}, /* fixext 16 */
    [0x19] = {1, 0, 0},  /* str 8 */
    [0x1a] = {2, 0, 0},  /* str 16 */
    [0x1b] = {4, 0, 0},  /* str 32 */
    [0x1c] = {2, 0, 1},  /* array 16 */
    [0x1d] = {4, 0, 1},  /* array 32 */
    [0x1e] = {2, 0, 2},  /* map 16 */
    [0x1f] = {4, 0, 2},  /* map 32 */
};

enum { NEVER_USED = 0xc1 };

/* Reads the head of the object at `data`, of which at least one byte is there. */
static enum wire_error object_read(const uint8_t *data, size_t left, struct object *object)
{
    uint8_t first = data[0];
    *object = (struct object){.head_bytes = 1};
    if (first <= 0x7f || first >= 0xe0) return WIRE_OK; /* small integers */
    if (first <= 0x9f) {                                /* small maps, small arrays */
        object->holds = true;
        object->children = first <= 0x8f ? 2U * (first & 0x0fU) : first & 0x0fU;
        return WIRE_OK;
    }
    if (first <= 0xbf) { /* short strings */
        object->data_bytes = first & 0x1fU;
        return WIRE_OK;
    }
    if (first == NEVER_USED) return WIRE_FORM;

    const struct form *form = &FORMS[first - 0xc0];
    if (left - 1 < form->length_bytes) return WIRE_SHORT;
    uint64_t length = 0;
    for (size_t i = 1; i <= form->length_bytes; i++) length = length << 8 | data[i];
    object->head_bytes += form->length_bytes;
    object->holds = form->children_by_unit != 0;
    object->children = length * form->children_by_unit;
    object->data_bytes = form->fixed_bytes + (object->holds ? 0 : length);
    return WIRE_OK;
}

enum wire_error scan_check(struct bytes bytes, struct scan_limits limits)
{
    assert(limits.depth_max <= SCAN_DEPTH_MAX);
    uint64_t lacking[SCAN_DEPTH_MAX + 1] = {1}; /* objects still to come, by depth */
    uint32_t depth = 0;
    size_t at = 0;

    for (uint32_t objects = 0; lacking[0] > 0 || depth > 0; objects++) {
        if (at == bytes.size) return WIRE_SHORT;
        if (objects == limits.objects_max) return WIRE_LARGE;
        struct object object;
        enum wire_error error = object_read(bytes.data + at, bytes.size - at, &object);
        if (error != WIRE_OK) return error;
        uint64_t left = bytes.size - at - object.head_bytes;
        if (object.data_bytes > left || object.children > left) return WIRE_SHORT;
        at += (size_t)(object.head_bytes + object.data_bytes);

        lacking[depth]--;
        if (object.holds) {
            if (depth == limits.depth_max) return WIRE_LARGE;
            lacking[++depth] = object.children;
        }
        while (depth > 0 && lacking[depth] == 0) depth--;
    }
    return at == bytes.size ? WIRE_OK : WIRE_TRAILING;
}
