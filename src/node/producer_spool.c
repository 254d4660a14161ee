/* producer_spool.c - the way of submissions over the disk.
 *
 *   staged --written--> spooling --on disk--> taking --> core
 *                                               ^
 *   found at the start, waiting ----------------+
 *
 * A task enters the core when it is safe, so that a disk that fails has nothing to
 * take back; all that was staged meanwhile shares the next sync.  When its record
 * on disk says too much, after a crash, the task is submitted again under its id.
 *
 * The node id is new at every start, with a spool too: a ventilator then keeps
 * the results of the last run until their tasks are submitted again, instead of
 * sending them to a producer that has not taken these tasks from disk yet.
 */
#include "../watch/clock.h"
#include "../watch/thread.h"
#include "failure.h"
#include "producer_node.h"
#include "spool.h"

#include <inttypes.h>

enum { RECOVERED_EACH_TURN = 8192, MOVED_BYTES_EACH_TURN = 1024 * 1024 };

static const uint64_t SPOOL_BYTES_DEFAULT = UINT64_C(1) << 30;
static const uint64_t SPOOL_BYTES_MAX = UINT64_C(32) << 30;

/* ---- Opening ---- */

static void take_news(void *context)
{
    const struct tmesh_producer *producer = context;
    waker_wake(&producer->exchange.waker);
}

/* What was found counts as the outbox from the first moment on. */
static void note_found(struct tmesh_producer *producer, const char *directory)
{
    struct spool_counts counts;
    spool_counts(producer->spool, &counts);
    producer->exchange.outbox += counts.waiting;
    producer->exchange.outbox_bytes += counts.waiting_bytes;
    producer->exchange.kept_bytes += counts.waiting_bytes;
    producer->exchange.recovered = producer->exchange.spooled = counts.tasks;
    producer->exchange.waiting = counts.waiting;
    if (counts.tasks > 0) {
        log_line(&producer->log, TMESH_INFO, "spool=%s holds %" PRIu32 " tasks of an earlier run",
                 directory, counts.tasks);
    }
    if (counts.torn_bytes > 0) {
        log_line(&producer->log, TMESH_WARNING,
                 "spool=%s: cut off %" PRIu64 " bytes that were being written when it was left",
                 directory, counts.torn_bytes);
    }
}

enum tmesh_err producer_open_spool(struct tmesh_producer *producer,
                                   const tmesh_producer_options_t *options, tmesh_error_t *error)
{
    struct spool_options of_spool = {.directory = options->spool,
                                     .bytes_max = options->spool_bytes_max,
                                     .tasks_max = producer->options.tasks_max,
                                     .news = take_news,
                                     .context = producer};
    if (options->spool == NULL) return TMESH_OK;
    if (options->spool[0] == '\0') {
        return failure(error, TMESH_E_INVALID, "spool is empty: it has to name a directory");
    }
    if (options->spool_sync != TMESH_SPOOL_EACH && options->spool_sync != TMESH_SPOOL_LATER) {
        return failure(error, TMESH_E_INVALID,
                       "spool_sync %d is neither TMESH_SPOOL_EACH nor _LATER",
                       (int)options->spool_sync);
    }
    if (of_spool.bytes_max == 0) of_spool.bytes_max = SPOOL_BYTES_DEFAULT;
    if (of_spool.bytes_max < SPOOL_BYTES_MIN || of_spool.bytes_max > SPOOL_BYTES_MAX) {
        return failure(error, TMESH_E_INVALID, "spool_bytes_max may be 64 MiB to 32 GiB");
    }
    tmesh_error_t own; /* a code is needed, whether the story is wanted or not */
    producer->spool = spool_open(&of_spool, &own);
    if (producer->spool == NULL) return failure(error, own.code, "%s", own.text);
    producer->has_spool = true;
    producer->spool_sync = options->spool_sync;
    note_found(producer, options->spool);
    return TMESH_OK;
}

/* ---- A disk that fails ---- */

/* Nobody was told that these were taken, and nobody will be. */
static void drop(struct tmesh_producer *producer, struct stage *stage)
{
    struct submission submission;
    uint32_t number, dropped = 0;
    for (; stage_next(stage, &submission, &number); stage_pass(stage), dropped++) {
        const struct ticket *ticket = &producer->exchange.tickets.tickets[number];
        if (ticket->deliver == TMESH_DELIVER_WAIT) {
            pthread_mutex_lock(&producer->exchange.lock);
            waits_forget(&producer->exchange.waits, &ticket->id);
            pthread_mutex_unlock(&producer->exchange.lock);
        }
        producer_settle(producer, number);
    }
    stage_reset(stage);
    producer->taken += dropped;
    pthread_mutex_lock(&producer->exchange.lock);
    producer->exchange.submitted -= dropped;
    pthread_mutex_unlock(&producer->exchange.lock);
}

/* From here on nothing is taken.  What was said to be taken goes on its way, and
 * what still waits on disk is found by the next run. */
