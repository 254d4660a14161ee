/* worker_story.c - tells what a worker does. */
#include "worker_story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct bytes names[] = {{.data = (const uint8_t *)"echo", .size = 4}};
static const struct bytes queues[] = {{.data = (const uint8_t *)"default", .size = 7}};

struct worker_options worker_story_options(void)
{
    struct worker_options options = worker_defaults();
    options.node.octets[0] = 'w';
    options.seed = 7;
    options.software = bytes_text("tmesh test");
    options.label = bytes_text("story");
    options.names = names;
    options.name_count = 1;
    options.queues = queues;
    options.queue_count = 1;
    options.slots = 2;
    options.link_count = 1;
    options.jobs_max = 256;
    options.store_bytes_max = 16 * 1024 * 1024;
    return options;
}

void worker_story_start(struct worker_story *story, const struct worker_options *options)
{
    *story = (struct worker_story){.now_ns = 100 * SECOND};
    story->memory = calloc(1, worker_memory_bytes(options) + 64);
    story->out = malloc(sizeof *story->out);
    assert_non_null(story->memory);
    assert_non_null(story->out);
    uint8_t *aligned = (uint8_t *)story->memory + 64 - (uintptr_t)story->memory % 64;
    story->worker = worker_init(aligned, options, story->now_ns);
}

void worker_story_start_open(struct worker_story *story, const struct worker_options *options)
{
    worker_story_start(story, options);
    worker_story_turn(story);
    for (uint32_t link = 0; link < options->link_count; link++) {
        worker_story_open(story, link, (char)('v' + link), "");
    }
    worker_story_turn(story);
    worker_story_clear(story);
}

void worker_story_end(struct worker_story *story)
{
    free(story->out);
    free(story->memory);
}

struct lease worker_story_lease(const char *name)
{
    struct lease lease = {.attempt = (uint32_t)(name[1] - '0')};
    lease.id.octets[15] = (uint8_t)name[0];
    lease.token = (uint64_t)name[0] * 100 + lease.attempt;
    return lease;
}

static uint32_t *job_of(struct worker_story *story, const char *name)
{
    assert_in_range(name[0], 'a', 'z');
    assert_in_range(name[1], '1', '9');
    return &story->jobs[name[0] - 'a'][name[1] - '0'];
}

__attribute__((format(printf, 2, 3))) static void tell(struct worker_story *story,
                                                       const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int written =
        vsnprintf(story->trace + story->used, sizeof story->trace - story->used, format, arguments);
    va_end(arguments);
    assert_true(written >= 0);
    story->used += (size_t)written;
    assert_true(story->used < sizeof story->trace);
}

static void tell_lease(struct worker_story *story, const struct lease *lease)
{
    char name[3] = {(char)lease->id.octets[15], (char)('0' + lease->attempt), '\0'};
    struct lease expected = worker_story_lease(name);
    assert_memory_equal(&lease->id, &expected.id, sizeof lease->id);
    assert_true(lease->token == expected.token);
    tell(story, " %s", name);
}

static const char *outcome_text(enum outcome outcome)
{
    switch (outcome) {
    case OUTCOME_DONE: return "done";
    case OUTCOME_FAILED: return "failed";
    case OUTCOME_PERMANENT: return "permanent";
    case OUTCOME_CRASHED: return "crashed";
    case OUTCOME_RETURNED: return "returned";
    }
    return "?";
}

static void tell_completion(struct worker_story *story, const struct completion *completion)
{
    tell_lease(story, &completion->lease);
    tell(story, " %s", outcome_text(completion->outcome));
    if (completion->text.data != NULL) {
        tell(story, " (%.*s)", (int)completion->text.size, (const char *)completion->text.data);
    }
    if (completion->result.data != NULL && completion->result.size < 16) {
        tell(story, " =%.*s", (int)completion->result.size, (const char *)completion->result.data);
    }
}

static void tell_message(struct worker_story *story, uint32_t link, const struct message *message)
{
    /* Only what a worker says can stand here. */
    if (message->kind == MESSAGE_HELLO) {
        assert_int_equal(message->u.hello.role, ROLE_WORKER);
        assert_int_equal(message->sequence, ++story->hellos);
        assert_int_equal(message->u.hello.name_count, 1);
        tell(story, "HELLO");
        for (uint32_t i = 0; i < message->u.hello.lease_count; i++) {
            tell_lease(story, &message->u.hello.leases[i]);
        }
    } else if (message->kind == MESSAGE_CREDIT) {
        assert_true(message->u.credit.bytes >= story->links[link].credit_bytes);
        story->links[link].credit_bytes = message->u.credit.bytes;
        tell(story, "CREDIT %llu", (unsigned long long)message->u.credit.tasks);
    } else if (message->kind == MESSAGE_COMPLETE) {
        story->links[link].completed = message->sequence;
        tell(story, "COMPLETE");
        for (uint32_t i = 0; i < message->u.complete.count; i++) {
            tell_completion(story, &message->u.complete.items[i]);
        }
    } else if (message->kind == MESSAGE_HEARTBEAT) {
        tell(story, "HEARTBEAT held %u running %u", message->u.heartbeat.held,
             message->u.heartbeat.running);
        if (message->u.heartbeat.hung != 0) tell(story, " hung %u", message->u.heartbeat.hung);
        if (message->u.heartbeat.draining != 0) tell(story, " draining");
    } else if (message->kind == MESSAGE_PROGRESS) {
        tell(story, "PROGRESS");
        for (uint32_t i = 0; i < message->u.progress.count; i++) {
            const struct progress *progress = &message->u.progress.items[i];
            tell_lease(story, &progress->lease);
            tell(story, " %llu", (unsigned long long)progress->number);
            if (progress->text.data == NULL) continue;
            tell(story, " (%.*s)", (int)progress->text.size, (const char *)progress->text.data);
        }
    } else if (message->kind == MESSAGE_BYE) {
        tell(story, "BYE");
    } else {
        fail_msg("a worker does not say kind %d", (int)message->kind);
    }
}

