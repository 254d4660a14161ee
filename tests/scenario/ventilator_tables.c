/* ventilator_tables.c - whether a ventilator's tables agree with each other. */
#include "ventilator_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* What a walk over everything counted. */
struct census {
    uint64_t waiting, ready, leased, ended, kept_results, kept_dead, kept_ended, remembered;
    uint64_t recalls, listed_leased, listed_results, workers, producers;
};

static void demand(bool holds, const char *what)
{
    if (!holds) fail_msg("%s", what);
}

static uint32_t list_next(const struct ventilator *ventilator, const struct task_list *list,
                          uint32_t slot)
{
    const struct task *task = &ventilator->tasks[slot];
    if (task->next == TASK_NOWHERE)
        demand(list->last == slot, "a list ends elsewhere");
    else
        demand(ventilator->tasks[task->next].previous == slot, "a list does not lead back");
    return task->next;
}

static void check_list(const struct ventilator *ventilator, const struct task_list *list)
{
    uint32_t count = 0;
    demand(list->count == 0 || ventilator->tasks[list->first].previous == TASK_NOWHERE,
           "a list begins elsewhere");
    for (uint32_t at = list->first; at != TASK_NOWHERE; at = list_next(ventilator, list, at)) {
        demand(++count <= list->count, "a list longer than its count");
    }
    demand(count == list->count, "a list shorter than its count");
}

/* The journal's circle holds all that is known, by the number of its entry. */
static void check_ages(const struct ventilator *ventilator)
{
    uint32_t head = ventilator_ages_head(ventilator), count = 0;
    uint64_t before = 0;
    for (uint32_t at = circle_next(&ventilator->written, head); at != head;
         at = circle_next(&ventilator->written, at)) {
        uint64_t lsn = ventilator->ages[at].lsn;
        demand(lsn > before && lsn <= ventilator->appended_lsn, "tasks out of their age");
        before = lsn;
        count++;
    }
    demand(count == (ventilator->options.journals ? ventilator->known.ids.count : 0),
           "a task that is not in the journal");
    demand(ventilator->durable_lsn <= ventilator->appended_lsn, "durable before it was written");
}

static void check_values(const struct ventilator *ventilator, const struct task *task)
{
    if (task->state < TASK_DONE) {
        demand(task->attempt > 0 || task->token == 0, "a lease given back is not over");
        demand(task->kept == 0, "an open task has ended");
        demand(task->result.place == 0, "an open task has a result");
        return;
    }
    demand(task->token == 0, "an ended task has a lease");
    demand((task->kept & (TASK_KEPT_RESULT | TASK_KEPT_DEAD)) != 0, "a record kept for nothing");
    if ((task->kept & TASK_KEPT_RESULT) != 0) {
        demand(task->owner != 0 && (task->owner & 0xffff) < ventilator->peers.nodes.capacity,
               "a result for nobody");
    }
    demand((task->kept & TASK_KEPT_SENT) == 0 || (task->kept & TASK_KEPT_RESULT) != 0,
           "sent, but not kept");
}

static void count_task(const struct ventilator *ventilator, uint32_t slot, struct census *census)
{
    const struct task *task = &ventilator->tasks[slot];
    if (task->state == TASK_WAITING) census->waiting++;
    if (task->state == TASK_READY) census->ready++;
    if (task->state == TASK_LEASED) census->leased++;
    if ((task->kept & TASK_KEPT_RESULT) != 0) census->kept_results++;
    if ((task->kept & TASK_KEPT_DEAD) != 0) census->kept_dead++;
    bool limited = task->state == TASK_LEASED && task->limit_ms != 0;
    demand(heap_has(&ventilator->alarms, slot) == (task->state == TASK_WAITING || limited),
           "an alarm that is not a waiting task's");
    demand(known_find(&ventilator->known, ventilator_id(ventilator, slot)) == slot, "an id lost");
    check_values(ventilator, task);
}

