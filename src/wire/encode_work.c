/* encode_work.c - the worker's side: CREDIT, WORK, COMPLETE, PROGRESS, REVOKE, RECALL. */
#include "encode.h"

#include <assert.h>

void encode_credit(struct encoder *encoder, const struct message_credit *credit)
{
    encode_array(encoder, 2);
    encode_number(encoder, credit->tasks);
    encode_number(encoder, credit->bytes);
}

/* Limits that a task has not are not said, as far as nothing stands behind them. */
static uint32_t limits_of(const struct assignment *item)
{
    if (item->stalled_ms != 0) return 3;
    if (item->soft_ms != 0) return 2;
    return item->limit_ms != 0 ? 1 : 0;
}

static inline void write_assignment(struct encoder *encoder, const struct assignment *item)
{
    uint32_t limits = limits_of(item);
    encode_array(encoder, 5 + limits);
    encode_lease(encoder, &item->lease);
    encode_name(encoder, item->name);
    encode_value(encoder, item->payload);
    if (limits > 0) encode_number(encoder, item->limit_ms);
    if (limits > 1) encode_number(encoder, item->soft_ms);
    if (limits > 2) encode_number(encoder, item->stalled_ms);
}

void encode_work(struct encoder *encoder, const struct message_work *work)
{
    assert(work->count <= MESSAGE_ITEMS_MAX);
    encode_array(encoder, 1 + work->count);
    encode_number(encoder, work->backlog);
    struct encoder copy = *encoder;
    for (uint32_t i = 0; i < work->count; i++) write_assignment(&copy, &work->items[i]);
    *encoder = copy;
}

static inline void write_completion(struct encoder *encoder, const struct completion *item)
{
    assert(item->outcome <= OUTCOME_RETURNED);
    encode_array(encoder, 7);
    encode_lease(encoder, &item->lease);
    encode_number(encoder, item->outcome);
    encode_value_or_nil(encoder, item->result);
    encode_text(encoder, item->text);
    encode_number(encoder, item->retry_after_ms);
}

void encode_complete(struct encoder *encoder, const struct message_complete *complete)
{
    assert(complete->count <= MESSAGE_ITEMS_MAX);
    encode_array(encoder, complete->count);
    struct encoder copy = *encoder;
    for (uint32_t i = 0; i < complete->count; i++) write_completion(&copy, &complete->items[i]);
    *encoder = copy;
}

void encode_progress(struct encoder *encoder, const struct message_progress *progress)
{
    assert(progress->count <= MESSAGE_ITEMS_MAX);
    encode_array(encoder, progress->count);
    for (uint32_t i = 0; i < progress->count; i++) {
        const struct progress *item = &progress->items[i];
        assert(item->text.size <= MESSAGE_PROGRESS_BYTES_MAX);
        encode_array(encoder, 5);
        encode_lease(encoder, &item->lease);
        encode_number(encoder, item->number);
        encode_text(encoder, item->text);
    }
}
