/* area.c - memory that a slot shares with its child. */
#include "area.h"

#include <assert.h>
#include <sys/mman.h>

enum {
    PAGE_BYTES = 64 * 1024, /* a multiple of every page size there is */
    KEPT_BYTES = 4 * PAGE_BYTES
};

static size_t whole_pages(size_t bytes)
{
    return (bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
}

static size_t fence_bytes(const struct areas *areas)
{
    return whole_pages(areas->fences * sizeof *areas->fences_ns);
}

static size_t board_bytes(void)
{
    return whole_pages(sizeof(struct area_board));
}

static size_t inbox_bytes(void)
{
    return whole_pages(sizeof(struct area_inbox));
}

static size_t area_bytes(void)
{
    return board_bytes() + inbox_bytes() + whole_pages(AREA_OUTBOX_BYTES);
}

static size_t all_bytes(const struct areas *areas)
{
    return fence_bytes(areas) + areas->slots * area_bytes();
}

bool areas_map(struct areas *areas, uint32_t slots, uint32_t fences)
{
    assert(slots > 0 && fences > 0);
    *areas = (struct areas){.slots = slots, .fences = fences};
    void *memory = mmap(NULL, all_bytes(areas), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return false;
    areas->memory = memory;
    areas->fences_ns = memory;
    return true;
}

void areas_unmap(struct areas *areas)
{
    if (areas->memory != NULL) (void)munmap(areas->memory, all_bytes(areas));
    *areas = (struct areas){0};
}

static uint8_t *start_of(const struct areas *areas, uint32_t slot)
{
    return areas->memory + fence_bytes(areas) + slot * area_bytes();
}

struct area areas_at(const struct areas *areas, uint32_t slot)
{
    assert(slot < areas->slots);
    uint8_t *start = start_of(areas, slot);
    return (struct area){
        .board = (void *)start,
        .inbox = (void *)(start + board_bytes()),
        .outbox = start + board_bytes() + inbox_bytes(),
    };
}

bool areas_keep(const struct areas *areas, uint32_t slot)
{
    struct area own = areas_at(areas, slot);
    uint8_t *first = start_of(areas, 0), *start = start_of(areas, slot);
    uint8_t *behind = start + area_bytes(), *end = areas->memory + all_bytes(areas);
    if (start > first && munmap(first, (size_t)(start - first)) != 0) return false;
    if (end > behind && munmap(behind, (size_t)(end - behind)) != 0) return false;
    return mprotect(areas->memory, fence_bytes(areas), PROT_READ) == 0 &&
           mprotect(own.inbox, inbox_bytes(), PROT_READ) == 0 &&
           madvise(areas->memory, fence_bytes(areas), MADV_DONTFORK) == 0 &&
           madvise(start, area_bytes(), MADV_DONTFORK) == 0;
}

static void trim(uint8_t *bytes, size_t used)
{
    if (used <= KEPT_BYTES) return;
    size_t end = whole_pages(used);
    (void)madvise(bytes + KEPT_BYTES, end - KEPT_BYTES, MADV_REMOVE);
}

void area_trim(const struct area *area, uint32_t inbox_used, uint32_t outbox_used)
{
    assert(inbox_used <= AREA_INBOX_BYTES && outbox_used <= AREA_OUTBOX_BYTES);
    trim((uint8_t *)area->inbox, offsetof(struct area_inbox, bytes) + inbox_used);
    trim(area->outbox, outbox_used);
}
