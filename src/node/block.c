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

void block_release(struct block *block)
{
    if (block->memory != NULL) (void)munmap(block->memory, block->bytes);
    block->memory = NULL;
    block->bytes = 0;
}
