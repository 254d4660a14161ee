/* worker_pace.c - how fast things go: how long runs take, and how far away the
 * ventilators are; and so how much work to take ahead.
 *
 * Owns: both measures.  Not here: credit, which is made of them (worker_credit.c).
 *
 * Work is taken ahead so that no slot waits for the way to the ventilator and
 * back: as much as the slots can start within ahead_ns, or within two round trips
 * if that is longer, since credit is said when half of it is used.  Tasks that take
 * longer than this get exactly the slots.
 *
 * The mean follows short runs slowly and long ones quickly: to have taken too
 * little ahead costs a round trip now and then, too much makes tasks wait that
 * another worker could run.  And it knows of a long run only when that ends; so a
 * slot whose run takes longer than what is ahead does not count from then on.
 */
#include "worker_state.h"

enum {
    WEIGHT_SHORT = 16,
    WEIGHT_LONG = 4,
    LONG_MAX = 4, /* times ahead_ns: longer runs say no more than one that takes so long */
    WINDOW_TRIPS = 16
};

/* For a ventilator half a second away. */
static const uint64_t AHEAD_NS_MAX = SECOND;

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

void worker_pace_ran(struct worker *worker, uint64_t run_ns)
{
    uint64_t mean_ns = worker->mean_run_ns;
    run_ns = smaller(run_ns, LONG_MAX * worker->ahead_ns);
    if (mean_ns == 0)
        mean_ns = run_ns;
    else if (run_ns > mean_ns)
        mean_ns += (run_ns - mean_ns) / (run_ns > worker->ahead_ns ? WEIGHT_LONG : WEIGHT_SHORT);
    else
        mean_ns -= (mean_ns - run_ns) / WEIGHT_SHORT;
    worker->mean_run_ns = mean_ns > 0 ? mean_ns : 1;
}

uint64_t worker_pace_round_trip(const struct worker_link *link)
{
    uint64_t trip_ns = smaller(link->trips.before_ns, link->trips.now_ns);
    return trip_ns == INSTANT_NEVER ? 0 : trip_ns;
}

static void add_trip(struct worker_trips *trips, uint64_t trip_ns)
{
    trips->now_ns = smaller(trips->now_ns, trip_ns);
    if (++trips->count < WINDOW_TRIPS) return;
    trips->before_ns = trips->now_ns;
    trips->now_ns = INSTANT_NEVER;
    trips->count = 0;
}

void worker_pace_opened(struct worker_link *link)
{
    link->trips = (struct worker_trips){.before_ns = INSTANT_NEVER, .now_ns = INSTANT_NEVER};
    add_trip(&link->trips, link->uplink.answered_ns);
}

void worker_pace_asked(const struct worker *worker, struct worker_link *link)
{
    if (link->trips.asked) return;
    link->trips.asked = true;
    link->trips.asked_ns = worker->now_ns;
    bool left = link->granted_tasks > link->received_tasks;
    link->trips.beyond_tasks = left ? link->granted_tasks : link->received_tasks;
}

void worker_pace_answered(const struct worker *worker, struct worker_link *link)
{
    struct worker_trips *trips = &link->trips;
    if (!trips->asked || link->received_tasks <= trips->beyond_tasks) return;
    trips->asked = false;
    add_trip(trips, worker->now_ns - trips->asked_ns);
}

void worker_pace_unasked(struct worker_link *link)
{
    link->trips.asked = false;
}

static uint64_t ahead_ns_of(const struct worker *worker, const struct worker_link *link)
{
    uint64_t trips_ns = 2 * worker_pace_round_trip(link);
    return smaller(trips_ns > worker->options.ahead_ns ? trips_ns : worker->options.ahead_ns,
                   AHEAD_NS_MAX);
}

uint64_t worker_pace_ahead(const struct worker *worker, const struct worker_link *link)
{
    uint64_t mean_ns = worker->mean_run_ns, ahead_ns = ahead_ns_of(worker, link);
    uint64_t slots = worker->options.slots;
    uint64_t limit = WORKER_CAPACITY_MAX - slots;
    if (mean_ns == 0 || mean_ns > ahead_ns || worker->old >= slots) return 0;
    return smaller((slots - worker->old) * ahead_ns / mean_ns, limit);
}

void worker_pace_tick(struct worker *worker)
{
    worker->ahead_ns = smaller(worker->options.ahead_ns, AHEAD_NS_MAX);
    for (uint32_t i = 0; i < worker->options.link_count; i++) {
        const struct worker_link *link = &worker->links[i];
        if (link->uplink.state != UPLINK_OPEN) continue;
        uint64_t ahead_ns = ahead_ns_of(worker, link);
        if (ahead_ns > worker->ahead_ns) worker->ahead_ns = ahead_ns;
    }
    uint64_t now_ns = worker->now_ns;
    worker_job_age(worker, now_ns > worker->ahead_ns ? now_ns - worker->ahead_ns : 0);
}
