/* commands.c - how many commands a second the pool starts, runs and reaps.
 *
 * Each is a program that does nothing, so the price is the pool's and the system's:
 * without a payload and with a small one, on one slot and on as many as there are
 * processors.  Prints the best of a few rounds, since anything slower was something
 * else's doing.
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

enum { ROUNDS = 10, RUNS = 500, COLLECTED = 64 };

static void ring(void *context)
{
    uint64_t one = 1;
    if (write(*(int *)context, &one, sizeof one) < 0) return;
}

/* Returns how long all of them took, from the first's beginning to the last's end. */
static uint64_t measure_round(struct pool *pool, int bell, const char *payload)
{
    static struct pool_order orders[RUNS];
    const struct assignment assignment = {.name = bytes_text("nothing"),
                                          .payload = bytes_text(payload)};
    for (uint32_t i = 0; i < RUNS; i++)
        orders[i] = (struct pool_order){.job = i, .assignment = &assignment};
    uint64_t start_ns = clock_now_ns();
    pool_submit(pool, orders, RUNS);
    for (uint32_t over = 0; over < RUNS;) {
        struct finished done[COLLECTED];
        uint32_t count = pool_collect(pool, clock_now_ns(), done, COLLECTED);
        for (uint32_t i = 0; i < count; i++)
            if (done[i].outcome != OUTCOME_DONE) abort();
        over += count;
        struct pollfd rung = {.fd = bell, .events = POLLIN};
        uint64_t rings;
        if (over < RUNS && count < COLLECTED && poll(&rung, 1, 1) > 0 &&
            read(bell, &rings, sizeof rings) < 0)
            abort();
    }
    return clock_now_ns() - start_ns;
}

static void measure(uint32_t slots, const char *payload)
{
    int bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    tmesh_registry_t *registry = registry_new();
    const char *const argv[] = {"/bin/true", NULL};
    if (bell < 0 || registry == NULL ||
        registry_add_command(registry, "nothing", argv, NULL) != TMESH_OK)
        abort();
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, &before);
    struct pool *pool = pool_new(&(struct pool_options){.registry = registry,
                                                        .slots = slots,
                                                        .fences = 1,
                                                        .jobs_max = RUNS,
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
    printf("%2" PRIu32 " slots, %zu bytes of payload: %.0f commands/s\n", slots, strlen(payload),
           RUNS / ((double)best_ns / 1e9));
    pool_destroy(&pool);
    registry_destroy(&registry);
    (void)close(bell);
}

int main(void)
{
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    uint32_t many = online > 1 ? (uint32_t)online : 2;
    measure(1, "");
    measure(1, "a payload");
    measure(many, "");
    measure(many, "a payload");
    return 0;
}
