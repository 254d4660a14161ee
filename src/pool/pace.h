/* pace.h - so many lines a second, and no more.
 *
 * Owns: the count of the second that runs, and how many were too many.
 * Not here: the lines.
 */
#ifndef POOL_PACE_H
#define POOL_PACE_H

#include <stdbool.h>
#include <stdint.h>

enum { PACE_NOTE_BYTES = 96 };

/* All zero at first. */
struct pace {
    uint64_t second_ns; /* when it began */
    uint32_t passed, dropped;
};

/* Whether one line more may pass.  What is to be told of lines that may not, before
 * this one, stands in `note` then, which is "" otherwise: once when it begins, and
 * how many they were before the first line of a later second. */
bool pace_allows(struct pace *pace, uint32_t per_second, uint64_t now_ns,
                 char note[PACE_NOTE_BYTES]);

#endif
