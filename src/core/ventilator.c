/* ventilator.c - the ventilator's step: which event goes to which decision.
 *
 * A turn of the loop is any number of MESSAGE and CLOSED steps, then TURN steps
 * until one says there is no more.  Messages only change what is known; TURN
 * looks at the clock, gives out work, and speaks to every peer that is owed
 * something, once.
 */
#include "ventilator_state.h"

struct ventilator_options ventilator_defaults(void)
{
    return (struct ventilator_options){
        .tasks_max = 10000000,
        .store_bytes_max = UINT64_C(2) * 1024 * 1024 * 1024,
        .peers_max = 10000,
        .leases_max = MESSAGE_ITEMS_MAX, /* as many as a HELLO can claim after a lost session */
        .ended_max = 1024 * 1024,
        .ended_ns_max = 600 * SECOND,
        .dead_letters_max = 10000,
        .payload_bytes_max = MESSAGE_PAYLOAD_BYTES_MAX,
        .heartbeat_ns = SECOND,
        .suspect_ns = 2 * SECOND,
        .lost_ns = 4 * SECOND,
        .closed_ns = SECOND / 2,
        .attempts_max = 5,
        .crashes_max = 3,
        .losses_max = 20,
        .backoff_ns = SECOND,
        .backoff_ns_max = 600 * SECOND,
        .absent_ns_max = 600 * SECOND,
        .routine = true,
        .receipt_ns = 10 * MILLISECOND,
        .accept_ns = MILLISECOND / 2,
        .journal_slack_bytes = UINT64_C(64) * 1024 * 1024,
    };
}

static struct ventilator *lay_out(struct arena *arena, const struct ventilator_options *options)
{
    struct ventilator scratch = {0};
    struct ventilator *ventilator = arena_take(arena, 1, sizeof *ventilator);
    struct ventilator *laid = ventilator != NULL ? ventilator : &scratch;
    uint64_t ids_max =
        (uint64_t)options->tasks_max + options->ended_max + options->dead_letters_max;
    assert(ids_max < TASK_NOWHERE);
    known_init(&laid->known, arena, (uint32_t)ids_max, options->ended_max, options->seed);
    laid->tasks = arena_take(arena, ids_max, sizeof *laid->tasks);
    slot_pool_init(&laid->slots, arena, (uint32_t)ids_max);
    laid->ages = arena_take(arena, options->journals ? ids_max + 1 : 1, sizeof *laid->ages);
    heap_init(&laid->alarms, arena, (uint32_t)ids_max);
    lanes_init(&laid->lanes, arena);
    peers_init(&laid->peers, arena, options->peers_max, options->seed);
    letters_init(&laid->letters, arena, options->dead_letters_max);
    revokes_init(&laid->revokes, arena);
    runs_init(&laid->runs, arena);
    held_init(&laid->held, arena, options->journals ? HOLDS_ANSWERS : HOLDS_NOTHING);
    store_init(&laid->store, arena, options->store_bytes_max);
    return ventilator;
}

void ventilator_measure(const struct ventilator_options *options, struct arena *arena)
{
    assert(arena->base == NULL);
    lay_out(arena, options);
}

size_t ventilator_memory_bytes(const struct ventilator_options *options)
{
    struct arena arena = {0};
    ventilator_measure(options, &arena);
    return arena.used;
}

struct ventilator *ventilator_init(void *memory, const struct ventilator_options *options,
                                   uint64_t now_ns)
{
    assert(memory != NULL && ((uintptr_t)memory & 63) == 0);
    assert(options->suspect_ns < options->lost_ns && options->heartbeat_ns < options->suspect_ns);
    assert(options->attempts_max > 0 && options->attempts_max <= UINT16_MAX);
    assert(options->crashes_max > 0 && options->crashes_max <= UINT16_MAX);
    assert(options->losses_max > 0 && options->losses_max <= UINT16_MAX);
    assert(options->payload_bytes_max <= MESSAGE_PAYLOAD_BYTES_MAX); /* or no message holds it */
    assert(options->ended_ns_max / MILLISECOND < INT32_MAX); /* known_row.ended_ms wraps round */
    /* Or a letter could be dropped in the step that wrote it down. */
    assert(!options->journals || options->dead_letters_max > VENTILATOR_RECORDS_MAX);
    struct arena arena = {.base = memory, .size = ventilator_memory_bytes(options)};
    struct ventilator *ventilator = lay_out(&arena, options);
    ventilator->options = *options;
    ventilator->random = options->seed;
    ventilator->started_ns = now_ns;
    ventilator->turn.last_ns = now_ns;
    ventilator->written = (struct circles){.first = (uint8_t *)&ventilator->ages[0].link,
                                           .row_bytes = sizeof *ventilator->ages};
    circle_reset(&ventilator->written, ventilator_ages_head(ventilator));
    return ventilator;
}

