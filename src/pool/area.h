/* area.h - memory that a slot shares with its child.
 *
 * Owns: one mapping for all slots, made before the children's parent is forked,
 * so that everybody finds it at the same place.
 * Not here: waking the other side.
 *
 * A wild handler may have written anything over the board and the outbox: the
 * worker's side copies a number before it checks it, checks it before it uses it,
 * and believes none.  The inbox and the fences cannot be written by children.
 */
#ifndef POOL_AREA_H
#define POOL_AREA_H

#include "../core/message.h"

#include <tmesh/task.h>

#include <stdatomic.h>

enum {
    AREA_TASKS_MAX = 64,
    AREA_INBOX_BYTES = 2 * MESSAGE_PAYLOAD_BYTES_MAX,
    AREA_OUTBOX_BYTES = 2 * TMESH_RESULT_BYTES_MAX,
    /* No more than this may be missing for a child to begin another run. */
    AREA_ROOM_BYTES = TMESH_RESULT_BYTES_MAX + TMESH_TEXT_BYTES_MAX
};

/* Who claims a task of a round first has it: the child by AREA_RUNNING, the worker by
 * AREA_TAKEN.  Who ends a run first decides what it comes to: the child by AREA_ENDED,
 * the worker by AREA_DOOMED, and a child that finds itself doomed begins nothing else.  The numbers
 * are such that memory written over by accident is not taken for them. */
enum area_state {
    AREA_QUEUED = 0x51c3a7e1,
    AREA_TAKEN = 0x2d96f40b,
    AREA_RUNNING = 0x6b0e85d3,
    AREA_ENDED = 0x1f78c2a5,
    AREA_DOOMED = 0x74a95b1d
};

/* Written by the worker, before a round. */
struct area_task {
    struct lease lease;
    uint32_t handler, fence; /* the handler's position in the registry */
    uint32_t limit_ms, soft_ms, stalled_ms;
    uint32_t has_payload, payload_at, payload_size; /* in `bytes` */
};

struct area_inbox {
    uint32_t round, count;
    struct area_task tasks[AREA_TASKS_MAX];
    uint8_t bytes[AREA_INBOX_BYTES];
};

/* Written by the child, after a run. */
struct area_result {
    uint32_t task, outcome, retry_after_ms;
    uint32_t has_result, result_at, result_size; /* in the outbox */
    uint32_t text_at, text_size;
    uint64_t run_ns;
};

struct area_progress {
    _Atomic uint32_t sequence; /* odd while it is written */
    uint32_t task, text_size;
    uint64_t number, told_ns;
    char text[TMESH_PROGRESS_BYTES_MAX];
};

struct area_board {
    _Atomic uint32_t over;              /* the round that ended last */
    _Atomic uint32_t finished;          /* results of this round */
    _Atomic uint32_t current;           /* the task that was begun last, if it still runs */
    _Atomic uint64_t began_ns;          /* .. when; 0: none runs */
    _Alignas(64) _Atomic uint32_t told; /* 1 + the task whose run should end */
    _Atomic uint32_t states[AREA_TASKS_MAX];
    struct area_progress progress;
    struct area_result results[AREA_TASKS_MAX];
};

/* One slot's. */
struct area {
    struct area_board *board;
    struct area_inbox *inbox;
    uint8_t *outbox;
};

struct areas {
    uint8_t *memory;
    uint32_t slots, fences;
    _Atomic uint64_t *fences_ns; /* as pool.h has them */
};

/* Takes address space; memory is taken where it is used.  False: there is none. */
bool areas_map(struct areas *areas, uint32_t slots, uint32_t fences);
void areas_unmap(struct areas *areas);

struct area areas_at(const struct areas *areas, uint32_t slot);

/* In the child of `slot`: gives up what belongs to others, protects what it must not
 * write, and keeps it all from processes that a handler forks. */
bool areas_keep(const struct areas *areas, uint32_t slot);

/* Gives back memory that a round used beyond the first bytes of its boxes. */
void area_trim(const struct area *area, uint32_t inbox_used, uint32_t outbox_used);

#endif
