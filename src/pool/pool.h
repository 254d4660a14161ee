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

#include "../core/finished.h"
#include "../core/time_limit.h"
#include "../watch/log.h"
#include "nursery.h"
#include "registry.h"
#include "spawn.h"

struct pool;

enum pool_turn {
    POOL_TURN_AT_ONCE, /* results are there to be collected */
    POOL_TURN_WAITS    /* it may sleep first, until there is something to do */
};

/* The loop that submits and collects, as a slot may borrow it (slot_loan.c).  The slot's
 * thread calls these, and `turn` calls the pool. */
struct pool_lender {
    bool (*take)(void *context); /* takes it in hand; false: it is not to be had */
    /* One turn, with it in hand.  False: the slot is to give it back. */
    bool (*turn)(void *context, enum pool_turn turn);
    void (*put)(void *context); /* puts it down for a moment */
    void (*end)(void *context); /* gives it back */
    void *context;
};

enum {
    POOL_BRISK_NS = 20 * 1000, /* a run as short as this costs less than waking somebody for it */
    POOL_LONE_MAX = 4          /* so many at a time are still few */
};

struct pool_options {
    const struct tmesh_registry *registry; /* borrowed for the pool's life */
    struct nursery *nursery;     /* functions run in its children; NULL: in the slots' threads.
                                    Borrowed likewise, with as many slots and fences */
    uint32_t slots;              /* 1 .. 1,024 */
    uint32_t fences;             /* see pool_fence */
    uint32_t jobs_max;           /* queued, running and not collected together */
    void (*wake)(void *context); /* called when something becomes collectable; any thread */
    void *wake_context;
    struct pool_lender lender; /* for pool_lend only */
    struct log log;
    struct spawn_limits command_limits;
    const char *const *command_environment; /* see environment_open; read by pool_new only */
};

/* Starts the slots, and a warden if commands may be run (warden.h).  They inherit the caller's
 * signal mask: call with all signals blocked.  NULL: memory or threads are short. */
struct pool *pool_new(const struct pool_options *options);

/* Tells C handlers that run to stop and waits for them, kills commands that run
 * (SIGKILL to their process groups), frees everything.  Jobs not started are forgotten.  `wake`
 * may be called until it returns. */
void pool_destroy(struct pool **pool);

struct pool_order {
    uint32_t job;   /* the worker core's number for it */
    uint32_t fence; /* below options.fences */
    const struct assignment
        *assignment; /* copied; its views borrowed until the job was collected */
};

/* From `until_ns` on no job behind this fence is begun: one whose turn comes then is
 * returned instead, with OUTCOME_RETURNED.  Slots look at it right before each run,
 * so that what was queued does not begin when the whole process stood still for a
 * while and goes on.  At first all fences are closed.  Any thread. */
void pool_fence(struct pool *pool, uint32_t fence, uint64_t until_ns);

/* Queues jobs; there is room by the caller's own count (asserted). */
void pool_submit(struct pool *pool, const struct pool_order *orders, uint32_t count);

/* Takes back every job that no slot has started; each is collectable at once
 * with OUTCOME_RETURNED. */
void pool_withdraw(struct pool *pool);

/* Takes back one job if no slot has started it; it is collectable at once with
 * OUTCOME_RETURNED.  Otherwise nothing happens.  What was taken back is collected in the
 * opposite order, the latest first. */
void pool_recall(struct pool *pool, uint32_t job);

/* Asks the run of `job` to end: tmesh_job_should_stop says yes, a command gets
 * SIGTERM.  Nothing happens to a job that is not running.  If the run fails after
 * that, its reason begins with the cause. */
void pool_tell(struct pool *pool, uint32_t job, enum end_cause cause);

/* Takes the job back as pool_recall does, or, when it runs, ends the run: a command
 * is killed with its process group, a child of the process pool likewise.  It is
 * collectable soon as OUTCOME_FAILED with the cause as its reason.  A function in
 * a thread is only told. */
void pool_kill(struct pool *pool, uint32_t job, enum end_cause cause);

static const uint32_t POOL_NO_SLOT = UINT32_MAX;

/* The number of the slot that runs `job`, from 0; POOL_NO_SLOT: none does. */
uint32_t pool_slot_of(struct pool *pool, uint32_t job);

struct pool_started {
    uint32_t job;
    uint64_t began_ns;
};

/* Hands over which jobs have begun, at most one for each slot, since it was called
 * last: those that run now.  `started` has room for all slots.  Call it before
 * pool_collect, so that no job is told of that was collected. */
uint32_t pool_started(struct pool *pool, struct pool_started *started);

struct pool_progress {
    uint32_t job;
    uint64_t told_ns, number;
    struct bytes text; /* borrowed until pool_progress is called again */
};

/* Hands over what runs told of their progress since it was called last, at most one
 * for each slot, the latest only.  `progress` has room for all slots.  Call it
 * between pool_started and pool_collect.  `wake` is called for progress too, but
 * for each slot not more often than every 100 ms.  The thread of pool_collect. */
uint32_t pool_progress(struct pool *pool, struct pool_progress *progress);

/* Hands over what finished, at most `done_max` at a time; 0 when nothing has.  A large result
 * that is alone in its memory comes by itself: see pool_block.  The views are borrowed until the
 * next call, also of pool_fetch.  `now_ns` is the time of the turn, by which it tells what has
 * waited too long.
 * Call it on every turn of the loop, whatever woke it, until it returns less
 * than `done_max` and left nothing: wake is called again only for what finishes after that, and
 * results that wait behind a run which is long against its handler's habit are
 * fetched here without a wake.  The thread of pool_submit and pool_withdraw, and
 * no other. */
uint32_t pool_collect(struct pool *pool, uint64_t now_ns, struct finished *done, uint32_t done_max);

/* Whether pool_collect left something for its next call. */
bool pool_has_more(const struct pool *pool);

/* The memory of what pool_collect has handed over, if that was one large result, alone in it;
 * without data if not.  And leaves that memory to the caller, who frees it.  Before the next
 * pool_collect. */
struct bytes pool_block(const struct pool *pool);
void pool_keep(struct pool *pool);

/* Has the next pool_collect hand over all that has finished, also what slots keep for a
 * moment to hand it over with more.  The thread of pool_collect. */
void pool_fetch(struct pool *pool);

/* Whether a slot may borrow the loop: functions run in the slots, one has nothing to do, and
 * no job waits.  The thread of pool_collect. */
bool pool_may_lend(struct pool *pool);
/* Offers it to such a slot.  From here on the loop is whoever's the lender says, and with it
 * the calls that are for one thread only. */
void pool_lend(struct pool *pool);
/* The lender has it again: what the borrower left lying is seen to. */
void pool_lend_end(struct pool *pool);

/* Jobs in a handler now. */
uint32_t pool_running(struct pool *pool);

/* Whether the nursery has gone, and with it whoever could run functions: those that
 * are submitted come back with OUTCOME_RETURNED.  `wake` is called when it happens. */
bool pool_is_lost(const struct pool *pool);

#endif
