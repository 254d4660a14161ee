/* worker.c - a worker as a thread: sockets, pool and clock around the core.
 *
 * Owns: the thread that talks and keeps the heartbeats, and the pool whose
 * threads run handlers.  Not here: which task is taken, and what is owed to
 * whom: the core's.
 */
#include "../core/worker.h"

#include "../net/dials.h"
#include "../pool/pool.h"
#include "../watch/clock.h"
#include "../watch/thread.h"
#include "../wire/codec.h"
#include "block.h"
#include "failure.h"
#include "spin.h"
#include "worker_setup.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
    TURN_ARRIVALS_MAX = 256,
    TURN_DONE_MAX = 1024, /* runs taken from the pool in one turn: see TURN_TASKS_MAX in
                             ventilator_loop.c */
    JOBS_AT_ONCE = 256,
    FAREWELL_MS = 200 /* for BYE to leave */
};

enum wish { WISH_RUN, WISH_DRAIN, WISH_STOP };

struct tmesh_worker {
    struct worker_setup setup;
    struct log log;
    void *context;
    struct dials *dials;
    struct waker waker;
    struct waker asked; /* the host's to watch: readable once somebody asked us to drain */
    struct decoder *decoder;
    struct encoder *encoder;
    struct pool *pool;
    struct block block;
    struct worker *core;
    struct worker_actions *actions;
    pthread_t thread;
    uint64_t spin_ns;
    enum wish done; /* the wish carried out last; the thread's own */
    bool crippled;  /* the pool has lost its nursery; likewise */

    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool started;
    enum wish wish;              /* guarded by lock */
    struct worker_counts counts; /* guarded by lock; as of the last turn */
    bool counts_fresh;           /* guarded by lock: counted after the last wish */
    bool asked_to_drain;         /* guarded by lock */
    uint32_t grace_ms;           /* guarded by lock */
};

static void log_refusal(struct tmesh_worker *node, const struct worker_action *action)
{
    const struct message_refuse *refuse = &action->message.u.refuse;
    log_line(&node->log, TMESH_ERROR, "ventilator=%s refused this worker: %.*s (%s)",
             node->setup.endpoints.items[action->link], (int)refuse->text.size,
             (const char *)refuse->text.data, failure_reason(refuse->reason));
}

static void log_hung(struct tmesh_worker *node, const struct worker_action *action)
{
    const struct assignment *task = &action->assignment;
    const struct log_subject subject = {
        .id = task->lease.id, .name = task->name, .attempt = task->lease.attempt};
    char text[TIME_LIMIT_TEXT_BYTES];
    struct bytes cause =
        end_cause_text(action->cause, end_cause_limit_ms(action->cause, task), "", text);
    log_task_line(&node->log, &subject, TMESH_ERROR,
                  "cannot be ended (%.*s): it hangs in slot %" PRIu32
                  ", which is lost until it returns",
                  (int)cause.size, (const char *)cause.data, pool_slot_of(node->pool, action->job));
}

/* From here on as if the program had begun to drain by itself; how long to wait for
 * what runs, and whether to stop then, is its decision. */
static void begin_to_drain(struct tmesh_worker *node, uint32_t grace_ms)
{
    pthread_mutex_lock(&node->lock);
    if (node->wish < WISH_DRAIN) node->wish = WISH_DRAIN;
    node->asked_to_drain = true;
    node->grace_ms = grace_ms;
    pthread_mutex_unlock(&node->lock);
    waker_wake(&node->asked);
}

static void send_message(struct tmesh_worker *node, const struct worker_action *action)
{
    struct bytes bytes;
    if (wire_encode(node->encoder, &action->message, &bytes) != WIRE_OK) {
        log_line(&node->log, TMESH_ERROR, "out of memory: a message was not sent");
        return; /* the gap in the numbers resets the session */
    }
    encoder_give_away(node->encoder,
                      dials_send_buffer(node->dials, action->link, PASSAGE_FRONT, bytes));
}

