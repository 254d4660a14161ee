/* known.h - the ids a ventilator knows: of its tasks, and of those that ended.
 *
 * Owns: a row for each id.  While there is a task, its row says where.  When a task has
 * ended and nobody needs its record any more, the row is all that is left, so that a
 * repeat is recognised: a million of these take 73 MB, and a ventilator that is not
 * behind keeps using the same few tasks.
 * Not here: when a task is let go, and for how long its id is remembered (transition.c).
 */
#ifndef CORE_KNOWN_H
#define CORE_KNOWN_H

#include "index.h"
#include "slot_ring.h"
#include "task.h"

struct known_row {
    uint32_t task; /* its slot plus one; 0: there is none, and what it was follows */
    uint32_t attempt;
    uint32_t ended_ms; /* wraps round */
    uint16_t lane;
    uint8_t state, reason; /* TASK_NONE: the row is free */
};

_Static_assert(sizeof(struct known_row) == 16, "four to a cache line");

struct known {
    struct index ids;       /* its slots are the rows */
    struct known_row *rows; /* by slot of `ids` */
    struct slot_ring ended; /* rows of tasks that ended, oldest first */
};

static inline void known_init(struct known *known, struct arena *arena, uint32_t capacity,
                              uint32_t ended_max, uint64_t salt)
{
    index_init(&known->ids, arena, capacity, salt);
    known->rows = arena_take(arena, capacity, sizeof *known->rows);
    slot_ring_init(&known->ended, arena, ended_max);
}

/* The slot of the task in this row; TASK_NOWHERE when there is none. */
static inline uint32_t known_task(const struct known *known, uint32_t row)
{
    uint32_t task = known->rows[row].task;
    return task == 0 ? TASK_NOWHERE : task - 1;
}

/* The same of a row that was looked for; TASK_NOWHERE when there is none, either. */
static inline uint32_t known_task_found(const struct known *known, uint32_t row)
{
    return row == INDEX_NONE ? TASK_NOWHERE : known_task(known, row);
}

/* The slot of the task with this id; TASK_NOWHERE when it is not known, or when nothing
 * but its id is left. */
static inline uint32_t known_find(const struct known *known, const struct id *id)
{
    return known_task_found(known, index_find(&known->ids, id));
}

#endif
