/* containers.c - what one operation on the core's containers costs.
 *
 * Prints a line for each container and size: nanoseconds per operation, the
 * best of a few rounds, since anything slower was something else's doing.
 * Every round leaves as many items held as it found, in the pattern of tasks:
 * the oldest leaves, a new one comes.
 */
#include "../../src/core/heap.h"
#include "../../src/core/id.h"
#include "../../src/core/index.h"
#include "../../src/core/random.h"
#include "../../src/core/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

enum { ROUNDS = 5, OPERATIONS = 1000000, VALUE_BYTES = 100, WINDOW_MAX = 1000000 };

static uint64_t clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

/* A zeroed block that costs nothing until it is touched, as a node has it. */
static void memory_map(struct arena *arena)
{
    arena->size = arena->used;
    arena->used = 0;
    arena->base = mmap(NULL, arena->size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (arena->base == MAP_FAILED) abort();
}

static void memory_unmap(struct arena *arena)
{
    munmap(arena->base, arena->size);
}

/* Unlike any other `number`'s, and not in order: the worst that producers can do. */
static struct id id_of(uint64_t number)
{
    uint64_t state = number;
    uint64_t halves[2] = {random_next(&state), number};
    struct id id;
    memcpy(id.octets, halves, sizeof id.octets);
    return id;
}

static void report(const char *what, uint32_t held, const uint64_t best_ns[],
                   const char *const of[])
{
    printf("%-6s %8" PRIu32 " held:", what, held);
    for (uint32_t i = 0; of[i] != NULL; i++) {
        printf("  %s %.1f ns", of[i], (double)best_ns[i] / OPERATIONS);
    }
    printf("\n");
}

static void keep_least(uint64_t *best_ns, uint64_t start_ns)
{
    uint64_t ns = clock_ns() - start_ns;
    if (*best_ns == 0 || ns < *best_ns) *best_ns = ns;
}

static void measure_index(uint32_t held)
{
    static uint32_t slots[WINDOW_MAX];
    struct arena arena = {0};
    struct index index;
    index_init(&index, &arena, held + 1, 1);
    memory_map(&arena);
    index_init(&index, &arena, held + 1, 1);
    for (uint32_t i = 0; i < held; i++) {
        struct id id = id_of(i);
        slots[i] = index_insert(&index, &id);
    }

    uint64_t best_ns[2] = {0};
    uint64_t oldest = 0, missed = 0;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint64_t start_ns = clock_ns();
        for (uint32_t i = 0; i < OPERATIONS; i++) {
            struct id known = id_of(oldest + (uint64_t)i * 7919 % held);
            missed += index_find(&index, &known) == INDEX_NONE;
        }
        keep_least(&best_ns[0], start_ns);

        /* As a task does: is it known, keep it, find it once more, forget it. */
        start_ns = clock_ns();
        for (uint32_t i = 0; i < OPERATIONS; i++, oldest++) {
            uint32_t place = (uint32_t)(oldest % held);
            struct id fresh = id_of(oldest + held), done = id_of(oldest);
            missed += index_find(&index, &fresh) != INDEX_NONE;
            uint32_t slot = index_insert(&index, &fresh);
            missed += index_find(&index, &done) != slots[place];
            index_remove(&index, slots[place]);
            slots[place] = slot;
        }
        keep_least(&best_ns[1], start_ns);
    }
    if (missed != 0) abort();
    report("index", held, best_ns, (const char *const[]){"find", "find+insert+find+remove", NULL});
    memory_unmap(&arena);
}

static void measure_heap(uint32_t held)
{
    struct arena arena = {0};
    struct heap heap;
    heap_init(&heap, &arena, held);
    memory_map(&arena);
    heap_init(&heap, &arena, held);
    uint64_t random = 1, now = 0;
    for (uint32_t i = 0; i < held; i++) heap_set(&heap, i, random_next(&random) % held);

    uint64_t best_ns[2] = {0};
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint64_t start_ns = clock_ns();
        for (uint32_t i = 0; i < OPERATIONS; i++) {
            const struct heap_entry *first = heap_first(&heap);
            uint32_t owner = first->owner;
            now = first->key;
            heap_remove(&heap, owner);
            heap_set(&heap, owner, now + random_next(&random) % held);
        }
        keep_least(&best_ns[0], start_ns);

        start_ns = clock_ns();
        for (uint32_t i = 0; i < OPERATIONS; i++) {
            uint32_t owner = (uint32_t)((uint64_t)i * 7919 % held);
            heap_set(&heap, owner, now + held + i);
        }
        keep_least(&best_ns[1], start_ns);
    }
    report("heap", held, best_ns, (const char *const[]){"pop+push", "postpone", NULL});
    memory_unmap(&arena);
}

static void measure_store(uint32_t held)
{
    static struct stored window[WINDOW_MAX];
    struct arena arena = {0};
    struct store store;
    uint64_t bytes_max = ((uint64_t)held + 1) * (VALUE_BYTES + 28);
    store_init(&store, &arena, bytes_max);
    memory_map(&arena);
    store_init(&store, &arena, bytes_max);
    uint8_t payload[VALUE_BYTES] = {1};
    for (uint32_t i = 0; i < held; i++)
        window[i] = store_put(&store, bytes_of(payload, sizeof payload));

    uint64_t best_ns[1] = {0};
    uint64_t sum = 0, oldest = 0;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint64_t start_ns = clock_ns();
        for (uint32_t i = 0; i < OPERATIONS; i++, oldest++) {
            struct stored fresh = store_put(&store, bytes_of(payload, sizeof payload));
            struct stored *place = &window[oldest % held];
            sum += store_get(&store, *place).data[0];
            store_drop(&store, place);
            *place = fresh;
        }
        keep_least(&best_ns[0], start_ns);
    }
    if (sum != (uint64_t)ROUNDS * OPERATIONS) abort();
    report("store", held, best_ns, (const char *const[]){"put+get+drop", NULL});
    memory_unmap(&arena);
}

int main(void)
{
    static const uint32_t sizes[] = {1, 1000, 100000, WINDOW_MAX};
    for (uint32_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        measure_index(sizes[i]);
        measure_heap(sizes[i]);
        measure_store(sizes[i]);
    }
    return 0;
}
