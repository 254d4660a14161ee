/* buffer.h - bytes that grow.
 *
 * Owns its memory, and keeps it from use to use.
 * Not here: any limit; its users know theirs.
 */
#ifndef POOL_BUFFER_H
#define POOL_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zeros is an empty buffer. */
struct buffer {
    uint8_t *data;
    size_t used, capacity;
};

/* Makes room for `more` bytes behind those in use.  False: memory is short, and
 * nothing changed. */
bool buffer_reserve(struct buffer *buffer, size_t more);

/* Copies `bytes` bytes to the end.  False as above. */
bool buffer_append(struct buffer *buffer, const void *data, size_t bytes);

/* Forgets the contents, and gives memory back when it is more than `keep_max`. */
void buffer_clear(struct buffer *buffer, size_t keep_max);

void buffer_free(struct buffer *buffer);

#endif
