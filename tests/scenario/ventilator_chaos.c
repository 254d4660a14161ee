/* ventilator_chaos.c - seeded crowds of good and bad peers, and what holds all the same.
 *
 * Messages are lost, repeated and forged; connections close, workers crash or
 * fall silent, our own loop stands still.  After that everything is healed and
 * must finish: each accepted task ended once, and each producer knows the end
 * of each task it asked for.
 */
#include "core/random.h"
#include "ventilator_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

enum { PRODUCERS = 3, WORKERS = 4, PEERS = PRODUCERS + WORKERS, TASKS = 300, HELD = 64 };
enum { SEEDS = 200, EVENTS = 2000, TABLES_EVERY = 16 };

/* What a producer knows of one task. */
struct wish {
    bool is_submitted, is_accepted;
    enum task_state end;
    uint32_t session; /* in which the end came */
};

struct job {
    struct lease lease;
    bool is_finished; /* said so in this session, and not receipted yet */
    uint32_t sequence;
};

struct actor {
    enum role role;
    struct id node;
    uint32_t link, session, next, next_intake, next_in;
    uint64_t said_ns, credit, received; /* tasks granted and got in this session */
    bool is_silent;
    struct wish wishes[TASKS];
    struct job jobs[HELD];
    uint32_t job_count;
};

struct world {
    uint64_t random, now_ns, seed;
    void *memory;
    struct ventilator *ventilator;
    struct ventilator_actions *out;
    struct ventilator_check check;
    struct actor actors[PEERS];
    uint32_t links, nodes, tasks;
    bool is_healed;
};

static uint32_t chance(struct world *world, uint32_t limit)
{
    return (uint32_t)random_up_to(&world->random, limit - 1);
}

static bool happens(struct world *world, uint32_t one_in)
{
    return !world->is_healed && chance(world, one_in) == 0;
}

static struct id task_id(uint32_t task)
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
static void reborn(struct world *world, struct actor *actor)
{
    actor->node = (struct id){.octets = {6, (uint8_t)(world->nodes >> 8), (uint8_t)world->nodes}};
    world->nodes++;
    actor->job_count = 0;
    actor->session = actor->link = 0;
}

static void hear_work(struct actor *worker, const struct message_work *work)
{
    for (uint32_t at = 0; at < work->count; at++) {
        assert_true(worker->job_count < HELD);
        worker->received++;
        worker->jobs[worker->job_count++] = (struct job){.lease = work->items[at].lease};
    }
}

static void hear_welcome(struct actor *actor, const struct message *message)
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

static void hear_receipt(struct actor *worker, uint32_t through)
{
    for (uint32_t at = 0; at < worker->job_count; at++) {
        if (!worker->jobs[at].is_finished || worker->jobs[at].sequence > through) continue;
        worker->jobs[at--] = worker->jobs[--worker->job_count];
    }
}

static void hear_result(struct actor *producer, const struct message_result *result)
{
    for (uint32_t at = 0; at < result->count; at++) {
        struct wish *wish = &producer->wishes[task_of(&result->items[at].id)];
        assert_true(wish->is_submitted); /* or it is a result of a stranger's task */
        if (wish->end != TASK_NONE && result->items[at].reason != REASON_FORGOTTEN) {
            assert_int_equal(wish->end, result->items[at].state);
        }
        wish->end = result->items[at].state;
        wish->session = producer->session;
    }
}

static void hear_accept(struct actor *producer, const struct message_accept *accept)
{
    /* A batch has one task, and its number. */
    if (accept->count == 0) producer->wishes[accept->batch].is_accepted = true;
}

static void hear(struct actor *actor, const struct message *message)
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
    if (message->kind == MESSAGE_RESULT) hear_result(actor, &message->u.result);
    if (message->kind == MESSAGE_ACCEPT) hear_accept(actor, &message->u.accept);
}

static void step(struct world *world, struct ventilator_event event)
{
    event.now_ns = world->now_ns;
    ventilator_step(world->ventilator, &event, world->out);
    ventilator_check_step(&world->check, world->ventilator, &event, world->out);
    for (uint32_t at = 0; at < world->out->send_count; at++) {
        if (happens(world, 40)) continue; /* lost on the way */
        for (uint32_t peer = 0; peer < PEERS; peer++) {
            struct actor *actor = &world->actors[peer];
            if (actor->link != world->out->sends[at].link || actor->link == 0) continue;
            hear(actor, &world->out->sends[at].message);
        }
    }
}

