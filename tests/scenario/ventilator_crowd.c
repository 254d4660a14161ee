/* ventilator_crowd.c - many peers, whose heartbeats, losses and goodbyes take
 * several turns, and status, which comes in pages. */
#include "ventilator_story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { PEERS = 2000 };

static void start(struct story *story)
{
    struct ventilator_options options = story_options();
    options.peers_max = 3000;
    story_start_with(story, &options);
    story->check.is_shallow = true;
}

static struct id crowd_node(uint32_t number)
{
    return (struct id){.octets = {10, (uint8_t)(number >> 8), (uint8_t)number}};
}

/* Workers and producers by turns, on links of their own. */
static void hello_of_a_crowd(struct story *story)
{
    struct bytes names[] = {bytes_text("t")}, queues[] = {bytes_text("default")};
    for (uint32_t at = 0; at < PEERS; at++) {
        struct message message = {.kind = MESSAGE_HELLO};
        message.u.hello = (struct message_hello){.role = at % 2 == 0 ? ROLE_WORKER : ROLE_PRODUCER,
                                                 .node = crowd_node(at),
                                                 .label = bytes_text("one of many"),
                                                 .names = names,
                                                 .queues = queues,
                                                 .name_count = 1,
                                                 .queue_count = 1};
        story_step(story, &(struct ventilator_event){
                              .kind = VENTILATOR_MESSAGE, .link = 5000 + at, .message = &message});
        assert_int_equal(story->out->sends[0].message.kind, MESSAGE_WELCOME);
    }
    story_turn(story);
}

static void two_thousand_peers_lost_at_once_are_cleared_away_in_parts(void **state)
{
    (void)state;
    struct story story;
    start(&story);
    hello_of_a_crowd(&story);
    assert_int_equal(story_totals(&story).workers, PEERS / 2);
    for (uint32_t second = 1; second < 4; second++) {
        story.now_ns += SECOND;
        assert_in_range(story_turn(&story), PEERS / 256, PEERS / 256 + 3); /* heartbeats */
    }
    story.now_ns += SECOND;
    assert_in_range(story_turn(&story), PEERS / 256, PEERS / 256 + 3); /* each is told */
    ventilator_check_tables(story.ventilator, CHECK_SETTLED);
    assert_int_equal(story.ventilator->peers.nodes.count, 0);
    assert_int_equal(story_totals(&story).workers + story_totals(&story).producers, 0);
    assert_int_equal(story_totals(&story).store_bytes, 0);
    story_end(&story);
}

/* They have credit, and nothing idle: a handler that hangs is in the only slot of each. */
static void credit_of_a_crowd(struct story *story)
{
    for (uint32_t at = 0; at < PEERS; at += 2) {
        struct id node = crowd_node(at);
        uint32_t slot = peers_of_node(&story->ventilator->peers, &node);
        story->ventilator->peers.peers[slot].hung = 1;
        ventilator_credit(story->ventilator, slot,
                          &(struct message_credit){.tasks = 1, .bytes = UINT32_MAX});
    }
}

/* W2 has nothing to do; W1 has one task that it has not begun. */
static void expect_recall_for(struct story *story)
{
    story->peers[W1].slots = story->peers[W2].slots = 1;
    story_hello(story, P1);
    story_hello(story, W1);
    story_credit(story, W1, 2);
    story_submit(story, P1, "AB");
    story->peers[W1].beat = (struct message_heartbeat){.held = 2, .running = 1};
    credit_of_a_crowd(story);
    story_hello(story, W2);
    story_credit(story, W2, 1); /* last in line */
    story_pass(story, 25);
    story_clear(story);
    story_beat(story, W1);
    for (uint32_t turn = 0; turn < PEERS / 2 / 256; turn++) story_turn(story);
    story_expect(story, "[   25] > w1 recall B/1\n");
    story_end(story);
}

static void one_that_is_idle_is_found_among_a_thousand_that_are_not(void **state)
{
    (void)state;
    struct story story;
    start(&story);
    hello_of_a_crowd(&story);
    expect_recall_for(&story);
}

