/* producer_story.c - runs the producer of a story and writes down what it does. */
#include "producer_story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

static const uint64_t START_NS = 100 * 1000 * 1000000ULL;

struct producer_options producer_story_options(void)
{
    struct producer_options options = producer_defaults();
    options.node = producer_story_id('P');
    options.seed = 7;
    options.software = bytes_text("tmesh test");
    options.label = bytes_text("story");
    options.link_count = 1;
    options.receipt_ns = 0; /* every receipt stands where its result does */
    options.tasks_max = 16;
    options.store_bytes_max = 1;
    return options;
}

struct id producer_story_id(char letter)
{
    struct id id = {.octets = {1}};
    id.octets[15] = (uint8_t)letter;
    return id;
}

void producer_story_start(struct producer_story *story, const struct producer_options *options)
{
    size_t bytes = (producer_memory_bytes(options) + 63) & ~(size_t)63;
    *story = (struct producer_story){.now_ns = START_NS};
    story->memory = aligned_alloc(64, bytes);
    story->out = malloc(sizeof *story->out);
    assert_non_null(story->memory);
    assert_non_null(story->out);
    memset(story->memory, 0, bytes);
    memset(story->out, 0xa5, sizeof *story->out);
    story->producer = producer_init(story->memory, options, story->now_ns);
}

void producer_story_end(struct producer_story *story)
{
    free(story->memory);
    free(story->out);
}

static uint32_t ticket_of(const struct id *id)
{
    return 1000U + id->octets[15];
}

static void write_text(struct producer_story *story, const char *format, ...)
{
    size_t room = sizeof story->trace - story->used;
    va_list arguments;
    va_start(arguments, format);
    int written = vsnprintf(story->trace + story->used, room, format, arguments);
    va_end(arguments);
    assert_true(written >= 0 && (size_t)written < room);
    story->used += (size_t)written;
}

static const char *reason_text(enum reason reason)
{
    switch (reason) {
    case REASON_NONE: return "";
    case REASON_VERSION: return " version";
    case REASON_BUSY: return " busy";
    case REASON_TOO_BIG: return " too big";
    case REASON_BAD_NAME: return " bad name";
    case REASON_OWNER_GONE: return " owner gone";
    case REASON_NO_LETTER: return " no letter";
    case REASON_CANCELLED: return " cancelled";
    case REASON_NO_TASK: return " no task";
    case REASON_ENDED: return " ended";
    case REASON_AWAITED: return " awaited";
    case REASON_MALFORMED:
    case REASON_DRAINING:
    case REASON_ROLE:
    case REASON_ATTEMPTS:
    case REASON_PERMANENT:
    case REASON_CRASHES:
    case REASON_LOSSES:
    case REASON_FORGOTTEN: break;
    }
    return " other reason";
}

/* The letters of a batch; of a long one its length. */
static void write_items(struct producer_story *story, const struct message_submit *submit)
{
    assert_true(submit->count > 0);
    if (submit->count > 16) {
        write_text(story, "%u tasks", (unsigned)submit->count);
        return;
    }
    for (uint32_t i = 0; i < submit->count; i++) {
        write_text(story, "%c", submit->items[i].id.octets[15]);
    }
}

/* A cancel is the producer's own, and names its tasks. */
static void write_dispose(struct producer_story *story, const struct message_dispose *dispose)
{
    if (dispose->disposal != DISPOSAL_CANCEL || dispose->count > 16) {
        write_text(story, "dispose %d of %u", (int)dispose->disposal, (unsigned)dispose->count);
        return;
    }
    write_text(story, "cancel ");
    for (uint32_t i = 0; i < dispose->count; i++) {
        write_text(story, "%c", dispose->ids[i].octets[15]);
    }
}

static void write_message(struct producer_story *story, const struct producer_action *action)
{
    const struct message *message = &action->message;
    if (message->kind == MESSAGE_HELLO) {
        assert_int_equal(message->u.hello.role, ROLE_PRODUCER);
        assert_int_equal(message->session, 0);
        assert_int_equal(message->sequence, ++story->hellos);
        write_text(story, "hello");
        return;
    }
    assert_int_equal(message->session, story->links[action->link].session);
    if (message->kind == MESSAGE_SUBMIT) {
        write_text(story, "submit %u %s: ", (unsigned)message->u.submit.batch,
                   action->passage == PASSAGE_INTAKE ? "intake" : "front");
        write_items(story, &message->u.submit);
        return;
    }
    assert_int_equal(action->passage, PASSAGE_FRONT);
    if (message->kind == MESSAGE_HEARTBEAT) {
        write_text(story, "heartbeat");
    } else if (message->kind == MESSAGE_RECEIPT) {
        write_text(story, "receipt through %u", (unsigned)message->u.receipt.through);
    } else if (message->kind == MESSAGE_QUERY) {
        write_text(story, "query %d", (int)message->u.query.query);
    } else if (message->kind == MESSAGE_DISPOSE) {
        write_dispose(story, &message->u.dispose);
    } else if (message->kind == MESSAGE_DRAIN) {
        write_text(story, "drain '%.*s' within %u", (int)message->u.drain.target.size,
                   (const char *)message->u.drain.target.data, (unsigned)message->u.drain.grace_ms);
    } else if (message->kind == MESSAGE_BYE) {
        write_text(story, "bye");
    } else {
        fail_msg("the producer said a message of kind %d", (int)message->kind);
    }
}

