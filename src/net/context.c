/* context.c - a ZeroMQ context with our settings. */
#include "context.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <zmq.h>

/* Four sockets to each of 64 ventilators is the most a node opens; the rest is
 * room for sockets that still linger. */
enum { SOCKETS_MAX = 4096, IO_THREADS = 1 };

/* libzmq starts its threads with the first socket, and they inherit the mask
 * of the thread that made it: a signal of the host must never end up there. */
static bool start_threads(void *context)
{
    sigset_t all, before;
    sigfillset(&all);
    if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0) return false;
    void *first = zmq_socket(context, ZMQ_PAIR);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (first == NULL) return false;
    zmq_close(first);
    return true;
}

void *net_context_new(void)
{
    void *context = zmq_ctx_new();
    if (context == NULL) return NULL;
    int limit = zmq_ctx_get(context, ZMQ_SOCKET_LIMIT);
    int sockets_max = limit > 0 && limit < SOCKETS_MAX ? limit : SOCKETS_MAX;
    if (zmq_ctx_set(context, ZMQ_BLOCKY, 0) == 0 &&
        zmq_ctx_set(context, ZMQ_IO_THREADS, IO_THREADS) == 0 &&
        zmq_ctx_set(context, ZMQ_MAX_SOCKETS, sockets_max) == 0 && start_threads(context)) {
        return context;
    }
    net_context_destroy(&context);
    return NULL;
}

void net_context_destroy(void **context)
{
    if (*context == NULL) return;
    while (zmq_ctx_term(*context) != 0 && errno == EINTR) continue;
    *context = NULL;
}

struct net_shared {
    void *context;
    atomic_uint holders;
};

struct net_shared *net_shared_new(void)
{
    struct net_shared *shared = calloc(1, sizeof *shared);
    if (shared == NULL) return NULL;
    shared->context = net_context_new();
    if (shared->context != NULL) return net_shared_hold(shared);
    free(shared);
    return NULL;
}

struct net_shared *net_shared_hold(struct net_shared *shared)
{
    atomic_fetch_add(&shared->holders, 1);
    return shared;
}

void net_shared_release(struct net_shared **shared)
{
    struct net_shared *released = *shared;
    *shared = NULL;
    if (released == NULL || atomic_fetch_sub(&released->holders, 1) > 1) return;
    net_context_destroy(&released->context);
    free(released);
}

void *net_shared_context(const struct net_shared *shared)
{
    return shared->context;
}
