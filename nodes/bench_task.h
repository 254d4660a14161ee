/* bench_task.h - the task that `tmesh bench` measures with, as bytes, and its handler.
 *
 *   octets 0 to 4   its number, the least significant octet first
 *          5 to 7   how many bytes its result has
 *          8 and 9  the tag of the run of the benchmark that it belongs to
 *          10 ...   filling
 *
 * The result repeats the first octets, as many as it has room for, and filling, so that
 * the producer can tell whether it is that task's.
 *
 * Not here: who submits tasks, and who is told of their ends.
 */
#ifndef NODES_BENCH_TASK_H
#define NODES_BENCH_TASK_H

#include "tally.h"

#include <stddef.h>
#include <tmesh.h>

#define BENCH_TASK_NAME "tmesh.bench"

enum { BENCH_TASK_BYTES_MIN = 10 };

struct bench_task {
    uint64_t number;
    uint32_t result_bytes;
    uint16_t tag;
};

/* Writes the first BENCH_TASK_BYTES_MIN octets; what follows is the caller's to fill. */
void bench_task_write(const struct bench_task *task, uint8_t *payload);

/* False: it is not such a task. */
bool bench_task_read(struct bench_task *task, const void *payload, size_t bytes);

/* Whether this is the result of that task. */
bool bench_task_is_result(const struct bench_task *task, const void *result, size_t bytes);

/* The handler of BENCH_TASK_NAME, a tmesh_handler_fn.  `context` is a struct tally in
 * which it counts its runs, or NULL: it counts none, for workers on other machines. */
int bench_task_run(tmesh_job_t *job, void *context);

#endif
