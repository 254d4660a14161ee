/* fields.h - reads the elements of one MessagePack array in order, strictly.
 *
 * Owns: what each type of the protocol may look like on the wire, and the place in
 * the bytes up to which they were read.  Nothing is read twice, and no byte is
 * looked at before it is known to be there.
 * The first error stays: everything read after it is zero, so that a decoder
 * reads all it needs and asks once at the end.
 *
 * Items of tasks are read here, thousands from one message.  So the encodings that
 * are usual are read inline, and all others by the functions of fields.c, which get a
 * copy of `struct fields`, from which it is brought up to date part by part: the
 * compiler can then keep each of its parts in a register.
 */
#ifndef WIRE_FIELDS_H
#define WIRE_FIELDS_H

#include "../core/ahead.h"
#include "big.h"
#include "scan.h"

#include <assert.h>

struct fields {
    /* scan.left: arrays and maps that may be inside one another in this one; objects
     * that the body may have beside those that its arrays and maps announced. */
    struct scan scan;
    uint32_t left; /* elements that were not read yet */
    enum wire_error error;
};

/* The only field is the object that `bytes` begin with. */
struct fields fields_of(struct bytes bytes, struct scan_limits limits);

/* What is wrong with `bytes`, from which `fields` were made and read: nothing may
 * stand behind its fields, and those that nobody read must be well formed.  Where
 * several things are wrong, it is the one that a walk would meet first (scan_check),
 * or else the first that was met in reading. */
enum wire_error fields_end(const struct fields *fields, struct bytes bytes,
                           struct scan_limits limits);

/* Notes an error, unless there was one already, and leaves nothing to read. */
static inline void fields_fail(struct fields *fields, enum wire_error error)
{
    assert(error != WIRE_OK);
    if (fields->error == WIRE_OK) fields->error = error;
    fields->scan.at = fields->scan.end;
    fields->left = 0;
}

/* Bytes behind what was read. */
static inline size_t fields_bytes(const struct fields *fields)
{
    return (size_t)(fields->scan.end - fields->scan.at);
}

/* Whether there is a field, and so many bytes. */
static inline bool fields_are(const struct fields *fields, uint32_t bytes)
{
    return fields->left > 0 && fields_bytes(fields) >= bytes;
}

/* A body of many items came from another thread, mostly on another processor (ahead.h): asks
 * for what lies some items further on, before each of them.  How long the next one is nobody
 * knows yet. */
static inline void fields_fetch_ahead(const struct fields *fields)
{
    if (fields_bytes(fields) < AHEAD_BYTES + 2 * AHEAD_LINE_BYTES) return;
    __builtin_prefetch(fields->scan.at + AHEAD_BYTES);
    __builtin_prefetch(fields->scan.at + AHEAD_BYTES + AHEAD_LINE_BYTES);
}

/* The next field is so many bytes long. */
static inline void fields_pass(struct fields *fields, uint32_t bytes)
{
    fields->left--;
    fields->scan.at += bytes;
}

/* ---- Any encoding: what the functions below do, wherever they are inlined ---- */

struct bytes fields_read_string(struct fields *fields, uint32_t size_max);
struct bytes fields_read_value(struct fields *fields);
uint64_t fields_read_u64(struct fields *fields);
/* These return how many elements there are. */
uint32_t fields_read_array(struct fields *fields, uint32_t count_max);
uint32_t fields_read_map(struct fields *fields);
void fields_skip(struct fields *fields, uint32_t count);

/* Goes on where a copy of `fields` got to. */
static inline void fields_resume(struct fields *fields, const struct fields *copy)
{
    fields->scan.at = copy->scan.at;
    fields->scan.left.objects_max = copy->scan.left.objects_max;
    fields->left = copy->left;
    if (copy->error != WIRE_OK) fields->error = copy->error;
}

/* Passes over so many fields, whatever they are. */
static inline void fields_ignore(struct fields *fields, uint32_t count)
{
    struct fields copy = *fields;
    fields_skip(&copy, count);
    fields_resume(fields, &copy);
}

/* ---- Arrays and maps ---- */

/* Whether an array or a map of so many elements is within the limits. */
static inline bool fields_may_hold(const struct fields *fields, uint64_t count)
{
    return count <= fields->scan.left.objects_max && fields->scan.left.depth_max > 0;
}

/* So many elements, of the array or the map whose head was passed last. */
static inline struct fields fields_held(const struct fields *fields, uint32_t count)
{
    struct fields inner = *fields;
    if (inner.error != WIRE_OK) return inner;
    inner.left = count;
    inner.scan.left.objects_max -= count;
    inner.scan.left.depth_max--;
    return inner;
}

/* Takes the next field, which must be an array of at most `count_max` (more:
 * WIRE_LARGE), and returns its elements, which are to be closed. */
static inline struct fields fields_array(struct fields *fields, uint32_t count_max)
{
    uint32_t count = fields_are(fields, 1) ? *fields->scan.at - 0x90U : UINT32_MAX;
    if (count <= 15 && count <= count_max && fields_may_hold(fields, count)) {
        fields_pass(fields, 1);
    } else {
        struct fields copy = *fields;
        count = fields_read_array(&copy, count_max);
        fields_resume(fields, &copy);
    }
    return fields_held(fields, count);
}

