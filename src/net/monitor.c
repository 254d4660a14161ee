/* monitor.c - what libzmq reports about the connections of one socket. */
#include "monitor.h"

#include "socket.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

enum { EVENT_BYTES = 6, EVENT_BYTES_MAX = 512 };

int monitor_open(struct monitor *monitor, void *context, void *watched, int events)
{
    /* A random name, because libzmq gives up a closed monitor's name only some
     * time later, and the context may serve several threads. */
    uint64_t chance;
    char name[64];
    *monitor = (struct monitor){.watched = watched};
    if (getrandom(&chance, sizeof chance, 0) != (ssize_t)sizeof chance) return errno;
    snprintf(name, sizeof name, "inproc://monitor-%016" PRIx64, chance);
    if (zmq_socket_monitor(watched, name, events) != 0) return errno;
    monitor->socket = socket_new(context, ZMQ_PAIR, EVENT_BYTES_MAX);
    int error = monitor->socket == NULL ? errno : socket_connect(monitor->socket, name);
    if (error != 0)
        monitor_close(monitor);
    else
        monitor->fd = socket_fd(monitor->socket);
    return error;
}

void monitor_close(struct monitor *monitor)
{
    if (monitor->watched == NULL) return;
    /* First the writing end: writing to a pair without a reader would hold up
     * the I/O thread, and with it every connection. */
    (void)zmq_socket_monitor(monitor->watched, NULL, 0);
    socket_close(&monitor->socket, 0);
    *monitor = (struct monitor){0};
}

bool monitor_next(struct monitor *monitor, struct monitor_event *event)
{
    assert(monitor->socket != NULL);
    zmq_msg_t frame;
    zmq_msg_init(&frame);
    bool taken = socket_receive(monitor->socket, &frame);
    if (taken) {
        uint16_t kind;
        int32_t value;
        assert(zmq_msg_size(&frame) == EVENT_BYTES);
        const char *data = zmq_msg_data(&frame);
        memcpy(&kind, data, sizeof kind);
        memcpy(&value, data + sizeof kind, sizeof value);
        *event = (struct monitor_event){.event = kind, .fd = value};
        (void)socket_ends_with(monitor->socket, &frame); /* the address */
    }
    zmq_msg_close(&frame);
    return taken;
}
