/* transition.c - the life of a task: every change of state, in one place.
 *
 *               +------------- retry, lost worker --------------+
 *               v                                               |
 *  WAITING -> READY -> LEASED -> DONE                           |
 *     ^                  |----------------------------------- --+
 *     +--- backoff ------+----> FAILED, DEAD (dead letters) -> READY, if an
 *                               operator says so
 *  WAITING, READY, LEASED ----> CANCELLED
 *
 * Each function is one arrow: it checks where the task comes from, moves it
 * between the structures that belong to states, and makes one record.  Who may
 * ask for which arrow, and when, is decided elsewhere.
 */
#include "planted.h"
#include "random.h"
#include "ventilator_state.h"

static struct task *task_at(struct ventilator *ventilator, uint32_t slot)
{
    struct task *task = &ventilator->tasks[slot];
    assert(task->state != TASK_NONE);
    return task;
}

/* `peer`: the slot of the node concerned, or PEER_NONE. */
static void note_delay(struct ventilator *ventilator, uint32_t slot, enum record_kind kind,
                       uint32_t peer, uint64_t delay_ns)
{
    const struct task *task = &ventilator->tasks[slot];
    if (!ventilator->options.routine && record_is_routine(kind, (enum task_state)task->state)) {
        return;
    }
    struct record record = {
        .kind = kind,
        .state = (enum task_state)task->state,
        .reason = (enum reason)task->reason,
        .attempt = task->attempt,
        .id = *ventilator_id(ventilator, slot),
        .delay_ns = delay_ns,
    };
    if (peer != PEER_NONE) record.peer = ventilator->peers.nodes.ids[peer];
    ventilator_record(ventilator, &record);
}

static void note(struct ventilator *ventilator, uint32_t slot, enum record_kind kind, uint32_t peer)
{
    note_delay(ventilator, slot, kind, peer, 0);
}

/* READY, behind all others, with a place in line that it has already. */
static void stand_last(struct ventilator *ventilator, uint32_t slot)
{
    struct task *task = &ventilator->tasks[slot];
    struct lane *lane = &ventilator->lanes.lanes[task->lane];
    task->state = TASK_READY;
    task_append(ventilator->tasks, &lane->ready, slot);
    if (lane->ready.count == 1) {
        lanes_ready_changed(&ventilator->lanes, task->lane, ventilator->tasks);
    }
}

/* READY, behind all others.  The place is the number of the entry to come, so that most
 * entries need not name it: after a restart, who came first is known by the entries. */
static void line_up(struct ventilator *ventilator, uint32_t slot)
{
    if (ventilator->orders < ventilator->appended_lsn) {
        ventilator->orders = ventilator->appended_lsn;
    }
    ventilator->tasks[slot].order = ++ventilator->orders;
    stand_last(ventilator, slot);
}

/* READY, before all others: it waited once already. */
static void step_ahead(struct ventilator *ventilator, uint32_t slot)
{
    struct task *task = &ventilator->tasks[slot];
    task->state = TASK_READY;
    task_prepend(ventilator->tasks, &ventilator->lanes.lanes[task->lane].ready, slot);
    lanes_ready_changed(&ventilator->lanes, task->lane, ventilator->tasks);
}

static void leave_worker(struct ventilator *ventilator, uint32_t slot)
{
    struct task *task = &ventilator->tasks[slot];
    struct peer *worker = &ventilator->peers.peers[task->holder];
    struct task_list *list = task->sent == TASK_SENT     ? &worker->leases
                             : task->sent == TASK_ORPHAN ? &worker->orphans
                                                         : &worker->fresh;
    if (task->sent == TASK_UNSENT) { /* so its credit is still to be used */
        worker->given_tasks--;
        worker->given_bytes -= task->payload.size;
    }
    task_unlink(ventilator->tasks, list, slot);
    if (task->limit_ms != 0) heap_remove(&ventilator->alarms, slot);
    if (task->row != 0) ventilator_end_progress(ventilator, slot);
    ventilator->lanes.lanes[task->lane].leased--;
    ventilator->totals.leased--;
    ventilator_note_lease_over(ventilator, slot);
    task->holder = PEER_NONE;
    task->recalled = 0;
}

