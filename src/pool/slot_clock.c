/* slot_clock.c - what time it is in a slot, and how long its handlers take.
 *
 * To look at the clock after every run would cost more than many a run.  So runs of one
 * handler that is brisk are measured together: up to 16 of them, and 50 us by how long they
 * took last.  In between the slot looks at the kernel's tick only, which is cheap, and which
 * moves when one of them lasts after all.
 *
 * What depends on it stays right: times of runs add up, since what one was said to take
 * too long is taken off those after it; results are handed over at
 * most those 50 us later; no job begins later than its fence allows; and a job that has a
 * time limit begins with a look.
 *
 * Owns: the time, and how long each handler usually takes.
 */
#include "slot.h"

#include "../watch/clock.h"

#include <stdlib.h>

enum {
    RUNS_MAX = 16,           /* measured together */
    RUNS_NS_MAX = 50 * 1000, /* likewise */
    PEAK_SHARE = 64,         /* how fast a handler's longest run is forgotten */
    STREAK_MAX = 16          /* brisk runs in a row that make a handler brisk */
};

size_t slot_number_of(const struct slot *slot, const struct handler *handler)
{
    return (size_t)(handler - registry_at(slot->pool->options.registry, 0));
}

bool slot_is_brisk(const struct slot *slot, const struct handler *handler)
{
    const atomic_uchar *streak = &slot->pool->streaks[slot_number_of(slot, handler)];
    return atomic_load_explicit(streak, memory_order_relaxed) == STREAK_MAX;
}

/* Nothing is written that would not change: all slots have the streaks in their caches. */
static void note_run(struct slot *slot, const struct handler *handler, uint64_t run_ns)
{
    size_t number = slot_number_of(slot, handler);
    uint64_t faded_ns = slot->peaks_ns[number] - slot->peaks_ns[number] / PEAK_SHARE;
    slot->peaks_ns[number] = run_ns > faded_ns ? run_ns : faded_ns;
    atomic_uchar *streak = &slot->pool->streaks[number];
    uint8_t before = atomic_load_explicit(streak, memory_order_relaxed);
    uint8_t runs = run_ns >= POOL_BRISK_NS ? 0 : before < STREAK_MAX ? before + 1 : before;
    if (runs != before) atomic_store_explicit(streak, runs, memory_order_relaxed);
}

/* Looks, and returns what is left of the time since the look before when all that runs were
 * said to take is taken off. */
static uint64_t settle(struct slot *slot)
{
    uint64_t since_ns = slot->laps.looked_ns;
    uint64_t said_ns = slot->laps.guesses * slot->laps.mean_ns + slot->laps.excess_ns;
    slot->laps.tick_ns = clock_tick_ns(); /* first: not later than what is exact */
    slot->now_ns = slot->laps.looked_ns = clock_now_ns();
    slot->laps.guesses = 0;
    uint64_t passed_ns = slot->now_ns - since_ns;
    slot->laps.excess_ns = said_ns > passed_ns ? said_ns - passed_ns : 0;
    return passed_ns > said_ns ? passed_ns - said_ns : 0;
}

void slot_look(struct slot *slot)
{
    (void)settle(slot);
}

void slot_look_for(struct slot *slot, const struct pool_job *job)
{
    const struct assignment *assignment = &job->assignment;
    if (slot->laps.guesses == 0) return;
    if ((assignment->limit_ms | assignment->soft_ms | assignment->stalled_ms) == 0) return;
    slot_look(slot);
}

static bool may_guess(const struct slot *slot, const struct handler *handler)
{
    return handler != NULL && handler == slot->laps.handler &&
           slot->laps.guesses < slot->laps.guesses_max && slot_is_brisk(slot, handler) &&
           clock_tick_ns() == slot->laps.tick_ns;
}

/* How many runs may pass without a look. */
static uint32_t guesses_for(uint64_t mean_ns)
{
    if (mean_ns > RUNS_NS_MAX / RUNS_MAX) return (uint32_t)(RUNS_NS_MAX / mean_ns);
    return RUNS_MAX - 1;
}

/* How much of what earlier runs were said to take too long is taken off one of so long. */
static uint64_t repaid(struct slot *slot, uint64_t run_ns)
{
    uint64_t ns = slot->laps.excess_ns < run_ns ? slot->laps.excess_ns : run_ns;
    slot->laps.excess_ns -= ns;
    return ns;
}

uint64_t slot_lap(struct slot *slot, const struct handler *handler)
{
    if (may_guess(slot, handler)) {
        slot->laps.guesses++;
        slot->now_ns++; /* each run began at a time of its own */
        return slot->laps.mean_ns - repaid(slot, slot->laps.mean_ns);
    }
    uint64_t since_ns = slot->laps.looked_ns, tick_ns = slot->laps.tick_ns;
    uint32_t runs = slot->laps.guesses + 1;
    uint64_t run_ns = settle(slot);
    bool ticked = slot->laps.tick_ns != tick_ns; /* it may be this run that took long */
    slot->laps.mean_ns = (slot->now_ns - since_ns) / runs;
    slot->laps.guesses_max = guesses_for(slot->laps.mean_ns);
    slot->laps.handler = handler;
    if (handler != NULL) note_run(slot, handler, ticked ? run_ns : slot->laps.mean_ns);
    return run_ns;
}

bool slot_is_before(const struct slot *slot, uint64_t until_ns)
{
    if (slot->laps.guesses == 0) return slot->now_ns < until_ns;
    return slot->now_ns + CLOCK_TICK_NS_MAX < until_ns || clock_now_ns() < until_ns;
}
