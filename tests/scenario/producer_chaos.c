/* producer_chaos.c - one producer among ventilators that fail at random.
 *
 * Invariants, checked task by task at every action:
 *   once      each of accepted, rejected, unknown and ended is told at most once,
 *             and nothing after an end;
 *   true      accepted only what a ventilator took, ended only what one ended,
 *             rejected only what deserves it, unknown only when nobody can tell;
 *   order     numbers of batches and of messages count up one by one;
 *   idle      after a turn the next deadline lies ahead.
 * And at the end, after the network has healed:
 *   complete  every task came to exactly one end, and nothing is kept.
 *
 * Faults: messages lost on either lane, connections cut with and without
 * notice, ventilators restarted without their memory, BUSY, slow answers,
 * intakes that go up and down.
 */
#include "core/producer.h"
#include "core/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

enum { TASKS = 600, LINKS = 3, MAILS = 512, SEEDS = 60 };

/* One message on its way, with all that its kind needs here. */
struct mail {
    uint64_t due_ns, batch;
    enum message_kind kind;
    uint32_t session, sequence, count;
    uint16_t tasks[TASKS];              /* SUBMIT, RESULT */
    struct rejection rejections[TASKS]; /* ACCEPT */
};

/* Keeps order; loses at random. */
struct lane {
    struct mail mails[MAILS];
    uint64_t first, end;
    uint64_t last_due_ns;
};

enum lane_name { TO_FRONT, TO_INTAKE, TO_PRODUCER, LANES };

struct ventilator {
    struct id node;
    bool connected; /* its socket and the producer's see each other */
    uint64_t connect_ns;
    uint32_t session, next_front, next_intake, next_out;
    uint64_t next_batch;
    uint32_t next_said[2]; /* sequence of the producer's next message, by passage */
    bool holds[TASKS], done[TASKS];
    uint32_t told[TASKS]; /* sequence of the RESULT in this session, 0 for none */
    struct lane lanes[LANES];
};

struct task {
    bool wants, bad, taken, finished;
    uint8_t accepted, rejected, unknown, ended;
};

struct world {
    uint64_t seed, random, now_ns, calm_ns; /* no faults from calm_ns on */
    uint64_t unknown_ns;
    uint32_t sessions, submitted;
    struct producer *producer;
    struct producer_actions out;
    struct ventilator ventilators[LINKS];
    struct task tasks[TASKS];
    bool acted; /* something happened since the last turn */
};

static bool chance(struct world *world, uint32_t in_ten_thousand)
{
    return random_up_to(&world->random, 9999) < in_ten_thousand;
}

static bool fault(struct world *world, uint32_t in_ten_thousand)
{
    return world->now_ns < world->calm_ns && chance(world, in_ten_thousand);
}

static struct id task_id(uint32_t task)
{
    struct id id = {.octets = {7}};
    memcpy(id.octets + 8, &task, sizeof task);
    return id;
}

static uint32_t task_of(const struct id *id)
{
    uint32_t task;
    memcpy(&task, id->octets + 8, sizeof task);
    assert_true(task < TASKS);
    return task;
}

/* ---- The network ---- */

/* Returns a mail to fill in, or NULL when it will be lost. */
static struct mail *post(struct world *world, uint32_t link, enum lane_name name,
                         enum message_kind kind)
{
    struct lane *lane = &world->ventilators[link].lanes[name];
    if (!world->ventilators[link].connected || fault(world, 100)) return NULL;
    assert_true(lane->end - lane->first < MAILS);
    uint32_t slow = name == TO_INTAKE ? 300 : 10; /* a slow intake makes for late ACCEPTs */
    uint64_t delay_ns = random_up_to(&world->random, fault(world, slow) ? 8000 : 20) * MILLISECOND;
    uint64_t due_ns = world->now_ns + delay_ns;
    if (due_ns < lane->last_due_ns) due_ns = lane->last_due_ns;
    lane->last_due_ns = due_ns;
    struct mail *mail = &lane->mails[lane->end++ % MAILS];
    mail->due_ns = due_ns;
    mail->kind = kind;
    mail->session = mail->sequence = mail->count = 0;
    return mail;
}

