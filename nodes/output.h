/* output.h - a buffer in front of a descriptor: many small additions, few
 * writes.
 *
 * An error is kept, not told at once: what is added after it is dropped, and
 * output_end says what happened.
 */
#ifndef NODES_OUTPUT_H
#define NODES_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

enum { OUTPUT_BYTES = 64 * 1024 };

struct output {
    int fd;
    int error; /* errno of the write that failed; 0 */
    size_t used;
    char bytes[OUTPUT_BYTES];
};

void output_open(struct output *output, int fd);
void output_add(struct output *output, const void *data, size_t bytes);
void output_byte(struct output *output, char byte);
void output_text(struct output *output, const char *text);

/* Writes what is there, waiting for the reader if need be.  Returns whether all
 * is well. */
bool output_flush(struct output *output);

/* Flushes.  Returns `status` when all went well.  When the reader went away:
 * quietly, the status of a program that SIGPIPE ended.  Otherwise EX_IOERR,
 * having said why. */
int output_end(struct output *output, int status);

#endif
