/* platter_file.h - the bytes of one file on a platter, and which of them are safe. */
#ifndef TESTS_UNIT_PLATTER_FILE_H
#define TESTS_UNIT_PLATTER_FILE_H

#include <stdint.h>

struct content {
    uint8_t *data;
    uint64_t size, capacity;
};

/* A file: its content as it can be read, and as it is safe. */
struct inode {
    struct content now, safe;
    uint64_t dirty_from, dirty_to; /* what of `now` may differ from `safe`, but for the size */
};

void content_resize(struct content *content, uint64_t size);

/* Makes `to` as long as `from`, and these bytes the same. */
void content_copy(struct content *to, const struct content *from, uint64_t at, uint64_t end);

void inode_touch(struct inode *inode, uint64_t from, uint64_t to);
void inode_sync(struct inode *inode);

/* Leaves to chance what of a file's changes came to rest. */
void inode_lose(uint64_t *random, struct inode *inode);

#endif
