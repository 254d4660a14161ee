/* worker_mesh.c - the model around the worker. */
#include "worker_mesh.h"

#include "core/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

struct mesh_flight {
    struct mesh_flight *next;
    uint64_t at_ns;
    struct message message;
    uint32_t count;
    enum outcome *outcomes; /* of a COMPLETE, behind the leases */
    struct lease leases[];
};

static const struct bytes name = {.data = (const uint8_t *)"echo", .size = 4};

static struct lease lease_of(const struct mesh *mesh, uint32_t task)
{
    struct lease lease = {.attempt = mesh->tasks[task].attempt, .token = mesh->tasks[task].token};
    memcpy(lease.id.octets, &task, sizeof task);
    return lease;
}

static uint32_t task_of(const struct mesh *mesh, const struct lease *lease)
{
    uint32_t task;
    memcpy(&task, lease->id.octets, sizeof task);
    assert_true(task < mesh->task_count);
    return task;
}

static void flights_drop(struct mesh_flight **queue)
{
    while (*queue != NULL) {
        struct mesh_flight *flight = *queue;
        *queue = flight->next;
        free(flight);
    }
}

static struct mesh_flight *flight_new(const struct mesh *mesh, uint32_t link,
                                      struct mesh_flight **queue, size_t leases_max)
{
    struct mesh_flight *flight;
    size_t each = sizeof flight->leases[0] + sizeof flight->outcomes[0];
    flight = malloc(sizeof *flight + leases_max * each);
    assert_non_null(flight);
    flight->outcomes = (enum outcome *)(flight->leases + leases_max);
    flight->next = NULL;
    flight->count = 0;
    flight->at_ns = mesh->now_ns + mesh->ventilators[link].latency_ns;
    while (*queue != NULL) queue = &(*queue)->next;
    *queue = flight;
    return flight;
}

static bool misfortune(struct mesh *mesh)
{
    return random_up_to(&mesh->random, 999) < mesh->faults;
}

/* The connection breaks: what is under way is lost, in both directions. */
static void disconnect(struct mesh *mesh, uint32_t link)
{
    struct mesh_ventilator *ventilator = &mesh->ventilators[link];
    flights_drop(&ventilator->to_worker);
    flights_drop(&ventilator->to_ventilator);
    ventilator->connected = ventilator->open = false;
    ventilator->connects_ns = ventilator->closes_ns = INSTANT_NEVER;
    ventilator->worker_credit = ventilator->worker_received = 0;
}

static struct mesh_flight *say(struct mesh *mesh, uint32_t link, enum message_kind kind,
                               size_t leases_max)
{
    struct mesh_ventilator *ventilator = &mesh->ventilators[link];
    struct mesh_flight *flight = flight_new(mesh, link, &ventilator->to_worker, leases_max);
    bool counted = kind != MESSAGE_WELCOME && kind != MESSAGE_WHO;
    flight->message = (struct message){.kind = kind, .session = ventilator->session};
    if (counted) flight->message.sequence = ++ventilator->next_out;
    /* A number that is skipped is a message that was lost. */
    if (counted && misfortune(mesh)) ventilator->next_out++;
    return flight;
}

static void make_ready(struct mesh *mesh, uint32_t task)
{
    mesh->tasks[task].state = MESH_READY;
    mesh->tasks[task].live = false;
    mesh->ventilators[mesh->tasks[task].link].ready++;
}

