/* batch.h - what some runs came to, on its way from a slot to the loop.
 *
 * Owns: the bytes of their results and reasons.
 * Not here: locks; whoever holds a batch is alone with it.
 */
#ifndef POOL_BATCH_H
#define POOL_BATCH_H

#include "buffer.h"
#include "job.h"
#include "pool.h"

enum {
    BATCH_JOBS_MAX = 128,
    BATCH_BYTES = 64 * 1024,
    BATCH_BLOCK_BYTES_MIN = 16 * 1024 /* what is smaller is better copied than given away */
};

/* A run that ended. */
struct batch_run {
    uint32_t job;
    enum outcome outcome;
    uint64_t run_ns;
};

/* Views are offsets until the batch is read: the buffer moves while it grows.  Each goes from
 * one processor to another, so it is short. */
struct batch_item {
    uint64_t run_ns;
    uint32_t job, retry_after_ms;
    uint32_t result_at, result_size;
    uint32_t text_at, text_size;
    uint8_t outcome; /* enum outcome */
    bool has_result, has_text;
};

_Static_assert(sizeof(struct batch_item) == 40, "three in two cache lines");

struct batch {
    struct batch *next;
    uint32_t count, read;
    uint64_t since_ns; /* when its first job finished */
    struct buffer bytes;
    struct batch_item items[BATCH_JOBS_MAX];
};

/* First in, first out.  All zeros is an empty list. */
struct batch_list {
    struct batch *first, *last;
};

/* NULL: memory is short. */
struct batch *batch_new(void);
void batch_clear(struct batch *batch);

/* Whether there is room for what `job` came to without copying much: if not,
 * send the batch off and begin another. */
bool batch_suits(const struct batch *batch, const struct tmesh_job *job);

/* Adds a run.  Its result, its reason and its wish are taken from `job`. */
void batch_add(struct batch *batch, const struct batch_run *run, struct tmesh_job *job);

/* Whether it holds one result, and a large one, and nothing was read yet: its bytes may be
 * given away. */
bool batch_is_alone(const struct batch *batch);

/* Reads the next one into its place; its views are borrowed until the batch is cleared. */
void batch_read(struct batch *batch, struct finished *done);

/* Its bytes belong to somebody else now. */
void batch_give_up(struct batch *batch);

void batch_list_add(struct batch_list *list, struct batch *batch);
/* Moves all of `from` to the end of `to`. */
void batch_list_move(struct batch_list *to, struct batch_list *from);
/* NULL when the list is empty. */
struct batch *batch_list_take(struct batch_list *list);
void batch_list_free(struct batch_list *list);

#endif
