/* ventilator.c - making, draining and ending a ventilator. */
#include "ventilator_node.h"

#include "../net/front.h"
#include "../watch/clock.h"
#include "../watch/thread.h"
#include "../wire/codec.h"
#include "failure.h"
#include "identity.h"
#include "spin.h"
#include "ventilator_node.h"
#include "ventilator_options.h"

#include <stdio.h>
#include <stdlib.h>

/* For the last answers and BYE to leave, also from a machine that has no time for us.  Only a
 * peer that stands still makes it last so long: what was for one that is gone goes with it. */
enum { FAREWELL_MS = 1000 };

static enum tmesh_err open_sockets(struct tmesh_ventilator *node,
                                   const tmesh_ventilator_options_t *options, struct pipe *pipe,
                                   tmesh_error_t *error)
{
    char why[TMESH_ERROR_TEXT_BYTES];
    bool lent = node->context != NULL;
    if (!lent) node->context = node->own_context = net_context_new();
    if (node->context == NULL) {
        return failure(error, TMESH_E_SYSTEM, "no ZeroMQ context: too few descriptors or memory");
    }
    node->front = front_new(&(struct front_options){.context = node->context,
                                                    .bind = options->bind,
                                                    .intake = options->intake,
                                                    .inproc = lent,
                                                    .pipe = pipe,
                                                    .spin_ns = node->spin_ns,
                                                    .linger_ms = FAREWELL_MS,
                                                    .message_bytes_max = MESSAGE_BYTES_MAX},
                            why, sizeof why);
    if (node->front == NULL) return failure(error, TMESH_E_BIND, "%s", why);
    (void)snprintf(node->endpoint, sizeof node->endpoint, "%s", front_endpoint(node->front));
    return TMESH_OK;
}

static enum tmesh_err open_journal(struct tmesh_ventilator *node,
                                   const tmesh_ventilator_options_t *options, tmesh_error_t *error)
{
    if (waker_open(&node->waker) != 0 || waker_open(&node->alarm) != 0) {
        return failure(error, TMESH_E_SYSTEM, "no descriptor left for the ventilator's wakers");
    }
    if (options->journal == NULL) return TMESH_OK;
    return ventilator_journal_open(&node->journal, options, &node->options, &node->waker,
                                   &node->log, error);
}

static enum tmesh_err build_core(struct tmesh_ventilator *node, tmesh_error_t *error)
{
    node->options.embedded = node->own_context == NULL;
    node->options.intakes = front_intakes(node->front, &node->options.intake_count);
    struct arena measured = {0};
    ventilator_measure(&node->options, &measured);
    if (block_reserve(&node->block, measured.used) != 0) {
        return failure(error, TMESH_E_SYSTEM,
                       "cannot reserve %zu bytes of address space; lower tasks_max or memory_max",
                       measured.used);
    }
    block_expect_large(&node->block, &measured);
    node->actions = malloc(sizeof *node->actions);
    node->decoder = decoder_new();
    node->encoder = encoder_new();
    if (node->actions == NULL || node->decoder == NULL || node->encoder == NULL) {
        return failure(error, TMESH_E_SYSTEM, "out of memory");
    }
    uint64_t now_ns = clock_now_ns();
    node->core = ventilator_init(node->block.memory, &node->options, now_ns);
    if (node->journal == NULL) return TMESH_OK;
    return ventilator_journal_replay(node->journal, node->core, node->actions, now_ns, error);
}

static enum tmesh_err start_thread(struct tmesh_ventilator *node, tmesh_error_t *error)
{
    if (thread_start(&node->thread, "tmesh-ventil", ventilator_loop, node) != 0) {
        return failure(error, TMESH_E_SYSTEM, "cannot start the ventilator's thread");
    }
    node->started = true;
    return TMESH_OK;
}

tmesh_ventilator_t *ventilator_node_new(const tmesh_ventilator_options_t *options, void *context,
                                        struct pipe *pipe, tmesh_error_t *error)
{
    struct tmesh_ventilator *node = calloc(1, sizeof *node);
    if (node == NULL) {
        failure(error, TMESH_E_SYSTEM, "out of memory");
        return NULL;
    }
    node->process = identity_process();
    node->waker.fd = node->alarm.fd = -1;
    node->context = context;
    node->log = (struct log){
        .write = options->log, .context = options->log_context, .least = options->log_level};
    node->ready = pthread_mutex_init(&node->lock, NULL) == 0 &&
                  thread_condition_init(&node->changed) == 0 &&
                  thread_condition_init(&node->loan.over) == 0;
    if (!node->ready) {
        failure(error, TMESH_E_SYSTEM, "out of memory");
        free(node);
        return NULL;
    }
    if (ventilator_options_read(options, context == NULL, &node->options, error) != TMESH_OK ||
        spin_read(options->spin_us, &node->spin_ns, error) != TMESH_OK ||
        open_journal(node, options, error) != TMESH_OK ||
        open_sockets(node, options, pipe, error) != TMESH_OK ||
        build_core(node, error) != TMESH_OK || start_thread(node, error) != TMESH_OK) {
        tmesh_ventilator_destroy(&node);
    }
    return node;
}

