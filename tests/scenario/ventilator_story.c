/* ventilator_story.c - runs the ventilator of a story, and plays its peers. */
#include "ventilator_story.h"
#include "ventilator_trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

static const uint64_t START_NS = 1000 * 1000000000ULL;

struct ventilator_options story_options(void)
{
    struct ventilator_options options = ventilator_defaults();
    options.node = story_id('V');
    options.seed = 7;
    options.software = bytes_text("tmesh test");
    options.tasks_max = 64;
    options.store_bytes_max = 1024 * 1024;
    options.peers_max = 16;
    options.leases_max = UINT32_MAX;            /* credit alone decides */
    options.receipt_ns = options.accept_ns = 0; /* every answer stands where its cause does */
    options.ended_max = 64;
    options.dead_letters_max = 8;
    return options;
}

struct ventilator_options story_journalled(void)
{
    struct ventilator_options options = story_options();
    options.journals = true;
    options.dead_letters_max = 10000; /* as a journal demands */
    return options;
}

static void build(struct story *story, const struct ventilator_options *options)
{
    size_t bytes = ventilator_memory_bytes(options);
    story->memory = calloc(1, bytes + 64); /* untouched pages of it cost nothing */
    assert_non_null(story->memory);
    void *aligned = (void *)(((uintptr_t)story->memory + 63) & ~(uintptr_t)63);
    story->ventilator = ventilator_init(aligned, options, story->now_ns);
    ventilator_check_start(&story->check);
}

void story_start_with(struct story *story, const struct ventilator_options *options)
{
    *story = (struct story){.start_ns = START_NS, .now_ns = START_NS};
    story->out = malloc(sizeof *story->out);
    assert_non_null(story->out);
    memset(story->out, 0xa5, sizeof *story->out);
    entry_log_start(&story->log);
    build(story, options);
    story->task.name = bytes_text("t");
    for (uint32_t peer = 0; peer < STORY_PEERS; peer++) {
        story->peers[peer].minor = MESSAGE_VERSION_MINOR;
        story->peers[peer].slots = 4;
        story->peers[peer].label = "host";
        story->peers[peer].names = "t";
        story->peers[peer].queues = "default";
    }
}

void story_start(struct story *story)
{
    struct ventilator_options options = story_options();
    story_start_with(story, &options);
}

/* Everybody falls silent for good. */
void story_start_served(struct story *story, const struct ventilator_options *options,
                        uint64_t credit)
{
    story_start_with(story, options);
    story_hello(story, P1);
    story_hello(story, W1);
    story_credit(story, W1, credit);
    story_clear(story);
}

void story_end(struct story *story)
{
    for (uint32_t peer = 0; peer < STORY_PEERS; peer++) story->peers[peer].alive = false;
    story_sync(story);
    story_pass(story, 10000);
    story_pass(story, story->ventilator->options.absent_ns_max / MILLISECOND);
    ventilator_check_tables(story->ventilator, CHECK_SETTLED);
    assert_int_equal(story->ventilator->peers.nodes.count, 0);
    assert_int_equal(story->ventilator->owed, 0);
    assert_int_equal(story->ventilator->totals.leased, 0);
    uint64_t kept = 0;
    for (uint32_t slot = 0; slot < story->ventilator->slots.fresh; slot++) {
        const struct task *task = &story->ventilator->tasks[slot];
        kept += task->payload.place + task->result.place + task->text.place;
    }
    assert_true(kept > 0 || story->ventilator->store.bytes_used == 0);
    ventilator_check_end(&story->check);
    entry_log_end(&story->log);
    free(story->memory);
    free(story->out);
}

struct id story_id(char letter)
{
    struct id id = {.octets = {1}};
    id.octets[15] = (uint8_t)letter;
    return id;
}

struct id story_node(uint32_t peer)
{
    struct id id = {.octets = {2}};
    id.octets[15] = (uint8_t)(peer + 1);
    return id;
}

/* Of leases that are over nothing is said any more. */
static void let_go(struct story *story, uint32_t peer, const struct lease *leases, uint32_t count)
{
    for (uint32_t at = 0; at < count; at++) {
        story_forget(story, peer, (char)leases[at].id.octets[15]);
    }
}

