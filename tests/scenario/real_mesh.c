/* real_mesh.c - cores, pools, and what is under way between them. */
#include "real_mesh.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* The links of a ventilator: one for each worker, and one for its producer. */
enum { LINK_WORKER = 1, LINK_PRODUCER = 100 };

enum flight_kind { FLIGHT_CONNECTED, FLIGHT_MESSAGE };

struct real_flight {
    struct real_flight *next;
    uint64_t at_ns;
    enum flight_kind kind;
    uint32_t link; /* of the receiver */
    uint32_t size;
    uint8_t bytes[];
};

static const struct bytes name = {.data = (const uint8_t *)"echo", .size = 4};
static const struct bytes queue = {.data = (const uint8_t *)"default", .size = 7};

static void fly(struct real_mesh *mesh, struct real_flight **inbox, enum flight_kind kind,
                uint32_t link, struct bytes bytes)
{
    struct real_flight *flight = malloc(sizeof *flight + bytes.size);
    assert_non_null(flight);
    *flight = (struct real_flight){
        .at_ns = mesh->now_ns + mesh->latency_ns, .kind = kind, .link = link, .size = bytes.size};
    if (bytes.size > 0) memcpy(flight->bytes, bytes.data, bytes.size);
    while (*inbox != NULL) inbox = &(*inbox)->next;
    *inbox = flight;
}

static void send(struct real_mesh *mesh, struct real_flight **inbox, uint32_t link,
                 const struct message *message)
{
    struct bytes bytes;
    assert_int_equal(wire_encode(mesh->encoder, message, &bytes), WIRE_OK);
    fly(mesh, inbox, FLIGHT_MESSAGE, link, bytes);
}

static struct real_flight *arrive(const struct real_mesh *mesh, struct real_flight **inbox)
{
    struct real_flight *flight = *inbox;
    if (flight == NULL || flight->at_ns > mesh->now_ns) return NULL;
    *inbox = flight->next;
    return flight;
}

static void decode(struct real_mesh *mesh, const struct real_flight *flight,
                   struct message *message)
{
    struct bytes bytes = bytes_of(flight->bytes, flight->size);
    assert_int_equal(wire_decode(mesh->decoder, bytes, message), WIRE_OK);
}

/* What the producer has to know of what it is told. */
static void produce(struct real_mesh *mesh, uint32_t ventilator, const struct message *message)
{
    (void)mesh;
    if (message->kind == MESSAGE_WELCOME) {
        mesh->ventilators[ventilator].session = message->session;
    }
    if (message->kind == MESSAGE_ACCEPT) assert_int_equal(message->u.accept.count, 0);
}

static void ventilator_acts(struct real_mesh *mesh, uint32_t ventilator,
                            const struct ventilator_event *event)
{
    ventilator_step(mesh->ventilators[ventilator].core, event, mesh->says);
    for (uint32_t at = 0; at < mesh->says->send_count; at++) {
        const struct ventilator_send *said = &mesh->says->sends[at];
        if (said->link == LINK_PRODUCER)
            produce(mesh, ventilator, &said->message);
        else
            send(mesh, &mesh->workers[said->link - LINK_WORKER].inbox, ventilator, &said->message);
    }
}

static void tend_ventilator(struct real_mesh *mesh, uint32_t at)
{
    struct real_ventilator *ventilator = &mesh->ventilators[at];
    struct real_flight *flight;
    while ((flight = arrive(mesh, &ventilator->inbox)) != NULL) {
        struct message message;
        decode(mesh, flight, &message);
        ventilator_acts(mesh, at,
                        &(struct ventilator_event){.kind = VENTILATOR_MESSAGE,
                                                   .now_ns = mesh->now_ns,
                                                   .link = flight->link,
                                                   .passage = PASSAGE_FRONT,
                                                   .message = &message});
        free(flight);
    }
    do {
        ventilator_acts(
            mesh, at, &(struct ventilator_event){.kind = VENTILATOR_TURN, .now_ns = mesh->now_ns});
    } while (mesh->says->more);
}

