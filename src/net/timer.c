/* timer.c - when a loop is to wake at the latest (a timerfd). */
#include "timer.h"

#include "../core/instant.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

void timer_open(struct timer *timer)
{
    *timer = (struct timer){.fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)};
}

void timer_close(struct timer *timer)
{
    if (timer->fd >= 0) close(timer->fd);
    timer->fd = -1;
}

bool timer_set(struct timer *timer, uint64_t deadline_ns)
{
    if (timer->fd < 0) return false;
    if (deadline_ns == INSTANT_NEVER) return true;
    if (timer->due_ns != 0 && timer->due_ns <= instant_after(deadline_ns, TIMER_SLACK_NS)) {
        return true;
    }
    const struct itimerspec when = {.it_value = {.tv_sec = (time_t)(deadline_ns / SECOND),
                                                 .tv_nsec = (long)(deadline_ns % SECOND)}};
    if (timerfd_settime(timer->fd, TFD_TIMER_ABSTIME, &when, NULL) != 0) return false;
    timer->due_ns = deadline_ns;
    return true;
}

void timer_calm(struct timer *timer)
{
    uint64_t times;
    while (read(timer->fd, &times, sizeof times) < 0 && errno == EINTR) continue;
    timer->due_ns = 0;
}
