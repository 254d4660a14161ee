/* ahead.h - memory that one thread wrote and another one reads through, in order.
 *
 * On another processor it has to come from there, and whoever comes upon it would wait for
 * each line.  Owns nothing, and changes nothing.
 */
#ifndef CORE_AHEAD_H
#define CORE_AHEAD_H

#include <stddef.h>
#include <stdint.h>

enum {
    AHEAD_BYTES = 512,     /* some four tasks of a hundred bytes */
    AHEAD_BYTES_MAX = 512, /* of one item; a longer one comes of itself */
    AHEAD_LINE_BYTES = 64
};

/* The reader passed an item of so many bytes and is at `read` now: asks for as many that
 * lie ahead, up to `used`. */
static inline void ahead_fetch(const uint8_t *data, size_t read, size_t used, size_t bytes)
{
    size_t from = read + AHEAD_BYTES;
    size_t to = from + (bytes < AHEAD_BYTES_MAX ? bytes : AHEAD_BYTES_MAX);
    if (to > used) to = used;
    for (; from < to; from += AHEAD_LINE_BYTES) __builtin_prefetch(data + from);
}

/* The writer appended so many bytes up to `used`: asks for as many ahead to write to, of
 * memory that another processor has read. */
static inline void ahead_claim(const uint8_t *data, size_t used, size_t capacity, size_t bytes)
{
    size_t from = used + AHEAD_BYTES;
    size_t to = from + (bytes < AHEAD_BYTES_MAX ? bytes : AHEAD_BYTES_MAX);
    if (to > capacity) to = capacity;
    for (; from < to; from += AHEAD_LINE_BYTES) __builtin_prefetch(data + from, 1);
}

#endif
