/* scan.c - walks MessagePack without believing it.
 *
 * The stack holds only how many objects each open array or map still lacks, and
 * where they are to be written, so it is as long as the depth that is allowed.
 * What an array or a map holds stands in one piece, as MessagePack-C has it; its
 * place is taken when its length is read, and once there is none any more, nothing
 * is written: the walk will find that there are too many objects, or something worse.
 */
#include "scan.h"

#include <assert.h>
#include <stddef.h>

/* Texts are written as if they were binary, and maps as if they were arrays. */
_Static_assert(offsetof(msgpack_object, via.str.ptr) == offsetof(msgpack_object, via.bin.ptr) &&
                   offsetof(msgpack_object, via.str.size) == offsetof(msgpack_object, via.bin.size),
               "a text is laid out as a binary");
_Static_assert(offsetof(msgpack_object, via.map.size) == offsetof(msgpack_object, via.array.size),
               "a map has its size where an array has it");

/* The bytes from which objects are read one by one. */
struct input {
    const uint8_t *at, *end;
};

static size_t left_of(const struct input *input)
{
    return (size_t)(input->end - input->at);
}

/* Big-endian; inlined, so that the compiler knows how many bytes it is made of. */
static inline uint64_t number_at(const uint8_t *data, uint32_t bytes)
{
    switch (bytes) {
    case 1: return data[0];
    case 2: return (uint64_t)data[0] << 8 | data[1];
    case 4:
        return (uint64_t)data[0] << 24 | (uint64_t)data[1] << 16 | (uint64_t)data[2] << 8 | data[3];
    default: return number_at(data, 4) << 32 | number_at(data + 4, 4);
    }
}

/* str, bin; ext has one byte more, which comes first, and is its type. */
static inline enum wire_error read_run(struct input *input, msgpack_object *object,
                                       msgpack_object_type type, uint64_t bytes)
{
    if (bytes > left_of(input)) return WIRE_SHORT;
    object->type = type;
    if (type == MSGPACK_OBJECT_EXT) {
        object->via.ext.type = (int8_t)input->at[0];
        object->via.ext.ptr = (const char *)input->at + 1;
        object->via.ext.size = (uint32_t)(bytes - 1);
    } else {
        object->via.bin.ptr = (const char *)input->at;
        object->via.bin.size = (uint32_t)bytes;
    }
    input->at += bytes;
    return WIRE_OK;
}

/* Behind a length of so many bytes. */
static inline enum wire_error read_long_run(struct input *input, msgpack_object *object,
                                            msgpack_object_type type, uint32_t length_bytes)
{
    if (left_of(input) < length_bytes) return WIRE_SHORT;
    uint64_t bytes = number_at(input->at, length_bytes);
    input->at += length_bytes;
    return read_run(input, object, type, bytes + (type == MSGPACK_OBJECT_EXT ? 1 : 0));
}

/* An array or a map; what it holds is read later. */
static inline enum wire_error read_holder(struct input *input, msgpack_object *object,
                                          msgpack_object_type type, uint64_t length)
{
    uint64_t children = type == MSGPACK_OBJECT_MAP ? 2 * length : length;
    if (children > left_of(input)) return WIRE_SHORT;
    object->type = type;
    object->via.array.size = (uint32_t)length;
    return WIRE_OK;
}

static inline enum wire_error read_long_holder(struct input *input, msgpack_object *object,
                                               msgpack_object_type type, uint32_t length_bytes)
{
    if (left_of(input) < length_bytes) return WIRE_SHORT;
    uint64_t length = number_at(input->at, length_bytes);
    input->at += length_bytes;
    return read_holder(input, object, type, length);
}

static inline enum wire_error read_unsigned(struct input *input, msgpack_object *object,
                                            uint32_t bytes)
{
    if (bytes > left_of(input)) return WIRE_SHORT;
    object->type = MSGPACK_OBJECT_POSITIVE_INTEGER;
    object->via.u64 = number_at(input->at, bytes);
    input->at += bytes;
    return WIRE_OK;
}

