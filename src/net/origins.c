/* origins.c - which link each descriptor carries, and which links are over. */
#include "origins.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { TABLE_SIZE_MIN = 64 };

void origins_free(struct origins *origins)
{
    free(origins->table);
    free(origins->endings);
    *origins = (struct origins){0};
}

/* NULL for a descriptor that cannot be followed: none, or memory is short. */
static struct origin *find(struct origins *origins, int fd)
{
    if (fd < 0) return NULL;
    size_t size = origins->table_size == 0 ? TABLE_SIZE_MIN : origins->table_size;
    while (size <= (size_t)fd) size *= 2;
    if (size > origins->table_size) {
        struct origin *table = realloc(origins->table, size * sizeof *table);
        if (table == NULL) return NULL;
        memset(table + origins->table_size, 0, (size - origins->table_size) * sizeof *table);
        origins->table = table;
        origins->table_size = size;
    }
    return &origins->table[fd];
}

static void note_ending(struct origins *origins, int fd, struct origin *origin)
{
    if (!origin->known || origin->over) return;
    origin->over = true;
    if (origins->ending_count == origins->endings_size) {
        size_t size = origins->endings_size == 0 ? TABLE_SIZE_MIN : 2 * origins->endings_size;
        struct ending *endings = realloc(origins->endings, size * sizeof *endings);
        if (endings == NULL) return;
        origins->endings = endings;
        origins->endings_size = size;
    }
    origins->endings[origins->ending_count++] = (struct ending){.link = origin->link, .fd = fd};
}

void origins_accepted(struct origins *origins, int fd)
{
    struct origin *origin = find(origins, fd);
    if (origin == NULL) return;
    note_ending(origins, fd, origin); /* no two connections share a descriptor */
    origin->open = true;
}

void origins_disconnected(struct origins *origins, int fd)
{
    struct origin *origin = find(origins, fd);
    if (origin == NULL) return;
    note_ending(origins, fd, origin);
    origin->open = false;
}

/* ROUTER numbers its links in the order they came, round and round. */
static bool is_newer(uint32_t link, uint32_t than)
{
    return (int32_t)(link - than) > 0;
}

void origins_heard(struct origins *origins, int fd, uint32_t link)
{
    struct origin *origin = find(origins, fd);
    if (origin == NULL || origins_knows(origins, fd, link)) return;
    /* Two links by one descriptor: what an earlier connection had sent is still
     * being read.  The later one is the one that may be alive. */
    if (origin->known && !is_newer(link, origin->link)) return;
    origin->link = link;
    origin->known = true;
    origin->over = false;
    /* It sent this and was gone before we read it. */
    if (!origin->open) note_ending(origins, fd, origin);
}

void origins_settle(struct origins *origins)
{
    origins->settled = origins->ending_count;
}

bool origins_untold(const struct origins *origins)
{
    return origins->told < origins->ending_count;
}

bool origins_take_ending(struct origins *origins, uint32_t *link)
{
    assert(origins->told <= origins->settled);
    if (origins->told == origins->settled) return false;
    struct ending ending = origins->endings[origins->told++];
    struct origin *origin = &origins->table[ending.fd];
    /* Nothing of it is left to be read, so its number need not be kept apart
     * from those to come. */
    if (origin->known && origin->over && origin->link == ending.link) origin->known = false;
    if (origins->told == origins->ending_count) {
        origins->told = origins->settled = origins->ending_count = 0;
    }
    *link = ending.link;
    return true;
}
