/* golden.h - the golden messages and records, read out of the documents.
 *
 * A document is the only copy: what it shows is what is tested.
 */
#ifndef TESTS_GOLDEN_H
#define TESTS_GOLDEN_H

#include "../../src/core/bytes.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#ifndef TMESH_SOURCE_DIR
#define TMESH_SOURCE_DIR "."
#endif

enum { GOLDENS_MAX = 64, GOLDEN_BYTES_MAX = 1024, GOLDEN_NAME_BYTES = 64 };

struct golden {
    char name[GOLDEN_NAME_BYTES];
    uint8_t data[GOLDEN_BYTES_MAX];
    uint32_t size;
};

struct goldens {
    struct golden list[GOLDENS_MAX];
    uint32_t count;
};

/* Adds the hexadecimal bytes of one line, up to its remark. */
static inline void golden_line(struct golden *golden, const char *line)
{
    for (; *line != '\0' && *line != '#'; line++) {
        if (isspace((unsigned char)*line)) continue;
        char pair[3] = {line[0], line[1], '\0'};
        char *end;
        unsigned long octet = strtoul(pair, &end, 16);
        if (end != pair + 2 || golden->size == GOLDEN_BYTES_MAX) abort();
        golden->data[golden->size++] = (uint8_t)octet;
        line++;
    }
}

/* Reads all of a document, given by its path in the tree, in its order.  One that
 * cannot be read leaves nothing, and the tests find nothing to agree with. */
static inline void goldens_load_from(struct goldens *goldens, const char *path)
{
    char whole[512];
    char line[512];
    struct golden *open = NULL;
    goldens->count = 0;
    snprintf(whole, sizeof whole, "%s/%s", TMESH_SOURCE_DIR, path);
    FILE *file = fopen(whole, "r");
    if (file == NULL) return;
    while (fgets(line, sizeof line, file) != NULL) {
        char name[GOLDEN_NAME_BYTES];
        if (open != NULL && strncmp(line, "```", 3) == 0) {
            open = NULL;
        } else if (open != NULL) {
            golden_line(open, line);
        } else if (sscanf(line, "```golden %63s", name) == 1) {
            if (goldens->count == GOLDENS_MAX) abort();
            open = &goldens->list[goldens->count++];
            *open = (struct golden){0};
            memcpy(open->name, name, sizeof name);
        }
    }
    fclose(file);
}

static inline void goldens_load(struct goldens *goldens)
{
    goldens_load_from(goldens, "src/wire/PROTOCOL.md");
}

static inline struct bytes golden_bytes(const struct golden *golden)
{
    return bytes_of(golden->data, golden->size);
}

static inline const struct golden *goldens_find(const struct goldens *goldens, const char *name)
{
    for (uint32_t i = 0; i < goldens->count; i++) {
        if (strcmp(goldens->list[i].name, name) == 0) return &goldens->list[i];
    }
    return NULL;
}

#endif