static void one_that_serves_other_names_is_found_too(void **state)
{
    (void)state;
    struct story story;
    start(&story);
    story.peers[W2].names = "t u";
    hello_of_a_crowd(&story);
    expect_recall_for(&story);
}

static void a_connection_more_than_there_are_descriptors_for_is_refused(void **state)
{
    (void)state;
    struct ventilator_options options = story_options();
    options.connections_max = 4; /* two of a producer */
    struct story story;
    story_start_with(&story, &options);
    story_hello(&story, P1);
    story_hello(&story, W1);
    story_hello(&story, W2);
    story_clear(&story);
    story_hello(&story, W3);
    story_silence(&story, W3);
    story_expect(&story, "[    0] > w3 refuse busy\n");
    story_hello(&story, W1); /* its old connection goes */
    story_expect(&story, "[    0] w1 closed\n"
                         "[    0] w1 resumed\n"
                         "[    0] > w1 welcome\n");
    story_bye(&story, W2);
    story_hello(&story, P2);
    story_silence(&story, P2);
    story_expect(&story, "[    0] w2 left\n"
                         "[    0] > p2 refuse busy\n");
    story_hello(&story, W3);
    story_expect(&story, "[    0] w3 opened\n"
                         "[    0] > w3 welcome\n");
    story_end(&story);
}

static void work_that_could_not_be_sent_yet_is_taken_back_in_order(void **state)
{
    (void)state;
    struct story story;
    start(&story);
    hello_of_a_crowd(&story);
    story_hello(&story, P1);
    story_hello(&story, W1);
    story_credit(&story, W1, 2);
    story_submit(&story, P1, "A");
    story.now_ns += SECOND;
    struct submission item = story.task;
    item.id = story_id('B');
    struct message message = {.kind = MESSAGE_SUBMIT};
    message.u.submit = (struct message_submit){.batch = 2, .items = &item, .count = 1};
    story_tell(&story, P1, message);
    story_step(&story, &(struct ventilator_event){.kind = VENTILATOR_TURN}); /* all heartbeats */
    assert_true(story.out->more);
    story.peers[W1].held_count = 0;
    story_clear(&story);
    story_greet(&story, W1);
    story_turn(&story);
    story_expect(&story, "[ 1000] w1 closed\n"
                         "[ 1000] w1 resumed\n"
                         "[ 1000] > w1 welcome\n"
                         "[ 1000] returned B/0 w1\n"
                         "[ 1000] returned A/0 w1\n");
    story_credit(&story, W1, 2);
    story_expect(&story, "[ 1000] leased A/1 w1\n"
                         "[ 1000] leased B/1 w1\n"
                         "[ 1000] > w1 work A/1 B/1\n");
    story_end(&story);
}

static void stop_says_bye_to_two_thousand_in_parts(void **state)
{
    (void)state;
    struct story story;
    start(&story);
    hello_of_a_crowd(&story);
    uint32_t byes = 0, steps = 0;
    do {
        story_step(&story, &(struct ventilator_event){.kind = VENTILATOR_STOP});
        for (uint32_t at = 0; at < story.out->send_count; at++) {
            byes += story.out->sends[at].message.kind == MESSAGE_BYE;
        }
        steps++;
    } while (story.out->more);
    assert_int_equal(byes, PEERS);
    assert_int_equal(steps, (PEERS + 255) / 256);
    story_end(&story);
}

/* Asks page after page.  Returns how many rows there were. */
static uint32_t rows_of(struct story *story, enum query query)
{
    uint32_t rows = 0, cursor = 0;
    do {
        story_query(story, P1, query, cursor);
        assert_int_equal(story->out->send_count, 1);
        const struct message_answer *answer = &story->out->sends[0].message.u.answer;
        assert_int_equal(answer->query, query);
        assert_true(answer->count <= MESSAGE_ROWS_MAX);
        for (uint32_t at = 0; query == QUERY_WORKERS && at < answer->count; at++) {
            assert_true(bytes_equal(answer->workers[at].label, bytes_text("one of many")));
        }
        rows += answer->count;
        cursor = answer->cursor;
    } while (cursor != 0);
    return rows;
}

