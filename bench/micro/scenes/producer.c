/* producer.c - the producer's step: a batch is submitted, sent and accepted, and its
 * results come; without results and with.
 *
 * The tasks held were accepted before, and their results are awaited.
 */
#include "scene.h"

#include "../../../src/core/producer.h"

#include <stdlib.h>

struct state {
    bool results;
    struct producer *producer;
    struct producer_options options;
    struct producer_actions *out;
    uint64_t now_ns, tasks;
    uint32_t sequence; /* of the ventilator's latest message */
    uint64_t batch;    /* number of the latest SUBMIT */
    struct submission submissions[BATCH];
    struct result ends[BATCH];
};

static void step(struct state *state, struct producer_event event)
{
    event.now_ns = state->now_ns;
    producer_step(state->producer, &event, state->out);
}

static void say(struct state *state, struct message *message)
{
    message->session = 77;
    if (message->kind != MESSAGE_WELCOME) message->sequence = ++state->sequence;
    step(state, (struct producer_event){.kind = PRODUCER_MESSAGE, .message = message});
}

static void turn(void *context)
{
    step(context, (struct producer_event){.kind = PRODUCER_TURN});
}

static void write_batch(void *context)
{
    struct state *state = context;
    state->now_ns += 100 * 1000;
    for (uint32_t i = 0; i < BATCH; i++) {
        struct id id = scene_id(state->tasks++);
        state->submissions[i] = (struct submission){
            .id = id,
            .name = bytes_text("resize"),
            .payload = scene_payload(),
            .flags = state->results ? SUBMISSION_WANTS_RESULT : 0,
        };
        state->ends[i] =
            (struct result){.id = id, .state = TASK_DONE, .attempt = 1, .result = scene_payload()};
    }
}

static void submit(void *context)
{
    struct state *state = context;
    for (uint32_t i = 0; i < BATCH; i++) {
        step(state, (struct producer_event){.kind = PRODUCER_SUBMIT,
                                            .submission = &state->submissions[i],
                                            .ticket = i});
    }
}

static void note_batch(void *context)
{
    struct state *state = context;
    uint32_t count = 0;
    for (uint32_t i = 0; i < state->out->count; i++) {
        const struct producer_action *action = &state->out->actions[i];
        if (action->kind != PRODUCER_SEND || action->message.kind != MESSAGE_SUBMIT) continue;
        state->batch = action->message.u.submit.batch;
        count += action->message.u.submit.count;
    }
    scene_must(count == BATCH, "have a producer send a batch");
}

static void accept(void *context)
{
    struct state *state = context;
    struct message message = {.kind = MESSAGE_ACCEPT};
    message.u.accept.batch = state->batch;
    say(state, &message);
}

static void result(void *context)
{
    struct state *state = context;
    struct message message = {.kind = MESSAGE_RESULT};
    message.u.result = (struct message_result){.items = state->ends, .count = BATCH};
    say(state, &message);
}

static void check(void *context)
{
    struct state *state = context;
    struct producer_counts counts;
    producer_counts(state->producer, &counts);
    scene_must(counts.outbox == 0 && counts.accepted == state->tasks,
               "have a producer's tasks accepted");
}

static struct state *begin(bool results, uint32_t held)
{
    struct state *state = calloc(1, sizeof *state);
    scene_must(state != NULL, "get memory");
    state->results = results;
    state->out = scene_memory(sizeof *state->out);
    state->now_ns = SECOND;
    state->options = producer_defaults();
    state->options.node = scene_id(UINT64_MAX / 2);
    state->options.seed = 1;
    state->options.link_count = 1;
    state->options.tasks_max = held + 8 * BATCH;
    state->producer = producer_init(scene_memory(producer_memory_bytes(&state->options)),
                                    &state->options, state->now_ns);
    turn(state);
    step(state, (struct producer_event){.kind = PRODUCER_CONNECTED});
    struct message welcome = {.kind = MESSAGE_WELCOME};
    welcome.u.welcome = (struct message_welcome){.minor = MESSAGE_VERSION_MINOR,
                                                 .node = scene_id(UINT64_MAX / 2 + 1),
                                                 .heartbeat_ms = 1000000000,
                                                 .suspect_ms = 2000000000,
                                                 .lost_ms = 3000000000};
    say(state, &welcome);
    for (uint32_t i = 0; i < held; i += BATCH) {
        write_batch(state);
        submit(state);
        turn(state);
        note_batch(state);
        accept(state);
    }
    return state;
}

static void *begin_plain(uint32_t held)
{
    return begin(false, held);
}

static void *begin_results(uint32_t held)
{
    return begin(true, held);
}

static void end(void *context)
{
    struct state *state = context;
    scene_memory_free(state->producer, producer_memory_bytes(&state->options));
    scene_memory_free(state->out, sizeof *state->out);
    free(state);
}

const struct scene producer_scenes[2] = {
    {"producer",
     false,
     {{NULL, write_batch},
      {"submit", submit},
      {"send", turn},
      {NULL, note_batch},
      {"accept", accept},
      {NULL, check}},
     begin_plain,
     end},
    {"producer_results",
     true,
     {{NULL, write_batch},
      {"submit", submit},
      {"send", turn},
      {NULL, note_batch},
      {"accept", accept},
      {NULL, check},
      {"result", result}},
     begin_results,
     end},
};