static void leave_line(struct ventilator *ventilator, uint32_t slot)
{
    struct task *task = &ventilator->tasks[slot];
    struct lane *lane = &ventilator->lanes.lanes[task->lane];
    task_unlink(ventilator->tasks, &lane->ready, slot);
    if (lane->ready.count == 0)
        lanes_ready_changed(&ventilator->lanes, task->lane, ventilator->tasks);
    ventilator->totals.ready--;
}

static void leave_waiting(struct ventilator *ventilator, uint32_t slot)
{
    heap_remove(&ventilator->alarms, slot);
    ventilator->lanes.lanes[ventilator->tasks[slot].lane].waiting--;
    ventilator->totals.waiting--;
}

void task_accept(struct ventilator *ventilator, uint32_t slot)
{
    line_up(ventilator, slot);
    ventilator->totals.ready++;
    ventilator->totals.submitted++;
    note(ventilator, slot, RECORD_ACCEPTED, PEER_NONE);
    ventilator_write(ventilator, slot, WRITTEN_WHOLE);
}

void task_lease(struct ventilator *ventilator, uint32_t slot, uint32_t worker)
{
    struct task *task = task_at(ventilator, slot);
    assert(task->state == TASK_READY);
    leave_line(ventilator, slot);
    task->state = TASK_LEASED;
    task->attempt++;
    do task->token = random_next(&ventilator->random);
    while (task->token == 0);
    task->holder = worker;
    task->sent = TASK_UNSENT;
    task->row = 0;
    task_append(ventilator->tasks, &ventilator->peers.peers[worker].fresh, slot);
    ventilator->lanes.lanes[task->lane].leased++;
    ventilator->totals.leased++;
    ventilator->totals.dispatched++;
    ventilator_watch_lease(ventilator, slot);
    note(ventilator, slot, RECORD_LEASED, worker);
    ventilator_write(ventilator, slot, WRITTEN_LEASE);
}

void task_return(struct ventilator *ventilator, uint32_t slot)
{
    struct task *task = task_at(ventilator, slot);
    assert(task->state == TASK_LEASED && task->attempt > 0);
    uint32_t worker = task->holder;
    bool recalled = task->recalled != 0;
    leave_worker(ventilator, slot);
    if (recalled) {
        task->holder = worker; /* which is asked last now */
        ventilator->totals.recalled++;
    }
    task->attempt--;
    task->token = 0;
    step_ahead(ventilator, slot);
    ventilator->totals.ready++;
    ventilator->totals.returned++;
    note(ventilator, slot, RECORD_RETURNED, worker);
    ventilator_write(ventilator, slot, WRITTEN_CHANGE);
}

void task_resume(struct ventilator *ventilator, uint32_t slot, uint32_t worker)
{
    struct task *task = task_at(ventilator, slot);
    assert(task->token != 0);
    if (task->state == TASK_READY)
        leave_line(ventilator, slot);
    else
        leave_waiting(ventilator, slot);
    task->state = TASK_LEASED;
    task->holder = worker;
    task->sent = TASK_SENT;
    task->row = 0;
    task_append(ventilator->tasks, &ventilator->peers.peers[worker].leases, slot);
    ventilator->lanes.lanes[task->lane].leased++;
    ventilator->totals.leased++;
    ventilator_watch_lease(ventilator, slot);
    note(ventilator, slot, RECORD_LEASED, worker);
    ventilator_write(ventilator, slot, WRITTEN_LEASE);
}

void task_requeue(struct ventilator *ventilator, uint32_t slot, enum loss loss)
{
    struct task *task = task_at(ventilator, slot);
    assert(task->state == TASK_LEASED);
    if (loss == LOSS_COUNTED && ++task->losses >= ventilator->options.losses_max) {
        task_end(ventilator, slot, TASK_DEAD, REASON_LOSSES);
        return;
    }
    uint32_t worker = task->holder;
    leave_worker(ventilator, slot);
    step_ahead(ventilator, slot); /* its token stays: a late completion saves a run */
    ventilator->totals.ready++;
    ventilator->totals.requeued++;
    note(ventilator, slot, RECORD_REQUEUED, worker);
    ventilator_write(ventilator, slot, WRITTEN_CHANGE);
}

