/* bench_mesh.h - the nodes of one run of `tmesh bench`: those it starts, and its own.
 *
 * Owns: child processes, a directory with their logs and sockets, one with journals, the
 * producers, and the tally of runs.  Nothing of it outlives bench_mesh_close.
 */
#ifndef NODES_BENCH_MESH_H
#define NODES_BENCH_MESH_H

#include "bench_plan.h"
#include "logging.h"
#include "scratch.h"
#include "stopping.h"
#include "tally.h"

struct bench_mesh {
    const struct bench_plan *plan;
    struct stopping *stopping;
    struct logging *logging;
    char directory[SCRATCH_BYTES], journals[SCRATCH_BYTES];
    struct scratch_guard guard;
    char connect[BENCH_NODES_MAX * 300]; /* the ventilators' fronts, separated by commas */
    char program[4096];                  /* this one's path */
    tmesh_producer_t *producers[BENCH_NODES_MAX];
    tmesh_worker_t *worker;                                       /* TOGETHER */
    pid_t ventilators[BENCH_NODES_MAX], workers[BENCH_NODES_MAX]; /* 0: none */
    struct tally *runs; /* in which handlers count; NULL for those ELSEWHERE */
    int runs_fd;
};

/* Starts everything, and waits until it is connected.  `numbers` is how many tasks there
 * may be in all, `tag` what marks them.  Returns 0, or an exit status after saying what is
 * wrong; close it in both cases. */
int bench_mesh_open(struct bench_mesh *mesh, uint64_t numbers, uint16_t tag);

/* Ends the nodes, so that nobody counts any more; the tally stays. */
void bench_mesh_stop(struct bench_mesh *mesh);

void bench_mesh_close(struct bench_mesh *mesh);

/* Tasks that ended since the ventilators were started. */
struct bench_ends {
    uint64_t done, failed; /* in whatever other way */
};

/* Sums up what the ventilators say.  False: not all of them answered. */
bool bench_mesh_ended(struct bench_mesh *mesh, struct bench_ends *ends);

/* What each role has used so far. */
void bench_mesh_usage(const struct bench_mesh *mesh, struct usage usage[BENCH_ROLES]);

/* Says so, with the end of its log, if a node ended by itself. */
bool bench_mesh_is_broken(struct bench_mesh *mesh);

#endif
