/* producer_status.c - questions to the ventilators. */
#include "../watch/clock.h"
#include "../watch/thread.h"
#include "producer_node.h"

#include <string.h>

void producer_pursue_inquiry(struct tmesh_producer *producer, uint64_t now_ns)
{
    for (uint32_t number = 0; number < producer->endpoints.count; number++) {
        struct producer_event event = {.kind = PRODUCER_QUERY, .now_ns = now_ns, .link = number};
        pthread_mutex_lock(&producer->exchange.lock);
        struct inquiry_link *link = &producer->exchange.inquiry.links[number];
        bool ask = producer->exchange.inquiry.status != NULL && !link->asked && !link->done &&
                   producer->open[number];
        if (ask) {
            link->asked = true;
            link->minor = producer->minors[number];
            event.query = (struct message_query){.query = link->query, .cursor = link->cursor};
        }
        bool over = producer->exchange.inquiry.status == NULL;
        pthread_mutex_unlock(&producer->exchange.lock);
        if (over) return;
        if (!ask) continue;
        ++*producer_unanswered(producer, number, PRODUCER_QUERY);
        producer_step_and_perform(producer, &event);
    }
}

uint32_t *producer_unanswered(struct tmesh_producer *producer, uint32_t link,
                              enum producer_event_kind question)
{
    if (question == PRODUCER_DRAIN) return &producer->unanswered[link].drains;
    if (question == PRODUCER_DISPOSE) return &producer->unanswered[link].disposals;
    return &producer->unanswered[link].queries;
}

void producer_take_answer(struct tmesh_producer *producer, const struct producer_action *action)
{
    struct exchange *exchange = &producer->exchange;
    bool query = action->message.kind == MESSAGE_ANSWER;
    uint32_t *unanswered =
        producer_unanswered(producer, action->link,
                            query                                      ? PRODUCER_QUERY
                            : action->message.kind == MESSAGE_DRAINING ? PRODUCER_DRAIN
                                                                       : PRODUCER_DISPOSE);
    if (*unanswered == 0) return;  /* nobody asked */
    if (--*unanswered > 0) return; /* who asked before did not wait */
    pthread_mutex_lock(&exchange->lock);
    if (query) inquiry_add(&exchange->inquiry, action->link, &action->message.u.answer);
    errand_add(&exchange->errand, action->link, &action->message);
    bool complete = (exchange->inquiry.status != NULL && inquiry_is_complete(&exchange->inquiry)) ||
                    (exchange->errand.busy && errand_is_complete(&exchange->errand));
    if (complete) pthread_cond_broadcast(&exchange->changed);
    pthread_mutex_unlock(&exchange->lock);
}

void producer_note_session(struct tmesh_producer *producer, uint32_t link, enum session_news news)
{
    producer->open[link] = news == SESSION_OPENED;
    memset(&producer->unanswered[link], 0, sizeof producer->unanswered[link]);
    pthread_mutex_lock(&producer->exchange.lock);
    if (producer->exchange.inquiry.status != NULL)
        producer->exchange.inquiry.links[link].asked = false;
    errand_lose(&producer->exchange.errand, link);
    pthread_mutex_unlock(&producer->exchange.lock);
}

static bool is_busy(const struct exchange *exchange)
{
    return exchange->inquiry.busy || exchange->errand.busy;
}

bool producer_await_turn(struct tmesh_producer *producer, uint64_t until_ns)
{
    struct exchange *exchange = &producer->exchange;
    while (is_busy(exchange)) {
        if (thread_wait_until(&exchange->changed, &exchange->lock, until_ns) != 0)
            return !is_busy(exchange);
    }
    return true;
}

/* Asks and waits for the answers, with the lock held. */
static enum tmesh_err inquire(struct tmesh_producer *producer, uint64_t until_ns,
                              tmesh_status_t **status)
{
    struct inquiry *inquiry = &producer->exchange.inquiry;
    const struct endpoints *endpoints = &producer->endpoints;
    if (!inquiry_begin(inquiry, endpoints->items, endpoints->count)) return TMESH_E_SYSTEM;
    producer->exchange.asked = true;
    waker_wake(&producer->exchange.waker);
    while (!inquiry_is_complete(inquiry) && !producer->exchange.stop &&
           thread_wait_until(&producer->exchange.changed, &producer->exchange.lock, until_ns) ==
               0) {
    }
    bool complete;
    *status = inquiry_end(inquiry, &complete);
    producer->exchange.asked = false;
    pthread_cond_broadcast(&producer->exchange.changed);
    return complete ? TMESH_OK : TMESH_E_TIMEOUT;
}

enum tmesh_err tmesh_producer_status(tmesh_producer_t *producer, uint32_t timeout_ms,
                                     tmesh_status_t **status)
{
    uint64_t until_ns = clock_now_ns() + timeout_ms * MILLISECOND;
    enum tmesh_err result = TMESH_E_TIMEOUT;
    *status = NULL;
    if (identity_is_inherited(producer->process)) return TMESH_E_CLOSED;
    pthread_mutex_lock(&producer->exchange.lock);
    bool mine = producer_await_turn(producer, until_ns);
    if (producer->exchange.stop) {
        result = TMESH_E_CLOSED;
    } else if (mine) {
        result = inquire(producer, until_ns, status);
    } else {
        *status = inquiry_silence(producer->endpoints.items, producer->endpoints.count);
        if (*status == NULL) result = TMESH_E_SYSTEM;
    }
    pthread_mutex_unlock(&producer->exchange.lock);
    return result;
}
