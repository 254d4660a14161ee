/* template.h - a command line with {} in it, filled with one input after the
 * other, as the payload of a "tmesh.exec" task: a MessagePack array of strings.
 */
#ifndef NODES_TEMPLATE_H
#define NODES_TEMPLATE_H

#include "lines.h"

#include <msgpack.h>

struct template
{
    const char *const *argv; /* ends with NULL; borrowed */
    size_t argc;
    bool append; /* no word has {}: the input becomes the last word */
    msgpack_sbuffer packed;
};

/* `argv` has one word at least. */
void template_open(struct template *template, const char *const *argv);
void template_close(struct template *template);

/* Fills every {} with `input`.  False when memory is short; otherwise the
 * payload is in `packed` until the next call. */
bool template_fill(struct template *template, const struct line *input);

#endif
