/* logging.h - the library's log lines on stderr, as text or as JSON.
 *
 *   2026-01-31T12:00:00.000Z info    task=ID name=NAME attempt=2 what was said
 *   {"ts":"...","level":"info","task":"ID","name":"NAME","attempt":2,"msg":"what was said"}
 *
 * Lines about no task have no task, name and attempt.
 */
#ifndef NODES_LOGGING_H
#define NODES_LOGGING_H

#include <tmesh.h>

enum logging_format { LOGGING_TEXT, LOGGING_JSON };

struct logging {
    enum tmesh_level least; /* what is below is not shown */
    enum logging_format format;
};

/* From the words of --log-level and --log-format, which are checked already. */
struct logging logging_from(const char *level, const char *format);

/* From here on no line makes anybody wait: call it before there is a handle that logs,
 * and backlog_start (backlog.h) when it is there. */
void logging_hold(const struct logging *logging);

/* A tmesh_log_fn; `context` is a struct logging. */
void logging_write(const tmesh_log_entry_t *entry, void *context);

#endif
