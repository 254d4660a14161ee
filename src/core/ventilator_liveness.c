/* ventilator_liveness.c - silence, heartbeats, and what becomes of the tasks of a lost worker.
 *
 * A node that says nothing for suspect_ns gets no new work; after lost_ns it is
 * lost.  One whose connection closed is lost after closed_ns, unless it is back
 * with its leases.  Silence counts only since our own last late turn.  The
 * tasks of a lost worker are requeued in ventilator_take_back.
 */
#include "planted.h"
#include "ventilator_state.h"

enum { ALARMS_EACH_STEP = 1024, PEERS_EACH_STEP = 512 };

void ventilator_watch(struct ventilator *ventilator, uint32_t slot)
{
    const struct ventilator_options *options = &ventilator->options;
    const struct peer *peer = &ventilator->peers.peers[slot];
    uint64_t due_ns = peer->gone_ns;
    if (peer->state == PEER_OPEN || peer->state == PEER_SUSPECT) {
        uint64_t patience_ns = peer->state == PEER_OPEN ? options->suspect_ns : options->lost_ns;
        uint64_t silent_ns = turn_silent_at(&ventilator->turn, peer->heard_ns, patience_ns);
        uint64_t beat_ns = peer->said_ns + options->heartbeat_ns;
        uint64_t held_ns = held_deadline(ventilator, slot);
        due_ns = silent_ns < beat_ns ? silent_ns : beat_ns;
        if (held_ns < due_ns) due_ns = held_ns;
    }
    heap_set(&ventilator->peers.deadlines, slot, due_ns);
}

void ventilator_orphan(struct ventilator *ventilator, uint32_t slot)
{
    struct peer *worker = &ventilator->peers.peers[slot];
    task_splice(ventilator->tasks, &worker->fresh, &worker->leases);
    for (uint32_t at = worker->fresh.first; at != TASK_NOWHERE; at = ventilator->tasks[at].next) {
        ventilator->tasks[at].sent = TASK_ORPHAN;
    }
    task_splice(ventilator->tasks, &worker->orphans, &worker->fresh);
}

static void record_peer(struct ventilator *ventilator, uint32_t slot, enum record_kind kind)
{
    ventilator_record(ventilator,
                      &(struct record){.kind = kind, .peer = ventilator->peers.nodes.ids[slot]});
}

void ventilator_bury(struct ventilator *ventilator, uint32_t slot, enum record_kind why)
{
    struct peer *peer = &ventilator->peers.peers[slot];
    assert(peer->state != PEER_GONE && peer->state != PEER_FREE);
    ventilator_forget_session(ventilator, slot);
    peers_shut(&ventilator->peers, slot);
    peer->state = PEER_GONE;
    peer->lost = why == RECORD_PEER_LOST;
    heap_remove(&ventilator->peers.deadlines, slot);
    if (peer->role == ROLE_WORKER) {
        ventilator_ring_update(ventilator, slot);
        if (!planted(PLANTED_FORGET_REQUEUE)) ventilator_orphan(ventilator, slot);
        lanes_count_worker(&ventilator->lanes, peer->profile, -1);
    }
    if (peer->role == ROLE_PRODUCER && peer->owned > 0) {
        ventilator_write_given_up(ventilator, slot);
    }
    record_peer(ventilator, slot, why);
    peers_touch(&ventilator->peers, slot);
}

static void requeue_orphans(struct ventilator *ventilator, struct peer *worker)
{
    for (; ventilator->take_backs > 0 && worker->orphans.count > 0; ventilator->take_backs--) {
        /* The last one first: each goes to the head of the line, so that in the
         * end they stand there in their old order. */
        uint32_t task = worker->orphans.last;
        if (worker->state != PEER_GONE)
            task_return(ventilator, task);
        else
            task_requeue(ventilator, task, worker->lost ? LOSS_COUNTED : LOSS_EXCUSED);
    }
}

static void drop_results(struct ventilator *ventilator, struct peer *producer)
{
    for (; ventilator->take_backs > 0; ventilator->take_backs--) {
        struct task_list *list =
            producer->results.count > 0 ? &producer->results : &producer->unreceipted;
        if (list->count == 0) return;
        uint32_t task = list->first;
        ventilator_withdraw_result(ventilator, task);
        task_let_go(ventilator, task, TASK_KEPT_RESULT);
    }
}

bool ventilator_take_back(struct ventilator *ventilator, uint32_t slot)
{
    struct peer *peer = &ventilator->peers.peers[slot];
    requeue_orphans(ventilator, peer);
    if (peer->state != PEER_GONE) {
        ventilator_ring_update(ventilator, slot); /* it may hold others instead */
        return peer->orphans.count == 0;
    }
    drop_results(ventilator, peer);
    if (peer->orphans.count + peer->results.count + peer->unreceipted.count > 0) return false;
    store_drop(&ventilator->store, &peer->label);
    peers_remove(&ventilator->peers, slot);
    return true;
}