static void status_comes_in_pages(void **state)
{
    (void)state;
    struct story story;
    start(&story);
    hello_of_a_crowd(&story);
    story_hello(&story, P1);
    assert_int_equal(rows_of(&story, QUERY_WORKERS), PEERS / 2);
    assert_int_equal(rows_of(&story, QUERY_LANES), 0);
    assert_int_equal(rows_of(&story, QUERY_DEAD), 0);
    const enum query queries[] = {QUERY_WORKERS, QUERY_LANES, QUERY_DEAD};
    for (size_t at = 0; at < 3; at++) { /* a cursor from nowhere */
        story_query(&story, P1, queries[at], UINT32_MAX);
        assert_int_equal(story.out->sends[0].message.u.answer.count, 0);
        assert_int_equal(story.out->sends[0].message.u.answer.cursor, 0);
    }
    story_end(&story);
}

static void status_tells_of_lanes_workers_and_totals(void **state)
{
    (void)state;
    struct story story;
    story_start(&story);
    story_hello(&story, P1);
    story_hello(&story, W1);
    story_hello(&story, W2);
    story_submit(&story, P1, "ABCD");
    story_credit(&story, W1, 3);
    story_complete(&story, W1, "A", OUTCOME_DONE);
    story.run.retry_after_ms = 5000;
    story_complete(&story, W1, "B", OUTCOME_FAILED);
    story_say(&story, W1,
              (struct message){.kind = MESSAGE_HEARTBEAT, .u.heartbeat = {.running = 1}});
    story_pass(&story, 300);
    story_query(&story, P1, QUERY_WORKERS, 0);
    const struct worker_row *worker = story.out->sends[0].message.u.answer.workers;
    assert_int_equal(story.out->sends[0].message.u.answer.count, 2);
    assert_int_equal(worker->slots, 4);
    assert_int_equal(worker->leased, 1);
    assert_int_equal(worker->running, 1);
    assert_int_equal(worker->completed, 1);
    assert_int_equal(worker->silent_ms, 300);
    assert_true(bytes_equal(worker->label, bytes_text("host")));
    struct id node = story_node(W1);
    assert_true(id_equal(&worker->node, &node));
    story_query(&story, P1, QUERY_LANES, 0);
    const struct lane_row *lane = story.out->sends[0].message.u.answer.lanes;
    assert_int_equal(story.out->sends[0].message.u.answer.count, 1);
    assert_int_equal(lane->waiting, 1);
    assert_int_equal(lane->ready, 1);
    assert_int_equal(lane->leased, 1);
    assert_int_equal(lane->workers, 2);
    assert_true(bytes_equal(lane->name, bytes_text("t")));
    assert_true(bytes_equal(lane->queue, bytes_text("default")));
    story_query(&story, P1, QUERY_TOTALS, 0);
    const struct totals *totals = story.out->sends[0].message.u.answer.totals;
    assert_int_equal(totals->submitted, 4);
    assert_int_equal(totals->dispatched, 3);
    assert_int_equal(totals->done, 1);
    assert_int_equal(totals->retried, 1);
    assert_int_equal(totals->waiting, 1);
    assert_int_equal(totals->ready, 1);
    assert_int_equal(totals->leased, 1);
    assert_int_equal(totals->workers, 2);
    assert_int_equal(totals->producers, 1);
    assert_int_equal(totals->uptime_ms, 300);
    story_close(&story, W2);
    story_pass(&story, 500);
    story_query(&story, P1, QUERY_LANES, 0);
    assert_int_equal(story.out->sends[0].message.u.answer.lanes->workers, 1);
    story_end(&story);
}

