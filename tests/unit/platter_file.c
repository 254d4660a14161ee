/* platter_file.c - one file's bytes, and what a power cut makes of them. */
#include "platter_file.h"
#include "../../src/core/random.h"
#include "platter.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void content_resize(struct content *content, uint64_t size)
{
    if (size > content->capacity) {
        uint64_t capacity = content->capacity * 2 > size ? content->capacity * 2 : size;
        content->data = realloc(content->data, (size_t)capacity);
        assert(content->data != NULL);
        content->capacity = capacity;
    }
    if (size > content->size)
        memset(content->data + content->size, 0, (size_t)(size - content->size));
    content->size = size;
}

void content_copy(struct content *to, const struct content *from, uint64_t at, uint64_t end)
{
    content_resize(to, from->size);
    if (end > from->size) end = from->size;
    if (at < end) memcpy(to->data + at, from->data + at, (size_t)(end - at));
}

void inode_touch(struct inode *inode, uint64_t from, uint64_t to)
{
    if (inode->dirty_to == 0 || from < inode->dirty_from) inode->dirty_from = from;
    if (to > inode->dirty_to) inode->dirty_to = to;
}

void inode_sync(struct inode *inode)
{
    content_copy(&inode->safe, &inode->now, inode->dirty_from, inode->dirty_to);
    inode->dirty_from = inode->dirty_to = 0;
}

static uint64_t chance(uint64_t *random, uint64_t limit)
{
    return random_up_to(random, limit - 1);
}

void inode_lose(uint64_t *random, struct inode *inode)
{
    enum { SECTOR = PLATTER_SECTOR };
    struct content *safe = &inode->safe;
    const struct content *now = &inode->now;
    uint64_t size = chance(random, 2) == 0 ? safe->size : now->size;
    uint64_t change = now->size < size ? now->size : size;
    if (now->size < safe->size) inode_touch(inode, now->size, safe->size);
    content_resize(safe, size);
    for (uint64_t at = inode->dirty_from / SECTOR * SECTOR; at < inode->dirty_to && at < change;
         at += SECTOR) {
        uint64_t bytes = change - at < SECTOR ? change - at : SECTOR;
        uint64_t fate = chance(random, 16);
        if (fate < 7) continue;
        if (fate == 15) bytes = chance(random, bytes + 1);
        memcpy(safe->data + at, now->data + at, (size_t)bytes);
    }
    inode->now.size = 0;
    content_copy(&inode->now, safe, 0, safe->size);
    inode->dirty_from = inode->dirty_to = 0;
}
