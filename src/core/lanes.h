/* lanes.h - which tasks stand in line for what, and which workers can take them.
 *
 * Owns: lanes and profiles.  A lane is all tasks of one name in one queue; a
 * profile is all workers that serve the same names on the same queues.  Most
 * meshes have a handful of each, so who may run what is two small bit sets,
 * kept up to date when a lane or a profile appears, never per task.
 */
#ifndef CORE_LANES_H
#define CORE_LANES_H

#include "arena.h"
#include "bits.h"
#include "heap.h"
#include "message.h"
#include "task.h"

enum {
    LANES_MAX = 1024,
    PROFILES_MAX = 256,
    LANES_WORDS = LANES_MAX / 64,
    PROFILES_WORDS = PROFILES_MAX / 64,
    PROFILE_BYTES_MAX = 2 * MESSAGE_NAMES_MAX * (MESSAGE_NAME_BYTES_MAX + 1)
};

struct lane {
    uint8_t name[MESSAGE_NAME_BYTES_MAX], queue[MESSAGE_NAME_BYTES_MAX];
    uint8_t name_bytes, queue_bytes;
    uint16_t next; /* in its bucket, plus one; 0 ends */
    struct task_list ready;
    uint64_t waiting, leased, dead; /* dead: letters kept */
    uint32_t workers;               /* of the profiles that serve it */
    uint32_t turn; /* profile to ask first next time, so that all get their share */
    uint64_t profiles[PROFILES_WORDS]; /* that serve it */
};

struct profile {
    uint32_t workers;   /* that are not given up, with a session or without */
    uint32_t available; /* first of the ring of workers with credit, TASK_NOWHERE for none */
    uint32_t name_count, queue_count;
    uint32_t texts;              /* bytes used */
    uint64_t lanes[LANES_WORDS]; /* that it serves */
    /* names, then queues, each sorted, each a length octet and its bytes */
    uint8_t text[PROFILE_BYTES_MAX];
};

struct lanes {
    struct lane *lanes;
    struct profile *profiles;
    uint16_t *buckets; /* by hash of queue and name: lane plus one */
    uint32_t lane_count, profile_count;
    uint32_t latest;      /* the lane found last: tasks come in runs */
    struct heap runnable; /* lanes with ready tasks that some worker might take; key: order of
                             the first of these, or of one that was first before */
    uint64_t starved[LANES_WORDS];      /* lanes with ready tasks and no worker with credit */
    uint64_t available[PROFILES_WORDS]; /* profiles with a worker with credit */
};

void lanes_init(struct lanes *lanes, struct arena *arena);

/* The lane found last if it is for these, TASK_NOWHERE otherwise. */
uint32_t lanes_latest(const struct lanes *lanes, struct bytes queue, struct bytes name);

/* Finds the lane for this queue and name, or makes it.  TASK_NOWHERE when
 * LANES_MAX are there and none of them is idle. */
uint32_t lanes_lane(struct lanes *lanes, struct bytes queue, struct bytes name);

/* Finds the profile that serves exactly these, or makes it.  TASK_NOWHERE when
 * PROFILES_MAX are in use.  The lists may come in any order and repeat. */
uint32_t lanes_profile(struct lanes *lanes, const struct message_hello *hello);

/* Counts a worker of this profile in (+1) or out (-1). */
void lanes_count_worker(struct lanes *lanes, uint32_t profile, int change);

/* Notes that a lane has a first ready task, or another before it, or none any more.
 * That the first left to the next is noticed when it is picked. */
void lanes_ready_changed(struct lanes *lanes, uint32_t lane, const struct task *tasks);

/* Notes that a profile has workers with credit, or none any more. */
void lanes_available(struct lanes *lanes, uint32_t profile, const struct task *tasks);
void lanes_exhausted(struct lanes *lanes, uint32_t profile);

/* False: lanes_pick would find nothing. */
static inline bool lanes_have_runnable(const struct lanes *lanes)
{
    return heap_first(&lanes->runnable) != NULL;
}

/* The lane whose turn it is and a profile with credit that serves it.  False
 * when nothing can be given to anybody. */
bool lanes_pick(struct lanes *lanes, const struct task *tasks, uint32_t *lane, uint32_t *profile);

/* Ready tasks in all lanes that this profile serves. */
uint64_t lanes_backlog(const struct lanes *lanes, uint32_t profile);

#endif