void task_retry(struct ventilator *ventilator, uint32_t slot, uint64_t delay_ns)
{
    struct task *task = task_at(ventilator, slot);
    assert(task->state == TASK_LEASED);
    uint32_t worker = task->holder;
    leave_worker(ventilator, slot);
    task->state = TASK_WAITING;
    if (!planted(PLANTED_RETRY_KEEPS_TOKEN)) task->token = 0;
    heap_set(&ventilator->alarms, slot, instant_after(ventilator->now_ns, delay_ns));
    ventilator->lanes.lanes[task->lane].waiting++;
    ventilator->totals.waiting++;
    ventilator->totals.retried++;
    note_delay(ventilator, slot, RECORD_RETRIED, worker, delay_ns);
    ventilator_write(ventilator, slot, WRITTEN_TEXT);
}

void task_ripen(struct ventilator *ventilator, uint32_t slot)
{
    const struct task *task = task_at(ventilator, slot);
    assert(task->state == TASK_WAITING);
    leave_waiting(ventilator, slot);
    if (task->token == 0)
        line_up(ventilator, slot);
    else
        step_ahead(ventilator, slot); /* its worker did not come back after our restart */
    ventilator->totals.ready++;
    note(ventilator, slot, RECORD_RIPE, PEER_NONE);
}

void task_drop_values(struct ventilator *ventilator, struct task *task)
{
    store_drop(&ventilator->store, &task->payload);
    store_drop(&ventilator->store, &task->result);
    store_drop(&ventilator->store, &task->text);
}

static void bury_letter(struct ventilator *ventilator, uint32_t slot)
{
    if (letters_are_full(&ventilator->letters)) task_drop_oldest_letter(ventilator);
    struct task *task = &ventilator->tasks[slot];
    task->row = letters_add(&ventilator->letters, slot);
    task->kept |= TASK_KEPT_DEAD;
    ventilator->lanes.lanes[task->lane].dead++; /* or its name would be lost */
}

static void leave_letters(struct ventilator *ventilator, uint32_t slot)
{
    const struct task *task = task_at(ventilator, slot);
    assert((task->kept & TASK_KEPT_DEAD) != 0);
    letters_remove(&ventilator->letters, task->row);
    ventilator->lanes.lanes[task->lane].dead--;
}

/* Its id is remembered for the full time from now on: it may have ended long ago. */
static void drop_letter(struct ventilator *ventilator, uint32_t slot)
{
    leave_letters(ventilator, slot);
    ventilator->tasks[slot].order = ventilator->now_ns;
    store_drop(&ventilator->store, &ventilator->tasks[slot].payload);
    task_let_go(ventilator, slot, TASK_KEPT_DEAD);
}

bool task_drop_oldest_letter(struct ventilator *ventilator)
{
    if (ventilator->letters.count == 0) return false;
    uint32_t oldest = letters_first(&ventilator->letters);
    drop_letter(ventilator, ventilator->letters.rows[oldest].slot);
    return true;
}

void task_drop_letter(struct ventilator *ventilator, uint32_t slot)
{
    note(ventilator, slot, RECORD_DROPPED, PEER_NONE);
    drop_letter(ventilator, slot);
}

void task_revive(struct ventilator *ventilator, uint32_t slot)
{
    struct task *task = &ventilator->tasks[slot];
    leave_letters(ventilator, slot);
    if ((task->kept & TASK_KEPT_RESULT) != 0) ventilator_recall_result(ventilator, slot);
    store_drop(&ventilator->store, &task->result);
    store_drop(&ventilator->store, &task->text);
    task->kept = 0;
    task->reason = REASON_NONE;
    task->failures = task->crashes = task->losses = 0;
    line_up(ventilator, slot);
    ventilator->totals.ready++;
    note(ventilator, slot, RECORD_REVIVED, PEER_NONE);
    ventilator_write(ventilator, slot, WRITTEN_WHOLE);
}

static void count_end(struct ventilator *ventilator, enum task_state state)
{
    if (state == TASK_DONE) ventilator->totals.done++;
    if (state == TASK_FAILED) ventilator->totals.failed++;
    if (state == TASK_DEAD) ventilator->totals.dead++;
    if (state == TASK_CANCELLED) ventilator->totals.cancelled++;
}

