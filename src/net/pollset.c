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

/* Has the timer end the wait.  Returns the limit that the wait needs besides. */
static uint64_t hand_to_timer(struct pollset *set, uint64_t timeout_ns)
{
    if (set->timer == NULL || set->count == POLLSET_MAX) return timeout_ns;
    uint64_t deadline_ns = timeout_ns;
    if (timeout_ns != INSTANT_NEVER) deadline_ns = instant_after(clock_now_ns(), timeout_ns);
    if (!timer_set(set->timer, deadline_ns)) return timeout_ns;
    add(set, set->timer->fd, NULL, NULL);
    return INSTANT_NEVER;
}

void pollset_wait(struct pollset *set, uint64_t spin_ns, uint64_t timeout_ns)
{
    bool came = false;
    if (set->ready) timeout_ns = 0;
    if (spin_ns > 0 && timeout_ns > 0) {
        uint64_t now_ns = clock_now_ns(), deadline_ns = instant_after(now_ns, timeout_ns);
        came = spin(set, spin_ns < timeout_ns ? now_ns + spin_ns : deadline_ns);
        timeout_ns = clock_left_ns(deadline_ns);
    }
    if (!came && timeout_ns > 0) timeout_ns = hand_to_timer(set, timeout_ns);
    if (!came) (void)look(set, timeout_ns);
    for (uint32_t i = 0; i < set->count; i++) {
        if (set->items[i].revents == 0) continue;
        if (set->flags[i] != NULL) *set->flags[i] = true;
        if (set->wakers[i] != NULL) waker_calm(set->wakers[i]);
        if (set->timer != NULL && set->items[i].fd == set->timer->fd) timer_calm(set->timer);
    }
}
