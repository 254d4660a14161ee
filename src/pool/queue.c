/* queue.c - the jobs that no slot has taken, in order. */
#include "queue.h"

#include <assert.h>
#include <stdlib.h>

bool queue_open(struct queue *queue, uint32_t capacity)
{
    assert(capacity > 0);
    *queue = (struct queue){.capacity = capacity};
    queue->jobs = calloc(capacity, sizeof *queue->jobs);
    return queue->jobs != NULL;
}

void queue_close(struct queue *queue)
{
    free(queue->jobs);
    *queue = (struct queue){0};
}

/* The place `offset` behind the first; both are below the capacity. */
static struct pool_job *place(const struct queue *queue, uint32_t offset)
{
    uint64_t position = (uint64_t)queue->first + offset;
    if (position >= queue->capacity) position -= queue->capacity;
    return &queue->jobs[position];
}

void queue_push(struct queue *queue, const struct pool_order *orders, uint32_t count)
{
    assert(count <= queue->capacity - queue->count);
    if (queue->count == 0) queue->first = 0; /* the same few cache lines again */
    for (uint32_t i = 0; i < count; i++) {
        struct pool_job *job = place(queue, queue->count + i);
        job->job = orders[i].job;
        job->fence = orders[i].fence;
        job->assignment = *orders[i].assignment;
    }
    queue->count += count;
}

void queue_return(struct queue *queue, const struct pool_job *jobs, uint32_t count)
{
    assert(count <= queue->capacity - queue->count);
    uint32_t before = queue->first;
    queue->first = before >= count ? before - count : before + (queue->capacity - count);
    queue->count += count;
    for (uint32_t i = 0; i < count; i++) *place(queue, i) = jobs[i];
}

bool queue_remove(struct queue *queue, uint32_t job)
{
    uint32_t at = 0;
    while (at < queue->count && place(queue, at)->job != job) at++;
    if (at == queue->count) return false;
    for (; at + 1 < queue->count; at++) *place(queue, at) = *place(queue, at + 1);
    queue->count--;
    return true;
}

uint32_t queue_take(struct queue *queue, struct pool_job *jobs, uint32_t jobs_max)
{
    uint32_t count = queue->count < jobs_max ? queue->count : jobs_max;
    for (uint32_t i = 0; i < count; i++) jobs[i] = *place(queue, i);
    queue->first = (uint32_t)(((uint64_t)queue->first + count) % queue->capacity);
    queue->count -= count;
    return count;
}