/* What a peer does with a message: it counts it, and keeps leases. */
static void hear(struct story *story, const struct ventilator_send *send)
{
    for (uint32_t at = 0; at < STORY_PEERS; at++) {
        struct story_peer *peer = &story->peers[at];
        if (peer->link != send->link || peer->link == 0) continue;
        if (send->message.kind == MESSAGE_WELCOME) {
            peer->session = send->message.session;
            peer->next = peer->next_intake = 1;
            peer->tasks = peer->bytes = peer->batch = peer->heard = 0;
            let_go(story, at, send->message.u.welcome.drops, send->message.u.welcome.drop_count);
        } else if (send->message.session == peer->session && send->message.sequence != 0) {
            peer->heard = send->message.sequence;
        }
        if (send->message.kind == MESSAGE_REVOKE) {
            let_go(story, at, send->message.u.revoke.leases, send->message.u.revoke.count);
        }
        if (send->message.kind != MESSAGE_WORK) continue;
        for (uint32_t item = 0; item < send->message.u.work.count; item++) {
            struct lease lease = send->message.u.work.items[item].lease;
            if (peer->held_count == 512) continue;
            peer->held[peer->held_count++] =
                (struct story_lease){.lease = lease, .letter = (char)lease.id.octets[15]};
        }
    }
}

void story_step(struct story *story, const struct ventilator_event *event)
{
    struct ventilator_event now = *event;
    now.now_ns = story->now_ns;
    now.journal_bytes = story->journal_bytes;
    now.journal_full = story->journal_full;
    ventilator_step(story->ventilator, &now, story->out);
    if (now.kind != VENTILATOR_REPLAY) entry_log_append(&story->log, story->out);
    for (uint32_t at = 0; at < story->out->record_count; at++) {
        if (story->out->records[at].kind == RECORD_RETRIED) {
            story->delay_ns = story->out->records[at].delay_ns;
        }
        ventilator_trace_record(story, &story->out->records[at]);
    }
    for (uint32_t at = 0; at < story->out->send_count; at++) {
        hear(story, &story->out->sends[at]);
        ventilator_trace_send(story, &story->out->sends[at]);
    }
    ventilator_check_step(&story->check, story->ventilator, &now, story->out);
}

uint32_t story_turn(struct story *story)
{
    uint32_t turns = 0;
    do {
        story_step(story, &(struct ventilator_event){.kind = VENTILATOR_TURN});
        assert_true(++turns < 100000);
    } while (story->out->more);
    return turns;
}

/* The next moment at which anybody has to do something, `until_ns` at the latest. */
static uint64_t next_moment(const struct story *story, uint64_t until_ns)
{
    uint64_t next_ns = ventilator_deadline(story->ventilator);
    assert_true(next_ns > story->now_ns); /* or a loop would spin */
    for (uint32_t at = 0; at < STORY_PEERS; at++) {
        const struct story_peer *peer = &story->peers[at];
        if (peer->alive && peer->said_ns + SECOND < next_ns) next_ns = peer->said_ns + SECOND;
    }
    return next_ns < until_ns ? next_ns : until_ns;
}

static struct message heartbeat_of(const struct story_peer *peer)
{
    struct message message = {.kind = MESSAGE_HEARTBEAT};
    message.u.heartbeat = peer->beat;
    return message;
}

void story_beat(struct story *story, uint32_t peer)
{
    story_say(story, peer, heartbeat_of(&story->peers[peer]));
}

void story_pass(struct story *story, uint64_t ms)
{
    uint64_t until_ns = story->now_ns + ms * MILLISECOND;
    while (story->now_ns < until_ns) {
        story->now_ns = next_moment(story, until_ns);
        for (uint32_t at = 0; at < STORY_PEERS; at++) {
            if (!story->peers[at].alive || story->peers[at].said_ns + SECOND > story->now_ns) {
                continue;
            }
            story_tell(story, at, heartbeat_of(&story->peers[at]));
        }
        bool is_due = ventilator_deadline(story->ventilator) <= story->now_ns;
        story_turn(story);
        if (!is_due) assert_int_equal(story->out->send_count + story->out->record_count, 0);
    }
}

void story_sync(struct story *story)
{
    do {
        story_turn(story);
        uint64_t last = entry_log_last(&story->log);
        entry_log_sync(&story->log, last);
        story_step(story,
                   &(struct ventilator_event){.kind = VENTILATOR_DURABLE, .durable_lsn = last});
        story_turn(story);
    } while (entry_log_last(&story->log) > story->log.durable_lsn);
}

