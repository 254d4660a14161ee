/* containers.c - the core's containers, in the pattern of tasks: the oldest leaves, a
 * new one comes. */
#include "scene.h"

#include "../../../src/core/heap.h"
#include "../../../src/core/index.h"
#include "../../../src/core/lanes.h"
#include "../../../src/core/random.h"
#include "../../../src/core/store.h"

#include <stdlib.h>

struct state {
    struct arena arena;
    struct index index;
    struct heap heap;
    struct store store;
    struct lanes lanes;
    struct task *tasks;    /* lanes: by slot */
    uint32_t *slots;       /* index: of the ids held, a ring */
    struct stored *values; /* store: likewise */
    uint32_t held;
    uint64_t oldest; /* number of the oldest held; it is at its remainder by `held` */
    uint64_t order, random, found;
    struct id known[BATCH], fresh[BATCH];
};

/* What is laid out once to measure, and once in memory. */
typedef void lay_out_fn(struct state *state);

static struct state *begin(uint32_t held, lay_out_fn *lay_out)
{
    struct state *state = calloc(1, sizeof *state);
    scene_must(state != NULL, "get memory");
    state->held = held < BATCH ? BATCH : held;
    state->random = 1;
    lay_out(state);
    state->arena.size = state->arena.used;
    state->arena.used = 0;
    state->arena.base = scene_memory(state->arena.size);
    lay_out(state);
    return state;
}

static void end(void *context)
{
    struct state *state = context;
    scene_memory_free(state->arena.base, state->arena.size);
    free(state);
}

/* ---- The index of ids ---- */

static void lay_out_index(struct state *state)
{
    index_init(&state->index, &state->arena, state->held + BATCH, 1);
    state->slots = arena_take(&state->arena, state->held, sizeof *state->slots);
}

static void *begin_index(uint32_t held)
{
    struct state *state = begin(held, lay_out_index);
    for (uint32_t i = 0; i < state->held; i++) {
        struct id id = scene_id(i);
        state->slots[i] = index_insert(&state->index, &id);
    }
    return state;
}

static void write_ids(void *context)
{
    struct state *state = context;
    for (uint32_t i = 0; i < BATCH; i++) {
        state->known[i] = scene_id(state->oldest + i);
        state->fresh[i] = scene_id(state->oldest + state->held + i);
    }
}

static void find_known(void *context)
{
    struct state *state = context;
    for (uint32_t i = 0; i < BATCH; i++) {
        uint32_t slot = index_find(&state->index, &state->known[i]);
        scene_must(slot == state->slots[(state->oldest + i) % state->held], "find an id");
    }
}

static void remove_known(void *context)
{
    struct state *state = context;
    for (uint32_t i = 0; i < BATCH; i++) {
        index_remove(&state->index, state->slots[(state->oldest + i) % state->held]);
    }
}

static void insert_fresh(void *context)
{
    struct state *state = context;
    for (uint32_t i = 0; i < BATCH; i++) {
        scene_must(index_find(&state->index, &state->fresh[i]) == INDEX_NONE, "miss an id");
        state->slots[state->oldest++ % state->held] = index_insert(&state->index, &state->fresh[i]);
    }
}

/* ---- The heap of deadlines ---- */

static void lay_out_heap(struct state *state)
{
    heap_init(&state->heap, &state->arena, state->held);
}

static void *begin_heap(uint32_t held)
{
    struct state *state = begin(held, lay_out_heap);
    for (uint32_t i = 0; i < state->held; i++) {
        heap_set(&state->heap, i, random_next(&state->random) % state->held);
    }
    return state;
}

static void fall_due(void *context)
{
    struct state *state = context;
    for (uint32_t i = 0; i < BATCH; i++) {
        struct heap_entry first = *heap_first(&state->heap);
        heap_remove(&state->heap, first.owner);
        heap_set(&state->heap, first.owner, first.key + random_next(&state->random) % state->held);
    }
}

static void postpone(void *context)
{
    struct state *state = context;
    for (uint32_t i = 0; i < BATCH; i++) {
        uint32_t owner = (uint32_t)(random_next(&state->random) % state->held);
        heap_set(&state->heap, owner, heap_key(&state->heap, owner) + state->held);
    }
}

