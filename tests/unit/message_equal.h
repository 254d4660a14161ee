/* message_equal.h - whether two decoded messages say the same.
 *
 * Views are compared by what they show, absent and empty ones told apart.
 * For tests of the wire only.
 */
#ifndef TESTS_MESSAGE_EQUAL_H
#define TESTS_MESSAGE_EQUAL_H

#include "../../src/core/message.h"

static inline bool view_equal(struct bytes a, struct bytes b)
{
    return (a.data == NULL) == (b.data == NULL) && bytes_equal(a, b);
}

static inline bool views_equal(const struct bytes *a, const struct bytes *b, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!view_equal(a[i], b[i])) return false;
    }
    return true;
}

static inline bool lease_equal(const struct lease *a, const struct lease *b)
{
    return id_equal(&a->id, &b->id) && a->attempt == b->attempt && a->token == b->token;
}

static inline bool leases_equal(const struct lease *a, const struct lease *b, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!lease_equal(&a[i], &b[i])) return false;
    }
    return true;
}

static inline bool hello_equal(const struct message_hello *a, const struct message_hello *b)
{
    return a->role == b->role && a->minor == b->minor && id_equal(&a->node, &b->node) &&
           view_equal(a->software, b->software) && view_equal(a->label, b->label) &&
           a->slots == b->slots && a->name_count == b->name_count &&
           a->queue_count == b->queue_count && a->lease_count == b->lease_count &&
           views_equal(a->names, b->names, a->name_count) &&
           views_equal(a->queues, b->queues, a->queue_count) &&
           leases_equal(a->leases, b->leases, a->lease_count);
}

static inline bool welcome_equal(const struct message_welcome *a, const struct message_welcome *b)
{
    return a->minor == b->minor && id_equal(&a->node, &b->node) &&
           view_equal(a->software, b->software) && a->heartbeat_ms == b->heartbeat_ms &&
           a->suspect_ms == b->suspect_ms && a->lost_ms == b->lost_ms &&
           a->payload_bytes_max == b->payload_bytes_max && a->known == b->known &&
           a->message_bytes_max == b->message_bytes_max && a->intake_count == b->intake_count &&
           a->drop_count == b->drop_count && views_equal(a->intakes, b->intakes, a->intake_count) &&
           leases_equal(a->drops, b->drops, a->drop_count);
}

static inline bool submit_equal(const struct message_submit *a, const struct message_submit *b)
{
    if (a->batch != b->batch || a->count != b->count) return false;
    for (uint32_t i = 0; i < a->count; i++) {
        const struct submission *x = &a->items[i], *y = &b->items[i];
        if (!id_equal(&x->id, &y->id) || !view_equal(x->name, y->name) ||
            !view_equal(x->queue, y->queue) || !view_equal(x->payload, y->payload) ||
            x->flags != y->flags || x->attempts_max != y->attempts_max ||
            x->crashes_max != y->crashes_max || x->backoff_ms != y->backoff_ms ||
            x->backoff_ms_max != y->backoff_ms_max || x->limit_ms != y->limit_ms ||
            x->soft_ms != y->soft_ms || x->stalled_ms != y->stalled_ms)
            return false;
    }
    return true;
}

static inline bool rejections_equal(const struct rejection *a, const struct rejection *b,
                                    uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (a[i].item != b[i].item || a[i].reason != b[i].reason) return false;
    }
    return true;
}

static inline bool accept_equal(const struct message_accept *a, const struct message_accept *b)
{
    return a->batch == b->batch && a->count == b->count &&
           rejections_equal(a->rejections, b->rejections, a->count);
}

static inline bool result_equal(const struct message_result *a, const struct message_result *b)
{
    if (a->count != b->count) return false;
    for (uint32_t i = 0; i < a->count; i++) {
        const struct result *x = &a->items[i], *y = &b->items[i];
        if (!id_equal(&x->id, &y->id) || x->state != y->state || x->attempt != y->attempt ||
            x->reason != y->reason || !view_equal(x->result, y->result) ||
            !view_equal(x->text, y->text))
            return false;
    }
    return true;
}

