/* decode_work.c - the worker's side: CREDIT, WORK, COMPLETE, PROGRESS, REVOKE, RECALL. */
#include "decode.h"

void decode_credit(struct fields *body, struct message_credit *credit)
{
    struct fields fields = fields_array(body, UINT32_MAX);
    credit->tasks = fields_u64(&fields);
    credit->bytes = fields_u64(&fields);
    fields_close(body, &fields);
}

static void read_assignment(struct fields *item, struct assignment *assignment)
{
    fields_lease(item, &assignment->lease);
    assignment->name = fields_name(item);
    assignment->payload = fields_value(item);
    assignment->limit_ms = item->left > 0 ? fields_u32(item) : 0; /* minor 0 ends before it */
    assignment->soft_ms = item->left > 0 ? fields_u32(item) : 0;  /* minor 1 before this */
    assignment->stalled_ms = item->left > 0 ? fields_u32(item) : 0;
}

void decode_work(struct decoder *decoder, struct fields *body, uint32_t count,
                 struct message_work *work)
{
    struct fields fields = fields_array(body, UINT32_MAX);
    work->backlog = fields_u64(&fields);
    fields_expect(&fields, count);
    for (uint32_t i = 0; i < count && fields.error == WIRE_OK; i++) {
        fields_fetch_ahead(&fields);
        struct fields item = fields_array(&fields, UINT32_MAX);
        read_assignment(&item, &decoder->room.assignments[i]);
        fields_close(&fields, &item);
    }
    work->items = decoder->room.assignments;
    work->count = count;
    fields_close(body, &fields);
}

static void read_completion(struct fields *item, struct completion *completion)
{
    fields_lease(item, &completion->lease);
    completion->outcome = (enum outcome)fields_choice(item, OUTCOME_DONE, OUTCOME_RETURNED);
    completion->result = fields_value_or_nil(item);
    completion->text = fields_text_or_nil(item);
    completion->retry_after_ms = fields_u32(item);
}

void decode_complete(struct decoder *decoder, struct fields *body, uint32_t count,
                     struct message_complete *complete)
{
    struct fields fields = fields_array(body, UINT32_MAX);
    fields_expect(&fields, count);
    for (uint32_t i = 0; i < count && fields.error == WIRE_OK; i++) {
        fields_fetch_ahead(&fields);
        struct fields item = fields_array(&fields, UINT32_MAX);
        read_completion(&item, &decoder->room.completions[i]);
        fields_close(&fields, &item);
    }
    complete->items = decoder->room.completions;
    complete->count = count;
    fields_close(body, &fields);
}

static void read_progress(struct fields *item, struct progress *progress)
{
    fields_lease(item, &progress->lease);
    progress->number = fields_u64(item);
    progress->text = fields_text_or_nil(item);
    if (progress->text.size > MESSAGE_PROGRESS_BYTES_MAX) fields_fail(item, WIRE_LARGE);
}

void decode_progress(struct decoder *decoder, struct fields *body, uint32_t count,
                     struct message_progress *progress)
{
    struct fields fields = fields_array(body, UINT32_MAX);
    fields_expect(&fields, count);
    for (uint32_t i = 0; i < count && fields.error == WIRE_OK; i++) {
        struct fields item = fields_array(&fields, UINT32_MAX);
        read_progress(&item, &decoder->room.progress[i]);
        fields_close(&fields, &item);
    }
    progress->items = decoder->room.progress;
    progress->count = count;
    fields_close(body, &fields);
}

void decode_lease_items(struct fields *list, struct lease *leases, uint32_t count)
{
    for (uint32_t i = 0; i < count && list->error == WIRE_OK; i++) {
        struct fields item = fields_array(list, UINT32_MAX);
        fields_lease(&item, &leases[i]);
        fields_close(list, &item);
    }
}

void decode_leases(struct decoder *decoder, struct fields *body, uint32_t count,
                   struct message_leases *leases)
{
    struct fields fields = fields_array(body, UINT32_MAX);
    fields_expect(&fields, count);
    decode_lease_items(&fields, decoder->room.leases, count);
    leases->leases = decoder->room.leases;
    leases->count = count;
    fields_close(body, &fields);
}
