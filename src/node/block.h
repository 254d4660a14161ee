/* block.h - the one block of memory a machine lives in.
 *
 * Address space is reserved for the limits at once; pages are taken as they are
 * touched.
 */
#ifndef NODE_BLOCK_H
#define NODE_BLOCK_H

#include "../core/arena.h"

#include <stddef.h>

struct block {
    void *memory; /* zeroed, page-aligned; NULL when there is none */
    size_t bytes;
};

/* Returns 0 or an errno value. */
int block_reserve(struct block *block, size_t bytes);
void block_release(struct block *block);

/* Asks the kernel for huge pages where the large tables of what was measured continue
 * beyond their beginnings: millions of ids are looked up in no order, and with small
 * pages nearly each look would have to find its page first.  What fills the beginnings
 * only takes no more memory than without; a full table takes up to one huge page more.
 * Before the block is used. */
void block_expect_large(const struct block *block, const struct arena *measured);

#endif
