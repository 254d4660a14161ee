/* plan.h - what one seed is about: the mesh, its load, and what goes wrong how often.
 *
 * Owns: the choice, made once at the start.  Each seed leaves most faults out or
 * makes them rare and a few frequent, so that every kind meets every other in
 * some seed, and some meshes live long enough between faults to do their work.
 */
#ifndef SIM_PLAN_H
#define SIM_PLAN_H

#include <stdbool.h>
#include <stdint.h>

enum {
    VENTILATORS_MAX = 3,
    WORKERS_MAX = 4,
    PRODUCERS_MAX = 3,
    NODES_MAX = VENTILATORS_MAX + WORKERS_MAX + PRODUCERS_MAX,
    TASKS_MAX = 1024, /* ids of one run */
    NAMES_MAX = 3,    /* names of tasks */
    QUEUES_MAX = 2
};

/* What strikes a mesh from outside, one at a time. */
enum fault {
    FAULT_CRASH_VENTILATOR,
    FAULT_CRASH_WORKER,
    FAULT_CRASH_PRODUCER,
    FAULT_PAUSE,     /* a process stands still, its sockets do not */
    FAULT_STALL,     /* the same, for less than anybody's patience */
    FAULT_PARTITION, /* two nodes, both ways */
    FAULT_ONE_WAY,   /* two nodes, one way */
    FAULT_ISOLATE,   /* one node from all others */
    FAULT_RESET,     /* one connection breaks, and both sides know */
    FAULT_HALF,      /* one connection breaks, and one side knows */
    FAULT_SLOW,      /* a link takes seconds */
    FAULT_DRAIN_WORKER,
    FAULT_DRAIN_VENTILATOR,
    FAULT_CROWD,      /* an application does not read its answers */
    FAULT_DRAIN_AFAR, /* an operator has a worker drain, by way of a ventilator */
    FAULTS
};

/* Rates per message, in a million. */
struct plan_messages {
    uint32_t loss_ppm, repeat_ppm, swap_ppm, delay_ppm, cut_ppm;
};

struct plan {
    uint64_t seed;
    uint32_t ventilators, workers, producers;
    uint32_t slots; /* of each worker, 1 to this */
    bool journal;   /* the ventilators keep one */
    bool guarded;   /* the producers keep accepted tasks until their end */
    uint32_t skew_ppm;

    uint64_t faults_ns; /* how long things go wrong */
    uint64_t fault_every_ns;
    uint32_t weights[FAULTS];
    struct plan_messages messages;
    uint64_t latency_ns;
    uint32_t power_ppm; /* of crashes: the whole machine, and nobody is told */
    uint64_t outage_ns; /* how long a crashed node stays away, about */

    /* the load */
    uint32_t tasks;
    uint64_t submit_every_ns;
    uint32_t burst;
    uint32_t result_ppm; /* tasks whose result is wanted */
    uint32_t large_ppm;  /* tasks with a payload of many KiB */
    uint32_t again_ppm;  /* of what ended UNKNOWN, or was left by a crash: submitted again */
    uint64_t run_ns;     /* a handler takes, about */
    uint32_t fail_ppm, crash_ppm, permanent_ppm, retry_ppm;
    uint32_t cancel_ppm; /* for each task that is submitted: another one is cancelled */
    uint32_t limit_ppm;  /* tasks whose runs have time limits, of one kind or more */
    uint32_t deaf_ppm;   /* runs that do not end when they are asked to */
    uint32_t hang_ppm;   /* runs that cannot be ended */

    /* the ventilators' policy */
    uint32_t tasks_max, peers_max, leases_max, dead_letters_max;
    uint32_t attempts_max, crashes_max, losses_max;
    uint64_t backoff_ns, absent_ns, heartbeat_ns;
    /* the ventilators' disks */
    uint64_t sync_ns, disk_bytes, segment_bytes, quota_bytes, journal_slack_bytes;
    uint32_t disk_fail_ppm; /* of writes and syncs */
    /* the workers' and producers' */
    uint32_t jobs_max, outbox_max, batches_max;
    uint64_t resend_ns, unknown_ns, failover_ns;
};

void plan_make(struct plan *plan, uint64_t seed);

const char *plan_fault_name(enum fault fault);

#endif
