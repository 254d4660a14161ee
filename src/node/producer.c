/* producer.c - making and ending a producer. */
#include "../net/dials.h"
#include "../net/endpoint.h"
#include "../net/pipe.h"
#include "../watch/clock.h"
#include "../watch/thread.h"
#include "../wire/codec.h"
#include "embedded.h"
#include "failure.h"
#include "producer_node.h"
#include "spin.h"
#include "spool.h"
#include "ventilator_node.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { OUTBOX_DEFAULT = 100000, AWAITED_DEFAULT = 1000000, SETTLED_EACH_LOCK = 4096 };
static const uint64_t BYTES_DEFAULT = UINT64_C(256) * 1024 * 1024;
static const uint64_t BYTES_MAX = UINT64_C(16) << 30;

static enum tmesh_err read_guard(struct tmesh_producer *producer,
                                 const tmesh_producer_options_t *options, tmesh_error_t *error)
{
    struct producer_options *core = &producer->options;
    uint64_t kept_max = producer->outbox_bytes_max;
    if (options->guard != TMESH_GUARD_NONE && options->guard != TMESH_GUARD_FAILOVER) {
        return failure(error, TMESH_E_INVALID, "guard %d is neither TMESH_GUARD_NONE nor _FAILOVER",
                       (int)options->guard);
    }
    core->guarded = options->guard == TMESH_GUARD_FAILOVER;
    if (options->failover_after_ms != 0) {
        core->failover_ns = options->failover_after_ms * MILLISECOND;
    }
    if (core->guarded && options->guarded_bytes_max != 0) {
        kept_max = options->guarded_bytes_max;
    } else if (core->guarded && kept_max < BYTES_DEFAULT) {
        kept_max = BYTES_DEFAULT;
    }
    if (kept_max > BYTES_MAX) {
        return failure(error, TMESH_E_INVALID, "guarded_bytes_max may be 16 GiB");
    }
    producer->kept_bytes_max = kept_max;
    /* Half as much again, and a fixed part, for what keeping many sizes wastes. */
    uint32_t kept = core->guarded ? core->tasks_max : producer->outbox_max;
    core->store_bytes_max = kept_max / 2 * 3 + kept * UINT64_C(256);
    return TMESH_OK;
}

static enum tmesh_err read_limits(struct tmesh_producer *producer,
                                  const tmesh_producer_options_t *options, tmesh_error_t *error)
{
    uint32_t awaited_max = options->awaited_max != 0 ? options->awaited_max : AWAITED_DEFAULT;
    producer->outbox_max = options->outbox_max != 0 ? options->outbox_max : OUTBOX_DEFAULT;
    producer->outbox_bytes_max =
        options->outbox_bytes_max != 0 ? options->outbox_bytes_max : BYTES_DEFAULT;
    producer->answers_bytes_max =
        options->answers_bytes_max != 0 ? options->answers_bytes_max : BYTES_DEFAULT;
    if (producer->outbox_max > 50000000 || awaited_max > 50000000) {
        return failure(error, TMESH_E_INVALID, "outbox_max and awaited_max may be 50,000,000 each");
    }
    if (producer->outbox_bytes_max > BYTES_MAX) {
        return failure(error, TMESH_E_INVALID, "outbox_bytes_max may be 16 GiB");
    }
    enum tmesh_err result = spin_read(options->spin_us, &producer->spin_ns, error);
    if (result != TMESH_OK) return result;
    struct producer_options *core = &producer->options;
    *core = producer_defaults();
    core->node = identity_node();
    identity_random(&core->seed, sizeof core->seed);
    core->software = bytes_text(IDENTITY_SOFTWARE);
    core->label = bytes_text(producer->label);
    core->link_count = producer->endpoints.count;
    core->tasks_max = producer->outbox_max + awaited_max;
    core->unknown_ns = options->unknown_after_ms * MILLISECOND;
    return read_guard(producer, options, error);
}

static enum tmesh_err start_ventilator(struct tmesh_producer *producer,
                                       const tmesh_ventilator_options_t *options,
                                       tmesh_error_t *error)
{
    if (options == NULL) return TMESH_OK;
    producer->pipe = pipe_new();
    if (producer->pipe == NULL) return failure(error, TMESH_E_SYSTEM, "out of memory");
    producer->ventilator = ventilator_node_new(options, producer->context, producer->pipe, error);
    if (producer->ventilator != NULL) return TMESH_OK;
    return error != NULL ? error->code : TMESH_E_SYSTEM;
}