static void more_kinds_of_workers_than_profiles_are_refused_until_one_is_gone(void **state)
{
    (void)state;
    struct story story;
    start(&story);
    for (uint32_t at = 0; at <= PROFILES_MAX; at++) {
        char text[] = {'n', (char)('a' + at / 26), (char)('a' + at % 26), '\0'};
        struct bytes names[] = {bytes_text(text)}, queues[] = {bytes_text("default")};
        struct message message = {.kind = MESSAGE_HELLO};
        message.u.hello = (struct message_hello){.role = ROLE_WORKER,
                                                 .node = crowd_node(at),
                                                 .names = names,
                                                 .queues = queues,
                                                 .name_count = 1,
                                                 .queue_count = 1};
        struct ventilator_event event = {
            .kind = VENTILATOR_MESSAGE, .link = 5000 + at, .message = &message};
        story_step(&story, &event);
        if (at < PROFILES_MAX) {
            assert_int_equal(story.out->sends[0].message.kind, MESSAGE_WELCOME);
            continue;
        }
        assert_int_equal(story.out->sends[0].message.kind, MESSAGE_REFUSE);
        assert_int_equal(story.out->sends[0].message.u.refuse.reason, REASON_BUSY);
        assert_int_equal(story.ventilator->peers.nodes.count, PROFILES_MAX);
        story_step(&story, &(struct ventilator_event){.kind = VENTILATOR_CLOSED, .link = 5000});
        story.now_ns += SECOND / 2;
        story_turn(&story);
        story_step(&story, &event);
        assert_int_equal(story.out->sends[0].message.kind, MESSAGE_WELCOME);
    }
    ventilator_check_tables(story.ventilator, CHECK_SETTLED);
    story_end(&story);
}

/* A worker of the crowd takes two tasks, and says that one of them has not begun. */
static void fill_one(struct story *story, uint32_t number)
{
    struct bytes names[] = {bytes_text("t")}, queues[] = {bytes_text("default")};
    struct message message = {.kind = MESSAGE_HELLO};
    message.u.hello = (struct message_hello){.role = ROLE_WORKER,
                                             .minor = MESSAGE_VERSION_MINOR,
                                             .node = crowd_node(number),
                                             .slots = 1,
                                             .names = names,
                                             .queues = queues,
                                             .name_count = 1,
                                             .queue_count = 1};
    struct ventilator_event event = {
        .kind = VENTILATOR_MESSAGE, .link = 5000 + number, .message = &message};
    story_step(story, &event);
    message =
        (struct message){.kind = MESSAGE_CREDIT, .session = story->out->sends[0].message.session};
    message.sequence = 1;
    message.u.credit = (struct message_credit){.tasks = 2, .bytes = 1000};
    story_step(story, &event);
    story_submit(story, P1, (char[]){(char)('A' + 2 * number), (char)('B' + 2 * number), '\0'});
    message.kind = MESSAGE_HEARTBEAT;
    message.sequence = 2;
    message.u.heartbeat = (struct message_heartbeat){.held = 2, .running = 1};
    story_step(story, &event);
}

static void workers_that_went_silent_are_in_nobodys_way_when_tasks_are_asked_back(void **state)
{
    (void)state;
    struct story story;
    start(&story);
    story_hello(&story, P1);
    story.peers[W1].slots = story.peers[W2].slots = 1;
    story_hello(&story, W1);
    story_credit(&story, W1, 2);
    story_submit(&story, P1, "YZ");
    story.peers[W1].beat = (struct message_heartbeat){.held = 2, .running = 1};
    for (uint32_t number = 0; number < 12; number++) fill_one(&story, number);
    story_pass(&story, 2500); /* the others are suspect now, and not given up */
    story_hello(&story, W2);
    story_credit(&story, W2, 1);
    story_pass(&story, 600);
    assert_non_null(strstr(story.trace, "> w1 recall Z/1\n"));
    story_end(&story);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_thousand_peers_lost_at_once_are_cleared_away_in_parts),
        cmocka_unit_test(one_that_is_idle_is_found_among_a_thousand_that_are_not),
        cmocka_unit_test(one_that_serves_other_names_is_found_too),
        cmocka_unit_test(a_connection_more_than_there_are_descriptors_for_is_refused),
        cmocka_unit_test(work_that_could_not_be_sent_yet_is_taken_back_in_order),
        cmocka_unit_test(stop_says_bye_to_two_thousand_in_parts),
        cmocka_unit_test(status_comes_in_pages),
        cmocka_unit_test(status_tells_of_lanes_workers_and_totals),
        cmocka_unit_test(more_kinds_of_workers_than_profiles_are_refused_until_one_is_gone),
        cmocka_unit_test(workers_that_went_silent_are_in_nobodys_way_when_tasks_are_asked_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
