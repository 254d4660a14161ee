/* ventilator.c - a ventilator as a thread: sockets and clock around the core.
 *
 * Owns: the thread, its sockets, and the memory the core lives in.  Not here:
 * any decision about a task.  One turn of the loop takes what has arrived, steps
 * the core with it, and carries out what the core says.
 */
#include "../core/ventilator.h"

#include "../net/front.h"
#include "../watch/clock.h"
#include "../watch/thread.h"
#include "../wire/codec.h"
#include "block.h"
#include "failure.h"
#include "identity.h"
#include "ventilator_log.h"
#include "ventilator_node.h"
#include "ventilator_options.h"

#include <stdlib.h>

enum { TURN_MESSAGES_MAX = 256 }; /* taken in one turn, so that answers do not wait long */

enum wish { WISH_RUN, WISH_DRAIN, WISH_STOP };

struct tmesh_ventilator {
    struct ventilator_options options;
    struct log log;
    void *context; /* NULL in `own_context` when a producer lent it */
    void *own_context;
    struct front *front;
    struct waker waker;
    struct decoder *decoder;
    struct encoder *encoder;
    struct block block;
    struct ventilator *core;
    struct ventilator_actions *actions;
    pthread_t thread;
    enum wish done; /* the wish carried out last; the thread's own */

    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool ready; /* lock and condition exist */
    bool started;
    enum wish wish;      /* guarded by lock */
    uint64_t open_count; /* guarded by lock; kept while draining */
};

static void perform(struct tmesh_ventilator *node)
{
    const struct ventilator_actions *actions = node->actions;
    for (uint32_t at = 0; at < actions->record_count; at++) {
        if (node->log.write != NULL) ventilator_log(&node->log, &actions->records[at]);
    }
    for (uint32_t at = 0; at < actions->send_count; at++) {
        const struct ventilator_send *send = &actions->sends[at];
        struct bytes bytes;
        if (wire_encode(node->encoder, &send->message, &bytes) != WIRE_OK) {
            log_line(&node->log, TMESH_ERROR, "out of memory: a message was not sent");
            continue; /* the gap in the numbers resets that session */
        }
        (void)front_send(node->front, send->link, bytes);
    }
}

static void step(struct tmesh_ventilator *node, const struct ventilator_event *event)
{
    ventilator_step(node->core, event, node->actions);
    perform(node);
}

static enum reason garbage_reason(enum wire_error error)
{
    return error == WIRE_MAJOR ? REASON_VERSION : REASON_MALFORMED;
}

static void take_arrival(struct tmesh_ventilator *node, const struct arrival *arrival,
                         uint64_t now_ns)
{
    struct ventilator_event event = {
        .now_ns = now_ns, .link = arrival->link, .passage = arrival->passage};
    struct message message;
    if (arrival->kind == ARRIVAL_CLOSED) {
        event.kind = VENTILATOR_CLOSED;
    } else {
        enum wire_error error = wire_decode(node->decoder, arrival->bytes, &message);
        event.kind = error == WIRE_OK ? VENTILATOR_MESSAGE : VENTILATOR_GARBAGE;
        event.message = error == WIRE_OK ? &message : NULL;
        event.reason = error == WIRE_OK ? REASON_NONE : garbage_reason(error);
    }
    step(node, &event);
}

static void turn_until_done(struct tmesh_ventilator *node, enum ventilator_event_kind kind,
                            uint64_t now_ns)
{
    do {
        step(node, &(struct ventilator_event){.kind = kind, .now_ns = now_ns});
    } while (node->actions->more);
}

/* Takes over what other threads wish for, and tells them how far it is. */
static void heed_wishes(struct tmesh_ventilator *node, uint64_t now_ns)
{
    pthread_mutex_lock(&node->lock);
    enum wish wish = node->wish;
    bool asked = node->open_count == UINT64_MAX;
    node->open_count = ventilator_open_count(node->core);
    if (asked || node->open_count == 0) pthread_cond_broadcast(&node->changed);
    pthread_mutex_unlock(&node->lock);
    if (wish >= WISH_DRAIN && node->done < WISH_DRAIN) {
        step(node, &(struct ventilator_event){.kind = VENTILATOR_DRAIN, .now_ns = now_ns});
    }
    if (wish == WISH_STOP) turn_until_done(node, VENTILATOR_STOP, now_ns);
    node->done = wish;
}

static void *run(void *argument)
{
    struct tmesh_ventilator *node = argument;
    while (node->done != WISH_STOP) {
        front_wait(node->front, &node->waker, clock_left_ns(ventilator_deadline(node->core)));
        waker_calm(&node->waker);
        uint64_t now_ns = clock_now_ns(); /* the only time this turn knows */
        for (uint32_t taken = 0; taken < TURN_MESSAGES_MAX; taken++) {
            struct arrival arrival;
            front_next(node->front, &arrival);
            if (arrival.kind == ARRIVAL_NONE) break;
            take_arrival(node, &arrival, now_ns);
        }
        turn_until_done(node, VENTILATOR_TURN, now_ns);
        heed_wishes(node, now_ns);
    }
    return NULL;
}