/* Leases as many ready tasks as there is credit for. */
static void dispatch(struct mesh *mesh, uint32_t link)
{
    struct mesh_ventilator *ventilator = &mesh->ventilators[link];
    if (!ventilator->open || ventilator->ready == 0) return;
    if (ventilator->given >= ventilator->credit) return;

    struct mesh_flight *flight = say(mesh, link, MESSAGE_WORK, ventilator->ready);
    for (uint32_t i = 0; i < mesh->task_count; i++) {
        struct mesh_task *task = &mesh->tasks[i];
        if (task->link != link || task->state != MESH_READY) continue;
        if (ventilator->given == ventilator->credit || flight->count == MESSAGE_ITEMS_MAX) break;
        task->state = MESH_LEASED;
        task->live = true;
        task->attempt++;
        task->token = ++mesh->tokens;
        flight->leases[flight->count++] = lease_of(mesh, i);
        ventilator->given++;
        ventilator->ready--;
    }
    flight->message.u.work.backlog = ventilator->ready;
}

static void welcome(struct mesh *mesh, uint32_t link, const struct mesh_flight *hello)
{
    struct mesh_ventilator *ventilator = &mesh->ventilators[link];
    bool held[MESH_TASKS_MAX] = {false};
    ventilator->session = ++mesh->sessions;
    ventilator->open = true;
    ventilator->next_in = 1;
    ventilator->next_out = 0;
    ventilator->credit = ventilator->given = 0;
    ventilator->beat_ns = mesh->now_ns;

    struct mesh_flight *flight = say(mesh, link, MESSAGE_WELCOME, hello->count);
    struct message *message = &flight->message;
    message->u.welcome = (struct message_welcome){
        .heartbeat_ms = 1000, .lost_ms = 4000, .payload_bytes_max = MESSAGE_PAYLOAD_BYTES_MAX};
    message->u.welcome.node.octets[0] = (uint8_t)(1 + link);
    message->u.welcome.node.octets[1] = (uint8_t)ventilator->node;
    for (uint32_t i = 0; i < hello->count; i++) {
        const struct lease *lease = &hello->leases[i];
        uint32_t task = task_of(mesh, lease);
        struct mesh_task *entry = &mesh->tasks[task];
        if (entry->live && entry->token == lease->token)
            held[task] = true;
        else
            flight->leases[flight->count++] = *lease;
    }
    for (uint32_t i = 0; i < mesh->task_count; i++) {
        struct mesh_task *task = &mesh->tasks[i];
        if (task->link == link && task->state == MESH_LEASED && !held[i]) make_ready(mesh, i);
    }
}

static void complete(struct mesh *mesh, uint32_t link, const struct mesh_flight *flight)
{
    for (uint32_t i = 0; i < flight->count; i++) {
        struct mesh_task *task = &mesh->tasks[task_of(mesh, &flight->leases[i])];
        assert_int_equal(task->link, link);
        /* Nothing but this worker ends leases here, so none is ever stale. */
        assert_true(task->live && task->token == flight->leases[i].token);
        assert_int_equal(task->state, MESH_LEASED);
        if (flight->outcomes[i] == OUTCOME_RETURNED) {
            make_ready(mesh, task_of(mesh, &flight->leases[i]));
            mesh->ventilators[link].returned++;
            continue;
        }
        assert_int_equal(flight->outcomes[i], OUTCOME_DONE);
        task->state = MESH_DONE;
        task->live = false;
        mesh->ventilators[link].done++;
    }
    say(mesh, link, MESSAGE_RECEIPT, 0)->message.u.receipt.through = flight->message.sequence;
}

/* A message from the worker arrives at the ventilator of `link`. */
static void hear(struct mesh *mesh, uint32_t link, const struct mesh_flight *flight)
{
    struct mesh_ventilator *ventilator = &mesh->ventilators[link];
    const struct message *message = &flight->message;
    if (message->kind == MESSAGE_HELLO) {
        welcome(mesh, link, flight);
        return;
    }
    bool known = ventilator->open && message->session == ventilator->session;
    if (!known || message->sequence != ventilator->next_in || misfortune(mesh)) {
        say(mesh, link, MESSAGE_WHO, 0)->message.session = message->session;
        ventilator->open = false;
        return;
    }
    ventilator->next_in++;
    if (message->kind == MESSAGE_CREDIT) ventilator->credit = message->u.credit.tasks;
    if (message->kind == MESSAGE_COMPLETE) complete(mesh, link, flight);
}

