/* stage.c - submissions on their way from the application to the producer's thread. */
#include "stage.h"

#include "../core/ahead.h"
#include "../core/pins.h"

#include <assert.h>
#include <stdlib.h>

enum {
    STAGE_BYTES_MIN = 64 * 1024,
    STAGE_BYTES_KEPT = 4 * 1024 * 1024,
    STAGE_ROOMY_MAX = 256,
    BLOCK_BYTES_MIN = PIN_BYTES_MIN /* what is smaller is copied once more anyway */
};

enum staged_has { HAS_QUEUE = 1, HAS_PAYLOAD = 2, HAS_RARITIES = 4, HAS_BLOCK = 8 };

/* In the run: this, its rarities if it has any, name, queue, payload or where its block is; then
 * room up to a multiple of eight.  Each octet goes from one processor to another, so the
 * common task is short. */
struct staged {
    struct id id;
    uint32_t ticket, flags;
    uint32_t payload_bytes;
    uint8_t name_bytes, queue_bytes;
    uint8_t has;
};

_Static_assert(sizeof(struct staged) == 32, "half a cache line");

/* All begin at multiples of eight.  Read and written in place: a copy that is put together
 * in small pieces and then moved in large ones waits for the processor's write buffer. */
static struct staged *staged_at(const struct stage *stage, size_t at)
{
    return (struct staged *)(void *)(stage->bytes + at);
}

static size_t staged_bytes(const struct staged *staged)
{
    size_t bytes = sizeof *staged + staged->name_bytes + staged->queue_bytes;
    if ((staged->has & HAS_RARITIES) != 0) bytes += sizeof(struct rarities);
    bytes += (staged->has & HAS_BLOCK) != 0 ? sizeof(void *) : staged->payload_bytes;
    return (bytes + 7) & ~(size_t)7;
}

/* Where the payload or, at no particular multiple, the place of its block begins. */
static const uint8_t *payload_at(const struct staged *staged)
{
    const uint8_t *at = (const uint8_t *)(staged + 1);
    if ((staged->has & HAS_RARITIES) != 0) at += sizeof(struct rarities);
    return at + staged->name_bytes + staged->queue_bytes;
}

static uint8_t *block_of(const struct staged *staged)
{
    uint8_t *block;
    if ((staged->has & HAS_BLOCK) == 0) return NULL;
    memcpy(&block, payload_at(staged), sizeof block);
    return block;
}

