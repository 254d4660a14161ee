/* ventilator_held.c - answers that wait until what they promise is durable.
 *
 * ACCEPT waits for the entries of its batch, RECEIPT for those of the
 * completions it covers, RESULT for the end it tells, DISPOSED for what it says
 * was done.  Everything else goes out
 * at once: a task that is leased before it is durable was promised to nobody.
 * Without a journal nothing ever waits for one.
 *
 * Some wait for company, so that a task that comes alone wakes nobody in vain:
 * ACCEPT of a batch whose results are wanted goes with the first of them if that
 * comes soon, or not at all if that is all of them, and RECEIPT stands for several completions
 * (tab.h).
 */
#include "planted.h"
#include "ventilator_state.h"

void held_init(struct held *held, struct arena *arena, enum holding holding)
{
    bool holds = holding == HOLDS_ANSWERS;
    held->answers = arena_take(arena, holds ? VENTILATOR_ANSWERS_MAX : 0, sizeof *held->answers);
    held->rejections =
        arena_take(arena, holds ? VENTILATOR_REJECTIONS_MAX : 0, sizeof *held->rejections);
}

bool held_is_durable(const struct ventilator *ventilator, uint64_t lsn)
{
    return lsn <= ventilator->durable_lsn || planted(PLANTED_ANSWER_BEFORE_SYNC);
}

bool held_has_room(const struct ventilator *ventilator, uint32_t rejections)
{
    const struct held *held = &ventilator->held;
    if (!ventilator->options.journals) return true;
    return held->count < VENTILATOR_ANSWERS_MAX &&
           rejections <= VENTILATOR_REJECTIONS_MAX - held->rejection_count;
}

static void send_answer(struct ventilator *ventilator, uint32_t peer,
                        const struct held_answer *answer, const struct rejection *rejections)
{
    struct message *message = ventilator_send(ventilator, peer, answer->kind);
    if (answer->kind == MESSAGE_ACCEPT) {
        message->u.accept = (struct message_accept){
            .batch = answer->u.batch, .rejections = rejections, .count = answer->rejections};
        return;
    }
    assert(answer->kind == MESSAGE_DISPOSED);
    message->u.disposed = answer->u.disposed;
    message->u.disposed.rejections = rejections;
    message->u.disposed.count = answer->rejections;
}

static void put_off(struct held *held, const struct held_answer *answer,
                    const struct rejection *rejections)
{
    assert(held->count < VENTILATOR_ANSWERS_MAX);
    assert(held->rejection_count + answer->rejections <= VENTILATOR_REJECTIONS_MAX);
    held->answers[(held->first + held->count++) % VENTILATOR_ANSWERS_MAX] = *answer;
    uint32_t end = held->first_rejection + held->rejection_count;
    for (uint32_t at = 0; at < answer->rejections; at++) {
        held->rejections[(end + at) % VENTILATOR_REJECTIONS_MAX] = rejections[at];
    }
    held->rejection_count += answer->rejections;
}

static void answer_when_durable(struct ventilator *ventilator, uint32_t peer,
                                struct held_answer *answer)
{
    const struct rejection *rejections = ventilator->out->rejections;
    answer->lsn = ventilator->appended_lsn;
    answer->session = ventilator->peers.peers[peer].session;
    bool early = planted(PLANTED_CANCEL_BEFORE_SYNC) && answer->kind == MESSAGE_DISPOSED;
    bool first = ventilator->held.count == 0; /* or it would overtake those */
    if (early || (first && held_is_durable(ventilator, answer->lsn))) {
        send_answer(ventilator, peer, answer, rejections);
        return;
    }
    if (answer->kind == MESSAGE_DISPOSED) ventilator->peers.peers[peer].disposed_held++;
    put_off(&ventilator->held, answer, rejections);
}

void held_answer_now(struct ventilator *ventilator, uint32_t peer, uint64_t batch,
                     uint32_t rejections)
{
    send_answer(
        ventilator, peer,
        &(struct held_answer){.kind = MESSAGE_ACCEPT, .u.batch = batch, .rejections = rejections},
        ventilator->out->rejections);
}

void held_accept(struct ventilator *ventilator, uint32_t peer, uint64_t batch, uint32_t rejections)
{
    answer_when_durable(
        ventilator, peer,
        &(struct held_answer){.kind = MESSAGE_ACCEPT, .u.batch = batch, .rejections = rejections});
}

void held_dispose(struct ventilator *ventilator, uint32_t peer,
                  const struct message_disposed *disposed)
{
    answer_when_durable(ventilator, peer,
                        &(struct held_answer){.kind = MESSAGE_DISPOSED,
                                              .u.disposed = *disposed,
                                              .rejections = disposed->count});
}

/* Copies the rejections of the first held answer to where its message may point. */
static struct rejection *bring_out(struct ventilator *ventilator, uint32_t count)
{
    struct held *held = &ventilator->held;
    struct rejection *rejections = &ventilator->out->rejections[ventilator->out->rejection_count];
    for (uint32_t at = 0; at < count; at++) {
        rejections[at] = held->rejections[held->first_rejection];
        held->first_rejection = (held->first_rejection + 1) % VENTILATOR_REJECTIONS_MAX;
    }
    held->rejection_count -= count;
    ventilator->out->rejection_count += count;
    return rejections;
}