static void turn(struct world *world)
{
    uint32_t turns = 0;
    do {
        step(world, (struct ventilator_event){.kind = VENTILATOR_TURN});
        assert_true(++turns < 1000);
    } while (world->out->more);
}

/* Says something in the actor's session; the network may lose or repeat it. */
static uint32_t say(struct world *world, struct actor *actor, struct message message,
                    enum passage passage)
{
    uint32_t *next = passage == PASSAGE_FRONT ? &actor->next : &actor->next_intake;
    message.session = actor->session;
    message.sequence = (*next)++;
    actor->said_ns = world->now_ns;
    if (happens(world, 50)) return message.sequence;
    uint32_t copies = happens(world, 20) ? 2 : 1;
    for (; copies > 0; copies--) {
        step(world, (struct ventilator_event){.kind = VENTILATOR_MESSAGE,
                                              .link = actor->link,
                                              .passage = passage,
                                              .message = &message});
    }
    return message.sequence;
}

static void say_hello(struct world *world, struct actor *actor)
{
    static const struct bytes all[] = {{(const uint8_t *)"x", 1}, {(const uint8_t *)"y", 1}};
    struct lease leases[HELD];
    for (uint32_t at = 0; at < actor->job_count; at++) leases[at] = actor->jobs[at].lease;
    struct message message = {.kind = MESSAGE_HELLO};
    bool is_picky = actor == &world->actors[PEERS - 1];
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
    actor->link = ++world->links;
    actor->said_ns = world->now_ns;
    step(world, (struct ventilator_event){
                    .kind = VENTILATOR_MESSAGE, .link = actor->link, .message = &message});
}

static void submit(struct world *world, struct actor *producer, uint32_t task)
{
    static const uint8_t payload[300];
    struct submission item = {
        .id = task_id(task),
        .name = bytes_of(task % 3 == 0 ? "x" : "y", 1),
        .queue = bytes_of(task % 5 == 0 ? "x" : "y", 1),
        .payload = bytes_of(payload, task % 300),
        .flags = SUBMISSION_WANTS_RESULT,
        .attempts_max = 1 + task % 4,
    };
    struct message message = {.kind = MESSAGE_SUBMIT};
    message.u.submit = (struct message_submit){.batch = task, .items = &item, .count = 1};
    producer->wishes[task].is_submitted = true;
    say(world, producer, message, chance(world, 2) == 0 ? PASSAGE_FRONT : PASSAGE_INTAKE);
}

static void act_producer(struct world *world, struct actor *producer)
{
    uint32_t what = chance(world, 10);
    if (what < 5 && world->tasks < TASKS && !world->is_healed) {
        submit(world, producer, world->tasks++);
    } else if (what < 7 && world->tasks > 0) {
        uint32_t task = chance(world, world->tasks);
        const struct wish *wish = &producer->wishes[task];
        if (wish->is_submitted && !wish->is_accepted) submit(world, producer, task);
        if (happens(world, 20)) submit(world, producer, task); /* even of another's */
    } else if (what < 9) {
        struct message message = {.kind = MESSAGE_RECEIPT};
        message.u.receipt.through = producer->next_in - 1;
        say(world, producer, message, PASSAGE_FRONT);
    } else {
        struct message message = {.kind = MESSAGE_QUERY};
        message.u.query.query = (enum query)(QUERY_TOTALS + chance(world, 4));
        say(world, producer, message, PASSAGE_FRONT);
    }
}

static void finish_one(struct world *world, struct actor *worker)
{
    static const uint8_t result[500];
    uint32_t at = chance(world, worker->job_count);
    if (worker->jobs[at].is_finished) return;
    struct completion item = {.lease = worker->jobs[at].lease,
                              .retry_after_ms = chance(world, 2) * 50,
                              .result = bytes_of(result, chance(world, 500)),
                              .text = bytes_text("text")};
    if (chance(world, 3) == 0) item.outcome = (enum outcome)chance(world, 5);
    if (happens(world, 30)) item.lease.token ^= 1;
    struct message message = {.kind = MESSAGE_COMPLETE};
    message.u.complete = (struct message_complete){.items = &item, .count = 1};
    worker->jobs[at].is_finished = true;
    worker->jobs[at].sequence = worker->next; /* before it is said: a receipt may come at once */
    say(world, worker, message, PASSAGE_FRONT);
}

