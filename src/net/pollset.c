/* pollset.c - what a loop waits for. */
#include "pollset.h"

#include "../core/instant.h"
#include "../watch/clock.h"
#include "timer.h"
#include "waker.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <time.h>

void pollset_init(struct pollset *set)
{
    set->count = 0;
    set->ready = set->whole = false;
    set->timer = NULL;
}

static void add(struct pollset *set, int fd, bool *flag, const struct waker *waker)
{
    assert(set->count < POLLSET_MAX);
    set->items[set->count] = (struct pollfd){.fd = fd, .events = POLLIN};
    set->flags[set->count] = flag;
    set->wakers[set->count++] = waker;
}

void pollset_add(struct pollset *set, int fd, bool *flag)
{
    add(set, fd, flag, NULL);
}

void pollset_add_waker(struct pollset *set, const struct waker *waker)
{
    add(set, waker->fd, NULL, waker);
}

/* How many have something.  Not zmq_poll: it looks into every socket twice, with two system
 * calls each time. */
static int look(struct pollset *set, uint64_t timeout_ns)
{
    struct timespec limit = {.tv_sec = (time_t)(timeout_ns / SECOND),
                             .tv_nsec = (long)(timeout_ns % SECOND)};
    int came = ppoll(set->items, set->count, timeout_ns == INSTANT_NEVER ? NULL : &limit, NULL);
    if (came >= 0) return came;
    assert(errno == EINTR);
    for (uint32_t i = 0; i < set->count; i++) set->items[i].revents = 0;
    return 0;
}

static bool spin(struct pollset *set, uint64_t until_ns)
{
    while (clock_now_ns() < until_ns) {
        (void)sched_yield();
        if (look(set, 0) > 0) return true;
    }
    return false;
}

/* What the wait needs as its own limit.  With a timer it needs none, and nobody has to know what
 * time it is. */
static uint64_t limit_of(struct pollset *set, uint64_t until_ns)
{
    if (until_ns == 0) return 0;
    bool timed = set->timer != NULL && set->count < POLLSET_MAX && timer_set(set->timer, until_ns);
    if (!timed) return clock_left_ns(until_ns);
    add(set, set->timer->fd, NULL, NULL);
    return INSTANT_NEVER;
}

static void tell(const struct pollset *set)
{
    for (uint32_t i = 0; i < set->count; i++) {
        if (set->items[i].revents == 0) continue;
        if (set->flags[i] != NULL) *set->flags[i] = true;
        if (set->wakers[i] != NULL) waker_calm(set->wakers[i]);
        if (set->timer != NULL && set->items[i].fd == set->timer->fd) timer_calm(set->timer);
    }
}

void pollset_wait(struct pollset *set, uint64_t spin_ns, uint64_t until_ns)
{
    bool came = false;
    if (set->ready) until_ns = 0;
    if (spin_ns > 0 && until_ns > 0) {
        uint64_t spun_ns = instant_after(clock_now_ns(), spin_ns);
        came = spin(set, spun_ns < until_ns ? spun_ns : until_ns);
    }
    if (!came) came = look(set, limit_of(set, until_ns)) > 0;
    if (came) tell(set);
}
