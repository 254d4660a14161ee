/* lanes.c - which tasks stand in line for what, and which workers can take them. */
#include "lanes.h"

enum { BUCKETS = 2 * LANES_MAX };

void lanes_init(struct lanes *lanes, struct arena *arena)
{
    lanes->lanes = arena_take(arena, LANES_MAX, sizeof *lanes->lanes);
    lanes->profiles = arena_take(arena, PROFILES_MAX, sizeof *lanes->profiles);
    lanes->buckets = arena_take(arena, BUCKETS, sizeof *lanes->buckets);
    heap_init(&lanes->runnable, arena, LANES_MAX);
    lanes->latest = TASK_NOWHERE;
}

static uint32_t bucket_of(struct bytes queue, struct bytes name)
{
    uint64_t hash = 0xcbf29ce484222325U; /* FNV-1a, 64 bits */
    for (uint32_t at = 0; at < name.size; at++) hash = (hash ^ name.data[at]) * 0x100000001b3U;
    hash = (hash ^ '/') * 0x100000001b3U;
    for (uint32_t at = 0; at < queue.size; at++) hash = (hash ^ queue.data[at]) * 0x100000001b3U;
    return (uint32_t)(hash ^ hash >> 32) % BUCKETS;
}

static bool lane_is(const struct lane *lane, struct bytes queue, struct bytes name)
{
    return bytes_equal(bytes_of(lane->name, lane->name_bytes), name) &&
           bytes_equal(bytes_of(lane->queue, lane->queue_bytes), queue);
}

static bool texts_have(const uint8_t *text, uint32_t count, struct bytes wanted)
{
    for (; count > 0; count--) {
        if (bytes_equal(bytes_of(text + 1, text[0]), wanted)) return true;
        text += 1 + text[0];
    }
    return false;
}

static const uint8_t *profile_queues(const struct profile *profile)
{
    const uint8_t *text = profile->text;
    for (uint32_t left = profile->name_count; left > 0; left--) text += 1 + text[0];
    return text;
}

static bool profile_serves(const struct profile *profile, const struct lane *lane)
{
    return texts_have(profile->text, profile->name_count, bytes_of(lane->name, lane->name_bytes)) &&
           texts_have(profile_queues(profile), profile->queue_count,
                      bytes_of(lane->queue, lane->queue_bytes));
}

static void match(struct lanes *lanes, uint32_t lane, uint32_t profile)
{
    if (!profile_serves(&lanes->profiles[profile], &lanes->lanes[lane])) return;
    bits_set(lanes->lanes[lane].profiles, profile);
    bits_set(lanes->profiles[profile].lanes, lane);
    lanes->lanes[lane].workers += lanes->profiles[profile].workers;
}

static bool lane_is_idle(const struct lane *lane)
{
    return lane->ready.count == 0 && lane->waiting == 0 && lane->leased == 0 && lane->dead == 0;
}

/* Takes an idle lane out of its bucket and out of every profile. */
static void lane_forget(struct lanes *lanes, uint32_t number)
{
    struct lane *lane = &lanes->lanes[number];
    uint32_t bucket =
        bucket_of(bytes_of(lane->queue, lane->queue_bytes), bytes_of(lane->name, lane->name_bytes));
    uint16_t *link = &lanes->buckets[bucket];
    while (*link != number + 1) link = &lanes->lanes[*link - 1].next;
    *link = lane->next;
    for (uint32_t profile = 0; profile < lanes->profile_count; profile++) {
        bits_clear(lanes->profiles[profile].lanes, number);
    }
    memset(lane, 0, sizeof *lane);
}

static uint32_t lane_slot(struct lanes *lanes)
{
    if (lanes->lane_count < LANES_MAX) return lanes->lane_count++;
    for (uint32_t number = 0; number < LANES_MAX; number++) {
        if (!lane_is_idle(&lanes->lanes[number])) continue;
        lane_forget(lanes, number);
        return number;
    }
    return TASK_NOWHERE;
}