static enum tmesh_err read_addresses(struct tmesh_producer *producer,
                                     const tmesh_producer_options_t *options, tmesh_error_t *error)
{
    enum tmesh_err result = endpoints_read(&producer->endpoints, options->connect, error);
    if (result != TMESH_OK) return result;
    if (options->embed != NULL) {
        if (producer->endpoints.count == ENDPOINTS_MAX) {
            return failure(error, TMESH_E_INVALID, "more than %d endpoints", ENDPOINTS_MAX);
        }
        endpoints_add(&producer->endpoints, EMBEDDED_FRONT);
    }
    if (producer->endpoints.count > 0) return TMESH_OK;
    return failure(error, TMESH_E_INVALID,
                   "a producer needs ventilators to connect to, such as tcp://127.0.0.1:5555, or "
                   "one of its own");
}

static void lay_out(struct tmesh_producer *producer, struct arena *arena, size_t core_bytes)
{
    producer->core = (struct producer *)arena_take(arena, core_bytes, 1);
    tickets_init(&producer->exchange.tickets, arena, producer->options.tasks_max);
    board_init(&producer->exchange.board, arena);
    waits_init(&producer->exchange.waits, arena, producer->options.tasks_max,
               producer->options.seed);
}

static enum tmesh_err build_core(struct tmesh_producer *producer, tmesh_error_t *error)
{
    size_t core_bytes = producer_memory_bytes(&producer->options);
    struct arena arena = {0};
    lay_out(producer, &arena, core_bytes);
    arena.size = arena.used;
    arena.used = 0;
    if (block_reserve(&producer->block, arena.size) != 0) {
        return failure(error, TMESH_E_SYSTEM,
                       "cannot reserve %zu bytes of address space; lower the limits", arena.size);
    }
    arena.base = producer->block.memory;
    lay_out(producer, &arena, core_bytes);
    producer->actions = malloc(sizeof *producer->actions);
    producer->settled_max = SETTLED_EACH_LOCK;
    producer->settled = malloc(SETTLED_EACH_LOCK * sizeof *producer->settled);
    producer->decoder = decoder_new();
    producer->encoder = encoder_new();
    if (producer->actions == NULL || producer->settled == NULL || producer->decoder == NULL ||
        producer->encoder == NULL) {
        return failure(error, TMESH_E_SYSTEM, "out of memory");
    }
    producer->core = producer_init(producer->core, &producer->options, clock_now_ns());
    return TMESH_OK;
}

static enum tmesh_err open_sockets(struct tmesh_producer *producer, tmesh_error_t *error)
{
    producer->dials = dials_new(producer->context, producer->endpoints.items,
                                producer->endpoints.count, MESSAGE_BYTES_MAX);
    producer->exchange.answers_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (producer->dials == NULL || producer->exchange.answers_fd < 0 ||
        waker_open(&producer->exchange.waker) != 0) {
        return failure(error, TMESH_E_SYSTEM, "too few descriptors or memory for sockets");
    }
    dials_spin(producer->dials, producer->spin_ns);
    if (producer->pipe != NULL) {
        dials_join(producer->dials, producer->endpoints.count - 1, producer->pipe);
    }
    return TMESH_OK;
}

static enum tmesh_err start(struct tmesh_producer *producer,
                            const tmesh_producer_options_t *options, tmesh_error_t *error)
{
    producer->shared = net_shared_new();
    if (producer->shared == NULL) {
        return failure(error, TMESH_E_SYSTEM, "no ZeroMQ context: too few descriptors or memory");
    }
    producer->context = net_shared_context(producer->shared);
    identity_label(options->label, producer->label);
    enum tmesh_err result = read_addresses(producer, options, error);
    if (result == TMESH_OK) result = read_limits(producer, options, error);
    if (result == TMESH_OK) result = start_ventilator(producer, options->embed, error);
    if (result == TMESH_OK) result = open_sockets(producer, error);
    if (result == TMESH_OK) result = build_core(producer, error);
    if (result == TMESH_OK) result = producer_open_spool(producer, options, error);
    if (result != TMESH_OK) return result;
    if (thread_start(&producer->thread, "tmesh-producer", producer_loop, producer) != 0) {
        return failure(error, TMESH_E_SYSTEM, "cannot start the producer's thread");
    }
    producer->started = true;
    return TMESH_OK;
}

