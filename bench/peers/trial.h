/* trial.h - one run of one workload through one system: the part that is the
 * same for all of them, so that all are measured alike.
 *
 * Owns: the processes of a run, their start together and their end, the tasks'
 * bytes, who has seen which task, processor time, memory, the line of JSON.
 * Not here: how a system is spoken to; that is `struct peer`, one for each
 * program.  Servers are started by the runner, before.
 *
 * A run goes: the relay (if there is one), the worker and the producer are
 * forked in this order, each when the one before is ready.  The producer's
 * trial_begin returns when all are ready, and time runs.  Whoever learns that the
 * last task is settled calls trial_end, and time stops.  The processes stay until
 * what they used has been read.
 */
#ifndef TMESH_BENCH_TRIAL_H
#define TMESH_BENCH_TRIAL_H

#include <stddef.h>
#include <stdint.h>

enum {
    TRIAL_PAYLOAD_BYTES = 100, /* of each task, and of each result, unless --size says another */
    TRIAL_PAYLOAD_BYTES_MIN = sizeof(uint64_t),
    TRIAL_PAYLOAD_BYTES_MAX = 1024 * 1024,
    TRIAL_FLIGHT_BYTES = 64 * 1024 * 1024, /* of payloads under way: what tmesh bench allows */
    TRIAL_BROKERS_MAX = 16,
    TRIAL_TASKS_MAX = 100 * 1000 * 1000
};

enum workload {
    WORKLOAD_THROUGHPUT = 1, /* W1: from the first submission to the last acknowledgement */
    WORKLOAD_LATENCY,        /* W2: one task in flight, from submission to its result */
    WORKLOAD_DURABLE,        /* W3: as W1, on disk */
    WORKLOAD_RESULTS         /* W4: as W1, each result returned to the producer */
};

struct ledger;

struct trial {
    const char *system;
    const char *mode; /* which way to use the system; "" if it has one */
    enum workload workload;
    uint64_t tasks;   /* in all */
    uint64_t warm_up; /* of these, the first, whose latency is not counted */
    size_t size;      /* of each payload and result; another than usual only for `sized` peers */
    uint16_t port;    /* of the server, on 127.0.0.1 */
    const char *data; /* a directory for what is durable, or NULL */
    int brokers[TRIAL_BROKERS_MAX];
    size_t broker_count;
    unsigned timeout_s;
    struct ledger *ledger; /* shared by the processes */
};

/* How one system is spoken to.  Each function runs in a process of its own and
 * returns when its last task is settled. */
struct peer {
    const char *modes; /* those there are, between spaces, " list lua "; NULL if only one */
    void (*relay)(struct trial *trial); /* NULL if a server stands in the middle */
    const char *relay_modes;            /* the modes that need it, as `modes`; NULL: all */
    int sized;                          /* knows trial.size */
    void (*work)(struct trial *trial);
    void (*produce)(struct trial *trial);
};

/* The whole program: reads the command line, runs, prints.  Returns its status. */
int trial_main(int argc, char **argv, const struct peer *peer);

/* The relay or the worker could now take tasks. */
void trial_ready(struct trial *trial);

/* The producer could now submit; returns when it shall. */
void trial_begin(struct trial *trial);

/* The last task is settled, and its acknowledgement known to the caller. */
void trial_end(struct trial *trial);

/* Writes the TRIAL_PAYLOAD_BYTES of task `number`, or of its result. */
void trial_fill(uint8_t *bytes, uint64_t number);

/* Writes into a payload of any size, filled before, that it is that of task `number`. */
void trial_stamp(uint8_t *bytes, uint64_t number);

/* Room for `count` payloads of trial.size, filled.  Never freed. */
uint8_t *trial_payloads(const struct trial *trial, size_t count);

/* How many payloads may be under way, at most `usual`: fewer if they are large. */
size_t trial_in_flight(const struct trial *trial, size_t usual);

/* The number in a payload.  Ends the run if it is none of ours. */
uint64_t trial_number(const struct trial *trial, const void *bytes, size_t count);

/* A handler has got this task.  Returns its number, having noted it. */
uint64_t trial_handled(struct trial *trial, const void *bytes, size_t count);

/* The producer has got this result.  Returns its number, having noted it. */
uint64_t trial_answered(struct trial *trial, const void *bytes, size_t count);

/* The latency of one task of WORKLOAD_LATENCY. */
void trial_latency(struct trial *trial, uint64_t number, uint64_t nanoseconds);

/* Whether the producer is to see results in this workload. */
int trial_wants_results(const struct trial *trial);

uint64_t trial_clock_ns(void);

/* A word from one process to those forked later: the relay's endpoint.  Borrowed. */
void trial_tell(struct trial *trial, const char *text);
const char *trial_told(const struct trial *trial);

/* Ends the run and says why.  Of any process. */
#if defined(__GNUC__)
__attribute__((format(printf, 1, 2), noreturn))
#endif
void trial_fail(const char *format, ...);

#endif
