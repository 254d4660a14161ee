/* ventilator_dispatch.c - CREDIT and WORK: which ready task goes to which worker.
 *
 * Workers of one profile that have credit stand in a ring; lanes with ready
 * tasks stand in order of their first task.  Each lease takes the next of both,
 * so no lane, worker or task is ever walked.
 */
#include "planted.h"
#include "ventilator_state.h"

static bool has_credit(const struct ventilator *ventilator, const struct peer *worker)
{
    uint32_t held = worker->leases.count + worker->fresh.count + worker->orphans.count;
    uint64_t tasks = worker->credit_tasks + (planted(PLANTED_CREDIT_OVERRUN) ? 1 : 0);
    return worker->state == PEER_OPEN && !worker->draining &&
           held < ventilator->options.leases_max && worker->given_tasks < tasks &&
           worker->given_bytes < worker->credit_bytes;
}

static void ring_add(struct ventilator *ventilator, uint32_t slot)
{
    struct peer *peers = ventilator->peers.peers;
    struct peer *worker = &peers[slot];
    struct profile *profile = &ventilator->lanes.profiles[worker->profile];
    if (profile->available == TASK_NOWHERE) {
        worker->ring_next = worker->ring_previous = slot;
        profile->available = slot;
    } else {
        struct peer *first = &peers[profile->available];
        worker->ring_next = profile->available;
        worker->ring_previous = first->ring_previous;
        peers[first->ring_previous].ring_next = slot;
        first->ring_previous = slot;
    }
    worker->ringed = true;
    lanes_available(&ventilator->lanes, worker->profile, ventilator->tasks);
}

static void ring_remove(struct ventilator *ventilator, uint32_t slot)
{
    struct peer *peers = ventilator->peers.peers;
    struct peer *worker = &peers[slot];
    struct profile *profile = &ventilator->lanes.profiles[worker->profile];
    if (worker->ring_next == slot) {
        profile->available = TASK_NOWHERE;
        lanes_exhausted(&ventilator->lanes, worker->profile);
    } else {
        peers[worker->ring_previous].ring_next = worker->ring_next;
        peers[worker->ring_next].ring_previous = worker->ring_previous;
        if (profile->available == slot) profile->available = worker->ring_next;
    }
    worker->ringed = false;
}

void ventilator_ring_update(struct ventilator *ventilator, uint32_t slot)
{
    const struct peer *worker = &ventilator->peers.peers[slot];
    if (worker->role != ROLE_WORKER || has_credit(ventilator, worker) == worker->ringed) return;
    if (worker->ringed)
        ring_remove(ventilator, slot);
    else
        ring_add(ventilator, slot);
}

void ventilator_credit(struct ventilator *ventilator, uint32_t slot,
                       const struct message_credit *credit)
{
    struct peer *worker = &ventilator->peers.peers[slot];
    /* The latest counts: a worker that meets longer tasks than it expected takes back
     * what was not used.  It may be below what was given meanwhile. */
    worker->credit_tasks = credit->tasks;
    worker->credit_bytes = credit->bytes;
    ventilator_ring_update(ventilator, slot);
}

/* Results that nobody fetches fill the store: then no more of them are made,
 * until some are receipted or given up. */
static bool results_are_in_the_way(const struct ventilator *ventilator)
{
    return ventilator_is_crowded(ventilator) &&
           ventilator->owed_bytes > ventilator->options.store_bytes_max / 4;
}

/* The worker whose turn it is among those of this profile, but one that was to
 * give the task back gets it again only when nobody else has credit. */
static uint32_t choose_worker(const struct ventilator *ventilator, const struct lane *lane,
                              uint32_t profile)
{
    const struct profile *profiles = ventilator->lanes.profiles;
    uint32_t slot = profiles[profile].available;
    if (slot != ventilator->tasks[lane->ready.first].holder) return slot;
    if (ventilator->peers.peers[slot].ring_next != slot) {
        return ventilator->peers.peers[slot].ring_next;
    }
    const uint64_t *available = ventilator->lanes.available;
    uint32_t other = bits_next(lane->profiles, available, PROFILES_WORDS, profile + 1);
    if (other == BITS_NONE) other = bits_next(lane->profiles, available, PROFILES_WORDS, 0);
    return profiles[other].available; /* of its own profile when there is no other */
}

/* Whether nobody but this worker could be chosen, and no task of another lane, for as
 * long as it has credit and the lane has tasks. */
