/* slot.c - one thread that runs jobs. */
#include "slot.h"

#include "../core/instant.h"
#include "../watch/clock.h"
#include "../wire/argv.h"

#include <assert.h>
#include <stdlib.h>
#include <time.h>

enum {
    BRIEF_NS = 100 * 1000,         /* results may wait while a job as short as this runs */
    BATCH_AGE_NS = 200 * 1000,     /* .. but no longer than this */
    COMMAND_AGE_NS = 5000 * 1000,  /* and while a command runs, no longer than this */
    STUCK_NS = 1000 * 1000,        /* jobs behind one that runs longer go to others */
    EXAMINED = 4,                  /* slots looked at each time for such */
    MEMORY_PAUSE_NS = 10 * 1000000 /* between two tries to get memory */
};

static struct batch *fresh_batch(struct batch *spare)
{
    /* Results must go somewhere, and the loop will free some memory soon. */
    const struct timespec pause = {.tv_nsec = MEMORY_PAUSE_NS};
    while (spare == NULL && (spare = batch_new()) == NULL) (void)nanosleep(&pause, NULL);
    return spare;
}

void slot_hand_over(struct slot *slot)
{
    struct pool *pool = slot->pool;
    latch_take(&slot->lock);
    struct batch *full = slot->batch;
    slot->batch = NULL;
    atomic_store_explicit(&slot->batch_since_ns, 0, memory_order_relaxed);
    latch_give(&slot->lock);
    assert(full != NULL);

    if (full->count > 0) {
        (void)pthread_mutex_lock(&pool->lock);
        bool first = !pool_is_collectable(pool);
        batch_list_add(&pool->ready, full);
        atomic_store_explicit(&pool->collectable, true, memory_order_release);
        full = batch_list_take(&pool->spares);
        if (full != NULL) pool->spare_count--;
        (void)pthread_mutex_unlock(&pool->lock);
        if (first) pool->options.wake(pool->options.wake_context);
    }
    struct batch *fresh = fresh_batch(full);
    latch_take(&slot->lock);
    slot->batch = fresh;
    latch_give(&slot->lock);
}

const struct handler *slot_childs_handler(const struct slot *slot, const struct pool_job *job)
{
    if (slot->deputy.line < 0) return NULL;
    const struct handler *handler =
        registry_find(slot->pool->options.registry, job->assignment.name);
    return handler != NULL && handler->kind == HANDLER_FUNCTION ? handler : NULL;
}

/* Takes the next of the slot's own jobs, unless it is for the child.  The slot's lock
 * is held. */
static enum slot_step next_step(struct slot *slot)
{
    bool more = slot->taken_next < slot->taken_count;
    if (more) slot_look_for(slot, &slot->taken[slot->taken_next]);
    bool gives = more && slot_childs_handler(slot, &slot->taken[slot->taken_next]) != NULL;
    atomic_store_explicit(&slot->began_ns, more && !gives ? slot->now_ns : 0, memory_order_relaxed);
    if (!more || gives) return gives ? SLOT_GIVES : SLOT_REFILLS;
    if (atomic_load_explicit(&slot->told, memory_order_relaxed)) command_forgive(&slot->command);
    slot->killed = false;
    slot->progress.fresh = false;
    atomic_store_explicit(&slot->told, false, memory_order_relaxed);
    atomic_store_explicit(&slot->has_progress, false, memory_order_relaxed);
    slot->running = &slot->taken[slot->taken_next++];
    slot->current = slot->running->job;
    atomic_store_explicit(&slot->waiting, slot->taken_count - slot->taken_next,
                          memory_order_relaxed);
    return SLOT_RUNS;
}

/* Puts jobs that wait behind a long one, or, if there is nothing else to do,
 * behind any, back into the queue.  The pool's lock is held. */