static const struct mail *collect(struct world *world, uint32_t link, enum lane_name name)
{
    struct lane *lane = &world->ventilators[link].lanes[name];
    if (lane->first == lane->end) return NULL;
    const struct mail *mail = &lane->mails[lane->first % MAILS];
    if (mail->due_ns > world->now_ns) return NULL;
    lane->first++;
    return mail;
}

static void disconnect(struct ventilator *ventilator)
{
    ventilator->connected = false;
    ventilator->connect_ns = INSTANT_NEVER;
    for (uint32_t i = 0; i < LANES; i++) {
        ventilator->lanes[i].first = ventilator->lanes[i].end;
        ventilator->lanes[i].last_due_ns = 0;
    }
}

/* ---- The producer's side ---- */

static void tell(struct world *world, const struct producer_action *action)
{
    struct task *task = &world->tasks[task_of(&action->result.id)];
    assert_int_equal(action->ticket, task_of(&action->result.id));
    assert_int_equal(task->rejected + task->unknown + task->ended, 0);
    assert_true(task->accepted == 0 || task->wants);
    if (action->kind == PRODUCER_ACCEPTED) {
        assert_int_equal(task->accepted++, 0);
        assert_true(task->taken);
    } else if (action->kind == PRODUCER_REJECTED) {
        assert_int_equal(task->accepted, 0);
        assert_int_equal(action->result.reason, REASON_TOO_BIG);
        assert_true(task->bad);
        task->rejected++;
    } else if (action->kind == PRODUCER_ENDED) {
        assert_int_equal(task->accepted, 1);
        assert_true(task->finished);
        task->ended++;
    } else {
        bool gone = action->result.reason == REASON_OWNER_GONE;
        assert_int_equal(task->accepted, gone);
        assert_true(gone || world->unknown_ns != 0);
        task->unknown++;
    }
}

static void send_mail(struct world *world, const struct producer_action *action)
{
    const struct message *message = &action->message;
    struct ventilator *ventilator = &world->ventilators[action->link];
    if (message->kind == MESSAGE_SUBMIT) {
        assert_int_equal(message->u.submit.batch, ventilator->next_batch++);
    }
    if (message->kind != MESSAGE_HELLO) {
        assert_int_equal(message->sequence, ventilator->next_said[action->passage]++);
    }
    enum lane_name lane = action->passage == PASSAGE_INTAKE ? TO_INTAKE : TO_FRONT;
    struct mail *mail = post(world, action->link, lane, message->kind);
    if (mail == NULL) return;
    mail->session = message->session;
    mail->sequence = message->sequence;
    if (message->kind == MESSAGE_RECEIPT) mail->batch = message->u.receipt.through;
    if (message->kind != MESSAGE_SUBMIT) return;
    mail->batch = message->u.submit.batch;
    for (uint32_t i = 0; i < message->u.submit.count; i++) {
        mail->tasks[mail->count++] = (uint16_t)task_of(&message->u.submit.items[i].id);
    }
}

static void perform(struct world *world)
{
    for (uint32_t i = 0; i < world->out.count; i++) {
        const struct producer_action *action = &world->out.actions[i];
        struct ventilator *ventilator = &world->ventilators[action->link];
        switch (action->kind) {
        case PRODUCER_OPEN:
            disconnect(ventilator);
            ventilator->connect_ns = world->now_ns + random_up_to(&world->random, 50) * MILLISECOND;
            break;
        case PRODUCER_SHUT: disconnect(ventilator); break;
        case PRODUCER_OPENED:
            ventilator->next_batch = 1;
            ventilator->next_said[PASSAGE_FRONT] = ventilator->next_said[PASSAGE_INTAKE] = 1;
            break;
        case PRODUCER_SEND: send_mail(world, action); break;
        case PRODUCER_ACCEPTED:
        case PRODUCER_REJECTED:
        case PRODUCER_ENDED:
        case PRODUCER_UNKNOWN: tell(world, action); break;
        case PRODUCER_INTAKE:
        case PRODUCER_LOST: break;
        case PRODUCER_ANSWER:
        case PRODUCER_REFUSED: fail_msg("nobody asked, nobody refused");
        }
    }
}