static void worker_acts(struct real_mesh *mesh, uint32_t at, struct worker_event event);

/* The pool takes the run out, and the core hears what became of it. */
static void leave(struct real_mesh *mesh, uint32_t at, uint32_t run, enum outcome outcome)
{
    struct real_worker *worker = &mesh->workers[at];
    struct real_run left = worker->runs[run];
    if (left.ends_ns != 0) worker->running--;
    worker->count--;
    memmove(worker->runs + run, worker->runs + run + 1,
            (worker->count - run) * sizeof worker->runs[0]);
    if (outcome == OUTCOME_DONE) mesh->done++;
    const struct finished finished = {
        .job = left.job, .outcome = outcome, .run_ns = outcome == OUTCOME_DONE ? left.run_ns : 0};
    worker_acts(
        mesh, at,
        (struct worker_event){.kind = WORKER_FINISHED, .finished = &finished, .finished_count = 1});
}

static void perform(struct real_mesh *mesh, uint32_t at, const struct worker_action *action,
                    uint32_t *recalled, uint32_t *recalled_count)
{
    struct real_worker *worker = &mesh->workers[at];
    struct real_flight **inbox = &mesh->ventilators[action->link].inbox;
    switch (action->kind) {
    case WORKER_OPEN:
        fly(mesh, &worker->inbox, FLIGHT_CONNECTED, action->link, (struct bytes){.size = 0});
        break;
    case WORKER_SEND: send(mesh, inbox, LINK_WORKER + at, &action->message); break;
    case WORKER_RUN: {
        struct bytes payload = action->assignment.payload;
        struct real_run *run = &worker->runs[worker->count++];
        assert_true(worker->count < REAL_JOBS_MAX);
        *run = (struct real_run){.job = action->job};
        assert_int_equal(payload.size, sizeof run->run_ns);
        memcpy(&run->run_ns, payload.data, sizeof run->run_ns);
        break;
    }
    case WORKER_RECALL: recalled[(*recalled_count)++] = action->job; break;
    case WORKER_OPENED: break;
    case WORKER_SHUT:
    case WORKER_TELL:
    case WORKER_KILL:
    case WORKER_HUNG:
    case WORKER_ASKED_TO_DRAIN:
    case WORKER_REFUSED:
    case WORKER_LOST: fail_msg("nothing goes wrong here, but for action %d", (int)action->kind);
    }
}

static void worker_acts(struct real_mesh *mesh, uint32_t at, struct worker_event event)
{
    struct real_worker *worker = &mesh->workers[at];
    uint32_t recalled[REAL_JOBS_MAX], count = 0;
    event.now_ns = mesh->now_ns;
    worker_step(worker->core, &event, mesh->does);
    bool more = mesh->does->more;
    for (uint32_t i = 0; i < mesh->does->count; i++) {
        perform(mesh, at, &mesh->does->actions[i], recalled, &count);
    }
    while (count > 0) {
        count--;
        for (uint32_t run = worker->running; run < worker->count; run++) {
            if (worker->runs[run].job != recalled[count]) continue;
            leave(mesh, at, run, OUTCOME_RETURNED);
            break;
        }
    }
    mesh->does->more = more;
}

static void begin_runs(struct real_mesh *mesh, uint32_t at)
{
    struct real_worker *worker = &mesh->workers[at];
    while (worker->running < worker->slots && worker->running < worker->count) {
        struct real_run *run = &worker->runs[worker->running++];
        run->ends_ns = mesh->now_ns + run->run_ns;
        mesh->begun++;
        worker_acts(mesh, at,
                    (struct worker_event){
                        .kind = WORKER_STARTED, .job = run->job, .began_ns = mesh->now_ns});
    }
}

