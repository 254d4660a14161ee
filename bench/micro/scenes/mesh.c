/* mesh.c - a whole mesh without its sockets: a producer, a ventilator and a worker that
 * talk in encoded messages, with a handler that does nothing.
 *
 * All that a task costs in the cores and in the codec, and one copy of each message in
 * place of the network.
 */
#include "scene.h"

#include "../../../src/core/producer.h"
#include "../../../src/core/ventilator.h"
#include "../../../src/core/worker.h"
#include "../../../src/wire/codec.h"

#include <stdlib.h>

enum { PRODUCER, WORKER, VENTILATOR, NODES, MAILS = 64, MAIL_BYTES = 256 * 1024, TURNS_MAX = 64 };

struct mail {
    uint32_t from, to, size;
    uint8_t data[MAIL_BYTES];
};

struct state {
    bool results;
    uint64_t now_ns, tasks;
    struct producer *producer;
    struct worker *worker;
    struct ventilator *ventilator;
    struct producer_options producer_options;
    struct worker_options worker_options;
    struct ventilator_options ventilator_options;
    struct producer_actions *producer_out;
    struct worker_actions *worker_out;
    struct ventilator_actions *ventilator_out;
    struct encoder *encoder;
    struct decoder *decoder;
    struct mail *mails; /* a ring: what was sent and not received */
    uint32_t first_mail, mail_count;
    uint32_t *jobs; /* with the worker's pool */
    struct finished *finished;
    uint32_t job_count;
    uint64_t ended, run;
};

/* ---- What the nodes ask for ---- */

static void send(struct state *state, uint32_t from, uint32_t to, const struct message *message)
{
    struct bytes bytes;
    scene_must(wire_encode(state->encoder, message, &bytes) == WIRE_OK, "encode");
    scene_must(state->mail_count < MAILS && bytes.size <= MAIL_BYTES, "have so much on its way");
    struct mail *mail = &state->mails[(state->first_mail + state->mail_count++) % MAILS];
    mail->from = from;
    mail->to = to;
    mail->size = bytes.size;
    memcpy(mail->data, bytes.data, bytes.size);
}

static void step_producer(struct state *state, struct producer_event event)
{
    struct producer_actions *out = state->producer_out;
    event.now_ns = state->now_ns;
    producer_step(state->producer, &event, out);
    bool opened = false;
    for (uint32_t i = 0; i < out->count; i++) {
        const struct producer_action *action = &out->actions[i];
        if (action->kind == PRODUCER_SEND) send(state, PRODUCER, VENTILATOR, &action->message);
        if (action->kind == PRODUCER_ENDED) state->ended++;
        if (action->kind == PRODUCER_OPEN) opened = true;
    }
    if (opened) step_producer(state, (struct producer_event){.kind = PRODUCER_CONNECTED});
}

static void step_worker(struct state *state, struct worker_event event)
{
    struct worker_actions *out = state->worker_out;
    event.now_ns = state->now_ns;
    worker_step(state->worker, &event, out);
    bool opened = false;
    for (uint32_t i = 0; i < out->count; i++) {
        const struct worker_action *action = &out->actions[i];
        if (action->kind == WORKER_SEND) send(state, WORKER, VENTILATOR, &action->message);
        if (action->kind == WORKER_RUN) state->jobs[state->job_count++] = action->job;
        if (action->kind == WORKER_OPEN) opened = true;
    }
    if (opened) step_worker(state, (struct worker_event){.kind = WORKER_CONNECTED});
}

static void step_ventilator(struct state *state, struct ventilator_event event)
{
    struct ventilator_actions *out = state->ventilator_out;
    event.now_ns = state->now_ns;
    do {
        ventilator_step(state->ventilator, &event, out);
        for (uint32_t i = 0; i < out->send_count; i++) {
            send(state, VENTILATOR, out->sends[i].link, &out->sends[i].message);
        }
    } while (out->more);
}

/* ---- Turns ---- */

/* What was sent before this is received; what is sent meanwhile is not. */
static void deliver(struct state *state, uint32_t to)
{
    for (uint32_t left = state->mail_count; left > 0; left--) {
        const struct mail *mail = &state->mails[state->first_mail];
        if (mail->to != to) return;
        struct message message;
        scene_must(wire_decode(state->decoder, bytes_of(mail->data, mail->size), &message) ==
                       WIRE_OK,
                   "decode");
        state->first_mail = (state->first_mail + 1) % MAILS;
        state->mail_count--;
        if (to == PRODUCER)
            step_producer(state,
                          (struct producer_event){.kind = PRODUCER_MESSAGE, .message = &message});
        else if (to == WORKER)
            step_worker(state, (struct worker_event){.kind = WORKER_MESSAGE, .message = &message});
        else
            step_ventilator(state, (struct ventilator_event){.kind = VENTILATOR_MESSAGE,
                                                             .link = mail->from,
                                                             .message = &message});
    }
}

static void run_jobs(struct state *state)
{
    struct finished *finished = state->finished;
    for (uint32_t i = 0; i < state->job_count; i++) {
        finished[i] = (struct finished){
            .job = state->jobs[i],
            .result = state->results ? scene_payload() : (struct bytes){0},
            .run_ns = 1000,
        };
    }
    step_worker(state, (struct worker_event){.kind = WORKER_FINISHED,
                                             .finished = finished,
                                             .finished_count = state->job_count});
    state->run += state->job_count;
    state->job_count = 0;
}

