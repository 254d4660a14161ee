/* producer_loop.c - the producer's loop: sockets, clock and core; and the ventilator's, when
 * that is lent to it (ventilator_loan.c). */
#include "../net/dials.h"
#include "../net/front.h"
#include "../net/pollset.h"
#include "../watch/clock.h"
#include "../wire/codec.h"
#include "failure.h"
#include "producer_node.h"
#include "ventilator_node.h"

#include <stdio.h>
#include <stdlib.h>

enum { TURN_ARRIVALS_MAX = 256, FAREWELL_MS = 200 /* for BYE to leave */ };

static void send_message(struct tmesh_producer *producer, const struct producer_action *action)
{
    struct bytes bytes;
    if (wire_encode(producer->encoder, &action->message, &bytes) != WIRE_OK) {
        log_line(&producer->log, TMESH_ERROR, "out of memory: a message was not sent");
        return; /* it goes again when no answer comes */
    }
    encoder_give_away(producer->encoder,
                      dials_send_buffer(producer->dials, action->link, action->passage, bytes));
}

static void take_refusal(struct tmesh_producer *producer, const struct producer_action *action)
{
    const struct message_refuse *refuse = &action->message.u.refuse;
    struct bytes why =
        refuse->text.size > 0 ? refuse->text : bytes_text(failure_reason(refuse->reason));
    pthread_mutex_lock(&producer->exchange.lock);
    snprintf(producer->exchange.refusals, sizeof producer->exchange.refusals, "%s refused: %.*s",
             producer->endpoints.items[action->link], why.size < 160 ? (int)why.size : 160,
             (const char *)why.data);
    pthread_cond_broadcast(&producer->exchange.changed);
    pthread_mutex_unlock(&producer->exchange.lock);
    log_line(&producer->log, TMESH_ERROR, "ventilator=%s refused this producer: %s",
             producer->endpoints.items[action->link], failure_reason(refuse->reason));
}

static void open_intake(struct tmesh_producer *producer, const struct producer_action *action)
{
    const struct message_welcome *welcome = &action->message.u.welcome;
    if (dials_open_intake(producer->dials, action->link, welcome->intakes, welcome->intake_count)) {
        return;
    }
    log_line(&producer->log, TMESH_INFO, "ventilator=%s names no intake that fits; using its front",
             producer->endpoints.items[action->link]);
}

static void perform_one(struct tmesh_producer *producer, const struct producer_action *action)
{
    const char *endpoint = producer->endpoints.items[action->link];
    switch (action->kind) {
    case PRODUCER_OPEN:
        if (!dials_open(producer->dials, action->link)) {
            log_line(&producer->log, TMESH_ERROR, "ventilator=%s cannot open a socket", endpoint);
        }
        break;
    case PRODUCER_SHUT: dials_shut(producer->dials, action->link, 0); break;
    case PRODUCER_INTAKE: open_intake(producer, action); break;
    case PRODUCER_SEND: send_message(producer, action); break;
    case PRODUCER_ACCEPTED: producer_tell_accepted(producer, action); break;
    case PRODUCER_REJECTED:
    case PRODUCER_ENDED:
    case PRODUCER_UNKNOWN: producer_tell(producer, action); break;
    case PRODUCER_PROGRESS: producer_tell_progress(producer, action); break;
    case PRODUCER_ANSWER: producer_take_answer(producer, action); break;
    case PRODUCER_REFUSED: take_refusal(producer, action); break;
    case PRODUCER_OPENED:
        producer->minors[action->link] = action->message.u.welcome.minor;
        producer_note_session(producer, action->link, SESSION_OPENED);
        log_line(&producer->log, TMESH_INFO, "ventilator=%s connected", endpoint);
        break;
    case PRODUCER_LOST:
        producer_note_session(producer, action->link, SESSION_LOST);
        log_line(&producer->log, TMESH_WARNING, "ventilator=%s lost", endpoint);
        break;
    }
}

void producer_step_and_perform(struct tmesh_producer *producer, const struct producer_event *event)
{
    producer_step(producer->core, event, producer->actions);
    for (uint32_t at = 0; at < producer->actions->count; at++) {
        perform_one(producer, &producer->actions->actions[at]);
    }
    for (void *block; (block = producer_returned(producer->core)) != NULL;) free(block);
}

