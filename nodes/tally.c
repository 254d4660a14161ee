/* tally.c - see tally.h. */
#include "tally.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCKS_MAX = TALLY_NUMBERS_MAX / TALLY_BLOCK + 1, PAGE_BYTES = 4096 };

struct tally {
    uint64_t magic, numbers;
    uint16_t tag;
    _Alignas(64) _Atomic uint64_t strays, late;
    _Alignas(64) _Atomic bool settled[BLOCKS_MAX];
    _Alignas(PAGE_BYTES) _Atomic uint8_t counts[]; /* a block of them is whole pages */
};

static const uint64_t MAGIC = 0x74616c6c79207632; /* "tally v2" */

static struct tally *map(int fd, size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

struct tally *tally_make(uint64_t numbers, uint16_t tag, int *fd)
{
    assert(numbers > 0 && numbers <= TALLY_NUMBERS_MAX);
    struct tally *tally = NULL;
    size_t bytes = sizeof *tally + (size_t)numbers;
    *fd = memfd_create("tmesh-tally", MFD_CLOEXEC);
    if (*fd < 0) return NULL;
    if (ftruncate(*fd, (off_t)bytes) == 0) tally = map(*fd, bytes);
    if (!tally) {
        int error = errno;
        close(*fd);
        *fd = -1;
        errno = error;
        return NULL;
    }
    tally->magic = MAGIC;
    tally->numbers = numbers;
    tally->tag = tag;
    return tally;
}

struct tally *tally_open(const char *path)
{
    struct stat stat;
    struct tally *tally = NULL;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) return NULL;
    int error = EINVAL;
    if (fstat(fd, &stat) == 0 && stat.st_size > (off_t)sizeof *tally) {
        tally = map(fd, (size_t)stat.st_size);
        if (!tally) error = errno;
    }
    close(fd);
    if (tally &&
        (tally->magic != MAGIC || tally->numbers != (uint64_t)stat.st_size - sizeof *tally)) {
        munmap(tally, (size_t)stat.st_size);
        tally = NULL;
    }
    if (!tally) errno = error;
    return tally;
}

void tally_close(struct tally *tally)
{
    if (tally) munmap(tally, sizeof *tally + (size_t)tally->numbers);
}

uint16_t tally_tag(const struct tally *tally)
{
    return tally->tag;
}

uint64_t tally_numbers(const struct tally *tally)
{
    return tally->numbers;
}

uint8_t tally_count(struct tally *tally, uint64_t number)
{
    assert(number < tally->numbers);
    _Atomic uint8_t *count = &tally->counts[number];
    uint8_t before = atomic_fetch_add(count, 1);
    if (before == UINT8_MAX) atomic_store_explicit(count, UINT8_MAX, memory_order_relaxed);
    /* Behind the addition: see settle_block. */
    if (atomic_load(&tally->settled[number / TALLY_BLOCK])) atomic_fetch_add(&tally->late, 1);
    return before;
}

static bool each_happened_once(const struct tally *tally, uint64_t block)
{
    const _Atomic uint8_t *counts = &tally->counts[block * TALLY_BLOCK];
    for (size_t i = 0; i < TALLY_BLOCK; i++) {
        if (atomic_load(&counts[i]) != 1) return false;
    }
    return true;
}

/* Whoever counts once more meanwhile adds before the second look, which finds it, or
 * after it, and then finds the block settled. */
static bool settle_block(struct tally *tally, uint64_t block)
{
    if (!each_happened_once(tally, block)) return false;
    atomic_store(&tally->settled[block], true);
    if (!each_happened_once(tally, block)) {
        atomic_store(&tally->settled[block], false);
        return false;
    }
    (void)madvise((void *)&tally->counts[block * TALLY_BLOCK], TALLY_BLOCK, MADV_REMOVE);
    return true;
}

uint64_t tally_settle(struct tally *tally, uint64_t from, uint64_t end)
{
    assert(end <= tally->numbers);
    uint64_t block = (from + TALLY_BLOCK - 1) / TALLY_BLOCK;
    while ((block + 1) * TALLY_BLOCK <= end && settle_block(tally, block)) block++;
    return block * TALLY_BLOCK;
}

uint64_t tally_late(const struct tally *tally)
{
    return atomic_load(&tally->late);
}

void tally_stray(struct tally *tally)
{
    atomic_fetch_add_explicit(&tally->strays, 1, memory_order_relaxed);
}

uint64_t tally_strays(const struct tally *tally)
{
    return atomic_load_explicit(&tally->strays, memory_order_relaxed);
}

static uint8_t look(const struct tally *tally, uint64_t number)
{
    assert(number < tally->numbers);
    /* To look at what was given back would take memory for it again. */
    if (atomic_load(&tally->settled[number / TALLY_BLOCK])) return 1;
    return atomic_load_explicit(&tally->counts[number], memory_order_relaxed);
}

struct tally_verdict tally_judge(const struct tally *runs, const struct tally *ends, uint64_t first,
                                 uint64_t count)
{
    struct tally_verdict verdict = {.lost = 0};
    for (uint64_t number = first; number < first + count; number++) {
        uint8_t ran = runs ? look(runs, number) : 1;
        uint8_t ended = ends ? look(ends, number) : 1;
        if (ran == 0 || ended == 0) verdict.lost++;
        if (ran > 1 || ended > 1) verdict.repeated++;
    }
    return verdict;
}
