/* slot.h - one thread that runs jobs, and the pool as its slots see it.
 *
 * Owns: the jobs a slot took and has not begun, the results it has not handed
 * over, and how long each handler usually takes.
 * Not here: the loop's side (pool.c).
 *
 *   slot.c          its thread
 *   slot_clock.c    what time it is
 *   slot_round.c    .. when functions run in a child
 *   slot_loan.c     .. when it runs the loop meanwhile
 *   slot_recall.c   what other threads may do
 *
 * Two kinds of locks: the pool's, for the queue and what is collectable, and
 * each slot's, a latch, for what others may take from it: jobs behind a long one, when
 * they have nothing else to do, and results.  Who needs both takes the pool's
 * first.
 */
#ifndef POOL_SLOT_H
#define POOL_SLOT_H

#include "batch.h"
#include "command.h"
#include "deputy.h"
#include "latch.h"
#include "queue.h"
#include "warden.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    SLOT_JOBS_MAX = 64,
    /* The loop is woken for progress at most so often, for each slot. */
    PROGRESS_WAKE_NS = 100 * 1000 * 1000
};

/* What the run in a slot told last. */
struct slot_progress {
    bool fresh; /* nobody asked since */
    uint32_t text_size;
    uint64_t number, told_ns, waked_ns;
    char text[TMESH_PROGRESS_BYTES_MAX];
};

struct slot {
    _Alignas(64) struct latch lock; /* guards all down to `progress` */
    uint32_t taken_next, taken_count;
    struct pool_job taken[SLOT_JOBS_MAX];
    struct batch *batch;  /* NULL only while the slot sends it off */
    uint32_t current;     /* the number of what it runs, or ran last */
    bool killed;          /* what it runs */
    enum end_cause cause; /* with `told` or `killed` */
    struct slot_progress progress;

    /* Written under the lock, glanced at without. */
    atomic_uint waiting;             /* jobs taken and not begun */
    _Atomic uint64_t began_ns;       /* 0: in no handler */
    _Atomic uint64_t batch_since_ns; /* 0: no results wait */
    atomic_bool told;                /* what it runs should end */
    atomic_bool has_progress;

    /* The slot's thread's alone. */
    struct pool *pool;
    pthread_t thread;
    uint64_t now_ns; /* when the last job ended, the next one's beginning; or a bit before */
    struct {
        uint64_t looked_ns, tick_ns;   /* the time, exactly and by the tick, when it looked last */
        uint32_t guesses, guesses_max; /* runs since */
        uint64_t mean_ns;              /* of the runs between the two latest looks, .. */
        uint64_t excess_ns;            /* what runs were said to take beyond what they did */
        const struct handler *handler; /* .. the last of which was this one's */
    } laps;                            /* see slot_clock.c */
    const struct pool_job *running;    /* of `taken`: what it runs, or ran last */
    struct tmesh_job job;
    struct command command;
    struct deputy deputy; /* its child, in a process pool; it says itself who may touch what */
    bool borrows;         /* it was offered the loop, and it may still be lent */
    uint64_t peaks_ns[REGISTRY_HANDLERS_MAX]; /* recent longest runs; 0: not known yet */
};

/* What a slot does next with the jobs it took. */
enum slot_step {
    SLOT_STOPS,
    SLOT_REFILLS, /* it has none */
    SLOT_RUNS,    /* `current` */
    SLOT_GIVES    /* a round of functions to its child */
};

struct pool {
    struct pool_options options;
    struct environment environment;
    struct warden warden; /* none if no handler is a command */
    struct slot *slots;

    _Alignas(64) pthread_mutex_t lock; /* guards all down to `spare_count` */
    pthread_cond_t work;
    struct queue queue;
    uint32_t sleeping; /* slots that wait for work */
    uint32_t examined; /* the next slot to look at for jobs that are stuck */
    bool stopping;
    bool offered;       /* the loop, to whichever slot is first */
    uint32_t *returned; /* numbers of jobs withdrawn and not collected */
    uint32_t returned_count;
    struct batch_list ready; /* to be collected */
    atomic_bool collectable; /* something is ready or returned; glanced at without the lock */
    struct batch_list spares;
    uint32_t spare_count;

    _Atomic uint64_t *fences_ns; /* by number: until when jobs behind it may begin; the
                                    nursery's, if there is one */
    atomic_bool lost;            /* the nursery has gone */
    /* By handler: how many of its latest runs were brisk, all in a row, up to a number. */
    atomic_uchar streaks[REGISTRY_HANDLERS_MAX];

    /* The loop's thread's alone. */
    char (*progress_texts)[TMESH_PROGRESS_BYTES_MAX]; /* by slot */
    uint64_t *told_ns;                /* by slot: when what it began last did, of what was told */
    struct batch_list reading, spent; /* spent: its views are still borrowed */
    struct batch *alone;              /* of these: the one that was handed over alone, or NULL */
    uint64_t swept_ns;
    uint32_t held;         /* jobs submitted and not collected */
    struct slot *borrower; /* the slot that runs the loop, and takes what is submitted */
    bool refused;          /* .. which was too much for it */
};

