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
    struct assignment assignment; /* views borrowed until the job was collected */
};

/* Queues jobs; there is room by the caller's own count (asserted). */
void pool_submit(struct pool *pool, const struct pool_job *jobs, uint32_t count);

/* Takes back every job that no slot has started; each is collectable at once
 * with OUTCOME_RETURNED. */
void pool_withdraw(struct pool *pool);

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
