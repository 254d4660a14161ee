/* ventilator_session.c - HELLO, BYE, gaps in the numbers, closed connections.
 *
 * A session is never repaired.  Whatever went wrong with it, the peer says
 * HELLO again, with the leases it still holds, and both sides compare: leases
 * held with leases given, results receipted with results sent.
 */
#include "name.h"
#include "planted.h"
#include "ventilator_state.h"

static void refuse(struct ventilator *ventilator, uint32_t link, enum reason reason,
                   const char *text)
{
    struct message *message = ventilator_send_to(ventilator, link, MESSAGE_REFUSE);
    message->u.refuse = (struct message_refuse){.reason = reason, .text = bytes_text(text)};
}

void ventilator_who(struct ventilator *ventilator, uint32_t link, uint32_t session)
{
    if (!ventilator_can_send(ventilator)) return;
    struct message *message = ventilator_send_to(ventilator, link, MESSAGE_WHO);
    message->session = session;
}

void ventilator_forget_session(struct ventilator *ventilator, uint32_t slot)
{
    ventilator_forget_revokes(ventilator, slot);
    ventilator_forget_unstarted(ventilator, slot);
    ventilator_forget_progress(ventilator, slot);
    ventilator->peers.peers[slot].drain_due = false;
    ventilator->peers.peers[slot].accept_due = false; /* in its next session it asks again */
    ventilator->peers.peers[slot].disposed_held = 0;
}

void ventilator_close_session(struct ventilator *ventilator, uint32_t slot, enum record_kind why)
{
    struct peer *peer = &ventilator->peers.peers[slot];
    assert(peer->session != 0);
    ventilator_forget_session(ventilator, slot);
    peers_shut(&ventilator->peers, slot);
    peer->state = PEER_CLOSED;
    /* After a gap the peer is alive, and learns of it by a message that may take
     * its time; after a closed connection it may be dead. */
    uint64_t grace_ns =
        why == RECORD_PEER_RESET ? ventilator->options.lost_ns : ventilator->options.closed_ns;
    peer->gone_ns = instant_after(ventilator->now_ns, grace_ns);
    ventilator_ring_update(ventilator, slot);
    ventilator_watch(ventilator, slot);
    ventilator_record(ventilator,
                      &(struct record){.kind = why, .peer = ventilator->peers.nodes.ids[slot]});
}

void ventilator_reset_session(struct ventilator *ventilator, uint32_t slot)
{
    const struct peer *peer = &ventilator->peers.peers[slot];
    ventilator->totals.sessions_reset++;
    ventilator_who(ventilator, peer->link, peer->session);
    ventilator_close_session(ventilator, slot, RECORD_PEER_RESET);
}

bool ventilator_in_sequence(struct ventilator *ventilator, uint32_t slot,
                            const struct ventilator_event *event)
{
    struct peer *peer = &ventilator->peers.peers[slot];
    uint32_t *expected = event->passage == PASSAGE_FRONT ? &peer->next_in : &peer->next_intake;
    int32_t ahead = (int32_t)(event->message->sequence - *expected);
    peer->heard_ns = turn_clock(&ventilator->turn, ventilator->now_ns);
    if (peer->state == PEER_SUSPECT) {
        peer->state = PEER_OPEN;
        ventilator_ring_update(ventilator, slot);
        ventilator_watch(ventilator, slot);
        peers_touch(&ventilator->peers, slot);
    }
    /* Whoever leaves will not say again what was lost on the way, nor come back for more. */
    bool leaves = event->message->kind == MESSAGE_BYE;
    if (ahead == 0 || (ahead > 0 && (leaves || planted(PLANTED_NO_SEQUENCE_CHECK)))) {
        peer->stranger = false; /* it speaks in this session: it has read its WELCOME */
        *expected = event->message->sequence + 1;
        return true;
    }
    if (ahead < 0) return false; /* seen before: a network may repeat itself */
    ventilator_reset_session(ventilator, slot);
    return false;
}

/* Whether somebody else was given the task since, or the lease was taken back:
 * what was done under it will not count.  One that ended in its own attempt may
 * just have lost the receipt. */
static bool is_stale(const struct ventilator *ventilator, uint32_t row, const struct lease *claim)
{
    uint32_t slot = known_task(&ventilator->known, row);
    if (slot == TASK_NOWHERE) return ventilator->known.rows[row].attempt != claim->attempt;
    const struct task *task = &ventilator->tasks[slot];
    return task->attempt != claim->attempt || task->state < TASK_DONE;
}

/* Compares the leases a worker says it holds with those given to it.  What it
 * holds rightly stays its own, even when it was believed lost meanwhile and the
 * task stands in line again; of the rest it is told to let go.  What it was
 * given and does not hold never reached it. */