/* Asked anew before each TURN: whoever polled since may have made room, and wakes
 * us only once.  Answers grow in number only when we publish some. */
static bool is_crowded(struct tmesh_producer *producer)
{
    struct exchange *exchange = &producer->exchange;
    if (!producer->crowded) return false;
    pthread_mutex_lock(&exchange->lock);
    bool crowded = exchange->answers.bytes > producer->answers_bytes_max;
    if (exchange->crowded && !crowded) pthread_cond_broadcast(&exchange->changed);
    exchange->crowded = producer->crowded = crowded;
    pthread_mutex_unlock(&exchange->lock);
    return crowded;
}

static void turn_until_done(struct tmesh_producer *producer, enum producer_event_kind kind,
                            uint64_t now_ns)
{
    bool crowded = is_crowded(producer);
    do {
        producer_step_and_perform(
            producer, &(struct producer_event){.kind = kind, .now_ns = now_ns, .crowded = crowded});
    } while (producer->actions->more);
}

static void note_host(struct tmesh_producer *producer, const struct arrival *arrival)
{
    uint64_t bit = UINT64_C(1) << arrival->link;
    _Static_assert(ENDPOINTS_MAX <= 64, "a bit for each");
    pthread_mutex_lock(&producer->exchange.lock);
    if (arrival->kind == ARRIVAL_HOST_KNOWN)
        producer->exchange.hosts_unknown &= ~bit;
    else
        producer->exchange.hosts_unknown |= bit;
    pthread_mutex_unlock(&producer->exchange.lock);
    endpoints_log_host(&producer->log, &producer->endpoints, arrival);
}

static void take_arrival(struct tmesh_producer *producer, const struct arrival *arrival,
                         uint64_t now_ns)
{
    struct producer_event event = {.now_ns = now_ns, .link = arrival->link};
    struct message message;
    switch (arrival->kind) {
    case ARRIVAL_NONE: return;
    case ARRIVAL_HOST_UNKNOWN:
    case ARRIVAL_HOST_KNOWN: note_host(producer, arrival); return;
    case ARRIVAL_CONNECTED: event.kind = PRODUCER_CONNECTED; break;
    case ARRIVAL_CLOSED: event.kind = PRODUCER_CLOSED; break;
    case ARRIVAL_INTAKE_UP: event.kind = PRODUCER_INTAKE_UP; break;
    case ARRIVAL_INTAKE_DOWN: event.kind = PRODUCER_INTAKE_DOWN; break;
    case ARRIVAL_MESSAGE: {
        enum wire_error error = wire_decode(producer->decoder, arrival->bytes, &message);
        event.kind = error == WIRE_OK ? PRODUCER_MESSAGE : PRODUCER_CLOSED;
        event.message = &message;
        if (arrival->parcel != NULL) producer->came = arrival->bytes;
        if (error != WIRE_OK) {
            log_line(&producer->log, TMESH_ERROR, "ventilator=%s sent what is no message: %s",
                     producer->endpoints.items[arrival->link], wire_error_text(error));
        }
        break;
    }
    }
    producer_step_and_perform(producer, &event);
    producer->came = (struct bytes){.data = NULL};
}

static void take_arrivals(struct tmesh_producer *producer, uint64_t now_ns)
{
    for (uint32_t taken = 0; taken < TURN_ARRIVALS_MAX; taken++) {
        struct arrival arrival;
        dials_next(producer->dials, &arrival);
        if (arrival.kind == ARRIVAL_NONE) return;
        take_arrival(producer, &arrival, now_ns);
    }
}

static void await(struct tmesh_producer *producer, struct tmesh_ventilator *guest,
                  uint64_t deadline_ns)
{
    struct pollset set;
    pollset_init(&set);
    uint64_t spin_ns = producer->spin_ns;
    if (guest != NULL) {
        uint64_t guest_ns = ventilator_deadline(guest->core);
        if (guest_ns < deadline_ns) deadline_ns = guest_ns;
        if (guest->spin_ns > spin_ns) spin_ns = guest->spin_ns;
        set.whole = true;
        front_watch(guest->front, &guest->waker, &set);
    }
    dials_watch(producer->dials, &producer->exchange.waker, &set);
    pollset_wait(&set, spin_ns, deadline_ns);
}

