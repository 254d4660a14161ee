/* producer_cancel.c - tasks that are not to run any more.
 *
 * Owns: the producer's own part of a cancel.  Every task of it is first looked for
 * here, and taken from the spool; only when it is known where each of them is, and
 * the disk has heard of it, are the ventilators asked.  So a task that was on its way
 * to one is found there, and what they answer is the whole truth.
 */
#include "producer_node.h"
#include "spool.h"

enum { IDS_EACH_LOCK = 256, IDS_EACH_TURN = 8192 };

/* Some ids of the errand, copied, since whoever asks may stop waiting. */
struct chunk {
    uint32_t serial;
    size_t first, count;
    struct id ids[IDS_EACH_LOCK];
    enum producer_hold holds[IDS_EACH_LOCK];
};

/* False: there are no ids to be looked for. */
static bool take_chunk(struct tmesh_producer *producer, struct chunk *chunk)
{
    const struct errand *errand = &producer->exchange.errand;
    pthread_mutex_lock(&producer->exchange.lock);
    bool held = errand->busy && errand->held;
    size_t left = held ? errand->order.choice.id_count - errand->tried_ids : 0;
    bool stuck = producer->core_is_full && errand->late;
    bool early = producer->taken < producer->exchange.errand_staged && !stuck;
    chunk->serial = errand->serial;
    chunk->first = errand->tried_ids;
    chunk->count = early ? 0 : left < IDS_EACH_LOCK ? left : IDS_EACH_LOCK;
    if (chunk->count > 0) {
        memcpy(chunk->ids, errand->order.choice.ids + chunk->first,
               chunk->count * sizeof chunk->ids[0]);
    }
    pthread_mutex_unlock(&producer->exchange.lock);
    return chunk->count > 0;
}

static void note_chunk(struct tmesh_producer *producer, const struct chunk *chunk)
{
    struct errand *errand = &producer->exchange.errand;
    pthread_mutex_lock(&producer->exchange.lock);
    if (errand->busy && errand->serial == chunk->serial) {
        for (size_t at = 0; at < chunk->count; at++) {
            errand->tasks[chunk->first + at].hold = (uint8_t)chunk->holds[at];
        }
        errand->tried_ids += chunk->count;
    }
    pthread_mutex_unlock(&producer->exchange.lock);
}

/* A task of an earlier run that has no ticket yet: whoever left it may have handed it over. */
static void drop_waiting(struct tmesh_producer *producer, const struct spooled *task)
{
    struct exchange *exchange = &producer->exchange;
    uint32_t bytes = task->submission.payload.size;
    producer_tell_cancelled(producer, task);
    pthread_mutex_lock(&exchange->lock);
    exchange->outbox--;
    exchange->outbox_bytes -= bytes;
    exchange->kept_bytes -= bytes;
    pthread_mutex_unlock(&exchange->lock);
}

/* From the spool it goes at once: it is not to be found by a later run, whatever
 * becomes of it in this one. */
static enum producer_hold cancel_here(struct tmesh_producer *producer, const struct id *id,
                                      uint64_t now_ns)
{
    struct spooled waiting;
    producer_step_and_perform(
        producer, &(struct producer_event){.kind = PRODUCER_CANCEL, .now_ns = now_ns, .id = id});
    enum producer_hold hold = producer->actions->hold;
    if (producer->spool == NULL || !spool_knows(producer->spool, id)) return hold;
    if (spool_find_waiting(producer->spool, id, &waiting)) {
        drop_waiting(producer, &waiting);
        hold = PRODUCER_HOLDS_PERHAPS;
    }
    spool_settle(producer->spool, id);
    return hold;
}

static void release(struct tmesh_producer *producer)
{
    struct exchange *exchange = &producer->exchange;
    struct producer_counts counts;
    struct scribe_view view;
    producer_counts(producer->core, &counts);
    if (producer->spool != NULL) spool_look(producer->spool, &view);
    bool safe =
        producer->spool == NULL || view.durable >= producer->cancel_lsn || view.error != JOURNAL_OK;
    pthread_mutex_lock(&exchange->lock);
    bool tried = exchange->errand.tried_ids == exchange->errand.order.choice.id_count;
    if (tried && counts.doomed == 0 && safe) exchange->errand.held = false;
    pthread_cond_broadcast(&exchange->changed);
    pthread_mutex_unlock(&exchange->lock);
}

void producer_pursue_cancel(struct tmesh_producer *producer, uint64_t now_ns)
{
    struct chunk chunk;
    size_t tried = 0;
    pthread_mutex_lock(&producer->exchange.lock);
    bool held = producer->exchange.errand.busy && producer->exchange.errand.held;
    pthread_mutex_unlock(&producer->exchange.lock);
    if (!held) return;
    while (tried < IDS_EACH_TURN && take_chunk(producer, &chunk)) {
        for (size_t at = 0; at < chunk.count; at++) {
            chunk.holds[at] = cancel_here(producer, &chunk.ids[at], now_ns);
        }
        note_chunk(producer, &chunk);
        tried += chunk.count;
        if (producer->spool != NULL) producer->cancel_lsn = spool_last(producer->spool);
    }
    if (tried >= IDS_EACH_TURN) waker_wake(&producer->exchange.waker); /* for the rest */
    release(producer);
}

static enum tmesh_err send(struct tmesh_producer *producer, const struct errand_order *order,
                           uint32_t timeout_ms, tmesh_cancel_t **cancel)
{
    struct errand ended;
    enum tmesh_err result = producer_send_errand(producer, order, timeout_ms, &ended);
    if (result != TMESH_OK && result != TMESH_E_TIMEOUT) return result;
    *cancel = errand_report_cancel(&ended);
    return *cancel != NULL ? result : TMESH_E_SYSTEM;
}

enum tmesh_err tmesh_producer_cancel(tmesh_producer_t *producer, const tmesh_id_t *ids,
                                     size_t id_count, uint32_t timeout_ms, tmesh_cancel_t **cancel)
{
    const struct errand_order order = {.kind = ERRAND_CANCEL,
                                       .choice = {.ids = ids, .id_count = id_count}};
    *cancel = NULL;
    if (ids == NULL || id_count == 0 || id_count > TMESH_CANCEL_IDS_MAX) return TMESH_E_INVALID;
    return send(producer, &order, timeout_ms, cancel);
}

enum tmesh_err tmesh_producer_cancel_all(tmesh_producer_t *producer, const char *queue,
                                         const char *name, uint32_t timeout_ms,
                                         tmesh_cancel_t **cancel)
{
    const struct errand_order order = {.kind = ERRAND_CANCEL,
                                       .choice = {.all = true, .queue = queue, .name = name}};
    *cancel = NULL;
    if (queue != NULL && !tmesh_name_is_valid(queue)) return TMESH_E_INVALID;
    if (name != NULL && !tmesh_name_is_valid(name)) return TMESH_E_INVALID;
    return send(producer, &order, timeout_ms, cancel);
}