static void reconcile(struct ventilator *ventilator, uint32_t worker,
                      const struct message_hello *hello)
{
    struct ventilator_actions *out = ventilator->out;
    assert(hello->lease_count <= MESSAGE_ITEMS_MAX);
    if (!planted(PLANTED_FORGET_ORPHANS)) ventilator_orphan(ventilator, worker);
    for (uint32_t at = 0; at < hello->lease_count; at++) {
        const struct lease *claim = &hello->leases[at];
        uint32_t row = index_find(&ventilator->known.ids, &claim->id);
        uint32_t slot = known_task_found(&ventilator->known, row);
        struct task *task = slot == TASK_NOWHERE ? NULL : &ventilator->tasks[slot];
        bool waived = planted(PLANTED_CLAIM_OLD_LEASE) && task != NULL && task->token != 0;
        if (task == NULL || (!ventilator_lease_counts(task, claim) && !waived)) {
            out->leases[out->lease_count++] = *claim;
            if (row != INDEX_NONE && is_stale(ventilator, row, claim)) {
                ventilator_note_stale(ventilator, worker, claim);
            }
        } else if (task->state == TASK_READY || task->state == TASK_WAITING) {
            task_resume(ventilator, slot, worker);
        } else if (task->holder == worker && task->sent == TASK_ORPHAN) {
            struct peer *peer = &ventilator->peers.peers[worker];
            task_unlink(ventilator->tasks, &peer->orphans, slot);
            task_append(ventilator->tasks, &peer->leases, slot);
            task->sent = TASK_SENT;
            task->recalled = 0; /* it may not have heard */
        }
    }
    if (ventilator->peers.peers[worker].orphans.count > 0) {
        peers_touch(&ventilator->peers, worker);
    }
}

enum acquaintance { PEER_NEW, PEER_KNOWN };

static void welcome(struct ventilator *ventilator, uint32_t slot, enum acquaintance before)
{
    const struct ventilator_options *options = &ventilator->options;
    const struct peer *peer = &ventilator->peers.peers[slot];
    struct message *message = ventilator_send_to(ventilator, peer->link, MESSAGE_WELCOME);
    message->session = peer->session;
    message->u.welcome = (struct message_welcome){
        .minor = MESSAGE_VERSION_MINOR,
        .node = options->node,
        .software = options->software,
        .known = before == PEER_KNOWN || planted(PLANTED_WELCOME_KNOWS_ALL),
        .heartbeat_ms = (uint32_t)(options->heartbeat_ns / MILLISECOND),
        .suspect_ms = (uint32_t)(options->suspect_ns / MILLISECOND),
        .lost_ms = (uint32_t)(options->lost_ns / MILLISECOND),
        .payload_bytes_max = options->payload_bytes_max,
        .message_bytes_max = MESSAGE_BYTES_MAX,
        .intakes = options->intakes,
        .intake_count = options->intake_count,
        .drops = ventilator->out->leases,
        .drop_count = ventilator->out->lease_count,
    };
}

/* Sets what only workers have.  False when there are too many kinds of them. */
static bool enlist_worker(struct ventilator *ventilator, uint32_t slot,
                          const struct message_hello *hello)
{
    struct peer *worker = &ventilator->peers.peers[slot];
    uint32_t profile = lanes_profile(&ventilator->lanes, hello);
    if (profile == TASK_NOWHERE) return false;
    if (worker->slots == 0) {
        lanes_count_worker(&ventilator->lanes, profile, 1);
    } else if (worker->profile != profile) {
        lanes_count_worker(&ventilator->lanes, worker->profile, -1);
        lanes_count_worker(&ventilator->lanes, profile, 1);
    }
    worker->profile = profile;
    worker->slots = hello->slots > 0 ? hello->slots : 1;
    worker->held = worker->running = worker->hung = 0;
    ventilator_drain_again(ventilator, slot);
    worker->credit_tasks = worker->credit_bytes = 0;
    worker->given_tasks = worker->given_bytes = 0;
    worker->receipt_due = worker->receipt_more = false;
    return true;
}

/* A producer has a second one, to the intake. */
static uint32_t connections_of(enum role role)
{
    return role == ROLE_PRODUCER ? 2 : 1;
}

/* Whoever has a session comes on a connection that takes the place of its last one. */
static bool may_connect(const struct ventilator *ventilator, uint32_t slot, enum role role)
{
    const struct peers *peers = &ventilator->peers;
    if (ventilator->options.connections_max == 0) return true;
    if (slot != PEER_NONE && peers->peers[slot].session != 0) return true;
    uint64_t used = peers->workers * connections_of(ROLE_WORKER) +
                    peers->producers * connections_of(ROLE_PRODUCER);
    return used + connections_of(role) <= ventilator->options.connections_max;
}

/* The record of the node that says HELLO, without a session.  PEER_NONE when it
 * was refused. */