static inline bool work_equal(const struct message_work *a, const struct message_work *b)
{
    if (a->backlog != b->backlog || a->count != b->count) return false;
    for (uint32_t i = 0; i < a->count; i++) {
        const struct assignment *x = &a->items[i], *y = &b->items[i];
        if (!lease_equal(&x->lease, &y->lease) || !view_equal(x->name, y->name) ||
            !view_equal(x->payload, y->payload) || x->limit_ms != y->limit_ms ||
            x->soft_ms != y->soft_ms || x->stalled_ms != y->stalled_ms)
            return false;
    }
    return true;
}

static inline bool complete_equal(const struct message_complete *a,
                                  const struct message_complete *b)
{
    if (a->count != b->count) return false;
    for (uint32_t i = 0; i < a->count; i++) {
        const struct completion *x = &a->items[i], *y = &b->items[i];
        if (!lease_equal(&x->lease, &y->lease) || x->outcome != y->outcome ||
            x->retry_after_ms != y->retry_after_ms || !view_equal(x->result, y->result) ||
            !view_equal(x->text, y->text))
            return false;
    }
    return true;
}

static inline bool worker_row_equal(const struct worker_row *a, const struct worker_row *b)
{
    return view_equal(a->label, b->label) && id_equal(&a->node, &b->node) && a->slots == b->slots &&
           a->leased == b->leased && a->running == b->running && a->completed == b->completed &&
           a->silent_ms == b->silent_ms && a->hung == b->hung && a->draining == b->draining;
}

static inline bool lane_row_equal(const struct lane_row *a, const struct lane_row *b)
{
    return view_equal(a->queue, b->queue) && view_equal(a->name, b->name) &&
           a->waiting == b->waiting && a->ready == b->ready && a->leased == b->leased &&
           a->workers == b->workers;
}

static inline bool dead_row_equal(const struct dead_row *a, const struct dead_row *b)
{
    return id_equal(&a->id, &b->id) && view_equal(a->queue, b->queue) &&
           view_equal(a->name, b->name) && a->state == b->state && a->reason == b->reason &&
           a->attempt == b->attempt && view_equal(a->text, b->text) && a->failures == b->failures &&
           a->crashes == b->crashes && a->losses == b->losses && a->age_ms == b->age_ms &&
           a->payload_bytes == b->payload_bytes;
}

static inline bool letter_row_equal(const struct letter_row *a, const struct letter_row *b)
{
    return dead_row_equal(&a->dead, &b->dead) && view_equal(a->value, b->value);
}

static inline bool run_row_equal(const struct run_row *a, const struct run_row *b)
{
    return id_equal(&a->id, &b->id) && view_equal(a->queue, b->queue) &&
           view_equal(a->name, b->name) && a->attempt == b->attempt &&
           view_equal(a->worker, b->worker) && a->leased_ms == b->leased_ms && a->told == b->told &&
           a->number == b->number && view_equal(a->text, b->text) && a->told_ms == b->told_ms;
}

static inline bool row_equal(const struct message_answer *a, const struct message_answer *b,
                             uint32_t row)
{
    switch (a->query) {
    case QUERY_TOTALS: return memcmp(a->totals, b->totals, sizeof *a->totals) == 0;
    case QUERY_WORKERS: return worker_row_equal(&a->workers[row], &b->workers[row]);
    case QUERY_LANES: return lane_row_equal(&a->lanes[row], &b->lanes[row]);
    case QUERY_DEAD: return dead_row_equal(&a->dead[row], &b->dead[row]);
    case QUERY_LETTER: return letter_row_equal(a->letter, b->letter);
    case QUERY_RUNS: return run_row_equal(&a->runs[row], &b->runs[row]);
    }
    return false;
}

static inline bool answer_equal(const struct message_answer *a, const struct message_answer *b)
{
    if (a->query != b->query || a->cursor != b->cursor || a->count != b->count) return false;
    for (uint32_t i = 0; i < a->count; i++) {
        if (!row_equal(a, b, i)) return false;
    }
    return true;
}