static void step(struct world *world, struct producer_event event)
{
    event.now_ns = world->now_ns;
    producer_step(world->producer, &event, &world->out);
    perform(world);
    world->acted = true;
}

static void on(struct world *world, enum producer_event_kind kind, uint32_t link)
{
    step(world, (struct producer_event){.kind = kind, .link = link});
}

static void turn(struct world *world)
{
    do {
        on(world, PRODUCER_TURN, 0);
    } while (world->out.more);
    assert_true(producer_deadline(world->producer) > world->now_ns);
    world->acted = false;
}

static void submit_some(struct world *world)
{
    uint32_t count = (uint32_t)random_up_to(&world->random, 8);
    while (count-- > 0 && world->submitted < TASKS) {
        uint32_t task = world->submitted;
        uint8_t payload[300] = {0};
        struct submission submission = {
            .id = task_id(task),
            .name = bytes_text("chaos"),
            .payload = bytes_of(payload, random_up_to(&world->random, sizeof payload)),
            .flags = world->tasks[task].wants ? SUBMISSION_WANTS_RESULT : 0,
        };
        step(world, (struct producer_event){
                        .kind = PRODUCER_SUBMIT, .submission = &submission, .ticket = task});
        assert_false(world->out.duplicate);
        if (!world->out.full) world->submitted++;
    }
}

/* ---- The ventilators' side ---- */

/* A message of the session; its number is used up even when it will be lost. */
static struct mail *say(struct world *world, uint32_t link, enum message_kind kind)
{
    struct ventilator *ventilator = &world->ventilators[link];
    struct mail *mail = post(world, link, TO_PRODUCER, kind);
    uint32_t sequence = ventilator->next_out++;
    if (mail == NULL) return NULL;
    mail->session = ventilator->session;
    mail->sequence = sequence;
    return mail;
}

static void reset_session(struct world *world, uint32_t link, const struct mail *from)
{
    struct ventilator *ventilator = &world->ventilators[link];
    struct mail *mail = post(world, link, TO_PRODUCER, MESSAGE_WHO);
    ventilator->session = 0;
    if (mail != NULL) mail->session = from->session;
}

static void greet(struct world *world, uint32_t link)
{
    struct ventilator *ventilator = &world->ventilators[link];
    struct mail *mail = post(world, link, TO_PRODUCER, MESSAGE_WELCOME);
    ventilator->session = ++world->sessions;
    ventilator->next_front = ventilator->next_intake = 1;
    ventilator->next_out = 1;
    memset(ventilator->told, 0, sizeof ventilator->told);
    if (mail != NULL) mail->session = ventilator->session;
}

static void answer_submit(struct world *world, uint32_t link, const struct mail *submit)
{
    struct ventilator *ventilator = &world->ventilators[link];
    struct rejection rejections[TASKS];
    uint32_t count = 0;
    bool busy = fault(world, 500);
    for (uint32_t i = 0; i < submit->count; i++) {
        struct task *task = &world->tasks[submit->tasks[i]];
        enum reason reason = task->bad ? REASON_TOO_BIG : REASON_NONE;
        if (!task->bad && busy && chance(world, 5000)) reason = REASON_BUSY;
        if (reason != REASON_NONE && !ventilator->holds[submit->tasks[i]]) {
            rejections[count++] = (struct rejection){.item = i, .reason = reason};
            continue;
        }
        task->taken = true;
        ventilator->holds[submit->tasks[i]] = true;
    }
    if (fault(world, 300)) return; /* slow beyond all patience */
    struct mail *mail = say(world, link, MESSAGE_ACCEPT);
    if (mail == NULL) return;
    mail->batch = submit->batch;
    mail->count = count;
    memcpy(mail->rejections, rejections, count * sizeof rejections[0]);
}

