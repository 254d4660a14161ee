/* timer.h - when a loop is to wake at the latest (a timerfd).
 *
 * A time limit given to each wait costs more than the rest of it when it is short: the kernel
 * programs the processor's timer anew, and a virtual machine has to ask its host for that.  But
 * nearly all waits end before.  So a timer is left as it stands when the next limit is later,
 * and then wakes the loop once for nothing.
 */
#ifndef NET_TIMER_H
#define NET_TIMER_H

#include <stdbool.h>
#include <stdint.h>

struct timer {
    int fd;          /* readable once it went off; -1: there is none, and waits have their limits */
    uint64_t due_ns; /* when it goes off; 0: it does not */
};

/* Without descriptors to spare it stays closed. */
void timer_open(struct timer *timer);
void timer_close(struct timer *timer);

/* It goes off at `deadline_ns`, as of clock_now_ns, or before, or up to TIMER_SLACK_NS later;
 * INSTANT_NEVER: or not at all.  False: it is closed, or the system refuses. */
bool timer_set(struct timer *timer, uint64_t deadline_ns);
enum { TIMER_SLACK_NS = 50 * 1000 }; /* what Linux allows itself in any wait */

/* Forgets that it went off. */
void timer_calm(struct timer *timer);

#endif
