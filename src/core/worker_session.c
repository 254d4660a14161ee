/* worker_session.c - sessions: what is said when one opens, and what a lost one
 * leaves behind.
 *
 * Owns: HELLO with the leases held, WELCOME with those that are over, BYE, and
 * carrying out what the uplink judges.  Not here: how it judges, and what becomes
 * of a lease that is over (worker_revoke.c).
 */
#include "planted.h"
#include "worker_state.h"

#include <assert.h>

static void list_leases(const struct worker *worker, const struct worker_list *list,
                        enum worker_chain chain, struct worker_actions *out)
{
    for (uint32_t job = list->first; job != JOB_NONE; job = worker->jobs[job].next[chain]) {
        if (out->lease_count == MESSAGE_ITEMS_MAX) return;
        out->leases[out->lease_count++] = worker->jobs[job].lease;
    }
}

/* Leases in the pool come first: they always fit.  One that finished and is not
 * listed runs again at worst; its completion is still sent, and often in time. */
void worker_session_connected(struct worker *worker, uint32_t link, struct worker_actions *out)
{
    struct worker_link *peer = &worker->links[link];
    if (worker->stopped || peer->uplink.state != UPLINK_CONNECTING) return;
    uplink_connected(&peer->uplink, worker->now_ns);

    const struct lease *leases = out->leases + out->lease_count;
    uint32_t before = out->lease_count;
    list_leases(worker, &peer->begun, CHAIN_STATE, out);
    list_leases(worker, &peer->waiting, CHAIN_RUN, out);
    list_leases(worker, &peer->owed, CHAIN_STATE, out);

    struct message *message = worker_send(worker, out, link, MESSAGE_HELLO);
    message->sequence = ++worker->hellos;
    message->u.hello = (struct message_hello){
        .role = ROLE_WORKER,
        .minor = MESSAGE_VERSION_MINOR,
        .node = worker->options.node,
        .software = worker->options.software,
        .label = worker->options.label,
        .slots = worker->options.slots,
        .names = worker->options.names,
        .name_count = worker->options.name_count,
        .queues = worker->options.queues,
        .queue_count = worker->options.queue_count,
        .leases = leases,
        .lease_count = out->lease_count - before,
    };
}

/* What was sent and not receipted may or may not have arrived: it is sent again. */
static void leave(struct worker *worker, uint32_t link, struct worker_actions *out)
{
    struct worker_link *peer = &worker->links[link];
    peer->unsent = peer->owed.first;
    worker_credit_reset(peer);
    worker_act(out, WORKER_SHUT, link);
}

static void lost(struct worker *worker, uint32_t link, enum uplink_state before,
                 struct worker_actions *out)
{
    leave(worker, link, out);
    if (before == UPLINK_OPEN) worker_act(out, WORKER_LOST, link);
}

void worker_session_closed(struct worker *worker, uint32_t link, struct worker_actions *out)
{
    struct uplink *uplink = &worker->links[link].uplink;
    enum uplink_state before = uplink->state;
    if (uplink_closed(uplink, &worker->random, worker->now_ns) == UPLINK_LOST) {
        lost(worker, link, before, out);
    }
}

/* The ventilator that gave these leases is no more, and nobody knows them.  What
 * runs may end, since nobody was given it instead, and keeps its limits. */
static void abandon(struct worker *worker, struct worker_link *peer, struct worker_actions *out)
{
    while (worker_link_held(peer) > 0) {
        uint32_t job = peer->begun.count > 0 ? peer->begun.first : peer->waiting.first;
        worker_job_recall(worker, job, out);
        worker_job_drop(worker, job);
        bool runs = worker->jobs[job].running && !planted(PLANTED_GONE_WITHOUT_LIMITS);
        if (runs) worker_limit_started(worker, job);
    }
    while (peer->owed.count > 0) worker_job_release(worker, peer->owed.first);
}

