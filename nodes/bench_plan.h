/* bench_plan.h - what `tmesh bench` is to measure, checked, and what it found.
 *
 * Not here: the options that say so (bench.c).
 */
#ifndef NODES_BENCH_PLAN_H
#define NODES_BENCH_PLAN_H

#include "histogram.h"
#include "usage.h"

#include <stdbool.h>

enum {
    BENCH_NODES_MAX = 64,     /* of each role */
    BENCH_SAMPLE_EVERY = 100, /* of tasks whose ends nobody needs to be told, one in so many is */
    BENCH_WORD_BYTES = 256
};

enum bench_workload { BENCH_W1 = 1, BENCH_W2, BENCH_W3, BENCH_W4 };

/* Where the mesh is that is measured. */
enum bench_layout {
    BENCH_APART,    /* ventilators and workers are processes of their own */
    BENCH_EMBEDDED, /* each producer carries its ventilator; workers are processes */
    BENCH_TOGETHER, /* all in this process */
    BENCH_ELSEWHERE /* it is running already: only the producers are ours */
};

struct bench_plan {
    enum bench_workload workload;
    enum bench_layout layout;
    const char *transport; /* "tcp", "ipc" or "inproc" */
    const char *connect;   /* ELSEWHERE: fronts */
    const char *pool;      /* "threads" or "process" */
    const char *journal;   /* the directory for journals; NULL: none are kept */
    uint64_t tasks;   /* measured, of all producers; 0: as many as `duration_ms` has time for */
    uint64_t warm_up; /* before them, not measured */
    uint64_t duration_ms;
    uint64_t rate;         /* tasks per second of all producers together; 0: as fast as may be */
    uint64_t in_flight;    /* tasks of each producer that have not ended */
    uint64_t sample_every; /* 1: the end of every task is told to its producer */
    uint64_t timeout_ms;
    size_t size, result_size;
    uint32_t producers, ventilators, workers, slots, runs;
    uint32_t spin_us; /* of every node that is started here */
};

enum bench_role { BENCH_PRODUCERS, BENCH_VENTILATORS, BENCH_WORKERS, BENCH_ROLES };

/* One run, judged. */
struct bench_result {
    uint64_t tasks;                  /* measured */
    uint64_t elapsed_ns;             /* from the first submit until the last end is known */
    struct usage usage[BENCH_ROLES]; /* cpu_ns: in that time; a role with no process of its
                                        own that we can see has `processes` 0 */
    struct usage_machine machine;    /* all processors, in that time */
    struct histogram latency;        /* nanoseconds */
    uint64_t lost, repeated;         /* tasks, those of the warm-up included */
    uint64_t failed;                 /* that did not end as done */
    uint64_t wrong;                  /* whose result was not theirs */
    uint64_t strays;                 /* runs of what is no task of this run */
    char reason[BENCH_WORD_BYTES];   /* why the first of the failed did; "" */
};

/* Whether every task was done once, as it should be. */
static inline bool bench_is_sound(const struct bench_result *result)
{
    return result->lost + result->repeated + result->failed + result->wrong + result->strays == 0;
}

#endif
