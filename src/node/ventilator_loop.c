/* ventilator_loop.c - a ventilator's loop: sockets, disk and clock around the core.
 *
 * One turn takes what has arrived, steps the core with it, carries out what the
 * core says, and gives the disk what the turn wrote down.  Not here: any
 * decision about a task.
 */
#include "../net/front.h"
#include "../watch/clock.h"
#include "../wire/codec.h"
#include "failure.h"
#include "ventilator_log.h"
#include "ventilator_node.h"

/* What is taken in one turn, so that answers do not wait long.  By tasks as well as by
 * messages: a worker that waits for what a turn gives it does nothing meanwhile, and if
 * one turn ends all its tasks, and the next gives it as many, it and the ventilator work
 * by turns and not side by side. */
enum { TURN_MESSAGES_MAX = 256, TURN_TASKS_MAX = 1024 };

static void send_messages(struct tmesh_ventilator *node)
{
    const struct ventilator_actions *actions = node->actions;
    for (uint32_t at = 0; at < actions->send_count; at++) {
        const struct ventilator_send *send = &actions->sends[at];
        struct bytes bytes;
        if (wire_encode(node->encoder, &send->message, &bytes) != WIRE_OK) {
            log_line(&node->log, TMESH_ERROR, "out of memory: a message was not sent");
            continue; /* the gap in the numbers resets that session */
        }
        encoder_give_away(node->encoder, front_send_buffer(node->front, send->link, bytes));
    }
}

/* From afar: no new tasks from this turn on, and the host is told. */
static void begin_drain(struct tmesh_ventilator *node)
{
    pthread_mutex_lock(&node->lock);
    if (node->wish < WISH_DRAIN) node->wish = WISH_DRAIN;
    node->asked_to_drain = true;
    node->drain_grace_ms = node->actions->drain_grace_ms;
    pthread_mutex_unlock(&node->lock);
    log_line(&node->log, TMESH_INFO, "asked to drain");
    waker_wake(&node->alarm);
}

static void log_records(const struct tmesh_ventilator *node)
{
    const struct ventilator_actions *actions = node->actions;
    if (node->log.write == NULL) return;
    for (uint32_t at = 0; at < actions->record_count; at++) {
        const struct record *record = &actions->records[at];
        struct bytes cause = {0};
        if (ventilator_log_wants_cause(record)) {
            cause = ventilator_last_words(node->core, &record->id);
        }
        ventilator_log(&node->log, record, cause);
    }
}

/* What cannot be written down must not be said either. */
static void perform(struct tmesh_ventilator *node)
{
    const struct ventilator_actions *actions = node->actions;
    log_records(node);
    if (node->journal != NULL && !ventilator_journal_append(node->journal, actions)) {
        node->broken = true;
    }
    if (!node->broken) send_messages(node);
    if (actions->asked_to_drain) begin_drain(node);
}

static void step(struct tmesh_ventilator *node, const struct ventilator_event *event)
{
    ventilator_step(node->core, event, node->actions);
    perform(node);
    if (node->actions->borrowed) front_keep(node->front);
    for (struct parcel *parcel; (parcel = ventilator_returned(node->core)) != NULL;) {
        front_return(node->front, parcel);
    }
}

static enum reason garbage_reason(enum wire_error error)
{
    return error == WIRE_MAJOR ? REASON_VERSION : REASON_MALFORMED;
}

/* How many tasks a message is about, of those that can be about many. */
static uint32_t tasks_of(const struct message *message)
{
    if (message->kind == MESSAGE_SUBMIT) return message->u.submit.count;
    if (message->kind == MESSAGE_COMPLETE) return message->u.complete.count;
    return 1;
}

/* Returns how many tasks it was about. */
static uint32_t take_arrival(struct tmesh_ventilator *node, const struct arrival *arrival,
                             uint64_t now_ns)
{
    uint32_t tasks = 1;
    struct ventilator_event event = {
        .now_ns = now_ns, .link = arrival->link, .passage = arrival->passage};
    struct message message;
    if (arrival->kind == ARRIVAL_CLOSED) {
        event.kind = VENTILATOR_CLOSED;
    } else {
        enum wire_error error = wire_decode(node->decoder, arrival->bytes, &message);
        event.kind = error == WIRE_OK ? VENTILATOR_MESSAGE : VENTILATOR_GARBAGE;
        event.message = error == WIRE_OK ? &message : NULL;
        event.memory = arrival->bytes;
        event.lender = error == WIRE_OK ? arrival->parcel : NULL;
        event.reason = error == WIRE_OK ? REASON_NONE : garbage_reason(error);
        if (error == WIRE_OK) tasks = tasks_of(&message);
    }
    step(node, &event);
    return tasks;
}

