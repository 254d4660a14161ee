/* producer_answer.c - answers on their way out. */
#include "../net/dials.h"
#include "../net/share.h"
#include "../watch/clock.h"
#include "../watch/thread.h"
#include "failure.h"
#include "producer_node.h"
#include "spool.h"

/* What was said of this task in particular, as a text of C, or else the general
 * sentence for its reason. */
static const char *reason_of(const struct producer_action *action, char text[])
{
    struct bytes said = action->result.text;
    if (said.data == NULL || said.size == 0) return failure_reason(action->result.reason);
    uint32_t size = said.size < TMESH_TEXT_BYTES_MAX ? said.size : TMESH_TEXT_BYTES_MAX;
    for (uint32_t at = 0; at < size; at++) {
        text[at] = (char)(said.data[at] != '\0' ? said.data[at] : ' ');
    }
    text[size] = '\0';
    return text;
}

static void leave_outbox(struct tmesh_producer *producer, struct ticket *ticket)
{
    if (ticket->state != TICKET_OUTBOX) return;
    ticket->state = TICKET_AWAITED;
    producer->left_outbox++;
    producer->left_outbox_bytes += ticket->bytes;
    if (!producer->options.guarded) producer->released_bytes += ticket->bytes;
}

/* The ticket goes back when the turn is published, since the lock is needed. */
void producer_settle(struct tmesh_producer *producer, uint32_t number)
{
    struct ticket *ticket = &producer->exchange.tickets.tickets[number];
    leave_outbox(producer, ticket);
    if (producer->options.guarded) producer->released_bytes += ticket->bytes;
    tickets_retire(&producer->exchange.tickets, number);
    if (producer->settled_count == producer->settled_max) producer_publish(producer);
    producer->settled[producer->settled_count++] = number;
}

/* A large result that lies in a message which may be kept for it.  False: it is to be copied. */
static bool keep_shared(struct tmesh_producer *producer, const tmesh_answer_t *answer)
{
    const struct bytes *came = &producer->came;
    const uint8_t *result = answer->result;
    if (answer->result_bytes < PARCELS_WORTH_BYTES || came->data == NULL) return false;
    if (result < came->data || result >= came->data + came->size) return false;
    struct share *share = dials_share(producer->dials);
    if (share == NULL) return false;
    if (answer_append_shared(&producer->telling, answer, share)) return true;
    share_drop(share);
    return false;
}

static void tell(struct tmesh_producer *producer, const struct ticket *ticket,
                 const tmesh_answer_t *answer)
{
    if (ticket->deliver == TMESH_DELIVER_WAIT && answer->kind != TMESH_ACCEPTED) {
        pthread_mutex_lock(&producer->exchange.lock);
        (void)waits_tell(&producer->exchange.waits, answer);
        pthread_cond_broadcast(&producer->exchange.changed);
        pthread_mutex_unlock(&producer->exchange.lock);
        return;
    }
    if (!keep_shared(producer, answer) && !answer_append(&producer->telling, answer)) {
        log_line(&producer->log, TMESH_ERROR, "out of memory: an answer is lost");
    }
}

void producer_tell_accepted(struct tmesh_producer *producer, const struct producer_action *action)
{
    bool guarded = producer->options.guarded;
    for (uint32_t at = 0; at < action->accepted_count; at++) {
        uint32_t number = action->accepted[at].ticket;
        /* It was drawn on another processor. */
        if (at + TICKETS_AHEAD < action->accepted_count) {
            tickets_fetch(&producer->exchange.tickets, action->accepted[at + TICKETS_AHEAD].ticket);
        }
        struct ticket *ticket = &producer->exchange.tickets.tickets[number];
        if (!guarded) producer_unspool(producer, number);
        leave_outbox(producer, ticket);
        if (ticket->report_accepted) {
            tell(producer, ticket,
                 &(tmesh_answer_t){.kind = TMESH_ACCEPTED, .id = ticket->id, .tag = ticket->tag});
        }
        if (ticket->deliver == TMESH_DELIVER_NONE && !guarded) producer_settle(producer, number);
    }
}

