/* node_worker.c - a worker's process: what src/node/worker.c is, on virtual time. */
#include "chance.h"
#include "checker.h"
#include "checker_limit.h"
#include "mesh.h"

enum { TURN_ARRIVALS_MAX = 256 };

static void perform(struct mesh *mesh, struct node *node)
{
    const struct worker_actions *actions = mesh->desk.worker;
    for (uint32_t at = 0; at < actions->count; at++) {
        const struct worker_action *action = &actions->actions[at];
        switch (action->kind) {
        case WORKER_OPEN: node_open(mesh, node, action->link, PASSAGE_FRONT); break;
        case WORKER_SHUT: node_shut(mesh, node, action->link); break;
        case WORKER_SEND:
            checker_worker_says(mesh, node, &action->message);
            (void)node_send(mesh, node, action->link, PASSAGE_FRONT, &action->message);
            break;
        case WORKER_RUN: pool_submit(mesh, node, action->job, &action->assignment); break;
        case WORKER_RECALL: pool_recall(&node->worker.pool, action->job); break;
        case WORKER_TELL: pool_tell(mesh, node, action->job, action->cause); break;
        case WORKER_KILL: pool_kill(mesh, node, action->job, action->cause); break;
        case WORKER_ASKED_TO_DRAIN: node->worker.asked_to_drain = true; break;
        case WORKER_HUNG:
        case WORKER_REFUSED:
        case WORKER_OPENED:
        case WORKER_LOST: break;
        }
    }
}

static void step(struct mesh *mesh, struct node *node, const struct worker_event *event)
{
    mesh->counts.steps++;
    worker_step(node->worker.core, event, mesh->desk.worker);
    perform(mesh, node);
}

static void step_until_done(struct mesh *mesh, struct node *node, enum worker_event_kind kind,
                            uint64_t now_ns)
{
    uint32_t times = 0;
    do {
        step(mesh, node, &(struct worker_event){.kind = kind, .now_ns = now_ns});
    } while (mesh->desk.worker->more && checker_may_go_on(mesh, node, ++times));
}

static void take(struct mesh *mesh, struct node *node, const struct parcel *parcel, uint64_t now_ns)
{
    struct worker_event event = {.now_ns = now_ns, .link = parcel->from};
    struct message message;
    struct line *line = node_line(node, parcel);
    if (line == NULL) return; /* its socket was closed meanwhile */
    const struct node *other = &mesh->nodes[parcel->from];
    switch (parcel->kind) {
    case PARCEL_CONNECTED:
        node_line_up(line, parcel);
        event.kind = WORKER_CONNECTED;
        break;
    case PARCEL_END:
        *line = (struct line){0};
        event.kind = WORKER_CLOSED;
        break;
    case PARCEL_MESSAGE: {
        enum wire_error error =
            wire_decode(mesh->desk.decoder, bytes_of(parcel->bytes, parcel->size), &message);
        event.kind = error == WIRE_OK ? WORKER_MESSAGE : WORKER_CLOSED;
        event.message = &message;
        break;
    }
    }
    if (story_is_told(mesh)) {
        if (event.kind == WORKER_MESSAGE) {
            story_message(mesh, node, STORY_HEARS, other, &message);
        } else {
            story_tell(mesh, "%s < %s %s", node->name, other->name,
                       event.kind == WORKER_CONNECTED ? "connected" : "closed");
        }
    }
    step(mesh, node, &event);
}

static void tell_starts(struct mesh *mesh, struct node *node, uint64_t now_ns)
{
    struct pool_job started;
    while (pool_started(&node->worker.pool, &started)) {
        step(mesh, node,
             &(struct worker_event){.kind = WORKER_STARTED,
                                    .now_ns = now_ns,
                                    .job = started.job,
                                    .began_ns = started.began_ns});
    }
}

static void tell_signs_of_life(struct mesh *mesh, struct node *node, uint64_t now_ns)
{
    static const struct bytes text = {(const uint8_t *)"so far", 6};
    for (uint32_t slot = 0; slot < POOL_SLOTS_MAX; slot++) {
        const struct pool_job *run = pool_show_life(mesh, &node->worker.pool, slot, now_ns);
        if (run == NULL) continue;
        step(mesh, node,
             &(struct worker_event){.kind = WORKER_PROGRESS,
                                    .now_ns = now_ns,
                                    .job = run->job,
                                    .told_ns = now_ns,
                                    .number = run->number,
                                    .text = text});
    }
}

