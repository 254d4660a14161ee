/* producer_status.c - questions to the ventilators. */
#include "../watch/clock.h"
#include "producer_node.h"
#include "thread.h"

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
            event.query = (struct message_query){.query = link->query, .cursor = link->cursor};
        }
        bool over = producer->exchange.inquiry.status == NULL;
        pthread_mutex_unlock(&producer->exchange.lock);
        if (over) return;
        if (ask) producer_step_and_perform(producer, &event);
    }
}

void producer_take_answer(struct tmesh_producer *producer, const struct producer_action *action)
{
    pthread_mutex_lock(&producer->exchange.lock);
    inquiry_add(&producer->exchange.inquiry, action->link, &action->message.u.answer);
    if (producer->exchange.inquiry.status != NULL &&
        inquiry_is_complete(&producer->exchange.inquiry)) {
        pthread_cond_broadcast(&producer->exchange.changed);
    }
    pthread_mutex_unlock(&producer->exchange.lock);
}

void producer_note_session(struct tmesh_producer *producer, uint32_t link, enum session_news news)
{
    producer->open[link] = news == SESSION_OPENED;
    pthread_mutex_lock(&producer->exchange.lock);
    if (producer->exchange.inquiry.status != NULL)
        producer->exchange.inquiry.links[link].asked = false;
    pthread_mutex_unlock(&producer->exchange.lock);
}

enum tmesh_err tmesh_producer_status(tmesh_producer_t *producer, uint32_t timeout_ms,
                                     tmesh_status_t **status)
{
    uint64_t until_ns = clock_now_ns() + timeout_ms * MILLISECOND;
    *status = NULL;
    pthread_mutex_lock(&producer->exchange.lock);
    while (producer->exchange.inquiry.busy) {
        if (thread_wait_until(&producer->exchange.changed, &producer->exchange.lock, until_ns) == 0)
            continue;
        pthread_mutex_unlock(&producer->exchange.lock);
        return TMESH_E_TIMEOUT;
    }
    if (producer->exchange.stop ||
        !inquiry_begin(&producer->exchange.inquiry, producer->endpoints.items,
                       producer->endpoints.count)) {
        enum tmesh_err why = producer->exchange.stop ? TMESH_E_CLOSED : TMESH_E_SYSTEM;
        pthread_mutex_unlock(&producer->exchange.lock);
        return why;
    }
    waker_wake(&producer->exchange.waker);
    while (!inquiry_is_complete(&producer->exchange.inquiry) && !producer->exchange.stop &&
           thread_wait_until(&producer->exchange.changed, &producer->exchange.lock, until_ns) ==
               0) {
    }
    bool complete;
    *status = inquiry_end(&producer->exchange.inquiry, &complete);
    pthread_cond_broadcast(&producer->exchange.changed);
    pthread_mutex_unlock(&producer->exchange.lock);
    return complete ? TMESH_OK : TMESH_E_TIMEOUT;
}
