/* checker_ventilator.c - what ventilators do to tasks, leases and credit.
 *
 * Follows every record of every ventilator: from which state, under which
 * lease, and because of which completion.  What a ventilator itself believes
 * is never asked, but for the number of its open tasks.
 */
#include "checker.h"

#include "checker_drain.h"
#include "checker_restart.h"
#include "checker_revoke.h"
#include "mesh.h"

struct view {
    struct mesh *mesh;
    const struct node *node;
    const struct ventilator_event *event;
    uint32_t life;
};

static void fail_task(const struct view *view, const char *rule, const struct id *id,
                      const char *what)
{
    checker_fail(view->mesh, rule, "%s: %s %s", view->node->name, story_task(view->mesh, id), what);
}

/* The completion in this step's message that is under the latest lease. */
static const struct completion *rightful(const struct view *view, const struct id *id,
                                         const struct custody *custody)
{
    const struct message *message = view->event->message;
    if (view->event->kind != VENTILATOR_MESSAGE || message->kind != MESSAGE_COMPLETE) return NULL;
    for (uint32_t at = 0; at < message->u.complete.count; at++) {
        const struct completion *item = &message->u.complete.items[at];
        if (custody->token != 0 && item->lease.token == custody->token &&
            item->lease.attempt == custody->attempt && id_equal(&item->lease.id, id)) {
            return item;
        }
    }
    return NULL;
}

/* ---- The life of a task, one arrow each ---- */

static void accepted(const struct view *view, const struct record *record, uint32_t task)
{
    struct ledger *ledger = &view->mesh->ledger;
    struct custody *custody = ledger_custody(ledger, task, view->life);
    if (custody == NULL) {
        ledger_add_custody(ledger, task, view->life);
    } else if (custody->state == TASK_NONE) { /* a restart forgot it, and nobody had been told */
        ledger_renew_custody(ledger, custody);
    } else {
        fail_task(view, "one task", &record->id, "became a second task");
    }
}

static void leased(const struct view *view, const struct record *record, struct custody *custody)
{
    bool resumed = custody->token != 0 && record->attempt == custody->attempt;
    /* After a restart a lease waits for its worker. */
    if (custody->state != TASK_READY && !(resumed && custody->state == TASK_WAITING)) {
        fail_task(view, "life", &record->id, "was leased, and was not ready");
    }
    if (!resumed) {
        if (record->attempt != custody->attempt + 1) {
            fail_task(view, "life", &record->id, "was leased under a number that is not the next");
        }
        custody->attempt = record->attempt;
        custody->token = 0;
    }
    custody->state = TASK_LEASED;
    custody->leased_ns = view->event->now_ns;
}

static uint32_t attempts_of(const struct view *view, uint32_t task)
{
    uint32_t own = view->mesh->ledger.tasks[task].attempts_max;
    return own != 0 ? own : view->mesh->plan.attempts_max;
}

/* A worker that does not say so itself has lost it: then nothing of it runs there. */
static void check_returned(const struct view *view, const struct record *record,
                           const struct custody *custody, uint32_t task)
{
    const struct completion *why = rightful(view, &record->id, custody);
    const struct lease lease = {
        .id = record->id, .attempt = custody->attempt, .token = custody->token};
    const struct grant *grant = ledger_grant(&view->mesh->ledger, task, &lease);
    if (why != NULL || grant == NULL || !grant->started || grant->finished) return;
    const struct node *worker = &view->mesh->nodes[grant->node];
    if (worker->up && worker->process == grant->process) {
        fail_task(view, "one run", &record->id, "is taken back while it runs");
    }
}

/* Whether its worker had its time, and more, to end the run at its limit, and did not. */
static bool is_overdue(const struct view *view, const struct custody *custody, uint32_t task)
{
    enum { ROUNDING_MS = 1 };
    uint32_t limit_ms = view->mesh->ledger.tasks[task].limit_ms;
    if (limit_ms == 0 || view->event->kind != VENTILATOR_TURN) return false;
    if (custody->state != TASK_LEASED) return false;
    uint64_t patience_ns = limit_ms * MILLISECOND + 4 * view->mesh->plan.heartbeat_ns;
    return view->event->now_ns + ROUNDING_MS * MILLISECOND >= custody->leased_ns + patience_ns;
}