bool ventilator_can_send(const struct ventilator *ventilator)
{
    return ventilator->out->send_count < VENTILATOR_SENDS_MAX;
}

bool ventilator_is_crowded(const struct ventilator *ventilator)
{
    return ventilator->store.bytes_used >= ventilator->options.store_bytes_max / 10 * 9;
}

struct message *ventilator_send_to(struct ventilator *ventilator, uint32_t link,
                                   enum message_kind kind)
{
    assert(ventilator_can_send(ventilator));
    struct ventilator_send *send = &ventilator->out->sends[ventilator->out->send_count++];
    send->link = link;
    send->message = (struct message){.kind = kind};
    return &send->message;
}

struct message *ventilator_send(struct ventilator *ventilator, uint32_t slot,
                                enum message_kind kind)
{
    struct peer *peer = &ventilator->peers.peers[slot];
    assert(peer->session != 0);
    struct message *message = ventilator_send_to(ventilator, peer->link, kind);
    message->session = peer->session;
    message->sequence = peer->next_out++;
    peer->said_ns = ventilator->now_ns;
    return message;
}

void ventilator_record(struct ventilator *ventilator, const struct record *record)
{
    assert(ventilator->out->record_count < VENTILATOR_RECORDS_MAX);
    ventilator->out->records[ventilator->out->record_count++] = *record;
}

static bool role_may(const struct peer *peer, const struct ventilator_event *event)
{
    bool front = event->passage == PASSAGE_FRONT;
    switch (event->message->kind) {
    case MESSAGE_SUBMIT: return peer->role == ROLE_PRODUCER;
    case MESSAGE_RECEIPT:
    case MESSAGE_QUERY:
    case MESSAGE_DRAIN:
    case MESSAGE_DISPOSE: return front && peer->role == ROLE_PRODUCER;
    case MESSAGE_CREDIT:
    case MESSAGE_PROGRESS:
    case MESSAGE_COMPLETE: return front && peer->role == ROLE_WORKER;
    case MESSAGE_HEARTBEAT:
    case MESSAGE_BYE:
    case MESSAGE_OTHER: return front;
    case MESSAGE_HELLO:
    case MESSAGE_WELCOME:
    case MESSAGE_REFUSE:
    case MESSAGE_WHO:
    case MESSAGE_ACCEPT:
    case MESSAGE_RESULT:
    case MESSAGE_ANSWER:
    case MESSAGE_DISPOSED:
    case MESSAGE_DRAINING:
    case MESSAGE_REVOKE:
    case MESSAGE_RECALL:
    case MESSAGE_WORK: return false;
    }
    return false;
}

static void take(struct ventilator *ventilator, uint32_t peer, const struct message *message)
{
    switch (message->kind) {
    case MESSAGE_SUBMIT: ventilator_submit(ventilator, peer, &message->u.submit); break;
    case MESSAGE_RECEIPT: ventilator_receipt(ventilator, peer, message->u.receipt.through); break;
    case MESSAGE_QUERY: ventilator_query(ventilator, peer, &message->u.query); break;
    case MESSAGE_DISPOSE: ventilator_dispose(ventilator, peer, &message->u.dispose); break;
    case MESSAGE_DRAIN: ventilator_drain(ventilator, peer, &message->u.drain); break;
    case MESSAGE_CREDIT: ventilator_credit(ventilator, peer, &message->u.credit); break;
    case MESSAGE_COMPLETE: ventilator_complete(ventilator, peer, &message->u.complete); break;
    case MESSAGE_PROGRESS: ventilator_progress(ventilator, peer, &message->u.progress); break;
    case MESSAGE_BYE: ventilator_bye(ventilator, peer); break;
    case MESSAGE_HEARTBEAT: ventilator_heartbeat(ventilator, peer, &message->u.heartbeat); break;
    case MESSAGE_OTHER:
    case MESSAGE_HELLO:
    case MESSAGE_WELCOME:
    case MESSAGE_REFUSE:
    case MESSAGE_WHO:
    case MESSAGE_ACCEPT:
    case MESSAGE_RESULT:
    case MESSAGE_ANSWER:
    case MESSAGE_DISPOSED:
    case MESSAGE_DRAINING:
    case MESSAGE_REVOKE:
    case MESSAGE_RECALL:
    case MESSAGE_WORK: break;
    }
}

