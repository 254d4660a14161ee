/* ventilator.c - the ventilator's step, from SUBMIT to the producer's receipt: without
 * results, with results, and with results and a journal.
 *
 * The tasks held stand in line before those of a round, so that what a round gives out
 * was taken in long ago, as in a queue that is behind.
 */
#include "scene.h"

#include "../../../src/core/ventilator.h"

#include <stdlib.h>

enum { PRODUCER, WORKER, PEERS };

enum load { LOAD_PLAIN, LOAD_RESULTS, LOAD_JOURNAL };

struct state {
    enum load load;
    struct ventilator *ventilator;
    struct ventilator_options options;
    struct ventilator_actions *out;
    uint64_t now_ns, tasks, credit;
    uint32_t sessions[PEERS], sequences[PEERS];
    uint64_t batches;
    uint32_t leased;
    uint32_t receipt; /* the sequence of the latest RESULT */
    uint64_t lsn;     /* of the latest entry */
    struct submission submissions[BATCH];
    struct completion completions[BATCH];
};

static void step(struct state *state, struct ventilator_event event)
{
    event.now_ns = state->now_ns;
    ventilator_step(state->ventilator, &event, state->out);
    if (state->out->entry_count > 0) state->lsn += state->out->entry_count;
}

static void say(struct state *state, uint32_t from, struct message *message)
{
    message->session = state->sessions[from];
    message->sequence = ++state->sequences[from];
    step(state,
         (struct ventilator_event){.kind = VENTILATOR_MESSAGE, .link = from, .message = message});
}

static void turn(void *context)
{
    step(context, (struct ventilator_event){.kind = VENTILATOR_TURN});
}

/* ---- The beginning ---- */

static void greet(struct state *state, uint32_t from)
{
    static const struct bytes names[] = {{(const uint8_t *)"resize", 6}};
    static const struct bytes queues[] = {{(const uint8_t *)"default", 7}};
    struct message hello = {.kind = MESSAGE_HELLO};
    hello.u.hello = (struct message_hello){
        .role = from == WORKER ? ROLE_WORKER : ROLE_PRODUCER,
        .minor = MESSAGE_VERSION_MINOR,
        .node = scene_id(UINT64_MAX / 2 + from),
        .slots = 1,
        .names = names,
        .name_count = from == WORKER ? 1 : 0,
        .queues = queues,
        .queue_count = from == WORKER ? 1 : 0,
    };
    step(state,
         (struct ventilator_event){.kind = VENTILATOR_MESSAGE, .link = from, .message = &hello});
    scene_must(state->out->send_count == 1 && state->out->sends[0].message.kind == MESSAGE_WELCOME,
               "be welcome at a ventilator");
    state->sessions[from] = state->out->sends[0].message.session;
}

static void write_batch(void *context)
{
    struct state *state = context;
    state->now_ns += 100 * 1000;
    for (uint32_t i = 0; i < BATCH; i++) {
        state->submissions[i] = (struct submission){
            .id = scene_id(state->tasks++),
            .name = bytes_text("resize"),
            .payload = scene_payload(),
            .flags = state->load == LOAD_PLAIN ? 0 : SUBMISSION_WANTS_RESULT,
        };
    }
}

static void submit(void *context)
{
    struct state *state = context;
    struct message message = {.kind = MESSAGE_SUBMIT};
    message.u.submit = (struct message_submit){
        .batch = ++state->batches, .items = state->submissions, .count = BATCH};
    say(state, PRODUCER, &message);
}

static void durable(void *context)
{
    struct state *state = context;
    step(state, (struct ventilator_event){.kind = VENTILATOR_DURABLE, .durable_lsn = state->lsn});
    turn(state);
}

static struct state *begin(enum load load, uint32_t held)
{
    struct state *state = calloc(1, sizeof *state);
    scene_must(state != NULL, "get memory");
    state->load = load;
    state->out = scene_memory(sizeof *state->out);
    state->now_ns = SECOND;
    state->options = ventilator_defaults();
    state->options.node = scene_id(UINT64_MAX / 2 + PEERS);
    state->options.seed = 1;
    state->options.routine = false; /* as long as nobody debugs */
    state->options.tasks_max = held + 8 * BATCH;
    state->options.store_bytes_max = 2 * (uint64_t)(held + 100000) * (PAYLOAD_BYTES + 28);
    state->options.ended_max =
        2048; /* reached soon, so that each end makes one more be forgotten */
    state->options.heartbeat_ns = 1000000 * SECOND;
    state->options.suspect_ns = 2000000 * SECOND;
    state->options.lost_ns = 3000000 * SECOND;
    state->options.journals = load == LOAD_JOURNAL;
    void *memory = scene_memory(ventilator_memory_bytes(&state->options));
    state->ventilator = ventilator_init(memory, &state->options, state->now_ns);
    greet(state, PRODUCER);
    greet(state, WORKER);
    for (uint32_t i = 0; i < held; i += BATCH) {
        write_batch(state);
        submit(state);
        turn(state);
        if (load == LOAD_JOURNAL) durable(state);
    }
    return state;
}

