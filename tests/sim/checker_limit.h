/* checker_limit.h - runs are ended at their time limits, and not before. */
#ifndef SIM_CHECKER_LIMIT_H
#define SIM_CHECKER_LIMIT_H

#include "core/producer.h"
#include "pool.h"

struct mesh;
struct node;

/* A worker asks this run to end, or ends it. */
void checker_limit_ends(struct mesh *mesh, const struct node *worker, const struct pool_job *run,
                        enum end_cause cause);
/* It says what became of a run. */
void checker_limit_says(struct mesh *mesh, const struct node *worker,
                        const struct completion *completion);
/* Its turn is over. */
void checker_limit_turn(struct mesh *mesh, const struct node *worker, uint64_t now_ns);
/* A producer tells its application how far a run is. */
void checker_limit_progress(struct mesh *mesh, const struct node *producer,
                            const struct producer_action *action);

#endif