static void check_lane(const struct ventilator *ventilator, uint32_t number)
{
    const struct lanes *lanes = &ventilator->lanes;
    const struct lane *lane = &lanes->lanes[number];
    uint64_t waiting = 0, leased = 0, dead = 0;
    check_list(ventilator, &lane->ready);
    for (uint32_t at = lane->ready.first; at != TASK_NOWHERE; at = ventilator->tasks[at].next) {
        demand(ventilator->tasks[at].state == TASK_READY, "in line, but not ready");
        demand(ventilator->tasks[at].lane == number, "in another's line");
    }
    for (uint32_t slot = 0; slot < ventilator->slots.fresh; slot++) {
        const struct task *task = &ventilator->tasks[slot];
        if (task->state == TASK_NONE || task->lane != number) continue;
        waiting += task->state == TASK_WAITING;
        leased += task->state == TASK_LEASED;
        dead += (task->kept & TASK_KEPT_DEAD) != 0;
    }
    demand(waiting == lane->waiting && leased == lane->leased, "a lane's counts");
    demand(dead == lane->dead, "a lane's dead letters");
    bool is_runnable = heap_has(&lanes->runnable, number);
    bool is_starved = bits_has(lanes->starved, number);
    demand((is_runnable || is_starved) == (lane->ready.count > 0), "a lane in line for nothing");
    demand(!is_runnable || !is_starved, "a lane both runnable and starved");
    uint32_t workers = 0;
    for (uint32_t profile = 0; profile < lanes->profile_count; profile++) {
        bool serves = bits_has(lane->profiles, profile);
        demand(serves == bits_has(lanes->profiles[profile].lanes, number), "a one-sided match");
        if (serves) workers += lanes->profiles[profile].workers;
        demand(!serves || !is_starved || !bits_has(lanes->available, profile),
               "starved beside a worker with credit");
    }
    demand(workers == lane->workers, "a lane's workers");
}

static void check_profile(const struct ventilator *ventilator, uint32_t number)
{
    const struct profile *profile = &ventilator->lanes.profiles[number];
    uint32_t workers = 0, ringed = 0, walked = 0;
    for (uint32_t slot = 0; slot < ventilator->peers.nodes.slots.fresh; slot++) {
        const struct peer *peer = &ventilator->peers.peers[slot];
        if (peer->state == PEER_FREE || peer->role != ROLE_WORKER || peer->profile != number) {
            continue;
        }
        workers += peer->state != PEER_GONE;
        ringed += peer->ringed;
    }
    demand(workers == profile->workers, "a profile's workers");
    if (profile->available != TASK_NOWHERE) {
        uint32_t at = profile->available;
        do {
            const struct peer *peer = &ventilator->peers.peers[at];
            demand(peer->ringed && peer->profile == number, "a stranger in the ring");
            demand(ventilator->peers.peers[peer->ring_next].ring_previous == at, "a torn ring");
            demand(++walked <= ringed, "a ring without an end");
            at = peer->ring_next;
        } while (at != profile->available);
    }
    demand(walked == ringed, "a worker outside its ring");
    demand((ringed > 0) == bits_has(ventilator->lanes.available, number), "a profile's bit");
}

static void check_worker(const struct ventilator *ventilator, uint32_t slot, struct census *census)
{
    const struct peer *worker = &ventilator->peers.peers[slot];
    const struct {
        const struct task_list *list;
        enum task_sent sent;
    } lists[] = {{&worker->leases, TASK_SENT},
                 {&worker->fresh, TASK_UNSENT},
                 {&worker->orphans, TASK_ORPHAN}};
    for (size_t which = 0; which < 3; which++) {
        check_list(ventilator, lists[which].list);
        census->listed_leased += lists[which].list->count;
        for (uint32_t at = lists[which].list->first; at != TASK_NOWHERE;
             at = ventilator->tasks[at].next) {
            const struct task *task = &ventilator->tasks[at];
            demand(task->state == TASK_LEASED && task->holder == slot, "not this worker's lease");
            demand(task->sent == lists[which].sent, "in the wrong list of its worker");
            demand(task->token != 0, "leased without a token");
        }
    }
    uint32_t held = worker->leases.count + worker->fresh.count + worker->orphans.count;
    bool may_take = held < ventilator->options.leases_max && worker->state == PEER_OPEN &&
                    !worker->draining && worker->given_tasks < worker->credit_tasks &&
                    worker->given_bytes < worker->credit_bytes;
    demand(worker->ringed == may_take, "a worker with credit must be asked, and no other");
    census->recalls += worker->recalls;
    demand(circle_is_empty(&ventilator->peers.stuck, slot) == (worker->unstarted == 0),
           "a worker with unstarted leases outside its circle");
}