static void *begin_plain(uint32_t held)
{
    return begin(LOAD_PLAIN, held);
}

static void *begin_results(uint32_t held)
{
    return begin(LOAD_RESULTS, held);
}

static void *begin_journal(uint32_t held)
{
    return begin(LOAD_JOURNAL, held);
}

static void end(void *context)
{
    struct state *state = context;
    scene_memory_free(state->ventilator, ventilator_memory_bytes(&state->options));
    scene_memory_free(state->out, sizeof *state->out);
    free(state);
}

/* ---- A round ---- */

static void give_credit(void *context)
{
    struct state *state = context;
    struct message message = {.kind = MESSAGE_CREDIT};
    state->credit += BATCH;
    message.u.credit = (struct message_credit){.tasks = state->credit, .bytes = UINT64_MAX / 2};
    say(state, WORKER, &message);
}

static const struct message *sent(const struct state *state, enum message_kind kind)
{
    for (uint32_t i = 0; i < state->out->send_count; i++) {
        if (state->out->sends[i].message.kind == kind) return &state->out->sends[i].message;
    }
    return NULL;
}

static void run(void *context)
{
    struct state *state = context;
    const struct message *work = sent(state, MESSAGE_WORK);
    scene_must(!state->out->more && work != NULL && work->u.work.count == BATCH,
               "have a ventilator give out a batch");
    for (uint32_t i = 0; i < BATCH; i++) {
        struct bytes payload = work->u.work.items[i].payload; /* an encoder reads it, too */
        scene_must(bytes_equal(payload, scene_payload()), "have a ventilator keep payloads");
        state->completions[i] = (struct completion){
            .lease = work->u.work.items[i].lease,
            .result = state->load == LOAD_PLAIN ? (struct bytes){0} : scene_payload(),
        };
    }
}

static void complete(void *context)
{
    struct state *state = context;
    struct message message = {.kind = MESSAGE_COMPLETE};
    message.u.complete = (struct message_complete){.items = state->completions, .count = BATCH};
    say(state, WORKER, &message);
}

static void check(void *context)
{
    struct state *state = context;
    const struct message *result = sent(state, MESSAGE_RESULT);
    bool wanted = state->load != LOAD_PLAIN;
    scene_must(!state->out->more && wanted == (result != NULL), "have a ventilator tell the ends");
    if (!wanted) return;
    scene_must(result->u.result.count == BATCH, "have a ventilator tell all ends");
    state->receipt = result->sequence;
}

static void receipt(void *context)
{
    struct state *state = context;
    struct message message = {.kind = MESSAGE_RECEIPT};
    message.u.receipt.through = state->receipt;
    say(state, PRODUCER, &message);
}

/* Given out, and what was taken in is answered: then completed, and the end told. */
const struct scene ventilator_scenes[3] = {
    {"ventilator",
     true,
     {{NULL, write_batch},
      {"submit", submit},
      {NULL, give_credit},
      {"dispatch", turn},
      {NULL, run},
      {"complete", complete},
      {"answer", turn},
      {NULL, check}},
     begin_plain,
     end},
    {"ventilator_results",
     true,
     {{NULL, write_batch},
      {"submit", submit},
      {NULL, give_credit},
      {"dispatch", turn},
      {NULL, run},
      {"complete", complete},
      {"answer", turn},
      {NULL, check},
      {"receipt", receipt}},
     begin_results,
     end},
    {"ventilator_journal",
     true,
     {{NULL, write_batch},
      {"submit", submit},
      {NULL, give_credit},
      {"dispatch", turn},
      {NULL, run},
      {"complete", complete},
      {"answer", durable},
      {NULL, check},
      {"receipt", receipt}},
     begin_journal,
     end},
};
