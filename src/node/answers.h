/* answers.h - answers on their way from the producer's thread to the application.
 *
 * Owns: the answers that were told and not handed out yet, in chunks, so that
 * one lock and one allocation serve many.  No locking of its own: the producer
 * holds its lock around these calls, except where they say otherwise.
 */
#ifndef NODE_ANSWERS_H
#define NODE_ANSWERS_H

#include <stdbool.h>
#include <tmesh/producer.h>

struct answer_chunk;
struct share;

struct answer_queue {
    struct answer_chunk *first, *last;
    uint64_t bytes; /* of all chunks in it, and of what they have a share in */
};

/* Appends a copy, reason and result included.  False: out of memory. */
bool answer_append(struct answer_queue *queue, const tmesh_answer_t *answer);

/* The same, but the result stays where it is: in what `share` is a share of, which the queue
 * has from now on.  False: out of memory, and the share is still the caller's. */
bool answer_append_shared(struct answer_queue *queue, const tmesh_answer_t *answer,
                          struct share *share);

/* A chunk of its own for one answer; NULL: out of memory. */
struct answer_chunk *answer_single(const tmesh_answer_t *answer);

/* Moves all of `from` behind all of `to`.  Few answers at a time share a chunk:
 * what answers cost follows from how much they say, not from how they came. */
void answer_move(struct answer_queue *to, struct answer_queue *from);

/* Takes the oldest chunk out; NULL when there is none. */
struct answer_chunk *answer_take(struct answer_queue *queue);

/* Puts a chunk that was not handed out wholly back before all others. */
void answer_put_back(struct answer_queue *queue, struct answer_chunk *chunk);

/* Hands out up to `answers_max` answers of a chunk that was taken; needs no
 * lock.  Returns how many; *rest tells whether the chunk holds more. */
size_t answer_hand_out(struct answer_chunk *chunk, size_t answers_max, tmesh_answer_fn *handle,
                       void *context, bool *rest);

void answer_chunk_free(struct answer_chunk *chunk);
void answer_clear(struct answer_queue *queue);

#endif
