/* answers.c - answers on their way from the producer's thread to the application. */
#include "answers.h"
#include "../core/ahead.h"
#include "../net/share.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK_BYTES = 64 * 1024 };

/* With a share it has one answer, whose result is not in it. */
struct answer_chunk {
    struct answer_chunk *next;
    struct share *share;
    const uint8_t *shared;
    size_t used, read, capacity;
    uint8_t bytes[];
};

/* In a chunk: this, the reason with its end mark, the result; then room up to a
 * multiple of eight.  Each octet goes from one processor to another, so it is short. */
struct record {
    tmesh_id_t id;
    void *tag;
    uint32_t attempt;
    uint32_t result_bytes;
    uint32_t reason_bytes; /* with the end mark; 0 for none */
    uint8_t kind, state;
    bool has_result;
};

/* All begin at multiples of eight. */
static struct record *record_at(struct answer_chunk *chunk, size_t at)
{
    return (struct record *)(void *)(chunk->bytes + at);
}

static size_t record_bytes(size_t reason_bytes, size_t result_bytes)
{
    return (sizeof(struct record) + reason_bytes + result_bytes + 7) & ~(size_t)7;
}

static struct answer_chunk *chunk_new(size_t capacity)
{
    struct answer_chunk *chunk = malloc(sizeof *chunk + capacity);
    if (chunk != NULL) *chunk = (struct answer_chunk){.capacity = capacity};
    return chunk;
}

static bool is_full(const struct answer_chunk *chunk, size_t bytes)
{
    return chunk->share != NULL || chunk->capacity - chunk->used < bytes;
}

static void add_chunk(struct answer_queue *queue, struct answer_chunk *chunk)
{
    if (queue->last == NULL)
        queue->first = chunk;
    else
        queue->last->next = chunk;
    queue->last = chunk;
}

static struct answer_chunk *chunk_with_room(struct answer_queue *queue, size_t bytes)
{
    struct answer_chunk *last = queue->last;
    if (last != NULL && !is_full(last, bytes)) return last;
    struct answer_chunk *chunk = chunk_new(bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES);
    if (chunk != NULL) add_chunk(queue, chunk);
    return chunk;
}

static size_t reason_bytes_of(const tmesh_answer_t *answer)
{
    return answer->reason != NULL ? strlen(answer->reason) + 1 : 0;
}

static void chunk_add(struct answer_chunk *chunk, const tmesh_answer_t *answer)
{
    size_t reason_bytes = reason_bytes_of(answer);
    struct record *record = record_at(chunk, chunk->used);
    uint8_t *texts = (uint8_t *)(record + 1);
    assert(answer->text == NULL && answer->result_bytes <= UINT32_MAX);
    record->id = answer->id;
    record->tag = answer->tag;
    record->attempt = answer->attempt;
    record->result_bytes = (uint32_t)answer->result_bytes;
    record->reason_bytes = (uint32_t)reason_bytes;
    record->kind = (uint8_t)answer->kind;
    record->state = (uint8_t)answer->state;
    record->has_result = answer->result != NULL;
    if (reason_bytes > 0) memcpy(texts, answer->reason, reason_bytes);
    size_t copied = chunk->share == NULL ? answer->result_bytes : 0;
    if (copied > 0) memcpy(texts + reason_bytes, answer->result, copied);
    chunk->used += record_bytes(reason_bytes, copied);
}

bool answer_append(struct answer_queue *queue, const tmesh_answer_t *answer)
{
    size_t bytes = record_bytes(reason_bytes_of(answer), answer->result_bytes);
    struct answer_chunk *chunk = chunk_with_room(queue, bytes);
    if (chunk == NULL) return false;
    chunk_add(chunk, answer);
    queue->bytes += bytes;
    return true;
}

/* What a chunk counts for: what was not handed out of it. */
static uint64_t weight_of(const struct answer_chunk *chunk)
{
    if (chunk->share == NULL) return chunk->used - chunk->read;
    const struct record *record = (const struct record *)(const void *)chunk->bytes;
    return chunk->read == 0 ? (uint64_t)chunk->used + record->result_bytes : 0;
}