void producer_tell(struct tmesh_producer *producer, const struct producer_action *action)
{
    struct ticket *ticket = &producer->exchange.tickets.tickets[action->ticket];
    char text[TMESH_TEXT_BYTES_MAX + 1];
    tmesh_answer_t answer = {.id = ticket->id, .tag = ticket->tag};
    producer_unspool(producer, action->ticket);
    bool heard_all = ticket->deliver == TMESH_DELIVER_NONE && ticket->state == TICKET_AWAITED;
    if (action->kind == PRODUCER_ENDED && heard_all) {
        producer_settle(producer, action->ticket);
        return;
    }
    answer.kind = action->kind == PRODUCER_REJECTED  ? TMESH_REJECTED
                  : action->kind == PRODUCER_UNKNOWN ? TMESH_UNKNOWN
                                                     : TMESH_ENDED;
    if (answer.kind == TMESH_ENDED) {
        answer.state = (enum tmesh_state)action->result.state;
        answer.attempt = action->result.attempt;
        answer.result = action->result.result.data;
        answer.result_bytes = action->result.result.size;
    }
    bool well = answer.kind == TMESH_ENDED && answer.state == TMESH_STATE_DONE;
    if (!well || action->result.reason != REASON_NONE) answer.reason = reason_of(action, text);
    tell(producer, ticket, &answer);
    producer_settle(producer, action->ticket);
}

void producer_tell_cancelled(struct tmesh_producer *producer, const struct spooled *task)
{
    struct ticket ticket = {.deliver = task->deliver};
    memcpy(ticket.id.octets, task->submission.id.octets, sizeof ticket.id.octets);
    const tmesh_answer_t answer = {.kind = TMESH_ENDED,
                                   .id = ticket.id,
                                   .state = TMESH_STATE_CANCELLED,
                                   .reason = failure_reason(REASON_CANCELLED)};
    if (task->deliver == TMESH_DELIVER_WAIT) {
        pthread_mutex_lock(&producer->exchange.lock);
        (void)waits_expect(&producer->exchange.waits, &ticket.id);
        pthread_mutex_unlock(&producer->exchange.lock);
    }
    tell(producer, &ticket, &answer);
}

void producer_tell_progress(struct tmesh_producer *producer, const struct producer_action *action)
{
    struct exchange *exchange = &producer->exchange;
    const struct result *result = &action->result;
    if (!exchange->tickets.tickets[action->ticket].report_progress) return;
    pthread_mutex_lock(&exchange->lock);
    producer->noted = true;
    board_note(&exchange->board, &exchange->tickets, action->ticket, result->attempt,
               action->number, result->text);
    pthread_mutex_unlock(&exchange->lock);
}

/* Whether there is anything to be polled, with the lock held. */
static bool has_answers(const struct exchange *exchange)
{
    return exchange->answers.first != NULL || exchange->board.count > 0;
}

/* The descriptor tells it, too. */
static void show_or_hide(struct exchange *exchange)
{
    const struct waker bell = {.fd = exchange->answers_fd};
    bool show = exchange->watched && has_answers(exchange);
    if (show == exchange->shown) return;
    exchange->shown = show;
    if (show)
        waker_wake(&bell);
    else
        waker_calm(&bell);
}

/* What the runs of tasks said matters no more that are over now. */
static void wipe_board(struct tmesh_producer *producer)
{
    struct exchange *exchange = &producer->exchange;
    for (uint32_t at = 0; at < producer->settled_count && exchange->board.count > 0; at++) {
        board_wipe(&exchange->board, &exchange->tickets, producer->settled[at]);
    }
}

/* True: something changed that the application may ask for. */
static bool update_counts(struct tmesh_producer *producer)
{
    struct producer_counts before = producer->counts, *now = &producer->counts;
    producer_counts(producer->core, now);
    return now->links_open != before.links_open || now->links_busy != before.links_busy ||
           now->awaited != before.awaited || now->accepted != before.accepted ||
           now->rejected != before.rejected || now->ended != before.ended ||
           now->unknown != before.unknown || now->resent != before.resent ||
           now->failed_over != before.failed_over;
}