tmesh_producer_t *tmesh_producer_new(const tmesh_producer_options_t *options, tmesh_error_t *error)
{
    /* aligned_alloc rather than calloc: what two threads use must not share a cache line. */
    struct tmesh_producer *producer =
        aligned_alloc(_Alignof(struct tmesh_producer), sizeof *producer);
    if (producer != NULL) memset(producer, 0, sizeof *producer);
    if (producer == NULL || thread_lock_init(&producer->exchange.lock) != 0 ||
        thread_condition_init(&producer->exchange.changed) != 0 ||
        loan_open(&producer->exchange.loan) != 0) {
        failure(error, TMESH_E_SYSTEM, "out of memory");
        free(producer);
        return NULL;
    }
    producer->process = identity_process();
    producer->exchange.waker.fd = producer->exchange.answers_fd = -1;
    producer->log = (struct log){
        .write = options->log, .context = options->log_context, .least = options->log_level};
    if (start(producer, options, error) != TMESH_OK) tmesh_producer_destroy(&producer);
    return producer;
}

bool embedded_is_there(const tmesh_producer_t *producer)
{
    return producer->ventilator != NULL;
}

struct net_shared *embedded_context(const tmesh_producer_t *producer)
{
    return embedded_is_there(producer) ? net_shared_hold(producer->shared) : NULL;
}

const char *tmesh_producer_endpoint(const tmesh_producer_t *producer)
{
    if (producer->ventilator == NULL) return NULL;
    const char *endpoint = tmesh_ventilator_endpoint(producer->ventilator);
    return endpoint[0] != '\0' ? endpoint : NULL;
}

static enum tmesh_err unreachable(const struct tmesh_producer *producer, uint64_t hosts_unknown,
                                  uint32_t timeout_ms, tmesh_error_t *error)
{
    char endpoints[TMESH_ERROR_TEXT_BYTES - 128], host[ENDPOINT_BYTES];
    if (hosts_unknown == 0) {
        endpoints_tell(&producer->endpoints, endpoints, sizeof endpoints);
        return failure(error, TMESH_E_UNREACHABLE,
                       "no ventilator answers at %s within %u ms; is one running there?", endpoints,
                       timeout_ms);
    }
    const char *endpoint = producer->endpoints.items[__builtin_ctzll(hosts_unknown)];
    (void)endpoint_host_name(endpoint, host);
    return failure(error, TMESH_E_UNREACHABLE,
                   "no ventilator answers: the host name %s has no address; is %s right?", host,
                   endpoint);
}

enum tmesh_err tmesh_producer_connected(tmesh_producer_t *producer, uint32_t timeout_ms,
                                        tmesh_error_t *error)
{
    uint64_t until_ns = clock_now_ns() + timeout_ms * MILLISECOND;
    char refusals[sizeof producer->exchange.refusals];
    if (identity_is_inherited(producer->process)) {
        return failure(error, TMESH_E_CLOSED,
                       "the producer is of the process that this one was forked from; make one "
                       "here");
    }
    pthread_mutex_lock(&producer->exchange.lock);
    while (producer->exchange.counts.links_open == 0 && !producer->exchange.stop &&
           thread_wait_until(&producer->exchange.changed, &producer->exchange.lock, until_ns) ==
               0) {
    }
    bool closed = producer->exchange.stop;
    bool connected = producer->exchange.counts.links_open > 0;
    uint64_t hosts_unknown = producer->exchange.hosts_unknown;
    memcpy(refusals, producer->exchange.refusals, sizeof refusals);
    pthread_mutex_unlock(&producer->exchange.lock);
    if (closed) return failure(error, TMESH_E_CLOSED, "the producer is closed");
    if (connected) return TMESH_OK;
    if (refusals[0] != '\0') return failure(error, TMESH_E_REFUSED, "%s", refusals);
    return unreachable(producer, hosts_unknown, timeout_ms, error);
}

void tmesh_producer_counts(tmesh_producer_t *producer, tmesh_producer_counts_t *counts)
{
    *counts = (tmesh_producer_counts_t){0};
    if (identity_is_inherited(producer->process)) return;
    pthread_mutex_lock(&producer->exchange.lock);
    const struct producer_counts *core = &producer->exchange.counts;
    *counts = (tmesh_producer_counts_t){
        .ventilators = core->links_open,
        .busy = core->links_busy,
        .outbox = producer->exchange.outbox,
        .awaited = core->awaited,
        .submitted = producer->exchange.submitted,
        .accepted = core->accepted,
        .rejected = core->rejected,
        .unknown = core->unknown,
        .ended = core->ended,
        .resent = core->resent,
        .failed_over = core->failed_over,
        .spooled = producer->exchange.spooled,
        .recovered = producer->exchange.recovered,
        .hosts_unknown = (uint32_t)__builtin_popcountll(producer->exchange.hosts_unknown)};
    pthread_mutex_unlock(&producer->exchange.lock);
}

