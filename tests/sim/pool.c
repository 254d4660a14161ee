/* pool.c - runs on virtual time. */
#include "chance.h"
#include "checker.h"
#include "checker_limit.h"
#include "mesh.h"

enum { RUN_SLOT_BITS = 2 };
_Static_assert(POOL_SLOTS_MAX <= 1 << RUN_SLOT_BITS, "a slot fits the mark of its run");

static const uint64_t HEALED_RUN_NS = 50 * MILLISECOND;
static const uint64_t ENDLESS_RUN_NS = 30 * SECOND; /* as good as that */

void pool_open(struct pool *pool, uint32_t slots)
{
    /* Marks go on counting: a run of the process before must not end one of this. */
    uint32_t marks[POOL_SLOTS_MAX];
    for (uint32_t slot = 0; slot < POOL_SLOTS_MAX; slot++) marks[slot] = pool->marks[slot] + 1;
    memcpy(pool->marks, marks, sizeof marks);
    memset(pool->busy, 0, sizeof pool->busy);
    pool->slots = slots;
    pool->line_first = pool->line_count = pool->done_first = pool->done_count = 0;
}

static void finish(struct pool *pool, const struct pool_job *job)
{
    assert(pool->done_count < POOL_JOBS_MAX);
    pool->done[(pool->done_first + pool->done_count++) % POOL_JOBS_MAX] = *job;
}

static void draw_outcome(struct mesh *mesh, struct pool_job *job)
{
    const struct plan *plan = &mesh->plan;
    uint64_t *chance = &mesh->chance;
    /* When all is healed, what was left must end in time, however long runs took. */
    uint64_t run_ns = plan->run_ns;
    if (mesh->phase != PHASE_FAULTS && run_ns > HEALED_RUN_NS) run_ns = HEALED_RUN_NS;
    job->run_ns = 1 + chance_about(chance, run_ns);
    job->outcome = OUTCOME_DONE;
    if (chance_ppm(chance, plan->fail_ppm)) {
        job->outcome = OUTCOME_FAILED;
        if (chance_ppm(chance, plan->retry_ppm)) {
            job->retry_after_ms = (uint32_t)chance_between(chance, 1, 3000);
        }
    } else if (chance_ppm(chance, plan->crash_ppm)) {
        job->outcome = OUTCOME_CRASHED;
    } else if (chance_ppm(chance, plan->permanent_ppm)) {
        job->outcome = OUTCOME_PERMANENT;
    }
}

static void draw_temper(struct mesh *mesh, struct pool_job *job)
{
    const struct plan *plan = &mesh->plan;
    bool limited = plan->limit_ppm != 0;
    job->deaf = !limited || chance_ppm(&mesh->chance, plan->deaf_ppm);
    job->hangs = !limited || chance_ppm(&mesh->chance, plan->hang_ppm);
    job->lively = job->stalled_ms != 0 && chance_one_in(&mesh->chance, 2);
    job->alive_ns = job->began_ns;
    if (mesh->phase == PHASE_FAULTS && job->limit_ms != 0 && chance_one_in(&mesh->chance, 4)) {
        job->run_ns = ENDLESS_RUN_NS;
    }
}

static void write_down_end(struct mesh *mesh, const struct node *node, uint32_t slot)
{
    struct pool *pool = &mesh->nodes[node->number].worker.pool;
    agenda_add(&mesh->agenda, pool->running[slot].ends_ns, AGENDA_RUN, node->number,
               ++pool->marks[slot] << RUN_SLOT_BITS | slot);
}

static void start_runs(struct mesh *mesh, struct node *node)
{
    struct pool *pool = &node->worker.pool;
    for (uint32_t slot = 0; slot < pool->slots && pool->line_count > 0; slot++) {
        if (pool->busy[slot]) continue;
        struct pool_job *job = &pool->running[slot];
        *job = pool->line[pool->line_first];
        pool->line_first = (pool->line_first + 1) % POOL_JOBS_MAX;
        pool->line_count--;
        pool->busy[slot] = true;
        pool->told[slot] = false;
        job->began_ns = node_now(mesh, node);
        draw_outcome(mesh, job);
        draw_temper(mesh, job);
        checker_started(mesh, node, &job->lease);
        job->ends_ns = mesh->now_ns + job->run_ns;
        write_down_end(mesh, node, slot);
    }
}

void pool_submit(struct mesh *mesh, struct node *node, uint32_t job,
                 const struct assignment *assignment)
{
    struct pool *pool = &node->worker.pool;
    checker_assigned(mesh, node, assignment);
    assert(pool->line_count < POOL_JOBS_MAX);
    pool->line[(pool->line_first + pool->line_count++) % POOL_JOBS_MAX] =
        (struct pool_job){.job = job,
                          .lease = assignment->lease,
                          .limit_ms = assignment->limit_ms,
                          .soft_ms = assignment->soft_ms,
                          .stalled_ms = assignment->stalled_ms};
    start_runs(mesh, node);
}