static void left_worker(const struct view *view, const struct record *record,
                        struct custody *custody, uint32_t task)
{
    if (custody->state != TASK_LEASED) {
        fail_task(view, "life", &record->id, "came back, and was not leased");
    }
    if (record->kind == RECORD_RETURNED) {
        check_returned(view, record, custody, task);
        custody->attempt = record->attempt;
        custody->token = 0;
    } else if (record->kind == RECORD_REQUEUED) {
        custody->losses++;
    } else {
        const struct completion *why = rightful(view, &record->id, custody);
        bool failed =
            why != NULL && why->outcome != OUTCOME_DONE && why->outcome != OUTCOME_RETURNED;
        if (!failed && !is_overdue(view, custody, task)) {
            fail_task(view, "dead lease", &record->id,
                      "is tried again without a failure under its latest lease");
        }
        if (why != NULL && why->outcome == OUTCOME_CRASHED) custody->crashes++;
        custody->failures++;
        custody->token = 0;
        if (custody->failures >= attempts_of(view, task)) {
            fail_task(view, "policy", &record->id, "is tried again beyond its limit");
        }
    }
    custody->state = record->kind == RECORD_RETRIED ? TASK_WAITING : TASK_READY;
}

static void check_done(const struct view *view, const struct record *record,
                       const struct custody *custody, uint32_t task)
{
    const struct completion *why = rightful(view, &record->id, custody);
    if (why == NULL || why->outcome != OUTCOME_DONE) {
        fail_task(view, "dead lease", &record->id,
                  "ended without a completion under its latest lease");
        return;
    }
    const struct grant *grant = ledger_grant(&view->mesh->ledger, task, &why->lease);
    if (grant == NULL || !grant->finished || grant->outcome != OUTCOME_DONE) {
        fail_task(view, "unexpected", &record->id, "ended DONE, and no run of it did");
    }
    struct bytes made = ledger_outcome(&why->lease);
    if (!bytes_equal(made, why->result) || (made.data == NULL) != (why->result.data == NULL)) {
        fail_task(view, "content", &record->id, "ended with a result that its run did not make");
    }
}

static void check_failed(const struct view *view, const struct record *record,
                         const struct custody *custody, uint32_t task)
{
    const struct plan *plan = &view->mesh->plan;
    bool just = true;
    switch (record->reason) {
    case REASON_LOSSES: just = custody->losses + 1 >= plan->losses_max; break;
    case REASON_ATTEMPTS: just = custody->failures + 1 >= attempts_of(view, task); break;
    case REASON_CRASHES: just = custody->crashes + 1 >= plan->crashes_max; break;
    case REASON_NONE:
    case REASON_VERSION:
    case REASON_MALFORMED:
    case REASON_BUSY:
    case REASON_TOO_BIG:
    case REASON_BAD_NAME:
    case REASON_DRAINING:
    case REASON_ROLE:
    case REASON_PERMANENT:
    case REASON_FORGOTTEN:
    case REASON_OWNER_GONE:
    case REASON_NO_LETTER:
    case REASON_CANCELLED:
    case REASON_NO_TASK:
    case REASON_ENDED:
    case REASON_AWAITED: break;
    }
    if (!just) fail_task(view, "policy", &record->id, "was given up before its limit was reached");
    bool overdue = record->reason == REASON_ATTEMPTS && is_overdue(view, custody, task);
    if (record->reason != REASON_LOSSES && !overdue &&
        rightful(view, &record->id, custody) == NULL) {
        fail_task(view, "dead lease", &record->id,
                  "failed without a completion under its latest lease");
    }
}

