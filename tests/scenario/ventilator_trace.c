/* ventilator_trace.c - a ventilator's records and messages as lines of text. */
#include "ventilator_trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

enum { ITEMS_SHOWN = 16 }; /* of a longer message only the count is written */

static const char *const PEER_NAMES[STORY_PEERS] = {"p1", "p2", "p3", "w1", "w2", "w3", "w4"};

/* A trace that is full stays as it is: the bulk tests look at counts. */
static void __attribute__((format(printf, 2, 3)))
write_text(struct story *story, const char *format, ...)
{
    size_t room = sizeof story->trace - story->used;
    va_list arguments;
    va_start(arguments, format);
    int written = vsnprintf(story->trace + story->used, room, format, arguments);
    va_end(arguments);
    assert_true(written >= 0);
    story->used = (size_t)written < room ? story->used + (size_t)written : sizeof story->trace - 1;
}

static void write_time(struct story *story)
{
    write_text(story, "[%5llu] ",
               (unsigned long long)((story->now_ns - story->start_ns) / MILLISECOND));
}

static const char *reason_text(enum reason reason)
{
    switch (reason) {
    case REASON_NONE: return "";
    case REASON_VERSION: return " version";
    case REASON_MALFORMED: return " malformed";
    case REASON_BUSY: return " busy";
    case REASON_TOO_BIG: return " too big";
    case REASON_BAD_NAME: return " bad name";
    case REASON_DRAINING: return " draining";
    case REASON_ROLE: return " role";
    case REASON_ATTEMPTS: return " attempts";
    case REASON_PERMANENT: return " permanent";
    case REASON_CRASHES: return " crashes";
    case REASON_LOSSES: return " losses";
    case REASON_FORGOTTEN: return " forgotten";
    case REASON_OWNER_GONE: return " owner gone";
    case REASON_NO_LETTER: return " no letter";
    case REASON_CANCELLED: return " cancelled";
    case REASON_NO_TASK: return " no task";
    case REASON_ENDED: return " ended";
    case REASON_AWAITED: return " awaited";
    }
    return " ?";
}

static const char *state_text(enum task_state state)
{
    switch (state) {
    case TASK_NONE: return "none";
    case TASK_WAITING: return "waiting";
    case TASK_READY: return "ready";
    case TASK_LEASED: return "leased";
    case TASK_DONE: return "done";
    case TASK_FAILED: return "failed";
    case TASK_DEAD: return "dead";
    case TASK_CANCELLED: return "cancelled";
    case TASK_EXPIRED: return "expired";
    }
    return "?";
}

static const char *peer_of_node(const struct id *node)
{
    if (node->octets[0] != 2 || node->octets[15] == 0 || node->octets[15] > STORY_PEERS) {
        return "nobody";
    }
    return PEER_NAMES[node->octets[15] - 1];
}

static const char *peer_of_link(const struct story *story, uint32_t link)
{
    for (uint32_t at = 0; at < STORY_PEERS; at++) {
        if (story->peers[at].link == link) return PEER_NAMES[at];
    }
    return "stranger";
}

static char letter_of(const struct id *id)
{
    return (char)(id->octets[15] > ' ' ? id->octets[15] : '?');
}

static const char *verb_of(enum record_kind kind)
{
    switch (kind) {
    case RECORD_ACCEPTED: return "accepted";
    case RECORD_DUPLICATE: return "duplicate";
    case RECORD_REJECTED: return "rejected";
    case RECORD_LEASED: return "leased";
    case RECORD_RETURNED: return "returned";
    case RECORD_REQUEUED: return "requeued";
    case RECORD_RETRIED: return "retried";
    case RECORD_RIPE: return "ripe";
    case RECORD_ENDED: return "ended";
    case RECORD_STALE: return "stale";
    case RECORD_RESTORED: return "restored";
    case RECORD_REVIVED: return "revived";
    case RECORD_DROPPED: return "dropped";
    case RECORD_PEER_OPENED: return "opened";
    case RECORD_PEER_RESUMED: return "resumed";
    case RECORD_PEER_RESET: return "reset";
    case RECORD_PEER_CLOSED: return "closed";
    case RECORD_PEER_SUSPECT: return "suspect";
    case RECORD_PEER_LOST: return "lost";
    case RECORD_PEER_LEFT: return "left";
    }
    return "?";
}

void ventilator_trace_record(struct story *story, const struct record *record)
{
    write_time(story);
    if (record->kind >= RECORD_PEER_OPENED) {
        write_text(story, "%s %s\n", peer_of_node(&record->peer), verb_of(record->kind));
        return;
    }
    write_text(story, "%s %c/%u", verb_of(record->kind), letter_of(&record->id), record->attempt);
    if (!id_is_zero(&record->peer)) write_text(story, " %s", peer_of_node(&record->peer));
    if (record->kind == RECORD_ENDED || record->kind == RECORD_RESTORED)
        write_text(story, " %s", state_text(record->state));
    write_text(story, "%s\n", reason_text(record->reason));
}

static void write_bytes(struct story *story, struct bytes bytes)
{
    if (bytes.data == NULL) return;
    if (bytes.size > 64)
        write_text(story, " %u bytes", bytes.size);
    else
        write_text(story, " \"%.*s\"", (int)bytes.size, (const char *)bytes.data);
}

static void write_welcome(struct story *story, const struct message_welcome *welcome)
{
    write_text(story, " welcome");
    if (welcome->drop_count > 0) write_text(story, " but");
    for (uint32_t at = 0; at < welcome->drop_count && at < ITEMS_SHOWN; at++) {
        write_text(story, " %c/%u", letter_of(&welcome->drops[at].id), welcome->drops[at].attempt);
    }
}