/* ---- The store of payloads ---- */

static void lay_out_store(struct state *state)
{
    uint64_t bytes = ((uint64_t)state->held + 2 * BATCH) * (PAYLOAD_BYTES + 28);
    store_init(&state->store, &state->arena, bytes);
    state->values = arena_take(&state->arena, state->held, sizeof *state->values);
}

static void *begin_store(uint32_t held)
{
    struct state *state = begin(held, lay_out_store);
    for (uint32_t i = 0; i < state->held; i++) {
        state->values[i] = store_put(&state->store, scene_payload());
    }
    return state;
}

static void replace_values(void *context)
{
    struct state *state = context;
    for (uint32_t i = 0; i < BATCH; i++) {
        struct stored fresh = store_put(&state->store, scene_payload());
        struct stored *place = &state->values[state->oldest++ % state->held];
        state->found += store_get(&state->store, *place).data[0];
        store_drop(&state->store, place);
        *place = fresh;
    }
    scene_must(state->found == state->oldest * scene_payload().data[0], "keep values");
}

/* ---- The lanes of ready tasks ---- */

/* What is held is rounded up to whole batches, and each round adds one. */
static uint32_t lane_slots(const struct state *state)
{
    return state->held + 2 * BATCH;
}

static void lay_out_lanes(struct state *state)
{
    lanes_init(&state->lanes, &state->arena);
    state->tasks = arena_take(&state->arena, lane_slots(state), sizeof *state->tasks);
}

static const char *const NAMES[] = {"resize", "encode", "publish", "notify"};
enum { NAME_COUNT = sizeof NAMES / sizeof NAMES[0] };

static void line_up(void *context)
{
    struct state *state = context;
    for (uint32_t i = 0; i < BATCH; i++) {
        uint32_t slot = (uint32_t)(state->order % lane_slots(state));
        struct task *task = &state->tasks[slot];
        task->order = ++state->order;
        task->lane = (uint16_t)lanes_lane(&state->lanes, bytes_text("default"),
                                          bytes_text(NAMES[state->order / 8 % NAME_COUNT]));
        struct lane *lane = &state->lanes.lanes[task->lane];
        task_append(state->tasks, &lane->ready, slot);
        if (lane->ready.count == 1) lanes_ready_changed(&state->lanes, task->lane, state->tasks);
    }
}

static void *begin_lanes(uint32_t held)
{
    struct state *state = begin(held, lay_out_lanes);
    struct bytes names[NAME_COUNT], queue = bytes_text("default");
    for (uint32_t i = 0; i < NAME_COUNT; i++) names[i] = bytes_text(NAMES[i]);
    struct message_hello hello = {
        .names = names, .name_count = NAME_COUNT, .queues = &queue, .queue_count = 1};
    uint32_t profile = lanes_profile(&state->lanes, &hello);
    lanes_count_worker(&state->lanes, profile, 1);
    lanes_available(&state->lanes, profile, state->tasks);
    while (state->order < held) line_up(state);
    return state;
}

static void pick(void *context)
{
    struct state *state = context;
    for (uint32_t i = 0; i < BATCH; i++) {
        uint32_t number, profile;
        scene_must(lanes_pick(&state->lanes, state->tasks, &number, &profile), "pick a task");
        struct lane *lane = &state->lanes.lanes[number];
        task_unlink(state->tasks, &lane->ready, lane->ready.first);
        if (lane->ready.count == 0) lanes_ready_changed(&state->lanes, number, state->tasks);
    }
}

const struct scene container_scenes[4] = {
    {"index",
     true,
     {{NULL, write_ids}, {"find", find_known}, {"remove", remove_known}, {"insert", insert_fresh}},
     begin_index,
     end},
    {"heap", true, {{"fall_due", fall_due}, {"postpone", postpone}}, begin_heap, end},
    {"store", true, {{"replace", replace_values}}, begin_store, end},
    {"lanes", true, {{"line_up", line_up}, {"pick", pick}}, begin_lanes, end},
};
