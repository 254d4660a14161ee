/* pool.c - runs handlers: the loop's side. */
#include "pool.h"

#include "../core/instant.h"
#include "../watch/thread.h"
#include "program.h"
#include "slot.h"

#include <assert.h>
#include <stdlib.h>

enum { SLOTS_MAX = 1024, SPARES_PER_SLOT = 2, SPARES_MIN = 16, SWEEP_NS = 1000 * 1000 };

static bool may_run_commands(const tmesh_registry_t *registry)
{
    for (uint32_t i = 0; i < registry_count(registry); i++)
        if (registry_at(registry, i)->kind != HANDLER_FUNCTION) return true;
    return false;
}

static bool open_parts(struct pool *pool)
{
    uint32_t slots = pool->options.slots;
    /* aligned_alloc rather than calloc: neighbours must not share a cache line. */
    pool->slots = aligned_alloc(_Alignof(struct slot), slots * sizeof *pool->slots);
    if (pool->slots == NULL) return false;
    memset(pool->slots, 0, slots * sizeof *pool->slots);
    pool->returned = calloc(pool->options.jobs_max, sizeof *pool->returned);
    const struct nursery *nursery = pool->options.nursery;
    pool->fences_ns = nursery != NULL ? nursery->areas.fences_ns
                                      : calloc(pool->options.fences, sizeof *pool->fences_ns);
    pool->told_ns = calloc(slots, sizeof *pool->told_ns);
    pool->progress_texts = calloc(slots, sizeof *pool->progress_texts);
    if (pool->returned == NULL || pool->fences_ns == NULL || pool->told_ns == NULL ||
        pool->progress_texts == NULL)
        return false;
    if (!queue_open(&pool->queue, pool->options.jobs_max) ||
        !environment_open(&pool->environment, pool->options.command_environment))
        return false;
    return !may_run_commands(pool->options.registry) || warden_open(&pool->warden, slots);
}

static void close_parts(struct pool *pool)
{
    batch_list_free(&pool->ready);
    batch_list_free(&pool->spares);
    batch_list_free(&pool->reading);
    batch_list_free(&pool->spent);
    warden_close(&pool->warden);
    environment_close(&pool->environment);
    queue_close(&pool->queue);
    free(pool->returned);
    if (pool->options.nursery == NULL) free(pool->fences_ns);
    free(pool->told_ns);
    free(pool->progress_texts);
    free(pool->slots);
    (void)pthread_cond_destroy(&pool->work);
    (void)pthread_mutex_destroy(&pool->lock);
    free(pool);
}

/* Stops the first `count` slots. */
static void stop_slots(struct pool *pool, uint32_t count)
{
    (void)pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    (void)pthread_cond_broadcast(&pool->work);
    (void)pthread_mutex_unlock(&pool->lock);
    for (uint32_t i = 0; i < count; i++) slot_stop(&pool->slots[i]);
    for (uint32_t i = 0; i < count; i++) slot_close(&pool->slots[i]);
}

/* A mistyped program is better noticed now than by its first task.  It may be installed
 * while we run, so it is no error. */
static void look_for_programs(const struct pool *pool)
{
    for (uint32_t at = 0; at < registry_count(pool->options.registry); at++) {
        const struct handler *handler = registry_at(pool->options.registry, at);
        struct program program = {.found_ns = 0};
        if (handler->kind != HANDLER_COMMAND) continue;
        int error = program_find(&program, handler->argv[0], pool->environment.search, 0);
        if (error == 0) continue;
        log_line(&pool->options.log, TMESH_WARNING,
                 "command %s cannot run %.200s: %s; until that is mended its tasks fail",
                 handler->name, handler->argv[0], strerrordesc_np(error));
    }
}

