/* letters.h - the dead letters of a ventilator, oldest first; any of them may leave.
 *
 * Owns: their order, and a number for each that rises from letter to letter, so
 * that whoever reads them page by page can say where to go on although some left
 * meanwhile.  Not here: why a task is a letter (transition.c).
 */
#ifndef CORE_LETTERS_H
#define CORE_LETTERS_H

#include "arena.h"
#include "circle.h"

static const uint32_t LETTER_NONE = UINT32_MAX;

struct letter {
    struct circle_link place; /* among those kept, or among those free */
    uint32_t slot;            /* of its task */
    uint32_t number;          /* not 0; after 2^32 - 1 letters they begin again */
};

struct letters {
    struct letter *rows; /* letters, then the heads of the two circles */
    struct circles places;
    uint32_t capacity, count;
    uint32_t fresh;  /* rows from here on were never used */
    uint32_t latest; /* number given last */
};

/* Lays them out in `arena` with room for `capacity`, not 0. */
void letters_init(struct letters *letters, struct arena *arena, uint32_t capacity);

static inline bool letters_are_full(const struct letters *letters)
{
    return letters->count == letters->capacity;
}

/* Adds the task in `slot` as the latest.  There must be room.  Returns its row. */
uint32_t letters_add(struct letters *letters, uint32_t slot);

void letters_remove(struct letters *letters, uint32_t row);

/* The oldest letter, and the one behind `row`; LETTER_NONE when there is none. */
uint32_t letters_first(const struct letters *letters);
uint32_t letters_next(const struct letters *letters, uint32_t row);

/* The oldest whose number is `number` or later; of all when that is 0.  Walks
 * over those before it. */
uint32_t letters_from(const struct letters *letters, uint32_t number);

#endif
