/* worker.c - a worker: making and ending one, and what its program asks it.
 *
 * Owns: the thread that talks and keeps the heartbeats, and the pool whose
 * threads run handlers.  Not here: what they do (worker_loop.c, worker_loan.c).
 */
#include "../net/dials.h"
#include "../pool/pool.h"
#include "../watch/clock.h"
#include "../watch/thread.h"
#include "../wire/codec.h"
#include "embedded.h"
#include "failure.h"
#include "spin.h"
#include "worker_node.h"

#include <inttypes.h>
#include <stdlib.h>

static void wake(void *context)
{
    waker_wake(&((struct tmesh_worker *)context)->waker);
}

static enum tmesh_err open_sockets(struct tmesh_worker *node, const tmesh_worker_options_t *options,
                                   tmesh_error_t *error)
{
    bool beside = options->beside != NULL;
    node->shared = beside ? embedded_context(options->beside) : net_shared_new();
    if (node->shared == NULL) {
        return failure(error, TMESH_E_SYSTEM, "no ZeroMQ context: too few descriptors or memory");
    }
    void *context = net_shared_context(node->shared);
    node->dials = dials_new(context, node->setup.endpoints.items, node->setup.endpoints.count,
                            MESSAGE_BYTES_MAX);
    if (node->dials == NULL || waker_open(&node->waker) != 0 || waker_open(&node->asked) != 0) {
        return failure(error, TMESH_E_SYSTEM, "too few descriptors or memory for sockets");
    }
    dials_spin(node->dials, node->spin_ns);
    return TMESH_OK;
}

static enum tmesh_err build_core(struct tmesh_worker *node, tmesh_error_t *error)
{
    if (block_reserve(&node->block, worker_memory_bytes(&node->setup.core)) != 0) {
        return failure(error, TMESH_E_SYSTEM, "cannot reserve address space for the worker");
    }
    node->actions = malloc(sizeof *node->actions);
    node->decoder = decoder_new();
    node->encoder = encoder_new();
    if (node->actions == NULL || node->decoder == NULL || node->encoder == NULL) {
        return failure(error, TMESH_E_SYSTEM, "out of memory");
    }
    node->core = worker_init(node->block.memory, &node->setup.core, clock_now_ns());
    return TMESH_OK;
}

static enum tmesh_err start_threads(struct tmesh_worker *node,
                                    const tmesh_worker_options_t *options, tmesh_error_t *error)
{
    sigset_t before;
    thread_mask(&before);
    node->pool =
        pool_new(&(struct pool_options){.registry = node->setup.registry,
                                        .nursery = node->setup.nursery,
                                        .slots = node->setup.core.slots,
                                        .fences = node->setup.endpoints.count,
                                        .jobs_max = node->setup.core.jobs_max,
                                        .wake = wake,
                                        .wake_context = node,
                                        .lender = worker_lender(node),
                                        .log = node->log,
                                        .command_limits = node->setup.command_limits,
                                        .command_environment = options->command_environment});
    thread_unmask(&before);
    if (node->pool == NULL) {
        return failure(error, TMESH_E_SYSTEM,
                       "cannot start %" PRIu32 " slots: threads, processes or memory",
                       node->setup.core.slots);
    }
    if (thread_start(&node->thread, "tmesh-worker", worker_run, node) != 0) {
        return failure(error, TMESH_E_SYSTEM, "cannot start the worker's thread");
    }
    node->started = true;
    return TMESH_OK;
}

tmesh_worker_t *tmesh_worker_new(const tmesh_worker_options_t *options, tmesh_error_t *error)
{
    struct tmesh_worker *node = calloc(1, sizeof *node);
    if (node == NULL || pthread_mutex_init(&node->lock, NULL) != 0 ||
        thread_condition_init(&node->changed) != 0 || loan_open(&node->loan) != 0) {
        failure(error, TMESH_E_SYSTEM, "out of memory");
        free(node);
        return NULL;
    }
    node->process = identity_process();
    node->waker.fd = node->asked.fd = -1;
    node->log = (struct log){
        .write = options->log, .context = options->log_context, .least = options->log_level};
    if (worker_setup_read(&node->setup, options, error) != TMESH_OK ||
        spin_read(options->spin_us, &node->spin_ns, error) != TMESH_OK ||
        open_sockets(node, options, error) != TMESH_OK || build_core(node, error) != TMESH_OK ||
        start_threads(node, options, error) != TMESH_OK) {
        tmesh_worker_destroy(&node);
    }
    return node;
}

