/* tmesh/dead.h - dead letters: tasks that were given up, and are kept to be looked
 * at, tried again, or dropped.
 *
 * A ventilator keeps the latest 10,000 of them, for as long as live tasks do not
 * need the room.  Each of these functions asks every ventilator that the
 * producer connects to, and may be called from any thread; one call at a time,
 * tmesh_producer_status included: others wait their turn, within their own time.
 *
 * All return, with *dead set to what the ventilators said, for the caller to
 * destroy:
 *   TMESH_OK         all of them answered
 *   TMESH_E_TIMEOUT  some did not within `timeout_ms`; their rows say so, and what
 *                    was asked of them may still happen
 * and with *dead set to NULL:
 *   TMESH_E_INVALID  the choice breaks its rule
 *   TMESH_E_SYSTEM   out of memory
 *   TMESH_E_CLOSED   the producer was closed
 */
#ifndef TMESH_DEAD_H
#define TMESH_DEAD_H

#include <tmesh/producer.h>
#include <tmesh/reply.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { TMESH_DEAD_IDS_MAX = 100000 };

typedef struct tmesh_letter {
    tmesh_id_t id;
    const char *endpoint; /* of the ventilator that keeps it */
    char queue[TMESH_NAME_BYTES_MAX + 1], name[TMESH_NAME_BYTES_MAX + 1];
    enum tmesh_state state; /* failed or dead */
    const char *reason;     /* why it was given up: a sentence */
    const char *error;      /* what its last failed run said, as it was said; "" for nothing */
    uint32_t attempt;       /* its last run, 1 for the first */
    /* Failed runs, those of them that killed their process, and workers lost: all since it was
     * submitted or last retried.  0 from a ventilator of protocol 1.0. */
    uint32_t failures, crashes, losses;
    uint64_t age_ms; /* since it was given up, or the ventilator started if that was later */
    uint32_t payload_bytes;
    /* Only from tmesh_producer_dead_show: */
    const void *payload; /* NULL: it is not kept any more */
    const void *result;  /* what its last run put out; NULL: nothing */
    size_t result_bytes;
} tmesh_letter_t;

typedef struct tmesh_dead {
    const tmesh_reply_t *ventilators;
    size_t ventilator_count;
    const tmesh_letter_t *letters; /* of each ventilator the oldest first, at most 10,000 */
    size_t letter_count;
    uint64_t affected; /* letters retried or dropped, by all */
    /* For each id of the choice: NULL when it was retried or dropped, else why not, a sentence. */
    const char *const *refusals;
    size_t refusal_count;
} tmesh_dead_t;

/* Which letters: either `ids`, or `all`, perhaps only those of a queue or with a
 * name.  Read during the call only. */
typedef struct tmesh_dead_choice {
    const tmesh_id_t *ids; /* id_count of them, at most TMESH_DEAD_IDS_MAX */
    size_t id_count;
    bool all;
    const char *queue; /* with `all`; NULL: any */
    const char *name;
} tmesh_dead_choice_t;

/* Lists the letters that were chosen with `all`. */
TMESH_EXPORT enum tmesh_err tmesh_producer_dead_list(tmesh_producer_t *producer,
                                                     const tmesh_dead_choice_t *choice,
                                                     uint32_t timeout_ms, tmesh_dead_t **dead);

/* Shows one letter, with its payload and what its last run put out.  None when no
 * ventilator keeps it; several when several do. */
TMESH_EXPORT enum tmesh_err tmesh_producer_dead_show(tmesh_producer_t *producer,
                                                     const tmesh_id_t *id, uint32_t timeout_ms,
                                                     tmesh_dead_t **dead);

/* Has letters tried again: the same tasks under the same ids, as if they had not
 * failed before, except that attempts count on.  A producer that has not heard
 * the first end yet hears the new one instead; one that has hears nothing more,
 * unless it submits the id again.  Letters that come while `all` are retried are
 * not touched.  When a session is lost in between, the question is asked again,
 * and what was done before that is not in the answer. */
TMESH_EXPORT enum tmesh_err tmesh_producer_dead_retry(tmesh_producer_t *producer,
                                                      const tmesh_dead_choice_t *choice,
                                                      uint32_t timeout_ms, tmesh_dead_t **dead);

/* Drops letters.  Their ids are still recognised as those of tasks that ended. */
TMESH_EXPORT enum tmesh_err tmesh_producer_dead_drop(tmesh_producer_t *producer,
                                                     const tmesh_dead_choice_t *choice,
                                                     uint32_t timeout_ms, tmesh_dead_t **dead);

/* Sets *dead to NULL.  NULL is fine. */
TMESH_EXPORT void tmesh_dead_destroy(tmesh_dead_t **dead);

#ifdef __cplusplus
}
#endif
#endif
