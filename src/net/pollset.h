/* pollset.h - what a loop waits for.
 *
 * Owns nothing.  Made anew for each wait, by everything that a thread runs at the time:
 * its sockets, and those of others it was lent.
 */
#ifndef NET_POLLSET_H
#define NET_POLLSET_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

struct timer;
struct waker;

enum { POLLSET_MAX = 200 }; /* 64 links of three sockets, a ventilator's three, wakers, a timer */

struct pollset {
    uint32_t count;
    bool ready; /* something is there already: look, and do not sleep */
    bool whole; /* whoever waits runs both ends of a pipe: neither is to be woken by the other */
    struct timer *timer; /* of whoever waits; NULL: each wait has a limit of its own */
    struct pollfd items[POLLSET_MAX];
    bool *flags[POLLSET_MAX];                /* to be set; NULL for a waker, */
    const struct waker *wakers[POLLSET_MAX]; /* whose wakes are to be forgotten */
};

void pollset_init(struct pollset *set);

/* `flag` becomes true when `fd` has something. */
void pollset_add(struct pollset *set, int fd, bool *flag);
void pollset_add_waker(struct pollset *set, const struct waker *waker);

/* Waits until anything in it has something, or until `until_ns`, as of clock_now_ns (0: it only
 * looks; INSTANT_NEVER: no limit); may return earlier with nothing.  Forgets the wakes that it saw.
 *
 * It looks for `spin_ns` before it sleeps.  To wake a sleeping thread costs time, on a
 * virtual machine several times what a message does; who has processors to spare may buy
 * that time with them.  With all in use it only takes them from others, so 0 unless asked
 * for; and whoever else wants this one gets it in between. */
void pollset_wait(struct pollset *set, uint64_t spin_ns, uint64_t until_ns);

#endif
