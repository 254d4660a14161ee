/* ventilator_replay.c - the tasks of a journal, built again.
 *
 * While entries come, only the records of tasks are kept up to date, each by
 * its latest entry.  When the last one was read, every task goes to where its
 * state belongs, those that are ready in the order in which they stood in line.  Nobody is
 * connected yet: producers that are owed results are absent, and what was leased waits a while for
 * its worker to come back.
 */
#include "name.h"
#include "planted.h"
#include "ventilator_state.h"

enum { RESTORED_EACH_STEP = 1024, ORDERED_EACH_STEP = 65536 };

/* A lane must not be given to others while tasks name it, although none of them
 * stands in it yet. */
static bool names_lane(const struct task *task)
{
    if (task->state == TASK_NONE || task->state == TASK_DONE) return false;
    return task->state < TASK_DONE || (task->kept & TASK_KEPT_DEAD) != 0;
}

static void leave_lane(struct ventilator *ventilator, const struct task *task)
{
    if (names_lane(task)) ventilator->lanes.lanes[task->lane].waiting--;
}

static void keep_lane(struct ventilator *ventilator, const struct task *task)
{
    if (names_lane(task)) ventilator->lanes.lanes[task->lane].waiting++;
}

/* A producer of before: known, and away. */
static uint32_t absentee(struct ventilator *ventilator, const struct id *node)
{
    uint32_t slot = peers_of_node(&ventilator->peers, node);
    if (slot != PEER_NONE) return slot;
    slot = peers_add(&ventilator->peers, node, ROLE_PRODUCER);
    if (slot == PEER_NONE) return slot;
    struct peer *peer = &ventilator->peers.peers[slot];
    peer->state = PEER_ABSENT;
    peer->heard_ns = ventilator->now_ns > 0 ? ventilator->now_ns : 1;
    peer->gone_ns = instant_after(ventilator->now_ns, ventilator->options.absent_ns_max);
    ventilator_watch(ventilator, slot);
    return slot;
}

/* Without a place for its producer a result is of no use to anybody. */
static void set_owner(struct ventilator *ventilator, struct task *task, const struct id *owner)
{
    uint32_t before = peers_resolve(&ventilator->peers, task->owner);
    uint32_t after = id_is_zero(owner) ? PEER_NONE : absentee(ventilator, owner);
    if (after != PEER_NONE) ventilator->peers.peers[after].owned++;
    task->owner = after == PEER_NONE ? 0 : peers_reference(&ventilator->peers, after);
    if (before == PEER_NONE) return;
    struct peer *peer = &ventilator->peers.peers[before];
    if (--peer->owned == 0) peers_remove(&ventilator->peers, before);
}

/* More ids of ended tasks lie in the journal than are remembered: the older half
 * of them goes, so that the walk is paid for by all that it makes room for. */
static bool forget_half(struct ventilator *ventilator)
{
    const struct circles *written = &ventilator->written;
    const struct known_row *rows = ventilator->known.rows;
    uint32_t head = ventilator_ages_head(ventilator), ended = 0, next;
    for (uint32_t at = circle_next(written, head); at != head; at = circle_next(written, at)) {
        if (rows[at].task == 0) ended++;
    }
    uint32_t left = (ended + 1) / 2;
    for (uint32_t at = circle_next(written, head); left > 0; at = next) {
        next = circle_next(written, at);
        if (rows[at].task != 0) continue;
        task_forget(ventilator, at);
        left--;
    }
    return ended > 0;
}

static uint32_t row_of(struct ventilator *ventilator, const struct id *id)
{
    struct index *ids = &ventilator->known.ids;
    uint32_t row = index_find(ids, id);
    if (row != INDEX_NONE) return row;
    row = index_insert(ids, id);
    if (row == INDEX_NONE && forget_half(ventilator)) row = index_insert(ids, id);
    return row;
}

static uint32_t slot_of(struct ventilator *ventilator, uint32_t row)
{
    uint32_t slot = known_task(&ventilator->known, row);
    if (slot != TASK_NOWHERE) return slot;
    if (ventilator->known.rows[row].state == TASK_NONE) return task_begin(ventilator, row);
    slot = task_recollect(ventilator, row);
    ventilator->tasks[slot].kept = 0; /* it stands in no line yet */
    return slot;
}

/* Nothing but the id of a task that ended is needed any more, as far as was read. */
static void settle(struct ventilator *ventilator, uint32_t slot)
{
    struct task *task = &ventilator->tasks[slot];
    if (task->state < TASK_DONE || task->kept != 0) return;
    set_owner(ventilator, task, &(struct id){{0}});
    task_drop_values(ventilator, task);
    task_shrink(ventilator, slot);
}

