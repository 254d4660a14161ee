/* bench_run.h - one run of a benchmark: a mesh, a warm-up, the measured part, and the
 * verdict on every task.
 */
#ifndef NODES_BENCH_RUN_H
#define NODES_BENCH_RUN_H

#include "bench_plan.h"
#include "logging.h"
#include "stopping.h"

/* Returns 0 when the run came to its end, with *result judged; else an exit status after
 * saying why.  Nothing of it is left in either case. */
int bench_run(const struct bench_plan *plan, struct stopping *stopping, struct logging *logging,
              struct bench_result *result);

#endif
