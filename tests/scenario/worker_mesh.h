/* worker_mesh.h - one worker among model ventilators, a model pool, and a network
 * that loses connections and messages; one seed replays all.
 *
 * Owns: the clock, the tasks, what each ventilator believes, and the checks:
 * credit is kept to, no completion comes under a lease that was dropped or that
 * a ventilator before a restart gave, and the worker's table never overflows.  Not here: what a
 * property needs beyond these.
 */
#ifndef SCENARIO_WORKER_MESH_H
#define SCENARIO_WORKER_MESH_H

#include "core/worker.h"

enum { MESH_LINKS_MAX = 4, MESH_TASKS_MAX = 4096 };

enum mesh_task_state { MESH_READY, MESH_LEASED, MESH_DONE };

struct mesh_task {
    enum mesh_task_state state;
    uint32_t link;
    uint32_t attempt;
    uint64_t token, run_ns;
    bool live; /* the lease may still be completed */
};

struct mesh_flight; /* a message on its way */

struct mesh_ventilator {
    uint32_t node, session, next_in, next_out;
    bool connected, open;
    uint64_t credit, given;
    uint64_t worker_credit, worker_received; /* as the worker sees them: no latency */
    uint64_t beat_ns, connects_ns, closes_ns;
    uint64_t latency_ns; /* one way; a millisecond at first */
    uint32_t ready, done, returned;
    struct mesh_flight *to_worker, *to_ventilator;
};

struct mesh_run {
    uint32_t job, task;
    uint64_t ends_ns;
    bool recalled;
};

struct mesh {
    void *memory;
    struct worker *worker;
    struct worker_actions *out;
    struct worker_options options;
    uint64_t now_ns, random;
    uint32_t sessions, task_count, turns, credits;
    uint64_t tokens;
    struct mesh_task tasks[MESH_TASKS_MAX];
    struct mesh_ventilator ventilators[MESH_LINKS_MAX];
    struct mesh_run pool[2 * MESH_TASKS_MAX]; /* running ones first, then queued ones */
    uint32_t pool_running, pool_count;
    uint32_t faults; /* out of a thousand messages: how many meet one */
};

void mesh_start(struct mesh *mesh, const struct worker_options *options, uint64_t seed);
void mesh_end(struct mesh *mesh);

/* `count` tasks of `run_ns` each for the ventilator of `link`. */
void mesh_add(struct mesh *mesh, uint32_t link, uint32_t count, uint64_t run_ns);

/* Lets time pass, event by event. */
void mesh_pass(struct mesh *mesh, uint64_t duration_ns);

/* The ventilator of `link` restarts under a new name; what was leased is ready again. */
void mesh_restart(struct mesh *mesh, uint32_t link);

#endif
