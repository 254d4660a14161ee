/* runs.h - what running tasks told of their progress; when there is no room, whoever
 * told least lately makes way.
 *
 * Owns: a row for each task that told something, and their order.  Words are kept in
 * the row, so that a message may point to them until the step ends, although the row
 * is free by then.  Not here: who is to hear of it (ventilator_progress.c).
 */
#ifndef CORE_RUNS_H
#define CORE_RUNS_H

#include "arena.h"
#include "circle.h"
#include "message.h"

enum { RUNS_MAX = 4096 }; /* tasks whose progress is kept */

static const uint32_t RUN_NONE = UINT32_MAX;

struct run {
    struct circle_link place; /* among those kept, latest told last, or among those free */
    struct circle_link due;   /* in a circle without a head: all that `listener` is to be told */
    uint64_t number, told_ns;
    uint32_t slot;     /* of its task */
    uint32_t listener; /* the peer that is to be told this turn, RUN_NONE for none */
    uint32_t text_bytes;
    uint8_t text[MESSAGE_PROGRESS_BYTES_MAX];
};

struct runs {
    struct run *rows; /* and behind them the heads: kept, free */
    struct circles places, dues;
    uint32_t count, fresh; /* rows from `fresh` on were never used */
};

void runs_init(struct runs *runs, struct arena *arena);

static inline bool runs_are_full(const struct runs *runs)
{
    return runs->count == RUNS_MAX;
}

/* The row that was told something least lately; there must be one. */
uint32_t runs_oldest(const struct runs *runs);
/* A row for the task in `slot`; there must be room. */
uint32_t runs_add(struct runs *runs, uint32_t slot);
void runs_remove(struct runs *runs, uint32_t row);
/* Takes down what a run told. */
void runs_tell(struct runs *runs, uint32_t row, const struct progress *progress, uint64_t now_ns);

#endif