static void check_cancelled(const struct view *view, const struct record *record,
                            const struct custody *custody, uint32_t task)
{
    const struct lease lease = {
        .id = record->id, .attempt = custody->attempt, .token = custody->token};
    if (custody->state == TASK_LEASED && custody->token != 0) {
        checker_revoked(view->mesh, view->node, ledger_grant(&view->mesh->ledger, task, &lease),
                        &lease);
    }
    const struct message *message =
        view->event->kind == VENTILATOR_MESSAGE ? view->event->message : NULL;
    bool asked = false;
    if (message != NULL && message->kind == MESSAGE_DISPOSE &&
        message->u.dispose.disposal == DISPOSAL_CANCEL) {
        for (uint32_t at = 0; at < message->u.dispose.count; at++) {
            if (id_equal(&message->u.dispose.ids[at], &record->id)) asked = true;
        }
    }
    if (!asked || record->reason != REASON_CANCELLED) {
        fail_task(view, "cancel", &record->id, "is cancelled, and nobody asked for that");
    }
}

static void ended(const struct view *view, const struct record *record, struct custody *custody,
                  uint32_t task)
{
    if (custody->state >= TASK_DONE) {
        fail_task(view, "one end", &record->id, "ended a second time");
        return;
    }
    if (record->state == TASK_DONE)
        check_done(view, record, custody, task);
    else if (record->state == TASK_CANCELLED)
        check_cancelled(view, record, custody, task);
    else
        check_failed(view, record, custody, task);
    if (record->attempt != custody->attempt) {
        fail_task(view, "life", &record->id, "ended under a number that is not its latest");
    }
    custody->state = record->state;
    custody->reason = record->reason;
    custody->end_token = custody->token;
    custody->token = 0;
    view->mesh->ledger.lives[view->life].open--;
    view->mesh->ledger.open--;
}

static void stale(const struct view *view, const struct record *record,
                  const struct custody *custody)
{
    view->mesh->counts.stale++;
    const struct completion *item = rightful(view, &record->id, custody);
    if (custody->state < TASK_DONE && item != NULL) {
        fail_task(view, "stale", &record->id, "was refused a completion under its latest lease");
    }
}

static void take_record(const struct view *view, const struct record *record)
{
    struct ledger *ledger = &view->mesh->ledger;
    if (id_is_zero(&record->id)) {
        if (record->kind == RECORD_PEER_RESET) view->mesh->counts.resets++;
        checker_drain_record(view->mesh, view->node, record);
        return;
    }
    uint32_t task = ledger_find(ledger, &record->id);
    if (task == LEDGER_NONE) {
        view->mesh->counts.unexpected++;
        checker_fail(view->mesh, "unexpected", "%s has a task that nobody submitted",
                     view->node->name);
        return;
    }
    if (record->kind == RECORD_ACCEPTED) accepted(view, record, task);
    struct custody *custody = ledger_custody(ledger, task, view->life);
    if (custody == NULL || custody->state == TASK_NONE) {
        if (record->kind == RECORD_REJECTED) return;
        if (record->kind == RECORD_STALE) { /* a lease of another life */
            view->mesh->counts.stale++;
            return;
        }
        fail_task(view, "life", &record->id, "changes, and was never accepted");
        return;
    }
    switch (record->kind) {
    case RECORD_LEASED: leased(view, record, custody); return;
    case RECORD_RETURNED:
    case RECORD_REQUEUED:
    case RECORD_RETRIED: left_worker(view, record, custody, task); return;
    case RECORD_RIPE: custody->state = TASK_READY; return;
    case RECORD_ENDED: ended(view, record, custody, task); return;
    case RECORD_STALE: stale(view, record, custody); return;
    case RECORD_RESTORED: checker_restored(view->mesh, view->node, record, custody); return;
    case RECORD_ACCEPTED:
    case RECORD_DUPLICATE:
    case RECORD_REJECTED:
    case RECORD_REVIVED:
    case RECORD_DROPPED:
    case RECORD_PEER_OPENED:
    case RECORD_PEER_RESUMED:
    case RECORD_PEER_RESET:
    case RECORD_PEER_CLOSED:
    case RECORD_PEER_SUSPECT:
    case RECORD_PEER_LOST:
    case RECORD_PEER_LEFT: return;
    }
}

/* ---- Credit ---- */

