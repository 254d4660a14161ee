/* functions.c - how many functions a second the pool runs, in threads and in processes.
 *
 * Each does nothing, so the price is the pool's: without a payload and with a small one,
 * on one slot and on four.  Prints the best of a few rounds, since anything slower was
 * something else's doing.
 */
#include "../../src/core/instant.h"
#include "../../src/pool/pool.h"
#include "../../src/watch/clock.h"

#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { ROUNDS = 10, RUNS = 200000, HELD = 8192, COLLECTED = 256 };

static void ring(void *context)
{
    uint64_t one = 1;
    if (write(*(int *)context, &one, sizeof one) < 0) return;
}

static int nothing(tmesh_job_t *job, void *context)
{
    (void)context;
    size_t bytes;
    const void *payload = tmesh_job_payload(job, &bytes);
    return tmesh_job_result(job, payload, bytes) == TMESH_OK ? TMESH_DONE : TMESH_RETRY;
}

static void submit(struct pool *pool, uint32_t from, uint32_t count, const char *payload)
{
    static struct pool_order orders[HELD];
    const struct assignment assignment = {.name = bytes_text("nothing"),
                                          .payload = bytes_text(payload)};
    for (uint32_t i = 0; i < count; i++)
        orders[i] = (struct pool_order){.job = from + i, .assignment = &assignment};
    pool_submit(pool, orders, count);
}

/* Keeps as many jobs in the pool as a busy worker has.  Returns how long all took. */
static uint64_t measure_round(struct pool *pool, int bell, const char *payload)
{
    uint64_t start_ns = clock_now_ns();
    uint32_t submitted = HELD, over = 0;
    submit(pool, 0, HELD, payload);
    while (over < RUNS) {
        struct finished done[COLLECTED];
        uint32_t count = pool_collect(pool, clock_now_ns(), done, COLLECTED);
        for (uint32_t i = 0; i < count; i++)
            if (done[i].outcome != OUTCOME_DONE) abort();
        over += count;
        uint32_t more = count < RUNS - submitted ? count : RUNS - submitted;
        submit(pool, submitted, more, payload);
        submitted += more;
        struct pollfd rung = {.fd = bell, .events = POLLIN};
        uint64_t rings;
        if (over < RUNS && count < COLLECTED && poll(&rung, 1, 1) > 0 &&
            read(bell, &rings, sizeof rings) < 0)
            abort();
    }
    return clock_now_ns() - start_ns;
}

static void measure(enum tmesh_pool kind, uint32_t slots, const char *payload)
{
    int bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    tmesh_registry_t *registry = registry_new();
    struct nursery *nursery = NULL;
    if (bell < 0 || registry == NULL ||
        tmesh_registry_add(registry, "nothing", nothing, NULL) != TMESH_OK)
        abort();
    if (kind == TMESH_POOL_PROCESS) {
        nursery =
            nursery_new(&(struct nursery_options){.slots = slots, .fences = 1}, registry, NULL);
        if (nursery == NULL) abort();
    }
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, &before);
    struct pool *pool = pool_new(&(struct pool_options){.registry = registry,
                                                        .nursery = nursery,
                                                        .slots = slots,
                                                        .fences = 1,
                                                        .jobs_max = HELD,
                                                        .wake = ring,
                                                        .wake_context = &bell});
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    if (pool == NULL) abort();
    pool_fence(pool, 0, INSTANT_NEVER);
    uint64_t best_ns = UINT64_MAX;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint64_t took_ns = measure_round(pool, bell, payload);
        if (took_ns < best_ns) best_ns = took_ns;
    }
    printf("%s, %2" PRIu32 " slots, %2zu bytes of payload: %8.0f functions/s\n",
           kind == TMESH_POOL_PROCESS ? "processes" : "threads  ", slots, strlen(payload),
           RUNS / ((double)best_ns / 1e9));
    pool_destroy(&pool);
    nursery_destroy(&nursery);
    registry_destroy(&registry);
    (void)close(bell);
}

int main(void)
{
    static const uint32_t slots[] = {1, 4};
    static const char *const payloads[] = {"", "as much as many a task needs"};
    for (size_t i = 0; i < sizeof slots / sizeof *slots; i++) {
        for (size_t at = 0; at < sizeof payloads / sizeof *payloads; at++) {
            measure(TMESH_POOL_THREADS, slots[i], payloads[at]);
            measure(TMESH_POOL_PROCESS, slots[i], payloads[at]);
        }
    }
    return 0;
}
