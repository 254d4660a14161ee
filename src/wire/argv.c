/* argv.c - the payload of a task that brings its own command line. */
#include "argv.h"

#include "scan.h"

#include <assert.h>
#include <msgpack.h>
#include <stdlib.h>

/* The text of a str or a bin; absent for anything else. */
static struct bytes text_of(const msgpack_object *object)
{
    if (object->type == MSGPACK_OBJECT_STR)
        return bytes_of(object->via.str.ptr, object->via.str.size);
    if (object->type == MSGPACK_OBJECT_BIN)
        return bytes_of(object->via.bin.ptr, object->via.bin.size);
    return (struct bytes){0};
}

static enum wire_error copy(const msgpack_object_array *array, struct argv *argv)
{
    size_t total = ((size_t)array->size + 1) * sizeof(char *);
    for (uint32_t i = 0; i < array->size; i++) {
        struct bytes text = text_of(&array->ptr[i]);
        if (text.data == NULL || (i == 0 && text.size == 0)) return WIRE_FORM;
        if (text.size > 0 && memchr(text.data, '\0', text.size) != NULL) return WIRE_FORM;
        total += (size_t)text.size + 1;
    }
    char **items = malloc(total);
    if (items == NULL) return WIRE_MEMORY;
    char *to = (char *)(items + array->size + 1);
    for (uint32_t i = 0; i < array->size; i++) {
        struct bytes text = text_of(&array->ptr[i]);
        items[i] = to;
        if (text.size > 0) memcpy(to, text.data, text.size);
        to[text.size] = '\0';
        to += (size_t)text.size + 1;
    }
    assert(to == (char *)items + total);
    items[array->size] = NULL;
    *argv = (struct argv){.items = items, .count = array->size};
    return WIRE_OK;
}

enum wire_error argv_read(struct bytes payload, struct argv *argv)
{
    *argv = (struct argv){0};
    if (payload.data == NULL) return WIRE_SHORT;
    const struct scan_limits limits = {.depth_max = 1, .objects_max = 1 + ARGV_ITEMS_MAX};
    enum wire_error error = scan_check(payload, limits);
    if (error != WIRE_OK) return error;

    msgpack_unpacked unpacked;
    msgpack_unpacked_init(&unpacked);
    msgpack_unpack_return answer =
        msgpack_unpack_next(&unpacked, (const char *)payload.data, payload.size, NULL);
    if (answer == MSGPACK_UNPACK_NOMEM_ERROR)
        error = WIRE_MEMORY;
    else if (answer != MSGPACK_UNPACK_SUCCESS && answer != MSGPACK_UNPACK_EXTRA_BYTES)
        error = WIRE_FORM;
    else if (unpacked.data.type != MSGPACK_OBJECT_ARRAY || unpacked.data.via.array.size == 0)
        error = WIRE_FORM;
    else
        error = copy(&unpacked.data.via.array, argv);
    msgpack_unpacked_destroy(&unpacked);
    return error;
}

void argv_free(struct argv *argv)
{
    free(argv->items);
    *argv = (struct argv){0};
}
