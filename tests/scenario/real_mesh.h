/* real_mesh.h - the cores of ventilators and of workers in one virtual network that
 * loses nothing, with pools of slots: what the two sides do to each other.
 *
 * Owns: the clock, the bytes under way, the pools, and the measure of idle slots.
 * Not here: faults (tests/sim).
 */
#ifndef SCENARIO_REAL_MESH_H
#define SCENARIO_REAL_MESH_H

#include "core/ventilator.h"
#include "core/worker.h"
#include "wire/codec.h"

enum { REAL_VENTILATORS_MAX = 2, REAL_WORKERS_MAX = 8, REAL_SLOTS_MAX = 8, REAL_JOBS_MAX = 4096 };

struct real_flight; /* a message on its way */

struct real_ventilator {
    void *memory;
    struct ventilator *core;
    struct real_flight *inbox; /* in order of arrival */
    /* The producer that submits here. */
    uint32_t session, sequence;
    uint64_t batch;
};

struct real_run {
    uint32_t job;
    uint64_t run_ns, ends_ns; /* ends_ns 0: it waits */
};

struct real_worker {
    void *memory;
    struct worker *core;
    struct real_flight *inbox;
    uint32_t slots, count, running;
    struct real_run runs[REAL_JOBS_MAX]; /* running ones first, then those that wait */
};

struct real_mesh {
    uint32_t ventilator_count, worker_count;
    uint64_t now_ns, latency_ns; /* one way */
    uint32_t submitted, begun, done;
    /* While something waited anywhere: for how long slots could have run it, and did
     * not, and for how long there were slots. */
    uint64_t idle_ns, slots_ns;
    struct decoder *decoder;
    struct encoder *encoder;
    struct ventilator_actions *says;
    struct worker_actions *does;
    struct real_ventilator ventilators[REAL_VENTILATORS_MAX];
    struct real_worker workers[REAL_WORKERS_MAX];
};

/* All sessions stand when it returns. */
void real_mesh_start(struct real_mesh *mesh, uint32_t ventilators, uint32_t workers,
                     uint32_t slots);
void real_mesh_end(struct real_mesh *mesh);

/* A task for this ventilator whose run takes so long. */
void real_mesh_submit(struct real_mesh *mesh, uint32_t ventilator, uint64_t run_ns);

/* Lets time pass, event by event. */
void real_mesh_pass(struct real_mesh *mesh, uint64_t duration_ns);

/* The same until so many runs are done, at most for so long; fails the test otherwise. */
void real_mesh_pass_until(struct real_mesh *mesh, uint32_t done, uint64_t duration_ns);

#endif
