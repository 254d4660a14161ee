/* worker.c - one step of the worker, and when it wants the next.
 *
 * Owns: the order in which a turn goes through its links, and the memory.
 * Not here: sessions, leases, credit; see worker_state.h for who has them.
 */
#include "worker_state.h"

#include <assert.h>

/* A turn this much later than we asked for was held up by our own machine. */
static const uint64_t LATE_NS = 500 * MILLISECOND;

struct worker_options worker_defaults(void)
{
    return (struct worker_options){
        .jobs_max = 16384,
        .store_bytes_max = 256ULL * 1024 * 1024,
        .ahead_ns = 10 * MILLISECOND,
    };
}

static struct worker *lay_out(struct arena *arena, const struct worker_options *options,
                              struct worker *parts)
{
    struct worker *worker = arena_take(arena, 1, sizeof *worker);
    parts->links = arena_take(arena, options->link_count, sizeof *parts->links);
    parts->jobs = arena_take(arena, options->jobs_max, sizeof *parts->jobs);
    parts->progress = arena_take(arena, options->jobs_max, sizeof *parts->progress);
    index_init(&parts->index, arena, options->jobs_max, options->seed);
    heap_init(&parts->alarms, arena, options->jobs_max);
    heap_init(&parts->reports, arena, options->jobs_max);
    store_init(&parts->store, arena, options->store_bytes_max);
    return worker;
}

size_t worker_memory_bytes(const struct worker_options *options)
{
    struct arena arena = {.base = NULL};
    struct worker parts = {.held = 0};
    lay_out(&arena, options, &parts);
    return arena.used;
}

static void link_init(struct worker_link *link, uint64_t now_ns)
{
    uplink_init(&link->uplink, now_ns);
    const struct worker_list empty = {.first = JOB_NONE, .last = JOB_NONE};
    link->waiting = link->begun = link->owed = empty;
    link->unsent = JOB_NONE;
}

struct worker *worker_init(void *memory, const struct worker_options *options, uint64_t now_ns)
{
    assert(options->slots > 0 && options->slots <= WORKER_CAPACITY_MAX);
    assert(options->link_count <= WORKER_LINKS_MAX);
    assert(options->jobs_max >= options->slots + 2 * options->link_count);

    struct arena arena = {.base = memory, .size = worker_memory_bytes(options)};
    struct worker parts = {
        .options = *options,
        .turn = {.last_ns = now_ns},
        .now_ns = now_ns,
        .due_ns = now_ns,
        .stirred_ns = now_ns,
        .random = options->seed,
        .ahead_ns = options->ahead_ns,
        .young = {.first = JOB_NONE, .last = JOB_NONE},
    };
    struct worker *worker = lay_out(&arena, options, &parts);
    *worker = parts;
    for (uint32_t i = 0; i < options->link_count; i++) link_init(&worker->links[i], now_ns);
    return worker;
}

struct worker_action *worker_act(struct worker_actions *out, enum worker_action_kind kind,
                                 uint32_t link)
{
    assert(out->count < WORKER_ACTIONS_MAX);
    struct worker_action *action = &out->actions[out->count++];
    action->kind = kind; /* what the kind has besides is the caller's to fill in */
    action->link = link;
    return action;
}

struct message *worker_send(struct worker *worker, struct worker_actions *out, uint32_t link,
                            enum message_kind kind)
{
    struct worker_action *action = worker_act(out, WORKER_SEND, link);
    action->message = (struct message){.kind = kind};
    uplink_stamp(&worker->links[link].uplink, kind, &action->message, worker->now_ns);
    return &action->message;
}

/* Whoever asks again, or for another grace: it drains already. */
static void on_drain(struct worker *worker, uint32_t link, const struct message_drain *drain,
                     struct worker_actions *out)
{
    if (worker->asked_to_drain) return;
    worker->asked_to_drain = true;
    worker_act(out, WORKER_ASKED_TO_DRAIN, link)->grace_ms = drain->grace_ms;
}

static void hear(struct worker *worker, uint32_t link, const struct message *message,
                 struct worker_actions *out)
{
    if (!worker_session_receive(worker, link, message, out)) return;
    if (message->kind == MESSAGE_WORK) {
        worker_work_receive(worker, link, &message->u.work, out);
    } else if (message->kind == MESSAGE_RECEIPT) {
        worker_work_receipt(worker, link, message->u.receipt.through);
    } else if (message->kind == MESSAGE_HEARTBEAT) {
        worker_credit_told(worker, link, message->u.heartbeat.backlog);
    } else if (message->kind == MESSAGE_REVOKE) {
        worker_revoke_receive(worker, link, &message->u.revoke, out);
    } else if (message->kind == MESSAGE_RECALL) {
        worker_revoke_recall(worker, link, &message->u.recall, out);
    } else if (message->kind == MESSAGE_DRAIN) {
        on_drain(worker, link, &message->u.drain, out);
    }
}

