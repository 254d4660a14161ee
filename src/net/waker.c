/* waker.c - rouses a loop from another thread (an eventfd). */
#include "waker.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

int waker_open(struct waker *waker)
{
    waker->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return waker->fd < 0 ? errno : 0;
}

void waker_close(struct waker *waker)
{
    if (waker->fd >= 0) close(waker->fd);
    waker->fd = -1;
}

void waker_wake(const struct waker *waker)
{
    const uint64_t one = 1;
    assert(waker->fd >= 0);
    /* EAGAIN: the counter is full, so the loop has a wake pending already. */
    while (write(waker->fd, &one, sizeof one) < 0 && errno == EINTR) continue;
}

void waker_calm(const struct waker *waker)
{
    uint64_t count;
    assert(waker->fd >= 0);
    while (read(waker->fd, &count, sizeof count) < 0 && errno == EINTR) continue;
}
