/* fields.c - reads the elements of one MessagePack array in order, strictly. */
#include "fields.h"

#include <assert.h>

static const msgpack_object NIL = {.type = MSGPACK_OBJECT_NIL};

void fields_fail(struct fields *fields, enum wire_error error)
{
    assert(error != WIRE_OK);
    if (fields->error == WIRE_OK) fields->error = error;
    fields->left = 0;
}

/* The next field, or nil when none is left, which is an error. */
static const msgpack_object *take(struct fields *fields)
{
    if (fields->left == 0) {
        fields_fail(fields, WIRE_FORM);
        return &NIL;
    }
    fields->left--;
    return fields->next++;
}

/* As take, for a field that may be nil: returns NULL then. */
static const msgpack_object *take_unless_nil(struct fields *fields)
{
    const msgpack_object *object = take(fields);
    return object->type == MSGPACK_OBJECT_NIL ? NULL : object;
}

/* An empty run of bytes must not look like an absent one. */
static struct bytes present(const char *data, uint32_t size)
{
    return bytes_of(data == NULL ? "" : data, size);
}

static struct bytes text_of(struct fields *fields, const msgpack_object *object, uint32_t size_max)
{
    struct bytes text = {0};
    if (object->type == MSGPACK_OBJECT_STR)
        text = present(object->via.str.ptr, object->via.str.size);
    else if (object->type == MSGPACK_OBJECT_BIN)
        text = present(object->via.bin.ptr, object->via.bin.size);
    else
        fields_fail(fields, WIRE_FORM);
    if (text.size <= size_max) return text;
    fields_fail(fields, WIRE_LARGE);
    return (struct bytes){0};
}

static struct bytes value_of(struct fields *fields, const msgpack_object *object)
{
    if (object->type == MSGPACK_OBJECT_BIN)
        return present(object->via.bin.ptr, object->via.bin.size);
    fields_fail(fields, WIRE_FORM);
    return (struct bytes){0};
}

struct fields fields_of(const msgpack_object *object)
{
    return (struct fields){.next = object, .left = 1};
}

struct fields fields_array(struct fields *fields, uint32_t count_max)
{
    const msgpack_object *object = take(fields);
    struct fields inner = {.error = fields->error};
    if (object->type != MSGPACK_OBJECT_ARRAY)
        fields_fail(&inner, WIRE_FORM);
    else if (object->via.array.size > count_max)
        fields_fail(&inner, WIRE_LARGE);
    else if (inner.error == WIRE_OK)
        inner = (struct fields){.next = object->via.array.ptr, .left = object->via.array.size};
    return inner;
}

const msgpack_object_map *fields_map(struct fields *fields)
{
    const msgpack_object *object = take(fields);
    if (object->type == MSGPACK_OBJECT_MAP) return &object->via.map;
    fields_fail(fields, WIRE_FORM);
    return NULL;
}

void fields_close(struct fields *fields, const struct fields *inner)
{
    if (inner->error != WIRE_OK) fields_fail(fields, inner->error);
}

void fields_expect(struct fields *fields, uint32_t count)
{
    if (fields->left != count) fields_fail(fields, WIRE_FORM);
}

uint64_t fields_u64(struct fields *fields)
{
    const msgpack_object *object = take(fields);
    if (object->type == MSGPACK_OBJECT_POSITIVE_INTEGER) return object->via.u64;
    fields_fail(fields, WIRE_FORM);
    return 0;
}

uint32_t fields_u32(struct fields *fields)
{
    return fields_choice(fields, 0, UINT32_MAX);
}

uint32_t fields_choice(struct fields *fields, uint32_t least, uint32_t most)
{
    assert(least <= most);
    uint64_t number = fields_u64(fields);
    if (number >= least && number <= most) return (uint32_t)number;
    fields_fail(fields, WIRE_FORM);
    return 0;
}

struct id fields_id(struct fields *fields)
{
    struct id id = {{0}};
    const msgpack_object *object = take(fields);
    if (object->type == MSGPACK_OBJECT_BIN && object->via.bin.size == sizeof id.octets)
        memcpy(id.octets, object->via.bin.ptr, sizeof id.octets);
    else
        fields_fail(fields, WIRE_FORM);
    return id;
}

struct lease fields_lease(struct fields *fields)
{
    struct lease lease;
    lease.id = fields_id(fields);
    lease.attempt = fields_u32(fields);
    lease.token = fields_u64(fields);
    return lease;
}

struct bytes fields_name(struct fields *fields)
{
    return text_of(fields, take(fields), MESSAGE_NAME_BYTES_MAX);
}

struct bytes fields_text(struct fields *fields)
{
    return text_of(fields, take(fields), MESSAGE_TEXT_BYTES_MAX);
}

struct bytes fields_text_or_nil(struct fields *fields)
{
    const msgpack_object *object = take_unless_nil(fields);
    return object == NULL ? (struct bytes){0} : text_of(fields, object, MESSAGE_TEXT_BYTES_MAX);
}

struct bytes fields_value(struct fields *fields)
{
    return value_of(fields, take(fields));
}

struct bytes fields_value_or_nil(struct fields *fields)
{
    const msgpack_object *object = take_unless_nil(fields);
    return object == NULL ? (struct bytes){0} : value_of(fields, object);
}