static void tell_job(struct worker_story *story, const char *what, uint32_t job)
{
    for (int letter = 0; letter < STORY_LETTERS; letter++) {
        for (int attempt = 1; attempt < STORY_ATTEMPTS; attempt++) {
            if (story->jobs[letter][attempt] != job + 1) continue;
            tell(story, "%s %c%d", what, 'a' + letter, attempt);
            return;
        }
    }
    fail_msg("no run is number %u", job);
}

static const char *cause_text(enum end_cause cause)
{
    switch (cause) {
    case END_SOFT_LIMIT: return "soft limit";
    case END_LIMIT: return "limit";
    case END_STALLED: return "stalled";
    case END_REVOKED: return "revoked";
    }
    return "?";
}

static void tell_end(struct worker_story *story, const char *what,
                     const struct worker_action *action)
{
    tell_job(story, what, action->job);
    tell(story, " (%s)", cause_text(action->cause));
}

static void tell_action(struct worker_story *story, const struct worker_action *action)
{
    double seconds = (double)(story->now_ns - 100 * SECOND) / (double)SECOND;
    tell(story, "[%5.2f] %u ", seconds, action->link);
    switch (action->kind) {
    case WORKER_OPEN: tell(story, "open"); break;
    case WORKER_SHUT: tell(story, "shut"); break;
    case WORKER_SEND: tell_message(story, action->link, &action->message); break;
    case WORKER_RUN: {
        const struct assignment *given = &action->assignment;
        char name[3] = {(char)given->lease.id.octets[15], (char)('0' + given->lease.attempt), 0};
        tell(story, "run");
        tell_lease(story, &given->lease);
        assert_true(bytes_equal(given->name, names[0]));
        assert_true(bytes_equal(given->payload, bytes_text("payload")));
        *job_of(story, name) = action->job + 1;
        if (given->limit_ms != 0) tell(story, " within %u ms", given->limit_ms);
        break;
    }
    case WORKER_RECALL: tell_job(story, "recall", action->job); break;
    case WORKER_TELL: tell_end(story, "tell", action); break;
    case WORKER_KILL: tell_end(story, "kill", action); break;
    case WORKER_HUNG:
        tell(story, "hung");
        tell_lease(story, &action->assignment.lease);
        tell(story, " (%s)", cause_text(action->cause));
        break;
    case WORKER_ASKED_TO_DRAIN: tell(story, "asked to drain: %u", action->grace_ms); break;
    case WORKER_REFUSED: tell(story, "refused"); break;
    case WORKER_OPENED: tell(story, "opened"); break;
    case WORKER_LOST: tell(story, "lost"); break;
    }
    tell(story, "\n");
}

void worker_story_step(struct worker_story *story, struct worker_event event)
{
    event.now_ns = story->now_ns;
    worker_step(story->worker, &event, story->out);
    for (uint32_t i = 0; i < story->out->count; i++) tell_action(story, &story->out->actions[i]);
}

void worker_story_on(struct worker_story *story, enum worker_event_kind kind, uint32_t link)
{
    worker_story_step(story, (struct worker_event){.kind = kind, .link = link});
}

void worker_story_turn(struct worker_story *story)
{
    do {
        worker_story_on(story, WORKER_TURN, 0);
        story->turns++;
    } while (story->out->more);
}

void worker_story_pass(struct worker_story *story, uint64_t ms)
{
    uint64_t until_ns = story->now_ns + ms * MILLISECOND;
    for (;;) {
        uint64_t due_ns = worker_deadline(story->worker);
        if (due_ns > until_ns) break;
        if (due_ns > story->now_ns) story->now_ns = due_ns;
        worker_story_turn(story);
        assert_true(worker_deadline(story->worker) > story->now_ns); /* else it spins */
    }
    story->now_ns = until_ns;
}

void worker_story_say(struct worker_story *story, uint32_t link, struct message message)
{
    message.session = story->links[link].session;
    message.sequence = ++story->links[link].sequence;
    worker_story_step(
        story, (struct worker_event){.kind = WORKER_MESSAGE, .link = link, .message = &message});
}

