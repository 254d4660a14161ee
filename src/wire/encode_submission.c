/* encode_submission.c - the producer's side: SUBMIT, ACCEPT, RESULT, RECEIPT. */
#include "encode.h"

#include <assert.h>

/* What its policy for retries says beside the number of attempts. */
static bool has_retries(const struct submission *item)
{
    return (item->backoff_ms | item->backoff_ms_max | item->crashes_max) != 0;
}

/* Options that are the default are not said, so that the common item is small. */
static uint32_t options_of(const struct submission *item)
{
    uint32_t options = 0;
    if (item->queue.data != NULL) options++;
    if (item->flags != 0) options++;
    if (item->attempts_max != 0) options++;
    if (has_retries(item)) options++;
    if (item->limit_ms != 0) options++;
    if (item->soft_ms != 0) options++;
    if (item->stalled_ms != 0) options++;
    return options;
}

static void write_options(struct encoder *encoder, const struct submission *item, uint32_t count)
{
    encode_map(encoder, count);
    if (item->queue.data != NULL) {
        encode_key(encoder, "q");
        encode_name(encoder, item->queue);
    }
    if (item->flags != 0) {
        encode_key(encoder, "f");
        encode_number(encoder, item->flags);
    }
    if (item->attempts_max != 0) {
        encode_key(encoder, "n");
        encode_number(encoder, item->attempts_max);
    }
    if (has_retries(item)) {
        encode_key(encoder, "r");
        encode_array(encoder, 3);
        encode_number(encoder, item->backoff_ms);
        encode_number(encoder, item->backoff_ms_max);
        encode_number(encoder, item->crashes_max);
    }
    if (item->limit_ms != 0) {
        encode_key(encoder, "t");
        encode_number(encoder, item->limit_ms);
    }
    if (item->soft_ms != 0) {
        encode_key(encoder, "s");
        encode_number(encoder, item->soft_ms);
    }
    if (item->stalled_ms != 0) {
        encode_key(encoder, "a");
        encode_number(encoder, item->stalled_ms);
    }
}

static inline void write_submission(struct encoder *encoder, const struct submission *item)
{
    uint32_t options = options_of(item);
    encode_array(encoder, options == 0 ? 3 : 4);
    encode_id(encoder, &item->id);
    encode_name(encoder, item->name);
    encode_value(encoder, item->payload);
    if (options == 0) return;
    struct encoder copy = *encoder;
    write_options(&copy, item, options);
    *encoder = copy;
}

void encode_submit(struct encoder *encoder, const struct message_submit *submit)
{
    assert(submit->count <= MESSAGE_ITEMS_MAX);
    encode_array(encoder, 1 + submit->count);
    encode_number(encoder, submit->batch);
    struct encoder copy = *encoder;
    for (uint32_t i = 0; i < submit->count; i++) write_submission(&copy, &submit->items[i]);
    *encoder = copy;
}

void encode_rejections(struct encoder *encoder, const struct rejection *rejections, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        encode_array(encoder, 2);
        encode_number(encoder, rejections[i].item);
        encode_number(encoder, rejections[i].reason);
    }
}

void encode_accept(struct encoder *encoder, const struct message_accept *accept)
{
    assert(accept->count <= MESSAGE_REJECTIONS_MAX);
    encode_array(encoder, 1 + accept->count);
    encode_number(encoder, accept->batch);
    encode_rejections(encoder, accept->rejections, accept->count);
}

static inline void write_result(struct encoder *encoder, const struct result *item)
{
    assert(item->state >= TASK_DONE && item->state <= TASK_EXPIRED);
    encode_array(encoder, 6);
    encode_id(encoder, &item->id);
    encode_number(encoder, item->state);
    encode_number(encoder, item->attempt);
    encode_number(encoder, item->reason);
    encode_value_or_nil(encoder, item->result);
    encode_text(encoder, item->text);
}

void encode_result(struct encoder *encoder, const struct message_result *result)
{
    assert(result->count <= MESSAGE_ITEMS_MAX);
    encode_array(encoder, result->count);
    struct encoder copy = *encoder;
    for (uint32_t i = 0; i < result->count; i++) write_result(&copy, &result->items[i]);
    *encoder = copy;
}

void encode_receipt(struct encoder *encoder, const struct message_receipt *receipt)
{
    encode_array(encoder, 1);
    encode_number(encoder, receipt->through);
}
