/* job.c - what a handler can ask of its run, and say about it. */
#include "job.h"

#include "../watch/clock.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A slot that once had a large result keeps no more than this for the next. */
enum { RESULT_BYTES_KEPT = 256 * 1024 };

void job_begin(struct tmesh_job *job, const struct handler *handler,
               const struct assignment *assignment)
{
    job->handler = handler;
    job->assignment = assignment;
    buffer_clear(&job->result, RESULT_BYTES_KEPT);
    job->has_result = false;
    job->retry_after_ms = 0;
    job->text_size = 0;
}

void job_explain(struct tmesh_job *job, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int wanted = vsnprintf(job->text, sizeof job->text, format, arguments);
    va_end(arguments);
    assert(wanted >= 0);
    job->text_size = wanted < TMESH_TEXT_BYTES_MAX ? (uint32_t)wanted : TMESH_TEXT_BYTES_MAX;
}

void job_explain_more(struct tmesh_job *job, const char *between, struct bytes text)
{
    if (text.size == 0) return;
    const struct bytes parts[] = {bytes_text(job->text_size > 0 ? between : ""), text};
    for (size_t part = 0; part < 2; part++) {
        uint32_t room = TMESH_TEXT_BYTES_MAX - job->text_size;
        uint32_t size = parts[part].size < room ? parts[part].size : room;
        if (size > 0) memcpy(job->text + job->text_size, parts[part].data, size);
        job->text_size += size;
    }
    assert(job->text_size <= TMESH_TEXT_BYTES_MAX);
}

enum outcome job_name_cause(struct tmesh_job *job, enum end_cause cause, enum outcome outcome)
{
    if (outcome == OUTCOME_DONE || outcome == OUTCOME_RETURNED) return outcome;
    char said[TMESH_TEXT_BYTES_MAX], text[TIME_LIMIT_TEXT_BYTES];
    uint32_t size = job->text_size;
    memcpy(said, job->text, size);
    job->text_size = 0;
    uint32_t limit_ms = end_cause_limit_ms(cause, job->assignment);
    job_explain_more(job, "", end_cause_text(cause, limit_ms, "", text));
    job_explain_more(job, ": ", bytes_of(said, size));
    return cause == END_REVOKED && outcome == OUTCOME_CRASHED ? OUTCOME_FAILED : outcome;
}

enum outcome job_outcome(int verdict)
{
    if (verdict == TMESH_DONE) return OUTCOME_DONE;
    return verdict == TMESH_PERMANENT ? OUTCOME_PERMANENT : OUTCOME_FAILED;
}

enum outcome job_call(struct tmesh_job *job)
{
    assert(job->handler->kind == HANDLER_FUNCTION && job->handler->function != NULL);
    int verdict = job->handler->function(job, job->handler->context);
    enum outcome outcome = job_outcome(verdict);
    if (outcome != OUTCOME_DONE)
        job->has_result = false; /* what a function failed at is no result */
    if (outcome != OUTCOME_DONE && verdict != TMESH_RETRY && verdict != TMESH_PERMANENT &&
        job->text_size == 0)
        job_explain(job, "handler returned %d", verdict);
    return outcome;
}

void job_log_write(const struct log *log, const struct assignment *assignment,
                   enum tmesh_level level, struct bytes text)
{
    if (text.size == 0) return;
    if (level > TMESH_ERROR) level = TMESH_ERROR; /* a handler's mistake, not the host's */
    const struct log_subject subject = {
        .id = assignment->lease.id, .name = assignment->name, .attempt = assignment->lease.attempt};
    log_task_line(log, &subject, level, "%.*s", (int)text.size, (const char *)text.data);
}

void job_free(struct tmesh_job *job)
{
    buffer_free(&job->result);
}

const char *tmesh_job_name(const tmesh_job_t *job)
{
    return job->handler->name;
}

tmesh_id_t tmesh_job_id(const tmesh_job_t *job)
{
    tmesh_id_t id;
    _Static_assert(sizeof id == sizeof job->assignment->lease.id, "one form of ids");
    memcpy(&id, &job->assignment->lease.id, sizeof id);
    return id;
}

uint32_t tmesh_job_attempt(const tmesh_job_t *job)
{
    return job->assignment->lease.attempt;
}

uint64_t tmesh_job_lease(const tmesh_job_t *job)
{
    return job->assignment->lease.token;
}

const void *tmesh_job_payload(const tmesh_job_t *job, size_t *bytes)
{
    struct bytes payload = job->assignment->payload;
    if (bytes != NULL) *bytes = payload.size;
    return payload.data != NULL ? (const void *)payload.data : "";
}

enum tmesh_err tmesh_job_result(tmesh_job_t *job, const void *data, size_t bytes)
{
    assert(job->result.used <= TMESH_RESULT_BYTES_MAX);
    if (bytes > TMESH_RESULT_BYTES_MAX - job->result.used) return TMESH_E_TOO_BIG;
    if (bytes > 0 && data == NULL) return TMESH_E_INVALID;
    if (!buffer_append(&job->result, data, bytes)) return TMESH_E_SYSTEM;
    job->has_result = true;
    return TMESH_OK;
}

void tmesh_job_reason(tmesh_job_t *job, const char *text)
{
    job->text_size = 0;
    if (text == NULL) return;
    size_t size = strnlen(text, TMESH_TEXT_BYTES_MAX);
    memcpy(job->text, text, size);
    job->text_size = (uint32_t)size;
}

bool tmesh_job_should_stop(const tmesh_job_t *job)
{
    return job->host->should_stop(job);
}

void tmesh_job_progress(tmesh_job_t *job, uint64_t number, const char *text)
{
    size_t size = text == NULL ? 0 : strnlen(text, TMESH_PROGRESS_BYTES_MAX);
    job->host->progress(job, number, bytes_of(text, size));
}

void tmesh_job_log(tmesh_job_t *job, enum tmesh_level level, const char *format, ...)
{
    char note[PACE_NOTE_BYTES];
    bool passes = pace_allows(&job->log_pace, TMESH_LOG_LINES_PER_SECOND, clock_now_ns(), note);
    if (note[0] != '\0') job->host->log(job, TMESH_WARNING, bytes_text(note));
    if (!passes) return;
    char line[TMESH_LOG_LINE_BYTES_MAX];
    va_list arguments;
    va_start(arguments, format);
    int wanted = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    size_t size = wanted < 0 ? 0 : strlen(line);
    while (size > 0 && (line[size - 1] == '\n' || line[size - 1] == '\r')) size--;
    if (size == 0) return;
    job->host->log(job, level, bytes_of(line, size));
}

void tmesh_job_retry_after(tmesh_job_t *job, uint32_t delay_ms)
{
    job->retry_after_ms = delay_ms;
}