static void perform_one(struct tmesh_worker *node, const struct worker_action *action)
{
    const char *endpoint = node->setup.endpoints.items[action->link];
    switch (action->kind) {
    case WORKER_OPEN:
        if (!dials_open(node->dials, action->link)) {
            log_line(&node->log, TMESH_ERROR, "ventilator=%s cannot open a socket", endpoint);
        }
        break;
    case WORKER_SHUT: dials_shut(node->dials, action->link, 0); break;
    case WORKER_SEND: send_message(node, action); break;
    case WORKER_RUN: break; /* gathered by perform */
    case WORKER_RECALL: pool_recall(node->pool, action->job); break;
    case WORKER_TELL: pool_tell(node->pool, action->job, action->cause); break;
    case WORKER_KILL: pool_kill(node->pool, action->job, action->cause); break;
    case WORKER_HUNG: log_hung(node, action); break;
    case WORKER_ASKED_TO_DRAIN:
        log_line(&node->log, TMESH_INFO, "an operator asks this worker to drain");
        begin_to_drain(node, action->grace_ms);
        break;
    case WORKER_REFUSED: log_refusal(node, action); break;
    case WORKER_OPENED:
        log_line(&node->log, TMESH_INFO, "ventilator=%s connected", endpoint);
        break;
    case WORKER_LOST: log_line(&node->log, TMESH_WARNING, "ventilator=%s lost", endpoint); break;
    }
}

static void perform(struct tmesh_worker *node)
{
    const struct worker_actions *actions = node->actions;
    struct pool_job jobs[JOBS_AT_ONCE];
    uint32_t count = 0;
    for (uint32_t at = 0; at < actions->count; at++) {
        const struct worker_action *action = &actions->actions[at];
        if (action->kind == WORKER_RUN) {
            jobs[count++] = (struct pool_job){
                .job = action->job, .fence = action->link, .assignment = action->assignment};
        } else {
            perform_one(node, action);
        }
        if (count == JOBS_AT_ONCE) {
            pool_submit(node->pool, jobs, count);
            count = 0;
        }
    }
    if (count > 0) pool_submit(node->pool, jobs, count);
}

static void step(struct tmesh_worker *node, const struct worker_event *event)
{
    worker_step(node->core, event, node->actions);
    perform(node);
}

static void turn_until_done(struct tmesh_worker *node, enum worker_event_kind kind, uint64_t now_ns)
{
    do {
        step(node, &(struct worker_event){.kind = kind, .now_ns = now_ns});
    } while (node->actions->more);
}

static void take_arrival(struct tmesh_worker *node, const struct arrival *arrival, uint64_t now_ns)
{
    struct worker_event event = {.now_ns = now_ns, .link = arrival->link};
    struct message message;
    switch (arrival->kind) {
    case ARRIVAL_NONE:
    case ARRIVAL_INTAKE_UP:
    case ARRIVAL_INTAKE_DOWN: return;
    case ARRIVAL_CONNECTED: event.kind = WORKER_CONNECTED; break;
    case ARRIVAL_CLOSED: event.kind = WORKER_CLOSED; break;
    case ARRIVAL_MESSAGE: {
        enum wire_error error = wire_decode(node->decoder, arrival->bytes, &message);
        event.kind = error == WIRE_OK ? WORKER_MESSAGE : WORKER_CLOSED;
        event.message = &message;
        if (error != WIRE_OK) {
            log_line(&node->log, TMESH_ERROR, "ventilator=%s sent what is no message: %s",
                     node->setup.endpoints.items[arrival->link], wire_error_text(error));
        }
        break;
    }
    }
    step(node, &event);
}

static void take_arrivals(struct tmesh_worker *node, uint64_t now_ns)
{
    for (uint32_t taken = 0; taken < TURN_ARRIVALS_MAX; taken++) {
        struct arrival arrival;
        dials_next(node->dials, &arrival);
        if (arrival.kind == ARRIVAL_NONE) return;
        take_arrival(node, &arrival, now_ns);
    }
}

