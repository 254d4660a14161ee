/* window.c - see window.h. */
#include "window.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static struct window_item *at(const struct window *window, uint64_t number)
{
    return &window->items[number % WINDOW_ITEMS];
}

static void clear(struct window *window, struct window_item *item)
{
    assert(window->bytes >= item->input_bytes + item->output_bytes);
    window->bytes -= item->input_bytes + item->output_bytes;
    free(item->input);
    free(item->output);
    free(item->reason);
    memset(item, 0, sizeof *item);
}

bool window_open(struct window *window)
{
    *window = (struct window){.items = calloc(WINDOW_ITEMS, sizeof *window->items)};
    return window->items != NULL;
}

void window_close(struct window *window)
{
    while (window->first < window->next) window_drop(window);
    free(window->items);
    window->items = NULL;
}

bool window_has_room(const struct window *window)
{
    return window->next - window->first < WINDOW_ITEMS && window->bytes < WINDOW_BYTES;
}

struct window_item *window_add(struct window *window, const struct line *input)
{
    assert(window_has_room(window));
    struct window_item *item = at(window, window->next);
    item->input = malloc(input->bytes + 1);
    if (!item->input) return NULL;
    memcpy(item->input, input->data, input->bytes);
    item->input[input->bytes] = 0;
    item->input_bytes = input->bytes;
    window->bytes += input->bytes;
    window->next++;
    return item;
}

void window_undo(struct window *window)
{
    assert(window->first < window->next);
    window->next--;
    clear(window, at(window, window->next));
}

bool window_end(struct window *window, struct window_item *item, const struct line *output,
                const char *reason)
{
    assert(!item->ended);
    item->ended = true;
    if (reason) {
        item->reason = strdup(reason);
        if (!item->reason) return false;
    }
    if (output->bytes > 0) {
        item->output = malloc(output->bytes);
        if (!item->output) return false;
        memcpy(item->output, output->data, output->bytes);
        item->output_bytes = output->bytes;
        window->bytes += output->bytes;
    }
    return true;
}

struct window_item *window_oldest(struct window *window)
{
    if (window->first == window->next) return NULL;
    struct window_item *item = at(window, window->first);
    return item->ended ? item : NULL;
}

void window_drop(struct window *window)
{
    assert(window->first < window->next);
    clear(window, at(window, window->first));
    window->first++;
}