static void relieve_others(struct pool *pool, uint64_t now_ns)
{
    uint32_t slots = pool->options.slots;
    bool idle = pool->queue.count == 0;
    uint32_t examined = idle || slots < EXAMINED ? slots : EXAMINED;
    for (uint32_t i = 0; i < examined; i++) {
        struct slot *other = &pool->slots[pool->examined];
        pool->examined = pool->examined + 1 < slots ? pool->examined + 1 : 0;
        if (atomic_load_explicit(&other->waiting, memory_order_relaxed) +
                deputy_waiting(&other->deputy) ==
            0)
            continue;
        uint64_t since_ns = atomic_load_explicit(&other->began_ns, memory_order_relaxed);
        if (since_ns == 0) since_ns = deputy_busy_since_ns(&other->deputy);
        if (!idle && since_ns + STUCK_NS > now_ns) continue;
        struct pool_job jobs[SLOT_JOBS_MAX];
        uint32_t count = slot_take_back(other, jobs);
        queue_return(&pool->queue, jobs, count);
    }
}

/* Takes a share of the queue that leaves enough for the other slots.  Both
 * locks are held. */
static void take_share(struct slot *slot)
{
    struct pool *pool = slot->pool;
    uint32_t share = pool->queue.count / (2 * pool->options.slots);
    if (share < 1) share = 1;
    if (share > SLOT_JOBS_MAX) share = SLOT_JOBS_MAX;
    slot->taken_next = 0;
    slot->taken_count = queue_take(&pool->queue, slot->taken, share);
}

/* Waits for jobs that come to all. */
static enum slot_step wait_for_jobs(struct slot *slot)
{
    struct pool *pool = slot->pool;
    (void)pthread_mutex_lock(&pool->lock);
    while (!pool->stopping && !slot->borrows) {
        relieve_others(pool, slot->now_ns);
        if (pool->queue.count > 0) break;
        slot->borrows = pool->offered;
        pool->offered = false;
        if (slot->borrows) break;
        if (atomic_load_explicit(&slot->batch_since_ns, memory_order_relaxed) != 0) {
            (void)pthread_mutex_unlock(&pool->lock);
            slot_hand_over(slot);
            (void)pthread_mutex_lock(&pool->lock);
            continue;
        }
        atomic_store_explicit(&slot->began_ns, 0, memory_order_relaxed);
        pool->sleeping++;
        (void)pthread_cond_wait(&pool->work, &pool->lock);
        pool->sleeping--;
        slot_look(slot);
    }
    enum slot_step step = SLOT_REFILLS;
    if (pool->stopping) {
        step = SLOT_STOPS;
    } else if (!slot->borrows) {
        latch_take(&slot->lock);
        take_share(slot);
        step = next_step(slot);
        latch_give(&slot->lock);
        assert(step != SLOT_REFILLS);
    }
    (void)pthread_mutex_unlock(&pool->lock);
    return step;
}

/* Waits for jobs: those that the loop brings, if it may run that, and else for any. */
static enum slot_step refill(struct slot *slot)
{
    if (!slot->borrows) return wait_for_jobs(slot);
    slot_borrow(slot);
    latch_take(&slot->lock);
    enum slot_step step = next_step(slot);
    latch_give(&slot->lock);
    return step;
}

static bool should_stop(const struct tmesh_job *job)
{
    const struct slot *slot = job->place;
    return atomic_load_explicit(&slot->told, memory_order_relaxed);
}

static void keep_progress(struct tmesh_job *job, uint64_t number, struct bytes text)
{
    struct slot *slot = job->place;
    uint64_t now_ns = clock_now_ns();
    latch_take(&slot->lock);
    struct slot_progress *progress = &slot->progress;
    progress->fresh = true;
    progress->number = number;
    progress->told_ns = now_ns;
    progress->text_size = text.size;
    if (text.size > 0) memcpy(progress->text, text.data, text.size);
    bool wakes = now_ns - progress->waked_ns > PROGRESS_WAKE_NS;
    if (wakes) progress->waked_ns = now_ns;
    atomic_store_explicit(&slot->has_progress, true, memory_order_relaxed);
    latch_give(&slot->lock);
    if (wakes) slot->pool->options.wake(slot->pool->options.wake_context);
}

static void write_log(struct tmesh_job *job, enum tmesh_level level, struct bytes text)
{
    const struct slot *slot = job->place;
    job_log_write(&slot->pool->options.log, job->assignment, level, text);
}

static const struct job_host slot_host = {
    .should_stop = should_stop, .progress = keep_progress, .log = write_log};