static void check_producer(const struct ventilator *ventilator, uint32_t slot,
                           struct census *census)
{
    const struct peer *producer = &ventilator->peers.peers[slot];
    uint64_t bytes = 0, owned = 0;
    check_list(ventilator, &producer->results);
    check_list(ventilator, &producer->unreceipted);
    census->listed_results += producer->results.count + producer->unreceipted.count;
    for (uint32_t at = producer->results.first; at != TASK_NOWHERE;
         at = ventilator->tasks[at].next) {
        const uint8_t kept = ventilator->tasks[at].kept;
        demand((kept & TASK_KEPT_RESULT) != 0 && (kept & TASK_KEPT_SENT) == 0, "not to be sent");
    }
    for (uint32_t at = producer->unreceipted.first; at != TASK_NOWHERE;
         at = ventilator->tasks[at].next) {
        const struct task *task = &ventilator->tasks[at];
        demand((task->kept & TASK_KEPT_RESULT) != 0 && (task->kept & TASK_KEPT_SENT) != 0,
               "not sent");
        bytes += task->result.size + task->text.size + 64;
    }
    if (producer->state == PEER_GONE) return;
    demand(bytes == producer->unreceipted_bytes, "bytes not receipted");
    uint64_t reference = peers_reference(&ventilator->peers, slot);
    for (uint32_t task = 0; task < ventilator->slots.fresh; task++) {
        owned += ventilator->tasks[task].state != TASK_NONE &&
                 ventilator->tasks[task].owner == reference;
    }
    demand(owned == producer->owned, "tasks that a producer waits for");
}

static uint64_t due_of(const struct ventilator *ventilator, const struct peer *peer)
{
    const struct ventilator_options *options = &ventilator->options;
    if (peer->state == PEER_CLOSED || peer->state == PEER_ABSENT) return peer->gone_ns;
    const struct turn *turn = &ventilator->turn;
    uint64_t since_ns = peer->heard_ns > turn->floor_ns ? peer->heard_ns : turn->floor_ns;
    uint64_t quiet_ns = since_ns + turn->excused_ns +
                        (peer->state == PEER_OPEN ? options->suspect_ns : options->lost_ns);
    uint64_t beat_ns = peer->said_ns + options->heartbeat_ns;
    return beat_ns < quiet_ns ? beat_ns : quiet_ns;
}

static void check_peer(const struct ventilator *ventilator, uint32_t slot, struct census *census)
{
    const struct peers *peers = &ventilator->peers;
    const struct peer *peer = &peers->peers[slot];
    if (peer->state == PEER_FREE) {
        demand(!heap_has(&peers->deadlines, slot) && !peer->touched, "a trace of a peer gone");
        return;
    }
    demand(peers_of_node(peers, &peers->nodes.ids[slot]) == slot, "a node lost");
    demand((peer->session != 0) == (peer->state == PEER_OPEN || peer->state == PEER_SUSPECT),
           "a session in the wrong state");
    demand(peer->session == 0 || peers_of_link(peers, peer->link) == slot, "a link lost");
    if (peer->session != 0 && peer->role == ROLE_WORKER) census->workers++;
    if (peer->session != 0 && peer->role == ROLE_PRODUCER) census->producers++;
    demand(heap_has(&peers->deadlines, slot) == (peer->state != PEER_GONE), "nobody watches");
    if (peer->state != PEER_GONE) {
        uint32_t place = peers->deadlines.where[slot] - 1;
        demand(peers->deadlines.entries[place].key <= due_of(ventilator, peer), "watched late");
    }
    demand((peer->revokes == 0 && peer->progress == 0 && !peer->drain_due) || peer->session != 0,
           "to be told without a session");
    if (peer->role == ROLE_WORKER)
        check_worker(ventilator, slot, census);
    else
        check_producer(ventilator, slot, census);
}

