/* ventilator_query.c - QUERY: what `tmesh status` shows, a page at a time. */
#include "ventilator_state.h"

enum { SLOTS_EACH_ANSWER = 4096 }; /* peer records looked at for one page of workers */

static uint32_t worker_rows(struct ventilator *ventilator, uint32_t cursor, uint32_t *next)
{
    struct worker_row *rows = ventilator->out->rows.workers;
    uint32_t count = 0, slot = cursor, end = ventilator->peers.nodes.fresh;
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

static uint32_t dead_rows(struct ventilator *ventilator, uint32_t cursor, uint32_t *next)
{
    struct dead_row *rows = ventilator->out->rows.dead;
    uint32_t count = 0, place = cursor;
    for (; place < ventilator->dead.count && count < MESSAGE_ROWS_MAX; place++) {
        uint32_t slot = slot_ring_at(&ventilator->dead, place);
        const struct task *task = &ventilator->tasks[slot];
        const struct lane *lane = &ventilator->lanes.lanes[task->lane];
        rows[count++] = (struct dead_row){
            .id = ventilator->ids.ids[slot],
            .queue = bytes_of(lane->queue, lane->queue_bytes),
            .name = bytes_of(lane->name, lane->name_bytes),
            .state = (enum task_state)task->state,
            .reason = (enum reason)task->reason,
            .attempt = task->attempt,
            .text = store_get(&ventilator->store, task->text),
        };
    }
    *next = place < ventilator->dead.count ? place : 0;
    return count;
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
    }
    ventilator_send(ventilator, peer, MESSAGE_ANSWER)->u.answer = answer;
}