/* Reads "a1 b1" into leases; returns how many. */
static uint32_t read_leases(const char *text, struct lease *leases)
{
    uint32_t count = 0;
    for (; *text != '\0'; text += text[2] == ' ' ? 3 : 2) {
        assert_true(count < STORY_LETTERS);
        leases[count++] = worker_story_lease(text);
    }
    return count;
}

void worker_story_pass_heard(struct worker_story *story, uint64_t ms)
{
    for (uint64_t at = 0; at < ms; at += 100) {
        worker_story_say(story, 0, (struct message){.kind = MESSAGE_HEARTBEAT});
        worker_story_pass(story, ms - at < 100 ? ms - at : 100);
    }
}

void worker_story_open(struct worker_story *story, uint32_t link, char node, const char *drops)
{
    struct lease leases[STORY_LETTERS];
    struct message welcome = {.kind = MESSAGE_WELCOME, .session = ++story->sessions};
    welcome.u.welcome = (struct message_welcome){
        .minor = MESSAGE_VERSION_MINOR,
        .heartbeat_ms = 1000,
        .suspect_ms = 2000,
        .lost_ms = 4000,
        .payload_bytes_max = MESSAGE_PAYLOAD_BYTES_MAX,
        .message_bytes_max = MESSAGE_BYTES_MAX,
        .drops = leases,
        .drop_count = read_leases(drops, leases),
    };
    welcome.u.welcome.node.octets[0] = (uint8_t)node;
    story->links[link].session = story->sessions;
    story->links[link].sequence = 0;
    story->links[link].credit_bytes = 0;
    worker_story_on(story, WORKER_CONNECTED, link);
    worker_story_step(
        story, (struct worker_event){.kind = WORKER_MESSAGE, .link = link, .message = &welcome});
}

void worker_story_give(struct worker_story *story, uint32_t link, const char *leases,
                       uint64_t backlog)
{
    struct lease given[STORY_LETTERS];
    struct assignment items[STORY_LETTERS];
    uint32_t count = read_leases(leases, given);
    for (uint32_t i = 0; i < count; i++) {
        items[i] = (struct assignment){
            .lease = given[i],
            .name = names[0],
            .payload = bytes_text("payload"),
            .limit_ms = story->limit_ms,
            .soft_ms = story->soft_ms,
            .stalled_ms = story->stalled_ms,
        };
    }
    struct message message = {.kind = MESSAGE_WORK};
    message.u.work = (struct message_work){.backlog = backlog, .items = items, .count = count};
    worker_story_say(story, link, message);
    worker_story_turn(story);
}

void worker_story_receipt(struct worker_story *story, uint32_t link)
{
    struct message message = {.kind = MESSAGE_RECEIPT};
    message.u.receipt.through = story->links[link].completed;
    worker_story_say(story, link, message);
}

static void name_leases(struct worker_story *story, uint32_t link, enum message_kind kind,
                        const char *leases)
{
    struct lease named[STORY_LETTERS];
    struct message message = {.kind = kind};
    struct message_leases *said = kind == MESSAGE_REVOKE ? &message.u.revoke : &message.u.recall;
    *said = (struct message_leases){.leases = named, .count = read_leases(leases, named)};
    worker_story_say(story, link, message);
}

void worker_story_revoke(struct worker_story *story, uint32_t link, const char *leases)
{
    name_leases(story, link, MESSAGE_REVOKE, leases);
}

void worker_story_recall(struct worker_story *story, uint32_t link, const char *leases)
{
    name_leases(story, link, MESSAGE_RECALL, leases);
}

void worker_story_progress(struct worker_story *story, const char *lease, uint64_t number,
                           const char *text)
{
    worker_story_step(
        story, (struct worker_event){.kind = WORKER_PROGRESS,
                                     .job = *job_of(story, lease) - 1,
                                     .told_ns = story->now_ns,
                                     .number = number,
                                     .text = text == NULL ? (struct bytes){0} : bytes_text(text)});
}

void worker_story_begin(struct worker_story *story, const char *lease)
{
    worker_story_step(story, (struct worker_event){.kind = WORKER_STARTED,
                                                   .job = *job_of(story, lease) - 1,
                                                   .began_ns = story->now_ns});
}

void worker_story_finish(struct worker_story *story, const char *lease, enum outcome outcome,
                         uint64_t run_ms)
{
    struct finished finished = {
        .job = *job_of(story, lease) - 1,
        .outcome = outcome,
        .run_ns = run_ms * MILLISECOND,
    };
    if (outcome == OUTCOME_DONE) finished.result = bytes_of(lease, 2);
    if (outcome == OUTCOME_FAILED) finished.text = bytes_text("sorry");
    worker_story_step(
        story,
        (struct worker_event){.kind = WORKER_FINISHED, .finished = &finished, .finished_count = 1});
}

struct worker_counts worker_story_counts(const struct worker_story *story)
{
    struct worker_counts counts;
    worker_counts(story->worker, &counts);
    return counts;
}

bool worker_story_tells(const struct worker_story *story, const char *text)
{
    return strstr(story->trace, text) != NULL;
}

void worker_story_clear(struct worker_story *story)
{
    story->used = 0;
    story->trace[0] = '\0';
}
