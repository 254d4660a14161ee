/* monitor.h - what libzmq reports about the connections of one socket.
 *
 * Owns: the reading end.  Not here: what an event means.
 */
#ifndef NET_MONITOR_H
#define NET_MONITOR_H

#include <stdbool.h>

struct monitor {
    void *watched; /* borrowed */
    void *socket;  /* NULL when there is no monitor */
    int fd;        /* its socket_fd, to be polled */
};

struct monitor_event {
    int event; /* one of ZMQ_EVENT_* */
    int fd;    /* of the connection, for the events that carry one */
};

/* Reports the given ZMQ_EVENT_* of `watched` from now on.  Returns 0, or an
 * errno value. */
int monitor_open(struct monitor *monitor, void *context, void *watched, int events);

/* Before the watched socket is closed, in the same thread. */
void monitor_close(struct monitor *monitor);

/* Takes the next event, in the order they happened.  False: none for now. */
bool monitor_next(struct monitor *monitor, struct monitor_event *event);

#endif