/* Sleeps until there is something to do.  Whoever stages a task while `asleep`
 * is set wakes us, and only then, so that a busy producer costs no wake-ups.
 * While the core has no room for what was taken over, more of it is no reason to
 * hurry: an answer makes room, and wakes us.  With the lock held, which it lets go. */
static void nap(struct tmesh_producer *producer, struct tmesh_ventilator *guest, uint64_t limit_ns)
{
    uint64_t deadline_ns = producer_deadline(producer->core);
    if (limit_ns < deadline_ns) deadline_ns = limit_ns;
    bool room = producer->spool == NULL
                    ? stage_is_empty(&producer->taking)
                    : stage_is_empty(&producer->spooling) && !producer->spool_behind;
    bool news = room && !stage_is_empty(&producer->exchange.stage);
    bool hurry = producer->hurry || news || producer->exchange.stop;
    producer->exchange.asleep = !hurry;
    pthread_mutex_unlock(&producer->exchange.lock);
    await(producer, guest, hurry ? 0 : deadline_ns);
}

/* The ventilator that this loop has to run as well, or NULL. */
static struct tmesh_ventilator *find_guest(const struct tmesh_producer *producer)
{
    struct tmesh_ventilator *ventilator = producer->ventilator;
    return ventilator != NULL && ventilator_node_is_lent(ventilator) ? ventilator : NULL;
}

/* What came for the ventilator goes through it before the producer looks, and what the producer
 * says to it after that at once: a task is with its worker, and its end with whoever waits,
 * without another wait in between. */
void producer_turn(struct tmesh_producer *producer, uint64_t until_ns)
{
    struct tmesh_ventilator *guest = find_guest(producer);
    if (until_ns > 0) {
        nap(producer, guest, until_ns);
    } else {
        producer_swap_staged(producer);
        pthread_mutex_unlock(&producer->exchange.lock);
    }
    uint64_t now_ns = clock_now_ns(); /* the only time this turn knows */
    if (until_ns > 0 && guest != NULL && !ventilator_node_turn_lent(guest, now_ns)) guest = NULL;
    if (until_ns > 0) take_arrivals(producer, now_ns);
    producer->hurry = producer_take_staged(producer, now_ns);
    turn_until_done(producer, PRODUCER_TURN, now_ns);
    if (atomic_load(&producer->exchange.asked)) {
        producer_pursue_inquiry(producer, now_ns);
        producer_pursue_errand(producer, now_ns);
    }
    producer_publish(producer);
    producer_push_spool(producer);
    if (guest != NULL && front_has_news(guest->front)) {
        (void)ventilator_node_turn_lent(guest, now_ns);
    }
    pthread_mutex_lock(&producer->exchange.lock);
}

/* With the lock held. */
static bool is_stopping(struct tmesh_producer *producer)
{
    producer->exchange.asleep = false;
    producer_lend(producer);
    return producer->exchange.stop;
}

void *producer_loop(void *argument)
{
    struct tmesh_producer *producer = argument;
    producer->hurry = true;
    if (producer->ventilator != NULL) {
        ventilator_node_lodge(producer->ventilator, &producer->exchange.waker);
    }
    pthread_mutex_lock(&producer->exchange.lock);
    while (!is_stopping(producer)) producer_turn(producer, INSTANT_NEVER);
    pthread_mutex_unlock(&producer->exchange.lock);
    if (producer->ventilator != NULL) ventilator_node_lodge(producer->ventilator, NULL);
    uint64_t now_ns = clock_now_ns();
    turn_until_done(producer, PRODUCER_STOP, now_ns);
    producer_finish_spool(producer);
    producer_tell_rest(producer);
    for (uint32_t link = 0; link < producer->endpoints.count; link++) {
        dials_shut(producer->dials, link, FAREWELL_MS);
    }
    return NULL;
}
