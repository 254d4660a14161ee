/* worker_surplus.c - work that was taken ahead and cannot be begun soon.
 *
 * Owns: giving it back.  Not here: how much to take (worker_credit.c).
 *
 * Whoever runs a thousand short tasks and then meets long ones has taken more of
 * these than its slots will begin for a long time, and may have said credit for
 * more.  When the first that waits has waited far longer than it should have, the
 * latest go back, down to what would be taken ahead now, and credit that is left is
 * taken back, so that they do not come again on it.  When every slot is lost to a run that cannot
 * be ended, all that waits goes back at once.
 */
#include "worker_state.h"

enum { RECALLS_EACH_STEP = 1024 };

/* Far beyond what work is taken ahead for, so that it is no mere hiccup. */
static const uint64_t PATIENCE_NS = 100 * MILLISECOND;
static const uint64_t PATIENCE_AHEAD = 4; /* or so many times that */

static uint64_t patience_ns(const struct worker *worker)
{
    uint64_t ahead_ns = PATIENCE_AHEAD * worker->ahead_ns;
    return ahead_ns > PATIENCE_NS ? ahead_ns : PATIENCE_NS;
}

/* How many of the link's jobs may wait: its share of what is taken ahead, and one,
 * so that each ventilator gets on. */
static uint64_t may_wait(const struct worker *worker, const struct worker_link *link)
{
    return worker_is_stuck(worker) ? 0 : 1 + worker_pace_ahead(worker, link);
}

/* A pool that does not tell of starts would have us ask for what runs. */
static uint64_t due(const struct worker *worker, const struct worker_link *link)
{
    if (!worker->starts_told || link->waiting.count <= may_wait(worker, link)) {
        return INSTANT_NEVER;
    }
    if (worker_is_stuck(worker)) return instant_after(link->reduced_ns, PATIENCE_NS);
    uint64_t came_ns = worker->jobs[link->waiting.first].since_ns;
    uint64_t from_ns = came_ns > link->reduced_ns ? came_ns : link->reduced_ns;
    return instant_after(from_ns, patience_ns(worker));
}

/* The latest `count` of those that wait, the earliest of these first. */
static void recall_latest(const struct worker *worker, const struct worker_link *link,
                          uint64_t count, struct worker_actions *out)
{
    uint32_t job = link->waiting.last;
    for (uint64_t i = 1; i < count; i++) job = worker->jobs[job].previous[CHAIN_RUN];
    for (; job != JOB_NONE; job = worker->jobs[job].next[CHAIN_RUN]) {
        worker_job_recall(worker, job, out);
    }
}

/* What is too much for one step, or what the pool does not give, is asked for when as
 * much time has passed again.  Returns how many more may be asked for in this step. */
static uint32_t reduce(struct worker *worker, struct worker_link *link, uint32_t left,
                       struct worker_actions *out)
{
    uint64_t surplus = link->waiting.count - may_wait(worker, link);
    if (surplus > left) surplus = left;
    link->reduced_ns = worker->now_ns;
    worker_credit_take_back(worker, (uint32_t)(link - worker->links), out);
    recall_latest(worker, link, surplus, out);
    return left - (uint32_t)surplus;
}

void worker_surplus_tick(struct worker *worker, struct worker_actions *out)
{
    uint32_t left = RECALLS_EACH_STEP;
    for (uint32_t i = 0; i < worker->options.link_count && left > 0; i++) {
        struct worker_link *link = &worker->links[i];
        if (due(worker, link) <= worker->now_ns) left = reduce(worker, link, left, out);
    }
}

uint64_t worker_surplus_deadline(const struct worker *worker, uint32_t link)
{
    return due(worker, &worker->links[link]);
}