static bool is_alone(const struct ventilator *ventilator, const struct lane *lane, uint32_t slot)
{
    const struct lanes *lanes = &ventilator->lanes;
    const struct peer *worker = &ventilator->peers.peers[slot];
    if (lanes->runnable.count > 1 || worker->ring_next != slot) return false;
    uint32_t words = bits_words(lanes->profile_count);
    return bits_next(lane->profiles, lanes->available, words, 0) == worker->profile &&
           bits_next(lane->profiles, lanes->available, words, worker->profile + 1) == BITS_NONE;
}

/* Leases the first in line to this worker, which has credit. */
static void give(struct ventilator *ventilator, const struct lane *lane, uint32_t slot)
{
    struct peer *worker = &ventilator->peers.peers[slot];
    uint32_t task = lane->ready.first;
    task_fetch_along(ventilator->tasks, &ventilator->slots, task, ventilator->tasks[task].next);
    worker->given_tasks++;
    worker->given_bytes += ventilator->tasks[task].payload.size;
    task_lease(ventilator, task, slot);
}

bool ventilator_dispatch(struct ventilator *ventilator)
{
    uint32_t number, profile;
    if (!lanes_have_runnable(&ventilator->lanes)) return false;
    if (results_are_in_the_way(ventilator)) return false;
    for (uint32_t left = VENTILATOR_ITEMS_MAX; left > 0;) {
        if (!lanes_pick(&ventilator->lanes, ventilator->tasks, &number, &profile)) return false;
        const struct lane *lane = &ventilator->lanes.lanes[number];
        uint32_t slot = choose_worker(ventilator, lane, profile);
        struct peer *worker = &ventilator->peers.peers[slot];
        assert(worker->ringed && has_credit(ventilator, worker));
        bool alone = is_alone(ventilator, lane, slot), more;
        do {
            give(ventilator, lane, slot);
            more = has_credit(ventilator, worker);
        } while (--left > 0 && more && alone && lane->ready.count > 0);
        peers_touch(&ventilator->peers, slot);
        ventilator->lanes.profiles[worker->profile].available = worker->ring_next;
        if (!more) ring_remove(ventilator, slot);
    }
    return true;
}

static void fill_assignment(const struct ventilator *ventilator, uint32_t slot,
                            struct assignment *assignment)
{
    const struct task *task = &ventilator->tasks[slot];
    const struct lane *lane = &ventilator->lanes.lanes[task->lane];
    *assignment = (struct assignment){
        .lease = {.id = *ventilator_id(ventilator, slot),
                  .attempt = task->attempt,
                  .token = task->token},
        .name = bytes_of(lane->name, lane->name_bytes),
        .payload = store_get(&ventilator->store, task->payload),
        .limit_ms = task->limit_ms,
        .soft_ms = task->soft_ms,
        .stalled_ms = task->stalled_ms,
    };
}

/* One WORK with what was leased to this worker and not sent yet.  False when
 * something had to stay behind for the next step. */
bool ventilator_send_work(struct ventilator *ventilator, uint32_t slot)
{
    struct ventilator_actions *out = ventilator->out;
    struct peer *worker = &ventilator->peers.peers[slot];
    while (worker->fresh.count > 0) {
        if (!ventilator_can_send(ventilator)) return false;
        struct assignment *items = &out->assignments[out->assignment_count];
        uint32_t count = 0, bytes = 0, last = TASK_NOWHERE;
        for (uint32_t task = worker->fresh.first;
             task != TASK_NOWHERE && bytes < MESSAGE_BATCH_BYTES &&
             out->assignment_count < VENTILATOR_ITEMS_MAX;
             task = ventilator->tasks[task].next) {
            last = task;
            ventilator->tasks[task].sent = TASK_SENT;
            fill_assignment(ventilator, task, &items[count]);
            bytes += items[count].payload.size + 2 * MESSAGE_NAME_BYTES_MAX;
            count++;
            out->assignment_count++;
        }
        if (count == 0) return false;
        task_move(ventilator->tasks, &worker->leases, &worker->fresh, last, count);
        struct message *work = ventilator_send(ventilator, slot, MESSAGE_WORK);
        work->u.work =
            (struct message_work){.backlog = lanes_backlog(&ventilator->lanes, worker->profile),
                                  .items = items,
                                  .count = count};
    }
    return true;
}
