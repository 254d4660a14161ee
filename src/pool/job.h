/* job.h - one run of one task, from the inside.
 *
 * Owns: the result and the reason while the run lasts.
 * Not here: where the handler is called, and what becomes of what it said.
 */
#ifndef POOL_JOB_H
#define POOL_JOB_H

#include "../core/time_limit.h"
#include "../watch/log.h"
#include "buffer.h"
#include "pace.h"
#include "registry.h"

/* What the place where a job runs does for it: a slot's thread, or a child process. */
struct job_host {
    bool (*should_stop)(const struct tmesh_job *job);
    /* `text` is cut already, and borrowed for the call. */
    void (*progress)(struct tmesh_job *job, uint64_t number, struct bytes text);
    /* One line, cut already and paced, but not escaped; borrowed for the call. */
    void (*log)(struct tmesh_job *job, enum tmesh_level level, struct bytes text);
};

/* Each slot has one and uses it again for every run. */
struct tmesh_job {
    const struct job_host *host;
    void *place; /* the host's */
    const struct handler *handler;
    const struct assignment *assignment; /* borrowed for the run */
    struct buffer result;
    bool has_result; /* an empty result is not the same as none */
    uint32_t retry_after_ms;
    struct pace log_pace; /* the slot's, from run to run */
    uint32_t text_size;
    char text[TMESH_TEXT_BYTES_MAX + 1];
};

/* Makes it ready for the next run, for which `assignment` and its views are borrowed. */
void job_begin(struct tmesh_job *job, const struct handler *handler,
               const struct assignment *assignment);

/* Sets the reason, cut at TMESH_TEXT_BYTES_MAX. */
__attribute__((format(printf, 2, 3))) void job_explain(struct tmesh_job *job, const char *format,
                                                       ...);

/* Appends to the reason, with `between` first if there is one already. */
void job_explain_more(struct tmesh_job *job, const char *between, struct bytes text);

/* For a run that was told to end, or killed, for this cause, and came to `outcome`.  What
 * it failed at is no surprise: its reason begins with the cause, and nobody's patience
 * with crashes is used up for a lease that is over.  Returns what it comes to. */
enum outcome job_name_cause(struct tmesh_job *job, enum end_cause cause, enum outcome outcome);

/* Calls the handler, a function, and says what the run came to. */
enum outcome job_call(struct tmesh_job *job);

/* What a handler's return value, or a command's exit status, means. */
enum outcome job_outcome(int verdict);

/* Writes a line about a run to the host's log, with its context: what the run said
 * itself, wherever it runs.  Escaped and cut; an unknown level counts as
 * TMESH_ERROR, and an empty text is no line.  Any thread. */
void job_log_write(const struct log *log, const struct assignment *assignment,
                   enum tmesh_level level, struct bytes text);

void job_free(struct tmesh_job *job);

#endif