/* Neither session nor grace is left.  One that still thinks that it has a session
 * is told: it may hear us although we do not hear it, or hear this before anything
 * else when it is back. */
static void give_up(struct ventilator *ventilator, uint32_t slot)
{
    struct peer *peer = &ventilator->peers.peers[slot];
    if (peer->session != 0) ventilator_who(ventilator, peer->link, peer->session);
    if (peer->role == ROLE_PRODUCER && peer->owned > 0 && peer->state != PEER_ABSENT) {
        ventilator_forget_session(ventilator, slot);
        peers_shut(&ventilator->peers, slot);
        peer->state = PEER_ABSENT;
        peer->gone_ns = instant_after(ventilator->now_ns, ventilator->options.absent_ns_max);
        record_peer(ventilator, slot, RECORD_PEER_LOST);
        ventilator_watch(ventilator, slot);
        return;
    }
    ventilator_bury(ventilator, slot, RECORD_PEER_LOST);
}

static void send_heartbeat(struct ventilator *ventilator, uint32_t slot)
{
    const struct peer *peer = &ventilator->peers.peers[slot];
    struct message *beat = ventilator_send(ventilator, slot, MESSAGE_HEARTBEAT);
    uint64_t backlog = peer->role == ROLE_WORKER ? lanes_backlog(&ventilator->lanes, peer->profile)
                                                 : ventilator->totals.ready;
    beat->u.heartbeat = (struct message_heartbeat){.backlog = backlog};
}

void ventilator_heartbeat(struct ventilator *ventilator, uint32_t slot,
                          const struct message_heartbeat *heartbeat)
{
    struct peer *worker = &ventilator->peers.peers[slot];
    if (worker->role != ROLE_WORKER) return;
    worker->held = heartbeat->held;
    worker->running = heartbeat->running;
    worker->hung = heartbeat->hung;
    /* Never taken back: one that was just told may not have heard of it yet. */
    if (heartbeat->draining != 0) worker->draining = true;
    ventilator_note_unstarted(ventilator, slot);
    ventilator_ring_update(ventilator, slot);
}

/* After a late turn of ours, the HELLO of a node that came back may still be
 * somewhere in what piled up meanwhile. */
static bool prolong_grace(const struct ventilator *ventilator, struct peer *peer)
{
    uint64_t until_ns = instant_after(ventilator->turn.resumed_ns, ventilator->options.closed_ns);
    if (until_ns <= ventilator->now_ns) return false;
    peer->gone_ns = until_ns;
    return true;
}

static void check_peer(struct ventilator *ventilator, uint32_t slot)
{
    const struct ventilator_options *options = &ventilator->options;
    struct peer *peer = &ventilator->peers.peers[slot];
    if (peer->state == PEER_CLOSED || peer->state == PEER_ABSENT) {
        if (peer->state == PEER_CLOSED && prolong_grace(ventilator, peer)) {
            ventilator_watch(ventilator, slot);
            return;
        }
        give_up(ventilator, slot);
        return;
    }
    uint64_t silence_ns = turn_silence(&ventilator->turn, peer->heard_ns, ventilator->now_ns);
    if (silence_ns >= options->lost_ns && !planted(PLANTED_SILENCE_IS_LIFE)) {
        give_up(ventilator, slot);
        return;
    }
    if (silence_ns >= options->suspect_ns && peer->state == PEER_OPEN) {
        peer->state = PEER_SUSPECT;
        ventilator_ring_update(ventilator, slot);
        record_peer(ventilator, slot, RECORD_PEER_SUSPECT);
    }
    if (ventilator->now_ns - peer->said_ns >= options->heartbeat_ns) {
        send_heartbeat(ventilator, slot);
    }
    peers_touch(&ventilator->peers, slot); /* for what waits for company no longer */
    ventilator_watch(ventilator, slot);
}

static void ring(struct ventilator *ventilator, uint32_t slot)
{
    if (ventilator->tasks[slot].state == TASK_LEASED)
        ventilator_lease_alarm(ventilator, slot);
    else
        task_ripen(ventilator, slot);
}

bool ventilator_check_clock(struct ventilator *ventilator)
{
    const struct heap_entry *due;
    for (uint32_t left = ALARMS_EACH_STEP;; left--) {
        due = heap_first(&ventilator->alarms);
        if (due == NULL || due->key > ventilator->now_ns) break;
        if (left == 0) return false;
        ring(ventilator, due->owner);
    }
    for (uint32_t left = PEERS_EACH_STEP;; left--) {
        due = heap_first(&ventilator->peers.deadlines);
        if (due == NULL || due->key > ventilator->now_ns) return true;
        if (left == 0 || !ventilator_can_send(ventilator)) return false;
        check_peer(ventilator, due->owner);
    }
}
