/* ventilator_submit.c - SUBMIT: which tasks are taken in, and the answer to each batch. */
#include "name.h"
#include "planted.h"
#include "ventilator_state.h"

/* Dead letters are kept for as long as they are in nobody's way: live tasks take
 * their room, the oldest letter's first. */
static bool has_room(struct ventilator *ventilator, uint32_t size)
{
    if (ventilator_held_count(ventilator) >= ventilator->options.tasks_max) return false;
    while (ventilator_is_crowded(ventilator) || !store_fits(&ventilator->store, size)) {
        if (ventilator->letter_drops == 0 || !task_drop_oldest_letter(ventilator)) return false;
        ventilator->letter_drops--;
    }
    return true;
}

/* A submission, and what was found out about it. */
struct candidate {
    const struct submission *item;
    struct bytes queue;
    uint32_t lane; /* TASK_NOWHERE: not looked for yet */
    uint32_t hash;
};

static struct candidate candidate_of(const struct ventilator *ventilator,
                                     const struct submission *item, uint32_t hash)
{
    static const struct bytes unnamed = {(const uint8_t *)"default", 7};
    struct bytes queue = item->queue.data != NULL ? item->queue : unnamed;
    return (struct candidate){
        .item = item,
        .queue = queue,
        .lane = lanes_latest(&ventilator->lanes, queue, item->name),
        .hash = hash,
    };
}

static enum reason judge(const struct ventilator *ventilator, const struct candidate *candidate)
{
    const struct submission *item = candidate->item;
    /* Names of a lane were looked at when it was made. */
    if (candidate->lane == TASK_NOWHERE &&
        !(name_is_valid(item->name) && name_is_valid(candidate->queue))) {
        return REASON_BAD_NAME;
    }
    if (item->payload.size > ventilator->options.payload_bytes_max) return REASON_TOO_BIG;
    if (id_is_zero(&item->id)) return REASON_MALFORMED;
    return REASON_NONE;
}

static void set_owner(struct ventilator *ventilator, uint32_t slot, uint32_t peer)
{
    ventilator->tasks[slot].owner = peers_reference(&ventilator->peers, peer);
    ventilator->peers.peers[peer].owned++;
}

/* What a process said before it died can arrive after its successor has asked for the
 * same task: nobody would be left to hear of its end.  It is not known to be dead,
 * though, so it is told that it will not hear of it. */
static bool is_outlived(const struct ventilator *ventilator, uint32_t peer, uint32_t owner)
{
    const struct peer *peers = ventilator->peers.peers;
    return owner != PEER_NONE && peers[owner].session != 0 &&
           peers[peer].birth < peers[owner].birth;
}

static void note_duplicate(struct ventilator *ventilator, const struct record *seen)
{
    struct record record = *seen;
    record.kind = RECORD_DUPLICATE;
    ventilator->totals.duplicates++;
    ventilator_record(ventilator, &record);
}

/* Whoever waited for a task until a later one asked for it does not hear of its end, and is told
 * so, if it is here: once, since it is no loss of the task.  Tasks that follow each other share a
 * message. */
static void tell_displaced(struct ventilator *ventilator, uint32_t slot, uint32_t owner)
{
    struct ventilator_actions *out = ventilator->out;
    const struct peer *peer = &ventilator->peers.peers[owner];
    struct message *last = out->send_count > 0 ? &out->sends[out->send_count - 1].message : NULL;
    bool more = last != NULL && last->kind == MESSAGE_RESULT && last->session == peer->session;
    bool room = more || out->send_count < VENTILATOR_SENDS_MAX / 2;
    if (peer->minor < 2 || !room || out->result_count == VENTILATOR_ITEMS_MAX) return;
    struct result *item = &out->results[out->result_count++];
    *item = (struct result){.id = *ventilator_id(ventilator, slot),
                            .state = TASK_CANCELLED,
                            .attempt = ventilator->tasks[slot].attempt,
                            .reason = REASON_AWAITED};
    if (!more) {
        last = ventilator_send(ventilator, owner, MESSAGE_RESULT);
        last->u.result = (struct message_result){.items = item};
    }
    last->u.result.count++;
}