static inline bool dispose_equal(const struct message_dispose *a, const struct message_dispose *b)
{
    if (a->disposal != b->disposal || a->cursor != b->cursor || a->count != b->count ||
        !view_equal(a->queue, b->queue) || !view_equal(a->name, b->name))
        return false;
    for (uint32_t i = 0; i < a->count; i++) {
        if (!id_equal(&a->ids[i], &b->ids[i])) return false;
    }
    return true;
}

static inline bool disposed_equal(const struct message_disposed *a,
                                  const struct message_disposed *b)
{
    return a->disposal == b->disposal && a->cursor == b->cursor && a->reason == b->reason &&
           a->affected == b->affected && a->count == b->count &&
           rejections_equal(a->rejections, b->rejections, a->count);
}

static inline bool heartbeat_equal(const struct message_heartbeat *a,
                                   const struct message_heartbeat *b)
{
    return a->backlog == b->backlog && a->held == b->held && a->running == b->running &&
           a->hung == b->hung && a->draining == b->draining;
}

static inline bool progress_equal(const struct message_progress *a,
                                  const struct message_progress *b)
{
    if (a->count != b->count) return false;
    for (uint32_t i = 0; i < a->count; i++) {
        const struct progress *x = &a->items[i], *y = &b->items[i];
        if (!lease_equal(&x->lease, &y->lease) || x->number != y->number ||
            !view_equal(x->text, y->text))
            return false;
    }
    return true;
}

static inline bool message_leases_equal(const struct message_leases *a,
                                        const struct message_leases *b)
{
    return a->count == b->count && leases_equal(a->leases, b->leases, a->count);
}

static inline bool message_equal(const struct message *a, const struct message *b)
{
    if (a->kind != b->kind || a->session != b->session || a->sequence != b->sequence) return false;
    switch (a->kind) {
    case MESSAGE_OTHER:
    case MESSAGE_WHO: return true;
    case MESSAGE_HELLO: return hello_equal(&a->u.hello, &b->u.hello);
    case MESSAGE_WELCOME: return welcome_equal(&a->u.welcome, &b->u.welcome);
    case MESSAGE_REFUSE:
        return a->u.refuse.reason == b->u.refuse.reason &&
               view_equal(a->u.refuse.text, b->u.refuse.text);
    case MESSAGE_HEARTBEAT: return heartbeat_equal(&a->u.heartbeat, &b->u.heartbeat);
    case MESSAGE_BYE: return view_equal(a->u.bye.text, b->u.bye.text);
    case MESSAGE_SUBMIT: return submit_equal(&a->u.submit, &b->u.submit);
    case MESSAGE_ACCEPT: return accept_equal(&a->u.accept, &b->u.accept);
    case MESSAGE_RESULT: return result_equal(&a->u.result, &b->u.result);
    case MESSAGE_RECEIPT: return a->u.receipt.through == b->u.receipt.through;
    case MESSAGE_QUERY:
        return a->u.query.query == b->u.query.query && a->u.query.cursor == b->u.query.cursor &&
               id_equal(&a->u.query.id, &b->u.query.id);
    case MESSAGE_ANSWER: return answer_equal(&a->u.answer, &b->u.answer);
    case MESSAGE_DISPOSE: return dispose_equal(&a->u.dispose, &b->u.dispose);
    case MESSAGE_DISPOSED: return disposed_equal(&a->u.disposed, &b->u.disposed);
    case MESSAGE_CREDIT:
        return a->u.credit.tasks == b->u.credit.tasks && a->u.credit.bytes == b->u.credit.bytes;
    case MESSAGE_WORK: return work_equal(&a->u.work, &b->u.work);
    case MESSAGE_COMPLETE: return complete_equal(&a->u.complete, &b->u.complete);
    case MESSAGE_DRAIN:
        return view_equal(a->u.drain.target, b->u.drain.target) &&
               a->u.drain.grace_ms == b->u.drain.grace_ms;
    case MESSAGE_DRAINING: return a->u.draining.affected == b->u.draining.affected;
    case MESSAGE_PROGRESS: return progress_equal(&a->u.progress, &b->u.progress);
    case MESSAGE_REVOKE: return message_leases_equal(&a->u.revoke, &b->u.revoke);
    case MESSAGE_RECALL: return message_leases_equal(&a->u.recall, &b->u.recall);
    }
    return false;
}

#endif
