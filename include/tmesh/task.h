/* tmesh/task.h - tasks, their ids, and how they end. */
#ifndef TMESH_TASK_H
#define TMESH_TASK_H

#include <tmesh/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    TMESH_NAME_BYTES_MAX = 64,             /* [a-z0-9._-]{1,64}, task and queue names alike */
    TMESH_PAYLOAD_BYTES_MAX = 1024 * 1024, /* unless the ventilator says less */
    TMESH_RESULT_BYTES_MAX = 1024 * 1024,
    TMESH_TEXT_BYTES_MAX = 1024,    /* reasons given by handlers; longer ones are cut */
    TMESH_PROGRESS_BYTES_MAX = 256, /* what a handler says of its progress; longer ones are cut */
    TMESH_ID_TEXT_BYTES = 37,       /* canonical UUID text and its end mark */
    TMESH_LOG_LINE_BYTES_MAX = 1024
};

/* Whoever submits tasks: tmesh/producer.h. */
typedef struct tmesh_producer tmesh_producer_t;

/* A task's id: a UUIDv7 (RFC 9562, section 5.7), so ids sort by the time they
 * were made. */
typedef struct tmesh_id {
    uint8_t octets[16];
} tmesh_id_t;

/* A new id.  Any thread.  Its random part comes from the system's generator, new for each
 * millisecond and thread; within one, ids count up (RFC 9562, section 6.2, method 2).  So ids
 * that one thread made sort in the order they were made while the clock does not go back, and
 * whoever sees an id can guess its neighbours: an id is a name and not a secret. */
TMESH_EXPORT tmesh_id_t tmesh_id_new(void);

/* Writes "018f3c1e-7b7a-7c3e-9a52-5c1d2a3b4c5d" and its end mark. */
TMESH_EXPORT void tmesh_id_text(const tmesh_id_t *id, char text[TMESH_ID_TEXT_BYTES]);

/* Reads the same form, upper or lower case; any UUID will do.
 * TMESH_E_INVALID: `text` is not one. */
TMESH_EXPORT enum tmesh_err tmesh_id_parse(const char *text, tmesh_id_t *id);

/* Whether `name` may name a task or a queue. */
TMESH_EXPORT bool tmesh_name_is_valid(const char *name);

/* How a task ended. */
enum tmesh_state {
    TMESH_STATE_DONE = 4,
    TMESH_STATE_FAILED = 5, /* given up: by policy, or because the handler said so */
    TMESH_STATE_DEAD = 6,   /* it killed its handler, or lost its workers, too often */
    TMESH_STATE_CANCELLED = 7,
    TMESH_STATE_EXPIRED = 8
};

/* "done", "failed", "dead", "cancelled", "expired". */
TMESH_EXPORT const char *tmesh_state_text(enum tmesh_state state);

enum tmesh_level { TMESH_DEBUG, TMESH_INFO, TMESH_WARNING, TMESH_ERROR };

/* A log line for the host program, and the run of a task that it is about, if it is
 * about one: what a handler or a command says, what became of a task.  Everything is
 * borrowed for the call. */
typedef struct tmesh_log_entry {
    enum tmesh_level level;
    const char *line; /* printable ASCII without a line's end; at most TMESH_LOG_LINE_BYTES_MAX
                         bytes with its end mark.  What is not printable stands as \xNN */
    const tmesh_id_t *task; /* NULL: about no task, and then there is no name and no attempt */
    const char *name;       /* the task's; NULL where only its id is known, as in ventilators */
    uint32_t attempt;       /* 0: about the task before its first */
} tmesh_log_entry_t;

/* Called from threads of the handle, a worker's from several at once, among them
 * the one that keeps the heartbeats: must not block, and must not call back into
 * the handle. */
typedef void tmesh_log_fn(const tmesh_log_entry_t *entry, void *context);

#ifdef __cplusplus
}
#endif
#endif