/* MessagePack-C has a type for those that are negative. */
static inline enum wire_error read_signed(struct input *input, msgpack_object *object,
                                          uint32_t bytes)
{
    enum wire_error error = read_unsigned(input, object, bytes);
    uint64_t sign = UINT64_C(1) << (8 * bytes - 1);
    if (error != WIRE_OK || (object->via.u64 & sign) == 0) return error;
    object->type = MSGPACK_OBJECT_NEGATIVE_INTEGER;
    object->via.u64 |= ~(sign - 1); /* as i64 it has the value */
    return WIRE_OK;
}

static enum wire_error read_float(struct input *input, msgpack_object *object, uint32_t bytes)
{
    enum wire_error error = read_unsigned(input, object, bytes);
    if (error != WIRE_OK) return error;
    uint32_t single_bits = (uint32_t)object->via.u64;
    float single;
    double number;
    memcpy(&single, &single_bits, sizeof single);
    memcpy(&number, &object->via.u64, sizeof number);
    object->type = bytes == sizeof single ? MSGPACK_OBJECT_FLOAT32 : MSGPACK_OBJECT_FLOAT64;
    object->via.f64 = bytes == sizeof single ? (double)single : number;
    return WIRE_OK;
}

static enum wire_error read_simple(msgpack_object *object, msgpack_object_type type, bool value)
{
    object->type = type;
    object->via.boolean = value;
    return WIRE_OK;
}

/* An object that begins with 0xc0 to 0xdf, which was read. */
static inline enum wire_error read_formed(uint8_t first, struct input *input,
                                          msgpack_object *object)
{
    switch (first) {
    case 0xc0: return read_simple(object, MSGPACK_OBJECT_NIL, false);
    case 0xc1: return WIRE_FORM; /* never used */
    case 0xc2: return read_simple(object, MSGPACK_OBJECT_BOOLEAN, false);
    case 0xc3: return read_simple(object, MSGPACK_OBJECT_BOOLEAN, true);
    case 0xc4: return read_long_run(input, object, MSGPACK_OBJECT_BIN, 1);
    case 0xc5: return read_long_run(input, object, MSGPACK_OBJECT_BIN, 2);
    case 0xc6: return read_long_run(input, object, MSGPACK_OBJECT_BIN, 4);
    case 0xc7: return read_long_run(input, object, MSGPACK_OBJECT_EXT, 1);
    case 0xc8: return read_long_run(input, object, MSGPACK_OBJECT_EXT, 2);
    case 0xc9: return read_long_run(input, object, MSGPACK_OBJECT_EXT, 4);
    case 0xca: return read_float(input, object, 4);
    case 0xcb: return read_float(input, object, 8);
    case 0xcc: return read_unsigned(input, object, 1);
    case 0xcd: return read_unsigned(input, object, 2);
    case 0xce: return read_unsigned(input, object, 4);
    case 0xcf: return read_unsigned(input, object, 8);
    case 0xd0: return read_signed(input, object, 1);
    case 0xd1: return read_signed(input, object, 2);
    case 0xd2: return read_signed(input, object, 4);
    case 0xd3: return read_signed(input, object, 8);
    case 0xd4: return read_run(input, object, MSGPACK_OBJECT_EXT, 2);
    case 0xd5: return read_run(input, object, MSGPACK_OBJECT_EXT, 3);
    case 0xd6: return read_run(input, object, MSGPACK_OBJECT_EXT, 5);
    case 0xd7: return read_run(input, object, MSGPACK_OBJECT_EXT, 9);
    case 0xd8: return read_run(input, object, MSGPACK_OBJECT_EXT, 17);
    case 0xd9: return read_long_run(input, object, MSGPACK_OBJECT_STR, 1);
    case 0xda: return read_long_run(input, object, MSGPACK_OBJECT_STR, 2);
    case 0xdb: return read_long_run(input, object, MSGPACK_OBJECT_STR, 4);
    case 0xdc: return read_long_holder(input, object, MSGPACK_OBJECT_ARRAY, 2);
    case 0xdd: return read_long_holder(input, object, MSGPACK_OBJECT_ARRAY, 4);
    case 0xde: return read_long_holder(input, object, MSGPACK_OBJECT_MAP, 2);
    default: return read_long_holder(input, object, MSGPACK_OBJECT_MAP, 4);
    }
}