static void wish_for(struct tmesh_worker *node, enum wish wish)
{
    pthread_mutex_lock(&node->lock);
    if (node->wish < wish) node->wish = wish;
    node->counts_fresh = false;
    pthread_mutex_unlock(&node->lock);
    waker_wake(&node->waker);
}

void tmesh_worker_counts(tmesh_worker_t *worker, tmesh_worker_counts_t *counts)
{
    *counts = (tmesh_worker_counts_t){0};
    if (identity_is_inherited(worker->process)) return;
    pthread_mutex_lock(&worker->lock);
    const struct worker_counts *now = &worker->counts;
    *counts = (tmesh_worker_counts_t){.ventilators = now->links_open,
                                      .held = now->held,
                                      .running = now->running,
                                      .hung = now->hung,
                                      .crippled = pool_is_lost(worker->pool),
                                      .started = now->started,
                                      .done = now->done,
                                      .failed = now->failed,
                                      .returned = now->returned};
    pthread_mutex_unlock(&worker->lock);
}

int tmesh_worker_fd(const tmesh_worker_t *worker)
{
    if (identity_is_inherited(worker->process)) return -1; /* it is its parent's, too */
    return worker->asked.fd;
}

bool tmesh_worker_asked_to_drain(tmesh_worker_t *worker, uint32_t *grace_ms)
{
    if (identity_is_inherited(worker->process)) return false;
    pthread_mutex_lock(&worker->lock);
    bool asked = worker->asked_to_drain;
    if (asked && grace_ms != NULL) *grace_ms = worker->grace_ms;
    pthread_mutex_unlock(&worker->lock);
    return asked;
}

enum tmesh_err tmesh_worker_drain(tmesh_worker_t *worker, uint32_t timeout_ms)
{
    uint64_t until_ns = clock_now_ns() + timeout_ms * MILLISECOND;
    if (identity_is_inherited(worker->process)) return TMESH_E_CLOSED;
    wish_for(worker, WISH_DRAIN);
    pthread_mutex_lock(&worker->lock);
    /* The thread counts in its next turn, however short the time given is. */
    while (!worker->counts_fresh) (void)pthread_cond_wait(&worker->changed, &worker->lock);
    while (worker->counts.held + worker->counts.owed > 0 &&
           thread_wait_until(&worker->changed, &worker->lock, until_ns) == 0) {
    }
    bool empty = worker->counts.held + worker->counts.owed == 0;
    pthread_mutex_unlock(&worker->lock);
    return empty ? TMESH_OK : TMESH_E_TIMEOUT;
}

void tmesh_worker_destroy(tmesh_worker_t **worker)
{
    struct tmesh_worker *node = *worker;
    if (node == NULL) return;
    if (identity_is_inherited(node->process)) { /* its threads are not here to be waited for */
        *worker = NULL;
        return;
    }
    if (node->started) {
        wish_for(node, WISH_STOP);
        pthread_join(node->thread, NULL);
    }
    pool_destroy(&node->pool); /* before the memory that its jobs point into */
    dials_destroy(&node->dials);
    net_shared_release(&node->shared);
    waker_close(&node->waker);
    waker_close(&node->asked);
    decoder_destroy(&node->decoder);
    encoder_destroy(&node->encoder);
    free(node->actions);
    block_release(&node->block);
    worker_setup_clear(&node->setup);
    loan_close(&node->loan);
    pthread_cond_destroy(&node->changed);
    pthread_mutex_destroy(&node->lock);
    free(node);
    *worker = NULL;
}