/* What runs now, before anything is collected, and so before it can end. */
static void tell_starts(struct tmesh_worker *node, uint64_t now_ns)
{
    struct pool_started started[WORKER_SLOTS_MAX];
    uint32_t count = pool_started(node->pool, started);
    for (uint32_t at = 0; at < count; at++) {
        step(node, &(struct worker_event){.kind = WORKER_STARTED,
                                          .now_ns = now_ns,
                                          .job = started[at].job,
                                          .began_ns = started[at].began_ns});
    }
}

/* After the starts, so that no run tells of its progress before it began. */
static void tell_progress(struct tmesh_worker *node, uint64_t now_ns)
{
    struct pool_progress progress[WORKER_SLOTS_MAX];
    uint32_t count = pool_progress(node->pool, progress);
    for (uint32_t at = 0; at < count; at++) {
        step(node, &(struct worker_event){.kind = WORKER_PROGRESS,
                                          .now_ns = now_ns,
                                          .job = progress[at].job,
                                          .told_ns = progress[at].told_ns,
                                          .number = progress[at].number,
                                          .text = progress[at].text});
    }
}

static void set_fences(struct tmesh_worker *node)
{
    for (uint32_t link = 0; link < node->setup.endpoints.count; link++) {
        pool_fence(node->pool, link, worker_trusted_until(node->core, link));
    }
}

/* Returns whether more may be waiting in the pool. */
static bool take_finished(struct tmesh_worker *node, uint64_t now_ns)
{
    struct pool_done done[JOBS_AT_ONCE];
    for (uint32_t taken = 0; taken < TURN_DONE_MAX; taken += JOBS_AT_ONCE) {
        uint32_t count = pool_collect(node->pool, done, JOBS_AT_ONCE);
        for (uint32_t at = 0; at < count; at++) {
            step(node, &(struct worker_event){.kind = WORKER_FINISHED,
                                              .now_ns = now_ns,
                                              .job = done[at].job,
                                              .outcome = done[at].outcome,
                                              .retry_after_ms = done[at].retry_after_ms,
                                              .result = done[at].result,
                                              .text = done[at].text,
                                              .run_ns = done[at].run_ns});
        }
        if (count < JOBS_AT_ONCE) return false;
    }
    return true;
}

/* What did not begin goes back as such, and what did is told to end. */
static void stop(struct tmesh_worker *node, uint64_t now_ns)
{
    tell_starts(node, now_ns);
    while (take_finished(node, now_ns)) {
    }
    turn_until_done(node, WORKER_STOP, now_ns);
}

/* Without its nursery the worker can only give back what it was given. */
static void notice_loss(struct tmesh_worker *node)
{
    if (node->crippled || !pool_is_lost(node->pool)) return;
    node->crippled = true;
    begin_to_drain(node, UINT32_MAX);
}

static void heed_wishes(struct tmesh_worker *node, uint64_t now_ns)
{
    notice_loss(node);
    pthread_mutex_lock(&node->lock);
    enum wish wish = node->wish;
    pthread_mutex_unlock(&node->lock);
    if (wish >= WISH_DRAIN && node->done < WISH_DRAIN) {
        turn_until_done(node, WORKER_DRAIN, now_ns);
        pool_withdraw(node->pool);
    }
    if (wish == WISH_STOP) stop(node, now_ns);
    node->done = wish;
    struct worker_counts counts;
    worker_counts(node->core, &counts);
    counts.running = pool_running(node->pool);
    pthread_mutex_lock(&node->lock);
    bool asked = !node->counts_fresh;
    node->counts = counts;
    node->counts_fresh = node->wish == wish;
    if (asked || counts.held + counts.owed == 0) pthread_cond_broadcast(&node->changed);
    pthread_mutex_unlock(&node->lock);
}

