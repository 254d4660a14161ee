/* argv.c - the payload of a task that brings its own command line. */
#include "argv.h"

#include "fields.h"

#include <assert.h>
#include <stdlib.h>

/* How much the items take, with their ends.  Fails for one that cannot be handed to
 * a program. */
static size_t measure(struct fields *items)
{
    size_t total = 0;
    for (bool first = true; items->left > 0; first = false) {
        struct bytes text = fields_string(items, UINT32_MAX);
        bool fit = text.data != NULL && (text.size > 0 || !first);
        if (!fit || memchr(text.data, '\0', text.size) != NULL) fields_fail(items, WIRE_FORM);
        total += (size_t)text.size + 1;
    }
    return total;
}

/* Of items that were measured. */
static enum wire_error copy(struct fields items, size_t total, struct argv *argv)
{
    uint32_t count = items.left;
    char **texts = malloc(((size_t)count + 1) * sizeof(char *) + total);
    if (texts == NULL) return WIRE_MEMORY;
    char *to = (char *)(texts + count + 1);
    for (uint32_t i = 0; i < count; i++) {
        struct bytes text = fields_string(&items, UINT32_MAX);
        texts[i] = to;
        memcpy(to, text.data, text.size);
        to[text.size] = '\0';
        to += (size_t)text.size + 1;
    }
    assert(to == (char *)(texts + count + 1) + total);
    texts[count] = NULL;
    *argv = (struct argv){.items = texts, .count = count};
    return WIRE_OK;
}

enum wire_error argv_read(struct bytes payload, struct argv *argv)
{
    static const struct scan_limits limits = {.depth_max = 1, .objects_max = 1 + ARGV_ITEMS_MAX};
    *argv = (struct argv){0};
    struct fields body = fields_of(payload, limits);
    const struct fields items = fields_array(&body, ARGV_ITEMS_MAX);
    struct fields measured = items;
    size_t total = measure(&measured);
    fields_close(&body, &measured);
    if (items.left == 0) fields_fail(&body, WIRE_FORM);
    enum wire_error error = fields_end(&body, payload, limits);
    return error != WIRE_OK ? error : copy(items, total, argv);
}

void argv_free(struct argv *argv)
{
    free(argv->items);
    *argv = (struct argv){0};
}