static void act_worker(struct world *world, struct actor *worker)
{
    if (worker->job_count > 0 && chance(world, 2) == 0) {
        finish_one(world, worker);
        return;
    }
    struct message message = {.kind = MESSAGE_CREDIT};
    uint64_t coming = worker->credit - worker->received + worker->job_count;
    if (coming < HELD / 4) worker->credit += chance(world, 4);
    message.u.credit =
        (struct message_credit){.tasks = worker->credit, .bytes = worker->credit * 200};
    say(world, worker, message, PASSAGE_FRONT);
}

/* Something a good node never says. */
static void forge(struct world *world, struct actor *actor)
{
    static const enum message_kind kinds[] = {
        MESSAGE_OTHER,  MESSAGE_WELCOME, MESSAGE_REFUSE, MESSAGE_WHO,     MESSAGE_HEARTBEAT,
        MESSAGE_ACCEPT, MESSAGE_RESULT,  MESSAGE_ANSWER, MESSAGE_WORK,    MESSAGE_RECEIPT,
        MESSAGE_CREDIT, MESSAGE_QUERY,   MESSAGE_SUBMIT, MESSAGE_COMPLETE};
    struct message message = {.kind = kinds[chance(world, 14)]};
    if (message.kind == MESSAGE_QUERY) message.u.query.cursor = UINT32_MAX - chance(world, 5000);
    if (message.kind == MESSAGE_QUERY) message.u.query.query = QUERY_DEAD;
    if (message.kind == MESSAGE_CREDIT) message.u.credit.tasks = 0;
    message.session = chance(world, 2) == 0 ? actor->session : (uint32_t)world->random;
    message.sequence = chance(world, 3) == 0 ? actor->next : (uint32_t)random_next(&world->random);
    step(world, (struct ventilator_event){.kind = VENTILATOR_MESSAGE,
                                          .link = chance(world, world->links + 2),
                                          .passage = (enum passage)chance(world, 2),
                                          .message = &message});
}

static void act_badly(struct world *world, struct actor *actor)
{
    switch (chance(world, 6)) {
    case 0: forge(world, actor); break;
    case 1:
        step(world, (struct ventilator_event){.kind = VENTILATOR_CLOSED, .link = actor->link});
        actor->session = actor->link = 0;
        break;
    case 2: actor->is_silent = !actor->is_silent; break;
    case 3:
        if (actor->role == ROLE_WORKER) reborn(world, actor);
        break;
    case 4:
        if (actor->role != ROLE_WORKER || actor->session == 0) break;
        say(world, actor, (struct message){.kind = MESSAGE_BYE}, PASSAGE_FRONT);
        reborn(world, actor);
        break;
    default:
        step(world, (struct ventilator_event){
                        .kind = VENTILATOR_GARBAGE, .link = actor->link, .reason = REASON_VERSION});
        break;
    }
}

static void act(struct world *world)
{
    struct actor *actor = &world->actors[chance(world, PEERS)];
    if (world->is_healed) actor->is_silent = false;
    if (happens(world, 25)) act_badly(world, actor);
    if (actor->is_silent) return;
    if (actor->session == 0) {
        say_hello(world, actor);
    } else if (actor->said_ns + SECOND <= world->now_ns) {
        say(world, actor, (struct message){.kind = MESSAGE_HEARTBEAT}, PASSAGE_FRONT);
    } else if (actor->role == ROLE_PRODUCER) {
        act_producer(world, actor);
    } else {
        act_worker(world, actor);
    }
}

static void pass_time(struct world *world)
{
    uint64_t ms = chance(world, 100) < 95 ? chance(world, 30) : chance(world, 2000);
    if (world->is_healed) ms = chance(world, 40);
    world->now_ns += ms * MILLISECOND;
}

