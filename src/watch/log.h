/* log.h - lines for the host's log function.
 *
 * Owns nothing and prints nothing: a library has no stderr.  Bytes that came
 * from elsewhere are escaped, so that no peer can forge or split a line.
 */
#ifndef WATCH_LOG_H
#define WATCH_LOG_H

#include "../core/bytes.h"
#include "../core/id.h"

#include <tmesh/task.h>

struct log {
    tmesh_log_fn *write; /* NULL: nobody listens */
    void *context;
    enum tmesh_level least; /* of the lines that are wanted */
};

/* Whether lines of this level are wanted. */
static inline bool log_wants(const struct log *log, enum tmesh_level level)
{
    return log->write != NULL && level >= log->least;
}

/* The task that a line is about. */
struct log_subject {
    struct id id;
    struct bytes name; /* empty: not known here */
    uint32_t attempt;
};

/* Formats one line, escapes what is not printable ASCII as \xNN, cuts it at
 * TMESH_LOG_LINE_BYTES_MAX and hands it over.  Any thread, as far as the host's
 * function allows it. */
__attribute__((format(printf, 3, 4))) void log_line(const struct log *log, enum tmesh_level level,
                                                    const char *format, ...);

/* The same for a line about a task. */
__attribute__((format(printf, 4, 5))) void log_task_line(const struct log *log,
                                                         const struct log_subject *subject,
                                                         enum tmesh_level level, const char *format,
                                                         ...);

#endif