static void take_arrivals(struct tmesh_ventilator *node, uint32_t messages_max, uint64_t now_ns)
{
    uint32_t tasks = 0;
    for (uint32_t taken = 0; taken < messages_max && tasks < TURN_TASKS_MAX; taken++) {
        struct arrival arrival;
        front_next(node->front, &arrival);
        if (arrival.kind == ARRIVAL_NONE) return;
        tasks += take_arrival(node, &arrival, now_ns);
    }
}

/* What the disk has done since the last turn; looked at before the turn that may
 * speak of it. */
static void hear_disk(struct tmesh_ventilator *node, uint64_t now_ns)
{
    if (node->journal == NULL || !ventilator_journal_look(node->journal, &node->news)) return;
    step(node, &(struct ventilator_event){.kind = VENTILATOR_DURABLE,
                                          .now_ns = now_ns,
                                          .durable_lsn = node->news.durable_lsn});
}

static void turn_until_done(struct tmesh_ventilator *node, enum ventilator_event_kind kind,
                            uint64_t now_ns)
{
    do {
        step(node, &(struct ventilator_event){.kind = kind,
                                              .now_ns = now_ns,
                                              .journal_bytes = node->news.bytes,
                                              .journal_full = node->news.full});
    } while (node->actions->more && !node->broken);
    if (node->journal != NULL) ventilator_journal_push(node->journal);
}

/* Everything that waits for the disk is said before the farewell. */
static void stop(struct tmesh_ventilator *node, uint64_t now_ns)
{
    if (node->journal != NULL) {
        ventilator_journal_flush(node->journal);
        hear_disk(node, now_ns);
        turn_until_done(node, VENTILATOR_TURN, now_ns);
    }
    turn_until_done(node, VENTILATOR_STOP, now_ns);
}

/* Takes over what other threads wish for, and tells them how far it is. */
static void heed_wishes(struct tmesh_ventilator *node, uint64_t now_ns)
{
    if (atomic_load(&node->wish) == WISH_RUN) return; /* nobody asks */
    pthread_mutex_lock(&node->lock);
    enum ventilator_wish wish = node->wish;
    bool asked = node->open_count == UINT64_MAX;
    node->open_count = ventilator_open_count(node->core);
    if (asked || node->open_count == 0) pthread_cond_broadcast(&node->changed);
    pthread_mutex_unlock(&node->lock);
    if (wish >= WISH_DRAIN && node->done < WISH_DRAIN) {
        step(node, &(struct ventilator_event){.kind = VENTILATOR_DRAIN, .now_ns = now_ns});
    }
    if (wish == WISH_STOP) stop(node, now_ns);
    node->done = wish;
}

/* The end for a ventilator that can keep no more promises: whoever connects
 * must not find it.  What the disk has is taken up again by the next one. */
static bool has_failed(struct tmesh_ventilator *node)
{
    tmesh_error_t fault;
    fault.code = TMESH_OK; /* its text costs more to clear than all of this */
    if (node->broken) {
        failure(&fault, TMESH_E_SYSTEM, "out of memory for the journal");
    } else if (node->journal != NULL) {
        (void)ventilator_journal_fault(node->journal, &fault);
    }
    if (fault.code == TMESH_OK) return false;
    log_line(&node->log, TMESH_ERROR, "journal failed, nothing is accepted any more: %s",
             fault.text);
    front_destroy(&node->front);
    pthread_mutex_lock(&node->lock);
    node->fault = fault;
    pthread_cond_broadcast(&node->changed);
    pthread_mutex_unlock(&node->lock);
    waker_wake(&node->alarm);
    return true;
}

/* One from each task that is away, or else from whoever has something new: when so many came,
 * it is not worth a look of its own whether there are more.  If there are, the next turn takes
 * all it may. */
static uint32_t expected_messages(const struct tmesh_ventilator *node)
{
    if (front_is_behind(node->front)) return TURN_MESSAGES_MAX;
    uint64_t leased = ventilator_load(node->core).leased;
    if (leased < 1) return 1;
    return leased < TURN_MESSAGES_MAX ? (uint32_t)leased : TURN_MESSAGES_MAX;
}

void ventilator_node_turn(struct tmesh_ventilator *node, uint64_t now_ns)
{
    take_arrivals(node, expected_messages(node), now_ns);
    front_pause(node->front);
    hear_disk(node, now_ns);
    turn_until_done(node, VENTILATOR_TURN, now_ns);
    if (!has_failed(node)) heed_wishes(node, now_ns);
}

void *ventilator_loop(void *argument)
{
    struct tmesh_ventilator *node = argument;
    while (node->done != WISH_STOP && node->front != NULL) {
        /* Whoever had it may have seen a wake that was for us. */
        uint64_t limit_ns = ventilator_node_lend(node) ? 0 : ventilator_deadline(node->core);
        if (node->front == NULL) break;
        front_wait(node->front, &node->waker, limit_ns);
        ventilator_node_turn(node, clock_now_ns()); /* the only time this turn knows */
    }
    return NULL;
}
