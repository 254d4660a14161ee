/* worker_loop.c - a worker's turn: sockets, pool and clock around the core. */
#include "../net/dials.h"
#include "../pool/pool.h"
#include "../watch/clock.h"
#include "../wire/codec.h"
#include "failure.h"
#include "worker_node.h"

#include <inttypes.h>

enum {
    TURN_ARRIVALS_MAX = 256,
    TURN_DONE_MAX = 1024, /* runs taken from the pool in one turn: see TURN_TASKS_MAX in
                             ventilator_loop.c */
    JOBS_AT_ONCE = 256,
    DONE_AT_ONCE = 256,
    FAREWELL_MS = 200 /* for BYE to leave */
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
    uint32_t slot = pool_slot_of(node->pool, action->job);
    if (slot == POOL_NO_SLOT) { /* its end is on its way here */
        log_task_line(&node->log, &subject, TMESH_WARNING, "ended late (%.*s)", (int)cause.size,
                      (const char *)cause.data);
        return;
    }
    log_task_line(&node->log, &subject, TMESH_ERROR,
                  "cannot be ended (%.*s): it hangs in slot %" PRIu32
                  ", which is lost until it returns",
                  (int)cause.size, (const char *)cause.data, slot);
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
    struct pool_order orders[JOBS_AT_ONCE];
    uint32_t count = 0;
    for (uint32_t at = 0; at < actions->count; at++) {
        const struct worker_action *action = &actions->actions[at];
        if (action->kind == WORKER_RUN) {
            orders[count++] = (struct pool_order){
                .job = action->job, .fence = action->link, .assignment = &action->assignment};
        } else {
            perform_one(node, action);
        }
        if (count == JOBS_AT_ONCE) {
            pool_submit(node->pool, orders, count);
            count = 0;
        }
        node->supplied = node->supplied || action->kind == WORKER_RUN;
    }
    if (count > 0) pool_submit(node->pool, orders, count);
}

/* Memory in which the core kept what it was told: of a message, or of a run's result. */
static void keep(struct tmesh_worker *node, const struct worker_event *event)
{
    if (event->kind == WORKER_FINISHED)
        dials_keep_block(node->dials, (void *)event->memory.data);
    else
        dials_keep(node->dials);
}

static void step(struct tmesh_worker *node, const struct worker_event *event)
{
    worker_step(node->core, event, node->actions);
    perform(node);
    if (node->actions->borrowed) keep(node, event);
    for (struct parcel *parcel; (parcel = worker_returned(node->core)) != NULL;) {
        dials_return(node->dials, parcel);
    }
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
    case ARRIVAL_HOST_UNKNOWN:
    case ARRIVAL_HOST_KNOWN:
        endpoints_log_host(&node->log, &node->setup.endpoints, arrival);
        return;
    case ARRIVAL_CONNECTED: event.kind = WORKER_CONNECTED; break;
    case ARRIVAL_CLOSED: event.kind = WORKER_CLOSED; break;
    case ARRIVAL_MESSAGE: {
        enum wire_error error = wire_decode(node->decoder, arrival->bytes, &message);
        event.kind = error == WIRE_OK ? WORKER_MESSAGE : WORKER_CLOSED;
        event.message = &message;
        event.memory = arrival->bytes;
        event.lender = error == WIRE_OK ? arrival->parcel : NULL;
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

/* What was heard makes them later, so what came with it may begin. */
static void set_fences(struct tmesh_worker *node)
{
    for (uint32_t link = 0; link < node->setup.endpoints.count; link++) {
        pool_fence(node->pool, link, worker_trusted_until(node->core, link));
    }
}

/* Returns whether more may be waiting in the pool. */
static bool take_finished(struct tmesh_worker *node, uint64_t now_ns)
{
    struct finished done[DONE_AT_ONCE];
    struct worker_event event = {.kind = WORKER_FINISHED, .now_ns = now_ns, .finished = done};
    uint32_t taken = 0, count;
    bool brisk = true, more;
    do {
        count = pool_collect(node->pool, now_ns, done, DONE_AT_ONCE);
        for (uint32_t at = 0; at < count; at++) brisk = brisk && done[at].run_ns < POOL_BRISK_NS;
        event.finished_count = count;
        event.memory = pool_block(node->pool);
        event.lender = event.memory.data != NULL ? dials_parcel(node->dials) : NULL;
        if (count > 0) step(node, &event);
        if (event.lender != NULL && node->actions->borrowed) pool_keep(node->pool);
        taken += count;
        more = count == DONE_AT_ONCE || pool_has_more(node->pool);
    } while (more && taken < TURN_DONE_MAX);
    node->lone = brisk && taken > 0 && taken <= POOL_LONE_MAX;
    node->loan_runs += taken;
    return more;
}

/* What did not begin goes back as such, and what did is told to end. */
static void stop(struct tmesh_worker *node, uint64_t now_ns)
{
    tell_starts(node, now_ns);
    pool_fetch(node->pool);
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
    enum wish wish = atomic_load(&node->wish);
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

bool worker_receive(struct tmesh_worker *node)
{
    dials_wait(node->dials, &node->waker, node->again ? 0 : worker_deadline(node->core));
    node->supplied = false;
    take_arrivals(node, clock_now_ns());
    if (node->supplied) set_fences(node);
    return node->supplied;
}

void worker_turn(struct tmesh_worker *node)
{
    uint64_t now_ns = clock_now_ns(); /* the only time this turn knows */
    tell_starts(node, now_ns);
    tell_progress(node, now_ns);
    node->again = take_finished(node, now_ns);
    turn_until_done(node, WORKER_TURN, now_ns);
    set_fences(node);
    heed_wishes(node, now_ns);
}

void worker_shut(struct tmesh_worker *node)
{
    for (uint32_t link = 0; link < node->setup.endpoints.count; link++) {
        dials_shut(node->dials, link, FAREWELL_MS);
    }
}