static void receive(struct world *world, uint32_t link, enum lane_name name)
{
    struct ventilator *ventilator = &world->ventilators[link];
    const struct mail *mail;
    while ((mail = collect(world, link, name)) != NULL) {
        if (mail->kind == MESSAGE_HELLO) {
            greet(world, link);
            continue;
        }
        uint32_t *next = name == TO_INTAKE ? &ventilator->next_intake : &ventilator->next_front;
        if (ventilator->session == 0 || mail->session != ventilator->session ||
            mail->sequence != *next) {
            reset_session(world, link, mail);
            continue;
        }
        ++*next;
        if (mail->kind == MESSAGE_SUBMIT) answer_submit(world, link, mail);
        if (mail->kind != MESSAGE_RECEIPT) continue;
        for (uint32_t task = 0; task < TASKS; task++) {
            if (ventilator->told[task] == 0 || ventilator->told[task] > mail->batch) continue;
            ventilator->told[task] = UINT32_MAX; /* never again */
            ventilator->done[task] = false;
        }
    }
}

static void finish_tasks(struct world *world, uint32_t link)
{
    struct ventilator *ventilator = &world->ventilators[link];
    for (uint32_t task = 0; task < TASKS; task++) {
        if (!ventilator->holds[task] || ventilator->done[task] || !world->tasks[task].wants ||
            ventilator->told[task] == UINT32_MAX || !chance(world, 300)) {
            continue;
        }
        ventilator->done[task] = true;
        world->tasks[task].finished = true;
    }
    if (ventilator->session == 0 || !chance(world, 3000)) return;
    uint32_t sequence = ventilator->next_out;
    struct mail *mail = say(world, link, MESSAGE_RESULT);
    for (uint32_t task = 0; task < TASKS; task++) {
        if (!ventilator->done[task] || ventilator->told[task] != 0) continue;
        ventilator->told[task] = sequence;
        if (mail != NULL) mail->tasks[mail->count++] = (uint16_t)task;
    }
}

/* Hands a mail to the producer as the message that it is. */
static void hand_over(struct world *world, uint32_t link, const struct mail *mail)
{
    struct message message = {
        .kind = mail->kind, .session = mail->session, .sequence = mail->sequence};
    struct result results[TASKS];
    if (mail->kind == MESSAGE_WELCOME) {
        message.u.welcome = (struct message_welcome){.node = world->ventilators[link].node,
                                                     .known = true,
                                                     .heartbeat_ms = 1000,
                                                     .lost_ms = 4000};
    } else if (mail->kind == MESSAGE_ACCEPT) {
        message.u.accept = (struct message_accept){
            .batch = mail->batch, .rejections = mail->rejections, .count = mail->count};
    } else if (mail->kind == MESSAGE_RESULT) {
        for (uint32_t i = 0; i < mail->count; i++) {
            results[i] = (struct result){.id = task_id(mail->tasks[i]), .state = TASK_DONE};
        }
        message.u.result = (struct message_result){.items = results, .count = mail->count};
    } else if (mail->kind == MESSAGE_HEARTBEAT) {
        message.u.heartbeat.backlog = random_up_to(&world->random, 100);
    }
    step(world,
         (struct producer_event){.kind = PRODUCER_MESSAGE, .link = link, .message = &message});
}

