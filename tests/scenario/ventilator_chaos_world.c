/* ventilator_chaos_world.c - one ventilator among good and bad peers, from a seed. */
#include "ventilator_chaos_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

uint32_t chaos_chance(struct chaos *chaos, uint32_t limit)
{
    return (uint32_t)random_up_to(&chaos->random, limit - 1);
}

static bool happens(struct chaos *chaos, uint32_t one_in)
{
    return !chaos->is_healed && chaos_chance(chaos, one_in) == 0;
}

struct id chaos_task_id(uint32_t task)
{
    return (struct id){.octets = {5, (uint8_t)(task >> 8), (uint8_t)task, 1}};
}

static uint32_t task_of(const struct id *id)
{
    uint32_t task = (uint32_t)id->octets[1] << 8 | id->octets[2];
    assert_true(task < TASKS);
    return task;
}

/* A worker's program is new: it knows nothing of what it held. */
static void reborn(struct chaos *chaos, struct chaos_actor *actor)
{
    actor->node = (struct id){.octets = {6, (uint8_t)(chaos->nodes >> 8), (uint8_t)chaos->nodes}};
    chaos->nodes++;
    actor->job_count = 0;
    actor->session = actor->link = 0;
}

static void hear_work(struct chaos_actor *worker, const struct message_work *work)
{
    for (uint32_t at = 0; at < work->count; at++) {
        assert_true(worker->job_count < HELD);
        worker->received++;
        worker->jobs[worker->job_count++] = (struct chaos_job){.lease = work->items[at].lease};
    }
}

static void hear_welcome(struct chaos_actor *actor, const struct message *message)
{
    actor->session = message->session;
    actor->next = actor->next_intake = actor->next_in = 1;
    actor->credit = actor->received = 0;
    for (uint32_t drop = 0; drop < message->u.welcome.drop_count; drop++) {
        const struct lease *over = &message->u.welcome.drops[drop];
        for (uint32_t at = 0; at < actor->job_count; at++) {
            if (actor->jobs[at].lease.token != over->token) continue;
            actor->jobs[at--] = actor->jobs[--actor->job_count];
        }
    }
    for (uint32_t at = 0; at < actor->job_count; at++) actor->jobs[at].is_finished = false;
}

static void hear_receipt(struct chaos_actor *worker, uint32_t through)
{
    for (uint32_t at = 0; at < worker->job_count; at++) {
        if (!worker->jobs[at].is_finished || worker->jobs[at].sequence > through) continue;
        worker->jobs[at--] = worker->jobs[--worker->job_count];
    }
}

static void hear_result(const struct chaos *chaos, struct chaos_actor *producer,
                        const struct message_result *result)
{
    for (uint32_t at = 0; at < result->count; at++) {
        struct chaos_wish *wish = &producer->wishes[task_of(&result->items[at].id)];
        assert_true(wish->is_submitted); /* or it is a result of a stranger's task */
        bool again = wish->end != TASK_NONE && result->items[at].reason != REASON_FORGOTTEN;
        if (again && !chaos->is_revived[task_of(&result->items[at].id)]) {
            assert_int_equal(wish->end, result->items[at].state);
        }
        wish->end = result->items[at].state;
        wish->session = producer->session;
    }
}

static void hear_accept(struct chaos_actor *producer, const struct message_accept *accept)
{
    /* A batch has one task, and its number. */
    if (accept->count == 0) producer->wishes[accept->batch].is_accepted = true;
}

static void hear(const struct chaos *chaos, struct chaos_actor *actor,
                 const struct message *message)
{
    if (message->kind == MESSAGE_WELCOME) {
        hear_welcome(actor, message);
        return;
    }
    if (message->kind == MESSAGE_WHO || message->kind == MESSAGE_BYE) {
        if (message->session == actor->session) actor->session = 0;
        return;
    }
    if (message->session != actor->session || message->session == 0) return;
    if (message->sequence != actor->next_in++) {
        actor->session = 0; /* we lost something: HELLO again */
        return;
    }
    if (message->kind == MESSAGE_WORK) hear_work(actor, &message->u.work);
    if (message->kind == MESSAGE_RECEIPT) hear_receipt(actor, message->u.receipt.through);
    if (message->kind == MESSAGE_RESULT) hear_result(chaos, actor, &message->u.result);
    if (message->kind == MESSAGE_ACCEPT) hear_accept(actor, &message->u.accept);
}