/* Everybody has a turn. */
static void go_round(struct state *state)
{
    state->now_ns += 10 * 1000;
    step_producer(state, (struct producer_event){.kind = PRODUCER_TURN});
    step_worker(state, (struct worker_event){.kind = WORKER_TURN});
    for (uint32_t i = 0; i < MAILS && state->mail_count > 0; i++) {
        uint32_t to = state->mails[state->first_mail].to;
        deliver(state, to);
        if (to == VENTILATOR)
            step_ventilator(state, (struct ventilator_event){.kind = VENTILATOR_TURN});
        if (to != WORKER) continue;
        run_jobs(state);
        step_worker(state, (struct worker_event){.kind = WORKER_TURN});
    }
}

static uint64_t accepted(const struct state *state)
{
    struct producer_counts counts;
    producer_counts(state->producer, &counts);
    return counts.accepted;
}

static void submit(void *context)
{
    struct state *state = context;
    for (uint32_t i = 0; i < BATCH; i++) {
        struct submission submission = {
            .id = scene_id(state->tasks++),
            .name = bytes_text("resize"),
            .payload = scene_payload(),
            .flags = state->results ? SUBMISSION_WANTS_RESULT : 0,
        };
        step_producer(state,
                      (struct producer_event){.kind = PRODUCER_SUBMIT, .submission = &submission});
    }
    for (uint32_t turns = 0; state->run < state->tasks || accepted(state) < state->tasks ||
                             (state->results && state->ended < state->tasks);
         turns++) {
        scene_must(turns < TURNS_MAX, "have a mesh run a batch");
        go_round(state);
    }
}

/* ---- Beginning and end ---- */

static void begin_producer(struct state *state)
{
    struct producer_options options = producer_defaults();
    options.node = scene_id(UINT64_MAX / 2 + PRODUCER);
    options.seed = 1;
    options.link_count = 1;
    state->producer_options = options;
    state->producer_out = scene_memory(sizeof *state->producer_out);
    state->producer =
        producer_init(scene_memory(producer_memory_bytes(&options)), &options, state->now_ns);
}

static void begin_worker(struct state *state)
{
    static const struct bytes names[] = {{(const uint8_t *)"resize", 6}};
    static const struct bytes queues[] = {{(const uint8_t *)"default", 7}};
    struct worker_options options = worker_defaults();
    options.node = scene_id(UINT64_MAX / 2 + WORKER);
    options.seed = 2;
    options.names = names;
    options.queues = queues;
    options.name_count = options.queue_count = 1;
    options.slots = 1;
    options.link_count = 1;
    state->worker_options = options;
    state->worker_out = scene_memory(sizeof *state->worker_out);
    state->worker =
        worker_init(scene_memory(worker_memory_bytes(&options)), &options, state->now_ns);
    state->jobs = calloc(options.jobs_max, sizeof *state->jobs);
    state->finished = calloc(options.jobs_max, sizeof *state->finished);
    scene_must(state->jobs != NULL && state->finished != NULL, "get memory");
}

static void begin_ventilator(struct state *state)
{
    struct ventilator_options options = ventilator_defaults();
    options.node = scene_id(UINT64_MAX / 2 + VENTILATOR);
    options.seed = 3;
    options.routine = false;  /* as long as nobody debugs */
    options.ended_max = 2048; /* reached soon, so that each end makes one more be forgotten */
    state->ventilator_options = options;
    state->ventilator_out = scene_memory(sizeof *state->ventilator_out);
    state->ventilator =
        ventilator_init(scene_memory(ventilator_memory_bytes(&options)), &options, state->now_ns);
}

static struct state *begin(bool results)
{
    struct state *state = calloc(1, sizeof *state);
    scene_must(state != NULL, "get memory");
    state->results = results;
    state->now_ns = SECOND;
    state->encoder = encoder_new();
    state->decoder = decoder_new();
    scene_must(state->encoder != NULL && state->decoder != NULL, "make a codec");
    state->mails = scene_memory(MAILS * sizeof *state->mails);
    begin_producer(state);
    begin_worker(state);
    begin_ventilator(state);
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
    scene_memory_free(state->producer, producer_memory_bytes(&state->producer_options));
    scene_memory_free(state->worker, worker_memory_bytes(&state->worker_options));
    scene_memory_free(state->ventilator, ventilator_memory_bytes(&state->ventilator_options));
    scene_memory_free(state->producer_out, sizeof *state->producer_out);
    scene_memory_free(state->worker_out, sizeof *state->worker_out);
    scene_memory_free(state->ventilator_out, sizeof *state->ventilator_out);
    scene_memory_free(state->mails, MAILS * sizeof *state->mails);
    encoder_destroy(&state->encoder);
    decoder_destroy(&state->decoder);
    free(state->jobs);
    free(state->finished);
    free(state);
}

const struct scene mesh_scenes[2] = {
    {"mesh", false, {{"task", submit}}, begin_plain, end},
    {"mesh_results", false, {{"task", submit}}, begin_results, end},
};
