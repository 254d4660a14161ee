/* fields.h - reads the elements of one MessagePack array in order, strictly.
 *
 * Owns: what each type of the protocol may look like on the wire.
 * The first error stays: everything read after it is zero, so that a decoder
 * reads all it needs and asks once at the end.
 */
#ifndef WIRE_FIELDS_H
#define WIRE_FIELDS_H

#include "codec.h"

#include <assert.h>
#include <msgpack.h>

struct fields {
    const msgpack_object *next;
    uint32_t left;
    enum wire_error error;
};

/* Notes an error, unless there was one already, and leaves nothing to read. */
static inline void fields_fail(struct fields *fields, enum wire_error error)
{
    assert(error != WIRE_OK);
    if (fields->error == WIRE_OK) fields->error = error;
    fields->left = 0;
}

/* The next field, or nil when none is left, which is an error. */
static inline const msgpack_object *fields_take(struct fields *fields)
{
    static const msgpack_object nil = {.type = MSGPACK_OBJECT_NIL};
    if (fields->left == 0) {
        fields_fail(fields, WIRE_FORM);
        return &nil;
    }
    fields->left--;
    return fields->next++;
}

/* The fields of a single object, as if it were an array of one. */
struct fields fields_of(const msgpack_object *object);

/* Takes the next field, which must be an array of at most `count_max` (more:
 * WIRE_LARGE), and returns its elements.  Elements that nobody reads are a
 * later minor version's and are ignored. */
static inline struct fields fields_array(struct fields *fields, uint32_t count_max)
{
    const msgpack_object *object = fields_take(fields);
    struct fields inner = {.error = fields->error};
    if (object->type != MSGPACK_OBJECT_ARRAY)
        fields_fail(&inner, WIRE_FORM);
    else if (object->via.array.size > count_max)
        fields_fail(&inner, WIRE_LARGE);
    else if (inner.error == WIRE_OK)
        inner = (struct fields){.next = object->via.array.ptr, .left = object->via.array.size};
    return inner;
}

/* Takes the next field, which must be a map.  Returns NULL on an error. */
const msgpack_object_map *fields_map(struct fields *fields);

/* Passes on what went wrong while the elements of a field were read. */
static inline void fields_close(struct fields *fields, const struct fields *inner)
{
    if (inner->error != WIRE_OK) fields_fail(fields, inner->error);
}

/* Fails unless exactly `count` fields are left. */
void fields_expect(struct fields *fields, uint32_t count);

static inline uint64_t fields_u64(struct fields *fields)
{
    const msgpack_object *object = fields_take(fields);
    if (object->type == MSGPACK_OBJECT_POSITIVE_INTEGER) return object->via.u64;
    fields_fail(fields, WIRE_FORM);
    return 0;
}

/* A number from `least` to `most`; used for enumerations without gaps. */
static inline uint32_t fields_choice(struct fields *fields, uint32_t least, uint32_t most)
{
    assert(least <= most);
    uint64_t number = fields_u64(fields);
    if (number >= least && number <= most) return (uint32_t)number;
    fields_fail(fields, WIRE_FORM);
    return 0;
}

static inline uint32_t fields_u32(struct fields *fields)
{
    return fields_choice(fields, 0, UINT32_MAX);
}

/* bin of exactly 16 bytes. */
static inline struct id fields_id(struct fields *fields)
{
    struct id id = {{0}};
    const msgpack_object *object = fields_take(fields);
    if (object->type == MSGPACK_OBJECT_BIN && object->via.bin.size == sizeof id.octets)
        memcpy(id.octets, object->via.bin.ptr, sizeof id.octets);
    else
        fields_fail(fields, WIRE_FORM);
    return id;
}

/* [id, attempt, token] in three fields. */
static inline struct lease fields_lease(struct fields *fields)
{
    struct lease lease;
    lease.id = fields_id(fields);
    lease.attempt = fields_u32(fields);
    lease.token = fields_u64(fields);
    return lease;
}

/* str or bin; at most MESSAGE_NAME_BYTES_MAX and MESSAGE_TEXT_BYTES_MAX.  A name's
 * letters are not looked at. */
struct bytes fields_name(struct fields *fields);
struct bytes fields_text(struct fields *fields);

/* The same, or nil for an absent one. */
struct bytes fields_text_or_nil(struct fields *fields);

/* bin of any size that fits into a message; the second also nil for an absent one. */
struct bytes fields_value(struct fields *fields);
struct bytes fields_value_or_nil(struct fields *fields);

#endif
