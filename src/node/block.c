/* block.c - the one block of memory a machine lives in. */
#include "block.h"

#include <errno.h>
#include <sys/mman.h>

int block_reserve(struct block *block, size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return errno;
    block->memory = memory;
    block->bytes = bytes;
    return 0;
}

void block_expect_large(const struct block *block, const struct arena *measured)
{
    enum { HUGE_PAGE_BYTES = 2 * 1024 * 1024 };
    for (uint32_t at = 0; at < measured->large_count; at++) {
        const struct arena_table *table = &measured->large[at];
        uintptr_t start = (uintptr_t)block->memory + table->start, end = start + table->bytes;
        start = (start + 2 * HUGE_PAGE_BYTES - 1) / HUGE_PAGE_BYTES * HUGE_PAGE_BYTES;
        end = end / HUGE_PAGE_BYTES * HUGE_PAGE_BYTES;
        /* A kernel that knows none goes on with small ones. */
        (void)madvise((void *)start, end - start, MADV_HUGEPAGE);
    }
}

void block_release(struct block *block)
{
    if (block->memory != NULL) (void)munmap(block->memory, block->bytes);
    block->memory = NULL;
    block->bytes = 0;
}