/* With the lock held.  A guarded task has its ticket until it ended. */
static bool is_needed(const struct tmesh_producer *producer)
{
    return producer->exchange.outbox > 0 ||
           (producer->options.guarded && producer->exchange.tickets.used > 0);
}

static enum tmesh_err flush_until(tmesh_producer_t *producer, uint64_t until_ns)
{
    pthread_mutex_lock(&producer->exchange.lock);
    while (is_needed(producer) && thread_wait_until(&producer->exchange.changed,
                                                    &producer->exchange.lock, until_ns) == 0) {
    }
    bool needed = is_needed(producer);
    pthread_mutex_unlock(&producer->exchange.lock);
    return needed ? TMESH_E_TIMEOUT : TMESH_OK;
}

enum tmesh_err tmesh_producer_flush(tmesh_producer_t *producer, uint32_t timeout_ms)
{
    if (identity_is_inherited(producer->process)) return TMESH_E_CLOSED;
    return flush_until(producer, clock_now_ns() + timeout_ms * MILLISECOND);
}

static void stop_thread(struct tmesh_producer *producer)
{
    struct exchange *exchange = &producer->exchange;
    if (!producer->started) return;
    pthread_mutex_lock(&exchange->lock);
    bool first = !exchange->joined; /* others may close it at the same time */
    exchange->closed = exchange->stop = exchange->joined = true;
    pthread_cond_broadcast(&exchange->changed);
    pthread_cond_signal(&exchange->loan.over);
    pthread_mutex_unlock(&exchange->lock);
    waker_wake(&exchange->waker);
    if (first) pthread_join(producer->thread, NULL);
    pthread_mutex_lock(&exchange->lock);
    if (first) exchange->ended = true;
    while (!exchange->ended) pthread_cond_wait(&exchange->changed, &exchange->lock);
    pthread_cond_broadcast(&exchange->changed);
    pthread_mutex_unlock(&exchange->lock);
}

enum tmesh_err tmesh_producer_close(tmesh_producer_t *producer, uint32_t timeout_ms)
{
    uint64_t until_ns = clock_now_ns() + timeout_ms * MILLISECOND;
    if (identity_is_inherited(producer->process)) return TMESH_E_CLOSED;
    pthread_mutex_lock(&producer->exchange.lock);
    producer->exchange.closed = true;
    pthread_cond_broadcast(&producer->exchange.changed);
    pthread_mutex_unlock(&producer->exchange.lock);
    (void)flush_until(producer, until_ns);
    enum tmesh_err drained = TMESH_OK;
    if (producer->ventilator != NULL) {
        uint64_t now_ns = clock_now_ns();
        uint64_t left_ns = until_ns > now_ns ? until_ns - now_ns : 0;
        drained =
            tmesh_ventilator_drain(producer->ventilator, (uint32_t)(left_ns / MILLISECOND), NULL);
    }
    stop_thread(producer);
    return producer->exchange.given_up == 0 ? drained : TMESH_E_TIMEOUT; /* its thread is gone */
}

void tmesh_producer_destroy(tmesh_producer_t **handle)
{
    struct tmesh_producer *producer = *handle;
    if (producer == NULL) return;
    if (identity_is_inherited(producer->process)) { /* its threads are not here to be waited for */
        *handle = NULL;
        return;
    }
    stop_thread(producer);
    spool_close(&producer->spool);
    dials_destroy(&producer->dials);
    tmesh_ventilator_destroy(&producer->ventilator);
    pipe_destroy(&producer->pipe);
    net_shared_release(&producer->shared);
    waker_close(&producer->exchange.waker);
    if (producer->exchange.answers_fd >= 0) (void)close(producer->exchange.answers_fd);
    decoder_destroy(&producer->decoder);
    encoder_destroy(&producer->encoder);
    answer_clear(&producer->exchange.answers);
    answer_clear(&producer->telling);
    if (producer->block.memory != NULL) waits_clear(&producer->exchange.waits);
    stage_clear(&producer->exchange.stage);
    stage_clear(&producer->taking);
    stage_clear(&producer->spooling);
    free(producer->settled);
    free(producer->actions);
    if (producer->core != NULL) {
        for (void *block; (block = producer_reclaim(producer->core)) != NULL;) free(block);
    }
    block_release(&producer->block);
    endpoints_clear(&producer->endpoints);
    pthread_cond_destroy(&producer->exchange.changed);
    loan_close(&producer->exchange.loan);
    pthread_mutex_destroy(&producer->exchange.lock);
    free(producer);
    *handle = NULL;
}
