/* ventilator_recall.c - RECALL: what lies unstarted with one worker is asked back for
 * another that has nothing to do.
 *
 * A worker that holds more leases than it runs says so in its HEARTBEAT, and stands
 * in a circle from then on, until it has nothing more for anybody who is idle: who
 * has credit after all that was in line was given out, and slots that nothing of
 * ours is in.  The latest leases are asked back, since a worker begins with the
 * oldest, and each of them once: a worker does not answer for one that it had begun.
 * One turn looks at some of the workers with credit, and the next goes on behind them.
 * What comes back stands first in line, and goes to whoever gave it back only if
 * nobody else has credit (ventilator_dispatch.c).
 */
#include "planted.h"
#include "ventilator_state.h"

enum {
    RECALLS_EACH_TURN = 64,
    LEASES_SEEN_EACH_TURN = 256,
    STUCK_SEEN_EACH_TURN = 8,
    IDLE_SEEN_EACH_TURN = 256,
    FRESH_MS = 20 /* a lease this young is on its way, or waits for a short one */
};

static void leave_circle(struct ventilator *ventilator, uint32_t slot)
{
    circle_remove(&ventilator->peers.stuck, slot);
    ventilator->peers.peers[slot].unstarted = 0;
}

/* What was asked back is as good as given to whoever is idle, until its worker gave it
 * back, or ended it, or said anew how many have not begun. */
void ventilator_forget_unstarted(struct ventilator *ventilator, uint32_t slot)
{
    struct peer *worker = &ventilator->peers.peers[slot];
    leave_circle(ventilator, slot);
    ventilator->recalls -= worker->recalls;
    worker->recalls = 0;
}

void ventilator_note_lease_over(struct ventilator *ventilator, uint32_t slot)
{
    const struct task *task = &ventilator->tasks[slot];
    struct peer *worker = &ventilator->peers.peers[task->holder];
    if (worker->unstarted > 0 && --worker->unstarted == 0) leave_circle(ventilator, task->holder);
    if (!task->recalled || worker->recalls == 0) return;
    worker->recalls--;
    ventilator->recalls--;
}

void ventilator_note_unstarted(struct ventilator *ventilator, uint32_t slot)
{
    struct peer *worker = &ventilator->peers.peers[slot];
    ventilator_forget_unstarted(ventilator, slot);
    if (worker->held <= worker->running || worker->minor < 2) return;
    worker->unstarted = worker->held - worker->running;
    circle_append(&ventilator->peers.stuck, peers_stuck_head(&ventilator->peers), slot);
}

static uint32_t lesser(uint64_t a, uint64_t b)
{
    return (uint32_t)(a < b ? a : b);
}

/* What one turn may still do, and look at. */
struct effort {
    uint32_t recalls, leases, stuck, idle;
};

/* Slots of a worker with credit that nothing of ours is in. */
static uint32_t idle_slots(const struct peer *worker)
{
    uint64_t busy = (uint64_t)worker->leases.count + worker->fresh.count + worker->hung;
    if (busy >= worker->slots) return 0;
    return lesser(worker->slots - busy, worker->credit_tasks - worker->given_tasks);
}

/* How many tasks the workers of this profile, but one, could begin at once, as far as they
 * are looked at; the next look begins behind them. */
static uint32_t wanted_by(struct ventilator *ventilator, uint32_t profile, uint32_t but,
                          struct effort *effort)
{
    struct profile *idle = &ventilator->lanes.profiles[profile];
    uint32_t slot = idle->available;
    uint64_t slots = 0, awaited = ventilator->recalls;
    for (; effort->idle > 0; effort->idle--) {
        const struct peer *worker = &ventilator->peers.peers[slot];
        if (slot != but) slots += idle_slots(worker);
        slot = worker->ring_next;
        if (slot == idle->available) break;
    }
    idle->available = slot;
    return slots > awaited ? lesser(slots - awaited, RECALLS_EACH_TURN) : 0;
}

/* Of those that it had not begun when it said so; some have ended since. */
static uint32_t unstarted_of(const struct peer *worker)
{
    uint32_t begun = worker->running;
    if (worker->leases.count <= begun) return 0;
    return lesser(worker->unstarted, worker->leases.count - begun);
}