void story_restart(struct story *story, uint64_t ms)
{
    struct ventilator_options options = story->ventilator->options;
    options.seed++;
    entry_log_crash(&story->log);
    ventilator_check_end(&story->check);
    free(story->memory);
    story->now_ns += ms * MILLISECOND;
    build(story, &options);
    for (uint32_t peer = 0; peer < STORY_PEERS; peer++) {
        story->peers[peer].link = story->peers[peer].session = 0;
        story->peers[peer].alive = false;
    }
    for (size_t at = 0; at < story->log.count; at++) {
        ventilator_step(story->ventilator,
                        &(struct ventilator_event){.kind = VENTILATOR_REPLAY,
                                                   .now_ns = story->now_ns,
                                                   .entry = &story->log.entries[at]},
                        story->out);
        assert_int_equal(story->out->refusal, REASON_NONE);
        assert_int_equal(story->out->entry_count, 0);
    }
    uint64_t last = entry_log_last(&story->log);
    do
        story_step(story,
                   &(struct ventilator_event){.kind = VENTILATOR_REPLAYED, .durable_lsn = last});
    while (story->out->more);
    story_turn(story);
}

void story_stall(struct story *story, uint64_t ms)
{
    story->now_ns += ms * MILLISECOND;
    for (uint32_t at = 0; at < STORY_PEERS; at++) story->peers[at].said_ns = story->now_ns;
}

/* Splits at spaces. */
static uint32_t words_of(const char *text, struct bytes *words)
{
    uint32_t count = 0;
    while (*text != '\0') {
        size_t size = strcspn(text, " ");
        words[count++] = bytes_of(text, size);
        text += size + (text[size] == ' ');
    }
    return count;
}

void story_greet(struct story *story, uint32_t at)
{
    struct story_peer *peer = &story->peers[at];
    struct bytes names[8], queues[8];
    struct lease leases[512];
    struct message message = {.kind = MESSAGE_HELLO};
    struct message_hello *hello = &message.u.hello;
    hello->role = at < W1 ? ROLE_PRODUCER : ROLE_WORKER;
    hello->minor = peer->minor;
    hello->node = story_node(at);
    hello->label = bytes_text(peer->label);
    if (at >= W1) {
        for (uint32_t held = 0; held < peer->held_count; held++) {
            leases[held] = peer->held[held].lease;
        }
        hello->slots = peer->slots;
        hello->names = names;
        hello->name_count = words_of(peer->names, names);
        hello->queues = queues;
        hello->queue_count = words_of(peer->queues, queues);
        hello->leases = leases;
        hello->lease_count = peer->held_count;
    }
    peer->link = ++story->links;
    peer->session = 0;
    peer->alive = true;
    peer->said_ns = story->now_ns;
    story_step(story, &(struct ventilator_event){
                          .kind = VENTILATOR_MESSAGE, .link = peer->link, .message = &message});
}

void story_hello(struct story *story, uint32_t peer)
{
    story_greet(story, peer);
    story_turn(story);
}

void story_close(struct story *story, uint32_t at)
{
    struct story_peer *peer = &story->peers[at];
    story_step(story, &(struct ventilator_event){.kind = VENTILATOR_CLOSED, .link = peer->link});
    peer->alive = false;
    peer->link = peer->session = 0;
    story_turn(story);
}

void story_silence(struct story *story, uint32_t peer)
{
    story->peers[peer].alive = false;
}

void story_tell(struct story *story, uint32_t at, struct message message)
{
    struct story_peer *peer = &story->peers[at];
    message.session = peer->session;
    message.sequence = peer->next++;
    peer->said_ns = story->now_ns;
    story_step(story, &(struct ventilator_event){
                          .kind = VENTILATOR_MESSAGE, .link = peer->link, .message = &message});
}

void story_say(struct story *story, uint32_t peer, struct message message)
{
    story_tell(story, peer, message);
    story_turn(story);
}

void story_bye(struct story *story, uint32_t peer)
{
    story_tell(story, peer, (struct message){.kind = MESSAGE_BYE});
    story->peers[peer].alive = false;
    story_turn(story);
}

