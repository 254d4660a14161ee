/* worker_credit.c - how much to take from whom.
 *
 * Owns: every change of credit.  Not here: what came against it (worker_work.c
 * counts that), and how fast things go (worker_pace.c).
 *
 * The pool should hold `capacity` jobs: one for each slot, and as many ahead as
 * cover the round trip, so that tiny tasks wait here and long ones where another
 * worker can still have them.  The round trip is that of the farthest ventilator
 * with a backlog: if it had more here than the others, it had more of the slots.
 * Credit that was given may be used before it can be taken back (worker_surplus.c
 * says when it is), so it goes where it will be used:
 *
 *   1. Ventilators that said they have a backlog share the capacity so that as many
 *      jobs of each are run, and what one does not want goes to the others.  A job of
 *      a far one takes part of the capacity while it is on its way, too, so that one
 *      has more of it.
 *   2. While a slot is free, every open ventilator keeps credit for one task, so
 *      that it need not ask; and what tiny tasks take ahead is spread over all.
 *      A ventilator that is alone may have the whole capacity.
 *   3. A ventilator of which nothing is held keeps credit for one task even when
 *      all slots are taken, so that each one gets on; but not one that has just
 *      wanted a task back, since it has a better place for it.
 *
 * Hence jobs held never exceed the capacity plus the credit that ventilators
 * kept without using it: one task each, what there is to take ahead when that
 * is more, and what was given for a backlog that others worked off.  Jobs held,
 * jobs owed and all credit together never exceed jobs_max; the last places in
 * the table are kept for ventilators that have none, connected or not.
 */
#include "planted.h"
#include "worker_state.h"

#include <assert.h>

/* A ventilator that left credit unused for this long, and two round trips, has no
 * backlog now, whatever it said last: another worker was faster. */
static const uint64_t ANSWER_NS = 50 * MILLISECOND;

/* For so long after it wanted a task back it gets nothing that would wait here. */
static const uint64_t RECALLED_NS = SECOND;

void worker_credit_reset(struct worker_link *link)
{
    if (planted(PLANTED_CREDIT_OUTLIVES_SESSION)) return;
    link->granted_tasks = link->granted_bytes = 0;
    link->received_tasks = link->received_bytes = 0;
    link->backlog = 0;
    link->eager = false;
    worker_pace_unasked(link);
}

/* Credit that was given and not used. */
static uint64_t tasks_left(const struct worker_link *link)
{
    bool left = link->granted_tasks > link->received_tasks;
    return left ? link->granted_tasks - link->received_tasks : 0;
}

static uint64_t bytes_left(const struct worker_link *link)
{
    bool left = link->granted_bytes > link->received_bytes;
    return left ? link->granted_bytes - link->received_bytes : 0;
}

/* The backlog leaves out what we gave credit for, also when that was still on
 * its way while the ventilator spoke. */
void worker_credit_told(struct worker *worker, uint32_t link, uint64_t backlog)
{
    struct worker_link *peer = &worker->links[link];
    uint64_t left = tasks_left(peer);
    peer->backlog = backlog > left ? backlog - left : 0;
    peer->eager = backlog > 0;
    peer->asked_ns = worker->now_ns;
    if (backlog == 0) worker_pace_unasked(peer);
}

/* One turn's view of all links, and what it decided.  Of the rows, those of links that exist are
 * set: to clear all of them took longer than the rest. */
struct plan {
    uint32_t open;                       /* links with a session */
    uint64_t ahead;                      /* jobs to hold beyond the slots */
    uint64_t free;                       /* capacity that nobody holds or is about to use */
    uint64_t room;                       /* jobs there is room for in the table */
    uint64_t kept;                       /* of these: one for each link that has nothing in it */
    uint64_t bytes;                      /* payload credit to keep with each link */
    bool slots_free;                     /* a slot waits for work */
    uint64_t ahead_of[WORKER_LINKS_MAX]; /* of these, for a link that is alone */
    uint64_t weight[WORKER_LINKS_MAX];   /* of its part in the capacity; 0: it has none */
    uint64_t level[WORKER_LINKS_MAX];
    uint64_t grant[WORKER_LINKS_MAX];
};

static bool is_open(const struct worker *worker, uint32_t link)
{
    return worker->links[link].uplink.state == UPLINK_OPEN;
}