static void break_things(struct world *world, uint32_t link)
{
    struct ventilator *ventilator = &world->ventilators[link];
    bool restart = fault(world, 8);
    if (restart) {
        ventilator->node.octets[0]++;
        ventilator->session = 0;
        memset(ventilator->holds, 0, sizeof ventilator->holds);
        memset(ventilator->done, 0, sizeof ventilator->done);
        memset(ventilator->told, 0, sizeof ventilator->told);
    }
    if (!restart && !fault(world, 20)) return;
    bool noticed = chance(world, 5000);
    disconnect(ventilator);
    if (noticed) on(world, PRODUCER_CLOSED, link);
}

static void live(struct world *world, uint32_t link)
{
    struct ventilator *ventilator = &world->ventilators[link];
    const struct mail *mail;
    if (ventilator->connect_ns <= world->now_ns) {
        ventilator->connect_ns = INSTANT_NEVER;
        ventilator->connected = true;
        on(world, PRODUCER_CONNECTED, link);
    }
    receive(world, link, TO_FRONT);
    receive(world, link, TO_INTAKE);
    finish_tasks(world, link);
    if (ventilator->session != 0 && chance(world, 200)) say(world, link, MESSAGE_HEARTBEAT);
    while ((mail = collect(world, link, TO_PRODUCER)) != NULL) hand_over(world, link, mail);
    if (ventilator->connected && chance(world, 300)) on(world, PRODUCER_INTAKE_UP, link);
    if (fault(world, 30)) on(world, PRODUCER_INTAKE_DOWN, link);
    break_things(world, link);
}

static bool is_settled(const struct world *world)
{
    struct producer_counts counts;
    producer_counts(world->producer, &counts);
    return world->submitted == TASKS && counts.outbox + counts.awaited == 0;
}

static void check_complete(const struct world *world)
{
    for (uint32_t i = 0; i < TASKS; i++) {
        const struct task *task = &world->tasks[i];
        bool accepted = task->accepted == 1 && (!task->wants || task->ended + task->unknown == 1);
        bool refused = task->accepted == 0 && task->rejected + task->unknown == 1;
        if (accepted || refused) continue;
        fail_msg("task %u came to no end: replay with seed %u", (unsigned)i, (unsigned)world->seed);
    }
}

static void run(uint64_t seed, uint64_t unknown_ns)
{
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    world->seed = world->random = seed;
    world->now_ns = SECOND;
    world->calm_ns = 60 * SECOND;
    world->unknown_ns = unknown_ns;
    struct producer_options options = producer_defaults();
    options.seed = seed;
    options.link_count = LINKS;
    options.tasks_max = TASKS / 4;
    options.store_bytes_max = 1;
    options.batches_max = 4;
    options.unknown_ns = unknown_ns;
    size_t bytes = (producer_memory_bytes(&options) + 63) & ~(size_t)63;
    void *memory = aligned_alloc(64, bytes);
    assert_non_null(memory);
    memset(memory, 0, bytes);
    world->producer = producer_init(memory, &options, world->now_ns);
    for (uint32_t i = 0; i < LINKS; i++) {
        world->ventilators[i].node.octets[15] = (uint8_t)(i + 1);
        disconnect(&world->ventilators[i]);
    }
    for (uint32_t i = 0; i < TASKS; i++) {
        world->tasks[i].wants = chance(world, 7000);
        world->tasks[i].bad = chance(world, 500);
    }
    while (!is_settled(world)) {
        assert_true(world->now_ns < world->calm_ns + 120 * SECOND); /* complete */
        world->now_ns += random_up_to(&world->random, 20) * MILLISECOND;
        if (chance(world, 1000)) submit_some(world);
        for (uint32_t i = 0; i < LINKS; i++) live(world, i);
        if (world->acted || producer_deadline(world->producer) <= world->now_ns) turn(world);
    }
    check_complete(world);
    free(memory);
    free(world);
}

static void every_task_comes_to_one_end_whatever_fails(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) run(seed, seed % 2 == 0 ? 0 : 6 * SECOND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_task_comes_to_one_end_whatever_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