static void write_rejections(struct story *story, const struct rejection *rejections,
                             uint32_t count)
{
    for (uint32_t at = 0; at < count && at < ITEMS_SHOWN; at++) {
        write_text(story, " but %u%s", rejections[at].item, reason_text(rejections[at].reason));
    }
}

static void write_accept(struct story *story, const struct message_accept *accept)
{
    write_text(story, " accept %llu", (unsigned long long)accept->batch);
    write_rejections(story, accept->rejections, accept->count);
}

static void write_disposed(struct story *story, const struct message_disposed *disposed)
{
    write_text(story, " disposed %u%s%s", disposed->affected, disposed->cursor != 0 ? "," : "",
               disposed->cursor != 0 ? " more" : reason_text(disposed->reason));
    write_rejections(story, disposed->rejections, disposed->count);
}

static void write_work(struct story *story, const struct message_work *work)
{
    write_text(story, " work");
    if (work->count > ITEMS_SHOWN) write_text(story, " of %u", work->count);
    for (uint32_t at = 0; at < work->count && work->count <= ITEMS_SHOWN; at++) {
        write_text(story, " %c/%u", letter_of(&work->items[at].lease.id),
                   work->items[at].lease.attempt);
        write_bytes(story, work->items[at].payload);
        const struct assignment *item = &work->items[at];
        if (item->limit_ms != 0) write_text(story, " within %u ms", item->limit_ms);
        if (item->soft_ms != 0) write_text(story, " asked after %u ms", item->soft_ms);
        if (item->stalled_ms != 0) write_text(story, " alive every %u ms", item->stalled_ms);
    }
}

static void write_leases(struct story *story, const char *verb, const struct message_leases *leases)
{
    write_text(story, " %s", verb);
    if (leases->count > ITEMS_SHOWN) write_text(story, " of %u", leases->count);
    for (uint32_t at = 0; at < leases->count && leases->count <= ITEMS_SHOWN; at++) {
        const struct lease *lease = &leases->leases[at];
        write_text(story, " %c/%u", letter_of(&lease->id), lease->attempt);
    }
}

static void write_progress(struct story *story, const struct message_progress *progress)
{
    write_text(story, " progress");
    for (uint32_t at = 0; at < progress->count && at < ITEMS_SHOWN; at++) {
        const struct progress *item = &progress->items[at];
        write_text(story, "%s %c/%u %llu", at > 0 ? "," : "", letter_of(&item->lease.id),
                   item->lease.attempt, (unsigned long long)item->number);
        write_bytes(story, item->text);
    }
}

static void write_result(struct story *story, const struct message_result *result)
{
    write_text(story, " result");
    if (result->count > ITEMS_SHOWN) write_text(story, " of %u", result->count);
    for (uint32_t at = 0; at < result->count && result->count <= ITEMS_SHOWN; at++) {
        const struct result *item = &result->items[at];
        write_text(story, "%s %c/%u %s%s", at > 0 ? "," : "", letter_of(&item->id), item->attempt,
                   state_text(item->state), reason_text(item->reason));
        write_bytes(story, item->result);
        write_bytes(story, item->text);
    }
}

void ventilator_trace_send(struct story *story, const struct ventilator_send *send)
{
    const struct message *message = &send->message;
    if (message->kind == MESSAGE_HEARTBEAT && !story->shows_beats) return;
    write_time(story);
    write_text(story, "> %s", peer_of_link(story, send->link));
    switch (message->kind) {
    case MESSAGE_WELCOME: write_welcome(story, &message->u.welcome); break;
    case MESSAGE_REFUSE:
        write_text(story, " refuse%s", reason_text(message->u.refuse.reason));
        break;
    case MESSAGE_WHO: write_text(story, " who"); break;
    case MESSAGE_HEARTBEAT:
        write_text(story, " heartbeat %llu", (unsigned long long)message->u.heartbeat.backlog);
        break;
    case MESSAGE_BYE: write_text(story, " bye"); break;
    case MESSAGE_ACCEPT: write_accept(story, &message->u.accept); break;
    case MESSAGE_RESULT: write_result(story, &message->u.result); break;
    case MESSAGE_RECEIPT: write_text(story, " receipt %u", message->u.receipt.through); break;
    case MESSAGE_ANSWER: write_text(story, " answer of %u", message->u.answer.count); break;
    case MESSAGE_DISPOSED: write_disposed(story, &message->u.disposed); break;
    case MESSAGE_WORK: write_work(story, &message->u.work); break;
    case MESSAGE_DRAIN:
        assert_int_equal(message->u.drain.target.size, 0);
        write_text(story, " drain %u ms", message->u.drain.grace_ms);
        break;
    case MESSAGE_DRAINING: write_text(story, " draining %u", message->u.draining.affected); break;
    case MESSAGE_PROGRESS: write_progress(story, &message->u.progress); break;
    case MESSAGE_REVOKE: write_leases(story, "revoke", &message->u.revoke); break;
    case MESSAGE_RECALL: write_leases(story, "recall", &message->u.recall); break;
    case MESSAGE_OTHER:
    case MESSAGE_HELLO:
    case MESSAGE_SUBMIT:
    case MESSAGE_QUERY:
    case MESSAGE_DISPOSE:
    case MESSAGE_CREDIT:
    case MESSAGE_COMPLETE: fail_msg("a ventilator does not say this"); break;
    }
    write_text(story, "\n");
}