uint32_t lanes_latest(const struct lanes *lanes, struct bytes queue, struct bytes name)
{
    if (lanes->latest == TASK_NOWHERE) return TASK_NOWHERE;
    return lane_is(&lanes->lanes[lanes->latest], queue, name) ? lanes->latest : TASK_NOWHERE;
}

uint32_t lanes_lane(struct lanes *lanes, struct bytes queue, struct bytes name)
{
    assert(name.size <= MESSAGE_NAME_BYTES_MAX && queue.size <= MESSAGE_NAME_BYTES_MAX);
    if (lanes_latest(lanes, queue, name) != TASK_NOWHERE) return lanes->latest;
    uint32_t bucket = bucket_of(queue, name);
    for (uint32_t at = lanes->buckets[bucket]; at != 0; at = lanes->lanes[at - 1].next) {
        if (lane_is(&lanes->lanes[at - 1], queue, name)) return lanes->latest = at - 1;
    }
    uint32_t number = lane_slot(lanes);
    if (number == TASK_NOWHERE) return TASK_NOWHERE;
    struct lane *lane = &lanes->lanes[number];
    memcpy(lane->name, name.data, name.size);
    memcpy(lane->queue, queue.data, queue.size);
    lane->name_bytes = (uint8_t)name.size;
    lane->queue_bytes = (uint8_t)queue.size;
    lane->ready = task_list_empty();
    lane->next = lanes->buckets[bucket];
    lanes->buckets[bucket] = (uint16_t)(number + 1);
    for (uint32_t profile = 0; profile < lanes->profile_count; profile++) {
        match(lanes, number, profile);
    }
    return lanes->latest = number;
}

static int text_order(struct bytes a, struct bytes b)
{
    uint32_t shorter = a.size < b.size ? a.size : b.size;
    int order = memcmp(a.data, b.data, shorter);
    return order != 0 ? order : (int)a.size - (int)b.size;
}

/* Writes the texts to `into`, sorted and each once.  Selection by order is
 * enough: HELLO is rare and names are at most 256.  Returns the bytes written. */
static uint32_t texts_write(uint8_t *into, const struct bytes *texts, uint32_t count,
                            uint32_t *written)
{
    uint32_t used = 0;
    struct bytes previous = {0};
    *written = 0;
    for (;;) {
        struct bytes smallest = {0};
        for (uint32_t at = 0; at < count; at++) {
            if (previous.data != NULL && text_order(texts[at], previous) <= 0) continue;
            if (smallest.data == NULL || text_order(texts[at], smallest) < 0) smallest = texts[at];
        }
        if (smallest.data == NULL) return used;
        assert(smallest.size <= MESSAGE_NAME_BYTES_MAX);
        into[used] = (uint8_t)smallest.size;
        memcpy(into + used + 1, smallest.data, smallest.size);
        used += 1 + smallest.size;
        previous = smallest;
        (*written)++;
    }
}

static uint32_t profile_slot(struct lanes *lanes)
{
    if (lanes->profile_count < PROFILES_MAX) return lanes->profile_count++;
    for (uint32_t number = 0; number < PROFILES_MAX; number++) {
        struct profile *profile = &lanes->profiles[number];
        if (profile->workers > 0 || profile->available != TASK_NOWHERE) continue;
        for (uint32_t lane = 0; lane < lanes->lane_count; lane++) {
            bits_clear(lanes->lanes[lane].profiles, number);
        }
        memset(profile, 0, sizeof *profile);
        return number;
    }
    return TASK_NOWHERE;
}

uint32_t lanes_profile(struct lanes *lanes, const struct message_hello *hello)
{
    assert(hello->name_count <= MESSAGE_NAMES_MAX && hello->queue_count <= MESSAGE_NAMES_MAX);
    uint8_t text[PROFILE_BYTES_MAX];
    uint32_t name_count, queue_count;
    uint32_t used = texts_write(text, hello->names, hello->name_count, &name_count);
    used += texts_write(text + used, hello->queues, hello->queue_count, &queue_count);
    for (uint32_t number = 0; number < lanes->profile_count; number++) {
        const struct profile *profile = &lanes->profiles[number];
        if (profile->name_count == name_count && profile->queue_count == queue_count &&
            bytes_equal(bytes_of(profile->text, profile->texts), bytes_of(text, used))) {
            return number;
        }
    }
    uint32_t number = profile_slot(lanes);
    if (number == TASK_NOWHERE) return TASK_NOWHERE;
    struct profile *profile = &lanes->profiles[number];
    profile->available = TASK_NOWHERE;
    profile->name_count = name_count;
    profile->queue_count = queue_count;
    profile->texts = used;
    memcpy(profile->text, text, used);
    for (uint32_t lane = 0; lane < lanes->lane_count; lane++) match(lanes, lane, number);
    return number;
}

