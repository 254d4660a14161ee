/* ventilator_log.c - the ventilator's records as log lines.
 *
 * What happens to every task on a good day is for debugging; what an operator
 * should see is peers coming and going, retries, and tasks that ended badly.
 */
#include "ventilator_log.h"

#include "../core/instant.h"
#include "failure.h"
#include "identity.h"

#include <inttypes.h>
#include <tmesh/task.h>

/* What became of the task, then why, in our words and in those of the run. */
static void log_run(const struct log *log, enum tmesh_level level, const struct record *record,
                    const char *what, struct bytes cause)
{
    const struct log_subject subject = {.id = record->id, .attempt = record->attempt};
    const char *words = cause.size > 0 ? (const char *)cause.data : "";
    const char *colon = cause.size > 0 ? ": " : "";
    if (record->reason != REASON_NONE) {
        log_task_line(log, &subject, level, "%s: %s%s%.*s", what, failure_reason(record->reason),
                      colon, (int)cause.size, words);
    } else if (record->delay_ns > 0) {
        log_task_line(log, &subject, level, "%s in %" PRIu64 " ms%s%.*s", what,
                      record->delay_ns / MILLISECOND, colon, (int)cause.size, words);
    } else {
        log_task_line(log, &subject, level, "%s%s%.*s", what, colon, (int)cause.size, words);
    }
}

static void log_task(const struct log *log, enum tmesh_level level, const struct record *record,
                     const char *what)
{
    log_run(log, level, record, what, (struct bytes){0});
}

static void log_peer(const struct log *log, enum tmesh_level level, const struct record *record,
                     const char *what)
{
    const uint8_t *node = record->peer.octets;
    log_line(log, level, "peer=%02x%02x%02x%02x %s", node[0], node[1], node[2], node[3], what);
}

bool ventilator_log_wants_cause(const struct record *record)
{
    if (record->kind == RECORD_RETRIED) return true;
    bool failed = record->state == TASK_FAILED || record->state == TASK_DEAD;
    /* Of a worker that was lost nothing was said, only of earlier runs. */
    return record->kind == RECORD_ENDED && failed && record->reason != REASON_LOSSES;
}

/* A task that is only put off comes again, and again, with all others. */
static void log_rejection(const struct log *log, const struct record *record)
{
    bool put_off = record->reason == REASON_BUSY || record->reason == REASON_DRAINING;
    log_task(log, put_off ? TMESH_DEBUG : TMESH_INFO, record, "rejected");
}

static void log_duplicate(const struct log *log, const struct record *record)
{
    const struct log_subject subject = {.id = record->id, .attempt = record->attempt};
    const uint8_t *node = record->peer.octets;
    if (id_is_zero(&record->peer)) {
        log_task(log, TMESH_DEBUG, record, "submitted again");
        return;
    }
    log_task_line(log, &subject, TMESH_WARNING,
                  "submitted again by a later producer, which hears of its end; peer="
                  "%02x%02x%02x%02x, which waited for it, does not any more",
                  node[0], node[1], node[2], node[3]);
}

static void log_end(const struct log *log, const struct record *record, struct bytes cause)
{
    if (record->state == TASK_DONE)
        log_task(log, TMESH_DEBUG, record, "done");
    else if (record->state == TASK_CANCELLED)
        log_task(log, TMESH_INFO, record, "cancelled");
    else if (record->state == TASK_DEAD)
        log_run(log, TMESH_WARNING, record, "dead", cause);
    else
        log_run(log, TMESH_WARNING, record, "failed", cause);
}

void ventilator_log(const struct log *log, const struct record *record, struct bytes cause)
{
    switch (record->kind) {
    case RECORD_ACCEPTED: log_task(log, TMESH_DEBUG, record, "accepted"); break;
    case RECORD_DUPLICATE: log_duplicate(log, record); break;
    case RECORD_REJECTED: log_rejection(log, record); break;
    case RECORD_LEASED: log_task(log, TMESH_DEBUG, record, "leased"); break;
    case RECORD_RETURNED: log_task(log, TMESH_DEBUG, record, "given back unstarted"); break;
    case RECORD_REQUEUED: log_task(log, TMESH_DEBUG, record, "requeued: worker lost"); break;
    case RECORD_RETRIED: log_run(log, TMESH_INFO, record, "failed, runs again", cause); break;
    case RECORD_RIPE: log_task(log, TMESH_DEBUG, record, "ready again"); break;
    case RECORD_ENDED: log_end(log, record, cause); break;
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
