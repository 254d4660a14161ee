/* latch.c - what becomes of a thread that finds a latch held. */
#include "latch.h"

#include <sched.h>
#include <time.h>

enum {
    GLANCES = 100, /* some microseconds: longer than anybody who runs holds it, as a rule */
    YIELDS = 10,
    NAP_NS = 50 * 1000
};

static bool is_held(const struct latch *latch)
{
    return atomic_load_explicit(&latch->held, memory_order_relaxed);
}

/* A processor that only looks would slow down the one beside it on the same core. */
static void breathe(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

void latch_await(struct latch *latch)
{
    const struct timespec nap = {.tv_nsec = NAP_NS};
    for (unsigned tries = 0;; tries++) {
        if (!is_held(latch) && latch_try(latch)) return;
        if (tries < GLANCES)
            breathe();
        else if (tries < GLANCES + YIELDS)
            (void)sched_yield();
        else
            (void)nanosleep(&nap, NULL);
    }
}