tmesh_ventilator_t *tmesh_ventilator_new(const tmesh_ventilator_options_t *options,
                                         tmesh_error_t *error)
{
    return ventilator_node_new(options, NULL, NULL, error);
}

const char *tmesh_ventilator_endpoint(const tmesh_ventilator_t *ventilator)
{
    return ventilator->endpoint;
}

int tmesh_ventilator_fd(const tmesh_ventilator_t *ventilator)
{
    if (identity_is_inherited(ventilator->process)) return -1; /* it is its parent's, too */
    return ventilator->alarm.fd;
}

enum tmesh_err tmesh_ventilator_fault(tmesh_ventilator_t *ventilator, tmesh_error_t *error)
{
    if (identity_is_inherited(ventilator->process)) {
        return failure(error, TMESH_E_CLOSED,
                       "the ventilator is of the process that this one was forked from");
    }
    pthread_mutex_lock(&ventilator->lock);
    enum tmesh_err code = ventilator->fault.code;
    if (code != TMESH_OK && error != NULL) *error = ventilator->fault;
    pthread_mutex_unlock(&ventilator->lock);
    return code;
}

bool tmesh_ventilator_asked_to_drain(tmesh_ventilator_t *ventilator, uint32_t *grace_ms)
{
    if (identity_is_inherited(ventilator->process)) return false;
    pthread_mutex_lock(&ventilator->lock);
    bool asked = ventilator->asked_to_drain;
    if (asked && grace_ms != NULL) *grace_ms = ventilator->drain_grace_ms;
    pthread_mutex_unlock(&ventilator->lock);
    return asked;
}

static void wish_for(struct tmesh_ventilator *node, enum ventilator_wish wish)
{
    pthread_mutex_lock(&node->lock);
    if (node->wish < wish) node->wish = wish;
    node->open_count = UINT64_MAX; /* not known until the thread has looked */
    pthread_mutex_unlock(&node->lock);
    waker_wake(&node->waker);
}

enum tmesh_err tmesh_ventilator_drain(tmesh_ventilator_t *ventilator, uint32_t timeout_ms,
                                      uint64_t *open)
{
    uint64_t until_ns = clock_now_ns() + timeout_ms * MILLISECOND;
    if (identity_is_inherited(ventilator->process)) return TMESH_E_CLOSED;
    wish_for(ventilator, WISH_DRAIN);
    pthread_mutex_lock(&ventilator->lock);
    /* The thread looks in its next turn, however short the time given is. */
    while (ventilator->open_count == UINT64_MAX && ventilator->fault.code == TMESH_OK) {
        (void)pthread_cond_wait(&ventilator->changed, &ventilator->lock);
    }
    while (ventilator->open_count != 0 && ventilator->fault.code == TMESH_OK &&
           thread_wait_until(&ventilator->changed, &ventilator->lock, until_ns) == 0) {
    }
    uint64_t left = ventilator->open_count;
    enum tmesh_err fault = ventilator->fault.code;
    pthread_mutex_unlock(&ventilator->lock);
    if (fault != TMESH_OK) return fault;
    if (open != NULL) *open = left;
    return left == 0 ? TMESH_OK : TMESH_E_TIMEOUT;
}

void tmesh_ventilator_destroy(tmesh_ventilator_t **ventilator)
{
    struct tmesh_ventilator *node = *ventilator;
    if (node == NULL) return;
    if (identity_is_inherited(node->process)) { /* its threads are not here to be waited for */
        *ventilator = NULL;
        return;
    }
    if (node->started) {
        wish_for(node, WISH_STOP);
        pthread_join(node->thread, NULL);
    }
    front_destroy(&node->front);
    net_context_destroy(&node->own_context);
    ventilator_journal_close(&node->journal); /* its thread wakes the waker */
    waker_close(&node->waker);
    waker_close(&node->alarm);
    decoder_destroy(&node->decoder);
    encoder_destroy(&node->encoder);
    free(node->actions);
    block_release(&node->block);
    pthread_cond_destroy(&node->changed);
    pthread_cond_destroy(&node->loan.over);
    pthread_mutex_destroy(&node->lock);
    free(node);
    *ventilator = NULL;
}
