/* inquiry.c - a question to all ventilators, and their answers so far. */
#include "inquiry.h"

#include "failure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MINOR_OF_RUNS = 2 };

/* The public rows are const for their reader; here they are still being made. */
static tmesh_ventilator_row_t *row_of(const struct inquiry *inquiry, uint32_t link)
{
    return (tmesh_ventilator_row_t *)inquiry->status->ventilators + link;
}

tmesh_status_t *inquiry_silence(const char *const *endpoints, uint32_t count)
{
    tmesh_status_t *status = calloc(1, sizeof *status);
    tmesh_ventilator_row_t *rows = calloc(count, sizeof *rows);
    if (status == NULL || rows == NULL) {
        free(status);
        free(rows);
        return NULL;
    }
    for (uint32_t link = 0; link < count; link++) {
        snprintf(rows[link].endpoint, sizeof rows[link].endpoint, "%s", endpoints[link]);
    }
    *status = (tmesh_status_t){.ventilators = rows, .ventilator_count = count};
    return status;
}

bool inquiry_begin(struct inquiry *inquiry, const char *const *endpoints, uint32_t count)
{
    inquiry->status = inquiry_silence(endpoints, count);
    if (inquiry->status == NULL) return false;
    for (uint32_t link = 0; link < count; link++) {
        inquiry->links[link] = (struct inquiry_link){.query = QUERY_TOTALS};
    }
    inquiry->link_count = count;
    inquiry->busy = true;
    return true;
}

bool inquiry_is_complete(const struct inquiry *inquiry)
{
    for (uint32_t link = 0; link < inquiry->link_count; link++) {
        if (!inquiry->links[link].done) return false;
    }
    return true;
}

tmesh_status_t *inquiry_end(struct inquiry *inquiry, bool *complete)
{
    *complete = inquiry_is_complete(inquiry);
    tmesh_status_t *status = inquiry->status;
    inquiry->status = NULL;
    inquiry->busy = false;
    return status;
}

static void add_totals(tmesh_ventilator_row_t *row, const struct totals *totals)
{
    row->answered = true;
    row->uptime_ms = totals->uptime_ms;
    row->store_bytes = totals->store_bytes;
    row->journal_bytes = totals->journal_bytes;
    row->journal_lag = totals->journal_lag;
    row->journal_full = totals->journal_full != 0;
    row->submitted = totals->submitted;
    row->duplicates = totals->duplicates;
    row->rejected = totals->rejected;
    row->dispatched = totals->dispatched;
    row->requeued = totals->requeued;
    row->retried = totals->retried;
    row->returned = totals->returned;
    row->done = totals->done;
    row->failed = totals->failed;
    row->dead = totals->dead;
    row->stale = totals->stale;
    row->protocol_errors = totals->protocol_errors;
    row->sessions_reset = totals->sessions_reset;
    row->waiting = totals->waiting;
    row->ready = totals->ready;
    row->leased = totals->leased;
    row->workers_open = totals->workers;
    row->producers_open = totals->producers;
    row->dead_letters = totals->dead_letters;
    row->cancelled = totals->cancelled;
    row->recalled = totals->recalled;
}

/* How many rows the block has room for that holds `count`. */
static size_t room_for(size_t count)
{
    size_t room = count > 0 ? MESSAGE_ROWS_MAX : 0;
    while (room < count) room *= 2;
    return room;
}

/* Room for `count` more rows behind the `have` that are there; NULL when memory
 * is short, and then these rows are missing. */
static void *grow(const void *rows, size_t have, size_t count, size_t row_bytes)
{
    uint8_t *grown = (void *)rows;
    if (have + count > room_for(have)) grown = realloc(grown, room_for(have + count) * row_bytes);
    if (grown != NULL) memset(grown + have * row_bytes, 0, count * row_bytes);
    return grown;
}

/* How many of the rows that came are taken. */
static uint32_t rows_taken(const struct message_answer *answer, size_t have, size_t rows_max)
{
    size_t room = rows_max - have;
    return answer->count < room ? answer->count : (uint32_t)room;
}

static void copy_text(char *into, size_t room, struct bytes text)
{
    snprintf(into, room, "%.*s", (int)text.size, text.data != NULL ? (const char *)text.data : "");
}

static void add_workers(tmesh_ventilator_row_t *row, const struct message_answer *answer)
{
    uint32_t count = rows_taken(answer, row->worker_count, INQUIRY_ROWS_MAX);
    tmesh_worker_row_t *rows = grow(row->workers, row->worker_count, count, sizeof *rows);
    if (rows == NULL) return;
    for (uint32_t at = 0; at < count; at++) {
        const struct worker_row *from = &answer->workers[at];
        tmesh_worker_row_t *to = &rows[row->worker_count++];
        copy_text(to->label, sizeof to->label, from->label);
        to->slots = from->slots;
        to->leased = from->leased;
        to->running = from->running;
        to->completed = from->completed;
        to->silent_ms = from->silent_ms;
        to->hung = from->hung;
        to->draining = from->draining != 0;
        memcpy(to->node.octets, from->node.octets, sizeof to->node.octets);
    }
    row->workers = rows;
}