static uint64_t lsn_of(const struct ventilator *ventilator, uint32_t slot)
{
    if (!ventilator->options.journals) return 0;
    return ventilator->ages[ventilator->tasks[slot].known].lsn;
}

static void check_settled(const struct ventilator *ventilator)
{
    demand(ventilator->peers.touched_first == 0, "a peer not served");
    demand(ventilator_deadline(ventilator) > ventilator->now_ns, "a deadline left behind");
    for (uint32_t slot = 0; slot < ventilator->peers.nodes.slots.fresh; slot++) {
        const struct peer *peer = &ventilator->peers.peers[slot];
        demand(peer->state != PEER_GONE, "a node not cleared away");
        demand(peer->state == PEER_FREE || peer->orphans.count == 0, "orphans left behind");
        if (peer->state != PEER_OPEN) continue;
        demand(peer->fresh.count == 0, "work not sent");
        demand(peer->progress == 0, "progress not told");
        demand(!peer->drain_due, "a worker not told to drain");
        demand(peer->revokes == 0, "a worker not told that a lease is over");
        demand(!peer->receipt_due || peer->receipt_lsn > ventilator->durable_lsn ||
                   peer->receipt_tab.by_ns > ventilator->now_ns,
               "a receipt not sent");
        demand(!peer->accept_due ||
                   (peer->accept_by_ns > ventilator->now_ns && peer->results.count == 0),
               "an acceptance not sent");
        demand(peer->results.count == 0 ||
                   lsn_of(ventilator, peer->results.first) > ventilator->durable_lsn ||
                   peer->unreceipted_bytes >= 8 * 1024 * 1024 || peer->unreceipted.count >= 8192,
               "results not sent");
    }
    const struct lanes *lanes = &ventilator->lanes;
    bool held_back = ventilator_is_crowded(ventilator) &&
                     ventilator->owed_bytes > ventilator->options.store_bytes_max / 4;
    for (uint32_t lane = 0; lane < lanes->lane_count; lane++) {
        if (lanes->lanes[lane].ready.count == 0 || held_back) continue;
        demand(bits_next(lanes->lanes[lane].profiles, lanes->available, PROFILES_WORDS, 0) ==
                   BITS_NONE,
               "a task waits beside a worker with credit");
    }
}

static void check_letters(const struct ventilator *ventilator)
{
    const struct letters *letters = &ventilator->letters;
    uint32_t count = 0, number = 0;
    for (uint32_t row = letters_first(letters); row != LETTER_NONE;
         row = letters_next(letters, row)) {
        const struct letter *letter = &letters->rows[row];
        const struct task *task = &ventilator->tasks[letter->slot];
        demand((task->kept & TASK_KEPT_DEAD) != 0 && task->row == row, "a letter of no task");
        demand(task->state == TASK_FAILED || task->state == TASK_DEAD, "a letter that is not dead");
        demand(letter->number > number && letter->number <= letters->latest, "letters in disorder");
        number = letter->number;
        count++;
    }
    demand(count == letters->count, "letters counted wrong");
}

static void check_runs(const struct ventilator *ventilator)
{
    const struct runs *runs = &ventilator->runs;
    uint32_t count = 0;
    for (uint32_t slot = 0; slot < ventilator->slots.fresh; slot++) {
        const struct task *task = &ventilator->tasks[slot];
        if (task->state != TASK_LEASED || task->row == 0) continue;
        const struct run *run = &runs->rows[task->row - 1];
        demand(run->slot == slot, "progress of another task");
        demand(run->listener == RUN_NONE || ventilator->peers.peers[run->listener].progress != 0,
               "progress that nobody is told");
        count++;
    }
    demand(count == runs->count, "progress of no run");
}

