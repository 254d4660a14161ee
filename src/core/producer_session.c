/* producer_session.c - sessions with the ventilators, and what goes with them.
 *
 * Owns: what the producer does when a session opens, ends, or speaks.
 * Not here: the rules of a session (uplink.c), the meaning of ACCEPT and RESULT
 * (producer_answer.c).
 */
#include "producer_state.h"

struct message *producer_session_say(struct producer *producer, enum message_kind kind,
                                     uint32_t link, struct producer_actions *out)
{
    struct producer_action *action = producer_act(out, PRODUCER_SEND, link);
    action->passage = PASSAGE_FRONT;
    action->message = (struct message){.kind = kind};
    uplink_stamp(&producer->links[link].uplink, kind, &action->message, producer->now_ns);
    return &action->message;
}

static void on_connected(struct producer *producer, const struct producer_event *event,
                         struct producer_actions *out)
{
    struct uplink *uplink = &producer->links[event->link].uplink;
    if (uplink->state != UPLINK_CONNECTING) return;
    uplink_connected(uplink, producer->now_ns);
    struct message *message = producer_session_say(producer, MESSAGE_HELLO, event->link, out);
    message->sequence = ++producer->hellos;
    message->u.hello = (struct message_hello){
        .role = ROLE_PRODUCER,
        .minor = MESSAGE_VERSION_MINOR,
        .node = producer->options.node,
        .software = producer->options.software,
        .label = producer->options.label,
    };
}

/* What was accepted stays with its owner.  If this is the owner, back from a
 * blip, its results come again by themselves; if another one answers under the
 * same address, or we were away for so long that it gave our results up, nobody
 * will ever tell what became of those tasks: they are orphans. */
static void opened(struct producer *producer, const struct producer_event *event,
                   struct producer_actions *out)
{
    struct producer_link *link = &producer->links[event->link];
    assert(!link->open && link->flying == 0);
    bool same = id_equal(&link->owner, &link->uplink.ventilator);
    bool known = same && event->message->u.welcome.known;
    producer_cancel_opened(producer, event->link,
                           known  ? OWNER_SAME
                           : same ? OWNER_FORGETFUL
                                  : OWNER_OTHER);
    if (!known) {
        link->tenure++;
        circle_move_all(&producer->places, producer_orphans_head(producer),
                        producer_awaited_head(producer, event->link));
    }
    link->owner = link->uplink.ventilator;
    link->open = true;
    link->minor = event->message->u.welcome.minor;
    link->draining = false;
    link->paused_until_ns = 0;
    link->busy_streak = 0;
    link->backlog = 0;
    link->number = 1;
    link->oldest = 1;
    memset(link->flights, 0, sizeof link->flights);
    producer_act(out, PRODUCER_OPENED, event->link)->message = *event->message;
    producer_act(out, PRODUCER_INTAKE, event->link)->message = *event->message;
}

/* The socket of `link` is of no use any more, whether a session stood or not. */
static void shut(struct producer *producer, uint32_t index, struct producer_actions *out)
{
    struct producer_link *link = &producer->links[index];
    producer_act(out, PRODUCER_SHUT, index);
    link->intake_up = false;
    if (!link->open) return;
    producer_act(out, PRODUCER_LOST, index);
    producer_batch_recall(producer, index);
    producer_cancel_lost(producer, index);
    link->open = false;
    link->lost_ns = producer->now_ns;
    link->receipt_due = false;
}

static void on_closed(struct producer *producer, const struct producer_event *event,
                      struct producer_actions *out)
{
    struct uplink *uplink = &producer->links[event->link].uplink;
    enum uplink_verdict verdict = uplink_closed(uplink, &producer->random, producer->now_ns);
    if (verdict == UPLINK_LOST) shut(producer, event->link, out);
}

/* A message of the session, in order.  Kinds that are not for producers are
 * passed over: a ventilator of a later version may know why it sends them. */
static void take(struct producer *producer, const struct producer_event *event,
                 struct producer_actions *out)
{
    switch (event->message->kind) {
    case MESSAGE_ACCEPT: producer_answer_accept(producer, event, out); break;
    case MESSAGE_RESULT: producer_answer_result(producer, event, out); break;
    case MESSAGE_PROGRESS: producer_answer_progress(producer, event, out); break;
    case MESSAGE_DISPOSED:
        if (producer_cancel_disposed(producer, event)) break;
        producer_act(out, PRODUCER_ANSWER, event->link)->message = *event->message;
        break;
    case MESSAGE_ANSWER:
    case MESSAGE_DRAINING:
        producer_act(out, PRODUCER_ANSWER, event->link)->message = *event->message;
        break;
    case MESSAGE_HEARTBEAT:
        producer->links[event->link].backlog = event->message->u.heartbeat.backlog;
        break;
    case MESSAGE_OTHER:
    case MESSAGE_HELLO:
    case MESSAGE_WELCOME:
    case MESSAGE_REFUSE:
    case MESSAGE_WHO:
    case MESSAGE_BYE:
    case MESSAGE_SUBMIT:
    case MESSAGE_RECEIPT:
    case MESSAGE_QUERY:
    case MESSAGE_DISPOSE:
    case MESSAGE_CREDIT:
    case MESSAGE_WORK:
    case MESSAGE_DRAIN:
    case MESSAGE_REVOKE:
    case MESSAGE_RECALL:
    case MESSAGE_COMPLETE: break;
    }
}