static void step(struct chaos *chaos, struct ventilator_event event)
{
    event.now_ns = chaos->now_ns;
    ventilator_step(chaos->ventilator, &event, chaos->out);
    entry_log_append(&chaos->log, chaos->out);
    ventilator_check_step(&chaos->check, chaos->ventilator, &event, chaos->out);
    for (uint32_t at = 0; at < chaos->out->record_count; at++) {
        if (chaos->out->records[at].kind != RECORD_REVIVED) continue;
        chaos->is_revived[task_of(&chaos->out->records[at].id)] = true;
        chaos->revivals++;
    }
    for (uint32_t at = 0; at < chaos->out->send_count; at++) {
        if (happens(chaos, 40)) continue; /* lost on the way */
        for (uint32_t peer = 0; peer < PEERS; peer++) {
            struct chaos_actor *actor = &chaos->actors[peer];
            if (actor->link != chaos->out->sends[at].link || actor->link == 0) continue;
            hear(chaos, actor, &chaos->out->sends[at].message);
        }
    }
}

/* The disk may have got as far as the latest entry, or somewhere before. */
static void sync_some(struct chaos *chaos)
{
    uint64_t lag = entry_log_last(&chaos->log) - chaos->log.durable_lsn;
    if (lag == 0 || happens(chaos, 3)) return;
    uint64_t lsn = chaos->log.durable_lsn + 1 + random_up_to(&chaos->random, lag - 1);
    if (chaos->is_healed) lsn = entry_log_last(&chaos->log);
    entry_log_sync(&chaos->log, lsn);
    step(chaos, (struct ventilator_event){.kind = VENTILATOR_DURABLE, .durable_lsn = lsn});
}

void chaos_turn(struct chaos *chaos)
{
    uint32_t turns = 0;
    sync_some(chaos);
    do {
        step(chaos, (struct ventilator_event){.kind = VENTILATOR_TURN,
                                              .journal_bytes = chaos->log.count * 200,
                                              .journal_full = happens(chaos, 50)});
        assert_true(++turns < 1000);
    } while (chaos->out->more);
}

/* Says something in the actor's session; the network may lose or repeat it. */
static uint32_t say(struct chaos *chaos, struct chaos_actor *actor, struct message message,
                    enum passage passage)
{
    uint32_t *next = passage == PASSAGE_FRONT ? &actor->next : &actor->next_intake;
    message.session = actor->session;
    message.sequence = (*next)++;
    actor->said_ns = chaos->now_ns;
    if (happens(chaos, 50)) return message.sequence;
    uint32_t copies = happens(chaos, 20) ? 2 : 1;
    for (; copies > 0; copies--) {
        step(chaos, (struct ventilator_event){.kind = VENTILATOR_MESSAGE,
                                              .link = actor->link,
                                              .passage = passage,
                                              .message = &message});
    }
    return message.sequence;
}

static void say_hello(struct chaos *chaos, struct chaos_actor *actor)
{
    static const struct bytes all[] = {{(const uint8_t *)"x", 1}, {(const uint8_t *)"y", 1}};
    struct lease leases[HELD];
    for (uint32_t at = 0; at < actor->job_count; at++) leases[at] = actor->jobs[at].lease;
    struct message message = {.kind = MESSAGE_HELLO};
    bool is_picky = actor == &chaos->actors[PEERS - 1];
    message.u.hello = (struct message_hello){.role = actor->role,
                                             .node = actor->node,
                                             .slots = 4,
                                             .label = bytes_text("chaos"),
                                             .names = all,
                                             .name_count = is_picky ? 1 : 2,
                                             .queues = all,
                                             .queue_count = 2,
                                             .leases = leases,
                                             .lease_count = actor->job_count};
    actor->link = ++chaos->links;
    actor->said_ns = chaos->now_ns;
    step(chaos, (struct ventilator_event){
                    .kind = VENTILATOR_MESSAGE, .link = actor->link, .message = &message});
}