/* The worker said `message`. */
static void carry(struct mesh *mesh, uint32_t link, const struct message *message)
{
    struct mesh_ventilator *ventilator = &mesh->ventilators[link];
    uint32_t count = 0;
    if (message->kind == MESSAGE_HELLO) count = message->u.hello.lease_count;
    if (message->kind == MESSAGE_COMPLETE) count = message->u.complete.count;
    struct mesh_flight *flight = flight_new(mesh, link, &ventilator->to_ventilator, count);
    flight->message = *message;
    flight->count = count;
    for (uint32_t i = 0; i < count; i++) {
        if (message->kind == MESSAGE_HELLO) {
            flight->leases[i] = message->u.hello.leases[i];
        } else {
            flight->outcomes[i] = message->u.complete.items[i].outcome;
            flight->leases[i] = message->u.complete.items[i].lease;
        }
    }
    if (message->kind == MESSAGE_CREDIT) {
        ventilator->worker_credit = message->u.credit.tasks;
        mesh->credits++;
    }
    if (misfortune(mesh)) {
        disconnect(mesh, link);
        ventilator->closes_ns = mesh->now_ns;
    }
}

static void check_table(const struct mesh *mesh)
{
    struct worker_counts counts;
    worker_counts(mesh->worker, &counts);
    uint64_t used = counts.held + (uint64_t)counts.owed;
    for (uint32_t i = 0; i < mesh->options.link_count; i++) {
        const struct mesh_ventilator *ventilator = &mesh->ventilators[i];
        /* What was taken back may be under way: the worker need not keep it. */
        if (ventilator->worker_credit > ventilator->worker_received)
            used += ventilator->worker_credit - ventilator->worker_received;
    }
    assert_true(used <= mesh->options.jobs_max);
}

/* It comes back when the pool runs next; what runs goes on. */
static void recall(struct mesh *mesh, uint32_t job)
{
    for (uint32_t i = mesh->pool_running; i < mesh->pool_count; i++) {
        if (mesh->pool[i].job == job) mesh->pool[i].recalled = true;
    }
}

static void perform(struct mesh *mesh, const struct worker_action *action)
{
    switch (action->kind) {
    case WORKER_OPEN:
        mesh->ventilators[action->link].connects_ns =
            mesh->now_ns + mesh->ventilators[action->link].latency_ns;
        break;
    case WORKER_SHUT: disconnect(mesh, action->link); break;
    case WORKER_SEND: carry(mesh, action->link, &action->message); break;
    case WORKER_RUN: {
        struct mesh_run *run = &mesh->pool[mesh->pool_count++];
        *run = (struct mesh_run){0};
        assert_true(mesh->pool_count < 2 * MESH_TASKS_MAX);
        run->job = action->job;
        run->task = task_of(mesh, &action->assignment.lease);
        break;
    }
    case WORKER_RECALL:
    case WORKER_KILL: recall(mesh, action->job); break;
    case WORKER_HUNG:
    case WORKER_ASKED_TO_DRAIN:
    case WORKER_REFUSED: fail(); break;
    case WORKER_TELL:
    case WORKER_OPENED:
    case WORKER_LOST: break;
    }
}

static void step(struct mesh *mesh, struct worker_event event)
{
    event.now_ns = mesh->now_ns;
    worker_step(mesh->worker, &event, mesh->out);
    for (uint32_t i = 0; i < mesh->out->count; i++) {
        const struct worker_action *action = &mesh->out->actions[i];
        bool connected = mesh->ventilators[action->link].connected;
        if (action->kind != WORKER_SEND || connected) perform(mesh, action);
    }
}

static void finish(struct mesh *mesh, const struct finished *finished)
{
    step(mesh,
         (struct worker_event){.kind = WORKER_FINISHED, .finished = finished, .finished_count = 1});
}