struct pool *pool_new(const struct pool_options *options)
{
    assert(options->registry != NULL && options->wake != NULL);
    assert(options->slots > 0 && options->slots <= SLOTS_MAX);
    assert(options->jobs_max > 0 && options->fences > 0);
    assert(options->nursery == NULL || (options->nursery->slots == options->slots &&
                                        options->nursery->areas.fences == options->fences));
    struct pool *pool = aligned_alloc(_Alignof(struct pool), sizeof *pool);
    if (pool == NULL) return NULL;
    memset(pool, 0, sizeof *pool);
    pool->options = *options;
    (void)thread_lock_init(&pool->lock); /* neither fails */
    (void)pthread_cond_init(&pool->work, NULL);
    if (!open_parts(pool)) {
        close_parts(pool);
        return NULL;
    }
    for (uint32_t i = 0; i < options->slots; i++) {
        if (slot_open(&pool->slots[i], pool)) continue;
        stop_slots(pool, i);
        close_parts(pool);
        return NULL;
    }
    look_for_programs(pool);
    return pool;
}

void pool_destroy(struct pool **pool)
{
    if (pool == NULL || *pool == NULL) return;
    stop_slots(*pool, (*pool)->options.slots);
    close_parts(*pool);
    *pool = NULL;
}

/* How many slots to rouse for `count` jobs.  The pool's lock is held. */
static uint32_t sleepers(const struct pool *pool, uint32_t count)
{
    return pool->sleeping < count ? pool->sleeping : count;
}

static void rouse(struct pool *pool, uint32_t slots)
{
    while (slots-- > 0) (void)pthread_cond_signal(&pool->work);
}

void pool_submit(struct pool *pool, const struct pool_order *orders, uint32_t count)
{
    assert(count <= pool->options.jobs_max - pool->held);
    if (count == 0) return;
    pool->held += count;
    if (pool->borrower != NULL && slot_accept(pool->borrower, orders, count)) return;
    pool->refused = true;
    (void)pthread_mutex_lock(&pool->lock);
    assert(!pool->stopping);
    queue_push(&pool->queue, orders, count);
    uint32_t wanted = pool->borrower != NULL ? 0 : sleepers(pool, count); /* .. by pool_lend_end */
    (void)pthread_mutex_unlock(&pool->lock);
    rouse(pool, wanted);
}

/* The pool's lock is held. */
static void return_jobs(struct pool *pool, const struct pool_job *jobs, uint32_t count)
{
    assert(count <= pool->options.jobs_max - pool->returned_count);
    if (count > 0) atomic_store_explicit(&pool->collectable, true, memory_order_release);
    for (uint32_t i = 0; i < count; i++) pool->returned[pool->returned_count++] = jobs[i].job;
}

void pool_withdraw(struct pool *pool)
{
    struct pool_job jobs[SLOT_JOBS_MAX];
    (void)pthread_mutex_lock(&pool->lock);
    bool first = !pool_is_collectable(pool);
    for (uint32_t i = 0; i < pool->options.slots; i++)
        return_jobs(pool, jobs, slot_take_back(&pool->slots[i], jobs));
    uint32_t count;
    while ((count = queue_take(&pool->queue, jobs, SLOT_JOBS_MAX)) > 0)
        return_jobs(pool, jobs, count);
    first = first && pool->returned_count > 0;
    (void)pthread_mutex_unlock(&pool->lock);
    if (first) pool->options.wake(pool->options.wake_context);
}

void pool_fence(struct pool *pool, uint32_t fence, uint64_t until_ns)
{
    assert(fence < pool->options.fences);
    atomic_store_explicit(&pool->fences_ns[fence], until_ns, memory_order_relaxed);
}

/* Looks in the slots first: a job may go from one to the queue meanwhile, but with
 * the pool's lock held not back. */
static void withdraw_one(struct pool *pool, uint32_t job, enum slot_take take, enum end_cause cause)
{
    enum slot_has has = SLOT_HAS_IT_NOT;
    (void)pthread_mutex_lock(&pool->lock);
    bool first = !pool_is_collectable(pool);
    for (uint32_t i = 0; i < pool->options.slots && has == SLOT_HAS_IT_NOT; i++)
        has = slot_withdraw(&pool->slots[i], job, take, cause);
    if (has == SLOT_HAS_IT_NOT && queue_remove(&pool->queue, job)) has = SLOT_TOOK_IT;
    if (has == SLOT_TOOK_IT) return_jobs(pool, &(struct pool_job){.job = job}, 1);
    (void)pthread_mutex_unlock(&pool->lock);
    if (first && has == SLOT_TOOK_IT) pool->options.wake(pool->options.wake_context);
}