/* Whether pool_collect would find something that was handed over. */
static inline bool pool_is_collectable(const struct pool *pool)
{
    return atomic_load_explicit(&pool->collectable, memory_order_acquire);
}

/* False: memory or threads are short; nothing is left behind. */
bool slot_open(struct slot *slot, struct pool *pool);

/* After the pool's `stopping` was set: forgets the jobs not begun, tells a function
 * that runs to stop, kills a command.  Does not wait. */
void slot_stop(struct slot *slot);

/* After slot_stop: waits for the thread, frees what it had. */
void slot_close(struct slot *slot);

/* Moves the jobs that it has not begun to the end of `jobs`, in order, and
 * returns how many.  Any thread. */
uint32_t slot_take_back(struct slot *slot, struct pool_job jobs[SLOT_JOBS_MAX]);

enum slot_take { SLOT_TAKES_WAITING, SLOT_KILLS_RUNNING };
enum slot_has { SLOT_HAS_IT_NOT, SLOT_TOOK_IT, SLOT_RUNS_IT };

/* Looks for `job`: takes it if it was not begun; kills its command if it was, when
 * asked to, and then only `cause` is looked at.  Any thread. */
enum slot_has slot_withdraw(struct slot *slot, uint32_t job, enum slot_take take,
                            enum end_cause cause);

/* Asks the run of `job` to end.  Any thread. */
void slot_tell(struct slot *slot, uint32_t job, enum end_cause cause);

/* Copies what its run told of its progress since this was asked last, with the text
 * into `text`.  False: nothing.  Any thread. */
bool slot_take_progress(struct slot *slot, struct pool_progress *progress,
                        char text[TMESH_PROGRESS_BYTES_MAX]);

/* What it runs, or job UINT32_MAX.  Any thread. */
struct pool_started slot_current(struct slot *slot);

/* A glance at when that began; 0: it runs nothing. */
uint64_t slot_began_ns(const struct slot *slot);

/* Takes its results if they have waited since before `since_ns`, leaving `fresh`
 * for more, which must be empty.  NULL: there are none.  Any thread. */
struct batch *slot_take_batch(struct slot *slot, struct batch *fresh, uint64_t since_ns);

/* --- for slot_round.c, the slot's thread alone ---------------------------- */

/* Gives functions at the front of the jobs it took to its child, and sees to it until
 * each is over or was taken back. */
void slot_round(struct slot *slot);

/* The function that runs `job`, if it does so in the child; else NULL. */
const struct handler *slot_childs_handler(const struct slot *slot, const struct pool_job *job);

/* Adds what is in the slot's job to the results.  The slot's lock is held, and let go
 * for a moment when they are many. */
void slot_keep(struct slot *slot, const struct batch_run *run);

/* Makes the slot's results collectable, and begins another batch. */
void slot_hand_over(struct slot *slot);

/* NULL: nobody runs what has this name. */
const struct handler *slot_find_handler(const struct slot *slot, struct bytes name);

bool slot_is_stopping(const struct slot *slot);

/* --- slot_clock.c, the slot's thread alone -------------------------------- */

/* Looks at the clock. */
void slot_look(struct slot *slot);
/* .. if the beginning of `job`, which is next, has to be known exactly. */
void slot_look_for(struct slot *slot, const struct pool_job *job);
/* A run of `handler` has ended.  Returns how long it took; such times add up exactly. */
uint64_t slot_lap(struct slot *slot, const struct handler *handler);
/* Whether it is earlier than that, for sure. */
bool slot_is_before(const struct slot *slot, uint64_t until_ns);
/* The handler's place in tables. */
size_t slot_number_of(const struct slot *slot, const struct handler *handler);
/* Whether the handler's latest runs, in whichever slots, were all shorter than POOL_BRISK_NS. */
bool slot_is_brisk(const struct slot *slot, const struct handler *handler);

/* --- slot_loan.c, the slot's thread alone --------------------------------- */

/* With nothing to do, and after it was offered the loop: runs it until it has taken something,
 * or `borrows` no more. */
void slot_borrow(struct slot *slot);

/* While it runs the loop: takes jobs that were submitted.  False: together with what it took
 * before they are many, or one may last. */
bool slot_accept(struct slot *slot, const struct pool_order *orders, uint32_t count);

/* --- pool.c, for whoever runs the loop ------------------------------------ */

/* Has the next pool_collect hand over the slot's results if they have waited since before
 * `since_ns`.  False: memory is short. */
bool pool_fetch_from(struct pool *pool, struct slot *slot, uint64_t since_ns);

#endif