static enum outcome run_exec(struct slot *slot)
{
    struct argv argv;
    enum wire_error error = argv_read(slot->running->assignment.payload, &argv);
    if (error == WIRE_MEMORY) {
        job_explain(&slot->job, "out of memory for its arguments");
        return OUTCOME_FAILED;
    }
    if (error != WIRE_OK) {
        job_explain(&slot->job,
                    "the payload of %s must be a MessagePack array of 1 to %d strings without "
                    "zero bytes: %s",
                    REGISTRY_EXEC_NAME, (int)ARGV_ITEMS_MAX, wire_error_text(error));
        return OUTCOME_PERMANENT;
    }
    enum outcome outcome = command_run(&slot->command, &slot->job, argv.items);
    argv_free(&argv);
    return outcome;
}

/* Whether its lease surely is still ours.  The time is that of the end of the run
 * before: if the process stood still since, it did so in this very moment. */
static bool may_begin(const struct slot *slot)
{
    const _Atomic uint64_t *fence_ns = &slot->pool->fences_ns[slot->running->fence];
    return slot_is_before(slot, atomic_load_explicit(fence_ns, memory_order_relaxed));
}

static enum outcome run(struct slot *slot, const struct handler *handler)
{
    struct tmesh_job *job = &slot->job;
    job_begin(job, handler, &slot->running->assignment);
    if (!may_begin(slot)) return OUTCOME_RETURNED;
    if (handler == NULL) {
        struct bytes name = slot->running->assignment.name;
        int size = name.size < MESSAGE_NAME_BYTES_MAX ? (int)name.size : MESSAGE_NAME_BYTES_MAX;
        job_explain(job, "this worker has no handler named \"%.*s\"", size,
                    (const char *)name.data);
        return OUTCOME_FAILED;
    }
    switch (handler->kind) {
    case HANDLER_FUNCTION: return job_call(job);
    case HANDLER_COMMAND: return command_run(&slot->command, job, handler->argv);
    case HANDLER_EXEC: return run_exec(slot);
    }
    assert(false); /* the registry makes no other kind */
    return OUTCOME_FAILED;
}

static enum outcome name_cause(struct slot *slot, enum outcome outcome)
{
    if (!atomic_load_explicit(&slot->told, memory_order_relaxed)) return outcome;
    latch_take(&slot->lock);
    enum end_cause cause = slot->cause;
    latch_give(&slot->lock);
    return job_name_cause(&slot->job, cause, outcome);
}

/* Whether finished results may wait for the end of the next run: its handler
 * has been short of late.  Should it be long this once, the loop fetches them. */
static bool is_brief(struct slot *slot, const struct handler *handler)
{
    if (handler == NULL) return true;
    uint64_t peak_ns = slot->peaks_ns[slot_number_of(slot, handler)];
    return peak_ns != 0 && peak_ns < BRIEF_NS;
}

void slot_keep(struct slot *slot, const struct batch_run *run)
{
    struct tmesh_job *job = &slot->job;
    if (!batch_suits(slot->batch, job)) {
        latch_give(&slot->lock);
        slot_hand_over(slot);
        latch_take(&slot->lock);
    }
    struct batch *batch = slot->batch;
    if (batch->count == 0) {
        batch->since_ns = slot->now_ns;
        atomic_store_explicit(&slot->batch_since_ns, slot->now_ns, memory_order_relaxed);
    }
    batch_add(batch, run, job);
}

/* While a command runs its slot's thread is free to hand over what waits, and rings when
 * it should: so results need not go before it. */
static bool may_wait_beside(const struct handler *handler)
{
    return handler != NULL && handler->kind != HANDLER_FUNCTION;
}

static void ring(void *context)
{
    slot_hand_over(context);
}

/* Adds what the current run came to, and takes the next of the slot's own jobs,
 * with one look at the clock. */
