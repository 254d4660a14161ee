/* ventilator_query.c - QUERY: what `tmesh status` and `tmesh dead` show, a page at a time. */
#include "ventilator_state.h"

enum {
    SLOTS_EACH_ANSWER = 4096,  /* peer records looked at for one page of workers, or of runs */
    LEASES_EACH_ANSWER = 4096, /* leases looked at for one page of runs */
    LEASE_PLACE_MAX = 65535,   /* of one worker */
    RUN_SHOWN_MS = 1000        /* after so long a lease is worth a row */
};

static uint32_t worker_rows(struct ventilator *ventilator, uint32_t cursor, uint32_t *next)
{
    struct worker_row *rows = ventilator->out->rows.workers;
    uint32_t count = 0, slot = cursor, end = ventilator->peers.nodes.slots.fresh;
    for (uint32_t seen = 0; slot < end && count < MESSAGE_ROWS_MAX && seen < SLOTS_EACH_ANSWER;
         slot++, seen++) {
        const struct peer *peer = &ventilator->peers.peers[slot];
        if (peer->state == PEER_FREE || peer->state == PEER_GONE || peer->role != ROLE_WORKER) {
            continue;
        }
        uint64_t silence_ns = turn_silence(&ventilator->turn, peer->heard_ns, ventilator->now_ns);
        rows[count++] = (struct worker_row){
            .label = store_get(&ventilator->store, peer->label),
            .node = ventilator->peers.nodes.ids[slot],
            .slots = peer->slots,
            .leased = peer->leases.count + peer->fresh.count + peer->orphans.count,
            .running = peer->running,
            .completed = peer->completed,
            .silent_ms = (uint32_t)(silence_ns / MILLISECOND),
            .hung = peer->hung,
            .draining = peer->draining,
        };
    }
    *next = slot < end ? slot : 0;
    return count;
}

static uint32_t lane_rows(struct ventilator *ventilator, uint32_t cursor, uint32_t *next)
{
    struct lane_row *rows = ventilator->out->rows.lanes;
    uint32_t count = 0, number = cursor;
    for (; number < ventilator->lanes.lane_count && count < MESSAGE_ROWS_MAX; number++) {
        const struct lane *lane = &ventilator->lanes.lanes[number];
        rows[count++] = (struct lane_row){
            .queue = bytes_of(lane->queue, lane->queue_bytes),
            .name = bytes_of(lane->name, lane->name_bytes),
            .waiting = lane->waiting,
            .ready = lane->ready.count,
            .leased = lane->leased,
            .workers = lane->workers,
        };
    }
    *next = number < ventilator->lanes.lane_count ? number : 0;
    return count;
}

static struct dead_row dead_row(const struct ventilator *ventilator, uint32_t slot)
{
    const struct task *task = &ventilator->tasks[slot];
    const struct lane *lane = &ventilator->lanes.lanes[task->lane];
    return (struct dead_row){
        .id = *ventilator_id(ventilator, slot),
        .queue = bytes_of(lane->queue, lane->queue_bytes),
        .name = bytes_of(lane->name, lane->name_bytes),
        .state = (enum task_state)task->state,
        .reason = (enum reason)task->reason,
        .attempt = task->attempt,
        .text = store_get(&ventilator->store, task->text),
        .failures = task->failures,
        .crashes = task->crashes,
        .losses = task->losses,
        .age_ms = (ventilator->now_ns - task->order) / MILLISECOND,
        .payload_bytes = task->payload.size,
    };
}

/* A cursor is the number of the letter to go on with. */
static uint32_t dead_rows(struct ventilator *ventilator, uint32_t cursor, uint32_t *next)
{
    const struct letters *letters = &ventilator->letters;
    struct dead_row *rows = ventilator->out->rows.dead;
    uint32_t count = 0, row = letters_from(letters, cursor);
    for (; row != LETTER_NONE && count < MESSAGE_ROWS_MAX; row = letters_next(letters, row)) {
        rows[count++] = dead_row(ventilator, letters->rows[row].slot);
    }
    *next = row != LETTER_NONE ? letters->rows[row].number : 0;
    return count;
}

/* Payload and result together may be larger than a message, so each has a page. */
static uint32_t letter_row(struct ventilator *ventilator, const struct message_query *query,
                           uint32_t *next)
{
    uint32_t slot = known_find(&ventilator->known, &query->id);
    if (slot == TASK_NOWHERE || (ventilator->tasks[slot].kept & TASK_KEPT_DEAD) == 0) return 0;
    const struct task *task = &ventilator->tasks[slot];
    bool first = query->cursor == 0;
    ventilator->out->rows.letter = (struct letter_row){
        .dead = dead_row(ventilator, slot),
        .value = store_get(&ventilator->store, first ? task->payload : task->result),
    };
    *next = first && task->result.place != 0 ? 1 : 0;
    return 1;
}