void producer_publish(struct tmesh_producer *producer)
{
    bool told = producer->telling.first != NULL || producer->noted;
    bool counted = update_counts(producer);
    if (!told && !counted && producer->settled_count == 0 && producer->left_outbox == 0) return;
    producer->noted = false;
    pthread_mutex_lock(&producer->exchange.lock);
    answer_move(&producer->exchange.answers, &producer->telling);
    uint32_t settled = producer->settled_count;
    wipe_board(producer);
    tickets_return(&producer->exchange.tickets, producer->settled, settled);
    producer->settled_count = 0;
    show_or_hide(&producer->exchange);
    producer->exchange.settled += settled;
    bool moved = told || settled > 0 || producer->left_outbox > 0 ||
                 producer->counts.links_open != producer->exchange.counts.links_open;
    producer->exchange.outbox -= producer->left_outbox;
    producer->exchange.outbox_bytes -= producer->left_outbox_bytes;
    producer->exchange.kept_bytes -= producer->released_bytes;
    producer->left_outbox = 0;
    producer->left_outbox_bytes = producer->released_bytes = 0;
    producer->exchange.counts = producer->counts;
    producer->crowded = producer->exchange.answers.bytes > producer->answers_bytes_max;
    producer->exchange.crowded = producer->crowded;
    pthread_mutex_unlock(&producer->exchange.lock);
    /* Not with the lock held: on the same processor whoever wakes would run into it. */
    if (moved) pthread_cond_broadcast(&producer->exchange.changed);
}

/* Whether the next run will find it. */
static bool stays_on_disk(const struct tmesh_producer *producer, const struct ticket *ticket)
{
    if (!producer->has_spool || producer->exchange.spool_failed) return false;
    return producer->options.guarded || ticket->state == TICKET_OUTBOX;
}

void producer_tell_rest(struct tmesh_producer *producer)
{
    uint64_t given_up = 0, unguarded = 0;
    for (uint32_t number = 0; number < producer->exchange.tickets.fresh; number++) {
        const struct ticket *ticket = &producer->exchange.tickets.tickets[number];
        if (ticket->state == TICKET_FREE) continue;
        if (ticket->state == TICKET_AWAITED && ticket->deliver == TMESH_DELIVER_NONE) {
            producer_settle(producer, number); /* heard all it wanted to hear */
            unguarded++;
            continue;
        }
        const char *why = stays_on_disk(producer, ticket)
                              ? "the producer was closed first; the task stays in its spool"
                              : "the producer was closed first";
        producer_tell(producer, &(struct producer_action){.kind = PRODUCER_UNKNOWN,
                                                          .ticket = number,
                                                          .result.text = bytes_text(why)});
        given_up++;
    }
    producer_publish(producer);
    pthread_mutex_lock(&producer->exchange.lock);
    producer->exchange.given_up += given_up + unguarded;
    producer->exchange.counts.unknown += given_up;
    producer->exchange.counts.awaited = producer->exchange.counts.links_open = 0;
    pthread_mutex_unlock(&producer->exchange.lock);
}

int tmesh_producer_fd(tmesh_producer_t *producer)
{
    struct exchange *exchange = &producer->exchange;
    if (identity_is_inherited(producer->process)) return -1; /* it is its parent's, too */
    pthread_mutex_lock(&exchange->lock);
    exchange->watched = true;
    show_or_hide(exchange);
    pthread_mutex_unlock(&exchange->lock);
    return exchange->answers_fd;
}

/* With the lock held: waits until anything changed, or runs the loop that changes it.
 * False: until_ns came first. */
static bool await_change(struct tmesh_producer *producer, struct patience patience)
{
    struct exchange *exchange = &producer->exchange;
    if (producer_borrow(producer, patience)) return true;
    exchange->waiters++;
    int late = thread_wait_until(&exchange->changed, &exchange->lock, patience.until_ns);
    exchange->waiters--;
    return late == 0;
}

static struct patience patience_of(uint32_t timeout_ms)
{
    uint64_t now_ns = clock_now_ns();
    return (struct patience){.now_ns = now_ns, .until_ns = now_ns + timeout_ms * MILLISECOND};
}

/* Waits for an answer, with the lock held. */
static void await_answers(struct tmesh_producer *producer, uint32_t timeout_ms)
{
    if (has_answers(&producer->exchange) || timeout_ms == 0) return;
    struct patience patience = patience_of(timeout_ms);
    while (!producer->exchange.stop && await_change(producer, patience)) {
        if (has_answers(&producer->exchange)) break;
        patience.now_ns = clock_now_ns();
    }
    producer_borrow_end(producer);
}

