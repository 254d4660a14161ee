/* ventilator_dispose.c - DISPOSE: dead letters are tried again, or dropped, as an
 * operator says; and tasks that nobody wants any more are cancelled.
 *
 * Owns: how much of that one step does, and where the next goes on.
 */
#include "planted.h"
#include "ventilator_state.h"

enum { LETTERS_SEEN_EACH_STEP = 16 * MESSAGE_LETTERS_MAX, TASKS_SEEN_EACH_STEP = 16 * 1024 };

static bool retries(enum disposal disposal)
{
    switch (disposal) {
    case DISPOSAL_RETRY:
    case DISPOSAL_RETRY_ALL: return true;
    case DISPOSAL_DROP:
    case DISPOSAL_CANCEL:
    case DISPOSAL_CANCEL_ALL:
    case DISPOSAL_DROP_ALL: break;
    }
    return false;
}

/* Why no letter at all can be tried again now: it becomes a task like others,
 * and is written down as one. */
static enum reason retry_refusal(const struct ventilator *ventilator)
{
    if (ventilator->draining) return REASON_DRAINING;
    bool full = ventilator->journal_full ||
                ventilator_held_count(ventilator) >= ventilator->options.tasks_max;
    return full ? REASON_BUSY : REASON_NONE;
}

/* Its payload made room for a result that then did not fit either. */
static bool is_hollow(const struct task *task)
{
    return task->reason == REASON_BUSY && task->payload.place == 0;
}

/* BUSY: not now, and nothing changed. */
static enum reason cancel(struct ventilator *ventilator, uint32_t slot)
{
    uint32_t worker = ventilator->tasks[slot].holder;
    if (!ventilator_can_revoke(ventilator, slot)) return REASON_BUSY;
    task_cancel(ventilator, slot);
    if (worker != PEER_NONE) ventilator_ring_update(ventilator, worker); /* it may hold another */
    return REASON_NONE;
}

/* One that was cancelled already is no mistake: the answer may have been lost. */
static enum reason cancel_one(struct ventilator *ventilator, const struct id *id)
{
    const struct known *known = &ventilator->known;
    uint32_t row = index_find(&known->ids, id);
    if (row == INDEX_NONE) return REASON_NO_TASK;
    uint32_t slot = known_task(known, row);
    uint32_t state = slot == TASK_NOWHERE ? known->rows[row].state : ventilator->tasks[slot].state;
    if (state == TASK_CANCELLED) return REASON_NONE;
    if (state >= TASK_DONE) return REASON_ENDED;
    if (planted(PLANTED_CANCEL_SPARES_RUNS) && state == TASK_LEASED) return REASON_NONE;
    return cancel(ventilator, slot);
}

static enum reason dispose_one(struct ventilator *ventilator, const struct id *id,
                               enum disposal disposal)
{
    if (disposal == DISPOSAL_CANCEL) return cancel_one(ventilator, id);
    bool retry = retries(disposal);
    uint32_t slot = known_find(&ventilator->known, id);
    if (slot == TASK_NOWHERE) return REASON_NO_LETTER;
    const struct task *task = &ventilator->tasks[slot];
    if ((task->kept & TASK_KEPT_DEAD) == 0) return REASON_NO_LETTER;
    if (!retry) {
        task_drop_letter(ventilator, slot);
        return REASON_NONE;
    }
    if (is_hollow(task)) return REASON_FORGOTTEN;
    enum reason refusal = retry_refusal(ventilator);
    if (refusal == REASON_NONE) task_revive(ventilator, slot);
    return refusal;
}

static void dispose_named(struct ventilator *ventilator, const struct message_dispose *dispose,
                          struct message_disposed *answer)
{
    struct rejection *rejections = ventilator->out->rejections;
    for (uint32_t item = 0; item < dispose->count; item++) {
        enum reason reason = dispose_one(ventilator, &dispose->ids[item], dispose->disposal);
        if (reason == REASON_NONE)
            answer->affected++;
        else
            rejections[answer->count++] = (struct rejection){.item = item, .reason = reason};
    }
    ventilator->out->rejection_count = answer->count;
    answer->rejections = rejections;
}

static bool matches(const struct ventilator *ventilator, const struct task *task,
                    const struct message_dispose *dispose)
{
    const struct lane *lane = &ventilator->lanes.lanes[task->lane];
    struct bytes queue = bytes_of(lane->queue, lane->queue_bytes);
    struct bytes name = bytes_of(lane->name, lane->name_bytes);
    return (dispose->queue.size == 0 || bytes_equal(dispose->queue, queue)) &&
           (dispose->name.size == 0 || bytes_equal(dispose->name, name));
}

