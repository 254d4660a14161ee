/* pool.h - a worker's pool on virtual time: slots, jobs in line, how runs end.
 *
 * Owns: which jobs run and which wait, never more at once than there are slots,
 * the outcome of each, drawn when it starts, and whether it heeds its time limits.  What handlers
 * do to tasks is told to the checker.
 */
#ifndef SIM_POOL_H
#define SIM_POOL_H

#include "core/time_limit.h"

struct mesh;
struct node;

enum { POOL_SLOTS_MAX = 4, POOL_JOBS_MAX = 1024 };

struct pool_job {
    uint32_t job; /* the core's number */
    struct lease lease;
    enum outcome outcome;
    uint32_t retry_after_ms;
    uint64_t run_ns;
    uint64_t began_ns; /* by the node's clock */
    uint64_t ends_ns;  /* by the mesh's, unless it is ended before */
    uint32_t limit_ms, soft_ms, stalled_ms;
    bool deaf, hangs; /* it does not end when it is asked to, or cannot be ended */
    bool lively;      /* it shows life now and then, */
    uint64_t alive_ns;
    uint64_t number; /* and says so much */
    bool asked, killed, revoked;
};

struct pool {
    uint32_t slots;
    struct pool_job line[POOL_JOBS_MAX]; /* a ring */
    uint32_t line_first, line_count;
    struct pool_job running[POOL_SLOTS_MAX];
    bool busy[POOL_SLOTS_MAX];
    bool told[POOL_SLOTS_MAX];           /* of the run's beginning */
    uint32_t marks[POOL_SLOTS_MAX];      /* of the runs' entries in the agenda */
    struct pool_job done[POOL_JOBS_MAX]; /* ended, not collected: a ring too */
    uint32_t done_first, done_count;
};

void pool_open(struct pool *pool, uint32_t slots);

/* Hands over a job; it starts at once when a slot is free. */
void pool_submit(struct mesh *mesh, struct node *node, uint32_t job,
                 const struct assignment *assignment);

/* Gives back what did not start. */
void pool_withdraw(struct mesh *mesh, struct node *node);

/* A run ends: an entry of the agenda. */
void pool_on_run(struct mesh *mesh, uint32_t node, uint32_t mark);

/* Gives back that one, if it did not start. */
void pool_recall(struct pool *pool, uint32_t job);

/* Asks its run to end, or ends it, as far as it can be; what did not start comes back. */
void pool_tell(struct mesh *mesh, struct node *node, uint32_t job, enum end_cause cause);
void pool_kill(struct mesh *mesh, struct node *node, uint32_t job, enum end_cause cause);

/* The run in this slot shows life at `now_ns`, if it does: then this is it. */
const struct pool_job *pool_show_life(struct mesh *mesh, struct pool *pool, uint32_t slot,
                                      uint64_t now_ns);

/* The next job that runs now and was not told of; false when there is none. */
bool pool_started(struct pool *pool, struct pool_job *started);

/* The next job that ended; false when there is none. */
bool pool_collect(struct pool *pool, struct pool_job *done);

#endif
