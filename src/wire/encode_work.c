/* encode_work.c - the worker's side: CREDIT, WORK, COMPLETE. */
#include "encode.h"

#include <assert.h>

void encode_credit(struct encoder *encoder, const struct message_credit *credit)
{
    encode_array(encoder, 2);
    encode_number(encoder, credit->tasks);
    encode_number(encoder, credit->bytes);
}

void encode_work(struct encoder *encoder, const struct message_work *work)
{
    assert(work->count <= MESSAGE_ITEMS_MAX);
    encode_array(encoder, 1 + work->count);
    encode_number(encoder, work->backlog);
    for (uint32_t i = 0; i < work->count; i++) {
        const struct assignment *item = &work->items[i];
        encode_array(encoder, item->limit_ms == 0 ? 5 : 6);
        encode_lease(encoder, &item->lease);
        encode_name(encoder, item->name);
        encode_value(encoder, item->payload);
        if (item->limit_ms != 0) encode_number(encoder, item->limit_ms);
    }
}

void encode_complete(struct encoder *encoder, const struct message_complete *complete)
{
    assert(complete->count <= MESSAGE_ITEMS_MAX);
    encode_array(encoder, complete->count);
    for (uint32_t i = 0; i < complete->count; i++) {
        const struct completion *item = &complete->items[i];
        assert(item->outcome <= OUTCOME_RETURNED);
        encode_array(encoder, 7);
        encode_lease(encoder, &item->lease);
        encode_number(encoder, item->outcome);
        encode_value_or_nil(encoder, item->result);
        encode_text(encoder, item->text);
        encode_number(encoder, item->retry_after_ms);
    }
}
