/* tmesh/status.h - ask a mesh how it is. */
#ifndef TMESH_STATUS_H
#define TMESH_STATUS_H

#include <tmesh/producer.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tmesh_worker_row {
    char label[128];
    tmesh_id_t node; /* for tmesh_producer_drain, where labels are not unique */
    uint32_t slots, leased, running;
    uint64_t completed;
    uint32_t silent_ms; /* since the ventilator last heard it */
    uint32_t hung;      /* of the slots, lost to runs that cannot be ended */
    bool draining;      /* it takes no more tasks, and will be gone */
} tmesh_worker_row_t;

/* Tasks of one name in one queue. */
typedef struct tmesh_lane_row {
    char queue[TMESH_NAME_BYTES_MAX + 1], name[TMESH_NAME_BYTES_MAX + 1];
    uint64_t waiting, ready, leased;
    uint32_t workers; /* connected ones that serve it; 0 while tasks are ready: they wait for one */
} tmesh_lane_row_t;

typedef struct tmesh_dead_row {
    tmesh_id_t id;
    char queue[TMESH_NAME_BYTES_MAX + 1], name[TMESH_NAME_BYTES_MAX + 1];
    enum tmesh_state state; /* failed or dead */
    uint32_t attempt;
    char reason[256];
} tmesh_dead_row_t;

/* A task that a worker has had for a second, or that told of its progress. */
typedef struct tmesh_run_row {
    tmesh_id_t id;
    char queue[TMESH_NAME_BYTES_MAX + 1], name[TMESH_NAME_BYTES_MAX + 1];
    uint32_t attempt;
    char worker[128];   /* its label */
    uint64_t leased_ms; /* since the worker got it */
    bool told;          /* it told of its progress, and the rest is set */
    uint64_t number;    /* what it told last, as by tmesh_job_progress */
    char text[TMESH_PROGRESS_BYTES_MAX + 1];
    uint64_t told_ms; /* since then */
} tmesh_run_row_t;

/* What one ventilator said of itself. */
typedef struct tmesh_ventilator_row {
    char endpoint[256];
    bool answered; /* false: it did not in time, and the rest is empty */
    uint64_t uptime_ms, store_bytes;
    uint64_t journal_bytes; /* on disk; 0: it keeps no journal */
    uint64_t journal_lag;   /* entries written down and not durable yet */
    bool journal_full;      /* no room for new tasks; those held still come to their end */
    uint64_t submitted, duplicates, rejected, dispatched, requeued, retried, returned;
    uint64_t recalled; /* asked back from a worker that had not begun them, for one that was idle */
    uint64_t done, failed, dead, cancelled, stale, protocol_errors, sessions_reset;
    uint64_t waiting, ready, leased, workers_open, producers_open, dead_letters;
    /* Of workers, lanes and runs at most 65,536 each. */
    const tmesh_worker_row_t *workers;
    size_t worker_count;
    const tmesh_lane_row_t *lanes;
    size_t lane_count;
    const tmesh_run_row_t *runs; /* none from a ventilator of protocol 1.1 */
    size_t run_count;
    const tmesh_dead_row_t *dead_rows; /* at most 10,000 */
    size_t dead_count;
} tmesh_ventilator_row_t;

typedef struct tmesh_status {
    const tmesh_ventilator_row_t *ventilators;
    size_t ventilator_count;
} tmesh_status_t;

/* Asks every ventilator this producer connects to.  Returns TMESH_OK when all
 * answered, TMESH_E_TIMEOUT when some did not within `timeout_ms` (their rows
 * say so); with *status set to NULL, TMESH_E_SYSTEM when memory is short and
 * TMESH_E_CLOSED when the producer was closed.  The caller destroys *status.
 * One call at a time; others wait their turn, within their own time. */
TMESH_EXPORT enum tmesh_err tmesh_producer_status(tmesh_producer_t *producer, uint32_t timeout_ms,
                                                  tmesh_status_t **status);

TMESH_EXPORT void tmesh_status_destroy(tmesh_status_t **status);

#ifdef __cplusplus
}
#endif
#endif