/* Every row is that of a task, or of one that ended and is remembered, or it is free. */
static void check_known(const struct ventilator *ventilator, struct census *census)
{
    const struct known *known = &ventilator->known;
    uint32_t held = 0;
    for (uint32_t row = 0; row < known->ids.slots.fresh; row++) {
        const struct known_row *ended = &known->rows[row];
        uint32_t slot = known_task(known, row);
        if (slot == TASK_NOWHERE && ended->state == TASK_NONE) continue;
        held++;
        demand(index_find(&known->ids, &known->ids.ids[row]) == row, "an id lost");
        const struct task *task = &ventilator->tasks[slot == TASK_NOWHERE ? 0 : slot];
        if (slot == TASK_NOWHERE)
            demand(ended->state >= TASK_DONE, "an open task without a record");
        else
            demand(task->known == row && task->state != TASK_NONE, "a row of another task");
        census->ended += slot == TASK_NOWHERE || task->state >= TASK_DONE;
    }
    demand(held == known->ids.count, "ids held");
    for (uint32_t place = 0; place < known->ended.count; place++) {
        uint32_t row = slot_ring_at(&known->ended, place), slot = known_task(known, row);
        bool marked = slot == TASK_NOWHERE ? known->rows[row].state >= TASK_DONE
                                           : (ventilator->tasks[slot].kept & TASK_KEPT_ENDED) != 0;
        demand(marked, "an id in line to be forgotten that did not end");
        census->kept_ended += slot != TASK_NOWHERE;
        census->remembered += slot == TASK_NOWHERE;
    }
}

void ventilator_check_tables(const struct ventilator *ventilator, enum check_moment moment)
{
    struct census census = {0};
    uint32_t held = 0, marked = 0;
    check_ages(ventilator);
    for (uint32_t slot = 0; slot < ventilator->slots.fresh; slot++) {
        if (ventilator->tasks[slot].state == TASK_NONE) continue;
        held++;
        marked += (ventilator->tasks[slot].kept & TASK_KEPT_ENDED) != 0;
        count_task(ventilator, slot, &census);
    }
    for (uint32_t lane = 0; lane < ventilator->lanes.lane_count; lane++) {
        check_lane(ventilator, lane);
    }
    for (uint32_t profile = 0; profile < ventilator->lanes.profile_count; profile++) {
        check_profile(ventilator, profile);
    }
    for (uint32_t peer = 0; peer < ventilator->peers.nodes.slots.fresh; peer++) {
        check_peer(ventilator, peer, &census);
    }
    const struct totals *totals = &ventilator->totals;
    demand(census.recalls == ventilator->recalls, "leases asked back");
    check_known(ventilator, &census);
    demand(held + census.remembered == ventilator->known.ids.count, "tasks held");
    demand(census.waiting == totals->waiting && census.ready == totals->ready, "tasks in line");
    demand(census.leased == totals->leased && census.leased == census.listed_leased, "leases");
    demand(ventilator->options.journals || /* which brings those of an earlier life */
               census.ended <= totals->done + totals->failed + totals->dead + totals->cancelled,
           "more ended than did");
    demand(census.kept_results == ventilator->owed, "results owed");
    demand(census.kept_results == census.listed_results, "a result in nobody's list");
    demand(census.kept_dead == ventilator->letters.count, "dead letters");
    check_letters(ventilator);
    check_runs(ventilator);
    demand(census.kept_ended == marked, "ids remembered");
    demand(census.workers == ventilator->peers.workers, "workers");
    demand(census.producers == ventilator->peers.producers, "producers");
    demand(held > 0 || ventilator->peers.nodes.count > 0 || ventilator->store.bytes_used == 0,
           "values without a task");
    if (moment == CHECK_SETTLED) check_settled(ventilator);
}