static enum slot_step conclude(struct slot *slot, const struct handler *handler,
                               enum outcome outcome, uint64_t run_ns)
{
    uint64_t age_ns = may_wait_beside(handler) ? COMMAND_AGE_NS : BATCH_AGE_NS;
    latch_take(&slot->lock);
    slot_keep(slot,
              &(struct batch_run){.job = slot->current, .outcome = outcome, .run_ns = run_ns});
    const struct batch *batch = slot->batch;
    bool due = batch->count == BATCH_JOBS_MAX || batch->bytes.used >= BATCH_BYTES ||
               slot->now_ns - batch->since_ns > age_ns;
    enum slot_step step = next_step(slot);
    latch_give(&slot->lock);
    if (due) slot_hand_over(slot);
    return step;
}

bool slot_is_stopping(const struct slot *slot)
{
    struct pool *pool = slot->pool;
    (void)pthread_mutex_lock(&pool->lock);
    bool stopping = pool->stopping;
    (void)pthread_mutex_unlock(&pool->lock);
    return stopping;
}

/* Often it is the one that ran before. */
const struct handler *slot_find_handler(const struct slot *slot, struct bytes name)
{
    const struct handler *last = slot->laps.handler;
    if (last != NULL && name.size < sizeof last->name && last->name[name.size] == '\0' &&
        memcmp(last->name, name.data, name.size) == 0) {
        return last;
    }
    return registry_find(slot->pool->options.registry, name);
}

/* Runs the current job. */
static enum slot_step run_current(struct slot *slot)
{
    const struct handler *handler = slot_find_handler(slot, slot->running->assignment.name);
    if (!is_brief(slot, handler)) {
        if (slot_is_stopping(slot)) return SLOT_STOPS;
        uint64_t since_ns = atomic_load_explicit(&slot->batch_since_ns, memory_order_relaxed);
        if (since_ns != 0 && may_wait_beside(handler))
            command_ring_at(&slot->command, since_ns + COMMAND_AGE_NS);
        else if (since_ns != 0)
            slot_hand_over(slot);
    }
    enum outcome outcome = name_cause(slot, run(slot, handler));
    uint64_t run_ns = slot_lap(slot, outcome != OUTCOME_RETURNED ? handler : NULL);
    return conclude(slot, handler, outcome, run_ns);
}

/* Gives a round to the child, and looks at what is left of the slot's own jobs. */
static enum slot_step give(struct slot *slot)
{
    slot_round(slot);
    slot_look(slot);
    if (slot_is_stopping(slot)) return SLOT_STOPS;
    latch_take(&slot->lock);
    enum slot_step step = next_step(slot);
    latch_give(&slot->lock);
    return step;
}

static void *serve(void *context)
{
    struct slot *slot = context;
    (void)pthread_setname_np(pthread_self(), "tmesh-slot");
    if (slot->deputy.line >= 0) deputy_ask(&slot->deputy);
    slot_look(slot);
    enum slot_step step = SLOT_REFILLS;
    while (step != SLOT_STOPS) {
        switch (step) {
        case SLOT_STOPS: break;
        case SLOT_REFILLS: step = refill(slot); break;
        case SLOT_RUNS: step = run_current(slot); break;
        case SLOT_GIVES: step = give(slot); break;
        }
    }
    return NULL;
}

bool slot_open(struct slot *slot, struct pool *pool)
{
    slot->pool = pool;
    slot->job.host = &slot_host;
    slot->job.place = slot;
    slot->batch = batch_new();
    if (slot->batch == NULL) return false;
    deputy_open(&slot->deputy, pool->options.nursery, (uint32_t)(slot - pool->slots),
                pool->options.registry, pool->options.log);
    atomic_int *groups = pool->warden.groups;
    const struct command_options options = {
        .environment = &pool->environment,
        .limits = &pool->options.command_limits,
        .group = groups == NULL ? NULL : &groups[slot - pool->slots],
        .log = pool->options.log,
        .ring = ring,
        .ring_context = slot,
    };
    if (!command_open(&slot->command, &options)) goto no_command;
    if (pthread_create(&slot->thread, NULL, serve, slot) == 0) return true;
    command_close(&slot->command);
no_command:
    free(slot->batch);
    return false;
}

void slot_close(struct slot *slot)
{
    (void)pthread_join(slot->thread, NULL);
    command_close(&slot->command);
    deputy_close(&slot->deputy);
    job_free(&slot->job);
    buffer_free(&slot->batch->bytes);
    free(slot->batch);
}