static void *run(void *argument)
{
    struct tmesh_worker *node = argument;
    bool again = false; /* the pool had more than one turn takes */
    while (node->done != WISH_STOP) {
        uint64_t timeout_ns = again ? 0 : clock_left_ns(worker_deadline(node->core));
        dials_wait(node->dials, &node->waker, timeout_ns);
        uint64_t now_ns = clock_now_ns(); /* the only time this turn knows */
        take_arrivals(node, now_ns);
        tell_starts(node, now_ns);
        tell_progress(node, now_ns);
        again = take_finished(node, now_ns);
        turn_until_done(node, WORKER_TURN, now_ns);
        set_fences(node);
        heed_wishes(node, now_ns);
    }
    for (uint32_t link = 0; link < node->setup.endpoints.count; link++) {
        dials_shut(node->dials, link, FAREWELL_MS);
    }
    return NULL;
}

static void wake(void *context)
{
    waker_wake(&((struct tmesh_worker *)context)->waker);
}

static enum tmesh_err open_sockets(struct tmesh_worker *node, tmesh_error_t *error)
{
    node->context = net_context_new();
    if (node->context == NULL) {
        return failure(error, TMESH_E_SYSTEM, "no ZeroMQ context: too few descriptors or memory");
    }
    node->dials = dials_new(node->context, node->setup.endpoints.items, node->setup.endpoints.count,
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
                                        .log = node->log,
                                        .command_limits = node->setup.command_limits,
                                        .command_environment = options->command_environment});
    thread_unmask(&before);
    if (node->pool == NULL) {
        return failure(error, TMESH_E_SYSTEM,
                       "cannot start %" PRIu32 " slots: threads, processes or memory",
                       node->setup.core.slots);
    }
    if (thread_start(&node->thread, "tmesh-worker", run, node) != 0) {
        return failure(error, TMESH_E_SYSTEM, "cannot start the worker's thread");
    }
    node->started = true;
    return TMESH_OK;
}

tmesh_worker_t *tmesh_worker_new(const tmesh_worker_options_t *options, tmesh_error_t *error)
{
    struct tmesh_worker *node = calloc(1, sizeof *node);
    if (node == NULL || pthread_mutex_init(&node->lock, NULL) != 0 ||
        thread_condition_init(&node->changed) != 0) {
        failure(error, TMESH_E_SYSTEM, "out of memory");
        free(node);
        return NULL;
    }
    node->waker.fd = node->asked.fd = -1;
    node->log = (struct log){
        .write = options->log, .context = options->log_context, .least = options->log_level};
    if (worker_setup_read(&node->setup, options, error) != TMESH_OK ||
        spin_read(options->spin_us, &node->spin_ns, error) != TMESH_OK ||
        open_sockets(node, error) != TMESH_OK || build_core(node, error) != TMESH_OK ||
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
    return worker->asked.fd;
}

bool tmesh_worker_asked_to_drain(tmesh_worker_t *worker, uint32_t *grace_ms)
{
    pthread_mutex_lock(&worker->lock);
    bool asked = worker->asked_to_drain;
    if (asked && grace_ms != NULL) *grace_ms = worker->grace_ms;
    pthread_mutex_unlock(&worker->lock);
    return asked;
}

enum tmesh_err tmesh_worker_drain(tmesh_worker_t *worker, uint32_t timeout_ms)
{
    uint64_t until_ns = clock_now_ns() + timeout_ms * MILLISECOND;
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
    if (node->started) {
        wish_for(node, WISH_STOP);
        pthread_join(node->thread, NULL);
    }
    pool_destroy(&node->pool); /* before the memory that its jobs point into */
    dials_destroy(&node->dials);
    net_context_destroy(&node->context);
    waker_close(&node->waker);
    waker_close(&node->asked);
    decoder_destroy(&node->decoder);
    encoder_destroy(&node->encoder);
    free(node->actions);
    block_release(&node->block);
    worker_setup_clear(&node->setup);
    pthread_cond_destroy(&node->changed);
    pthread_mutex_destroy(&node->lock);
    free(node);
    *worker = NULL;
}
