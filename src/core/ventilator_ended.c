/* ventilator_ended.c - what is left of tasks that ended, and for how long.
 *
 * A task that ended keeps its record while somebody needs it: a producer that has not
 * receipted its result, an operator who may try a dead letter again.  Then its row is all
 * that is left (known.h), in line to be forgotten; more is made of it again if its
 * producer asks once more.
 */
#include "ventilator_state.h"

uint32_t task_begin(struct ventilator *ventilator, uint32_t row)
{
    uint32_t slot = slot_pool_take(&ventilator->slots);
    struct task *task = &ventilator->tasks[slot];
    task->known = row;
    task->holder = PEER_NONE;
    ventilator->known.rows[row].task = slot + 1;
    return slot;
}

void task_shrink(struct ventilator *ventilator, uint32_t slot)
{
    const struct task *task = &ventilator->tasks[slot];
    assert(task->state >= TASK_DONE);
    ventilator->known.rows[task->known] = (struct known_row){
        .attempt = task->attempt,
        .ended_ms = (uint32_t)(task->order / MILLISECOND),
        .lane = task->lane,
        .state = task->state,
        .reason = task->reason,
    };
    task_give(ventilator->tasks, &ventilator->slots, slot);
}

/* How long ago it ended; up to a millisecond more than that. */
static uint64_t age_ns(const struct ventilator *ventilator, const struct known_row *ended)
{
    return ((uint32_t)(ventilator->now_ns / MILLISECOND) - ended->ended_ms) * MILLISECOND;
}

uint32_t task_recollect(struct ventilator *ventilator, uint32_t row)
{
    const struct known_row ended = ventilator->known.rows[row];
    assert(ended.task == 0 && ended.state >= TASK_DONE);
    uint32_t slot = task_begin(ventilator, row);
    struct task *task = &ventilator->tasks[slot];
    task->attempt = ended.attempt;
    task->order = ventilator->now_ns - age_ns(ventilator, &ended);
    task->lane = ended.lane;
    task->state = ended.state;
    task->reason = ended.reason;
    task->kept = TASK_KEPT_ENDED;
    return slot;
}

void task_forget(struct ventilator *ventilator, uint32_t row)
{
    assert(ventilator->known.rows[row].task == 0);
    ventilator_unwrite(ventilator, row);
    ventilator->known.rows[row] = (struct known_row){0};
    index_remove(&ventilator->known.ids, row);
}

/* Has the memory of those fetched that are forgotten in a while: they ended long ago. */
static void fetch_oldest(const struct ventilator *ventilator)
{
    const struct known *known = &ventilator->known;
    if (known->ended.count <= INDEX_FAR + INDEX_NEAR) return;
    uint32_t far = slot_ring_at(&known->ended, INDEX_FAR + INDEX_NEAR);
    index_fetch_id(&known->ids, far);
    __builtin_prefetch(&known->rows[far], 1);
    const struct id *near = &known->ids.ids[slot_ring_at(&known->ended, INDEX_FAR)];
    index_fetch_bucket(&known->ids, index_hash(&known->ids, near));
}

/* Forgets the oldest ended id; it stays if its task does. */
static void forget_oldest(struct ventilator *ventilator)
{
    struct known *known = &ventilator->known;
    if (index_is_large(&known->ids)) fetch_oldest(ventilator);
    uint32_t row = slot_ring_pop(&known->ended), slot = known_task(known, row);
    if (slot == TASK_NOWHERE)
        task_forget(ventilator, row);
    else
        ventilator->tasks[slot].kept &= (uint8_t)~TASK_KEPT_ENDED;
}

static void remember(struct ventilator *ventilator, uint32_t row)
{
    if (slot_ring_is_full(&ventilator->known.ended)) forget_oldest(ventilator);
    slot_ring_push(&ventilator->known.ended, row);
}

void task_lay_down(struct ventilator *ventilator, uint32_t slot)
{
    struct task *task = &ventilator->tasks[slot];
    assert(task->state >= TASK_DONE);
    if ((task->kept & (TASK_KEPT_RESULT | TASK_KEPT_DEAD)) != 0) return;
    task_drop_values(ventilator, task);
    if ((task->kept & TASK_KEPT_ENDED) == 0) remember(ventilator, task->known);
    task_shrink(ventilator, slot);
}

void task_restore_ended(struct ventilator *ventilator, uint32_t row)
{
    struct known_row *ended = &ventilator->known.rows[row];
    assert(ended->task == 0 && ended->state >= TASK_DONE);
    ended->ended_ms = (uint32_t)(ventilator->now_ns / MILLISECOND);
    ventilator_record(ventilator, &(struct record){.kind = RECORD_RESTORED,
                                                   .state = (enum task_state)ended->state,
                                                   .reason = (enum reason)ended->reason,
                                                   .attempt = ended->attempt,
                                                   .id = ventilator->known.ids.ids[row]});
    remember(ventilator, row);
}

void task_forget_ended(struct ventilator *ventilator)
{
    enum { FORGET_EACH_TURN = 512 };
    const struct slot_ring *ended = &ventilator->known.ended;
    for (uint32_t left = FORGET_EACH_TURN; left > 0 && ended->count > 0; left--) {
        uint32_t row = slot_ring_at(ended, 0), slot = known_task(&ventilator->known, row);
        uint64_t since_ns = slot == TASK_NOWHERE
                                ? age_ns(ventilator, &ventilator->known.rows[row])
                                : ventilator->now_ns - ventilator->tasks[slot].order;
        if (since_ns <= ventilator->options.ended_ns_max) return;
        forget_oldest(ventilator);
    }
}