static void write_task(struct producer_story *story, const char *what,
                       const struct producer_action *action)
{
    const struct result *result = &action->result;
    assert_int_equal(action->ticket, ticket_of(&result->id));
    write_text(story, "%s %c%s", what, result->id.octets[15], reason_text(result->reason));
}

static void write_start(struct producer_story *story, const struct producer_action *action)
{
    uint64_t ms = (story->now_ns - START_NS) / MILLISECOND;
    write_text(story, "[%4.1f] %u ", (double)ms / 1000.0, (unsigned)action->link);
}

/* A line for each. */
static void write_accepted(struct producer_story *story, const struct producer_action *action)
{
    for (uint32_t at = 0; at < action->accepted_count; at++) {
        const struct producer_accepted *accepted = &action->accepted[at];
        assert_int_equal(accepted->ticket, ticket_of(&accepted->id));
        write_start(story, action);
        write_text(story, "accepted %c\n", accepted->id.octets[15]);
    }
}

static void write_action(struct producer_story *story, const struct producer_action *action)
{
    if (action->kind == PRODUCER_ACCEPTED) {
        write_accepted(story, action);
        return;
    }
    write_start(story, action);
    switch (action->kind) {
    case PRODUCER_OPEN: write_text(story, "open"); break;
    case PRODUCER_SHUT: write_text(story, "shut"); break;
    case PRODUCER_INTAKE:
        assert_int_equal(action->message.kind, MESSAGE_WELCOME);
        write_text(story, "intake");
        break;
    case PRODUCER_SEND: write_message(story, action); break;
    case PRODUCER_ACCEPTED: break;
    case PRODUCER_REJECTED: write_task(story, "rejected", action); break;
    case PRODUCER_ENDED: write_task(story, "ended", action); break;
    case PRODUCER_PROGRESS:
        write_task(story, "progress", action);
        write_text(story, " %u of attempt %u: %.*s", (unsigned)action->number,
                   (unsigned)action->result.attempt, (int)action->result.text.size,
                   (const char *)action->result.text.data);
        break;
    case PRODUCER_UNKNOWN: write_task(story, "unknown", action); break;
    case PRODUCER_ANSWER:
        if (action->message.kind == MESSAGE_DISPOSED)
            write_text(story, "disposed %u", (unsigned)action->message.u.disposed.affected);
        else if (action->message.kind == MESSAGE_DRAINING)
            write_text(story, "draining %u", (unsigned)action->message.u.draining.affected);
        else
            write_text(story, "answer %d", (int)action->message.u.answer.query);
        break;
    case PRODUCER_REFUSED:
        write_text(story, "refused%s", reason_text(action->message.u.refuse.reason));
        break;
    case PRODUCER_OPENED: write_text(story, "opened"); break;
    case PRODUCER_LOST: write_text(story, "lost"); break;
    }
    write_text(story, "\n");
}

void producer_story_step(struct producer_story *story, struct producer_event event)
{
    event.now_ns = story->now_ns;
    if (event.kind == PRODUCER_SUBMIT) event.ticket = ticket_of(&event.submission->id);
    producer_step(story->producer, &event, story->out);
    for (uint32_t i = 0; i < story->out->count; i++) write_action(story, &story->out->actions[i]);
}

void producer_story_on(struct producer_story *story, enum producer_event_kind kind, uint32_t link)
{
    producer_story_step(story, (struct producer_event){.kind = kind, .link = link});
}

void producer_story_turn(struct producer_story *story)
{
    do {
        producer_story_on(story, PRODUCER_TURN, 0);
    } while (story->out->more);
    assert_true(producer_deadline(story->producer) > story->now_ns);
}

void producer_story_pass(struct producer_story *story, uint64_t ms)
{
    uint64_t end_ns = story->now_ns + ms * MILLISECOND;
    while (producer_deadline(story->producer) <= end_ns) {
        uint64_t due_ns = producer_deadline(story->producer);
        if (due_ns > story->now_ns) story->now_ns = due_ns;
        producer_story_turn(story);
    }
    story->now_ns = end_ns;
}

void producer_story_submit(struct producer_story *story, const char *letters)
{
    for (; *letters != '\0'; letters++) {
        struct submission submission = {
            .id = producer_story_id(*letters),
            .name = bytes_text("task"),
            .payload = bytes_of(letters, 1),
            .flags = islower((unsigned char)*letters) ? SUBMISSION_WANTS_RESULT : 0,
        };
        producer_story_step(
            story, (struct producer_event){.kind = PRODUCER_SUBMIT, .submission = &submission});
        assert_int_equal(story->out->count, 0);
    }
}

