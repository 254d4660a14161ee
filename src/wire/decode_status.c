/* decode_status.c - questions about a ventilator, and what operators ask of it: QUERY,
 * ANSWER, DISPOSE, DISPOSED, DRAIN, DRAINING. */
#include "decode.h"

#include <assert.h>

void decode_query(struct fields *body, struct message_query *query)
{
    struct fields fields = fields_array(body, UINT32_MAX);
    query->query = (enum query)fields_choice(&fields, QUERY_TOTALS, QUERY_RUNS);
    query->cursor = fields_u32(&fields);
    if (query->query == QUERY_LETTER) query->id = fields_id(&fields);
    fields_close(body, &fields);
}

static void read_totals(struct fields *row, struct totals *totals)
{
    totals->submitted = fields_u64(row);
    totals->duplicates = fields_u64(row);
    totals->rejected = fields_u64(row);
    totals->dispatched = fields_u64(row);
    totals->requeued = fields_u64(row);
    totals->retried = fields_u64(row);
    totals->returned = fields_u64(row);
    totals->done = fields_u64(row);
    totals->failed = fields_u64(row);
    totals->dead = fields_u64(row);
    totals->stale = fields_u64(row);
    totals->protocol_errors = fields_u64(row);
    totals->sessions_reset = fields_u64(row);
    totals->waiting = fields_u64(row);
    totals->ready = fields_u64(row);
    totals->leased = fields_u64(row);
    totals->workers = fields_u64(row);
    totals->producers = fields_u64(row);
    totals->dead_letters = fields_u64(row);
    totals->uptime_ms = fields_u64(row);
    totals->store_bytes = fields_u64(row);
    totals->journal_bytes = totals->journal_lag = totals->journal_full = 0;
    totals->cancelled = totals->recalled = 0;
    if (row->left == 0) return; /* minor 0 ends here */
    totals->journal_bytes = fields_u64(row);
    totals->journal_lag = fields_u64(row);
    totals->journal_full = fields_u64(row);
    if (row->left == 0) return; /* minor 1 ends here */
    totals->cancelled = fields_u64(row);
    totals->recalled = fields_u64(row);
}

static void read_worker(struct fields *row, struct worker_row *worker)
{
    worker->label = fields_text_or_nil(row);
    worker->node = fields_id(row);
    worker->slots = fields_u32(row);
    worker->leased = fields_u32(row);
    worker->running = fields_u32(row);
    worker->completed = fields_u64(row);
    worker->silent_ms = fields_u32(row);
    worker->hung = worker->draining = 0;
    if (row->left == 0) return; /* minor 1 ends here */
    worker->hung = fields_u32(row);
    worker->draining = fields_u32(row);
}

static void read_lane(struct fields *row, struct lane_row *lane)
{
    lane->queue = fields_name(row);
    lane->name = fields_name(row);
    lane->waiting = fields_u64(row);
    lane->ready = fields_u64(row);
    lane->leased = fields_u64(row);
    lane->workers = fields_u32(row);
}

static void read_dead(struct fields *row, struct dead_row *dead)
{
    *dead = (struct dead_row){0};
    dead->id = fields_id(row);
    dead->queue = fields_name(row);
    dead->name = fields_name(row);
    dead->state = (enum task_state)fields_choice(row, TASK_DONE, TASK_EXPIRED);
    dead->reason = (enum reason)fields_u32(row);
    dead->attempt = fields_u32(row);
    dead->text = fields_text_or_nil(row);
    if (row->left == 0) return; /* minor 0 ends here */
    dead->failures = fields_u32(row);
    dead->crashes = fields_u32(row);
    dead->losses = fields_u32(row);
    dead->age_ms = fields_u64(row);
    dead->payload_bytes = fields_u32(row);
}

static void read_letter(struct fields *row, struct letter_row *letter)
{
    struct fields dead = fields_array(row, UINT32_MAX);
    read_dead(&dead, &letter->dead);
    fields_close(row, &dead);
    letter->value = fields_value_or_nil(row);
}

static void read_run(struct fields *row, struct run_row *run)
{
    run->id = fields_id(row);
    run->queue = fields_name(row);
    run->name = fields_name(row);
    run->attempt = fields_u32(row);
    run->worker = fields_text_or_nil(row);
    run->leased_ms = fields_u64(row);
    run->told = fields_u32(row);
    run->number = fields_u64(row);
    run->text = fields_text_or_nil(row);
    run->told_ms = fields_u64(row);
}

