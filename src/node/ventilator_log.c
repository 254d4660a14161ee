/* ventilator_log.c - the ventilator's records as log lines.
 *
 * What happens to every task on a good day is for debugging; what an operator
 * should see is peers coming and going, retries, and tasks that ended badly.
 */
#include "ventilator_log.h"

#include "failure.h"
#include "identity.h"

#include <inttypes.h>
#include <tmesh/task.h>

static void log_task(const struct log *log, enum tmesh_level level, const struct record *record,
                     const char *what)
{
    const struct log_subject subject = {.id = record->id, .attempt = record->attempt};
    if (record->reason != REASON_NONE) {
        log_task_line(log, &subject, level, "%s: %s", what, failure_reason(record->reason));
    } else if (record->delay_ns > 0) {
        log_task_line(log, &subject, level, "%s in %" PRIu64 " ms", what,
                      record->delay_ns / 1000000);
    } else {
        log_task_line(log, &subject, level, "%s", what);
    }
}

static void log_peer(const struct log *log, enum tmesh_level level, const struct record *record,
                     const char *what)
{
    const uint8_t *node = record->peer.octets;
    log_line(log, level, "peer=%02x%02x%02x%02x %s", node[0], node[1], node[2], node[3], what);
}

/* A task that is only put off comes again, and again, with all others. */
static void log_rejection(const struct log *log, const struct record *record)
{
    bool put_off = record->reason == REASON_BUSY || record->reason == REASON_DRAINING;
    log_task(log, put_off ? TMESH_DEBUG : TMESH_INFO, record, "rejected");
}

static void log_end(const struct log *log, const struct record *record)
{
    if (record->state == TASK_DONE)
        log_task(log, TMESH_DEBUG, record, "done");
    else if (record->state == TASK_CANCELLED)
        log_task(log, TMESH_INFO, record, "cancelled");
    else if (record->state == TASK_DEAD)
        log_task(log, TMESH_WARNING, record, "dead");
    else
        log_task(log, TMESH_WARNING, record, "failed");
}

void ventilator_log(const struct log *log, const struct record *record)
{
    switch (record->kind) {
    case RECORD_ACCEPTED: log_task(log, TMESH_DEBUG, record, "accepted"); break;
    case RECORD_DUPLICATE: log_task(log, TMESH_DEBUG, record, "submitted again"); break;
    case RECORD_REJECTED: log_rejection(log, record); break;
    case RECORD_LEASED: log_task(log, TMESH_DEBUG, record, "leased"); break;
    case RECORD_RETURNED: log_task(log, TMESH_DEBUG, record, "given back unstarted"); break;
    case RECORD_REQUEUED: log_task(log, TMESH_DEBUG, record, "requeued: worker lost"); break;
    case RECORD_RETRIED: log_task(log, TMESH_INFO, record, "failed, runs again"); break;
    case RECORD_RIPE: log_task(log, TMESH_DEBUG, record, "ready again"); break;
    case RECORD_ENDED: log_end(log, record); break;
    case RECORD_STALE: log_task(log, TMESH_INFO, record, "late completion refused"); break;
    case RECORD_REVIVED: log_task(log, TMESH_INFO, record, "retried by an operator"); break;
    case RECORD_DROPPED: log_task(log, TMESH_INFO, record, "dropped by an operator"); break;
    case RECORD_RESTORED: log_task(log, TMESH_DEBUG, record, "restored"); break;
    case RECORD_PEER_OPENED: log_peer(log, TMESH_INFO, record, "connected"); break;
    case RECORD_PEER_RESUMED: log_peer(log, TMESH_INFO, record, "connected again"); break;
    case RECORD_PEER_RESET: log_peer(log, TMESH_WARNING, record, "messages missing: reset"); break;
    case RECORD_PEER_CLOSED: log_peer(log, TMESH_INFO, record, "connection closed"); break;
    case RECORD_PEER_SUSPECT: log_peer(log, TMESH_WARNING, record, "silent: no new work"); break;
    case RECORD_PEER_LOST: log_peer(log, TMESH_WARNING, record, "lost"); break;
    case RECORD_PEER_LEFT: log_peer(log, TMESH_INFO, record, "left"); break;
    }
}
