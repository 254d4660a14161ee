/* ventilator_complete.c - COMPLETE: a run ended; does it count, and what follows. */
#include "planted.h"
#include "retry.h"
#include "ventilator_state.h"

struct task_failure {
    enum task_state state;
    enum reason reason;
};

bool ventilator_lease_counts(const struct task *task, const struct lease *lease)
{
    if (planted(PLANTED_NO_LEASE_CHECK)) return task->state == TASK_LEASED;
    /* A token is never 0, and one that was given back or replaced is gone: so a
     * task that waits in line again after its worker was lost still takes that
     * worker's late completion, and nothing else does. */
    return task->state < TASK_DONE && lease->token != 0 && task->token == lease->token &&
           task->attempt == lease->attempt;
}

static void keep_text(struct ventilator *ventilator, struct task *task, struct bytes text)
{
    store_drop(&ventilator->store, &task->text);
    task->text = store_put(&ventilator->store, text);
}

static void keep_result(struct ventilator *ventilator, uint32_t slot, struct bytes result)
{
    struct task *task = &ventilator->tasks[slot];
    bool wanted = peers_resolve(&ventilator->peers, task->owner) != PEER_NONE;
    store_drop(&ventilator->store, &task->text);
    if (wanted && result.size > ventilator->options.payload_bytes_max) {
        keep_text(ventilator, task, bytes_text("the result is larger than this ventilator allows"));
        task_end(ventilator, slot, TASK_FAILED, REASON_TOO_BIG);
        return;
    }
    if (wanted && result.data != NULL) {
        store_drop(&ventilator->store, &task->payload); /* makes room first */
        task->result = store_put(&ventilator->store, result);
        if (task->result.place == 0) {
            keep_text(ventilator, task,
                      bytes_text("the ventilator had no memory left for the result"));
            task_end(ventilator, slot, TASK_FAILED, REASON_BUSY);
            return;
        }
    }
    task_end(ventilator, slot, TASK_DONE, REASON_NONE);
}

/* The end of a task that fails.  What its last run put out all the same is kept
 * with it if there is room. */
static void give_up(struct ventilator *ventilator, uint32_t slot,
                    const struct completion *completion, struct task_failure failure)
{
    struct task *task = &ventilator->tasks[slot];
    if (completion->result.size <= ventilator->options.payload_bytes_max) {
        task->result = store_put(&ventilator->store, completion->result);
    }
    task_end(ventilator, slot, failure.state, failure.reason);
}

static uint64_t backoff(struct ventilator *ventilator, const struct task *task)
{
    const struct ventilator_options *options = &ventilator->options;
    uint64_t base_ns = task->backoff_ms * MILLISECOND, max_ns = task->backoff_ms_max * MILLISECOND;
    return retry_delay(&ventilator->random, task->failures,
                       base_ns != 0 ? base_ns : options->backoff_ns,
                       max_ns != 0 ? max_ns : options->backoff_ns_max);
}

void ventilator_fail(struct ventilator *ventilator, uint32_t slot,
                     const struct completion *completion)
{
    struct task *task = &ventilator->tasks[slot];
    keep_text(ventilator, task, completion->text);
    if (completion->outcome == OUTCOME_PERMANENT) {
        give_up(ventilator, slot, completion, (struct task_failure){TASK_FAILED, REASON_PERMANENT});
        return;
    }
    if (!planted(PLANTED_FORGET_FAILURE)) task->failures++;
    if (completion->outcome == OUTCOME_CRASHED && ++task->crashes >= task->crashes_max) {
        give_up(ventilator, slot, completion, (struct task_failure){TASK_DEAD, REASON_CRASHES});
        return;
    }
    if (task->failures >= task->attempts_max) {
        give_up(ventilator, slot, completion, (struct task_failure){TASK_FAILED, REASON_ATTEMPTS});
        return;
    }
    uint64_t delay_ns = completion->retry_after_ms * MILLISECOND;
    if (delay_ns == 0) delay_ns = backoff(ventilator, task);
    task_retry(ventilator, slot, delay_ns);
}

void ventilator_note_stale(struct ventilator *ventilator, uint32_t peer, const struct lease *lease)
{
    ventilator->totals.stale++;
    ventilator_record(ventilator, &(struct record){.kind = RECORD_STALE,
                                                   .attempt = lease->attempt,
                                                   .id = lease->id,
                                                   .peer = ventilator->peers.nodes.ids[peer]});
}

static void complete_one(struct ventilator *ventilator, uint32_t peer,
                         const struct completion *completion, uint32_t hash)
{
    uint32_t row = index_find_hashed(&ventilator->known.ids, &completion->lease.id, hash);
    uint32_t slot = known_task_found(&ventilator->known, row);
    if (slot == TASK_NOWHERE ||
        !ventilator_lease_counts(&ventilator->tasks[slot], &completion->lease)) {
        ventilator_note_stale(ventilator, peer, &completion->lease);
        return;
    }
    if (completion->outcome == OUTCOME_DONE) {
        ventilator->peers.peers[peer].completed++;
        keep_result(ventilator, slot, completion->result);
        return;
    }
    bool held = ventilator->tasks[slot].state == TASK_LEASED;
    if (completion->outcome == OUTCOME_RETURNED) {
        if (held) task_return(ventilator, slot);
        return;
    }
    /* A failure that comes after the loss was counted already: the task is in
     * line for its next attempt. */
    if (held) ventilator_fail(ventilator, slot, completion);
}

/* Hashes the ids of the next `count` items, and fetches all that they are about; not for one alone:
 * that is needed at once. */
static void fetch_group(const struct ventilator *ventilator, const struct completion *items,
                        uint32_t count, uint32_t hashes[INDEX_GROUP])
{
    const struct known *known = &ventilator->known;
    uint32_t rows[INDEX_GROUP];
    for (uint32_t at = 0; at < count; at++) {
        hashes[at] = index_hash(&known->ids, &items[at].lease.id);
    }
    if (count == 1) return;
    for (uint32_t at = 0; at < count; at++) index_fetch_bucket(&known->ids, hashes[at]);
    for (uint32_t at = 0; at < count; at++) {
        rows[at] = index_fetch_slot(&known->ids, hashes[at]);
        if (rows[at] != INDEX_NONE) __builtin_prefetch(&known->rows[rows[at]], 1);
    }
    for (uint32_t at = 0; at < count; at++) {
        uint32_t slot = known_task_found(known, rows[at]);
        if (slot != TASK_NOWHERE) task_fetch(&ventilator->tasks[slot]);
    }
}

void ventilator_complete(struct ventilator *ventilator, uint32_t peer,
                         const struct message_complete *complete)
{
    assert(complete->count <= MESSAGE_ITEMS_MAX);
    uint32_t hashes[INDEX_GROUP];
    uint32_t bytes = 0; /* of a message that came: they add up to less than it has */
    for (uint32_t item = 0; item < complete->count; item++) {
        const struct completion *completion = &complete->items[item];
        uint32_t place = item % INDEX_GROUP, left = complete->count - item;
        if (place == 0)
            fetch_group(ventilator, completion, left < INDEX_GROUP ? left : INDEX_GROUP, hashes);
        complete_one(ventilator, peer, completion, hashes[place]);
        bytes += completion->result.size;
    }
    held_receipt(ventilator, peer, complete->count, bytes);
    ventilator_ring_update(ventilator, peer);
}
