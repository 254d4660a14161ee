/* stage.c - submissions on their way from the application to the producer's thread. */
#include "stage.h"

#include <assert.h>
#include <stdlib.h>

enum { STAGE_BYTES_MIN = 64 * 1024, STAGE_BYTES_KEPT = 4 * 1024 * 1024, STAGE_ROOMY_MAX = 256 };

/* In the run: this, name, queue, payload; then room up to a multiple of eight. */
struct staged {
    struct id id;
    uint32_t ticket, flags, attempts_max, crashes_max, backoff_ms, backoff_ms_max;
    uint32_t limit_ms, soft_ms, stalled_ms;
    uint32_t payload_bytes;
    uint8_t name_bytes, queue_bytes;
    bool has_queue, has_payload;
};

static size_t staged_bytes(const struct staged *staged)
{
    size_t bytes = sizeof *staged + staged->name_bytes + staged->queue_bytes;
    return (bytes + staged->payload_bytes + 7) & ~(size_t)7;
}

static bool make_room(struct stage *stage, size_t bytes)
{
    size_t capacity = stage->capacity > 0 ? stage->capacity : STAGE_BYTES_MIN;
    while (capacity - stage->used < bytes) capacity *= 2;
    if (capacity == stage->capacity) return true;
    uint8_t *grown = realloc(stage->bytes, capacity);
    if (grown == NULL) return false;
    stage->bytes = grown;
    stage->capacity = capacity;
    return true;
}

static uint8_t *put(uint8_t *at, struct bytes bytes)
{
    if (bytes.size > 0) memcpy(at, bytes.data, bytes.size);
    return at + bytes.size;
}

bool stage_append(struct stage *stage, const struct submission *submission, uint32_t ticket)
{
    assert(submission->name.size <= MESSAGE_NAME_BYTES_MAX);
    assert(submission->queue.size <= MESSAGE_NAME_BYTES_MAX);
    struct staged staged = {.id = submission->id,
                            .ticket = ticket,
                            .flags = submission->flags,
                            .attempts_max = submission->attempts_max,
                            .crashes_max = submission->crashes_max,
                            .backoff_ms = submission->backoff_ms,
                            .backoff_ms_max = submission->backoff_ms_max,
                            .limit_ms = submission->limit_ms,
                            .soft_ms = submission->soft_ms,
                            .stalled_ms = submission->stalled_ms,
                            .payload_bytes = submission->payload.size,
                            .name_bytes = (uint8_t)submission->name.size,
                            .queue_bytes = (uint8_t)submission->queue.size,
                            .has_queue = submission->queue.data != NULL,
                            .has_payload = submission->payload.data != NULL};
    if (!make_room(stage, staged_bytes(&staged))) return false;
    uint8_t *at = stage->bytes + stage->used;
    at = put(at, bytes_of(&staged, sizeof staged));
    at = put(at, submission->name);
    at = put(at, submission->queue);
    put(at, submission->payload);
    stage->used += staged_bytes(&staged);
    return true;
}

bool stage_next(const struct stage *stage, struct submission *submission, uint32_t *ticket)
{
    if (stage_is_empty(stage)) return false;
    const uint8_t *at = stage->bytes + stage->read;
    struct staged staged;
    memcpy(&staged, at, sizeof staged);
    at += sizeof staged;
    *submission = (struct submission){.id = staged.id,
                                      .name = bytes_of(at, staged.name_bytes),
                                      .flags = staged.flags,
                                      .attempts_max = staged.attempts_max,
                                      .crashes_max = staged.crashes_max,
                                      .backoff_ms = staged.backoff_ms,
                                      .backoff_ms_max = staged.backoff_ms_max,
                                      .limit_ms = staged.limit_ms,
                                      .soft_ms = staged.soft_ms,
                                      .stalled_ms = staged.stalled_ms};
    at += staged.name_bytes;
    if (staged.has_queue) submission->queue = bytes_of(at, staged.queue_bytes);
    at += staged.queue_bytes;
    if (staged.has_payload) submission->payload = bytes_of(at, staged.payload_bytes);
    *ticket = staged.ticket;
    return true;
}

void stage_pass(struct stage *stage)
{
    struct staged staged;
    memcpy(&staged, stage->bytes + stage->read, sizeof staged);
    stage->read += staged_bytes(&staged);
    assert(stage->read <= stage->used);
}

void stage_rewind(struct stage *stage)
{
    stage->read = 0;
}

/* Forgets what was passed, once it is more than what is left: each octet is moved
 * once at most for each that came. */
static void forget_passed(struct stage *stage)
{
    size_t left = stage->used - stage->read;
    if (stage->read <= left) return;
    memcpy(stage->bytes, stage->bytes + stage->read, left);
    stage->used = left;
    stage->read = 0;
}

bool stage_join(struct stage *to, struct stage *from)
{
    size_t bytes = from->used - from->read;
    if (bytes == 0) return true;
    if (stage_is_empty(to)) {
        struct stage swapped = *to;
        *to = *from;
        *from = swapped;
    } else {
        forget_passed(to);
        if (!make_room(to, bytes)) return false;
        memcpy(to->bytes + to->used, from->bytes + from->read, bytes);
        to->used += bytes;
    }
    stage_reset(from);
    return true;
}

bool stage_is_empty(const struct stage *stage)
{
    return stage->read == stage->used;
}

/* Not at once: with payloads of 64 KiB each turn is such a burst, and memory that is new
 * each time costs more than the payloads' copies. */
void stage_reset(struct stage *stage)
{
    bool roomy = stage->capacity > STAGE_BYTES_KEPT && stage->used < stage->capacity / 4;
    stage->roomy = roomy ? stage->roomy + 1 : 0;
    stage->used = stage->read = 0;
    if (stage->roomy > STAGE_ROOMY_MAX) stage_clear(stage);
}

void stage_clear(struct stage *stage)
{
    free(stage->bytes);
    *stage = (struct stage){0};
}
