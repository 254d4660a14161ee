/* large_payloads.c - payloads and results that nodes keep in the messages they came in.
 *
 * Each message arrives in memory of its own, which is freed as soon as its node names it:
 * what is named too early is used after it was freed, and what is not is left at the end.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "../../src/core/producer.h"
#include "../../src/core/ventilator.h"
#include "../../src/core/worker.h"
#include "../../src/wire/codec.h"

#include <stdlib.h>

enum { SLOTS = 4, TASKS = 60, HELD_MAX = 256, LARGEST = 300 * 1024 };
enum role_at { AT_PRODUCER, AT_VENTILATOR, AT_WORKER, ROLES };

struct flight {
    struct flight *next;
    uint32_t link, size;
    uint8_t bytes[];
};

struct held_job {
    uint32_t job;
    struct assignment assignment; /* borrowed from the worker */
};

static struct world {
    uint64_t now_ns;
    struct producer *producer;
    struct ventilator *ventilator;
    struct worker *worker;
    void *memory[ROLES];
    struct producer_actions *produces;
    struct ventilator_actions *says;
    struct worker_actions *does;
    struct decoder *decoder;
    struct encoder *encoder;
    struct flight *inbox[ROLES];
    bool opens[ROLES]; /* a connection comes up in the next turn */
    uint32_t borrowed[ROLES], out[ROLES];
    struct held_job runs[HELD_MAX];
    uint32_t run_count, accepted, ended, results_kept;
    uint32_t sizes[TASKS];
} world;

static const struct bytes name = {.data = (const uint8_t *)"large", .size = 5};
static const struct bytes queue = {.data = (const uint8_t *)"default", .size = 7};

/* The bytes of a task, of which each tells where it is. */
static void fill(uint8_t *bytes, uint32_t task, uint32_t size)
{
    for (uint32_t i = 0; i < size; i++) bytes[i] = (uint8_t)(task * 7 + i % 251);
}

static void check(struct bytes bytes, uint32_t task)
{
    assert_true(task < TASKS);
    assert_int_equal(bytes.size, world.sizes[task]);
    for (uint32_t i = 0; i < bytes.size; i += i % 4096 < 16 ? 1 : 61) {
        assert_int_equal(bytes.data[i], (uint8_t)(task * 7 + i % 251));
    }
}

static void send(enum role_at to, uint32_t link, const struct message *message)
{
    struct bytes bytes;
    struct flight **last = &world.inbox[to];
    assert_int_equal(wire_encode(world.encoder, message, &bytes), WIRE_OK);
    struct flight *flight = malloc(sizeof *flight + bytes.size);
    assert_non_null(flight);
    *flight = (struct flight){.link = link, .size = bytes.size};
    memcpy(flight->bytes, bytes.data, bytes.size);
    while (*last != NULL) last = &(*last)->next;
    *last = flight;
}

static struct flight *arrive(enum role_at at)
{
    struct flight *flight = world.inbox[at];
    if (flight != NULL) world.inbox[at] = flight->next;
    return flight;
}

/* What was lent for this step, and what comes back after it. */
static void settle(enum role_at at, void *lent, bool borrowed)
{
    if (lent != NULL && !borrowed) free(lent);
    world.borrowed[at] += borrowed;
    world.out[at] += borrowed;
    for (;;) {
        void *lender = at == AT_PRODUCER     ? producer_returned(world.producer)
                       : at == AT_VENTILATOR ? ventilator_returned(world.ventilator)
                                             : worker_returned(world.worker);
        if (lender == NULL) return;
        world.out[at]--;
        free(lender);
    }
}

static void step_producer(struct producer_event event, void *lent)
{
    struct producer_actions *out = world.produces;
    event.now_ns = world.now_ns;
    event.lender = event.kind == PRODUCER_SUBMIT ? lent : NULL;
    producer_step(world.producer, &event, out);
    for (uint32_t i = 0; i < out->count; i++) {
        const struct producer_action *action = &out->actions[i];
        if (action->kind == PRODUCER_OPEN) world.opens[AT_PRODUCER] = true;
        if (action->kind == PRODUCER_SEND) send(AT_VENTILATOR, 1, &action->message);
        if (action->kind == PRODUCER_ACCEPTED) world.accepted += action->accepted_count;
        if (action->kind != PRODUCER_ENDED) continue;
        world.ended++;
        assert_int_equal(action->result.state, TASK_DONE);
        check(action->result.result, action->ticket);
    }
    settle(AT_PRODUCER, lent, out->borrowed);
}

