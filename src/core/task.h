/* task.h - the tasks a ventilator holds, and the lists they stand in.
 *
 * Owns: one record for each task, from ACCEPT until nobody needs more of it than its
 * id (known.h), and the order of the lists.  A task stands in at most one list at a
 * time; the owner of the list knows which.
 */
#ifndef CORE_TASK_H
#define CORE_TASK_H

#include "circle.h"
#include "index.h"
#include "message.h"
#include "slot_pool.h"
#include "store.h"

static const uint32_t TASK_NOWHERE = UINT32_MAX;

enum { CACHE_LINE_BYTES = 64 };

/* Where a leased task stands with its worker. */
enum task_sent {
    TASK_UNSENT = 0, /* in `fresh`: goes out this turn */
    TASK_SENT = 1,   /* in `leases` */
    TASK_ORPHAN = 2  /* in `orphans`: about to be taken back */
};

/* Why the record of a task that ended is still here. */
enum task_kept {
    TASK_KEPT_RESULT = 1, /* its producer has not receipted the result */
    TASK_KEPT_DEAD = 2,   /* it is a dead letter */
    TASK_KEPT_ENDED = 4,  /* its id is remembered, to recognise a repeat */
    TASK_KEPT_SENT = 8    /* with TASK_KEPT_RESULT: a RESULT carried it already */
};

struct task {
    _Alignas(CACHE_LINE_BYTES) uint32_t next;
    uint32_t previous;
    uint32_t known;  /* the row of its id */
    uint32_t holder; /* LEASED: the worker's peer slot; READY: of one that was to give it back, or
                        PEER_NONE (peers.h) */
    uint32_t row;    /* with TASK_KEPT_DEAD: in letters; LEASED: in runs, plus one, 0 for none */
    uint64_t owner;  /* peer reference of the producer that wants the result, 0 for none */
    uint64_t token;  /* of the latest lease, 0 when that was given back unused */
    uint64_t order;  /* place in line while READY; when it ended, in ns, once it did; while the
                        journal is replayed: of a WAITING one how long, in ns */
    struct stored payload, result, text;
    uint32_t attempt; /* leases given, those returned unused not counted */
    uint32_t sent;    /* LEASED: enum task_sent; ended: sequence of the RESULT that carried it */
    uint32_t backoff_ms, backoff_ms_max;    /* 0: the ventilator's default */
    uint32_t limit_ms, soft_ms, stalled_ms; /* of one run; 0: none */
    uint32_t leased_ms; /* LEASED: when it was, by our own clock (turn.h); wraps round */
    uint16_t failures, crashes, losses, attempts_max, crashes_max;
    uint16_t lane;
    uint8_t state, reason, kept;
    uint8_t recalled; /* LEASED: its worker was asked to give it back */
};

_Static_assert(sizeof(struct task) == 2 * CACHE_LINE_BYTES,
               "ten million tasks are 1.3 GB, and no more");

/* A slot of the table that is free is zeroed. */
static inline void task_give(struct task *tasks, struct slot_pool *slots, uint32_t slot)
{
    uint8_t *task = (uint8_t *)&tasks[slot];
    /* Line by line: for all at once compilers use an instruction that is slow to begin. */
    for (size_t at = 0; at < sizeof *tasks; at += CACHE_LINE_BYTES)
        memset(task + at, 0, CACHE_LINE_BYTES);
    slot_pool_give(slots, slot);
}

/* Change nothing: see index.h. */
static inline void task_fetch(const struct task *task)
{
    __builtin_prefetch(task, 1);
    __builtin_prefetch((const uint8_t *)task + CACHE_LINE_BYTES, 1);
}

static inline void task_fetch_free(const struct task *tasks, struct slot_pool *slots,
                                   uint32_t count)
{
    uint32_t first;
    uint64_t next = slot_pool_next(slots, &first);
    for (; count > 0 && next != 0; next &= next - 1, count--)
        task_fetch(&tasks[first + slot_pool_bit(next)]);
}

/* Likewise the one that comes TASK_ALONG places behind `next` in a list that goes on as it
 * goes from `slot` to `next`: tasks that came together mostly lie side by side.  A wrong
 * guess costs a cache line. */
enum { TASK_ALONG = 8 };
static inline void task_fetch_along(const struct task *tasks, const struct slot_pool *slots,
                                    uint32_t slot, uint32_t next)
{
    uint32_t guess = next + TASK_ALONG * (next - slot);
    if (guess < slots->fresh) task_fetch(&tasks[guess]);
}

struct task_list {
    uint32_t first, last, count;
};

/* The empty list; all zero would name slot 0. */
static inline struct task_list task_list_empty(void)
{
    return (struct task_list){TASK_NOWHERE, TASK_NOWHERE, 0};
}

static inline void task_append(struct task *tasks, struct task_list *list, uint32_t slot)
{
    tasks[slot].next = TASK_NOWHERE;
    tasks[slot].previous = list->last;
    if (list->last == TASK_NOWHERE)
        list->first = slot;
    else
        tasks[list->last].next = slot;
    list->last = slot;
    list->count++;
}

static inline void task_prepend(struct task *tasks, struct task_list *list, uint32_t slot)
{
    tasks[slot].previous = TASK_NOWHERE;
    tasks[slot].next = list->first;
    if (list->first == TASK_NOWHERE)
        list->last = slot;
    else
        tasks[list->first].previous = slot;
    list->first = slot;
    list->count++;
}

static inline void task_unlink(struct task *tasks, struct task_list *list, uint32_t slot)
{
    struct task *task = &tasks[slot];
    assert(list->count > 0);
    if (task->previous == TASK_NOWHERE)
        list->first = task->next;
    else
        tasks[task->previous].next = task->next;
    if (task->next == TASK_NOWHERE)
        list->last = task->previous;
    else
        tasks[task->next].previous = task->previous;
    task->next = task->previous = TASK_NOWHERE;
    list->count--;
}

/* Puts the first `count` of `from`, the last of which is `last`, behind all of `list`. */
static inline void task_move(struct task *tasks, struct task_list *list, struct task_list *from,
                             uint32_t last, uint32_t count)
{
    assert(count > 0 && count <= from->count);
    uint32_t first = from->first;
    from->first = tasks[last].next;
    from->count -= count;
    if (from->first == TASK_NOWHERE)
        from->last = TASK_NOWHERE;
    else
        tasks[from->first].previous = TASK_NOWHERE;
    tasks[last].next = TASK_NOWHERE;
    tasks[first].previous = list->last;
    if (list->last == TASK_NOWHERE)
        list->first = first;
    else
        tasks[list->last].next = first;
    list->last = last;
    list->count += count;
}

/* Puts all of `head` before all of `list`, and leaves `head` empty. */
static inline void task_splice(struct task *tasks, struct task_list *list, struct task_list *head)
{
    if (head->count == 0) return;
    if (list->count == 0) {
        *list = *head;
    } else {
        tasks[head->last].next = list->first;
        tasks[list->first].previous = head->last;
        list->first = head->first;
        list->count += head->count;
    }
    *head = task_list_empty();
}

#endif
