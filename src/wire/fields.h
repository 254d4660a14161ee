/* fields.h - reads the elements of one MessagePack array in order, strictly.
 *
 * Owns: what each type of the protocol may look like on the wire.
 * The first error stays: everything read after it is zero, so that a decoder
 * reads all it needs and asks once at the end.
 */
#ifndef WIRE_FIELDS_H
#define WIRE_FIELDS_H

#include "codec.h"

#include <msgpack.h>

struct fields {
    const msgpack_object *next;
    uint32_t left;
    enum wire_error error;
};

/* The fields of a single object, as if it were an array of one. */
struct fields fields_of(const msgpack_object *object);

/* Takes the next field, which must be an array of at most `count_max` (more:
 * WIRE_LARGE), and returns its elements.  Elements that nobody reads are a
 * later minor version's and are ignored. */
struct fields fields_array(struct fields *fields, uint32_t count_max);

/* Takes the next field, which must be a map.  Returns NULL on an error. */
const msgpack_object_map *fields_map(struct fields *fields);

/* Notes an error, unless there was one already, and leaves nothing to read. */
void fields_fail(struct fields *fields, enum wire_error error);

/* Passes on what went wrong while the elements of a field were read. */
void fields_close(struct fields *fields, const struct fields *inner);

/* Fails unless exactly `count` fields are left. */
void fields_expect(struct fields *fields, uint32_t count);

uint64_t fields_u64(struct fields *fields);
uint32_t fields_u32(struct fields *fields);

/* A number from `least` to `most`; used for enumerations without gaps. */
uint32_t fields_choice(struct fields *fields, uint32_t least, uint32_t most);

/* bin of exactly 16 bytes. */
struct id fields_id(struct fields *fields);

/* [id, attempt, token] in three fields. */
struct lease fields_lease(struct fields *fields);

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
