/* waits.h - answers kept for the one who waits for a certain task.
 *
 * Owns: the ids submitted with TMESH_DELIVER_WAIT whose answer was not taken
 * yet, and the answers among them that have come.  The producer's lock is held
 * around every call.
 */
#ifndef NODE_WAITS_H
#define NODE_WAITS_H

#include "../core/index.h"
#include "answers.h"

struct waits {
    struct index index;
    struct answer_chunk **told; /* by slot; NULL until the answer came */
};

void waits_init(struct waits *waits, struct arena *arena, uint32_t capacity, uint64_t salt);
void waits_clear(struct waits *waits);

/* Expects an answer for `id`.  False: it is expected already, or all are out. */
bool waits_expect(struct waits *waits, const tmesh_id_t *id);

/* Whether waits_expect has room for no other id: answers that nobody fetches stay. */
bool waits_are_full(const struct waits *waits);

/* Nothing will come for `id` after all. */
void waits_forget(struct waits *waits, const tmesh_id_t *id);

/* Keeps the answer.  False: nobody expects it, or memory is short. */
bool waits_tell(struct waits *waits, const tmesh_answer_t *answer);

enum waits_found { WAITS_UNKNOWN, WAITS_PENDING, WAITS_TOLD };

/* Takes the answer out if it is there; *chunk is the caller's then. */
enum waits_found waits_take(struct waits *waits, const tmesh_id_t *id, struct answer_chunk **chunk);

#endif