void pool_withdraw(struct mesh *mesh, struct node *node)
{
    struct pool *pool = &node->worker.pool;
    for (; pool->line_count > 0; pool->line_count--) {
        struct pool_job *job = &pool->line[pool->line_first];
        job->outcome = OUTCOME_RETURNED;
        finish(pool, job);
        pool->line_first = (pool->line_first + 1) % POOL_JOBS_MAX;
    }
    (void)mesh;
}

void pool_recall(struct pool *pool, uint32_t job)
{
    for (uint32_t left = pool->line_count; left > 0; left--) {
        struct pool_job first = pool->line[pool->line_first];
        pool->line_first = (pool->line_first + 1) % POOL_JOBS_MAX;
        pool->line_count--;
        if (first.job == job) {
            first.outcome = OUTCOME_RETURNED;
            finish(pool, &first);
        } else {
            pool->line[(pool->line_first + pool->line_count++) % POOL_JOBS_MAX] = first;
        }
    }
}

/* The slot that it runs in, or as many as there are. */
static uint32_t slot_of(const struct pool *pool, uint32_t job)
{
    uint32_t slot = 0;
    while (slot < pool->slots && !(pool->busy[slot] && pool->running[slot].job == job)) slot++;
    return slot;
}

/* Soon, unless it ends by itself before that. */
static void end_early(struct mesh *mesh, struct node *node, uint32_t slot)
{
    struct pool_job *run = &node->worker.pool.running[slot];
    uint64_t ends_ns = mesh->now_ns + 1 + chance_below(&mesh->chance, 20 * MILLISECOND);
    if (ends_ns >= run->ends_ns) return;
    run->run_ns -= run->ends_ns - ends_ns;
    run->ends_ns = ends_ns;
    run->retry_after_ms = 0;
    write_down_end(mesh, node, slot);
}

void pool_tell(struct mesh *mesh, struct node *node, uint32_t job, enum end_cause cause)
{
    struct pool *pool = &node->worker.pool;
    uint32_t slot = slot_of(pool, job);
    if (slot == pool->slots) return;
    struct pool_job *run = &pool->running[slot];
    checker_limit_ends(mesh, node, run, cause);
    if (cause == END_REVOKED) run->revoked = true;
    run->asked = true;
    if (run->deaf) return;
    if (chance_one_in(&mesh->chance, 2)) run->outcome = OUTCOME_FAILED; /* else as it would have */
    end_early(mesh, node, slot);
}

void pool_kill(struct mesh *mesh, struct node *node, uint32_t job, enum end_cause cause)
{
    struct pool *pool = &node->worker.pool;
    pool_recall(pool, job);
    uint32_t slot = slot_of(pool, job);
    if (slot == pool->slots) return;
    struct pool_job *run = &pool->running[slot];
    checker_limit_ends(mesh, node, run, cause);
    run->killed = true;
    if (run->hangs) return;
    run->outcome = OUTCOME_FAILED;
    end_early(mesh, node, slot);
}

const struct pool_job *pool_show_life(struct mesh *mesh, struct pool *pool, uint32_t slot,
                                      uint64_t now_ns)
{
    struct pool_job *run = &pool->running[slot];
    if (slot >= pool->slots || !pool->busy[slot] || !pool->told[slot] || !run->lively) return NULL;
    if (chance_one_in(&mesh->chance, 4)) return NULL;
    run->alive_ns = now_ns;
    run->number++;
    return run;
}

void pool_on_run(struct mesh *mesh, uint32_t number, uint32_t mark)
{
    struct node *node = &mesh->nodes[number];
    struct pool *pool = &node->worker.pool;
    uint32_t slot = mark & ((1 << RUN_SLOT_BITS) - 1);
    bool ours = node->up && pool->busy[slot] && pool->marks[slot] << RUN_SLOT_BITS == (mark & ~3U);
    if (!ours) return;
    if (node_is_frozen(mesh, node)) { /* its handlers stand still with it */
        agenda_add(&mesh->agenda, node->frozen_until_ns + 1, AGENDA_RUN, number, mark);
        return;
    }
    struct pool_job *job = &pool->running[slot];
    checker_finished(mesh, node, &job->lease, job->outcome);
    pool->busy[slot] = false;
    finish(pool, job);
    start_runs(mesh, node);
    node_rouse(mesh, node);
}

bool pool_started(struct pool *pool, struct pool_job *started)
{
    for (uint32_t slot = 0; slot < pool->slots; slot++) {
        if (!pool->busy[slot] || pool->told[slot]) continue;
        pool->told[slot] = true;
        *started = pool->running[slot];
        return true;
    }
    return false;
}

bool pool_collect(struct pool *pool, struct pool_job *done)
{
    if (pool->done_count == 0) return false;
    *done = pool->done[pool->done_first];
    pool->done_first = (pool->done_first + 1) % POOL_JOBS_MAX;
    pool->done_count--;
    return true;
}