bool held_send_answers(struct ventilator *ventilator)
{
    struct held *held = &ventilator->held;
    while (held->count > 0) {
        const struct held_answer *answer = &held->answers[held->first];
        uint32_t count = answer->rejections;
        if (!held_is_durable(ventilator, answer->lsn)) return true;
        if (!ventilator_can_send(ventilator)) return false;
        if (ventilator->out->rejection_count + count > MESSAGE_REJECTIONS_MAX) return false;
        const struct rejection *rejections = bring_out(ventilator, count);
        uint32_t peer = answer->session & 0xffff;
        /* In another session the producer has asked again. */
        struct peer *producer = &ventilator->peers.peers[peer];
        if (producer->session == answer->session) {
            if (answer->kind == MESSAGE_DISPOSED) producer->disposed_held--;
            send_answer(ventilator, peer, answer, rejections);
        }
        held->first = (held->first + 1) % VENTILATOR_ANSWERS_MAX;
        held->count--;
    }
    return true;
}

void held_accept_soon(struct ventilator *ventilator, uint32_t slot,
                      const struct message_submit *submit)
{
    struct peer *producer = &ventilator->peers.peers[slot];
    bool waits = ventilator->options.accept_ns > 0 && !ventilator->options.journals;
    if (producer->accept_due || !waits) { /* the first has company now */
        if (producer->accept_due) held_answer_now(ventilator, slot, producer->accept_batch, 0);
        producer->accept_due = false;
        held_accept(ventilator, slot, submit->batch, 0);
        return;
    }
    producer->accept_due = true;
    producer->accept_batch = submit->batch;
    producer->accept_only = submit->count == 1 ? submit->items[0].id : (struct id){{0}};
    producer->accept_by_ns = instant_after(ventilator->now_ns, ventilator->options.accept_ns);
    ventilator_watch(ventilator, slot);
}

/* Whether the RESULT that goes next ends all that the batch has, so that nobody needs its ACCEPT.
 */
static bool is_said_by_result(const struct ventilator *ventilator, const struct peer *producer)
{
    return producer->minor >= 2 && ventilator_owes_result_now(producer) &&
           id_equal(ventilator_id(ventilator, producer->results.first), &producer->accept_only);
}

bool held_send_accept(struct ventilator *ventilator, uint32_t slot)
{
    struct peer *producer = &ventilator->peers.peers[slot];
    if (!producer->accept_due) return true;
    if (is_said_by_result(ventilator, producer)) {
        producer->accept_due = false;
        return true;
    }
    bool due = producer->results.count > 0 || producer->accept_by_ns <= ventilator->now_ns;
    if (!due) return true;
    if (!ventilator_can_send(ventilator)) return false;
    held_answer_now(ventilator, slot, producer->accept_batch, 0);
    producer->accept_due = false;
    return true;
}

static void begin_tab(const struct ventilator *ventilator, struct peer *worker)
{
    tab_begin(&worker->receipt_tab,
              instant_after(ventilator->now_ns, ventilator->options.receipt_ns));
}

/* One receipt waits for the disk, and a later one behind it: if new completions
 * moved the first, a busy worker would never get any. */
void held_receipt(struct ventilator *ventilator, uint32_t slot, uint32_t items, uint32_t bytes)
{
    struct peer *worker = &ventilator->peers.peers[slot];
    uint32_t through = worker->next_in - 1;
    bool first = !worker->receipt_due;
    if (first) begin_tab(ventilator, worker);
    tab_add(&worker->receipt_tab, items, bytes);
    if (!worker->receipt_due || held_is_durable(ventilator, ventilator->appended_lsn)) {
        worker->receipt_due = true;
        worker->receipt_more = false;
        worker->receipt_through = through;
        worker->receipt_lsn = ventilator->appended_lsn;
    } else {
        worker->receipt_more = true;
        worker->receipt_later = through;
    }
    if (first) ventilator_watch(ventilator, slot);
    peers_touch(&ventilator->peers, slot);
}

bool held_send_receipt(struct ventilator *ventilator, uint32_t slot)
{
    struct peer *worker = &ventilator->peers.peers[slot];
    while (worker->receipt_due && held_is_durable(ventilator, worker->receipt_lsn)) {
        if (!tab_is_due(&worker->receipt_tab, ventilator->now_ns)) return true;
        if (!ventilator_can_send(ventilator)) return false;
        ventilator_send(ventilator, slot, MESSAGE_RECEIPT)->u.receipt.through =
            worker->receipt_through;
        worker->receipt_due = worker->receipt_more;
        worker->receipt_through = worker->receipt_later;
        worker->receipt_lsn = ventilator->appended_lsn;
        worker->receipt_more = false;
        if (!worker->receipt_due) break;
        begin_tab(ventilator, worker);
        ventilator_watch(ventilator, slot);
    }
    if (worker->receipt_due) peers_wait(&ventilator->peers, slot);
    return true;
}

bool held_send_last_receipt(struct ventilator *ventilator, uint32_t slot)
{
    struct peer *worker = &ventilator->peers.peers[slot];
    do {
        worker->receipt_tab.by_ns = 0;
        if (!held_send_receipt(ventilator, slot)) return false;
    } while (worker->receipt_due && held_is_durable(ventilator, worker->receipt_lsn));
    return true;
}

/* What is past that time was touched then, and waits for room or for the disk. */
uint64_t held_deadline(const struct ventilator *ventilator, uint32_t slot)
{
    const struct peer *peer = &ventilator->peers.peers[slot];
    uint64_t due_ns = INSTANT_NEVER;
    if (peer->accept_due) due_ns = peer->accept_by_ns;
    if (peer->receipt_due) due_ns = peer->receipt_tab.by_ns;
    return due_ns > ventilator->now_ns ? due_ns : INSTANT_NEVER;
}

void held_durable(struct ventilator *ventilator, uint64_t durable_lsn)
{
    assert(durable_lsn <= ventilator->appended_lsn);
    if (durable_lsn <= ventilator->durable_lsn) return;
    ventilator->durable_lsn = durable_lsn;
    peers_touch_waiting(&ventilator->peers);
}