static enum tmesh_err open_sockets(struct tmesh_ventilator *node,
                                   const tmesh_ventilator_options_t *options, tmesh_error_t *error)
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
                                                    .message_bytes_max = MESSAGE_BYTES_MAX},
                            why, sizeof why);
    if (node->front == NULL) return failure(error, TMESH_E_BIND, "%s", why);
    if (waker_open(&node->waker) != 0) {
        return failure(error, TMESH_E_SYSTEM, "no descriptor left for the ventilator's waker");
    }
    return TMESH_OK;
}

static enum tmesh_err build_core(struct tmesh_ventilator *node, tmesh_error_t *error)
{
    node->options.intakes = front_intakes(node->front, &node->options.intake_count);
    size_t bytes = ventilator_memory_bytes(&node->options);
    if (block_reserve(&node->block, bytes) != 0) {
        return failure(error, TMESH_E_SYSTEM,
                       "cannot reserve %zu bytes of address space; lower tasks_max or memory_max",
                       bytes);
    }
    node->actions = malloc(sizeof *node->actions);
    node->decoder = decoder_new();
    node->encoder = encoder_new();
    if (node->actions == NULL || node->decoder == NULL || node->encoder == NULL) {
        return failure(error, TMESH_E_SYSTEM, "out of memory");
    }
    node->core = ventilator_init(node->block.memory, &node->options, clock_now_ns());
    return TMESH_OK;
}

static enum tmesh_err start_thread(struct tmesh_ventilator *node, tmesh_error_t *error)
{
    if (thread_start(&node->thread, "tmesh-ventil", run, node) != 0) {
        return failure(error, TMESH_E_SYSTEM, "cannot start the ventilator's thread");
    }
    node->started = true;
    return TMESH_OK;
}

tmesh_ventilator_t *ventilator_node_new(const tmesh_ventilator_options_t *options, void *context,
                                        tmesh_error_t *error)
{
    struct tmesh_ventilator *node = calloc(1, sizeof *node);
    if (node == NULL) {
        failure(error, TMESH_E_SYSTEM, "out of memory");
        return NULL;
    }
    node->waker.fd = -1;
    node->context = context;
    node->log = (struct log){.write = options->log, .context = options->log_context};
    node->ready =
        pthread_mutex_init(&node->lock, NULL) == 0 && thread_condition_init(&node->changed) == 0;
    if (!node->ready) {
        failure(error, TMESH_E_SYSTEM, "out of memory");
        free(node);
        return NULL;
    }
    if (ventilator_options_read(options, context == NULL, &node->options, error) != TMESH_OK ||
        open_sockets(node, options, error) != TMESH_OK || build_core(node, error) != TMESH_OK ||
        start_thread(node, error) != TMESH_OK) {
        tmesh_ventilator_destroy(&node);
    }
    return node;
}

tmesh_ventilator_t *tmesh_ventilator_new(const tmesh_ventilator_options_t *options,
                                         tmesh_error_t *error)
{
    return ventilator_node_new(options, NULL, error);
}

const char *tmesh_ventilator_endpoint(const tmesh_ventilator_t *ventilator)
{
    return front_endpoint(ventilator->front);
}

static void wish_for(struct tmesh_ventilator *node, enum wish wish)
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
    wish_for(ventilator, WISH_DRAIN);
    pthread_mutex_lock(&ventilator->lock);
    /* The thread looks in its next turn, however short the time given is. */
    while (ventilator->open_count == UINT64_MAX) {
        (void)pthread_cond_wait(&ventilator->changed, &ventilator->lock);
    }
    while (ventilator->open_count != 0 &&
           thread_wait_until(&ventilator->changed, &ventilator->lock, until_ns) == 0) {
    }
    uint64_t left = ventilator->open_count;
    pthread_mutex_unlock(&ventilator->lock);
    if (open != NULL) *open = left;
    return left == 0 ? TMESH_OK : TMESH_E_TIMEOUT;
}

void tmesh_ventilator_destroy(tmesh_ventilator_t **ventilator)
{
    struct tmesh_ventilator *node = *ventilator;
    if (node == NULL) return;
    if (node->started) {
        wish_for(node, WISH_STOP);
        pthread_join(node->thread, NULL);
    }
    front_destroy(&node->front);
    net_context_destroy(&node->own_context);
    waker_close(&node->waker);
    decoder_destroy(&node->decoder);
    encoder_destroy(&node->encoder);
    free(node->actions);
    block_release(&node->block);
    pthread_cond_destroy(&node->changed);
    pthread_mutex_destroy(&node->lock);
    free(node);
    *ventilator = NULL;
}