static void add_lanes(tmesh_ventilator_row_t *row, const struct message_answer *answer)
{
    uint32_t count = rows_taken(answer, row->lane_count, INQUIRY_ROWS_MAX);
    tmesh_lane_row_t *rows = grow(row->lanes, row->lane_count, count, sizeof *rows);
    if (rows == NULL) return;
    for (uint32_t at = 0; at < count; at++) {
        const struct lane_row *from = &answer->lanes[at];
        tmesh_lane_row_t *to = &rows[row->lane_count++];
        copy_text(to->queue, sizeof to->queue, from->queue);
        copy_text(to->name, sizeof to->name, from->name);
        to->waiting = from->waiting;
        to->ready = from->ready;
        to->leased = from->leased;
        to->workers = from->workers;
    }
    row->lanes = rows;
}

static void add_runs(tmesh_ventilator_row_t *row, const struct message_answer *answer)
{
    uint32_t count = rows_taken(answer, row->run_count, INQUIRY_ROWS_MAX);
    tmesh_run_row_t *rows = grow(row->runs, row->run_count, count, sizeof *rows);
    if (rows == NULL) return;
    for (uint32_t at = 0; at < count; at++) {
        const struct run_row *from = &answer->runs[at];
        tmesh_run_row_t *to = &rows[row->run_count++];
        memcpy(to->id.octets, from->id.octets, sizeof to->id.octets);
        copy_text(to->queue, sizeof to->queue, from->queue);
        copy_text(to->name, sizeof to->name, from->name);
        copy_text(to->worker, sizeof to->worker, from->worker);
        to->attempt = from->attempt;
        to->leased_ms = from->leased_ms;
        to->told = from->told != 0;
        if (!to->told) continue;
        to->number = from->number;
        to->told_ms = from->told_ms;
        copy_text(to->text, sizeof to->text, from->text);
    }
    row->runs = rows;
}

static void add_dead(tmesh_ventilator_row_t *row, const struct message_answer *answer)
{
    uint32_t count = rows_taken(answer, row->dead_count, INQUIRY_DEAD_ROWS_MAX);
    tmesh_dead_row_t *rows = grow(row->dead_rows, row->dead_count, count, sizeof *rows);
    if (rows == NULL) return;
    for (uint32_t at = 0; at < count; at++) {
        const struct dead_row *from = &answer->dead[at];
        tmesh_dead_row_t *to = &rows[row->dead_count++];
        memcpy(to->id.octets, from->id.octets, sizeof to->id.octets);
        copy_text(to->queue, sizeof to->queue, from->queue);
        copy_text(to->name, sizeof to->name, from->name);
        to->state = (enum tmesh_state)from->state;
        to->attempt = from->attempt;
        if (from->text.size > 0)
            copy_text(to->reason, sizeof to->reason, from->text);
        else
            snprintf(to->reason, sizeof to->reason, "%s", failure_reason(from->reason));
    }
    row->dead_rows = rows;
}

static bool is_full(const tmesh_ventilator_row_t *row, enum query query)
{
    switch (query) {
    case QUERY_TOTALS: return true;
    case QUERY_WORKERS: return row->worker_count == INQUIRY_ROWS_MAX;
    case QUERY_LANES: return row->lane_count == INQUIRY_ROWS_MAX;
    case QUERY_DEAD: return row->dead_count == INQUIRY_DEAD_ROWS_MAX;
    case QUERY_RUNS: return row->run_count == INQUIRY_ROWS_MAX;
    case QUERY_LETTER: break; /* is not asked here */
    }
    return true;
}

/* What is asked when all of this was answered; QUERY_LETTER: nothing more. */
static enum query after(const struct inquiry_link *link)
{
    switch (link->query) {
    case QUERY_TOTALS: return QUERY_WORKERS;
    case QUERY_WORKERS: return QUERY_LANES;
    case QUERY_LANES: return link->minor >= MINOR_OF_RUNS ? QUERY_RUNS : QUERY_DEAD;
    case QUERY_RUNS: return QUERY_DEAD;
    case QUERY_DEAD:
    case QUERY_LETTER: break;
    }
    return QUERY_LETTER;
}

/* A cursor that does not advance would keep us asking for ever. */
static void ask_next(struct inquiry_link *link, const struct message_answer *answer,
                     const tmesh_ventilator_row_t *row)
{
    bool more = answer->cursor > link->cursor && !is_full(row, link->query);
    link->asked = false;
    link->cursor = more ? answer->cursor : 0;
    if (more) return;
    enum query next = after(link);
    if (next == QUERY_LETTER)
        link->done = true;
    else
        link->query = next;
}

void inquiry_add(struct inquiry *inquiry, uint32_t number, const struct message_answer *answer)
{
    struct inquiry_link *link = &inquiry->links[number];
    /* An answer to somebody who asked before, and did not wait. */
    if (inquiry->status == NULL || !link->asked || answer->query != link->query) return;
    tmesh_ventilator_row_t *row = row_of(inquiry, number);
    switch (answer->query) {
    case QUERY_TOTALS:
        if (answer->count > 0) add_totals(row, answer->totals);
        break;
    case QUERY_WORKERS: add_workers(row, answer); break;
    case QUERY_LANES: add_lanes(row, answer); break;
    case QUERY_DEAD: add_dead(row, answer); break;
    case QUERY_RUNS: add_runs(row, answer); break;
    case QUERY_LETTER: break;
    }
    ask_next(link, answer, row);
}

void tmesh_status_destroy(tmesh_status_t **status)
{
    if (*status == NULL) return;
    for (size_t at = 0; at < (*status)->ventilator_count; at++) {
        const tmesh_ventilator_row_t *row = &(*status)->ventilators[at];
        free((void *)row->workers);
        free((void *)row->lanes);
        free((void *)row->runs);
        free((void *)row->dead_rows);
    }
    free((void *)(*status)->ventilators);
    free(*status);
    *status = NULL;
}
