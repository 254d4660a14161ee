/* pool.h - runs handlers: `slots` threads that take jobs from one queue.
 *
 * Owns: the threads, the queue of jobs not started, the results of jobs not
 * collected, and the processes of commands while they run.
 * Not here: which job to take, and what becomes of a failure: the core's.
 *
 * Small jobs must stay cheap: jobs enter and leave in batches, one lock for
 * each batch, and the loop's thread is woken once for many.
 */
#ifndef POOL_POOL_H
#define POOL_POOL_H

#include "../core/message.h"
#include "../watch/log.h"
#include "registry.h"

struct pool;

struct pool_options {
    const struct tmesh_registry *registry; /* borrowed for the pool's life */
    uint32_t slots;                        /* 1 .. 1,024 */
    uint32_t fences;                       /* see pool_fence */
    uint32_t jobs_max;                     /* queued, running and not collected together */
    void (*wake)(void *context); /* called when something becomes collectable; any thread */
    void *wake_context;
    struct log log;
};

/* Starts the slots.  They inherit the caller's signal mask: call with all
 * signals blocked.  NULL: memory or threads are short. */
struct pool *pool_new(const struct pool_options *options);

/* Waits for C handlers that run, kills commands that run (SIGKILL to their
 * process groups), frees everything.  Jobs not started are forgotten.  `wake`
 * may be called until it returns. */
void pool_destroy(struct pool **pool);

struct pool_job {
    uint32_t job;                 /* the worker core's number for it */
    uint32_t fence;               /* below options.fences */
    struct assignment assignment; /* views borrowed until the job was collected */
};

/* From `until_ns` on no job behind this fence is begun: one whose turn comes then is
 * returned instead, with OUTCOME_RETURNED.  Slots look at it right before each run,
 * so that what was queued does not begin when the whole process stood still for a
 * while and goes on.  At first all fences are closed.  Any thread. */
void pool_fence(struct pool *pool, uint32_t fence, uint64_t until_ns);

/* Queues jobs; there is room by the caller's own count (asserted). */
void pool_submit(struct pool *pool, const struct pool_job *jobs, uint32_t count);

/* Takes back every job that no slot has started; each is collectable at once
 * with OUTCOME_RETURNED. */
void pool_withdraw(struct pool *pool);

/* Takes back one job if no slot has started it; it is collectable at once with
 * OUTCOME_RETURNED.  Otherwise nothing happens. */
void pool_recall(struct pool *pool, uint32_t job);

/* The same, and when it runs and is a command, kills it with its process group: it
 * is collectable soon as OUTCOME_FAILED, over its time limit.  Nothing can be done
 * about a function. */
void pool_kill(struct pool *pool, uint32_t job);

/* The number of the slot that runs `job`, from 0; UINT32_MAX: none does. */
uint32_t pool_slot_of(struct pool *pool, uint32_t job);

struct pool_started {
    uint32_t job;
    uint64_t began_ns;
};

/* Hands over which jobs have begun, at most one for each slot, since it was called
 * last: those that run now.  `started` has room for all slots.  Call it before
 * pool_collect, so that no job is told of that was collected. */
uint32_t pool_started(struct pool *pool, struct pool_started *started);

struct pool_done {
    uint32_t job;
    enum outcome outcome;
    uint32_t retry_after_ms;
    struct bytes result, text; /* borrowed until the next pool_collect.  With failures
                                  a text, and a result only from commands that put something out */
    uint64_t run_ns;
};

/* Hands over what finished, at most `done_max` at a time; 0 when nothing has.
 * Call it on every turn of the loop, whatever woke it, until it returns less
 * than `done_max`: wake is called again only for what finishes after that, and
 * results that wait behind a run which is long against its handler's habit are
 * fetched here without a wake.  The thread of pool_submit and pool_withdraw, and
 * no other. */
uint32_t pool_collect(struct pool *pool, struct pool_done *done, uint32_t done_max);

/* Jobs in a handler now. */
uint32_t pool_running(struct pool *pool);

#endif