static void on_message(struct producer *producer, const struct producer_event *event,
                       struct producer_actions *out)
{
    struct uplink *uplink = &producer->links[event->link].uplink;
    switch (uplink_receive(uplink, event->message, &producer->random, &producer->turn)) {
    case UPLINK_TAKE: take(producer, event, out); break;
    case UPLINK_OPENED: opened(producer, event, out); break;
    case UPLINK_REFUSED:
        producer_act(out, PRODUCER_REFUSED, event->link)->message = *event->message;
        shut(producer, event->link, out);
        break;
    case UPLINK_LOST: shut(producer, event->link, out); break;
    case UPLINK_IGNORE:
    case UPLINK_CONNECT:
    case UPLINK_BEAT: break;
    }
}

static void on_query(struct producer *producer, const struct producer_event *event,
                     struct producer_actions *out)
{
    if (!producer->links[event->link].open) return; /* whoever asked finds out by waiting */
    producer_session_say(producer, MESSAGE_QUERY, event->link, out)->u.query = event->query;
}

static void on_dispose(struct producer *producer, const struct producer_event *event,
                       struct producer_actions *out)
{
    if (!producer->links[event->link].open) return;
    producer->links[event->link].disposals++;
    producer_session_say(producer, MESSAGE_DISPOSE, event->link, out)->u.dispose = *event->dispose;
}

static void on_drain(struct producer *producer, const struct producer_event *event,
                     struct producer_actions *out)
{
    if (!producer->links[event->link].open) return;
    producer_session_say(producer, MESSAGE_DRAIN, event->link, out)->u.drain = *event->drain;
}

void producer_session_event(struct producer *producer, const struct producer_event *event,
                            struct producer_actions *out)
{
    assert(event->link < producer->options.link_count);
    struct producer_link *link = &producer->links[event->link];
    switch (event->kind) {
    case PRODUCER_CONNECTED: on_connected(producer, event, out); break;
    case PRODUCER_CLOSED: on_closed(producer, event, out); break;
    case PRODUCER_INTAKE_UP: link->intake_up = link->open; break;
    case PRODUCER_INTAKE_DOWN: link->intake_up = false; break;
    case PRODUCER_MESSAGE: on_message(producer, event, out); break;
    case PRODUCER_QUERY: on_query(producer, event, out); break;
    case PRODUCER_DISPOSE: on_dispose(producer, event, out); break;
    case PRODUCER_DRAIN: on_drain(producer, event, out); break;
    case PRODUCER_SUBMIT:
    case PRODUCER_CANCEL:
    case PRODUCER_TURN:
    case PRODUCER_STOP: break;
    }
}

/* Ends: a session that is LOST is due for CONNECT at most once, and a HEARTBEAT
 * that was sent is not due. */
static void tick(struct producer *producer, uint32_t index, struct producer_actions *out)
{
    struct uplink *uplink = &producer->links[index].uplink;
    for (;;) {
        switch (uplink_tick(uplink, &producer->random, &producer->turn)) {
        case UPLINK_CONNECT:
            uplink_opening(uplink, producer->now_ns);
            producer_act(out, PRODUCER_OPEN, index);
            break;
        case UPLINK_BEAT: producer_session_say(producer, MESSAGE_HEARTBEAT, index, out); break;
        case UPLINK_LOST: shut(producer, index, out); break;
        case UPLINK_IGNORE:
        case UPLINK_TAKE:
        case UPLINK_OPENED:
        case UPLINK_REFUSED: return;
        }
    }
}

static uint64_t receipt_deadline(const struct producer *producer, const struct producer_link *link)
{
    bool may = link->receipt_due && !producer->crowded;
    return may ? link->receipt_tab.by_ns : INSTANT_NEVER;
}

static void send_receipt(struct producer *producer, uint32_t index, struct producer_actions *out)
{
    struct producer_link *link = &producer->links[index];
    assert(link->open);
    producer_session_say(producer, MESSAGE_RECEIPT, index, out)->u.receipt.through =
        link->receipt_through;
    link->receipt_due = false;
}

void producer_session_turn(struct producer *producer, struct producer_actions *out)
{
    for (uint32_t i = 0; i < producer->options.link_count; i++) {
        struct producer_link *link = &producer->links[i];
        tick(producer, i, out);
        if (receipt_deadline(producer, link) > producer->now_ns) continue;
        send_receipt(producer, i, out);
    }
}

uint64_t producer_session_deadline(const struct producer *producer)
{
    uint64_t deadline_ns = INSTANT_NEVER;
    for (uint32_t i = 0; i < producer->options.link_count; i++) {
        const struct producer_link *link = &producer->links[i];
        uint64_t due_ns = uplink_deadline(&link->uplink, &producer->turn);
        uint64_t receipt_ns = receipt_deadline(producer, link);
        if (receipt_ns < due_ns) due_ns = receipt_ns;
        if (due_ns < deadline_ns) deadline_ns = due_ns;
    }
    return deadline_ns;
}

void producer_session_stop(struct producer *producer, struct producer_actions *out)
{
    for (uint32_t i = 0; i < producer->options.link_count; i++) {
        const struct producer_link *link = &producer->links[i];
        if (!link->open) continue;
        if (link->receipt_due && !producer->crowded) send_receipt(producer, i, out);
        producer_session_say(producer, MESSAGE_BYE, i, out);
    }
}