static void on_message(struct ventilator *ventilator, const struct ventilator_event *event)
{
    const struct message *message = event->message;
    if (message->kind == MESSAGE_HELLO) {
        ventilator_hello(ventilator, event);
        return;
    }
    uint32_t peer = peers_of_message(&ventilator->peers, message, event->passage, event->link);
    if (peer == PEER_NONE) {
        if (event->passage == PASSAGE_FRONT) {
            ventilator_who(ventilator, event->link, message->session);
        }
        return;
    }
    bool may = role_may(&ventilator->peers.peers[peer], event);
    /* On the intake nothing but the number of the session names the sender: what
     * no peer of this role would send there must not touch the session. */
    bool forged = !may && event->passage == PASSAGE_INTAKE;
    if (!forged && !ventilator_in_sequence(ventilator, peer, event)) return;
    if (!may) {
        ventilator->totals.protocol_errors++;
        return;
    }
    take(ventilator, peer, message);
}

/* Strangers' noise is counted and not answered, so that nobody can make us shout
 * at others; only an honest peer of another version is told why it is not served. */
static void on_garbage(struct ventilator *ventilator, const struct ventilator_event *event)
{
    ventilator->totals.protocol_errors++;
    if (event->reason != REASON_VERSION || event->passage != PASSAGE_FRONT) return;
    struct message *message = ventilator_send_to(ventilator, event->link, MESSAGE_REFUSE);
    message->u.refuse = (struct message_refuse){
        .reason = REASON_VERSION,
        .text = bytes_text("this ventilator speaks protocol 1; use a tmesh of the same major")};
}

static void on_closed(struct ventilator *ventilator, uint32_t link)
{
    uint32_t peer = peers_of_link(&ventilator->peers, link);
    if (peer != PEER_NONE) ventilator_close_session(ventilator, peer, RECORD_PEER_CLOSED);
}

/* Everything this peer is owed.  False when something is left. */
static bool serve(struct ventilator *ventilator, uint32_t slot)
{
    struct peer *peer = &ventilator->peers.peers[slot];
    if (peer->state == PEER_GONE || peer->orphans.count > 0) {
        ventilator->out->more = true; /* the next TURN gives to others what this one takes back */
        if (!ventilator_take_back(ventilator, slot)) return false;
    }
    if (peer->state != PEER_OPEN) return true;
    if (peer->role == ROLE_WORKER) {
        return held_send_receipt(ventilator, slot) && ventilator_send_drain(ventilator, slot) &&
               ventilator_send_revokes(ventilator, slot) && ventilator_send_work(ventilator, slot);
    }
    return held_send_accept(ventilator, slot) && ventilator_send_progress(ventilator, slot) &&
           ventilator_send_results(ventilator, slot);
}

static void serve_touched(struct ventilator *ventilator)
{
    for (;;) {
        uint32_t peer = peers_take_touched(&ventilator->peers);
        if (peer == PEER_NONE) return;
        if (serve(ventilator, peer)) continue;
        peers_touch(&ventilator->peers, peer);
        ventilator->out->more = true;
        return;
    }
}

static void on_turn(struct ventilator *ventilator, const struct ventilator_event *event)
{
    struct ventilator_actions *out = ventilator->out;
    ventilator->journal_bytes = event->journal_bytes;
    ventilator->journal_full = event->journal_full;
    task_forget_ended(ventilator);
    out->more = !ventilator_check_clock(ventilator);
    bool all_given = !ventilator_dispatch(ventilator);
    if (!all_given) out->more = true;
    if (!held_send_answers(ventilator)) out->more = true;
    serve_touched(ventilator);
    if (all_given) ventilator_recall(ventilator);
    ventilator_copy_forward(ventilator); /* last: nothing it points to may be dropped after it */
    out->release_lsn = ventilator_oldest_entry(ventilator);
}

static void on_stop(struct ventilator *ventilator)
{
    for (uint32_t slot = 0; slot < ventilator->peers.nodes.slots.fresh; slot++) {
        if (ventilator->peers.peers[slot].session == 0) continue;
        if (!held_send_last_receipt(ventilator, slot) || !ventilator_can_send(ventilator)) {
            ventilator->out->more = true;
            return;
        }
        ventilator_send(ventilator, slot, MESSAGE_BYE)->u.bye.text = bytes_text("stopping");
        ventilator_close_session(ventilator, slot, RECORD_PEER_CLOSED);
    }
}

/* Steps are bounded, and so is what they ask for: every change of state makes a
 * record, and all that one TURN may make must fit. */
enum { TAKE_BACKS_EACH_STEP = 2048, LETTER_DROPS_EACH_STEP = 1024 };
_Static_assert(VENTILATOR_ITEMS_MAX + TAKE_BACKS_EACH_STEP + 1024 + 512 <= VENTILATOR_RECORDS_MAX,
               "the records of one TURN fit");