void story_submit(struct story *story, uint32_t peer, const char *letters)
{
    struct submission items[64];
    uint32_t count = 0;
    for (; letters[count] != '\0'; count++) {
        items[count] = story->task;
        items[count].id = story_id(letters[count]);
        if (letters[count] >= 'a') items[count].flags = SUBMISSION_WANTS_RESULT;
    }
    struct message message = {.kind = MESSAGE_SUBMIT};
    message.u.submit = (struct message_submit){
        .batch = ++story->peers[peer].batch, .items = items, .count = count};
    story_say(story, peer, message);
}

void story_credit(struct story *story, uint32_t at, uint64_t tasks)
{
    struct story_peer *peer = &story->peers[at];
    struct message message = {.kind = MESSAGE_CREDIT};
    peer->tasks += tasks;
    if (peer->bytes == 0) peer->bytes = UINT64_MAX;
    message.u.credit = (struct message_credit){.tasks = peer->tasks, .bytes = peer->bytes};
    story_say(story, at, message);
}

/* The latest lease of this letter that the peer got. */
static uint32_t lease_at(const struct story_peer *peer, char letter)
{
    for (uint32_t at = peer->held_count; at > 0; at--) {
        if (peer->held[at - 1].letter == letter) return at - 1;
    }
    fail_msg("no lease of %c", letter);
    return 0;
}

void story_forget(struct story *story, uint32_t at, char letter)
{
    struct story_peer *peer = &story->peers[at];
    uint32_t found = lease_at(peer, letter);
    peer->held[found] = peer->held[--peer->held_count];
}

void story_complete(struct story *story, uint32_t at, const char *letters, enum outcome outcome)
{
    struct completion items[64];
    uint32_t count = 0;
    for (; letters[count] != '\0'; count++) {
        struct story_peer *peer = &story->peers[at];
        items[count] = story->run;
        items[count].lease = peer->held[lease_at(peer, letters[count])].lease;
        items[count].outcome = outcome;
        story_forget(story, at, letters[count]);
    }
    struct message message = {.kind = MESSAGE_COMPLETE};
    message.u.complete = (struct message_complete){.items = items, .count = count};
    story_say(story, at, message);
}

void story_bury(struct story *story, const char *letters)
{
    story_submit(story, P1, letters);
    story_complete(story, W1, letters, OUTCOME_PERMANENT);
    story_clear(story);
}

const struct message_disposed *story_dispose(struct story *story, uint32_t peer,
                                             enum disposal disposal, const char *letters)
{
    struct id ids[MESSAGE_LETTERS_MAX];
    struct message message = {.kind = MESSAGE_DISPOSE};
    uint32_t count = 0;
    for (; letters[count] != '\0'; count++) ids[count] = story_id(letters[count]);
    message.u.dispose = (struct message_dispose){.disposal = disposal, .ids = ids, .count = count};
    story_tell(story, peer, message);
    return &story->out->sends[0].message.u.disposed;
}

const struct message_disposed *story_dispose_all(struct story *story, enum disposal disposal,
                                                 const char *queue, const char *name,
                                                 uint64_t cursor)
{
    struct message message = {.kind = MESSAGE_DISPOSE};
    message.u.dispose = (struct message_dispose){.disposal = disposal,
                                                 .cursor = cursor,
                                                 .queue = bytes_text(queue),
                                                 .name = bytes_text(name)};
    story_tell(story, P1, message);
    return &story->out->sends[0].message.u.disposed;
}

void story_receipt(struct story *story, uint32_t peer)
{
    struct message message = {.kind = MESSAGE_RECEIPT};
    message.u.receipt.through = story->peers[peer].heard;
    story_say(story, peer, message);
}

void story_query(struct story *story, uint32_t peer, enum query query, uint32_t cursor)
{
    struct message message = {.kind = MESSAGE_QUERY};
    message.u.query = (struct message_query){.query = query, .cursor = cursor};
    story_tell(story, peer, message);
}

void story_expect(struct story *story, const char *text)
{
    assert_string_equal(story->trace, text);
    story_clear(story);
}

void story_clear(struct story *story)
{
    story->used = 0;
    story->trace[0] = '\0';
}

struct totals story_totals(const struct story *story)
{
    struct totals totals;
    ventilator_totals(story->ventilator, story->now_ns, &totals);
    return totals;
}
