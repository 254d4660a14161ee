/* bench_driver.h - a thread that drives one producer: submits tasks as fast as it may or
 * as its rate says, and notes when their ends are told.
 *
 * Owns: the tasks of one producer that are under way, their latencies, and the counts of
 * what was told.  Not here: when measuring begins and ends (bench_run.c).
 */
#ifndef NODES_BENCH_DRIVER_H
#define NODES_BENCH_DRIVER_H

#include "bench_plan.h"
#include "tally.h"

#include <pthread.h>
#include <stdatomic.h>
#include <tmesh.h>

/* A task whose end will be told. */
struct bench_flight {
    uint64_t number, start_ns;
    struct bench_flight *next; /* free */
};

/* What a driver is to do next, and then to wait for. */
struct bench_leg {
    uint64_t tasks; /* how many; 0: until `end_ns` */
    uint64_t end_ns;
    uint64_t interval_ns1000; /* between two submissions, in thousandths of a nanosecond; 0:
                                 none but what is in flight */
    uint64_t start_ns;        /* the first is due then */
    uint64_t sample_every;    /* one in so many is told, and the last */
    uint64_t in_flight;
};

struct bench_driver {
    /* Set by the owner. */
    tmesh_producer_t *producer;
    size_t size, result_size;
    uint16_t tag;
    uint64_t first, last; /* its numbers: from `first`, and before `last` */
    int bell;             /* an eventfd that is rung when a leg is over */
    struct tally *ends;   /* a number is counted when its end was told; NULL: not every is */

    /* Of the leg, for others to look at while the thread runs. */
    _Atomic uint64_t submitted, told;
    atomic_bool over, stop;
    uint64_t first_ns, last_ns; /* the first submission, the last end that was told */
    struct histogram latency;

    /* Of all legs. */
    uint64_t next;    /* number */
    uint64_t refused; /* tasks that no ventilator took */
    uint64_t failed;  /* whose end was told, and was not done */
    uint64_t wrong;   /* whose result was not theirs */
    char reason[BENCH_WORD_BYTES];
    enum tmesh_err fault; /* a submission was refused: the producer is out of order */

    struct bench_leg leg;
    struct bench_flight *flights, *free;
    uint64_t flying;
    uint64_t now_ns;   /* as last looked at */
    uint64_t heard_ns; /* when the answers that are being taken were there; 0: not looked at */
    bool full;
    uint8_t *payload;
    pthread_t thread;
};

/* Takes memory for `flights_max` tasks that are told, at once.  False: it is short. */
bool bench_driver_open(struct bench_driver *driver, uint64_t flights_max);
void bench_driver_close(struct bench_driver *driver);

/* Starts the thread on a leg; false: the system has none.  When `over` is set, or `stop`
 * was, join it. */
bool bench_driver_start(struct bench_driver *driver, const struct bench_leg *leg);
void bench_driver_join(struct bench_driver *driver);

#endif
