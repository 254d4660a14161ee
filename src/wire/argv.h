/* argv.h - the payload of a task that brings its own command line.
 *
 * Owns: one block of memory for each argv that was read.
 * Not here: whether such tasks are welcome, and how they are run.
 */
#ifndef WIRE_ARGV_H
#define WIRE_ARGV_H

#include "codec.h"

enum { ARGV_ITEMS_MAX = 1024 };

/* All zeros holds nothing. */
struct argv {
    char **items; /* ends with NULL */
    uint32_t count;
};

/* Reads a MessagePack array of 1 to ARGV_ITEMS_MAX str or bin, none of which
 * holds a zero byte and the first of which is not empty.  WIRE_FORM: it is
 * something else; WIRE_SHORT, WIRE_LARGE, WIRE_TRAILING, WIRE_MEMORY as their
 * names say.  On an error `argv` holds nothing. */
enum wire_error argv_read(struct bytes payload, struct argv *argv);

void argv_free(struct argv *argv);

#endif