/* With the lock held, but for the call.  After answers: acceptance comes before progress,
 * and with the end of a task its progress is gone from the board. */
static size_t hand_out_news(struct tmesh_producer *producer, size_t most, tmesh_answer_fn *handle,
                            void *context)
{
    struct exchange *exchange = &producer->exchange;
    struct news news;
    size_t handed = 0, there = exchange->board.count; /* now, not for ever */
    while (handed < most && handed < there &&
           board_take(&exchange->board, &exchange->tickets, &news)) {
        show_or_hide(exchange);
        pthread_mutex_unlock(&exchange->lock);
        handle(&(tmesh_answer_t){.kind = TMESH_PROGRESS,
                                 .id = news.id,
                                 .tag = news.tag,
                                 .attempt = news.attempt,
                                 .number = news.number,
                                 .text = news.text},
               context);
        handed++;
        pthread_mutex_lock(&exchange->lock);
    }
    return handed;
}

size_t tmesh_producer_poll(tmesh_producer_t *producer, uint32_t timeout_ms, size_t answers_max,
                           tmesh_answer_fn *handle, void *context)
{
    size_t handed = 0, most = answers_max == 0 ? SIZE_MAX : answers_max;
    bool relieved = false;
    if (identity_is_inherited(producer->process)) return 0;
    pthread_mutex_lock(&producer->exchange.lock);
    await_answers(producer, timeout_ms);
    const struct answer_chunk *until =
        producer->exchange.answers.last; /* what is there now, not for ever */
    while (handed < most) {
        struct answer_chunk *chunk = answer_take(&producer->exchange.answers);
        if (chunk == NULL) break;
        show_or_hide(&producer->exchange);
        bool last = chunk == until, rest;
        bool all = last && producer->exchange.board.count == 0 && !producer->exchange.crowded;
        pthread_mutex_unlock(&producer->exchange.lock);
        handed += answer_hand_out(chunk, most - handed, handle, context, &rest);
        if (!rest) answer_chunk_free(chunk);
        if (!rest && all) return handed; /* the lock is needed for nothing more */
        pthread_mutex_lock(&producer->exchange.lock);
        if (rest) answer_put_back(&producer->exchange.answers, chunk);
        show_or_hide(&producer->exchange);
        if (last) break;
    }
    handed += hand_out_news(producer, most - handed, handle, context);
    relieved = producer->exchange.crowded &&
               producer->exchange.answers.bytes <= producer->answers_bytes_max / 2;
    if (relieved) pthread_cond_broadcast(&producer->exchange.changed); /* submitters wait too */
    pthread_mutex_unlock(&producer->exchange.lock);
    if (relieved) waker_wake(&producer->exchange.waker);
    return handed;
}

enum tmesh_err tmesh_producer_wait(tmesh_producer_t *producer, const tmesh_id_t *id,
                                   uint32_t timeout_ms, tmesh_answer_fn *handle, void *context)
{
    struct patience patience = patience_of(timeout_ms);
    struct answer_chunk *chunk = NULL;
    if (identity_is_inherited(producer->process)) return TMESH_E_CLOSED;
    pthread_mutex_lock(&producer->exchange.lock);
    bool full;
    enum waits_found found;
    for (;;) {
        full = waits_are_full(&producer->exchange.waits);
        found = waits_take(&producer->exchange.waits, id, &chunk);
        /* It may be among those of an earlier run that are still on their way. */
        bool early = found == WAITS_UNKNOWN && producer->exchange.waiting > 0;
        if (found != WAITS_PENDING && !early) break;
        if (await_change(producer, patience)) {
            patience.now_ns = clock_now_ns();
            continue;
        }
        full = waits_are_full(&producer->exchange.waits);
        found = waits_take(&producer->exchange.waits, id, &chunk);
        break;
    }
    producer_borrow_end(producer);
    if (full && found == WAITS_TOLD) pthread_cond_broadcast(&producer->exchange.changed);
    pthread_mutex_unlock(&producer->exchange.lock);
    if (found == WAITS_UNKNOWN) return TMESH_E_NOT_FOUND;
    if (found == WAITS_PENDING) return TMESH_E_TIMEOUT;
    bool rest;
    (void)answer_hand_out(chunk, 1, handle, context, &rest);
    answer_chunk_free(chunk);
    return TMESH_OK;
}