static uint32_t admit(struct ventilator *ventilator, uint32_t link,
                      const struct message_hello *hello)
{
    uint32_t slot = peers_of_node(&ventilator->peers, &hello->node);
    if (!may_connect(ventilator, slot, hello->role)) {
        refuse(ventilator, link, REASON_BUSY,
               "this ventilator has as many connections as its limit of open files permits; raise "
               "that (ulimit -n, LimitNOFILE=) or use another");
        return PEER_NONE;
    }
    if (slot == PEER_NONE) {
        slot = peers_add(&ventilator->peers, &hello->node, hello->role);
        if (slot == PEER_NONE) {
            refuse(ventilator, link, REASON_BUSY,
                   "this ventilator has as many peers as it may; raise --peers-max or use another");
            return PEER_NONE;
        }
    } else if (ventilator->peers.peers[slot].role != hello->role) {
        refuse(ventilator, link, REASON_ROLE, "this node id belongs to a peer of another role");
        return PEER_NONE;
    } else if (ventilator->peers.peers[slot].state == PEER_GONE) {
        refuse(ventilator, link, REASON_BUSY, "your last session is still being cleared away");
        return PEER_NONE;
    }
    struct peer *peer = &ventilator->peers.peers[slot];
    uint32_t before = peers_of_link(&ventilator->peers, link);
    if (before != PEER_NONE) ventilator_close_session(ventilator, before, RECORD_PEER_CLOSED);
    if (peer->session != 0) ventilator_close_session(ventilator, slot, RECORD_PEER_CLOSED);
    if (hello->role == ROLE_WORKER && !enlist_worker(ventilator, slot, hello)) {
        refuse(ventilator, link, REASON_BUSY,
               "too many different sets of task names and queues among the workers here");
        if (peer->slots == 0) peers_remove(&ventilator->peers, slot);
        return PEER_NONE;
    }
    return slot;
}

static bool names_are_valid(const struct bytes *names, uint32_t count)
{
    for (uint32_t at = 0; at < count; at++) {
        if (!name_is_valid(names[at])) return false;
    }
    return count > 0;
}

static bool is_well_formed(const struct message_hello *hello)
{
    if (id_is_zero(&hello->node)) return false;
    if (hello->role == ROLE_PRODUCER) return true;
    return hello->role == ROLE_WORKER && names_are_valid(hello->names, hello->name_count) &&
           names_are_valid(hello->queues, hello->queue_count);
}

/* A network can hold one up, on a connection that was given up long ago, until the node
 * has said another on a new one.  Nobody waits for an answer. */
static bool is_late(const struct ventilator *ventilator, const struct message *message)
{
    uint32_t slot = peers_of_node(&ventilator->peers, &message->u.hello.node);
    if (slot == PEER_NONE || message->sequence == 0) return false;
    uint32_t latest = ventilator->peers.peers[slot].hellos;
    return latest != 0 && (int32_t)(message->sequence - latest) <= 0;
}

void ventilator_hello(struct ventilator *ventilator, const struct ventilator_event *event)
{
    const struct message_hello *hello = &event->message->u.hello;
    if (event->passage != PASSAGE_FRONT || !is_well_formed(hello)) {
        ventilator->totals.protocol_errors++;
        if (event->passage == PASSAGE_FRONT) {
            refuse(ventilator, event->link, REASON_MALFORMED,
                   "HELLO needs a node id, and a worker's needs valid task names and queues");
        }
        return;
    }
    if (is_late(ventilator, event->message)) return;
    uint32_t slot = admit(ventilator, event->link, hello);
    if (slot == PEER_NONE) return;
    struct peer *peer = &ventilator->peers.peers[slot];
    bool known = peer->heard_ns != 0;
    if (!known) peer->stranger = true;
    peer->minor = hello->minor;
    peer->hellos = event->message->sequence;
    peers_open(&ventilator->peers, slot, event->link, ventilator->now_ns);
    peer->heard_ns = turn_clock(&ventilator->turn, ventilator->now_ns);
    store_drop(&ventilator->store, &peer->label);
    peer->label = store_put(&ventilator->store, hello->label);
    if (peer->role == ROLE_WORKER) {
        reconcile(ventilator, slot, hello);
    } else {
        for (uint32_t at = peer->unreceipted.first; at != TASK_NOWHERE;
             at = ventilator->tasks[at].next) {
            ventilator->tasks[at].kept &= (uint8_t)~TASK_KEPT_SENT;
        }
        if (!planted(PLANTED_FORGET_SENT_RESULTS)) {
            task_splice(ventilator->tasks, &peer->results, &peer->unreceipted);
        }
        peer->unreceipted_bytes = 0;
        if (peer->results.count > 0) peers_touch(&ventilator->peers, slot);
    }
    welcome(ventilator, slot, peer->stranger ? PEER_NEW : PEER_KNOWN);
    ventilator_watch(ventilator, slot);
    ventilator_record(ventilator,
                      &(struct record){.kind = known ? RECORD_PEER_RESUMED : RECORD_PEER_OPENED,
                                       .peer = hello->node});
}

void ventilator_bye(struct ventilator *ventilator, uint32_t slot)
{
    ventilator_bury(ventilator, slot, RECORD_PEER_LEFT);
}