static void submit(struct chaos *chaos, struct chaos_actor *producer, uint32_t task)
{
    static const uint8_t payload[300];
    struct submission item = {
        .id = chaos_task_id(task),
        .name = bytes_of(task % 3 == 0 ? "x" : "y", 1),
        .queue = bytes_of(task % 5 == 0 ? "x" : "y", 1),
        .payload = bytes_of(payload, task % 300),
        .flags = SUBMISSION_WANTS_RESULT,
        .attempts_max = 1 + task % 4,
    };
    struct message message = {.kind = MESSAGE_SUBMIT};
    message.u.submit = (struct message_submit){.batch = task, .items = &item, .count = 1};
    producer->wishes[task].is_submitted = true;
    say(chaos, producer, message, chaos_chance(chaos, 2) == 0 ? PASSAGE_FRONT : PASSAGE_INTAKE);
}

/* An operator, who knows no better than to retry and to drop now and then. */
static void dispose(struct chaos *chaos, struct chaos_actor *producer)
{
    struct id ids[20];
    uint32_t count = chaos_chance(chaos, 20);
    for (uint32_t at = 0; at < count; at++) ids[at] = chaos_task_id(chaos_chance(chaos, TASKS));
    bool all = happens(chaos, 20);
    struct message message = {.kind = MESSAGE_DISPOSE};
    message.u.dispose = (struct message_dispose){
        .disposal = (enum disposal)((all ? DISPOSAL_RETRY_ALL : DISPOSAL_RETRY) +
                                    (chaos_chance(chaos, 3) == 0)),
        .cursor = chaos_chance(chaos, 3) == 0 ? chaos->random : 0,
        .ids = ids,
        .count = all ? 0 : count};
    say(chaos, producer, message, PASSAGE_FRONT);
}

static void act_producer(struct chaos *chaos, struct chaos_actor *producer)
{
    uint32_t what = chaos_chance(chaos, 10);
    if (what < 5 && chaos->tasks < TASKS && !chaos->is_healed) {
        submit(chaos, producer, chaos->tasks++);
    } else if (what < 7 && chaos->tasks > 0) {
        uint32_t task = chaos_chance(chaos, chaos->tasks);
        const struct chaos_wish *wish = &producer->wishes[task];
        if (wish->is_submitted && !wish->is_accepted) submit(chaos, producer, task);
        if (happens(chaos, 20)) submit(chaos, producer, task); /* even of another's */
    } else if (what < 9) {
        struct message message = {.kind = MESSAGE_RECEIPT};
        message.u.receipt.through = producer->next_in - 1;
        say(chaos, producer, message, PASSAGE_FRONT);
    } else if (chaos_chance(chaos, 3) > 0 || chaos->is_healed) {
        struct message message = {.kind = MESSAGE_QUERY};
        message.u.query.query = (enum query)(QUERY_TOTALS + chaos_chance(chaos, 5));
        message.u.query.id = chaos_task_id(chaos_chance(chaos, TASKS));
        say(chaos, producer, message, PASSAGE_FRONT);
    } else {
        dispose(chaos, producer);
    }
}