void pool_recall(struct pool *pool, uint32_t job)
{
    withdraw_one(pool, job, SLOT_TAKES_WAITING, END_REVOKED);
}

void pool_tell(struct pool *pool, uint32_t job, enum end_cause cause)
{
    for (uint32_t i = 0; i < pool->options.slots; i++) slot_tell(&pool->slots[i], job, cause);
}

void pool_kill(struct pool *pool, uint32_t job, enum end_cause cause)
{
    withdraw_one(pool, job, SLOT_KILLS_RUNNING, cause);
}

uint32_t pool_progress(struct pool *pool, struct pool_progress *progress)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < pool->options.slots; i++) {
        if (slot_take_progress(&pool->slots[i], &progress[count], pool->progress_texts[i])) count++;
    }
    return count;
}

uint32_t pool_slot_of(struct pool *pool, uint32_t job)
{
    for (uint32_t i = 0; i < pool->options.slots; i++) {
        if (slot_current(&pool->slots[i]).job == job) return i;
    }
    return POOL_NO_SLOT;
}

uint32_t pool_started(struct pool *pool, struct pool_started *started)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < pool->options.slots; i++) {
        struct slot *slot = &pool->slots[i];
        uint64_t began_ns = slot_began_ns(slot);
        if (began_ns == 0 || began_ns == pool->told_ns[i]) continue;
        struct pool_started current = slot_current(slot);
        if (current.job == UINT32_MAX || current.began_ns == pool->told_ns[i]) continue;
        pool->told_ns[i] = current.began_ns;
        started[count++] = current;
    }
    return count;
}

/* Gives back the batches whose views were borrowed until now, and fetches what
 * the slots handed over.  Returns how many withdrawn jobs it put into `done`.  What comes
 * right after the glance has `wake` called. */
static uint32_t exchange(struct pool *pool, struct finished *done, uint32_t done_max)
{
    uint32_t spent_count = 0, count = 0;
    if (pool->spent.first == NULL && !pool_is_collectable(pool)) return 0;
    for (struct batch *batch = pool->spent.first; batch != NULL; batch = batch->next) {
        struct batch *next = batch->next;
        batch_clear(batch);
        batch->next = next;
        spent_count++;
    }
    struct batch_list surplus = {0};
    uint32_t spares_max = SPARES_PER_SLOT * pool->options.slots + SPARES_MIN;
    (void)pthread_mutex_lock(&pool->lock);
    batch_list_move(&pool->spares, &pool->spent);
    pool->spare_count += spent_count;
    for (; pool->spare_count > spares_max; pool->spare_count--)
        batch_list_add(&surplus, batch_list_take(&pool->spares));
    batch_list_move(&pool->reading, &pool->ready);
    while (pool->returned_count > 0 && count < done_max) {
        done[count++] = (struct finished){
            .job = pool->returned[--pool->returned_count],
            .outcome = OUTCOME_RETURNED,
        };
    }
    atomic_store_explicit(&pool->collectable, pool->returned_count > 0, memory_order_relaxed);
    (void)pthread_mutex_unlock(&pool->lock);
    batch_list_free(&surplus);
    return count;
}

/* NULL: memory is short. */
static struct batch *empty_batch(struct pool *pool)
{
    struct batch *batch = batch_list_take(&pool->spent);
    if (batch == NULL) return batch_new();
    batch_clear(batch);
    return batch;
}