/* Those that were letters when the first question came: whatever fails again
 * meanwhile comes behind them, or this would never end.  The cursor's upper half
 * is the number of the latest of these, its lower half that of the next. */
static void dispose_all(struct ventilator *ventilator, const struct message_dispose *dispose,
                        struct message_disposed *answer)
{
    const struct letters *letters = &ventilator->letters;
    bool retry = retries(dispose->disposal);
    uint32_t latest = dispose->cursor == 0 ? letters->latest : (uint32_t)(dispose->cursor >> 32);
    uint32_t row = letters_from(letters, (uint32_t)dispose->cursor), seen = 0;
    while (row != LETTER_NONE && (int32_t)(letters->rows[row].number - latest) <= 0) {
        if (retry) answer->reason = retry_refusal(ventilator);
        if (answer->reason != REASON_NONE) return;
        if (answer->affected == MESSAGE_LETTERS_MAX || seen++ == LETTERS_SEEN_EACH_STEP) {
            answer->cursor = (uint64_t)latest << 32 | letters->rows[row].number;
            return;
        }
        uint32_t slot = letters->rows[row].slot;
        const struct task *task = &ventilator->tasks[slot];
        row = letters_next(letters, row);
        if (!matches(ventilator, task, dispose) || (retry && is_hollow(task))) continue;
        answer->affected++;
        if (retry)
            task_revive(ventilator, slot);
        else
            task_drop_letter(ventilator, slot);
    }
}

static bool is_to_end(const struct ventilator *ventilator, const struct task *task,
                      const struct message_dispose *dispose)
{
    bool open = task->state != TASK_NONE && task->state < TASK_DONE;
    return open && matches(ventilator, task, dispose);
}

/* By their places in the table, of which the cursor is the next: this ends, whatever is
 * submitted meanwhile, and may or may not meet that. */
static void cancel_all(struct ventilator *ventilator, const struct message_dispose *dispose,
                       struct message_disposed *answer)
{
    uint64_t end = ventilator->slots.fresh, seen = 0;
    for (uint64_t slot = dispose->cursor; slot < end; slot++) {
        if (answer->affected == MESSAGE_LETTERS_MAX || seen++ == TASKS_SEEN_EACH_STEP) {
            answer->cursor = slot;
            return;
        }
        if (!is_to_end(ventilator, &ventilator->tasks[slot], dispose)) continue;
        answer->reason = cancel(ventilator, (uint32_t)slot);
        if (answer->reason != REASON_NONE) return;
        answer->affected++;
    }
}

/* Too many answers wait for the disk already.  They come in the order of the questions:
 * when one to this peer is among them, it has to ask again in another session. */
static void put_off(struct ventilator *ventilator, uint32_t peer,
                    const struct message_dispose *dispose)
{
    if (ventilator->peers.peers[peer].disposed_held > 0) {
        ventilator_reset_session(ventilator, peer);
        return;
    }
    struct rejection *rejections = ventilator->out->rejections;
    for (uint32_t item = 0; item < dispose->count; item++) {
        rejections[item] = (struct rejection){.item = item, .reason = REASON_BUSY};
    }
    ventilator_send(ventilator, peer, MESSAGE_DISPOSED)->u.disposed =
        (struct message_disposed){.disposal = dispose->disposal,
                                  .reason = REASON_BUSY,
                                  .rejections = rejections,
                                  .count = dispose->count};
}

void ventilator_dispose(struct ventilator *ventilator, uint32_t peer,
                        const struct message_dispose *dispose)
{
    struct message_disposed answer = {.disposal = dispose->disposal};
    assert(dispose->count <= MESSAGE_LETTERS_MAX);
    if (!held_has_room(ventilator, dispose->count)) {
        put_off(ventilator, peer, dispose);
        return;
    }
    switch (dispose->disposal) {
    case DISPOSAL_CANCEL:
    case DISPOSAL_RETRY:
    case DISPOSAL_DROP: dispose_named(ventilator, dispose, &answer); break;
    case DISPOSAL_RETRY_ALL:
    case DISPOSAL_DROP_ALL: dispose_all(ventilator, dispose, &answer); break;
    case DISPOSAL_CANCEL_ALL: cancel_all(ventilator, dispose, &answer); break;
    }
    held_dispose(ventilator, peer, &answer);
}