bool answer_append_shared(struct answer_queue *queue, const tmesh_answer_t *answer,
                          struct share *share)
{
    struct answer_chunk *chunk = chunk_new(record_bytes(reason_bytes_of(answer), 0));
    if (chunk == NULL) return false;
    chunk->share = share;
    chunk->shared = answer->result;
    chunk_add(chunk, answer);
    add_chunk(queue, chunk);
    queue->bytes += weight_of(chunk);
    return true;
}

struct answer_chunk *answer_single(const tmesh_answer_t *answer)
{
    size_t bytes = record_bytes(reason_bytes_of(answer), answer->result_bytes);
    struct answer_chunk *chunk = chunk_new(bytes);
    if (chunk != NULL) chunk_add(chunk, answer);
    return chunk;
}

/* The only chunk of `from`, if it fits, goes into the last one of `to`. */
static bool merge(struct answer_chunk *last, struct answer_queue *from)
{
    struct answer_chunk *chunk = from->first;
    if (last == NULL || chunk != from->last || chunk->read > 0) return false;
    if (is_full(last, chunk->used) || chunk->share != NULL) return false;
    memcpy(last->bytes + last->used, chunk->bytes, chunk->used);
    last->used += chunk->used;
    free(chunk);
    return true;
}

void answer_move(struct answer_queue *to, struct answer_queue *from)
{
    if (from->first == NULL) return;
    if (!merge(to->last, from)) {
        if (to->last == NULL)
            to->first = from->first;
        else
            to->last->next = from->first;
        to->last = from->last;
    }
    to->bytes += from->bytes;
    *from = (struct answer_queue){0};
}

struct answer_chunk *answer_take(struct answer_queue *queue)
{
    struct answer_chunk *chunk = queue->first;
    if (chunk == NULL) return NULL;
    queue->first = chunk->next;
    if (queue->first == NULL) queue->last = NULL;
    queue->bytes -= weight_of(chunk);
    chunk->next = NULL;
    return chunk;
}

void answer_put_back(struct answer_queue *queue, struct answer_chunk *chunk)
{
    chunk->next = queue->first;
    queue->first = chunk;
    if (queue->last == NULL) queue->last = chunk;
    queue->bytes += weight_of(chunk);
}

size_t answer_hand_out(struct answer_chunk *chunk, size_t answers_max, tmesh_answer_fn *handle,
                       void *context, bool *rest)
{
    size_t handed = 0;
    while (chunk->read < chunk->used && handed < answers_max) {
        const struct record *record = record_at(chunk, chunk->read);
        const uint8_t *texts = (const uint8_t *)(record + 1);
        const uint8_t *copied = texts + record->reason_bytes;
        const uint8_t *result = chunk->share != NULL ? chunk->shared : copied;
        const tmesh_answer_t answer = {.kind = (enum tmesh_answer_kind)record->kind,
                                       .id = record->id,
                                       .tag = record->tag,
                                       .state = (enum tmesh_state)record->state,
                                       .attempt = record->attempt,
                                       .result = record->has_result ? result : NULL,
                                       .result_bytes = record->result_bytes,
                                       .reason =
                                           record->reason_bytes > 0 ? (const char *)texts : NULL};
        size_t inside = chunk->share == NULL ? record->result_bytes : 0;
        size_t bytes = record_bytes(record->reason_bytes, inside);
        chunk->read += bytes;
        ahead_fetch(chunk->bytes, chunk->read, chunk->used, bytes);
        handle(&answer, context);
        handed++;
    }
    *rest = chunk->read < chunk->used;
    return handed;
}

void answer_chunk_free(struct answer_chunk *chunk)
{
    share_drop(chunk->share);
    free(chunk);
}

void answer_clear(struct answer_queue *queue)
{
    for (struct answer_chunk *chunk; (chunk = answer_take(queue)) != NULL;) {
        answer_chunk_free(chunk);
    }
}
