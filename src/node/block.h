/* block.h - the one block of memory a machine lives in.
 *
 * Address space is reserved for the limits at once; pages are taken as they are
 * touched.
 */
#ifndef NODE_BLOCK_H
#define NODE_BLOCK_H

#include <stddef.h>

struct block {
    void *memory; /* zeroed, page-aligned; NULL when there is none */
    size_t bytes;
};

/* Returns 0 or an errno value. */
int block_reserve(struct block *block, size_t bytes);
void block_release(struct block *block);

#endif