/* Reads one object, of which at least the first byte is there. */
static inline enum wire_error read_object(struct input *input, msgpack_object *object)
{
    uint8_t first = *input->at++;
    if (first <= 0x7f || first >= 0xe0) { /* itself the number, from -32 to 127 */
        object->type =
            first <= 0x7f ? MSGPACK_OBJECT_POSITIVE_INTEGER : MSGPACK_OBJECT_NEGATIVE_INTEGER;
        object->via.i64 = (int8_t)first;
        return WIRE_OK;
    }
    if (first >= 0xc0) return read_formed(first, input, object);
    if (first >= 0xa0) return read_run(input, object, MSGPACK_OBJECT_STR, first & 0x1f);
    if (first >= 0x90) return read_holder(input, object, MSGPACK_OBJECT_ARRAY, first & 0x0f);
    return read_holder(input, object, MSGPACK_OBJECT_MAP, first & 0x0f);
}

/* The body, or an array or a map inside it. */
struct level {
    uint64_t lacking;     /* objects still to come */
    msgpack_object *next; /* where the next of them goes, */
    size_t stride;        /* and how many places there are to the one after it: 1, or 0 */
};

/* Without `objects` one place takes all. */
static inline enum wire_error walk(struct bytes bytes, struct scan_limits limits,
                                   msgpack_object *objects)
{
    msgpack_object waste;
    struct input input = {bytes.data, bytes.data};
    struct level level = {1, objects != NULL ? objects : &waste, objects != NULL ? 1 : 0};
    struct level outer[SCAN_DEPTH_MAX];
    uint32_t depth = 0;
    uint64_t taken = 1; /* places, by all that was read */
    assert(limits.depth_max <= SCAN_DEPTH_MAX);
    if (bytes.size > 0) input.end += bytes.size;

    for (uint32_t count = 0;; count++) {
        while (level.lacking == 0) {
            if (depth == 0) return left_of(&input) == 0 ? WIRE_OK : WIRE_TRAILING;
            level = outer[--depth];
        }
        if (left_of(&input) == 0) return WIRE_SHORT;
        if (count == limits.objects_max) return WIRE_LARGE;
        msgpack_object *object = level.next;
        level.next += level.stride;
        level.lacking--;
        enum wire_error error = read_object(&input, object);
        if (error != WIRE_OK) return error;
        if (object->type != MSGPACK_OBJECT_ARRAY && object->type != MSGPACK_OBJECT_MAP) continue;

        if (depth == limits.depth_max) return WIRE_LARGE;
        outer[depth++] = level;
        level = (struct level){.lacking = object->via.array.size, .next = &waste};
        if (object->type == MSGPACK_OBJECT_MAP) level.lacking *= 2;
        if (objects != NULL && taken + level.lacking <= limits.objects_max) {
            level.next = objects + taken;
            level.stride = 1;
        }
        taken += level.lacking;
        if (object->type == MSGPACK_OBJECT_MAP)
            object->via.map.ptr = (msgpack_object_kv *)level.next;
        else
            object->via.array.ptr = level.next;
    }
}

enum wire_error scan_check(struct bytes bytes, struct scan_limits limits)
{
    return walk(bytes, limits, NULL);
}

enum wire_error scan_read(struct bytes bytes, struct scan_limits limits, msgpack_object *objects)
{
    assert(objects != NULL && limits.objects_max > 0);
    return walk(bytes, limits, objects);
}
