/* queue.h - the jobs that no slot has taken, in order.
 *
 * Owns: copies of the jobs (their views stay borrowed).  A ring of fixed
 * capacity, open at both ends: jobs that a slot took and could not begin go
 * back to the front.
 * Not here: locks.
 */
#ifndef POOL_QUEUE_H
#define POOL_QUEUE_H

#include "pool.h"

struct pool_job {
    uint32_t job, fence;
    struct assignment assignment;
};

struct queue {
    struct pool_job *jobs;
    uint32_t capacity, first, count;
};

/* False: memory is short. */
bool queue_open(struct queue *queue, uint32_t capacity);
void queue_close(struct queue *queue);

/* There is room: the pool counts. */
void queue_push(struct queue *queue, const struct pool_order *orders, uint32_t count);
/* Puts them before all others, in the order given. */
void queue_return(struct queue *queue, const struct pool_job *jobs, uint32_t count);
/* Takes out the one that is number `job`.  False: it is not there. */
bool queue_remove(struct queue *queue, uint32_t job);
/* At most `jobs_max`; returns how many. */
uint32_t queue_take(struct queue *queue, struct pool_job *jobs, uint32_t jobs_max);

#endif