static void deliver(struct mesh *mesh, uint32_t link, struct mesh_flight *flight)
{
    struct mesh_ventilator *ventilator = &mesh->ventilators[link];
    struct message *message = &flight->message;
    struct assignment *items = calloc(flight->count + 1, sizeof *items);
    assert_non_null(items);
    if (message->kind == MESSAGE_WELCOME) {
        message->u.welcome.drops = flight->leases;
        message->u.welcome.drop_count = flight->count;
    } else if (message->kind == MESSAGE_WORK) {
        for (uint32_t i = 0; i < flight->count; i++) {
            items[i] = (struct assignment){
                .lease = flight->leases[i], .name = name, .payload = bytes_text("x")};
        }
        message->u.work.items = items;
        message->u.work.count = flight->count;
        ventilator->worker_received += flight->count;
    }
    step(mesh, (struct worker_event){.kind = WORKER_MESSAGE, .link = link, .message = message});
    free(items);
}

static struct mesh_flight *arrive(const struct mesh *mesh, struct mesh_flight **queue)
{
    struct mesh_flight *flight = *queue;
    if (flight == NULL || flight->at_ns > mesh->now_ns) return NULL;
    *queue = flight->next;
    return flight;
}

static void give_back(struct mesh *mesh)
{
    for (uint32_t i = mesh->pool_running; i < mesh->pool_count;) {
        struct mesh_run run = mesh->pool[i];
        if (!run.recalled) {
            i++;
            continue;
        }
        memmove(mesh->pool + i, mesh->pool + i + 1,
                (--mesh->pool_count - i) * sizeof mesh->pool[0]);
        finish(mesh, &(struct finished){.job = run.job, .outcome = OUTCOME_RETURNED});
    }
}

static void run_pool(struct mesh *mesh)
{
    give_back(mesh);
    for (uint32_t i = 0; i < mesh->pool_running;) {
        struct mesh_run run = mesh->pool[i];
        if (run.ends_ns > mesh->now_ns) {
            i++;
            continue;
        }
        memmove(mesh->pool + i, mesh->pool + i + 1,
                (--mesh->pool_count - i) * sizeof mesh->pool[0]);
        mesh->pool_running--;
        finish(mesh, &(struct finished){.job = run.job,
                                        .outcome = OUTCOME_DONE,
                                        .run_ns = mesh->tasks[run.task].run_ns});
    }
    while (mesh->pool_running < mesh->options.slots && mesh->pool_running < mesh->pool_count) {
        struct mesh_run *run = &mesh->pool[mesh->pool_running++];
        run->ends_ns = mesh->now_ns + mesh->tasks[run->task].run_ns;
        step(mesh, (struct worker_event){
                       .kind = WORKER_STARTED, .job = run->job, .began_ns = mesh->now_ns});
    }
}