/* From here on it is this producer that wants the result. */
static void want(struct ventilator *ventilator, uint32_t slot, uint32_t peer)
{
    struct task *task = &ventilator->tasks[slot];
    set_owner(ventilator, slot, peer);
    if (task->state >= TASK_DONE) {
        /* A dead letter still has its reason and text; of others only the state is left. */
        bool forgotten = (task->kept & TASK_KEPT_ENDED) != 0 && task->result.place == 0;
        if (task->state == TASK_DONE && forgotten) task->reason = REASON_FORGOTTEN;
        ventilator_owe_result(ventilator, slot);
    }
    ventilator_write(ventilator, slot, WRITTEN_CHANGE);
}

/* A known id: the same task.  Whoever asks last and wants the result gets it, but of
 * two that are here not the one that came first. */
static enum reason submit_again(struct ventilator *ventilator, uint32_t row, uint32_t peer,
                                const struct submission *item)
{
    bool wants = (item->flags & SUBMISSION_WANTS_RESULT) != 0;
    uint32_t slot = known_task(&ventilator->known, row);
    if (slot == TASK_NOWHERE) {
        const struct known_row *ended = &ventilator->known.rows[row];
        note_duplicate(ventilator, &(struct record){.state = (enum task_state)ended->state,
                                                    .attempt = ended->attempt,
                                                    .id = item->id});
        if (!wants) return REASON_NONE;
        slot = task_recollect(ventilator, row);
        want(ventilator, slot, peer);
        return REASON_NONE;
    }
    const struct task *task = &ventilator->tasks[slot];
    uint32_t owner = peers_resolve(&ventilator->peers, task->owner);
    bool told = (task->kept & TASK_KEPT_SENT) != 0;
    if (wants && !told && is_outlived(ventilator, peer, owner)) return REASON_AWAITED;
    bool displaced = wants && !told && owner != PEER_NONE && owner != peer &&
                     ventilator->peers.peers[owner].session != 0;
    note_duplicate(ventilator,
                   &(struct record){.state = (enum task_state)task->state,
                                    .attempt = task->attempt,
                                    .id = item->id,
                                    .peer = displaced ? ventilator->peers.nodes.ids[owner]
                                                      : (struct id){{0}}});
    if (!wants) return REASON_NONE;
    bool ended = task->state >= TASK_DONE;
    /* A result sent already may have been read before this was asked, and its receipt
     * may be on the way: it goes again, since one too many does no harm. */
    bool to_be_sent = (task->kept & (TASK_KEPT_RESULT | TASK_KEPT_SENT)) == TASK_KEPT_RESULT;
    if (owner == peer && (!ended || to_be_sent)) return REASON_NONE;
    if (displaced) tell_displaced(ventilator, slot, owner);
    if ((task->kept & TASK_KEPT_RESULT) != 0)
        ventilator_withdraw_result(ventilator, slot);
    else if (owner != PEER_NONE)
        ventilator->peers.peers[owner].owned--;
    want(ventilator, slot, peer);
    return REASON_NONE;
}

/* What a submission says of its own policy, or the ventilator of all. */
static uint16_t limit_of(uint32_t own, uint32_t common)
{
    uint32_t limit = own != 0 ? own : common;
    return (uint16_t)(limit < UINT16_MAX ? limit : UINT16_MAX);
}