/* An end makes two entries when an older letter makes way for a new one. */
_Static_assert(VENTILATOR_ITEMS_MAX + 2 * (TAKE_BACKS_EACH_STEP + 1024) + 1024 <=
                       VENTILATOR_ENTRIES_MAX &&
                   2 * VENTILATOR_ITEMS_MAX + LETTER_DROPS_EACH_STEP <= VENTILATOR_ENTRIES_MAX,
               "the entries of one step fit");

void ventilator_step(struct ventilator *ventilator, const struct ventilator_event *event,
                     struct ventilator_actions *out)
{
    assert(event->now_ns >= ventilator->now_ns);
    ventilator->now_ns = event->now_ns;
    ventilator->out = out;
    turn_note(&ventilator->turn, ventilator->options.heartbeat_ns * 3 / 2, event->now_ns);
    out->send_count = out->record_count = 0;
    out->assignment_count = out->result_count = out->rejection_count = 0;
    out->lease_count = out->entry_count = out->progress_count = 0;
    out->more = out->asked_to_drain = false;
    out->refusal = REASON_NONE;
    out->release_lsn = 0;
    ventilator->letter_drops = LETTER_DROPS_EACH_STEP;
    ventilator->take_backs = TAKE_BACKS_EACH_STEP;
    if (event->lender != NULL) store_offer(&ventilator->store, event->memory, event->lender);
    switch (event->kind) {
    case VENTILATOR_MESSAGE: on_message(ventilator, event); break;
    case VENTILATOR_GARBAGE: on_garbage(ventilator, event); break;
    case VENTILATOR_CLOSED: on_closed(ventilator, event->link); break;
    case VENTILATOR_TURN: on_turn(ventilator, event); break;
    case VENTILATOR_REPLAY: ventilator_replay(ventilator, event->entry); break;
    case VENTILATOR_REPLAYED: ventilator_replayed(ventilator, event->durable_lsn); break;
    case VENTILATOR_DURABLE: held_durable(ventilator, event->durable_lsn); break;
    case VENTILATOR_DRAIN: ventilator->draining = true; break;
    case VENTILATOR_STOP: on_stop(ventilator); break;
    }
    out->borrowed = event->lender != NULL && store_took(&ventilator->store);
    ventilator->out = NULL;
}

void *ventilator_returned(struct ventilator *ventilator)
{
    return store_returned(&ventilator->store);
}

uint64_t ventilator_deadline(const struct ventilator *ventilator)
{
    const struct heap_entry *alarm = heap_first(&ventilator->alarms);
    const struct heap_entry *peer = heap_first(&ventilator->peers.deadlines);
    uint64_t due_ns = INSTANT_NEVER;
    if (alarm != NULL) due_ns = alarm->key;
    if (peer != NULL && peer->key < due_ns) due_ns = peer->key;
    uint64_t copy_ns = ventilator_copy_deadline(ventilator);
    return copy_ns < due_ns ? copy_ns : due_ns;
}

uint64_t ventilator_held_count(const struct ventilator *ventilator)
{
    const struct known *known = &ventilator->known;
    return known->ids.count - known->ended.count - ventilator->letters.count;
}

struct bytes ventilator_last_words(const struct ventilator *ventilator, const struct id *id)
{
    uint32_t slot = known_find(&ventilator->known, id);
    if (slot == TASK_NOWHERE) return (struct bytes){0};
    return store_get(&ventilator->store, ventilator->tasks[slot].text);
}

uint64_t ventilator_open_count(const struct ventilator *ventilator)
{
    const struct totals *totals = &ventilator->totals;
    return totals->waiting + totals->ready + totals->leased + ventilator->owed;
}

struct ventilator_load ventilator_load(const struct ventilator *ventilator)
{
    return (struct ventilator_load){.ready = ventilator->totals.ready,
                                    .leased = ventilator->totals.leased,
                                    .producers = ventilator->peers.producers};
}

void ventilator_totals(const struct ventilator *ventilator, uint64_t now_ns, struct totals *totals)
{
    *totals = ventilator->totals;
    totals->workers = ventilator->peers.workers;
    totals->producers = ventilator->peers.producers;
    totals->dead_letters = ventilator->letters.count;
    totals->uptime_ms = (now_ns - ventilator->started_ns) / MILLISECOND;
    totals->store_bytes = ventilator->store.bytes_used;
    totals->journal_bytes = ventilator->journal_bytes;
    totals->journal_lag = ventilator->appended_lsn - ventilator->durable_lsn;
    totals->journal_full = ventilator->journal_full;
}