static void tend(struct mesh *mesh, uint32_t link)
{
    struct mesh_ventilator *ventilator = &mesh->ventilators[link];
    struct mesh_flight *flight;
    if (mesh->now_ns >= ventilator->closes_ns) {
        ventilator->closes_ns = INSTANT_NEVER;
        step(mesh, (struct worker_event){.kind = WORKER_CLOSED, .link = link});
    }
    if (mesh->now_ns >= ventilator->connects_ns) {
        ventilator->connects_ns = INSTANT_NEVER;
        ventilator->connected = true;
        step(mesh, (struct worker_event){.kind = WORKER_CONNECTED, .link = link});
    }
    while ((flight = arrive(mesh, &ventilator->to_ventilator)) != NULL) {
        hear(mesh, link, flight);
        free(flight);
    }
    dispatch(mesh, link);
    if (ventilator->open && mesh->now_ns >= ventilator->beat_ns) {
        ventilator->beat_ns = mesh->now_ns + SECOND;
        say(mesh, link, MESSAGE_HEARTBEAT, 0)->message.u.heartbeat.backlog =
            ventilator->given < ventilator->credit ? 0 : ventilator->ready;
    }
    while ((flight = arrive(mesh, &ventilator->to_worker)) != NULL) {
        deliver(mesh, link, flight);
        free(flight);
    }
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t next_event(const struct mesh *mesh)
{
    uint64_t next_ns = worker_deadline(mesh->worker);
    for (uint32_t i = 0; i < mesh->options.link_count; i++) {
        const struct mesh_ventilator *ventilator = &mesh->ventilators[i];
        if (ventilator->to_worker) next_ns = earlier(next_ns, ventilator->to_worker->at_ns);
        if (ventilator->to_ventilator) next_ns = earlier(next_ns, ventilator->to_ventilator->at_ns);
        if (ventilator->open) next_ns = earlier(next_ns, ventilator->beat_ns);
        next_ns = earlier(next_ns, ventilator->connects_ns);
        next_ns = earlier(next_ns, ventilator->closes_ns);
    }
    for (uint32_t i = 0; i < mesh->pool_running; i++) {
        next_ns = earlier(next_ns, mesh->pool[i].ends_ns);
    }
    return next_ns > mesh->now_ns ? next_ns : mesh->now_ns;
}

void mesh_pass(struct mesh *mesh, uint64_t duration_ns)
{
    uint64_t until_ns = mesh->now_ns + duration_ns;
    while (next_event(mesh) <= until_ns) {
        mesh->now_ns = next_event(mesh);
        for (uint32_t i = 0; i < mesh->options.link_count; i++) tend(mesh, i);
        run_pool(mesh);
        do {
            step(mesh, (struct worker_event){.kind = WORKER_TURN});
            mesh->turns++;
        } while (mesh->out->more);
        check_table(mesh);
    }
    mesh->now_ns = until_ns;
}

void mesh_restart(struct mesh *mesh, uint32_t link)
{
    struct mesh_ventilator *ventilator = &mesh->ventilators[link];
    disconnect(mesh, link);
    ventilator->node++;
    for (uint32_t i = 0; i < mesh->task_count; i++) {
        struct mesh_task *task = &mesh->tasks[i];
        if (task->link == link && task->state == MESH_LEASED) make_ready(mesh, i);
    }
    ventilator->closes_ns = mesh->now_ns;
}

void mesh_add(struct mesh *mesh, uint32_t link, uint32_t count, uint64_t run_ns)
{
    for (uint32_t i = 0; i < count; i++) {
        assert_true(mesh->task_count < MESH_TASKS_MAX);
        mesh->tasks[mesh->task_count++] = (struct mesh_task){.link = link, .run_ns = run_ns};
    }
    mesh->ventilators[link].ready += count;
    dispatch(mesh, link);
}

void mesh_start(struct mesh *mesh, const struct worker_options *options, uint64_t seed)
{
    memset(mesh, 0, sizeof *mesh);
    mesh->options = *options;
    mesh->options.seed = seed;
    mesh->now_ns = SECOND;
    mesh->random = seed;
    mesh->memory = calloc(1, worker_memory_bytes(options) + 64);
    mesh->out = malloc(sizeof *mesh->out);
    assert_non_null(mesh->memory);
    assert_non_null(mesh->out);
    uint8_t *aligned = (uint8_t *)mesh->memory + 64 - (uintptr_t)mesh->memory % 64;
    for (uint32_t i = 0; i < options->link_count; i++) {
        mesh->ventilators[i].latency_ns = MILLISECOND;
        disconnect(mesh, i);
    }
    mesh->worker = worker_init(aligned, &mesh->options, mesh->now_ns);
}

void mesh_end(struct mesh *mesh)
{
    for (uint32_t i = 0; i < mesh->options.link_count; i++) disconnect(mesh, i);
    free(mesh->out);
    free(mesh->memory);
}
