/* encode_status.c - questions about a ventilator, and what operators ask of it: QUERY,
 * ANSWER, DISPOSE, DISPOSED, DRAIN, DRAINING. */
#include "encode.h"

#include <assert.h>

void encode_query(struct encoder *encoder, const struct message_query *query)
{
    bool named = query->query == QUERY_LETTER;
    encode_array(encoder, named ? 3 : 2);
    encode_number(encoder, query->query);
    encode_number(encoder, query->cursor);
    if (named) encode_id(encoder, &query->id);
}

/* The order is the protocol's: append, never move. */
static void write_totals(struct encoder *encoder, const struct totals *totals)
{
    const uint64_t numbers[] = {
        totals->submitted,      totals->duplicates,  totals->rejected,
        totals->dispatched,     totals->requeued,    totals->retried,
        totals->returned,       totals->done,        totals->failed,
        totals->dead,           totals->stale,       totals->protocol_errors,
        totals->sessions_reset, totals->waiting,     totals->ready,
        totals->leased,         totals->workers,     totals->producers,
        totals->dead_letters,   totals->uptime_ms,   totals->store_bytes,
        totals->journal_bytes,  totals->journal_lag, totals->journal_full,
        totals->cancelled,      totals->recalled,
    };
    enum { NUMBERS = sizeof numbers / sizeof numbers[0] };
    encode_array(encoder, NUMBERS);
    for (uint32_t i = 0; i < NUMBERS; i++) encode_number(encoder, numbers[i]);
}

static void write_worker(struct encoder *encoder, const struct worker_row *worker)
{
    encode_array(encoder, 9);
    encode_text(encoder, worker->label);
    encode_id(encoder, &worker->node);
    encode_number(encoder, worker->slots);
    encode_number(encoder, worker->leased);
    encode_number(encoder, worker->running);
    encode_number(encoder, worker->completed);
    encode_number(encoder, worker->silent_ms);
    encode_number(encoder, worker->hung);
    encode_number(encoder, worker->draining);
}

static void write_lane(struct encoder *encoder, const struct lane_row *lane)
{
    encode_array(encoder, 6);
    encode_name(encoder, lane->queue);
    encode_name(encoder, lane->name);
    encode_number(encoder, lane->waiting);
    encode_number(encoder, lane->ready);
    encode_number(encoder, lane->leased);
    encode_number(encoder, lane->workers);
}

static void write_dead(struct encoder *encoder, const struct dead_row *dead)
{
    assert(dead->state >= TASK_DONE && dead->state <= TASK_EXPIRED);
    encode_array(encoder, 12);
    encode_id(encoder, &dead->id);
    encode_name(encoder, dead->queue);
    encode_name(encoder, dead->name);
    encode_number(encoder, dead->state);
    encode_number(encoder, dead->reason);
    encode_number(encoder, dead->attempt);
    encode_text(encoder, dead->text);
    encode_number(encoder, dead->failures);
    encode_number(encoder, dead->crashes);
    encode_number(encoder, dead->losses);
    encode_number(encoder, dead->age_ms);
    encode_number(encoder, dead->payload_bytes);
}

static void write_letter(struct encoder *encoder, const struct letter_row *letter)
{
    encode_array(encoder, 2);
    write_dead(encoder, &letter->dead);
    encode_value_or_nil(encoder, letter->value);
}

static void write_run(struct encoder *encoder, const struct run_row *run)
{
    encode_array(encoder, 10);
    encode_id(encoder, &run->id);
    encode_name(encoder, run->queue);
    encode_name(encoder, run->name);
    encode_number(encoder, run->attempt);
    encode_text(encoder, run->worker);
    encode_number(encoder, run->leased_ms);
    encode_number(encoder, run->told);
    encode_number(encoder, run->number);
    encode_text(encoder, run->text);
    encode_number(encoder, run->told_ms);
}

void encode_answer(struct encoder *encoder, const struct message_answer *answer)
{
    assert(answer->count <= MESSAGE_ROWS_MAX);
    assert(answer->query != QUERY_TOTALS || answer->count == 1);
    assert(answer->query != QUERY_LETTER || answer->count <= 1);
    encode_array(encoder, 2 + answer->count);
    encode_number(encoder, answer->query);
    encode_number(encoder, answer->cursor);
    for (uint32_t i = 0; i < answer->count; i++) {
        switch (answer->query) {
        case QUERY_TOTALS: write_totals(encoder, answer->totals); break;
        case QUERY_WORKERS: write_worker(encoder, &answer->workers[i]); break;
        case QUERY_LANES: write_lane(encoder, &answer->lanes[i]); break;
        case QUERY_DEAD: write_dead(encoder, &answer->dead[i]); break;
        case QUERY_LETTER: write_letter(encoder, answer->letter); break;
        case QUERY_RUNS: write_run(encoder, &answer->runs[i]); break;
        }
    }
}

void encode_dispose(struct encoder *encoder, const struct message_dispose *dispose)
{
    assert(dispose->count <= MESSAGE_LETTERS_MAX);
    encode_array(encoder, 4 + dispose->count);
    encode_number(encoder, dispose->disposal);
    encode_number(encoder, dispose->cursor);
    encode_name(encoder, dispose->queue);
    encode_name(encoder, dispose->name);
    for (uint32_t i = 0; i < dispose->count; i++) encode_id(encoder, &dispose->ids[i]);
}

void encode_disposed(struct encoder *encoder, const struct message_disposed *disposed)
{
    assert(disposed->count <= MESSAGE_LETTERS_MAX);
    encode_array(encoder, 4 + disposed->count);
    encode_number(encoder, disposed->disposal);
    encode_number(encoder, disposed->cursor);
    encode_number(encoder, disposed->reason);
    encode_number(encoder, disposed->affected);
    encode_rejections(encoder, disposed->rejections, disposed->count);
}

void encode_drain(struct encoder *encoder, const struct message_drain *drain)
{
    encode_array(encoder, 2);
    encode_text(encoder, drain->target);
    encode_number(encoder, drain->grace_ms);
}

void encode_draining(struct encoder *encoder, const struct message_draining *draining)
{
    encode_array(encoder, 1);
    encode_number(encoder, draining->affected);
}
