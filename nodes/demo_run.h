/* demo_run.h - the producer of the demonstration: submits a task for each file,
 * kills a worker on the way, and takes the results.
 */
#ifndef NODES_DEMO_RUN_H
#define NODES_DEMO_RUN_H

#include "demo_files.h"
#include "demo_nodes.h"
#include "stopping.h"

struct demo_run {
    size_t results;         /* tasks that ended well */
    size_t failed;          /* that ended otherwise */
    size_t second_attempts; /* results of an attempt after the first */
    size_t killed;          /* which worker, from 0 */
    pid_t killed_pid;
    size_t killed_after;  /* results */
    size_t killed_held;   /* tasks it held when it was looked at last */
    uint64_t elapsed_ms;  /* from the first submission to the last result */
    uint64_t recovery_ms; /* from the kill to the last result of a second attempt */
};

/* Returns 0 when every task has ended, or an exit status after saying why. */
int demo_run(struct demo_run *run, struct demo_files *files, struct demo_nodes *nodes,
             struct stopping *stopping);

#endif