static void step_ventilator(struct ventilator_event event, struct flight *flight)
{
    struct ventilator_actions *out = world.says;
    event.now_ns = world.now_ns;
    if (flight != NULL) {
        event.memory = bytes_of(flight->bytes, flight->size);
        event.lender = flight;
    }
    ventilator_step(world.ventilator, &event, out);
    for (uint32_t i = 0; i < out->send_count; i++) {
        send(out->sends[i].link == 1 ? AT_PRODUCER : AT_WORKER, 0, &out->sends[i].message);
    }
    settle(AT_VENTILATOR, flight, out->borrowed);
}

static void step_worker(struct worker_event event, struct flight *flight)
{
    struct worker_actions *out = world.does;
    event.now_ns = world.now_ns;
    if (flight != NULL) {
        event.memory = bytes_of(flight->bytes, flight->size);
        event.lender = flight;
    }
    worker_step(world.worker, &event, out);
    for (uint32_t i = 0; i < out->count; i++) {
        const struct worker_action *action = &out->actions[i];
        if (action->kind == WORKER_OPEN) world.opens[AT_WORKER] = true;
        if (action->kind == WORKER_SEND) send(AT_VENTILATOR, 2, &action->message);
        if (action->kind != WORKER_RUN) continue;
        assert_true(world.run_count < HELD_MAX);
        world.runs[world.run_count++] = (struct held_job){action->job, action->assignment};
    }
    settle(AT_WORKER, flight, out->borrowed);
}

static void decode(const struct flight *flight, struct message *message)
{
    struct bytes bytes = bytes_of(flight->bytes, flight->size);
    assert_int_equal(wire_decode(world.decoder, bytes, message), WIRE_OK);
}

/* Ends the oldest runs: the payload is the result.  A copy of it, since the payload makes
 * room for the result, in memory of its own, in which a large one is kept. */
static void end_runs(uint32_t leave)
{
    while (world.run_count > leave) {
        struct held_job run = world.runs[0];
        struct bytes payload = run.assignment.payload;
        memmove(world.runs, world.runs + 1, --world.run_count * sizeof run);
        check(payload, run.assignment.lease.id.octets[1]);
        struct flight *copy = malloc(sizeof *copy + payload.size);
        assert_non_null(copy);
        *copy = (struct flight){.size = payload.size};
        memcpy(copy->bytes, payload.data, payload.size);
        const struct finished finished = {.job = run.job,
                                          .outcome = OUTCOME_DONE,
                                          .result = bytes_of(copy->bytes, payload.size),
                                          .run_ns = MILLISECOND};
        step_worker((struct worker_event){.kind = WORKER_FINISHED,
                                          .finished = &finished,
                                          .finished_count = 1},
                    copy);
        world.results_kept += world.does->borrowed;
    }
}

static void turn(uint32_t runs_left)
{
    struct flight *flight;
    struct message message;
    world.now_ns += MILLISECOND;
    if (world.opens[AT_PRODUCER]) {
        step_producer((struct producer_event){.kind = PRODUCER_CONNECTED}, NULL);
    }
    if (world.opens[AT_WORKER]) step_worker((struct worker_event){.kind = WORKER_CONNECTED}, NULL);
    world.opens[AT_PRODUCER] = world.opens[AT_WORKER] = false;
    while ((flight = arrive(AT_PRODUCER)) != NULL) {
        decode(flight, &message);
        step_producer((struct producer_event){.kind = PRODUCER_MESSAGE, .message = &message},
                      flight);
    }
    while ((flight = arrive(AT_VENTILATOR)) != NULL) {
        decode(flight, &message);
        step_ventilator((struct ventilator_event){.kind = VENTILATOR_MESSAGE,
                                                  .link = flight->link,
                                                  .passage = PASSAGE_FRONT,
                                                  .message = &message},
                        flight);
    }
    while ((flight = arrive(AT_WORKER)) != NULL) {
        decode(flight, &message);
        step_worker((struct worker_event){.kind = WORKER_MESSAGE, .message = &message}, flight);
    }
    end_runs(runs_left);
    do step_producer((struct producer_event){.kind = PRODUCER_TURN}, NULL);
    while (world.produces->more);
    do step_ventilator((struct ventilator_event){.kind = VENTILATOR_TURN}, NULL);
    while (world.says->more);
    do step_worker((struct worker_event){.kind = WORKER_TURN}, NULL);
    while (world.does->more);
}

static void *place(enum role_at at, size_t bytes)
{
    world.memory[at] = calloc(1, bytes + 64);
    assert_non_null(world.memory[at]);
    return (uint8_t *)world.memory[at] + 64 - (uintptr_t)world.memory[at] % 64;
}

