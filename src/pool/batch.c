/* batch.c - what some runs came to, on its way from a slot to the loop. */
#include "batch.h"

#include <assert.h>
#include <stdlib.h>

enum { ITEMS_AHEAD = 8 };

struct batch *batch_new(void)
{
    struct batch *batch = malloc(sizeof *batch);
    if (batch == NULL) return NULL;
    batch->next = NULL;
    batch->count = batch->read = 0;
    batch->since_ns = 0;
    batch->bytes = (struct buffer){0};
    return batch;
}

void batch_clear(struct batch *batch)
{
    batch->next = NULL;
    batch->count = 0;
    batch->read = 0;
    buffer_clear(&batch->bytes, (size_t)4 * BATCH_BYTES);
}

bool batch_suits(const struct batch *batch, const struct tmesh_job *job)
{
    if (batch->count == 0) return true;
    if (batch->count == BATCH_JOBS_MAX) return false;
    size_t needed = job->result.used + job->text_size;
    return batch->bytes.used + needed <= BATCH_BYTES;
}

/* An empty batch takes the job's buffer itself and leaves its own, so that a
 * large result is never copied. */
static bool move_result(struct batch *batch, struct tmesh_job *job)
{
    if (batch->bytes.used == 0) {
        struct buffer spare = batch->bytes;
        batch->bytes = job->result;
        job->result = spare;
        return true;
    }
    return buffer_append(&batch->bytes, job->result.data, job->result.used);
}

/* Where what is appended next will be.  A batch has one result of any size, and little more. */
static uint32_t place_after(const struct batch *batch)
{
    assert(batch->bytes.used <= UINT32_MAX);
    return (uint32_t)batch->bytes.used;
}

/* Field by field, into its place: a structure that was just put together is slow to copy. */
void batch_add(struct batch *batch, const struct batch_run *run, struct tmesh_job *job)
{
    assert(batch->count < BATCH_JOBS_MAX);
    assert(batch->read == 0);
    struct batch_item *item = &batch->items[batch->count++];
    item->run_ns = run->run_ns;
    item->job = run->job;
    item->retry_after_ms = run->outcome == OUTCOME_FAILED ? job->retry_after_ms : 0;
    item->outcome = (uint8_t)run->outcome;
    item->has_result = false;
    item->has_text = false;
    if (job->has_result) {
        item->result_at = place_after(batch);
        item->result_size = (uint32_t)job->result.used;
        item->has_result = move_result(batch, job);
        if (!item->has_result && run->outcome == OUTCOME_DONE) item->outcome = OUTCOME_FAILED;
    }
    if (item->outcome != OUTCOME_DONE && job->text_size > 0) {
        item->text_at = place_after(batch);
        item->text_size = job->text_size;
        item->has_text = buffer_append(&batch->bytes, job->text, job->text_size);
    }
}

static struct bytes view(const struct batch *batch, size_t at, uint32_t size)
{
    static const uint8_t nothing[1];
    return bytes_of(size > 0 ? batch->bytes.data + at : nothing, size);
}

bool batch_is_alone(const struct batch *batch)
{
    return batch->count == 1 && batch->read == 0 && batch->items[0].has_result &&
           batch->items[0].result_size >= BATCH_BLOCK_BYTES_MIN &&
           batch->bytes.capacity <= UINT32_MAX;
}

void batch_read(struct batch *batch, struct finished *done)
{
    assert(batch->read < batch->count);
    const struct batch_item *item = &batch->items[batch->read++];
    /* A slot wrote them on another processor. */
    if (batch->read + ITEMS_AHEAD < batch->count)
        __builtin_prefetch(&batch->items[batch->read + ITEMS_AHEAD]);
    done->job = item->job;
    done->outcome = (enum outcome)item->outcome;
    done->retry_after_ms = item->retry_after_ms;
    done->run_ns = item->run_ns;
    done->result = done->text = (struct bytes){.data = NULL};
    if (item->has_result) done->result = view(batch, item->result_at, item->result_size);
    if (item->has_text) done->text = view(batch, item->text_at, item->text_size);
}

void batch_give_up(struct batch *batch)
{
    batch->bytes = (struct buffer){0};
}

void batch_list_add(struct batch_list *list, struct batch *batch)
{
    assert(batch->next == NULL);
    if (list->last != NULL)
        list->last->next = batch;
    else
        list->first = batch;
    list->last = batch;
}

void batch_list_move(struct batch_list *to, struct batch_list *from)
{
    if (from->first == NULL) return;
    if (to->last != NULL)
        to->last->next = from->first;
    else
        to->first = from->first;
    to->last = from->last;
    *from = (struct batch_list){0};
}

struct batch *batch_list_take(struct batch_list *list)
{
    struct batch *batch = list->first;
    if (batch == NULL) return NULL;
    list->first = batch->next;
    if (list->first == NULL) list->last = NULL;
    batch->next = NULL;
    return batch;
}

void batch_list_free(struct batch_list *list)
{
    struct batch *batch;
    while ((batch = batch_list_take(list)) != NULL) {
        buffer_free(&batch->bytes);
        free(batch);
    }
}