static uint64_t earlier(uint64_t a_ns, uint64_t b_ns)
{
    return a_ns < b_ns ? a_ns : b_ns;
}

/* From here on, unless something happens. */
static uint64_t next_due(const struct worker *worker)
{
    if (worker->stopped) return INSTANT_NEVER;
    uint64_t due_ns = earlier(worker->stirred_ns, worker_credit_deadline(worker));
    due_ns = earlier(due_ns, worker_limit_deadline(worker));
    due_ns = earlier(due_ns, worker_progress_deadline(worker));
    for (uint32_t i = 0; i < worker->options.link_count; i++) {
        due_ns = earlier(due_ns, uplink_deadline(&worker->links[i].uplink, &worker->turn));
        due_ns = earlier(due_ns, worker_beat_deadline(worker, i));
        due_ns = earlier(due_ns, worker_surplus_deadline(worker, i));
    }
    return due_ns;
}

/* Everything that is due, for every link; heartbeats last, because whatever
 * else was said to a ventilator stands for one. */
static void on_turn(struct worker *worker, struct worker_actions *out)
{
    worker->stirred_ns = INSTANT_NEVER;

    if (!worker->stopped) {
        uint32_t link_count = worker->options.link_count;
        for (uint32_t i = 0; i < link_count; i++) worker_session_doubt(worker, i, out);
        worker_pace_tick(worker);
        worker_limit_tick(worker, out);
        worker_surplus_tick(worker, out);
        worker_progress_tell(worker, out);
        for (uint32_t i = 0; i < link_count; i++) worker_work_complete(worker, i, out);
        worker_credit_grant(worker, out);
        for (uint32_t i = 0; i < link_count; i++) worker_session_tick(worker, i, out);
        for (uint32_t i = 0; i < link_count; i++) worker_beat_tick(worker, i, out);
    }
    if (out->more) worker->stirred_ns = worker->now_ns;
    worker->due_ns = next_due(worker);
}

static void on_finished(struct worker *worker, const struct worker_event *event)
{
    for (uint32_t i = 0; i < event->finished_count; i++)
        worker_work_finished(worker, &event->finished[i]);
}

static void note_time(struct worker *worker)
{
    uint64_t last_ns = worker->turn.last_ns;
    uint64_t planned_ns = worker->due_ns > last_ns ? worker->due_ns - last_ns : 0;
    turn_note(&worker->turn, instant_after(planned_ns, LATE_NS), worker->now_ns);
}

void worker_step(struct worker *worker, const struct worker_event *event,
                 struct worker_actions *out)
{
    assert(event->now_ns >= worker->now_ns);
    worker->now_ns = event->now_ns;
    note_time(worker);
    out->count = 0;
    out->more = out->borrowed = false;
    out->completion_count = 0;
    out->lease_count = 0;
    out->progress_count = 0;
    if (event->kind != WORKER_TURN && worker->stirred_ns == INSTANT_NEVER) {
        worker->stirred_ns = event->now_ns;
    }

    if (event->lender != NULL) store_offer(&worker->store, event->memory, event->lender);
    switch (event->kind) {
    case WORKER_CONNECTED: worker_session_connected(worker, event->link, out); break;
    case WORKER_CLOSED: worker_session_closed(worker, event->link, out); break;
    case WORKER_MESSAGE: hear(worker, event->link, event->message, out); break;
    case WORKER_STARTED: worker_work_started(worker, event); break;
    case WORKER_PROGRESS: worker_progress_heard(worker, event); break;
    case WORKER_FINISHED: on_finished(worker, event); break;
    case WORKER_TURN: on_turn(worker, out); break;
    case WORKER_DRAIN: worker->draining = true; break;
    case WORKER_STOP: worker_session_stop(worker, out); break;
    }
    if (event->lender != NULL) out->borrowed = store_took(&worker->store);
}

void *worker_returned(struct worker *worker)
{
    return store_returned(&worker->store);
}

/* Whatever happened since the last TURN wants another one at once. */
uint64_t worker_deadline(const struct worker *worker)
{
    if (worker->stopped) return INSTANT_NEVER;
    return earlier(worker->due_ns, worker->stirred_ns);
}

uint64_t worker_trusted_until(const struct worker *worker, uint32_t link)
{
    assert(link < worker->options.link_count);
    return uplink_trusted_until(&worker->links[link].uplink, &worker->turn);
}

void worker_counts(const struct worker *worker, struct worker_counts *counts)
{
    *counts = (struct worker_counts){
        .held = worker->held,
        .hung = worker->hung,
        .owed = worker->owed,
        .started = worker->started,
        .done = worker->done,
        .failed = worker->failed,
        .returned = worker->returned,
    };
    uint32_t busiest = worker->held < worker->options.slots ? worker->held : worker->options.slots;
    counts->running = worker->starts_told ? worker->running : busiest;
    for (uint32_t i = 0; i < worker->options.link_count; i++) {
        if (worker->links[i].uplink.state == UPLINK_OPEN) counts->links_open++;
    }
}
