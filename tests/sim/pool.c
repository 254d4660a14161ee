/* pool.c - runs on virtual time. */
#include "chance.h"
#include "checker.h"
#include "mesh.h"

enum { RUN_SLOT_BITS = 2 };
_Static_assert(POOL_SLOTS_MAX <= 1 << RUN_SLOT_BITS, "a slot fits the mark of its run");

static const uint64_t HEALED_RUN_NS = 50 * MILLISECOND;

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
        checker_started(mesh, node, &job->lease);
        uint64_t until_ns = mesh->now_ns + job->run_ns;
        agenda_add(&mesh->agenda, until_ns, AGENDA_RUN, node->number,
                   ++pool->marks[slot] << RUN_SLOT_BITS | slot);
    }
}

void pool_submit(struct mesh *mesh, struct node *node, uint32_t job,
                 const struct assignment *assignment)
{
    struct pool *pool = &node->worker.pool;
    checker_assigned(mesh, node, assignment);
    assert(pool->line_count < POOL_JOBS_MAX);
    pool->line[(pool->line_first + pool->line_count++) % POOL_JOBS_MAX] =
        (struct pool_job){.job = job, .lease = assignment->lease};
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
