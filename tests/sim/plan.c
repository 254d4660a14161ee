/* plan.c - from a seed to a mesh and its troubles. */
#include "plan.h"

#include "chance.h"
#include "core/instant.h"

/* Often nothing, else up to `most`. */
static uint32_t rate(uint64_t *chance, uint32_t most)
{
    switch (chance_below(chance, 4)) {
    case 0:
    case 1: return 0;
    case 2: return (uint32_t)chance_below(chance, most / 10 + 1);
    case 3: break;
    }
    return (uint32_t)chance_below(chance, most + 1);
}

static uint64_t one_of(uint64_t *chance, const uint64_t *choices, uint32_t count)
{
    return choices[chance_below(chance, count)];
}

static void plan_faults(struct plan *plan, uint64_t *chance)
{
    const uint64_t every[] = {300 * MILLISECOND, 1000 * MILLISECOND, 3000 * MILLISECOND,
                              8000 * MILLISECOND};
    const uint64_t latencies[] = {50000, 300000, 2 * MILLISECOND, 30 * MILLISECOND};
    plan->faults_ns = chance_between(chance, 10, 40) * SECOND;
    plan->fault_every_ns = one_of(chance, every, 4);
    uint32_t total = 0;
    for (int fault = 0; fault < FAULT_DRAIN_AFAR; fault++) {
        total += plan->weights[fault] = rate(chance, 100);
    }
    if (total == 0) plan->weights[FAULT_RESET] = 1;
    plan->messages = (struct plan_messages){
        .loss_ppm = rate(chance, 50000),
        .repeat_ppm = rate(chance, 50000),
        .swap_ppm = rate(chance, 50000),
        .delay_ppm = rate(chance, 50000),
        .cut_ppm = rate(chance, 2000),
    };
    plan->latency_ns = one_of(chance, latencies, 4);
    plan->power_ppm = rate(chance, 1000000);
    plan->outage_ns = chance_between(chance, 50, 5000) * MILLISECOND;
    plan->skew_ppm = chance_one_in(chance, 2) ? 0 : 50000;
}

static void plan_load(struct plan *plan, uint64_t *chance)
{
    const uint64_t runs[] = {MILLISECOND, 20 * MILLISECOND, 200 * MILLISECOND, 2000 * MILLISECOND};
    plan->run_ns = one_of(chance, runs, 4);
    plan->tasks = (uint32_t)chance_between(chance, 20, 300);
    if (plan->run_ns >= 2000 * MILLISECOND) plan->tasks = plan->tasks / 4 + 1;
    plan->burst = chance_one_in(chance, 2) ? 1 : (uint32_t)chance_between(chance, 2, 40);
    plan->submit_every_ns = plan->faults_ns / plan->tasks * plan->burst * plan->producers;
    plan->result_ppm = chance_one_in(chance, 4) ? 0 : (uint32_t)chance_below(chance, 1000001);
    plan->large_ppm = rate(chance, 50000);
    plan->again_ppm = (uint32_t)chance_below(chance, 1000001);
    plan->fail_ppm = rate(chance, 400000);
    plan->crash_ppm = rate(chance, 200000);
    plan->permanent_ppm = rate(chance, 100000);
    plan->retry_ppm = rate(chance, 500000);
}

static void plan_policy(struct plan *plan, uint64_t *chance)
{
    const uint64_t beats[] = {100 * MILLISECOND, SECOND, SECOND, SECOND};
    plan->heartbeat_ns = one_of(chance, beats, 4);
    bool tight = chance_one_in(chance, 4);
    plan->tasks_max = tight ? (uint32_t)chance_between(chance, 8, 64) : TASKS_MAX;
    plan->peers_max = 64;
    plan->leases_max = chance_one_in(chance, 4) ? (uint32_t)chance_between(chance, 1, 8) : 4096;
    plan->dead_letters_max = chance_one_in(chance, 4) ? 2 : TASKS_MAX;
    plan->attempts_max = (uint32_t)chance_between(chance, 1, 6);
    plan->crashes_max = (uint32_t)chance_between(chance, 1, 4);
    plan->losses_max = chance_one_in(chance, 8) ? 2 : 20;
    plan->backoff_ns = chance_between(chance, 1, 1000) * MILLISECOND;
    /* Results that nobody fetches take the place of tasks; with little room, not for long. */
    plan->absent_ns = tight || chance_one_in(chance, 4) ? 5 * SECOND : 600 * SECOND;
    plan->jobs_max = chance_one_in(chance, 2) ? 10 : 512;
    plan->outbox_max = tight ? (uint32_t)chance_between(chance, 4, 32) : TASKS_MAX;
    plan->batches_max = (uint32_t)chance_between(chance, 1, 32);
    plan->resend_ns = chance_one_in(chance, 2) ? 5 * SECOND : SECOND;
    plan->failover_ns = chance_between(chance, 1, 10) * SECOND;
    plan->unknown_ns = chance_one_in(chance, 4) ? 8 * SECOND : 0;
}

static void plan_disk(struct plan *plan, uint64_t *chance)
{
    const uint64_t syncs[] = {100000, 2 * MILLISECOND, 20 * MILLISECOND, 300 * MILLISECOND};
    plan->journal = chance_one_in(chance, 2);
    plan->sync_ns = one_of(chance, syncs, 4);
    plan->segment_bytes = chance_between(chance, 20, 64) * 8192;
    plan->quota_bytes = chance_one_in(chance, 4) ? 16 * plan->segment_bytes : 0;
    plan->disk_bytes = chance_one_in(chance, 8) ? 12 * plan->segment_bytes : UINT64_MAX;
    /* Two segments lie there whatever is held: the one in use and the next. */
    plan->journal_slack_bytes = 3 * plan->segment_bytes + chance_below(chance, 4) * 65536;
    plan->disk_fail_ppm = rate(chance, 3000);
}

static void plan_limits(struct plan *plan, uint64_t *chance)
{
    plan->weights[FAULT_DRAIN_AFAR] = rate(chance, 100);
    plan->limit_ppm = chance_one_in(chance, 2) ? 0 : (uint32_t)chance_below(chance, 1000001);
    plan->deaf_ppm = rate(chance, 1000000);
    plan->hang_ppm = rate(chance, 300000);
}

void plan_make(struct plan *plan, uint64_t seed)
{
    uint64_t chance = seed * 0x9e3779b97f4a7c15U + 1;
    *plan = (struct plan){.seed = seed};
    plan->ventilators = (uint32_t)chance_between(&chance, 1, VENTILATORS_MAX);
    plan->workers = (uint32_t)chance_between(&chance, 1, WORKERS_MAX);
    plan->producers = (uint32_t)chance_between(&chance, 1, PRODUCERS_MAX);
    plan->slots = (uint32_t)chance_between(&chance, 1, 4);
    plan->guarded = chance_one_in(&chance, 3);
    plan_faults(plan, &chance);
    plan_load(plan, &chance);
    plan_policy(plan, &chance);
    plan_disk(plan, &chance);
    plan->cancel_ppm = chance_one_in(&chance, 2) ? 0 : (uint32_t)chance_below(&chance, 1000001);
    plan_limits(plan, &chance);
}

const char *plan_fault_name(enum fault fault)
{
    static const char *const names[FAULTS] = {
        "crash ventilator", "crash worker",      "crash producer",   "pause", "stall",
        "partition",        "one-way partition", "isolate",          "reset", "half-open",
        "slow link",        "drain worker",      "drain ventilator", "crowd", "drain from afar"};
    return names[fault];
}
