/* waker.h - rouses a loop from another thread (an eventfd). */
#ifndef NET_WAKER_H
#define NET_WAKER_H

struct waker {
    int fd; /* readable while a wake is pending; -1 when closed */
};

/* Returns 0, or an errno value. */
int waker_open(struct waker *waker);
void waker_close(struct waker *waker);
/* Any thread; never blocks.  Several wakes may count as one. */
void waker_wake(const struct waker *waker);
/* The loop's thread: forgets pending wakes. */
void waker_calm(const struct waker *waker);

#endif
