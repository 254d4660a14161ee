/* stage.h - submissions on their way from the application to the producer's thread.
 *
 * One growing run of bytes that is filled under the producer's lock, swapped
 * out, and read by the producer's thread without one.  Large payloads have memory
 * of their own each, from malloc, so that it can be used on without another copy.
 */
#ifndef NODE_STAGE_H
#define NODE_STAGE_H

#include "../core/message.h"

#include <stdbool.h>

struct stage {
    uint8_t *bytes;
    size_t used, read, capacity;
    size_t passed;   /* at most `read` */
    uint32_t roomy;  /* resets in a row that found it far too large */
    uint32_t blocks; /* payloads with memory of their own that were not passed */
};

/* Appends a copy with the ticket it belongs to.  False: out of memory. */
bool stage_append(struct stage *stage, const struct submission *submission, uint32_t ticket);

/* The next submission that was not passed yet, pointing into the stage; false
 * at the end. */
bool stage_next(const struct stage *stage, struct submission *submission, uint32_t *ticket);

/* The memory that its payload has for itself; NULL: it has none. */
void *stage_block(const struct stage *stage);

/* Goes on to the one after it, for good.  stage_hand_over leaves that memory, if there is any,
 * to the caller, to be freed; stage_pass frees it. */
void stage_pass(struct stage *stage);
void stage_hand_over(struct stage *stage);

/* Goes on for now, and back to the first that was not passed; in between none may be. */
void stage_skip(struct stage *stage);
void stage_rewind(struct stage *stage);

/* Moves what `from` holds and was not passed behind all of `to`, which may forget
 * what it had passed.  False: out of memory, nothing was moved. */
bool stage_join(struct stage *to, struct stage *from);

bool stage_is_empty(const struct stage *stage);

/* Forgets what was read, and after a while gives memory back that a burst had needed: as long as
 * it is roomy, it wants to be reset. */
void stage_reset(struct stage *stage);
bool stage_is_roomy(const struct stage *stage);
void stage_clear(struct stage *stage);

#endif
