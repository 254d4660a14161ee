/* producer_errand.c - the way of a question or an order to all ventilators and back.
 *
 * Owns: who waits for what, and for how long.  Not here: what is asked and how it is
 * reported (errand.h), what each public function promises (producer_dead.c,
 * producer_cancel.c, producer_drain.c).
 */
#include "../watch/clock.h"
#include "../watch/thread.h"
#include "producer_node.h"

static void say(struct tmesh_producer *producer, uint32_t link,
                const struct errand_question *question, uint64_t now_ns)
{
    struct producer_event event = {.kind = PRODUCER_QUERY,
                                   .now_ns = now_ns,
                                   .link = link,
                                   .query = question->query,
                                   .dispose = &question->dispose,
                                   .drain = &question->drain};
    if (question->kind == MESSAGE_DISPOSE) event.kind = PRODUCER_DISPOSE;
    if (question->kind == MESSAGE_DRAIN) event.kind = PRODUCER_DRAIN;
    ++*producer_unanswered(producer, link, event.kind);
    producer_step_and_perform(producer, &event);
}

void producer_pursue_errand(struct tmesh_producer *producer, uint64_t now_ns)
{
    struct exchange *exchange = &producer->exchange;
    struct errand_question question;
    producer_pursue_cancel(producer, now_ns);
    for (uint32_t link = 0; link < producer->endpoints.count; link++) {
        if (!producer->open[link]) continue;
        pthread_mutex_lock(&exchange->lock);
        bool over = !exchange->errand.busy;
        bool ask = errand_ask(&exchange->errand, link, producer->minors[link], &question);
        if (!over && errand_is_complete(&exchange->errand))
            pthread_cond_broadcast(&exchange->changed);
        pthread_mutex_unlock(&exchange->lock);
        if (over) return;
        if (ask) say(producer, link, &question, now_ns);
    }
}

/* What is to be done here takes no time to speak of, and is done in any case. */
static bool is_waited_for(const struct errand *errand)
{
    bool tried = !errand->held || errand->tried_ids == errand->order.choice.id_count;
    return !errand_is_complete(errand) && !(errand->late && tried);
}

/* Asks and waits for the answers, with the lock held. */
static enum tmesh_err run(struct tmesh_producer *producer, const struct errand_order *order,
                          uint64_t until_ns, struct errand *ended)
{
    struct exchange *exchange = &producer->exchange;
    const struct endpoints *endpoints = &producer->endpoints;
    if (!errand_begin(&exchange->errand, order, endpoints->items, endpoints->count))
        return TMESH_E_SYSTEM;
    exchange->errand_staged = exchange->staged;
    exchange->asked = true;
    waker_wake(&exchange->waker);
    while (is_waited_for(&exchange->errand) && !exchange->stop) {
        bool late = exchange->errand.late;
        if (late)
            pthread_cond_wait(&exchange->changed, &exchange->lock);
        else
            late = thread_wait_until(&exchange->changed, &exchange->lock, until_ns) != 0;
        if (late && !exchange->errand.late) waker_wake(&exchange->waker);
        exchange->errand.late = late;
    }
    enum tmesh_err result = errand_end(&exchange->errand, ended);
    exchange->asked = false;
    pthread_cond_broadcast(&exchange->changed);
    return result;
}

/* Nobody was asked: the turn did not come in time. */
static enum tmesh_err give_up(struct tmesh_producer *producer, const struct errand_order *order,
                              struct errand *ended)
{
    struct errand silence = {.busy = false};
    const struct endpoints *endpoints = &producer->endpoints;
    if (!errand_begin(&silence, order, endpoints->items, endpoints->count)) return TMESH_E_SYSTEM;
    return errand_end(&silence, ended);
}

enum tmesh_err producer_send_errand(struct tmesh_producer *producer,
                                    const struct errand_order *order, uint32_t timeout_ms,
                                    struct errand *ended)
{
    uint64_t until_ns = clock_now_ns() + timeout_ms * MILLISECOND;
    if (identity_is_inherited(producer->process)) return TMESH_E_CLOSED;
    pthread_mutex_lock(&producer->exchange.lock);
    bool mine = producer_await_turn(producer, until_ns);
    enum tmesh_err result = producer->exchange.stop ? TMESH_E_CLOSED
                            : mine                  ? run(producer, order, until_ns, ended)
                                                    : give_up(producer, order, ended);
    pthread_mutex_unlock(&producer->exchange.lock);
    return result;
}
