/* buffer.c - bytes that grow. */
#include "buffer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { BUFFER_BYTES_MIN = 4096 };

bool buffer_reserve(struct buffer *buffer, size_t more)
{
    assert(buffer->used <= buffer->capacity);
    if (buffer->capacity - buffer->used >= more) return true;
    size_t capacity = buffer->capacity < BUFFER_BYTES_MIN ? BUFFER_BYTES_MIN : buffer->capacity;
    while (capacity - buffer->used < more) {
        if (capacity > SIZE_MAX / 2) return false;
        capacity *= 2;
    }
    uint8_t *data = realloc(buffer->data, capacity);
    if (data == NULL) return false;
    buffer->data = data;
    buffer->capacity = capacity;
    return true;
}

bool buffer_append(struct buffer *buffer, const void *data, size_t bytes)
{
    if (bytes == 0) return true;
    assert(data != NULL);
    if (!buffer_reserve(buffer, bytes)) return false;
    memcpy(buffer->data + buffer->used, data, bytes);
    buffer->used += bytes;
    return true;
}

void buffer_clear(struct buffer *buffer, size_t keep_max)
{
    buffer->used = 0;
    if (buffer->capacity > keep_max) buffer_free(buffer);
}

void buffer_free(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){0};
}