static void fail(struct tmesh_producer *producer, const char *why)
{
    struct spool_counts counts;
    struct stage staged;
    spool_counts(producer->spool, &counts);
    log_line(&producer->log, TMESH_ERROR,
             "the spool failed: %s; no more tasks are taken, and %" PRIu32
             " wait on disk for the next start",
             why, counts.waiting);
    spool_close(&producer->spool);
    pthread_mutex_lock(&producer->exchange.lock);
    producer->exchange.spool_failed = true;
    producer->exchange.waiting = 0;
    producer->exchange.outbox -= counts.waiting;
    producer->exchange.outbox_bytes -= counts.waiting_bytes;
    producer->exchange.kept_bytes -= counts.waiting_bytes;
    staged = producer->exchange.stage;
    producer->exchange.stage = (struct stage){0};
    pthread_cond_broadcast(&producer->exchange.changed);
    pthread_mutex_unlock(&producer->exchange.lock);
    if (producer->spool_sync == TMESH_SPOOL_EACH) {
        drop(producer, &producer->spooling);
        drop(producer, &staged);
    } else if (!stage_join(&producer->taking, &producer->spooling) ||
               !stage_join(&producer->taking, &staged)) {
        log_line(&producer->log, TMESH_ERROR, "out of memory: submissions are lost");
    }
    stage_clear(&staged);
}

/* ---- From the stage to the disk, and on ---- */

/* A task whose id is in the spool is not written: it is not the one that will run. */
static bool write_all(struct tmesh_producer *producer, struct stage *stage)
{
    struct spooled task;
    for (; stage_next(stage, &task.submission, &task.ticket); stage_skip(stage)) {
        const struct ticket *ticket = &producer->exchange.tickets.tickets[task.ticket];
        task.deliver = ticket->deliver;
        task.report_accepted = ticket->report_accepted;
        if (spool_knows(producer->spool, &task.submission.id)) continue;
        if (!spool_put(producer->spool, &task)) return false;
    }
    stage_rewind(stage);
    producer->spooling_lsn = spool_last(producer->spool);
    return true;
}

void producer_spool_staged(struct tmesh_producer *producer)
{
    struct exchange *exchange = &producer->exchange;
    struct scribe_view view;
    spool_look(producer->spool, &view);
    if (view.error != JOURNAL_OK) {
        fail(producer, view.fault.text);
        return;
    }
    bool safe = !stage_is_empty(&producer->spooling) && view.durable >= producer->spooling_lsn &&
                stage_join(&producer->taking, &producer->spooling);
    pthread_mutex_lock(&exchange->lock);
    if (safe) {
        exchange->safe = producer->spooling_number;
        exchange->unsafe_bytes -= producer->spooling_bytes;
    }
    if (safe || exchange->spool_full != view.full) pthread_cond_broadcast(&exchange->changed);
    exchange->spool_full = view.full;
    producer->spool_behind = view.behind;
    bool swap =
        stage_is_empty(&producer->spooling) && !view.behind && !stage_is_empty(&exchange->stage);
    if (swap) {
        struct stage swapped = exchange->stage;
        exchange->stage = producer->spooling;
        producer->spooling = swapped;
        producer->spooling_number = exchange->staged;
        producer->spooling_bytes = exchange->unsafe_bytes;
    }
    pthread_mutex_unlock(&exchange->lock);
    if (swap && !write_all(producer, &producer->spooling)) {
        stage_rewind(&producer->spooling);
        fail(producer, "out of memory");
    }
}

void producer_unspool(struct tmesh_producer *producer, uint32_t number)
{
    struct id id;
    if (producer->spool == NULL) return;
    memcpy(id.octets, producer->exchange.tickets.tickets[number].id.octets, sizeof id.octets);
    if (spool_holds(producer->spool, &id, number)) spool_settle(producer->spool, &id);
}

/* Writes old tasks again that keep the disk from being used again. */
static void move_old(struct tmesh_producer *producer)
{
    struct id id;
    struct spooled task;
    uint32_t moved = 0;
    while (moved < MOVED_BYTES_EACH_TURN && spool_is_pinned(producer->spool, &id, &task.ticket)) {
        if (task.ticket == TICKET_NONE) {
            if (!spool_find_waiting(producer->spool, &id, &task)) return;
        } else {
            const struct ticket *ticket = &producer->exchange.tickets.tickets[task.ticket];
            task.deliver = ticket->deliver;
            task.report_accepted = ticket->report_accepted;
            /* If it is not in the core it is on its way there, and young. */
            if (!producer_task(producer->core, &id, &task.submission)) return;
        }
        if (!spool_move(producer->spool, &task)) return;
        moved += task.submission.payload.size + MESSAGE_NAME_BYTES_MAX;
    }
}

void producer_push_spool(struct tmesh_producer *producer)
{
    struct spool_counts counts;
    if (producer->spool == NULL) return;
    move_old(producer);
    spool_push(producer->spool);
    spool_counts(producer->spool, &counts);
    pthread_mutex_lock(&producer->exchange.lock);
    producer->exchange.spooled = counts.tasks;
    producer->exchange.waiting = counts.waiting;
    pthread_mutex_unlock(&producer->exchange.lock);
}