static void finish_one(struct chaos *chaos, struct chaos_actor *worker)
{
    static const uint8_t result[500];
    uint32_t at = chaos_chance(chaos, worker->job_count);
    if (worker->jobs[at].is_finished) return;
    struct completion item = {.lease = worker->jobs[at].lease,
                              .retry_after_ms = chaos_chance(chaos, 2) * 50,
                              .result = bytes_of(result, chaos_chance(chaos, 500)),
                              .text = bytes_text("text")};
    if (chaos_chance(chaos, 3) == 0) item.outcome = (enum outcome)chaos_chance(chaos, 5);
    if (happens(chaos, 30)) item.lease.token ^= 1;
    struct message message = {.kind = MESSAGE_COMPLETE};
    message.u.complete = (struct message_complete){.items = &item, .count = 1};
    worker->jobs[at].is_finished = true;
    worker->jobs[at].sequence = worker->next; /* before it is said: a receipt may come at once */
    say(chaos, worker, message, PASSAGE_FRONT);
}

static void act_worker(struct chaos *chaos, struct chaos_actor *worker)
{
    if (worker->job_count > 0 && chaos_chance(chaos, 2) == 0) {
        finish_one(chaos, worker);
        return;
    }
    struct message message = {.kind = MESSAGE_CREDIT};
    uint64_t coming = worker->credit - worker->received + worker->job_count;
    if (coming < HELD / 4) worker->credit += chaos_chance(chaos, 4);
    message.u.credit =
        (struct message_credit){.tasks = worker->credit, .bytes = worker->credit * 200};
    say(chaos, worker, message, PASSAGE_FRONT);
}

/* Something a good node never says. */
static void forge(struct chaos *chaos, struct chaos_actor *actor)
{
    static const enum message_kind kinds[] = {
        MESSAGE_OTHER,  MESSAGE_WELCOME, MESSAGE_REFUSE, MESSAGE_WHO,     MESSAGE_HEARTBEAT,
        MESSAGE_ACCEPT, MESSAGE_RESULT,  MESSAGE_ANSWER, MESSAGE_WORK,    MESSAGE_RECEIPT,
        MESSAGE_CREDIT, MESSAGE_QUERY,   MESSAGE_SUBMIT, MESSAGE_COMPLETE};
    struct message message = {.kind = kinds[chaos_chance(chaos, 14)]};
    if (message.kind == MESSAGE_QUERY)
        message.u.query.cursor = UINT32_MAX - chaos_chance(chaos, 5000);
    if (message.kind == MESSAGE_QUERY) message.u.query.query = QUERY_DEAD;
    if (message.kind == MESSAGE_CREDIT) message.u.credit.tasks = 0;
    message.session = chaos_chance(chaos, 2) == 0 ? actor->session : (uint32_t)chaos->random;
    message.sequence =
        chaos_chance(chaos, 3) == 0 ? actor->next : (uint32_t)random_next(&chaos->random);
    step(chaos, (struct ventilator_event){.kind = VENTILATOR_MESSAGE,
                                          .link = chaos_chance(chaos, chaos->links + 2),
                                          .passage = (enum passage)chaos_chance(chaos, 2),
                                          .message = &message});
}

static void act_badly(struct chaos *chaos, struct chaos_actor *actor)
{
    switch (chaos_chance(chaos, 6)) {
    case 0: forge(chaos, actor); break;
    case 1:
        step(chaos, (struct ventilator_event){.kind = VENTILATOR_CLOSED, .link = actor->link});
        actor->session = actor->link = 0;
        break;
    case 2: actor->is_silent = !actor->is_silent; break;
    case 3:
        if (actor->role == ROLE_WORKER) reborn(chaos, actor);
        break;
    case 4:
        if (actor->role != ROLE_WORKER || actor->session == 0) break;
        say(chaos, actor, (struct message){.kind = MESSAGE_BYE}, PASSAGE_FRONT);
        reborn(chaos, actor);
        break;
    default:
        step(chaos, (struct ventilator_event){
                        .kind = VENTILATOR_GARBAGE, .link = actor->link, .reason = REASON_VERSION});
        break;
    }
}

static void build(struct chaos *chaos, const struct ventilator_options *options)
{
    chaos->memory = calloc(1, ventilator_memory_bytes(options) + 64);
    assert_non_null(chaos->memory);
    void *aligned = (void *)(((uintptr_t)chaos->memory + 63) & ~(uintptr_t)63);
    chaos->ventilator = ventilator_init(aligned, options, chaos->now_ns);
    ventilator_check_start(&chaos->check);
}

