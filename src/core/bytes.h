/* bytes.h - a borrowed run of bytes.
 *
 * Owns nothing: whoever hands a view over says how long it lives.  In events
 * it lives until the step returns, in actions until the next step of the same
 * machine.
 */
#ifndef CORE_BYTES_H
#define CORE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    const uint8_t *data; /* NULL exactly when there is nothing, not even an empty value */
    uint32_t size;
};

static inline struct bytes bytes_of(const void *data, size_t size)
{
    return (struct bytes){.data = data, .size = (uint32_t)size};
}

/* The bytes of a string literal or any other terminated text, without its end mark. */
static inline struct bytes bytes_text(const char *text)
{
    size_t size = 0;
    while (text[size] != '\0') size++;
    return bytes_of(text, size);
}

static inline bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

#endif