static bool make_room(struct stage *stage, size_t bytes)
{
    if (stage->capacity - stage->used >= bytes) return true;
    size_t capacity = stage->capacity > 0 ? stage->capacity : STAGE_BYTES_MIN;
    while (capacity - stage->used < bytes) capacity *= 2;
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

static uint8_t has_of(const struct submission *submission)
{
    uint8_t has = 0;
    if (submission->queue.data != NULL) has |= HAS_QUEUE;
    if (submission->payload.data != NULL) has |= HAS_PAYLOAD;
    if (rarities_any(submission)) has |= HAS_RARITIES;
    if (submission->payload.size >= BLOCK_BYTES_MIN) has |= HAS_BLOCK;
    return has;
}

static uint8_t *put_rarities(uint8_t *at, const struct submission *submission)
{
    const struct rarities rarities = rarities_of(submission);
    return put(at, bytes_of(&rarities, sizeof rarities));
}

/* Puts the payload into memory of its own, and in the run where that is. */
static bool put_block(uint8_t *at, struct bytes payload)
{
    uint8_t *block = malloc(payload.size);
    if (block == NULL) return false;
    put(block, payload);
    put(at, bytes_of(&block, sizeof block));
    return true;
}

bool stage_append(struct stage *stage, const struct submission *submission, uint32_t ticket)
{
    assert(submission->name.size <= MESSAGE_NAME_BYTES_MAX);
    assert(submission->queue.size <= MESSAGE_NAME_BYTES_MAX);
    struct bytes payload = submission->payload;
    bool large = payload.size >= BLOCK_BYTES_MIN;
    size_t most = sizeof(struct staged) + sizeof(struct rarities) + submission->name.size +
                  submission->queue.size + (large ? sizeof(void *) : payload.size) + 7;
    if (!make_room(stage, most)) return false;
    struct staged *staged = staged_at(stage, stage->used);
    staged->id = submission->id;
    staged->ticket = ticket;
    staged->flags = submission->flags;
    staged->payload_bytes = payload.size;
    staged->name_bytes = (uint8_t)submission->name.size;
    staged->queue_bytes = (uint8_t)submission->queue.size;
    staged->has = has_of(submission);
    uint8_t *at = (uint8_t *)(staged + 1);
    if ((staged->has & HAS_RARITIES) != 0) at = put_rarities(at, submission);
    at = put(at, submission->name);
    at = put(at, submission->queue);
    if (!large)
        put(at, payload);
    else if (!put_block(at, payload))
        return false;
    size_t bytes = staged_bytes(staged);
    stage->blocks += large;
    stage->used += bytes;
    ahead_claim(stage->bytes, stage->used, stage->capacity, bytes);
    return true;
}

static const uint8_t *read_rarities(const uint8_t *at, struct submission *submission)
{
    struct rarities rarities;
    memcpy(&rarities, at, sizeof rarities);
    rarities_give(&rarities, submission);
    return at + sizeof rarities;
}

bool stage_next(const struct stage *stage, struct submission *submission, uint32_t *ticket)
{
    if (stage_is_empty(stage)) return false;
    const struct staged *staged = staged_at(stage, stage->read);
    const uint8_t *at = (const uint8_t *)(staged + 1);
    *submission = (struct submission){.id = staged->id, .flags = staged->flags};
    if ((staged->has & HAS_RARITIES) != 0) at = read_rarities(at, submission);
    submission->name = bytes_of(at, staged->name_bytes);
    at += staged->name_bytes;
    if ((staged->has & HAS_QUEUE) != 0) submission->queue = bytes_of(at, staged->queue_bytes);
    at += staged->queue_bytes;
    if ((staged->has & HAS_BLOCK) != 0) at = block_of(staged);
    if ((staged->has & HAS_PAYLOAD) != 0) {
        submission->payload = bytes_of(at, staged->payload_bytes);
    }
    *ticket = staged->ticket;
    return true;
}

void *stage_block(const struct stage *stage)
{
    assert(!stage_is_empty(stage));
    return block_of(staged_at(stage, stage->read));
}

void stage_skip(struct stage *stage)
{
    size_t bytes = staged_bytes(staged_at(stage, stage->read));
    stage->read += bytes;
    assert(stage->read <= stage->used);
    ahead_fetch(stage->bytes, stage->read, stage->used, bytes);
}

void stage_hand_over(struct stage *stage)
{
    assert(stage->read == stage->passed);
    if (stage->blocks > 0 && stage_block(stage) != NULL) stage->blocks--;
    stage_skip(stage);
    stage->passed = stage->read;
}

void stage_pass(struct stage *stage)
{
    if (stage->blocks > 0) free(stage_block(stage));
    stage_hand_over(stage);
}

void stage_rewind(struct stage *stage)
{
    stage->read = stage->passed;
}

/* Forgets what was passed, once it is more than what is left: each octet is moved
 * once at most for each that came. */
static void forget_passed(struct stage *stage)
{
    size_t left = stage->used - stage->read;
    if (stage->read <= left) return;
    memcpy(stage->bytes, stage->bytes + stage->read, left);
    stage->used = left;
    stage->read = stage->passed = 0;
}

bool stage_join(struct stage *to, struct stage *from)
{
    size_t bytes = from->used - from->read;
    assert(from->read == from->passed && to->read == to->passed);
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
        to->blocks += from->blocks;
        from->blocks = 0;
    }
    stage_reset(from);
    return true;
}

bool stage_is_empty(const struct stage *stage)
{
    return stage->read == stage->used;
}

static void drop_blocks(struct stage *stage)
{
    if (stage->blocks == 0) return;
    stage_rewind(stage);
    while (!stage_is_empty(stage)) stage_pass(stage);
    assert(stage->blocks == 0);
}

bool stage_is_roomy(const struct stage *stage)
{
    return stage->capacity > STAGE_BYTES_KEPT;
}

/* Not at once: with payloads of 64 KiB each turn is such a burst, and memory that is new
 * each time costs more than the payloads' copies. */
void stage_reset(struct stage *stage)
{
    drop_blocks(stage);
    bool roomy = stage_is_roomy(stage) && stage->used < stage->capacity / 4;
    stage->roomy = roomy ? stage->roomy + 1 : 0;
    stage->used = stage->read = stage->passed = 0;
    if (stage->roomy > STAGE_ROOMY_MAX) stage_clear(stage);
}

void stage_clear(struct stage *stage)
{
    drop_blocks(stage);
    free(stage->bytes);
    *stage = (struct stage){0};
}
