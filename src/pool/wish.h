/* wish.h - when a command that failed wants to be tried again.
 *
 * Owns: one small file in memory for each slot, whose name the command finds in
 * TMESH_RETRY_AFTER_MS and into which it may write a number of milliseconds:
 *     echo 30000 >"$TMESH_RETRY_AFTER_MS"; exit 75
 * It is a name and not a descriptor, so that a command inherits nothing that it
 * did not ask for.  Not here: whether the wish counts.
 */
#ifndef POOL_WISH_H
#define POOL_WISH_H

#include "environment.h"

struct wish {
    int fd; /* -1: there is no file, and nobody can wish */
    char variable[ENVIRONMENT_VARIABLE_BYTES_MAX];
};

enum wished { WISHED_NOTHING, WISHED_DELAY, WISHED_NONSENSE };

void wish_open(struct wish *wish);
void wish_close(struct wish *wish);

/* Forgets what the run before wished. */
void wish_clear(const struct wish *wish);

/* What this run wished: 0 to 2^32 - 1 ms, in digits, blanks around them. */
enum wished wish_read(const struct wish *wish, uint32_t *delay_ms);

#endif