void producer_finish_spool(struct tmesh_producer *producer)
{
    struct exchange *exchange = &producer->exchange;
    struct journal_fault fault = {0};
    struct stage rest;
    if (producer->spool == NULL) return;
    pthread_mutex_lock(&exchange->lock);
    rest = exchange->stage; /* it was closed: nobody adds to it */
    exchange->stage = (struct stage){0};
    producer->spooling_number = exchange->staged;
    pthread_mutex_unlock(&exchange->lock);
    bool written = write_all(producer, &rest);
    stage_rewind(&rest);
    if (!stage_join(&producer->spooling, &rest)) written = false;
    stage_clear(&rest);
    if (!written || spool_flush(producer->spool, &fault) != JOURNAL_OK) {
        fail(producer, written ? fault.text : "out of memory");
        return;
    }
    struct spool_counts counts;
    spool_counts(producer->spool, &counts);
    pthread_mutex_lock(&exchange->lock);
    exchange->safe = producer->spooling_number;
    exchange->outbox -= counts.waiting;
    exchange->outbox_bytes -= counts.waiting_bytes;
    exchange->kept_bytes -= counts.waiting_bytes;
    exchange->spooled = counts.tasks;
    exchange->given_up = counts.waiting;
    exchange->waiting = 0;
    pthread_cond_broadcast(&exchange->changed);
    pthread_mutex_unlock(&exchange->lock);
    spool_close(&producer->spool);
}

/* ---- Tasks of an earlier run ---- */

/* A ticket for a task that nobody here submitted. */
static uint32_t draw_ticket(struct tmesh_producer *producer, const struct spooled *task)
{
    struct exchange *exchange = &producer->exchange;
    struct ticket ticket = {.bytes = task->submission.payload.size,
                            .state = TICKET_OUTBOX,
                            .deliver = task->deliver,
                            .report_accepted = task->report_accepted};
    memcpy(ticket.id.octets, task->submission.id.octets, sizeof ticket.id.octets);
    pthread_mutex_lock(&exchange->lock);
    uint32_t number = tickets_draw(&exchange->tickets);
    if (number != TICKET_NONE) exchange->tickets.tickets[number] = ticket;
    if (number != TICKET_NONE && task->deliver == TMESH_DELIVER_WAIT) {
        (void)waits_expect(&exchange->waits, &ticket.id);
    }
    pthread_mutex_unlock(&exchange->lock);
    return number;
}

static void return_ticket(struct tmesh_producer *producer, uint32_t number)
{
    pthread_mutex_lock(&producer->exchange.lock);
    tickets_return_one(&producer->exchange.tickets, number);
    pthread_mutex_unlock(&producer->exchange.lock);
}

bool producer_recover(struct tmesh_producer *producer, uint64_t now_ns)
{
    struct spooled task;
    if (producer->spool == NULL) return false;
    for (uint32_t left = RECOVERED_EACH_TURN; spool_first_waiting(producer->spool, &task); left--) {
        if (left == 0) return true;
        struct submission *submission = &task.submission;
        bool wanted = task.deliver != TMESH_DELIVER_NONE;
        submission->flags &= ~(uint32_t)SUBMISSION_WANTS_RESULT; /* its guard may have set it */
        submission->flags |= wanted ? SUBMISSION_WANTS_RESULT : 0;
        uint32_t number = draw_ticket(producer, &task);
        if (number == TICKET_NONE) return producer->settled_count > 0;
        const struct producer_event event = {
            .kind = PRODUCER_SUBMIT, .now_ns = now_ns, .submission = submission, .ticket = number};
        producer_step(producer->core, &event, producer->actions);
        if (producer->actions->full) {
            return_ticket(producer, number);
            return false; /* an answer makes room, and comes first */
        }
        assert(
            !producer->actions->duplicate); /* a new task of this id would be known to the spool */
        spool_hand_out(producer->spool, &submission->id, number);
    }
    return false;
}

/* ---- Whoever waits for the disk ---- */

enum tmesh_err producer_await_disk(struct tmesh_producer *producer, uint64_t number,
                                   uint64_t until_ns)
{
    struct exchange *exchange = &producer->exchange;
    while (exchange->safe < number && !exchange->spool_failed) {
        int late = thread_wait_until(&exchange->changed, &exchange->lock, until_ns);
        if (late != 0) break;
    }
    if (exchange->safe >= number) return TMESH_OK;
    return exchange->spool_failed ? TMESH_E_JOURNAL : TMESH_E_TIMEOUT;
}

enum tmesh_err tmesh_producer_spool_flush(tmesh_producer_t *producer, uint32_t timeout_ms)
{
    uint64_t until_ns = clock_now_ns() + timeout_ms * MILLISECOND;
    if (!producer->has_spool) return TMESH_E_INVALID;
    if (identity_is_inherited(producer->process)) return TMESH_E_CLOSED;
    pthread_mutex_lock(&producer->exchange.lock);
    enum tmesh_err result = producer_await_disk(producer, producer->exchange.staged, until_ns);
    pthread_mutex_unlock(&producer->exchange.lock);
    return result;
}