static void begin(struct world *world, uint64_t seed)
{
    struct ventilator_options options = ventilator_defaults();
    options.node = (struct id){.octets = {4}};
    options.seed = seed * 77;
    options.tasks_max = 200;
    options.store_bytes_max = 64 * 1024;
    options.peers_max = 16;
    options.ended_max = TASKS;
    options.dead_letters_max = 5;
    options.backoff_ns = 100 * MILLISECOND;
    options.absent_ns_max = 100000 * SECOND;
    *world = (struct world){.random = seed, .seed = seed, .now_ns = 1000 * SECOND};
    world->memory = calloc(1, ventilator_memory_bytes(&options) + 64);
    world->out = malloc(sizeof *world->out);
    assert_non_null(world->memory);
    assert_non_null(world->out);
    void *aligned = (void *)(((uintptr_t)world->memory + 63) & ~(uintptr_t)63);
    world->ventilator = ventilator_init(aligned, &options, world->now_ns);
    ventilator_check_start(&world->check);
    for (uint32_t peer = 0; peer < PEERS; peer++) {
        world->actors[peer].role = peer < PRODUCERS ? ROLE_PRODUCER : ROLE_WORKER;
        reborn(world, &world->actors[peer]);
    }
}

static void end(struct world *world)
{
    ventilator_check_end(&world->check);
    free(world->memory);
    free(world->out);
    world->memory = NULL;
}

static void check_the_end(const struct world *world)
{
    uint64_t accepted = 0;
    for (uint32_t task = 0; task < world->tasks; task++) {
        struct id id = task_id(task);
        const struct check_task *known = ventilator_check_task(&world->check, &id);
        if (known == NULL || known->state == TASK_NONE) continue;
        accepted++;
        assert_int_equal(known->ended, 1);
        bool is_told = false;
        for (uint32_t peer = 0; peer < PRODUCERS; peer++) {
            const struct wish *wish = &world->actors[peer].wishes[task];
            if (wish->end == TASK_NONE) continue;
            is_told = true;
            assert_int_equal(wish->end, known->state);
        }
        assert_true(is_told);
    }
    const struct totals *totals = &world->ventilator->totals;
    assert_true(accepted > 0);
    assert_int_equal(accepted, totals->submitted);
    assert_int_equal(totals->done + totals->failed + totals->dead, totals->submitted);
}

static void live(struct world *world)
{
    for (uint32_t event = 0; event < EVENTS; event++) {
        world->check.is_shallow = event % TABLES_EVERY != 0;
        act(world);
        if (chance(world, 3) > 0) continue;
        turn(world);
        pass_time(world);
    }
    world->is_healed = true;
    /* Those that forged a lease forgot their own; a new session finds that out. */
    for (uint32_t peer = 0; peer < PEERS; peer++) world->actors[peer].session = 0;
    for (uint32_t event = 0; event < 20 * EVENTS; event++) {
        world->check.is_shallow = event % TABLES_EVERY != 0;
        act(world);
        turn(world);
        pass_time(world);
        if (event % 64 == 0 && ventilator_open_count(world->ventilator) == 0 &&
            event > EVENTS / 2) {
            break;
        }
    }
    if (ventilator_open_count(world->ventilator) > 0) fail_msg("not everything ended");
    check_the_end(world);
}

static void whatever_peers_do_each_task_ends_once_and_its_end_is_known(void **state)
{
    struct world *world = *state;
    const char *one = getenv("SEED"); /* to replay what failed */
    uint64_t first = one != NULL ? strtoull(one, NULL, 10) : 1;
    uint64_t last = one != NULL ? first : SEEDS;
    for (uint64_t seed = first; seed <= last; seed++) {
        begin(world, seed);
        live(world);
        end(world);
    }
}

static int setup(void **state)
{
    *state = calloc(1, sizeof(struct world));
    return *state == NULL;
}

static int teardown(void **state)
{
    struct world *world = *state;
    if (world->memory != NULL) {
        print_message("replay with SEED=%llu\n", (unsigned long long)world->seed);
        end(world);
    }
    free(world);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(whatever_peers_do_each_task_ends_once_and_its_end_is_known,
                                        setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