static struct run_row run_row(const struct ventilator *ventilator, uint32_t slot)
{
    const struct task *task = &ventilator->tasks[slot];
    const struct lane *lane = &ventilator->lanes.lanes[task->lane];
    struct run_row row = {
        .id = *ventilator_id(ventilator, slot),
        .queue = bytes_of(lane->queue, lane->queue_bytes),
        .name = bytes_of(lane->name, lane->name_bytes),
        .attempt = task->attempt,
        .worker = store_get(&ventilator->store, ventilator->peers.peers[task->holder].label),
        .leased_ms = ventilator_leased_ms(ventilator, task),
    };
    if (task->row == 0) return row;
    const struct run *run = &ventilator->runs.rows[task->row - 1];
    row.told = 1;
    row.number = run->number;
    row.text = bytes_of(run->text, run->text_bytes);
    row.told_ms = (ventilator->now_ns - run->told_ns) / MILLISECOND;
    return row;
}

/* How far a page of runs is: a worker, and a place among its leases. */
struct runs_page {
    uint32_t worker, place, count, left;
};

/* The leases of one worker from `place` on.  False when the page ends before they do. */
static bool add_runs(struct ventilator *ventilator, struct runs_page *page)
{
    const struct peer *worker = &ventilator->peers.peers[page->worker];
    uint32_t place = 0;
    for (uint32_t at = worker->leases.first; at != TASK_NOWHERE && place < LEASE_PLACE_MAX;
         at = ventilator->tasks[at].next, place++) {
        if (place < page->place) continue;
        page->place = place;
        if (page->count == MESSAGE_ROWS_MAX || page->left == 0) return false;
        page->left--;
        const struct task *task = &ventilator->tasks[at];
        if (task->row == 0 && ventilator_leased_ms(ventilator, task) < RUN_SHOWN_MS) continue;
        ventilator->out->rows.runs[page->count++] = run_row(ventilator, at);
    }
    page->place = 0;
    return true;
}

/* A cursor is a worker and a place among its leases, 16 bits each.  When leases
 * before that end meanwhile, the next page begins as many too late. */
static uint32_t run_rows(struct ventilator *ventilator, uint32_t cursor, uint32_t *next)
{
    struct runs_page page = {
        .worker = cursor >> 16, .place = cursor & 0xffff, .left = LEASES_EACH_ANSWER};
    uint32_t end = ventilator->peers.nodes.slots.fresh, seen = 0;
    for (; page.worker < end; page.worker++, page.place = 0) {
        if (seen++ == SLOTS_EACH_ANSWER) break;
        const struct peer *peer = &ventilator->peers.peers[page.worker];
        if (peer->state == PEER_FREE || peer->role != ROLE_WORKER) continue;
        if (!add_runs(ventilator, &page)) break;
    }
    *next = page.worker < end ? page.worker << 16 | page.place : 0;
    return page.count;
}

void ventilator_query(struct ventilator *ventilator, uint32_t peer,
                      const struct message_query *query)
{
    struct ventilator_actions *out = ventilator->out;
    struct message_answer answer = {.query = query->query, .count = 1};
    switch (query->query) {
    case QUERY_TOTALS:
        ventilator_totals(ventilator, ventilator->now_ns, &out->rows.totals);
        answer.totals = &out->rows.totals;
        break;
    case QUERY_WORKERS:
        answer.count = worker_rows(ventilator, query->cursor, &answer.cursor);
        answer.workers = out->rows.workers;
        break;
    case QUERY_LANES:
        answer.count = lane_rows(ventilator, query->cursor, &answer.cursor);
        answer.lanes = out->rows.lanes;
        break;
    case QUERY_DEAD:
        answer.count = dead_rows(ventilator, query->cursor, &answer.cursor);
        answer.dead = out->rows.dead;
        break;
    case QUERY_LETTER:
        answer.count = letter_row(ventilator, query, &answer.cursor);
        answer.letter = &out->rows.letter;
        break;
    case QUERY_RUNS:
        answer.count = run_rows(ventilator, query->cursor, &answer.cursor);
        answer.runs = out->rows.runs;
        break;
    }
    ventilator_send(ventilator, peer, MESSAGE_ANSWER)->u.answer = answer;
}