static void read_change(struct ventilator *ventilator, struct task *task,
                        const struct journal_entry *entry)
{
    set_owner(ventilator, task, &entry->owner);
    task->state = (uint8_t)entry->state;
    task->reason = (uint8_t)entry->reason;
    task->kept = entry->kept & (TASK_KEPT_RESULT | TASK_KEPT_DEAD);
    task->attempt = entry->attempt;
    task->token = entry->token;
    task->failures = entry->failures;
    task->crashes = entry->crashes;
    task->losses = entry->losses;
    task->attempts_max = entry->attempts_max;
    task->crashes_max = entry->crashes_max;
    task->backoff_ms = entry->backoff_ms;
    task->backoff_ms_max = entry->backoff_ms_max;
    task->limit_ms = entry->limit_ms;
}

/* Of a task that waits it is the delay; who comes back from a worker keeps the place it had. */
static void read_place(struct task *task, enum task_state before, const struct journal_entry *entry)
{
    if (entry->state == TASK_WAITING)
        task->order = entry->delay_ns;
    else if (entry->order != 0)
        task->order = entry->order;
    else if (before != TASK_READY && before != TASK_LEASED)
        task->order = entry->lsn;
}

static bool keep_value(struct ventilator *ventilator, struct bytes value, struct stored *stored)
{
    store_drop(&ventilator->store, stored);
    *stored = store_put(&ventilator->store, value);
    return value.data == NULL || stored->place != 0;
}

static enum reason replay_whole(struct ventilator *ventilator, const struct journal_entry *entry)
{
    bool named = entry->kind == JOURNAL_TASK;
    if (!named && planted(PLANTED_REPLAY_FORGETS_ENDED)) return REASON_NONE;
    if (named != (entry->state != TASK_DONE)) return REASON_MALFORMED;
    if (named && !(name_is_valid(entry->name) && name_is_valid(entry->queue))) {
        return REASON_MALFORMED;
    }
    uint32_t row = row_of(ventilator, &entry->id);
    if (row == INDEX_NONE) return REASON_BUSY;
    uint32_t slot = slot_of(ventilator, row);
    struct task *task = &ventilator->tasks[slot];
    leave_lane(ventilator, task);
    if (named) {
        uint32_t lane = lanes_lane(&ventilator->lanes, entry->queue, entry->name);
        if (lane == TASK_NOWHERE) return REASON_BUSY;
        task->lane = (uint16_t)lane;
    }
    task->soft_ms = entry->soft_ms;
    task->stalled_ms = entry->stalled_ms;
    task->holder = PEER_NONE;
    read_change(ventilator, task, entry);
    read_place(task, TASK_NONE, entry);
    keep_lane(ventilator, task);
    ventilator_note_written(ventilator, row, entry->lsn);
    task_drop_values(ventilator, task);
    bool kept = keep_value(ventilator, entry->payload, &task->payload) &&
                keep_value(ventilator, entry->result, &task->result) &&
                keep_value(ventilator, entry->text, &task->text);
    settle(ventilator, slot);
    return kept ? REASON_NONE : REASON_BUSY;
}

static void replay_settled(struct ventilator *ventilator, struct task *task,
                           const struct journal_entry *entry)
{
    leave_lane(ventilator, task);
    task->kept &= entry->kept;
    keep_lane(ventilator, task);
    if ((task->kept & TASK_KEPT_RESULT) == 0) set_owner(ventilator, task, &(struct id){{0}});
}

/* Whoever it comes back as will be told that it is not known. */
static void replay_given_up(struct ventilator *ventilator, const struct id *node)
{
    uint32_t slot = peers_of_node(&ventilator->peers, node);
    if (slot != PEER_NONE) peers_remove(&ventilator->peers, slot);
}

static enum reason change(struct ventilator *ventilator, struct task *task,
                          const struct journal_entry *entry)
{
    bool ended = task->state >= TASK_DONE;
    if (entry->kind == JOURNAL_SETTLED) {
        if (ended) replay_settled(ventilator, task, entry);
        return REASON_NONE;
    }
    if (entry->kind == JOURNAL_LEASED) {
        if (ended || entry->token == 0) return REASON_MALFORMED;
        if (task->state == TASK_WAITING) task->order = entry->lsn; /* it had ripened */
        task->state = TASK_LEASED;
        task->attempt = entry->attempt;
        task->token = entry->token;
        return REASON_NONE;
    }
    if (ended != (entry->state >= TASK_DONE)) return REASON_MALFORMED;
    leave_lane(ventilator, task);
    enum task_state before = (enum task_state)task->state;
    read_change(ventilator, task, entry);
    read_place(task, before, entry);
    keep_lane(ventilator, task);
    if (entry->text.data == NULL) return REASON_NONE;
    return keep_value(ventilator, entry->text, &task->text) ? REASON_NONE : REASON_BUSY;
}