static void start_producer(void)
{
    struct producer_options options = producer_defaults();
    options.node.octets[0] = 'p';
    options.software = options.label = name;
    options.link_count = 1;
    options.tasks_max = TASKS;
    options.store_bytes_max = 64 * 1024 * 1024;
    world.producer =
        producer_init(place(AT_PRODUCER, producer_memory_bytes(&options)), &options, world.now_ns);
}

static void start_ventilator(void)
{
    struct ventilator_options options = ventilator_defaults();
    options.node.octets[0] = 'v';
    options.software = name;
    options.tasks_max = options.ended_max = 4 * TASKS;
    options.store_bytes_max = 64 * 1024 * 1024;
    options.peers_max = 8;
    options.dead_letters_max = 4;
    world.ventilator = ventilator_init(place(AT_VENTILATOR, ventilator_memory_bytes(&options)),
                                       &options, world.now_ns);
}

static void start_worker(void)
{
    struct worker_options options = worker_defaults();
    options.node.octets[0] = 'w';
    options.software = options.label = name;
    options.names = &name;
    options.queues = &queue;
    options.name_count = options.queue_count = 1;
    options.slots = SLOTS;
    options.link_count = 1;
    options.store_bytes_max = 64 * 1024 * 1024;
    world.worker =
        worker_init(place(AT_WORKER, worker_memory_bytes(&options)), &options, world.now_ns);
}

static void submit(uint32_t task, uint32_t size)
{
    uint8_t *payload = malloc(size);
    assert_non_null(payload);
    world.sizes[task] = size;
    fill(payload, task, size);
    struct submission submission = {.id = {{1, (uint8_t)task}},
                                    .name = name,
                                    .payload = bytes_of(payload, size),
                                    .flags = SUBMISSION_WANTS_RESULT};
    step_producer((struct producer_event){.kind = PRODUCER_SUBMIT,
                                          .submission = &submission,
                                          .memory = submission.payload,
                                          .ticket = task},
                  payload);
    assert_false(world.produces->full);
    assert_false(world.produces->duplicate);
}

static int start(void **state)
{
    (void)state;
    world = (struct world){.now_ns = 100 * SECOND};
    world.decoder = decoder_new();
    world.encoder = encoder_new();
    world.produces = malloc(sizeof *world.produces);
    world.says = malloc(sizeof *world.says);
    world.does = malloc(sizeof *world.does);
    assert_true(world.decoder && world.encoder && world.produces && world.says && world.does);
    start_producer();
    start_ventilator();
    start_worker();
    for (int i = 0; i < 10; i++) turn(0);
    return 0;
}

static int end(void **state)
{
    (void)state;
    for (int at = 0; at < ROLES; at++) {
        for (struct flight *flight; (flight = arrive((enum role_at)at)) != NULL;) free(flight);
        free(world.memory[at]);
    }
    decoder_destroy(&world.decoder);
    encoder_destroy(&world.encoder);
    free(world.produces);
    free(world.says);
    free(world.does);
    return 0;
}

static void they_cross_the_mesh_whole_and_everything_is_given_back(void **state)
{
    (void)state;
    /* Several in one message, one in a message of its own, and small ones among them. */
    static const uint32_t sizes[] = {20 * 1024, 100, 16 * 1024, 16 * 1024 - 1, LARGEST, 1};
    for (uint32_t task = 0; task < TASKS; task++) submit(task, sizes[task % 6]);
    for (int turns = 0; world.ended < TASKS; turns++) {
        assert_true(turns < 1000);
        turn(turns % 3 == 0 ? 0 : SLOTS);
    }
    for (int i = 0; i < 100; i++) turn(0); /* receipts, for what is kept until then */
    assert_int_equal(world.accepted, TASKS);
    assert_int_equal(world.results_kept, TASKS / 2); /* those of 16 KiB and more */
    for (int at = 0; at < ROLES; at++) {
        assert_true(world.borrowed[at] >= TASKS / 6);
        assert_int_equal(world.out[at], 0);
    }
}

static void a_producer_gives_back_at_its_end_what_nobody_took(void **state)
{
    (void)state;
    for (uint32_t task = 0; task < 10; task++) submit(task, 20 * 1024);
    assert_int_equal(world.out[AT_PRODUCER], 10);
    step_producer((struct producer_event){.kind = PRODUCER_STOP}, NULL);
    for (void *lender; (lender = producer_reclaim(world.producer)) != NULL; free(lender)) {
        world.out[AT_PRODUCER]--;
    }
    assert_int_equal(world.out[AT_PRODUCER], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(they_cross_the_mesh_whole_and_everything_is_given_back,
                                        start, end),
        cmocka_unit_test_setup_teardown(a_producer_gives_back_at_its_end_what_nobody_took, start,
                                        end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
