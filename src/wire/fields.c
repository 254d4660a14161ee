/* fields.c - reads the elements of one MessagePack array in order, strictly. */
#include "fields.h"

#include <assert.h>

/* As take, for a field that may be nil: returns NULL then. */
static const msgpack_object *take_unless_nil(struct fields *fields)
{
    const msgpack_object *object = fields_take(fields);
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

const msgpack_object_map *fields_map(struct fields *fields)
{
    const msgpack_object *object = fields_take(fields);
    if (object->type == MSGPACK_OBJECT_MAP) return &object->via.map;
    fields_fail(fields, WIRE_FORM);
    return NULL;
}

void fields_expect(struct fields *fields, uint32_t count)
{
    if (fields->left != count) fields_fail(fields, WIRE_FORM);
}

struct bytes fields_name(struct fields *fields)
{
    return text_of(fields, fields_take(fields), MESSAGE_NAME_BYTES_MAX);
}

struct bytes fields_text(struct fields *fields)
{
    return text_of(fields, fields_take(fields), MESSAGE_TEXT_BYTES_MAX);
}

struct bytes fields_text_or_nil(struct fields *fields)
{
    const msgpack_object *object = take_unless_nil(fields);
    return object == NULL ? (struct bytes){0} : text_of(fields, object, MESSAGE_TEXT_BYTES_MAX);
}

struct bytes fields_value(struct fields *fields)
{
    return value_of(fields, fields_take(fields));
}

struct bytes fields_value_or_nil(struct fields *fields)
{
    const msgpack_object *object = take_unless_nil(fields);
    return object == NULL ? (struct bytes){0} : value_of(fields, object);
}