/* The ventilator dies with all that is not durable, and starts again from the rest. */
static void crash(struct chaos *chaos)
{
    struct ventilator_options options = chaos->ventilator->options;
    options.seed++;
    ventilator_check_end(&chaos->check);
    free(chaos->memory);
    entry_log_crash(&chaos->log);
    build(chaos, &options);
    chaos->crashes++;
    for (uint32_t peer = 0; peer < PEERS; peer++) {
        chaos->actors[peer].session = chaos->actors[peer].link = 0;
    }
    for (size_t at = 0; at < chaos->log.count; at++) {
        ventilator_step(chaos->ventilator,
                        &(struct ventilator_event){.kind = VENTILATOR_REPLAY,
                                                   .now_ns = chaos->now_ns,
                                                   .entry = &chaos->log.entries[at]},
                        chaos->out);
        assert_int_equal(chaos->out->refusal, REASON_NONE);
    }
    step(chaos, (struct ventilator_event){.kind = VENTILATOR_REPLAYED,
                                          .durable_lsn = entry_log_last(&chaos->log)});
    assert_false(chaos->out->more);
}

void chaos_act(struct chaos *chaos)
{
    if (chaos->ventilator->options.journals && happens(chaos, 150)) crash(chaos);
    struct chaos_actor *actor = &chaos->actors[chaos_chance(chaos, PEERS)];
    if (chaos->is_healed) actor->is_silent = false;
    if (happens(chaos, 25)) act_badly(chaos, actor);
    if (actor->is_silent) return;
    if (actor->session == 0) {
        say_hello(chaos, actor);
    } else if (actor->said_ns + SECOND <= chaos->now_ns) {
        say(chaos, actor, (struct message){.kind = MESSAGE_HEARTBEAT}, PASSAGE_FRONT);
    } else if (actor->role == ROLE_PRODUCER) {
        act_producer(chaos, actor);
    } else {
        act_worker(chaos, actor);
    }
}

void chaos_pass_time(struct chaos *chaos)
{
    uint64_t ms =
        chaos_chance(chaos, 100) < 95 ? chaos_chance(chaos, 30) : chaos_chance(chaos, 2000);
    if (chaos->is_healed) ms = chaos_chance(chaos, 40);
    chaos->now_ns += ms * MILLISECOND;
}

void chaos_begin(struct chaos *chaos, uint64_t seed, enum chaos_keeping keeping)
{
    struct ventilator_options options = ventilator_defaults();
    options.node = (struct id){.octets = {4}};
    options.seed = seed * 77;
    options.tasks_max = 200;
    options.store_bytes_max = 64 * 1024;
    options.peers_max = 16;
    options.ended_max = TASKS;
    options.dead_letters_max = keeping == CHAOS_IN_MEMORY ? 5 : 10000;
    options.journals = keeping == CHAOS_WITH_JOURNAL;
    options.journal_slack_bytes = 16 * 1024;
    options.backoff_ns = 100 * MILLISECOND;
    options.absent_ns_max = 100000 * SECOND;
    *chaos = (struct chaos){.random = seed, .seed = seed, .now_ns = 1000 * SECOND};
    chaos->out = malloc(sizeof *chaos->out);
    assert_non_null(chaos->out);
    entry_log_start(&chaos->log);
    build(chaos, &options);
    for (uint32_t peer = 0; peer < PEERS; peer++) {
        chaos->actors[peer].role = peer < PRODUCERS ? ROLE_PRODUCER : ROLE_WORKER;
        reborn(chaos, &chaos->actors[peer]);
    }
}

void chaos_end(struct chaos *chaos)
{
    ventilator_check_end(&chaos->check);
    entry_log_end(&chaos->log);
    free(chaos->memory);
    free(chaos->out);
    chaos->memory = NULL;
}
