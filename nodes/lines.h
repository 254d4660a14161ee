/* lines.h - records of a stream, one after the other, as they come.
 *
 * Owns: a buffer of fixed size.  One read takes what is there, however many
 * records that are; nothing is copied for each.
 */
#ifndef NODES_LINES_H
#define NODES_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lines {
    int fd;
    char separator;   /* '\n', or 0 */
    size_t bytes_max; /* of a record */
    char *buffer;
    size_t capacity, start, scanned, end;
    uint64_t number; /* of the record that lines_peek showed last, from 1 */
    bool over;       /* the stream has ended */
    int error;       /* errno of a read that failed */
};

enum lines_state {
    LINES_READY,    /* there is a record */
    LINES_WANTING,  /* read more first */
    LINES_OVER,     /* there is none any more */
    LINES_OVERSIZE, /* the next one is over bytes_max; nothing behind it is read */
    LINES_FAILED    /* reading failed: `error` */
};

struct line {
    const char *data; /* borrowed until the next lines_read */
    size_t bytes;
};

/* Returns false when memory is short. */
bool lines_open(struct lines *lines, int fd, char separator, size_t bytes_max);
void lines_close(struct lines *lines);

/* Shows the next record without taking it.  A last one without a separator
 * counts; an empty end does not.  After LINES_OVERSIZE `line` says how large it
 * is as far as that is known. */
enum lines_state lines_peek(struct lines *lines, struct line *line);
void lines_take(struct lines *lines);

/* One read of the descriptor.  Only after LINES_WANTING: otherwise there may be
 * no room for what comes. */
void lines_read(struct lines *lines);

#endif
