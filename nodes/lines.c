/* lines.c - see lines.h. */
#include "lines.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINES_READ_BYTES = 256 * 1024 };

bool lines_open(struct lines *lines, int fd, char separator, size_t bytes_max)
{
    *lines = (struct lines){.fd = fd, .separator = separator, .bytes_max = bytes_max, .number = 1};
    lines->capacity = bytes_max + 1 + LINES_READ_BYTES;
    lines->buffer = malloc(lines->capacity);
    return lines->buffer != NULL;
}

void lines_close(struct lines *lines)
{
    free(lines->buffer);
    lines->buffer = NULL;
}

enum lines_state lines_peek(struct lines *lines, struct line *line)
{
    assert(lines->start <= lines->scanned && lines->scanned <= lines->end);
    const char *found = NULL;
    if (lines->scanned < lines->end) {
        found =
            memchr(lines->buffer + lines->scanned, lines->separator, lines->end - lines->scanned);
    }
    /* What was searched once is not searched again: a long record that comes in
     * small pieces would cost the square of its size. */
    lines->scanned = found ? (size_t)(found - lines->buffer) : lines->end;
    *line = (struct line){lines->buffer + lines->start, lines->scanned - lines->start};
    if (line->bytes > lines->bytes_max) return LINES_OVERSIZE;
    if (found) return LINES_READY;
    if (lines->error) return LINES_FAILED;
    if (!lines->over) return LINES_WANTING;
    return line->bytes > 0 ? LINES_READY : LINES_OVER;
}

void lines_take(struct lines *lines)
{
    lines->start = lines->scanned < lines->end ? lines->scanned + 1 : lines->end;
    lines->scanned = lines->start;
    lines->number++;
}

void lines_read(struct lines *lines)
{
    if (lines->over || lines->error) return;
    if (lines->capacity - lines->end < LINES_READ_BYTES) {
        memmove(lines->buffer, lines->buffer + lines->start, lines->end - lines->start);
        lines->scanned -= lines->start;
        lines->end -= lines->start;
        lines->start = 0;
    }
    assert(lines->end < lines->capacity);
    ssize_t bytes = read(lines->fd, lines->buffer + lines->end, lines->capacity - lines->end);
    if (bytes > 0) lines->end += (size_t)bytes;
    if (bytes == 0) lines->over = true;
    if (bytes < 0 && errno != EINTR && errno != EAGAIN) lines->error = errno;
}