static void read_row(struct decoder *decoder, struct fields *row, enum query query, uint32_t number)
{
    switch (query) {
    case QUERY_TOTALS: read_totals(row, &decoder->room.totals); break;
    case QUERY_WORKERS: read_worker(row, &decoder->room.workers[number]); break;
    case QUERY_LANES: read_lane(row, &decoder->room.lanes[number]); break;
    case QUERY_DEAD: read_dead(row, &decoder->room.dead[number]); break;
    case QUERY_LETTER: read_letter(row, &decoder->room.letter); break;
    case QUERY_RUNS: read_run(row, &decoder->room.runs[number]); break;
    }
}

void decode_answer(struct decoder *decoder, struct fields *body, uint32_t count,
                   struct message_answer *answer)
{
    assert(count <= MESSAGE_ROWS_MAX);
    struct fields fields = fields_array(body, UINT32_MAX);
    answer->query = (enum query)fields_choice(&fields, QUERY_TOTALS, QUERY_RUNS);
    answer->cursor = fields_u32(&fields);
    answer->count = count;
    fields_expect(&fields, count);
    if (answer->query == QUERY_TOTALS && count != 1) fields_fail(&fields, WIRE_FORM);
    if (answer->query == QUERY_LETTER && count > 1) fields_fail(&fields, WIRE_FORM);
    for (uint32_t i = 0; i < count && fields.error == WIRE_OK; i++) {
        struct fields row = fields_array(&fields, UINT32_MAX);
        read_row(decoder, &row, answer->query, i);
        fields_close(&fields, &row);
    }
    switch (answer->query) {
    case QUERY_TOTALS: answer->totals = &decoder->room.totals; break;
    case QUERY_WORKERS: answer->workers = decoder->room.workers; break;
    case QUERY_LANES: answer->lanes = decoder->room.lanes; break;
    case QUERY_DEAD: answer->dead = decoder->room.dead; break;
    case QUERY_LETTER: answer->letter = &decoder->room.letter; break;
    case QUERY_RUNS: answer->runs = decoder->room.runs; break;
    }
    fields_close(body, &fields);
}

void decode_dispose(struct decoder *decoder, struct fields *body, uint32_t count,
                    struct message_dispose *dispose)
{
    assert(count <= MESSAGE_LETTERS_MAX);
    struct fields fields = fields_array(body, UINT32_MAX);
    dispose->disposal = (enum disposal)fields_choice(&fields, DISPOSAL_RETRY, DISPOSAL_CANCEL_ALL);
    dispose->cursor = fields_u64(&fields);
    dispose->queue = fields_name(&fields);
    dispose->name = fields_name(&fields);
    fields_expect(&fields, count);
    for (uint32_t i = 0; i < count; i++) decoder->room.letters[i] = fields_id(&fields);
    dispose->ids = decoder->room.letters;
    dispose->count = count;
    fields_close(body, &fields);
}

void decode_disposed(struct decoder *decoder, struct fields *body, uint32_t count,
                     struct message_disposed *disposed)
{
    assert(count <= MESSAGE_LETTERS_MAX);
    struct fields fields = fields_array(body, UINT32_MAX);
    disposed->disposal = (enum disposal)fields_choice(&fields, DISPOSAL_RETRY, DISPOSAL_CANCEL_ALL);
    disposed->cursor = fields_u64(&fields);
    disposed->reason = (enum reason)fields_u32(&fields);
    disposed->affected = fields_u32(&fields);
    decode_rejections(decoder, &fields, count);
    disposed->rejections = decoder->room.rejections;
    disposed->count = count;
    fields_close(body, &fields);
}

void decode_drain(struct fields *body, struct message_drain *drain)
{
    struct fields fields = fields_array(body, UINT32_MAX);
    drain->target = fields_text_or_nil(&fields);
    drain->grace_ms = fields_u32(&fields);
    fields_close(body, &fields);
}

void decode_draining(struct fields *body, struct message_draining *draining)
{
    struct fields fields = fields_array(body, UINT32_MAX);
    draining->affected = fields_u32(&fields);
    fields_close(body, &fields);
}