bool pool_fetch_from(struct pool *pool, struct slot *slot, uint64_t since_ns)
{
    uint64_t oldest_ns = atomic_load_explicit(&slot->batch_since_ns, memory_order_relaxed);
    if (oldest_ns == 0 || oldest_ns >= since_ns) return true;
    struct batch *fresh = empty_batch(pool);
    if (fresh == NULL) return false;
    struct batch *taken = slot_take_batch(slot, fresh, since_ns);
    if (taken != NULL)
        batch_list_add(&pool->reading, taken);
    else
        batch_list_add(&pool->spent, fresh);
    return true;
}

/* Fetches results that have waited in the slots since before `since_ns`. */
static void fetch(struct pool *pool, uint64_t since_ns)
{
    for (uint32_t i = 0; i < pool->options.slots; i++) {
        if (!pool_fetch_from(pool, &pool->slots[i], since_ns)) return; /* another time */
    }
}

/* What a slot meant to hand over with the results of its next job, and could not, because
 * that one is long against its habit; or is a command, and the slot waits for company. */
static void sweep(struct pool *pool, uint64_t now_ns)
{
    if (now_ns - pool->swept_ns < SWEEP_NS) return;
    pool->swept_ns = now_ns;
    fetch(pool, now_ns - SWEEP_NS);
}

void pool_fetch(struct pool *pool)
{
    fetch(pool, INSTANT_NEVER);
}

uint32_t pool_collect(struct pool *pool, uint64_t now_ns, struct finished *done, uint32_t done_max)
{
    assert(done_max > 0);
    uint32_t count = exchange(pool, done, done_max);
    if (pool->held > 0) sweep(pool, now_ns);
    pool->alone = NULL;
    while (count < done_max && pool->reading.first != NULL && pool->alone == NULL) {
        struct batch *batch = pool->reading.first;
        if (batch_is_alone(batch)) {
            if (count > 0) break;
            pool->alone = batch;
        }
        while (count < done_max && batch->read < batch->count) batch_read(batch, &done[count++]);
        if (batch->read == batch->count)
            batch_list_add(&pool->spent, batch_list_take(&pool->reading));
    }
    assert(count <= pool->held);
    pool->held -= count;
    return count;
}

bool pool_has_more(const struct pool *pool)
{
    return pool->reading.first != NULL;
}

struct bytes pool_block(const struct pool *pool)
{
    if (pool->alone == NULL) return (struct bytes){.data = NULL};
    return bytes_of(pool->alone->bytes.data, (uint32_t)pool->alone->bytes.capacity);
}

void pool_keep(struct pool *pool)
{
    assert(pool->alone != NULL);
    batch_give_up(pool->alone);
    pool->alone = NULL;
}

bool pool_may_lend(struct pool *pool)
{
    if (pool->options.nursery != NULL || pool_running(pool) != pool->held) return false;
    (void)pthread_mutex_lock(&pool->lock);
    bool any = pool->sleeping > 0;
    (void)pthread_mutex_unlock(&pool->lock);
    return any;
}

void pool_lend(struct pool *pool)
{
    (void)pthread_mutex_lock(&pool->lock);
    pool->offered = true;
    (void)pthread_mutex_unlock(&pool->lock);
    rouse(pool, 1);
}

/* Jobs that no slot has begun. */
static uint32_t waiting_jobs(const struct pool *pool)
{
    uint32_t count = pool->queue.count;
    for (uint32_t i = 0; i < pool->options.slots; i++)
        count += atomic_load_explicit(&pool->slots[i].waiting, memory_order_relaxed);
    return count;
}

void pool_lend_end(struct pool *pool)
{
    (void)pthread_mutex_lock(&pool->lock);
    pool->offered = false;
    uint32_t wanted = sleepers(pool, waiting_jobs(pool));
    (void)pthread_mutex_unlock(&pool->lock);
    rouse(pool, wanted);
}

uint32_t pool_running(struct pool *pool)
{
    uint32_t running = 0;
    for (uint32_t i = 0; i < pool->options.slots; i++) {
        if (slot_began_ns(&pool->slots[i]) != 0) running++;
    }
    return running;
}

bool pool_is_lost(const struct pool *pool)
{
    return atomic_load_explicit(&pool->lost, memory_order_relaxed);
}