void lanes_count_worker(struct lanes *lanes, uint32_t profile, int change)
{
    struct profile *counted = &lanes->profiles[profile];
    assert(change > 0 || counted->workers > 0);
    counted->workers += (uint32_t)change;
    for (uint32_t lane = bits_next(counted->lanes, counted->lanes, LANES_WORDS, 0);
         lane != BITS_NONE;
         lane = bits_next(counted->lanes, counted->lanes, LANES_WORDS, lane + 1)) {
        lanes->lanes[lane].workers += (uint32_t)change;
    }
}

void lanes_ready_changed(struct lanes *lanes, uint32_t number, const struct task *tasks)
{
    const struct lane *lane = &lanes->lanes[number];
    if (lane->ready.count == 0) {
        heap_remove(&lanes->runnable, number);
        bits_clear(lanes->starved, number);
    } else if (!bits_has(lanes->starved, number)) {
        heap_set(&lanes->runnable, number, tasks[lane->ready.first].order);
    }
}

void lanes_available(struct lanes *lanes, uint32_t profile, const struct task *tasks)
{
    if (bits_has(lanes->available, profile)) return;
    bits_set(lanes->available, profile);
    const uint64_t *served = lanes->profiles[profile].lanes;
    for (uint32_t lane = bits_next(served, lanes->starved, LANES_WORDS, 0); lane != BITS_NONE;
         lane = bits_next(served, lanes->starved, LANES_WORDS, lane + 1)) {
        bits_clear(lanes->starved, lane);
        heap_set(&lanes->runnable, lane, tasks[lanes->lanes[lane].ready.first].order);
    }
}

void lanes_exhausted(struct lanes *lanes, uint32_t profile)
{
    bits_clear(lanes->available, profile);
}

/* The runnable lane whose first task came first, or TASK_NOWHERE. */
static uint32_t first_runnable(struct lanes *lanes, const struct task *tasks)
{
    for (;;) {
        const struct heap_entry *first = heap_first(&lanes->runnable);
        if (first == NULL) return TASK_NOWHERE;
        uint64_t order = tasks[lanes->lanes[first->owner].ready.first].order;
        if (first->key == order) return first->owner;
        heap_set(&lanes->runnable, first->owner, order);
    }
}

bool lanes_pick(struct lanes *lanes, const struct task *tasks, uint32_t *number, uint32_t *profile)
{
    for (;;) {
        *number = first_runnable(lanes, tasks);
        if (*number == TASK_NOWHERE) return false;
        struct lane *lane = &lanes->lanes[*number];
        uint32_t words = bits_words(lanes->profile_count);
        *profile = bits_next(lane->profiles, lanes->available, words, lane->turn);
        if (*profile == BITS_NONE) {
            *profile = bits_next(lane->profiles, lanes->available, words, 0);
        }
        if (*profile != BITS_NONE) {
            lane->turn = (*profile + 1) % PROFILES_MAX;
            return true;
        }
        heap_remove(&lanes->runnable, *number);
        bits_set(lanes->starved, *number);
    }
}

uint64_t lanes_backlog(const struct lanes *lanes, uint32_t profile)
{
    const uint64_t *served = lanes->profiles[profile].lanes;
    uint32_t words = bits_words(lanes->lane_count);
    uint64_t backlog = 0;
    for (uint32_t lane = bits_next(served, served, words, 0); lane != BITS_NONE;
         lane = bits_next(served, served, words, lane + 1)) {
        backlog += lanes->lanes[lane].ready.count;
    }
    return backlog;
}