static enum reason take_in(struct ventilator *ventilator, uint32_t peer,
                           const struct candidate *candidate)
{
    const struct submission *item = candidate->item;
    if (ventilator->draining && planted(PLANTED_DROP_BEHIND_DRAIN)) return REASON_NONE;
    if (ventilator->draining) return REASON_DRAINING;
    if (ventilator->journal_full) return REASON_BUSY;
    if (!has_room(ventilator, item->payload.size)) return REASON_BUSY;
    uint32_t lane = candidate->lane != TASK_NOWHERE
                        ? candidate->lane
                        : lanes_lane(&ventilator->lanes, candidate->queue, item->name);
    if (lane == TASK_NOWHERE) return REASON_BUSY;
    uint32_t row = index_insert_hashed(&ventilator->known.ids, &item->id, candidate->hash);
    if (row == INDEX_NONE) return REASON_BUSY;
    uint32_t slot = task_begin(ventilator, row);
    struct task *task = &ventilator->tasks[slot];
    task->lane = (uint16_t)lane;
    task->attempts_max = limit_of(item->attempts_max, ventilator->options.attempts_max);
    task->crashes_max = limit_of(item->crashes_max, ventilator->options.crashes_max);
    task->backoff_ms = item->backoff_ms;
    task->backoff_ms_max = item->backoff_ms_max;
    task->limit_ms = item->limit_ms;
    task->soft_ms = item->soft_ms;
    task->stalled_ms = item->stalled_ms;
    task->payload = store_put(&ventilator->store, item->payload);
    assert(item->payload.data == NULL || task->payload.place != 0); /* it fits, as we saw */
    if ((item->flags & SUBMISSION_WANTS_RESULT) != 0) set_owner(ventilator, slot, peer);
    task_accept(ventilator, slot);
    return REASON_NONE;
}

static enum reason submit_one(struct ventilator *ventilator, uint32_t peer,
                              const struct submission *item, uint32_t hash)
{
    struct candidate candidate = candidate_of(ventilator, item, hash);
    enum reason reason = judge(ventilator, &candidate);
    if (reason != REASON_NONE) return reason;
    uint32_t row = index_find_hashed(&ventilator->known.ids, &item->id, candidate.hash);
    if (row == INDEX_NONE || planted(PLANTED_NO_DEDUPE)) {
        return take_in(ventilator, peer, &candidate);
    }
    return submit_again(ventilator, row, peer, item);
}

/* Hashes the ids of the next `count` items, and fetches where they belong; not for one alone: that
 * is needed at once. */
static void fetch_group(struct ventilator *ventilator, const struct submission *items,
                        uint32_t count, uint32_t hashes[INDEX_GROUP])
{
    const struct index *ids = &ventilator->known.ids;
    for (uint32_t at = 0; at < count; at++) hashes[at] = index_hash(ids, &items[at].id);
    if (count == 1) return;
    for (uint32_t at = 0; at < count; at++) index_fetch_bucket(ids, hashes[at]);
    task_fetch_free(ventilator->tasks, &ventilator->slots, count);
}

void ventilator_submit(struct ventilator *ventilator, uint32_t peer,
                       const struct message_submit *submit)
{
    assert(submit->count <= MESSAGE_ITEMS_MAX);
    struct rejection *rejections = ventilator->out->rejections;
    uint32_t count = 0;
    bool can_wait = held_has_room(ventilator, submit->count);
    bool all_wanted = true;
    uint32_t hashes[INDEX_GROUP];
    for (uint32_t item = 0; item < submit->count; item++) {
        const struct submission *submission = &submit->items[item];
        uint32_t place = item % INDEX_GROUP, left = submit->count - item;
        if (place == 0)
            fetch_group(ventilator, submission, left < INDEX_GROUP ? left : INDEX_GROUP, hashes);
        enum reason reason =
            can_wait ? submit_one(ventilator, peer, submission, hashes[place]) : REASON_BUSY;
        if ((submission->flags & SUBMISSION_WANTS_RESULT) == 0) all_wanted = false;
        if (reason == REASON_NONE) continue;
        rejections[count++] = (struct rejection){.item = item, .reason = reason};
        ventilator->totals.rejected++;
        ventilator_record(
            ventilator,
            &(struct record){.kind = RECORD_REJECTED, .reason = reason, .id = submission->id});
    }
    ventilator->out->rejection_count = count;
    if (can_wait && count == 0 && all_wanted)
        held_accept_soon(ventilator, peer, submit);
    else if (can_wait)
        held_accept(ventilator, peer, submit->batch, count);
    else
        held_answer_now(ventilator, peer, submit->batch, count);
}
