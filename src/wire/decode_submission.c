/* decode_submission.c - the producer's side: SUBMIT, ACCEPT, RESULT, RECEIPT. */
#include "decode.h"
#include "entries.h"

enum option_key {
    OPTION_QUEUE,
    OPTION_FLAGS,
    OPTION_ATTEMPTS,
    OPTION_RETRIES,
    OPTION_LIMIT,
    OPTION_SOFT,
    OPTION_STALLED,
    OPTION_UNKNOWN
};

static const char *const OPTION_KEYS[OPTION_UNKNOWN] = {
    [OPTION_QUEUE] = "q", [OPTION_FLAGS] = "f", [OPTION_ATTEMPTS] = "n", [OPTION_RETRIES] = "r",
    [OPTION_LIMIT] = "t", [OPTION_SOFT] = "s",  [OPTION_STALLED] = "a",
};

static void read_retries(struct fields *value, struct submission *item)
{
    struct fields retries = fields_array(value, UINT32_MAX);
    item->backoff_ms = fields_u32(&retries);
    item->backoff_ms_max = fields_u32(&retries);
    item->crashes_max = fields_u32(&retries);
    fields_close(value, &retries);
}

/* Options that are not there keep the zero that means "by default". */
static void read_options(struct fields *fields, struct submission *item)
{
    struct entries entries = entries_of(fields, OPTION_KEYS, OPTION_UNKNOWN);
    struct fields *value = &entries.fields;
    uint32_t key;
    while (entries_next(&entries, &key)) {
        switch ((enum option_key)key) {
        case OPTION_QUEUE: item->queue = fields_name(value); break;
        case OPTION_FLAGS: item->flags = fields_u32(value); break;
        case OPTION_ATTEMPTS: item->attempts_max = fields_u32(value); break;
        case OPTION_RETRIES: read_retries(value, item); break;
        case OPTION_LIMIT: item->limit_ms = fields_u32(value); break;
        case OPTION_SOFT: item->soft_ms = fields_u32(value); break;
        case OPTION_STALLED: item->stalled_ms = fields_u32(value); break;
        case OPTION_UNKNOWN: break;
        }
    }
    entries_close(&entries, fields, 0);
}

/* One by one: clearing the whole at once is an instruction that takes its time to
 * begin (rep stos). */
static inline void clear_options(struct submission *item)
{
    item->queue = (struct bytes){0};
    item->flags = 0;
    rarities_give(&(struct rarities){0}, item);
}

static void read_submission(struct fields *fields, struct submission *item)
{
    item->id = fields_id(fields);
    item->name = fields_name(fields);
    item->payload = fields_value(fields);
    clear_options(item);
    if (fields->left == 0 || fields_nil(fields)) return;
    struct fields copy = *fields;
    read_options(&copy, item);
    fields_resume(fields, &copy);
}

void decode_submit(struct decoder *decoder, struct fields *body, uint32_t count,
                   struct message_submit *submit)
{
    struct fields fields = fields_array(body, UINT32_MAX);
    submit->batch = fields_u64(&fields);
    fields_expect(&fields, count);
    for (uint32_t i = 0; i < count && fields.error == WIRE_OK; i++) {
        fields_fetch_ahead(&fields);
        struct fields item = fields_array(&fields, UINT32_MAX);
        read_submission(&item, &decoder->room.submissions[i]);
        fields_close(&fields, &item);
    }
    submit->items = decoder->room.submissions;
    submit->count = count;
    fields_close(body, &fields);
}

void decode_rejections(struct decoder *decoder, struct fields *fields, uint32_t count)
{
    fields_expect(fields, count);
    for (uint32_t i = 0; i < count && fields->error == WIRE_OK; i++) {
        struct fields item = fields_array(fields, UINT32_MAX);
        decoder->room.rejections[i].item = fields_u32(&item);
        decoder->room.rejections[i].reason = (enum reason)fields_u32(&item);
        fields_close(fields, &item);
    }
}

void decode_accept(struct decoder *decoder, struct fields *body, uint32_t count,
                   struct message_accept *accept)
{
    struct fields fields = fields_array(body, UINT32_MAX);
    accept->batch = fields_u64(&fields);
    decode_rejections(decoder, &fields, count);
    accept->rejections = decoder->room.rejections;
    accept->count = count;
    fields_close(body, &fields);
}

static void read_result(struct fields *item, struct result *result)
{
    result->id = fields_id(item);
    result->state = (enum task_state)fields_choice(item, TASK_DONE, TASK_EXPIRED);
    result->attempt = fields_u32(item);
    result->reason = (enum reason)fields_u32(item);
    result->result = fields_value_or_nil(item);
    result->text = fields_text_or_nil(item);
}

void decode_result(struct decoder *decoder, struct fields *body, uint32_t count,
                   struct message_result *result)
{
    struct fields fields = fields_array(body, UINT32_MAX);
    fields_expect(&fields, count);
    for (uint32_t i = 0; i < count && fields.error == WIRE_OK; i++) {
        fields_fetch_ahead(&fields);
        struct fields item = fields_array(&fields, UINT32_MAX);
        read_result(&item, &decoder->room.results[i]);
        fields_close(&fields, &item);
    }
    result->items = decoder->room.results;
    result->count = count;
    fields_close(body, &fields);
}

void decode_receipt(struct fields *body, struct message_receipt *receipt)
{
    struct fields fields = fields_array(body, UINT32_MAX);
    receipt->through = fields_u32(&fields);
    fields_close(body, &fields);
}