static struct credit *credit_of(const struct view *view, uint32_t session)
{
    struct credit *credit = &view->mesh->ledger.credits[view->node->number][session % CREDITS_MAX];
    /* Sessions are counted in the high half; an old one is of no interest. */
    int16_t newer = (int16_t)((session >> 16) - (credit->session >> 16));
    if (credit->session == 0 || newer > 0) *credit = (struct credit){.session = session};
    return credit->session == session ? credit : NULL;
}

static void take_credit(const struct view *view, const struct message *message)
{
    struct credit *credit = credit_of(view, message->session);
    if (credit == NULL) return;
    if (message->sequence <= credit->sequence) return; /* the network repeats itself */
    credit->sequence = message->sequence;
    credit->tasks = message->u.credit.tasks;
    credit->bytes = message->u.credit.bytes;
}

static void use_credit(const struct view *view, const struct message *message,
                       const struct assignment *item)
{
    struct credit *credit = credit_of(view, message->session);
    bool covered = credit != NULL && credit->given_tasks < credit->tasks &&
                   credit->given_bytes < credit->bytes;
    if (!covered) {
        fail_task(view, "credit", &item->lease.id, "is given to a worker without credit for it");
        return;
    }
    credit->given_tasks++;
    credit->given_bytes += item->payload.size;
}

/* ---- Leases on their way ---- */

static void take_assignment(const struct view *view, const struct ventilator_send *send,
                            const struct assignment *item)
{
    struct ledger *ledger = &view->mesh->ledger;
    use_credit(view, &send->message, item);
    uint32_t task = ledger_find(ledger, &item->lease.id);
    struct custody *custody = task == LEDGER_NONE ? NULL : ledger_custody(ledger, task, view->life);
    if (custody == NULL || custody->state != TASK_LEASED ||
        custody->attempt != item->lease.attempt || custody->token != 0) {
        fail_task(view, "life", &item->lease.id, "is sent to a worker, and is not newly leased");
        return;
    }
    custody->token = item->lease.token;
    if (ledger_grant(ledger, task, &item->lease) != NULL) {
        fail_task(view, "one run", &item->lease.id, "is sent twice under one lease");
    }
    struct grant *grant = ledger_add_grant(ledger, task, &item->lease);
    uint32_t connection = network_of_route(view->mesh, send->link);
    grant->life = view->life;
    grant->session = send->message.session;
    if (connection != CONNECTION_NONE) {
        grant->node = view->mesh->network.connections[connection].nodes[SIDE_DIALLER];
    }
}

void checker_ventilator(struct mesh *mesh, const struct node *node,
                        const struct ventilator_event *event,
                        const struct ventilator_actions *actions)
{
    struct view view = {.mesh = mesh, .node = node, .event = event, .life = node->ventilator.life};
    if (event->kind == VENTILATOR_MESSAGE && event->message->kind == MESSAGE_CREDIT) {
        take_credit(&view, event->message);
    }
    for (uint32_t at = 0; at < actions->record_count; at++) {
        take_record(&view, &actions->records[at]);
    }
    for (uint32_t at = 0; at < actions->send_count; at++) {
        const struct ventilator_send *send = &actions->sends[at];
        checker_revoke_says(mesh, &send->message);
        checker_drain_says(mesh, node, event, &send->message);
        if (send->message.kind != MESSAGE_WORK) continue;
        for (uint32_t item = 0; item < send->message.u.work.count; item++) {
            take_assignment(&view, send, &send->message.u.work.items[item]);
        }
    }
    if (event->kind != VENTILATOR_TURN) return;
    if (!actions->more) checker_revoke_turn(mesh, node);
    struct totals totals;
    ventilator_totals(node->ventilator.core, event->now_ns, &totals);
    uint64_t open = totals.waiting + totals.ready + totals.leased;
    if (open != mesh->ledger.lives[view.life].open) {
        checker_fail(mesh, "count", "%s counts %llu open tasks, and has %u", node->name,
                     (unsigned long long)open, mesh->ledger.lives[view.life].open);
    }
}