/* An entry about a task of which nothing was said since the journal begins: it
 * had been forgotten by then. */
static enum reason replay_change(struct ventilator *ventilator, const struct journal_entry *entry)
{
    uint32_t row = index_find(&ventilator->known.ids, &entry->id);
    if (row == INDEX_NONE) return REASON_NONE;
    uint32_t slot = slot_of(ventilator, row);
    enum reason refusal = change(ventilator, &ventilator->tasks[slot], entry);
    settle(ventilator, slot);
    return refusal;
}

static bool is_possible(const struct journal_entry *entry)
{
    if (id_is_zero(&entry->id)) return false;
    if (entry->kind == JOURNAL_LEASED || entry->kind == JOURNAL_SETTLED ||
        entry->kind == JOURNAL_GIVEN_UP) {
        return true;
    }
    if (entry->state < TASK_WAITING || entry->state > TASK_EXPIRED) return false;
    return entry->state != TASK_LEASED || entry->token != 0;
}

void ventilator_replay(struct ventilator *ventilator, const struct journal_entry *entry)
{
    ventilator->appended_lsn = ventilator->durable_lsn = entry->lsn;
    enum reason *refusal = &ventilator->out->refusal;
    if (!is_possible(entry)) {
        *refusal = REASON_MALFORMED;
        return;
    }
    switch (entry->kind) {
    case JOURNAL_TASK:
    case JOURNAL_DONE: *refusal = replay_whole(ventilator, entry); break;
    case JOURNAL_LEASED:
    case JOURNAL_CHANGED:
    case JOURNAL_SETTLED: *refusal = replay_change(ventilator, entry); break;
    case JOURNAL_GIVEN_UP: replay_given_up(ventilator, &entry->id); break;
    }
}

static void restore(struct ventilator *ventilator, uint32_t slot)
{
    leave_lane(ventilator, &ventilator->tasks[slot]);
    task_restore(ventilator, slot);
}

/* Sorts what is ready by its place in line: nothing has an alarm yet, so their heap is free
 * for it.  The three return false when there is more to do. */
static bool restore_order(struct ventilator *ventilator)
{
    for (uint32_t left = ORDERED_EACH_STEP;
         ventilator->restored_next < ventilator->known.ids.slots.fresh;
         ventilator->restored_next++) {
        uint32_t slot = known_task(&ventilator->known, ventilator->restored_next);
        if (left-- == 0) return false;
        if (slot == TASK_NOWHERE) continue;
        const struct task *task = &ventilator->tasks[slot];
        if (task->state == TASK_READY) heap_set(&ventilator->alarms, slot, task->order);
        if (task->state == TASK_LEASED && task->order > ventilator->leased_latest) {
            ventilator->leased_latest = task->order;
        }
    }
    return true;
}

static bool restore_lines(struct ventilator *ventilator)
{
    const struct heap_entry *first;
    for (uint32_t left = RESTORED_EACH_STEP; (first = heap_first(&ventilator->alarms)) != NULL;) {
        uint32_t slot = first->owner;
        if (left-- == 0) return false;
        heap_remove(&ventilator->alarms, slot);
        restore(ventilator, slot);
    }
    return true;
}

static bool restore_rest(struct ventilator *ventilator)
{
    for (uint32_t left = RESTORED_EACH_STEP;
         ventilator->restored_next < ventilator->known.ids.slots.fresh;
         ventilator->restored_next++) {
        uint32_t row = ventilator->restored_next, slot = known_task(&ventilator->known, row);
        bool ended = slot == TASK_NOWHERE && ventilator->known.rows[row].state != TASK_NONE;
        bool waits = slot != TASK_NOWHERE && ventilator->tasks[slot].state != TASK_READY;
        if (!ended && !waits) continue;
        if (left-- == 0) return false;
        if (ended)
            task_restore_ended(ventilator, row);
        else
            restore(ventilator, slot);
    }
    return true;
}

static bool restore_more(struct ventilator *ventilator)
{
    switch (ventilator->restoring) {
    case RESTORES_ORDER: return restore_order(ventilator);
    case RESTORES_LINES: return restore_lines(ventilator);
    case RESTORES_REST: break;
    }
    return restore_rest(ventilator);
}

void ventilator_replayed(struct ventilator *ventilator, uint64_t last_lsn)
{
    /* Nothing may be left of the journal but the count of its entries. */
    if (ventilator->restoring == RESTORES_ORDER && ventilator->restored_next == 0) {
        assert(last_lsn >= ventilator->appended_lsn);
        ventilator->appended_lsn = ventilator->durable_lsn = last_lsn;
    }
    while (restore_more(ventilator)) {
        if (ventilator->restoring == RESTORES_REST) return;
        ventilator->restoring++;
        ventilator->restored_next = 0;
    }
    ventilator->out->more = true;
}