void task_end(struct ventilator *ventilator, uint32_t slot, enum task_state state,
              enum reason reason)
{
    struct task *task = task_at(ventilator, slot);
    assert(state >= TASK_DONE && state <= TASK_CANCELLED);
    assert((state == TASK_DONE) == (reason == REASON_NONE));
    assert((state == TASK_CANCELLED) == (reason == REASON_CANCELLED));
    uint32_t worker = PEER_NONE;
    if (task->state == TASK_LEASED) {
        worker = task->holder;
        leave_worker(ventilator, slot);
    } else if (task->state == TASK_READY) {
        leave_line(ventilator, slot);
    } else {
        assert(task->state == TASK_WAITING);
        leave_waiting(ventilator, slot);
    }
    task->state = (uint8_t)state;
    task->reason = (uint8_t)reason;
    task->order = ventilator->now_ns;
    task->token = 0;
    count_end(ventilator, state);
    note(ventilator, slot, RECORD_ENDED, worker);
    if (state == TASK_FAILED || state == TASK_DEAD)
        bury_letter(ventilator, slot);
    else
        store_drop(&ventilator->store, &task->payload);
    if (task->owner != 0) ventilator_owe_result(ventilator, slot);
    ventilator_write(ventilator, slot, WRITTEN_WHOLE);
    task_lay_down(ventilator, slot);
}

void task_cancel(struct ventilator *ventilator, uint32_t slot)
{
    if (task_at(ventilator, slot)->state == TASK_LEASED) ventilator_revoke(ventilator, slot);
    task_end(ventilator, slot, TASK_CANCELLED, REASON_CANCELLED);
}

/* Who had a lease when we stopped may be back with it soon, and keeps it then.  If not, the
 * last one in line steps ahead first, and the first one last. */
static uint64_t wait_for_worker(const struct ventilator *ventilator, struct task *task)
{
    const uint64_t apart_ns_max = 10 * MILLISECOND;
    assert(task->token != 0 && task->order <= ventilator->leased_latest);
    uint64_t apart_ns = ventilator->leased_latest - task->order;
    task->state = TASK_WAITING;
    return ventilator->options.lost_ns + (apart_ns < apart_ns_max ? apart_ns : apart_ns_max);
}

static void restore_end(struct ventilator *ventilator, uint32_t slot)
{
    struct task *task = &ventilator->tasks[slot];
    uint32_t kept = task->kept;
    task->order = ventilator->now_ns; /* its id is remembered for the full time again */
    task->kept = 0;
    if ((kept & TASK_KEPT_DEAD) != 0) bury_letter(ventilator, slot);
    if ((kept & TASK_KEPT_RESULT) != 0) ventilator_owe_result(ventilator, slot);
    note(ventilator, slot, RECORD_RESTORED, PEER_NONE);
    task_lay_down(ventilator, slot);
}

void task_restore(struct ventilator *ventilator, uint32_t slot)
{
    struct task *task = task_at(ventilator, slot);
    struct lane *lane = &ventilator->lanes.lanes[task->lane];
    if (task->state >= TASK_DONE) {
        restore_end(ventilator, slot);
        return;
    }
    uint64_t delay_ns =
        task->state == TASK_LEASED ? wait_for_worker(ventilator, task) : task->order;
    if (task->state == TASK_WAITING) {
        heap_set(&ventilator->alarms, slot, instant_after(ventilator->now_ns, delay_ns));
        lane->waiting++;
        ventilator->totals.waiting++;
    } else {
        assert(task->state == TASK_READY);
        if (ventilator->orders < task->order) ventilator->orders = task->order;
        stand_last(ventilator, slot);
        ventilator->totals.ready++;
    }
    note(ventilator, slot, RECORD_RESTORED, PEER_NONE);
}

void task_let_go(struct ventilator *ventilator, uint32_t slot, enum task_kept kept)
{
    struct task *task = task_at(ventilator, slot);
    task->kept &= (uint8_t)~kept;
    ventilator_write(ventilator, slot, WRITTEN_SETTLED);
    task_lay_down(ventilator, slot);
}