/* Takes the next field, which must be a map, and returns its keys and values, each
 * behind its key. */
static inline struct fields fields_map(struct fields *fields)
{
    uint32_t count = fields_are(fields, 1) ? 2 * (*fields->scan.at - 0x80U) : UINT32_MAX;
    if (count <= 30 && fields_may_hold(fields, count)) {
        fields_pass(fields, 1);
    } else {
        struct fields copy = *fields;
        count = fields_read_map(&copy);
        fields_resume(fields, &copy);
    }
    return fields_held(fields, count);
}

/* Goes on behind an array or a map.  Elements that nobody read are a later minor
 * version's and are ignored.  Passes on what went wrong while it was read. */
static inline void fields_close(struct fields *fields, const struct fields *inner)
{
    struct fields rest = *inner;
    if (rest.left > 0) fields_ignore(&rest, rest.left);
    fields->scan.at = rest.scan.at;
    fields->scan.left.objects_max = rest.scan.left.objects_max;
    if (rest.error != WIRE_OK) fields_fail(fields, rest.error);
}

/* Fails unless exactly `count` fields are left. */
static inline void fields_expect(struct fields *fields, uint32_t count)
{
    if (fields->left != count) fields_fail(fields, WIRE_FORM);
}

/* ---- Numbers ---- */

/* An integer that is not negative. */
static inline uint64_t fields_u64(struct fields *fields)
{
    if (fields_are(fields, 1) && *fields->scan.at <= 0x7f) {
        uint64_t number = *fields->scan.at;
        fields_pass(fields, 1);
        return number;
    }
    if (fields_are(fields, 9) && *fields->scan.at == 0xcf) {
        uint64_t number = big_read64(fields->scan.at + 1);
        fields_pass(fields, 9);
        return number;
    }
    struct fields copy = *fields;
    uint64_t number = fields_read_u64(&copy);
    fields_resume(fields, &copy);
    return number;
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

/* ---- Runs of bytes ---- */

/* Whether the next field is nil, which is taken then. */
static inline bool fields_nil(struct fields *fields)
{
    if (!fields_are(fields, 1) || *fields->scan.at != 0xc0) return false;
    fields_pass(fields, 1);
    return true;
}

/* str or bin; of more than `size_max` bytes: WIRE_LARGE.  An empty one does not look
 * like an absent one. */
static inline struct bytes fields_string(struct fields *fields, uint32_t size_max)
{
    if (fields_are(fields, 1)) {
        uint32_t size = *fields->scan.at - 0xa0U;
        if (size <= 31 && size <= size_max && fields_are(fields, 1 + size)) {
            struct bytes string = bytes_of(fields->scan.at + 1, size);
            fields_pass(fields, 1 + size);
            return string;
        }
    }
    struct fields copy = *fields;
    struct bytes string = fields_read_string(&copy, size_max);
    fields_resume(fields, &copy);
    return string;
}

/* At most MESSAGE_NAME_BYTES_MAX.  A name's letters are not looked at. */
static inline struct bytes fields_name(struct fields *fields)
{
    return fields_string(fields, MESSAGE_NAME_BYTES_MAX);
}

/* At most MESSAGE_TEXT_BYTES_MAX. */
static inline struct bytes fields_text(struct fields *fields)
{
    return fields_string(fields, MESSAGE_TEXT_BYTES_MAX);
}

/* The same, or nil for an absent one. */
static inline struct bytes fields_text_or_nil(struct fields *fields)
{
    return fields_nil(fields) ? (struct bytes){0} : fields_text(fields);
}

/* bin of any size that fits into a message. */
static inline struct bytes fields_value(struct fields *fields)
{
    if (fields_are(fields, 2) && fields->scan.at[0] == 0xc4) {
        uint32_t size = fields->scan.at[1];
        if (fields_are(fields, 2 + size)) {
            struct bytes value = bytes_of(fields->scan.at + 2, size);
            fields_pass(fields, 2 + size);
            return value;
        }
    }
    struct fields copy = *fields;
    struct bytes value = fields_read_value(&copy);
    fields_resume(fields, &copy);
    return value;
}

/* The same, or nil for an absent one. */
static inline struct bytes fields_value_or_nil(struct fields *fields)
{
    return fields_nil(fields) ? (struct bytes){0} : fields_value(fields);
}

/* bin of exactly 16 bytes. */
static inline struct id fields_id(struct fields *fields)
{
    struct id id = {{0}};
    struct bytes octets = fields_value(fields);
    if (octets.size == sizeof id.octets)
        memcpy(id.octets, octets.data, sizeof id.octets);
    else
        fields_fail(fields, WIRE_FORM);
    return id;
}

/* [id, attempt, token] in three fields.  Not by value: parts that are put together in
 * memory only to be copied from there as a whole cost more than reading them. */
static inline void fields_lease(struct fields *fields, struct lease *lease)
{
    lease->id = fields_id(fields);
    lease->attempt = fields_u32(fields);
    lease->token = fields_u64(fields);
}

#endif
