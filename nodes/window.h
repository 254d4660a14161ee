/* window.h - inputs under way, in order: results come in any order and leave in
 * the order of their inputs.
 *
 * Owns: copies of inputs and results.  Bounded: while it is full no new input is
 * taken, so that one slow input cannot pile up all results behind it.
 */
#ifndef NODES_WINDOW_H
#define NODES_WINDOW_H

#include "lines.h"

enum { WINDOW_ITEMS = 10000, WINDOW_BYTES = 64 * 1024 * 1024 };

struct window_item {
    char *input; /* ends with 0 */
    char *output;
    size_t input_bytes, output_bytes;
    char *reason; /* why it did not end well; NULL: it did */
    bool ended;
};

struct window {
    struct window_item *items; /* a ring */
    uint64_t first, next;      /* numbers of the oldest item, and of the one to come */
    size_t bytes;              /* inputs and results held */
};

/* Returns false when memory is short. */
bool window_open(struct window *window);
void window_close(struct window *window);

bool window_has_room(const struct window *window);

/* Adds an input.  NULL when memory is short.  The item stays where it is until
 * it is dropped. */
struct window_item *window_add(struct window *window, const struct line *input);
/* Takes back what window_add added last. */
void window_undo(struct window *window);

/* Keeps how an item ended.  Returns false when memory is short. */
bool window_end(struct window *window, struct window_item *item, const struct line *output,
                const char *reason);

/* The oldest item if it has ended, else NULL; then drops it. */
struct window_item *window_oldest(struct window *window);
void window_drop(struct window *window);

#endif
