/* producer_dead.c - questions and orders about dead letters. */
#include "../watch/clock.h"
#include "../watch/thread.h"
#include "producer_node.h"

void producer_pursue_errand(struct tmesh_producer *producer, uint64_t now_ns)
{
    struct exchange *exchange = &producer->exchange;
    struct errand_question question;
    for (uint32_t link = 0; link < producer->endpoints.count; link++) {
        if (!producer->open[link]) continue;
        pthread_mutex_lock(&exchange->lock);
        bool over = !exchange->errand.busy;
        bool ask = errand_ask(&exchange->errand, link, producer->minors[link], &question);
        if (!over && errand_is_complete(&exchange->errand))
            pthread_cond_broadcast(&exchange->changed);
        pthread_mutex_unlock(&exchange->lock);
        if (over) return;
        if (!ask) continue;
        struct producer_event event = {.now_ns = now_ns, .link = link};
        bool query = question.kind == MESSAGE_QUERY;
        event.kind = query ? PRODUCER_QUERY : PRODUCER_DISPOSE;
        event.query = question.query;
        event.dispose = &question.dispose;
        if (query)
            producer->unanswered[link].queries++;
        else
            producer->unanswered[link].disposals++;
        producer_step_and_perform(producer, &event);
    }
}

static bool name_is_right(const char *name)
{
    return name == NULL || tmesh_name_is_valid(name);
}

static bool choice_is_right(enum errand_kind kind, const tmesh_dead_choice_t *choice)
{
    if (choice->all) {
        return kind != ERRAND_SHOW && choice->id_count == 0 && name_is_right(choice->queue) &&
               name_is_right(choice->name);
    }
    return kind != ERRAND_LIST && choice->ids != NULL && choice->id_count > 0 &&
           choice->id_count <= TMESH_DEAD_IDS_MAX && choice->queue == NULL && choice->name == NULL;
}

/* Asks and waits for the answers, with the lock held. */
static enum tmesh_err run(struct tmesh_producer *producer, enum errand_kind kind,
                          const tmesh_dead_choice_t *choice, uint64_t until_ns, tmesh_dead_t **dead)
{
    struct exchange *exchange = &producer->exchange;
    const struct endpoints *endpoints = &producer->endpoints;
    if (!errand_begin(&exchange->errand, kind, choice, endpoints->items, endpoints->count))
        return TMESH_E_SYSTEM;
    waker_wake(&exchange->waker);
    while (!errand_is_complete(&exchange->errand) && !exchange->stop &&
           thread_wait_until(&exchange->changed, &exchange->lock, until_ns) == 0) {
    }
    enum tmesh_err result = errand_end(&exchange->errand, dead);
    pthread_cond_broadcast(&exchange->changed);
    return result;
}

/* Nobody was asked: the turn did not come in time. */
static enum tmesh_err give_up(struct tmesh_producer *producer, enum errand_kind kind,
                              const tmesh_dead_choice_t *choice, tmesh_dead_t **dead)
{
    struct errand silence;
    const struct endpoints *endpoints = &producer->endpoints;
    if (!errand_begin(&silence, kind, choice, endpoints->items, endpoints->count))
        return TMESH_E_SYSTEM;
    return errand_end(&silence, dead);
}

static enum tmesh_err send_errand(struct tmesh_producer *producer, enum errand_kind kind,
                                  const tmesh_dead_choice_t *choice, uint32_t timeout_ms,
                                  tmesh_dead_t **dead)
{
    uint64_t until_ns = clock_now_ns() + timeout_ms * MILLISECOND;
    *dead = NULL;
    if (!choice_is_right(kind, choice)) return TMESH_E_INVALID;
    pthread_mutex_lock(&producer->exchange.lock);
    bool mine = producer_await_turn(producer, until_ns);
    enum tmesh_err result = producer->exchange.stop ? TMESH_E_CLOSED
                            : mine                  ? run(producer, kind, choice, until_ns, dead)
                                                    : give_up(producer, kind, choice, dead);
    pthread_mutex_unlock(&producer->exchange.lock);
    return result;
}

enum tmesh_err tmesh_producer_dead_list(tmesh_producer_t *producer,
                                        const tmesh_dead_choice_t *choice, uint32_t timeout_ms,
                                        tmesh_dead_t **dead)
{
    return send_errand(producer, ERRAND_LIST, choice, timeout_ms, dead);
}

enum tmesh_err tmesh_producer_dead_show(tmesh_producer_t *producer, const tmesh_id_t *id,
                                        uint32_t timeout_ms, tmesh_dead_t **dead)
{
    const tmesh_dead_choice_t choice = {.ids = id, .id_count = 1};
    return send_errand(producer, ERRAND_SHOW, &choice, timeout_ms, dead);
}

enum tmesh_err tmesh_producer_dead_retry(tmesh_producer_t *producer,
                                         const tmesh_dead_choice_t *choice, uint32_t timeout_ms,
                                         tmesh_dead_t **dead)
{
    return send_errand(producer, ERRAND_RETRY, choice, timeout_ms, dead);
}

enum tmesh_err tmesh_producer_dead_drop(tmesh_producer_t *producer,
                                        const tmesh_dead_choice_t *choice, uint32_t timeout_ms,
                                        tmesh_dead_t **dead)
{
    return send_errand(producer, ERRAND_DROP, choice, timeout_ms, dead);
}