static uint64_t minus(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t unused_bytes(const struct worker *worker)
{
    return minus(worker->options.store_bytes_max, worker->store.bytes_used);
}

static uint64_t answer_due(const struct worker_link *link)
{
    return instant_after(link->asked_ns, ANSWER_NS + 2 * worker_pace_round_trip(link));
}

static void forget_unanswered(struct worker *worker)
{
    for (uint32_t i = 0; i < worker->options.link_count; i++) {
        struct worker_link *link = &worker->links[i];
        if (!link->eager || tasks_left(link) == 0) continue;
        if (worker->now_ns < answer_due(link)) continue;
        link->eager = false;
        link->backlog = 0;
        worker_pace_unasked(link);
    }
}

/* The link has no place in the table, and none is promised to it. */
static bool is_destitute(const struct worker_link *link)
{
    return worker_link_held(link) == 0 && link->owed.count == 0 && tasks_left(link) == 0;
}

static void survey(const struct worker *worker, struct plan *plan)
{
    uint64_t coming = 0, left = 0, idle_ahead = 0;
    bool eager = false;
    plan->open = 0;
    plan->ahead = plan->kept = 0;
    for (uint32_t i = 0; i < worker->options.link_count; i++) {
        const struct worker_link *link = &worker->links[i];
        plan->ahead_of[i] = plan->weight[i] = plan->level[i] = plan->grant[i] = 0;
        if (is_destitute(link)) plan->kept++;
        if (!is_open(worker, i)) continue;
        plan->open++;
        plan->ahead_of[i] = worker_pace_ahead(worker, link);
        if (plan->ahead_of[i] > idle_ahead) idle_ahead = plan->ahead_of[i];
        left += tasks_left(link);
        if (!link->eager) continue;
        eager = true;
        coming += tasks_left(link);
        if (plan->ahead_of[i] > plan->ahead) plan->ahead = plan->ahead_of[i];
    }
    if (!eager) plan->ahead = idle_ahead;
    uint64_t busy = worker->held + coming, taken = worker->held + (uint64_t)worker->owed + left;
    uint64_t unused = unused_bytes(worker);
    plan->free = minus(worker->options.slots + plan->ahead, busy);
    plan->slots_free = busy < worker->options.slots;
    plan->room = minus(worker->options.jobs_max, taken);
    if (unused < worker->options.store_bytes_max / 2) plan->room = 0; /* results pile up */
    /* The other half is for results. */
    plan->bytes = plan->open > 0 ? unused / 2 / plan->open : 0;
}

/* What a link would hold if nobody else wanted anything. */
static uint64_t wanted(const struct worker *worker, uint32_t link)
{
    const struct worker_link *peer = &worker->links[link];
    uint64_t wanted = worker_link_held(peer);
    if (peer->eager) wanted += tasks_left(peer) + smaller(peer->backlog, WORKER_CAPACITY_MAX);
    return wanted;
}

/* For how long a job takes a place: from the credit for it until it ends.  By Little's law,
 * as many of each are run when each has places in proportion to that.  What is taken ahead
 * for the farthest waits here, and with it all that came before, but for what is on its way
 * at the moment.  Without anything ahead nothing waits, and the places are the slots. */
static void weigh(const struct worker *worker, struct plan *plan)
{
    uint64_t trips_ns = 0, eager = 0, mean_ns = worker->mean_run_ns;
    for (uint32_t i = 0; i < worker->options.link_count; i++) {
        const struct worker_link *link = &worker->links[i];
        if (!is_open(worker, i) || !link->eager) continue;
        trips_ns += worker_pace_round_trip(link);
        eager++;
    }
    uint64_t ahead_ns = plan->ahead * mean_ns / worker->options.slots;
    uint64_t here_ns = mean_ns + minus(ahead_ns, eager > 0 ? trips_ns / eager : 0);
    for (uint32_t i = 0; i < worker->options.link_count; i++) {
        if (!is_open(worker, i)) continue;
        /* No longer than what is ahead covers: nobody gets everything for being slow. */
        uint64_t trip_ns = smaller(worker_pace_round_trip(&worker->links[i]), ahead_ns);
        plan->weight[i] = plan->ahead > 0 ? here_ns + trip_ns : 1;
    }
}

/* Max-min fairness: whoever wants less than its share gets it, and the rest is
 * shared by the rest. */
static void share(const struct worker *worker, struct plan *plan)
{
    uint64_t capacity = worker->options.slots + plan->ahead, sharing = 0;
    bool settled[WORKER_LINKS_MAX];

    weigh(worker, plan);
    for (uint32_t i = 0; i < worker->options.link_count; i++) {
        settled[i] = false;
        sharing += plan->weight[i];
    }
    for (bool changed = true; changed;) {
        changed = false;
        for (uint32_t i = 0; i < worker->options.link_count; i++) {
            if (settled[i] || plan->weight[i] == 0) continue;
            uint64_t wish = wanted(worker, i);
            if (wish > capacity * plan->weight[i] / sharing) continue;
            plan->level[i] = wish;
            capacity -= wish;
            sharing -= plan->weight[i];
            settled[i] = changed = true;
        }
    }
    for (uint32_t i = 0; i < worker->options.link_count; i++) {
        if (settled[i] || plan->weight[i] == 0) continue;
        /* The first get what is odd. */
        plan->level[i] = (capacity * plan->weight[i] + sharing - 1) / sharing;
        capacity -= plan->level[i];
        sharing -= plan->weight[i];
    }
}

static void grant(struct plan *plan, uint32_t link, uint64_t tasks)
{
    uint64_t granted = smaller(tasks, minus(plan->room, plan->kept));
    plan->grant[link] += granted;
    plan->room -= granted;
}

/* Rule 1. */
static void grant_backlogs(const struct worker *worker, struct plan *plan)
{
    for (uint32_t i = 0; i < worker->options.link_count; i++) {
        const struct worker_link *link = &worker->links[i];
        if (!is_open(worker, i) || !link->eager) continue;
        uint64_t lacking = minus(plan->level[i], worker_link_held(link) + tasks_left(link));
        grant(plan, i, smaller(lacking, plan->free));
        plan->free -= plan->grant[i];
    }
}

/* The end of rule 2. */
static void grant_ahead(const struct worker *worker, struct plan *plan)
{
    if (plan->open == 0) return;
    for (uint32_t i = 0; i < worker->options.link_count; i++) {
        const struct worker_link *link = &worker->links[i];
        if (!is_open(worker, i)) continue;
        uint64_t left = tasks_left(link), before = plan->grant[i];
        uint64_t keep = plan->open == 1 ? WORKER_CAPACITY_MAX : plan->ahead_of[i] / plan->open;
        uint64_t idle = link->eager ? 0 : left;
        grant(plan, i, smaller(minus(keep, left + before), minus(plan->free, idle)));
        plan->free -= plan->grant[i] - before;
    }
}

static bool has_recalled(const struct worker *worker, const struct worker_link *link)
{
    return link->recalled_ns != 0 && worker->now_ns < instant_after(link->recalled_ns, RECALLED_NS);
}

/* Rule 3, and the beginning of rule 2. */
static void grant_ones(const struct worker *worker, struct plan *plan, uint64_t free)
{
    for (uint32_t i = 0; i < worker->options.link_count; i++) {
        const struct worker_link *link = &worker->links[i];
        if (!is_open(worker, i) || tasks_left(link) + plan->grant[i] > 0) continue;
        bool waits = free == 0; /* what comes would have to */
        if (waits && (worker_link_held(link) > 0 || has_recalled(worker, link))) continue;
        if (is_destitute(link)) plan->kept--;
        grant(plan, i, 1);
    }
}

static void decide(const struct worker *worker, struct plan *plan)
{
    share(worker, plan);
    grant_backlogs(worker, plan);
    uint64_t free = plan->free;
    grant_ahead(worker, plan);
    grant_ones(worker, plan, free);
}

/* Less than one large payload is not worth saying, unless nothing else would
 * ever free more. */
static uint64_t bytes_wanted(const struct worker *worker, const struct plan *plan, uint32_t link)
{
    const struct worker_link *peer = &worker->links[link];
    uint32_t payload_max = peer->uplink.payload_bytes_max;
    if (plan->bytes >= payload_max) return plan->bytes;
    bool fits = store_fits(&worker->store, payload_max);
    return worker_link_held(peer) == 0 && fits ? payload_max : 0;
}

static void say_credit(struct worker *worker, uint32_t link, struct worker_actions *out)
{
    const struct worker_link *peer = &worker->links[link];
    struct message *message = worker_send(worker, out, link, MESSAGE_CREDIT);
    message->u.credit = (struct message_credit){
        .tasks = peer->granted_tasks,
        .bytes = peer->granted_bytes,
    };
}

/* Credit is said when half of it is used, not for every task; but at once when
 * a ventilator with a backlog leaves a slot waiting. */
static void send_credit(struct worker *worker, const struct plan *plan, uint32_t link,
                        struct worker_actions *out)
{
    struct worker_link *peer = &worker->links[link];
    uint64_t tasks = plan->grant[link], left = tasks_left(peer);
    uint64_t bytes_had = bytes_left(peer);
    uint64_t bytes = minus(bytes_wanted(worker, plan, link), bytes_had);
    bool tasks_due = tasks >= left || (peer->eager && plan->slots_free);
    bool bytes_due = bytes > bytes_had;
    if (left + tasks == 0) return; /* bytes without tasks are of no use */
    if (!(tasks > 0 && tasks_due) && !bytes_due) return;

    if (tasks > 0 && peer->eager && peer->backlog > 0) worker_pace_asked(worker, peer);
    peer->granted_tasks = peer->received_tasks + left + tasks;
    peer->granted_bytes = peer->received_bytes + bytes_had + bytes;
    peer->backlog = minus(peer->backlog, tasks);
    peer->asked_ns = worker->now_ns;
    say_credit(worker, link, out);
}

void worker_credit_take_back(struct worker *worker, uint32_t link, struct worker_actions *out)
{
    struct worker_link *peer = &worker->links[link];
    if (!is_open(worker, link) || tasks_left(peer) == 0) return;
    peer->granted_tasks = peer->received_tasks;
    peer->granted_bytes = peer->received_bytes;
    say_credit(worker, link, out);
}

/* Whether nothing would be said to this link whatever was decided, out of `capacity` and for
 * `open` links: without a backlog and with credit left, it is given by the end of rule 2 alone,
 * and no more than the capacity less what is held and what it has. */
static bool is_content(const struct worker *worker, const struct worker_link *link,
                       uint64_t capacity, uint64_t open)
{
    uint64_t had = bytes_left(link);
    if (worker->held + 2 * tasks_left(link) <= capacity) return false;
    return link->uplink.payload_bytes_max <= 2 * had && unused_bytes(worker) <= 4 * had * open;
}

/* As in most turns with few tasks, for which planning would be the longest part. */
static bool all_are_content(const struct worker *worker)
{
    uint64_t ahead = 0, open = 0;
    for (uint32_t i = 0; i < worker->options.link_count; i++) {
        const struct worker_link *link = &worker->links[i];
        if (!is_open(worker, i)) continue;
        if (link->eager || tasks_left(link) == 0) return false;
        uint64_t ahead_of = worker_pace_ahead(worker, link);
        if (ahead_of > ahead) ahead = ahead_of;
        open++;
    }
    for (uint32_t i = 0; i < worker->options.link_count; i++) {
        if (!is_open(worker, i)) continue;
        if (!is_content(worker, &worker->links[i], worker->options.slots + ahead, open))
            return false;
    }
    return true;
}

void worker_credit_grant(struct worker *worker, struct worker_actions *out)
{
    if (worker->draining || worker_is_stuck(worker)) return;
    forget_unanswered(worker);
    if (all_are_content(worker)) return;
    struct plan plan;
    survey(worker, &plan);
    decide(worker, &plan);
    for (uint32_t i = 0; i < worker->options.link_count; i++) {
        if (is_open(worker, i)) send_credit(worker, &plan, i, out);
    }
}

uint64_t worker_credit_deadline(const struct worker *worker)
{
    uint64_t due_ns = INSTANT_NEVER;
    if (worker->draining) return due_ns;
    for (uint32_t i = 0; i < worker->options.link_count; i++) {
        const struct worker_link *link = &worker->links[i];
        if (!link->eager || tasks_left(link) == 0) continue;
        uint64_t answer_ns = answer_due(link);
        if (answer_ns < due_ns) due_ns = answer_ns;
    }
    return due_ns;
}