/* Lists up to `wanted` of its latest leases that this profile can run. */
static uint32_t list_leases(struct ventilator *ventilator, uint32_t slot, uint32_t profile,
                            uint32_t wanted, struct effort *effort)
{
    struct ventilator_actions *out = ventilator->out;
    const struct peer *worker = &ventilator->peers.peers[slot];
    const uint64_t *lanes = ventilator->lanes.profiles[profile].lanes;
    uint32_t left = unstarted_of(worker), count = 0;
    for (uint32_t at = worker->leases.last;
         at != TASK_NOWHERE && left > 0 && count < wanted && effort->leases > 0;
         at = ventilator->tasks[at].previous, effort->leases--) {
        struct task *task = &ventilator->tasks[at];
        if (ventilator_leased_ms(ventilator, task) < FRESH_MS) continue;
        left--;
        if (task->recalled || !bits_has(lanes, task->lane)) continue;
        task->recalled = 1;
        out->leases[out->lease_count + count++] = (struct lease){
            .id = *ventilator_id(ventilator, at), .attempt = task->attempt, .token = task->token};
    }
    return count;
}

static uint32_t recall_for(struct ventilator *ventilator, uint32_t slot, uint32_t profile,
                           uint32_t wanted, struct effort *effort)
{
    struct ventilator_actions *out = ventilator->out;
    wanted = lesser(wanted, effort->recalls);
    wanted = lesser(wanted, VENTILATOR_ITEMS_MAX - out->lease_count);
    uint32_t count = list_leases(ventilator, slot, profile, wanted, effort);
    if (count == 0) return 0;
    ventilator_send(ventilator, slot, MESSAGE_RECALL)->u.recall =
        (struct message_leases){.leases = &out->leases[out->lease_count], .count = count};
    for (uint32_t at = 0; at < count && planted(PLANTED_RECALL_TAKES_BACK); at++) {
        task_return(ventilator,
                    known_find(&ventilator->known, &out->leases[out->lease_count + at].id));
    }
    out->lease_count += count;
    effort->recalls -= count;
    ventilator->peers.peers[slot].recalls += count;
    ventilator->recalls += count;
    return count;
}

/* The profile with credit from `from` on, and round. */
static uint32_t available_from(const struct ventilator *ventilator, uint32_t from)
{
    const uint64_t *available = ventilator->lanes.available;
    uint32_t profile = bits_next(available, available, PROFILES_WORDS, from);
    return profile != BITS_NONE ? profile : bits_next(available, available, PROFILES_WORDS, 0);
}

/* Asks one worker that is stuck, for every profile with somebody idle; first for the one
 * that could not be looked at last time. */
static void recall_from(struct ventilator *ventilator, uint32_t slot, struct effort *effort)
{
    bool in_vain = false;
    uint32_t first = available_from(ventilator, ventilator->recall_profile), profile = first;
    if (first == BITS_NONE) return;
    do {
        ventilator->recall_profile = profile;
        if (effort->recalls == 0 || effort->idle == 0 || !ventilator_can_send(ventilator)) break;
        uint32_t wanted = wanted_by(ventilator, profile, slot, effort);
        if (wanted > 0 && recall_for(ventilator, slot, profile, wanted, effort) < wanted) {
            in_vain = true;
        }
        profile = available_from(ventilator, profile + 1);
    } while (profile != first);
    /* It has nothing more for them, as far as it said. */
    if (in_vain) leave_circle(ventilator, slot);
}

void ventilator_recall(struct ventilator *ventilator)
{
    const struct peers *peers = &ventilator->peers;
    uint32_t head = peers_stuck_head(peers);
    if (circle_is_empty(&peers->stuck, head)) return;
    if (lanes_have_runnable(&ventilator->lanes)) return; /* kept back: ours to give */
    struct effort effort = {.recalls = RECALLS_EACH_TURN,
                            .leases = LEASES_SEEN_EACH_TURN,
                            .stuck = STUCK_SEEN_EACH_TURN,
                            .idle = IDLE_SEEN_EACH_TURN};
    for (uint32_t slot = circle_next(&peers->stuck, head), next;
         slot != head && effort.stuck > 0 && effort.leases > 0; slot = next, effort.stuck--) {
        next = circle_next(&peers->stuck, slot);
        if (peers->peers[slot].state == PEER_OPEN)
            recall_from(ventilator, slot, &effort);
        else /* it is in others' way, and says it again when it is heard */
            leave_circle(ventilator, slot);
    }
}