static void opened(struct worker *worker, uint32_t link, const struct message_welcome *welcome,
                   struct worker_actions *out)
{
    struct worker_link *peer = &worker->links[link];
    if (!id_equal(&peer->owner, &peer->uplink.ventilator)) abandon(worker, peer, out);
    peer->owner = peer->uplink.ventilator;
    for (uint32_t i = 0; i < welcome->drop_count; i++) {
        worker_revoke_lease(worker, link, &welcome->drops[i], out);
    }
    assert(peer->unsent == peer->owed.first);
    worker_credit_reset(peer);
    worker_pace_opened(peer);
    worker_beat_reset(peer);
    worker_act(out, WORKER_OPENED, link);
}

void worker_session_doubt(struct worker *worker, uint32_t link, struct worker_actions *out)
{
    struct uplink *uplink = &worker->links[link].uplink;
    enum uplink_state before = uplink->state;
    if (uplink_doubt(uplink, &worker->random, worker->now_ns) == UPLINK_LOST) {
        lost(worker, link, before, out);
    }
}

bool worker_session_receive(struct worker *worker, uint32_t link, const struct message *message,
                            struct worker_actions *out)
{
    struct uplink *uplink = &worker->links[link].uplink;
    if (worker->stopped) return false;
    worker_session_doubt(worker, link, out);
    enum uplink_state before = uplink->state;
    switch (uplink_receive(uplink, message, &worker->random, &worker->turn)) {
    case UPLINK_TAKE: return true;
    case UPLINK_OPENED: opened(worker, link, &message->u.welcome, out); return false;
    case UPLINK_LOST: lost(worker, link, before, out); return false;
    case UPLINK_REFUSED:
        lost(worker, link, before, out);
        worker_act(out, WORKER_REFUSED, link)->message = *message;
        return false;
    case UPLINK_IGNORE:
    case UPLINK_CONNECT:
    case UPLINK_BEAT: return false;
    }
    return false;
}

void worker_session_tick(struct worker *worker, uint32_t link, struct worker_actions *out)
{
    struct uplink *uplink = &worker->links[link].uplink;
    for (;;) {
        enum uplink_state before = uplink->state;
        switch (uplink_tick(uplink, &worker->random, &worker->turn)) {
        case UPLINK_CONNECT:
            uplink_opening(uplink, worker->now_ns);
            worker_act(out, WORKER_OPEN, link);
            break;
        case UPLINK_BEAT: worker_beat_say(worker, link, out); break;
        case UPLINK_LOST: lost(worker, link, before, out); break;
        case UPLINK_IGNORE:
        case UPLINK_TAKE:
        case UPLINK_OPENED:
        case UPLINK_REFUSED: return;
        }
    }
}

/* What is still in the pool is nobody's now: whatever runs is asked to end. */
static void tell_running(const struct worker *worker, struct worker_actions *out)
{
    for (uint32_t link = 0; link < worker->options.link_count; link++) {
        uint32_t job = worker->links[link].begun.first;
        for (; job != JOB_NONE; job = worker->jobs[job].next[CHAIN_STATE])
            worker_job_end(worker, WORKER_TELL, job, END_REVOKED, out);
    }
}

/* What is owed goes before the end.  Says `more` when it does not fit one step:
 * the links that are left then have their BYE in the next. */
void worker_session_stop(struct worker *worker, struct worker_actions *out)
{
    for (uint32_t link = 0; link < worker->options.link_count; link++) {
        struct uplink *uplink = &worker->links[link].uplink;
        if (uplink->state != UPLINK_OPEN) continue;
        worker_work_complete(worker, link, out);
        if (out->more) return;
        struct message *message = worker_send(worker, out, link, MESSAGE_BYE);
        message->u.bye.text = bytes_text("the worker stops");
        uplink_closed(uplink, &worker->random, worker->now_ns);
    }
    worker->stopped = true;
    tell_running(worker, out);
}
