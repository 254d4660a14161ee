/* worker.c - the worker's step: a batch of WORK is taken in, run, completed, and the
 * receipt for it read; without results and with. */
#include "scene.h"

#include "../../../src/core/worker.h"

#include <stdlib.h>

struct state {
    bool results;
    struct worker *worker;
    struct worker_options options;
    struct worker_actions *out;
    uint64_t now_ns, tasks;
    uint32_t sequence;  /* of the ventilator's latest message */
    uint32_t completed; /* sequence of the worker's latest COMPLETE */
    struct assignment assignments[BATCH];
    uint32_t jobs[BATCH];
};

static const struct bytes NAMES[] = {{(const uint8_t *)"resize", 6}};
static const struct bytes QUEUES[] = {{(const uint8_t *)"default", 7}};

static void step(struct state *state, struct worker_event event)
{
    event.now_ns = state->now_ns;
    worker_step(state->worker, &event, state->out);
}

static void say(struct state *state, struct message *message)
{
    message->session = 77;
    if (message->kind != MESSAGE_WELCOME) message->sequence = ++state->sequence;
    step(state, (struct worker_event){.kind = WORKER_MESSAGE, .message = message});
}

static void turn(void *context)
{
    step(context, (struct worker_event){.kind = WORKER_TURN});
}

static struct state *begin(bool results)
{
    struct state *state = calloc(1, sizeof *state);
    scene_must(state != NULL, "get memory");
    state->results = results;
    state->out = scene_memory(sizeof *state->out);
    state->now_ns = SECOND;
    state->options = worker_defaults();
    state->options.node = scene_id(UINT64_MAX / 2);
    state->options.seed = 1;
    state->options.names = NAMES;
    state->options.queues = QUEUES;
    state->options.name_count = state->options.queue_count = 1;
    state->options.slots = 1;
    state->options.link_count = 1;
    state->worker = worker_init(scene_memory(worker_memory_bytes(&state->options)), &state->options,
                                state->now_ns);
    turn(state);
    step(state, (struct worker_event){.kind = WORKER_CONNECTED});
    struct message welcome = {.kind = MESSAGE_WELCOME};
    welcome.u.welcome = (struct message_welcome){.minor = MESSAGE_VERSION_MINOR,
                                                 .node = scene_id(UINT64_MAX / 2 + 1),
                                                 .heartbeat_ms = 1000000000,
                                                 .suspect_ms = 2000000000,
                                                 .lost_ms = 3000000000};
    say(state, &welcome);
    turn(state);
    return state;
}

static void *begin_plain(uint32_t held)
{
    (void)held;
    return begin(false);
}

static void *begin_results(uint32_t held)
{
    (void)held;
    return begin(true);
}

static void end(void *context)
{
    struct state *state = context;
    scene_memory_free(state->worker, worker_memory_bytes(&state->options));
    scene_memory_free(state->out, sizeof *state->out);
    free(state);
}

static void write_batch(void *context)
{
    struct state *state = context;
    state->now_ns += 100 * 1000;
    for (uint32_t i = 0; i < BATCH; i++) {
        state->tasks++;
        state->assignments[i] = (struct assignment){
            .lease = {scene_id(state->tasks), 1, state->tasks * UINT64_C(0x9e3779b97f4a7c15)},
            .name = NAMES[0],
            .payload = scene_payload(),
        };
    }
}

static void receive(void *context)
{
    struct state *state = context;
    struct message message = {.kind = MESSAGE_WORK};
    message.u.work =
        (struct message_work){.backlog = 100000, .items = state->assignments, .count = BATCH};
    say(state, &message);
}

static void note_jobs(void *context)
{
    struct state *state = context;
    uint32_t count = 0;
    for (uint32_t i = 0; i < state->out->count; i++) {
        if (state->out->actions[i].kind != WORKER_RUN) continue;
        state->jobs[count++] = state->out->actions[i].job;
    }
    scene_must(count == BATCH, "have a worker run a batch");
}

static void finish(void *context)
{
    struct state *state = context;
    struct finished finished[BATCH];
    for (uint32_t i = 0; i < BATCH; i++) {
        finished[i] = (struct finished){
            .job = state->jobs[i],
            .result = state->results ? scene_payload() : (struct bytes){0},
            .run_ns = 1000,
        };
    }
    step(state, (struct worker_event){
                    .kind = WORKER_FINISHED, .finished = finished, .finished_count = BATCH});
}

static void check(void *context)
{
    struct state *state = context;
    uint32_t count = 0;
    for (uint32_t i = 0; i < state->out->count; i++) {
        const struct worker_action *action = &state->out->actions[i];
        if (action->kind != WORKER_SEND || action->message.kind != MESSAGE_COMPLETE) continue;
        state->completed = action->message.sequence;
        count += action->message.u.complete.count;
    }
    scene_must(count == BATCH, "have a worker complete a batch");
}

static void receipt(void *context)
{
    struct state *state = context;
    struct message message = {.kind = MESSAGE_RECEIPT};
    message.u.receipt.through = state->completed;
    say(state, &message);
}

#define STEPS                                                                             \
    {                                                                                     \
        {NULL, write_batch}, {"receive", receive}, {NULL, note_jobs}, {"finish", finish}, \
            {"complete", turn}, {NULL, check}, {"receipt", receipt},                      \
    }

const struct scene worker_scenes[2] = {
    {"worker", false, STEPS, begin_plain, end},
    {"worker_results", false, STEPS, begin_results, end},
};
