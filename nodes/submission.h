/* submission.h - submits tasks and prints what becomes of them, both at once:
 * how the lines come in and how the answers come back do not wait for each
 * other.
 */
#ifndef NODES_SUBMISSION_H
#define NODES_SUBMISSION_H

#include "logging.h"

enum submission_source {
    SUBMISSION_ONE,  /* the task of the plan, as it is */
    SUBMISSION_LINES /* one for each line of standard input, which is its payload */
};

enum submission_answers {
    SUBMISSION_IDS,    /* the id of each accepted task */
    SUBMISSION_JSON,   /* the same as JSON */
    SUBMISSION_RESULTS /* how each ended, as JSON */
};

struct submission_plan {
    tmesh_task_t task;
    const char *connect;
    const char *spool; /* NULL: none; else no ventilator need answer at the start */
    struct logging *logging;
    enum submission_source source;
    enum submission_answers answers;
    enum tmesh_guard guard; /* not NONE: stays until every task has ended, whatever is printed */
    uint64_t failover_ms;   /* 0: the default */
    uint64_t timeout_ms;    /* 0: none */
    uint64_t connect_timeout_ms;
};

/* Returns the exit status: 0 when every task was accepted, or ended well if its
 * result was asked for; 1 when one was not; otherwise one of sysexits, with the
 * reason said. */
int submission_run(const struct submission_plan *plan);

#endif