void producer_story_open(struct producer_story *story, uint32_t link, char node)
{
    producer_story_on(story, PRODUCER_CONNECTED, link);
    story->links[link].session = ++story->sessions;
    story->links[link].sequence = 0;
    struct message welcome = {
        .kind = MESSAGE_WELCOME,
        .session = story->sessions,
        .u.welcome = {.node = producer_story_id(node),
                      .minor = story->minor,
                      .known = story->links[link].node == node && !story->links[link].forgetful,
                      .heartbeat_ms = 100 * 1000,
                      .lost_ms = 400 * 1000,
                      .payload_bytes_max = MESSAGE_PAYLOAD_BYTES_MAX,
                      .message_bytes_max = MESSAGE_BYTES_MAX},
    };
    producer_story_step(story, (struct producer_event){
                                   .kind = PRODUCER_MESSAGE, .link = link, .message = &welcome});
    story->links[link].node = node;
}

void producer_story_say(struct producer_story *story, uint32_t link, struct message message)
{
    message.session = story->links[link].session;
    message.sequence = ++story->links[link].sequence;
    producer_story_step(story, (struct producer_event){
                                   .kind = PRODUCER_MESSAGE, .link = link, .message = &message});
}

void producer_story_start_minor(struct producer_story *story,
                                const struct producer_options *options, uint32_t minor)
{
    producer_story_start(story, options);
    story->minor = minor;
    producer_story_turn(story);
    for (uint32_t link = 0; link < options->link_count; link++) {
        producer_story_open(story, link, (char)('V' + link));
    }
    story->used = 0;
    story->trace[0] = '\0';
}

void producer_story_start_open(struct producer_story *story, const struct producer_options *options)
{
    producer_story_start_minor(story, options, MESSAGE_VERSION_MINOR);
}

enum producer_hold producer_story_cancel(struct producer_story *story, const char *letters)
{
    for (; *letters != '\0'; letters++) {
        struct id id = producer_story_id(*letters);
        producer_story_step(story, (struct producer_event){.kind = PRODUCER_CANCEL, .id = &id});
    }
    return story->out->hold;
}

void producer_story_accept(struct producer_story *story, uint32_t link, uint64_t batch)
{
    producer_story_say(story, link,
                       (struct message){.kind = MESSAGE_ACCEPT, .u.accept = {.batch = batch}});
}

void producer_story_reject(struct producer_story *story, uint32_t link, uint64_t batch,
                           struct rejection rejection)
{
    producer_story_say(
        story, link,
        (struct message){.kind = MESSAGE_ACCEPT,
                         .u.accept = {.batch = batch, .rejections = &rejection, .count = 1}});
}

void producer_story_result(struct producer_story *story, uint32_t link, const char *letters)
{
    struct result results[16];
    uint32_t count = 0;
    for (; *letters != '\0'; letters++) {
        assert_true(count < 16);
        results[count++] =
            (struct result){.id = producer_story_id(*letters), .state = TASK_DONE, .attempt = 1};
    }
    producer_story_say(
        story, link,
        (struct message){.kind = MESSAGE_RESULT, .u.result = {.items = results, .count = count}});
}

void producer_story_expect(struct producer_story *story, const char *text)
{
    assert_string_equal(story->trace, text);
    story->used = 0;
    story->trace[0] = '\0';
}

void producer_story_expect_counts(struct producer_story *story, const char *text)
{
    struct producer_counts counts;
    char found[256];
    producer_counts(story->producer, &counts);
    snprintf(found, sizeof found,
             "open %u outbox %u awaited %u accepted %u rejected %u ended %u unknown %u resent %u",
             (unsigned)counts.links_open, (unsigned)counts.outbox, (unsigned)counts.awaited,
             (unsigned)counts.accepted, (unsigned)counts.rejected, (unsigned)counts.ended,
             (unsigned)counts.unknown, (unsigned)counts.resent);
    if (counts.failed_over > 0) {
        size_t used = strlen(found);
        snprintf(found + used, sizeof found - used, " failed over %u",
                 (unsigned)counts.failed_over);
    }
    assert_string_equal(found, text);
}

struct producer_options producer_story_options_for(uint32_t link_count)
{
    struct producer_options options = producer_story_options();
    options.link_count = link_count;
    return options;
}

void producer_story_start_links(struct producer_story *story, uint32_t link_count)
{
    struct producer_options options = producer_story_options_for(link_count);
    producer_story_start_open(story, &options);
}

void producer_story_reconnect(struct producer_story *story, uint32_t link)
{
    producer_story_on(story, PRODUCER_CLOSED, link);
    producer_story_pass(story, 100);
}