static void tend_worker(struct real_mesh *mesh, uint32_t at)
{
    struct real_worker *worker = &mesh->workers[at];
    struct real_flight *flight;
    while ((flight = arrive(mesh, &worker->inbox)) != NULL) {
        struct message message;
        struct worker_event event = {.kind = WORKER_CONNECTED, .link = flight->link};
        if (flight->kind == FLIGHT_MESSAGE) {
            decode(mesh, flight, &message);
            event.kind = WORKER_MESSAGE;
            event.message = &message;
        }
        worker_acts(mesh, at, event);
        free(flight);
    }
    for (uint32_t run = 0; run < worker->running;) {
        if (worker->runs[run].ends_ns <= mesh->now_ns)
            leave(mesh, at, run, OUTCOME_DONE);
        else
            run++;
    }
    begin_runs(mesh, at);
    do worker_acts(mesh, at, (struct worker_event){.kind = WORKER_TURN});
    while (mesh->does->more);
    begin_runs(mesh, at);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t next_event(const struct real_mesh *mesh)
{
    uint64_t next_ns = INSTANT_NEVER;
    for (uint32_t at = 0; at < mesh->ventilator_count; at++) {
        const struct real_ventilator *ventilator = &mesh->ventilators[at];
        next_ns = earlier(next_ns, ventilator_deadline(ventilator->core));
        if (ventilator->inbox != NULL) next_ns = earlier(next_ns, ventilator->inbox->at_ns);
    }
    for (uint32_t at = 0; at < mesh->worker_count; at++) {
        const struct real_worker *worker = &mesh->workers[at];
        next_ns = earlier(next_ns, worker_deadline(worker->core));
        if (worker->inbox != NULL) next_ns = earlier(next_ns, worker->inbox->at_ns);
        for (uint32_t run = 0; run < worker->running; run++) {
            next_ns = earlier(next_ns, worker->runs[run].ends_ns);
        }
    }
    return next_ns > mesh->now_ns ? next_ns : mesh->now_ns;
}

/* What lies in a pool waits as well as what lies with a ventilator. */
static void measure(struct real_mesh *mesh, uint64_t until_ns)
{
    uint64_t slots = 0, running = 0, waiting = mesh->submitted - mesh->begun;
    for (uint32_t at = 0; at < mesh->worker_count; at++) {
        slots += mesh->workers[at].slots;
        running += mesh->workers[at].running;
    }
    uint64_t idle = slots - running;
    if (waiting == 0) return;
    mesh->slots_ns += slots * (until_ns - mesh->now_ns);
    mesh->idle_ns += (idle < waiting ? idle : waiting) * (until_ns - mesh->now_ns);
}

/* One event, if there is one until then. */
static bool go_on(struct real_mesh *mesh, uint64_t until_ns)
{
    uint64_t next_ns = next_event(mesh);
    measure(mesh, earlier(next_ns, until_ns));
    mesh->now_ns = earlier(next_ns, until_ns);
    if (next_ns > until_ns) return false;
    for (uint32_t at = 0; at < mesh->ventilator_count; at++) tend_ventilator(mesh, at);
    for (uint32_t at = 0; at < mesh->worker_count; at++) tend_worker(mesh, at);
    return true;
}

void real_mesh_pass(struct real_mesh *mesh, uint64_t duration_ns)
{
    uint64_t until_ns = mesh->now_ns + duration_ns;
    while (go_on(mesh, until_ns)) {
    }
}

void real_mesh_pass_until(struct real_mesh *mesh, uint32_t done, uint64_t duration_ns)
{
    uint64_t until_ns = mesh->now_ns + duration_ns;
    while (mesh->done < done) {
        if (!go_on(mesh, until_ns)) fail_msg("only %u of %u are done", mesh->done, done);
    }
}

static void submit(struct real_mesh *mesh, uint32_t at, struct message *message)
{
    struct real_ventilator *ventilator = &mesh->ventilators[at];
    message->session = ventilator->session;
    message->sequence = message->kind == MESSAGE_HELLO ? 0 : ++ventilator->sequence;
    send(mesh, &ventilator->inbox, LINK_PRODUCER, message);
}

void real_mesh_submit(struct real_mesh *mesh, uint32_t ventilator, uint64_t run_ns)
{
    struct submission item = {.name = name,
                              .payload = bytes_of((const uint8_t *)&run_ns, sizeof run_ns)};
    mesh->submitted++;
    memcpy(item.id.octets, &mesh->submitted, sizeof mesh->submitted);
    struct message message = {.kind = MESSAGE_SUBMIT};
    message.u.submit = (struct message_submit){
        .batch = ++mesh->ventilators[ventilator].batch, .items = &item, .count = 1};
    submit(mesh, ventilator, &message);
}

static void *place(void **memory, size_t bytes)
{
    *memory = calloc(1, bytes + 64);
    assert_non_null(*memory);
    return (uint8_t *)*memory + 64 - (uintptr_t)*memory % 64;
}

static void start_ventilator(struct real_mesh *mesh, uint32_t at)
{
    struct real_ventilator *ventilator = &mesh->ventilators[at];
    struct ventilator_options options = ventilator_defaults();
    options.node.octets[0] = 'v';
    options.node.octets[1] = (uint8_t)at;
    options.seed = at;
    options.software = bytes_text("tmesh test");
    options.tasks_max = REAL_JOBS_MAX;
    options.store_bytes_max = 16 * 1024 * 1024;
    options.peers_max = 32;
    options.ended_max = REAL_JOBS_MAX;
    options.dead_letters_max = 16;
    ventilator->core = ventilator_init(
        place(&ventilator->memory, ventilator_memory_bytes(&options)), &options, mesh->now_ns);
    struct message hello = {.kind = MESSAGE_HELLO};
    hello.u.hello = (struct message_hello){
        .role = ROLE_PRODUCER, .minor = MESSAGE_VERSION_MINOR, .software = name, .label = name};
    hello.u.hello.node.octets[0] = 'p';
    submit(mesh, at, &hello);
}

static void start_worker(struct real_mesh *mesh, uint32_t at, uint32_t slots)
{
    struct real_worker *worker = &mesh->workers[at];
    struct worker_options options = worker_defaults();
    options.node.octets[0] = 'w';
    options.node.octets[1] = (uint8_t)at;
    options.seed = at;
    options.software = options.label = bytes_text("tmesh test");
    options.names = &name;
    options.queues = &queue;
    options.name_count = options.queue_count = 1;
    options.slots = worker->slots = slots;
    options.link_count = mesh->ventilator_count;
    options.store_bytes_max = 16 * 1024 * 1024;
    worker->core =
        worker_init(place(&worker->memory, worker_memory_bytes(&options)), &options, mesh->now_ns);
}

void real_mesh_start(struct real_mesh *mesh, uint32_t ventilators, uint32_t workers, uint32_t slots)
{
    memset(mesh, 0, sizeof *mesh);
    mesh->ventilator_count = ventilators;
    mesh->worker_count = workers;
    mesh->now_ns = 100 * SECOND;
    mesh->latency_ns = MILLISECOND / 2;
    mesh->decoder = decoder_new();
    mesh->encoder = encoder_new();
    mesh->says = malloc(sizeof *mesh->says);
    mesh->does = malloc(sizeof *mesh->does);
    assert_true(mesh->decoder && mesh->encoder && mesh->says && mesh->does);
    for (uint32_t at = 0; at < ventilators; at++) start_ventilator(mesh, at);
    for (uint32_t at = 0; at < workers; at++) start_worker(mesh, at, slots);
    real_mesh_pass(mesh, 10 * MILLISECOND);
}

static void drop_inbox(struct real_flight **inbox)
{
    while (*inbox != NULL) {
        struct real_flight *flight = *inbox;
        *inbox = flight->next;
        free(flight);
    }
}

void real_mesh_end(struct real_mesh *mesh)
{
    for (uint32_t at = 0; at < mesh->ventilator_count; at++) {
        drop_inbox(&mesh->ventilators[at].inbox);
        free(mesh->ventilators[at].memory);
    }
    for (uint32_t at = 0; at < mesh->worker_count; at++) {
        drop_inbox(&mesh->workers[at].inbox);
        free(mesh->workers[at].memory);
    }
    decoder_destroy(&mesh->decoder);
    encoder_destroy(&mesh->encoder);
    free(mesh->says);
    free(mesh->does);
}