static void take_finished(struct mesh *mesh, struct node *node, uint64_t now_ns)
{
    struct pool_job done;
    while (pool_collect(&node->worker.pool, &done)) {
        struct finished finished = {.job = done.job,
                                    .outcome = done.outcome,
                                    .retry_after_ms = done.retry_after_ms,
                                    .run_ns = done.run_ns};
        if (done.outcome != OUTCOME_RETURNED) {
            struct bytes made = ledger_outcome(&done.lease);
            if (done.outcome == OUTCOME_DONE)
                finished.result = made;
            else
                finished.text = made;
        }
        step(mesh, node,
             &(struct worker_event){.kind = WORKER_FINISHED,
                                    .now_ns = now_ns,
                                    .finished = &finished,
                                    .finished_count = 1});
    }
}

void worker_node_rise(struct mesh *mesh, struct node *node)
{
    static const struct bytes software = {(const uint8_t *)"simulated", 9};
    struct worker_options options = worker_defaults();
    struct worker_node *worker = &node->worker;
    options.node = node->id;
    options.seed = random_next(&mesh->chance);
    options.software = options.label = software;
    for (uint32_t name = 0; name < NAMES_MAX; name++) {
        if ((worker->names & 1U << name) == 0) continue;
        worker->name_texts[options.name_count++] = ledger_name(name);
    }
    for (uint32_t queue = 0; queue < QUEUES_MAX; queue++) {
        if ((worker->queues & 1U << queue) == 0) continue;
        worker->queue_texts[options.queue_count++] = ledger_queue(queue);
    }
    options.names = worker->name_texts;
    options.queues = worker->queue_texts;
    options.slots = (uint32_t)chance_between(&mesh->chance, 1, mesh->plan.slots);
    options.link_count = mesh->plan.ventilators;
    options.jobs_max = mesh->plan.jobs_max;
    options.store_bytes_max = 16 << 20;
    void *memory = node_memory(mesh, node, worker_memory_bytes(&options));
    worker->core = worker_init(memory, &options, node_now(mesh, node));
    pool_open(&worker->pool, options.slots);
    worker->asked_to_drain = false;
}

/* Whether it may stop: nothing is held and nothing owed, or its time is over. */
static bool is_drained(const struct mesh *mesh, const struct node *node)
{
    struct worker_counts counts;
    worker_counts(node->worker.core, &counts);
    return counts.held + counts.owed == 0 || mesh->now_ns >= node->drain_until_ns;
}

uint64_t worker_node_turn(struct mesh *mesh, struct node *node, uint64_t now_ns)
{
    for (uint32_t taken = 0; taken < TURN_ARRIVALS_MAX; taken++) {
        struct parcel *parcel = parcel_take(&node->inbox);
        if (parcel == NULL) break;
        take(mesh, node, parcel, now_ns);
        parcel_free(parcel);
    }
    tell_starts(mesh, node, now_ns);
    tell_signs_of_life(mesh, node, now_ns);
    take_finished(mesh, node, now_ns);
    step_until_done(mesh, node, WORKER_TURN, now_ns);
    checker_limit_turn(mesh, node, now_ns);
    if (node->worker.asked_to_drain) node_drain(mesh, node);
    uint64_t due_ns = worker_deadline(node->worker.core);
    if (!node->draining) return due_ns;
    if (!is_drained(mesh, node)) {
        uint64_t look_ns = now_ns + 100 * MILLISECOND;
        return due_ns < look_ns ? due_ns : look_ns;
    }
    step_until_done(mesh, node, WORKER_STOP, now_ns);
    node_fall(mesh, node, FALL_STOPPED);
    return INSTANT_NEVER;
}

void worker_node_drain(struct mesh *mesh, struct node *node)
{
    step_until_done(mesh, node, WORKER_DRAIN, node_now(mesh, node));
    pool_withdraw(mesh, node);
}
