/* ventilator_bulk.c - many tasks: every step is bounded, and what a TURN cannot
 * say at once it says in the next.  Many peers are in ventilator_crowd.c. */
#include "ventilator_story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

enum { TASKS = 20000 };

static void start(struct story *story)
{
    struct ventilator_options options = story_options();
    options.tasks_max = 30000;
    options.ended_max = 30000;
    options.store_bytes_max = 64 * 1024 * 1024;
    story_start_with(story, &options);
    story->check.is_shallow = true;
}

static struct id numbered(uint32_t number)
{
    struct id id = {.octets = {9, 0, 0, 0, (uint8_t)(number >> 24), (uint8_t)(number >> 16),
                               (uint8_t)(number >> 8), (uint8_t)number}};
    return id;
}

static void submit_many(struct story *story, uint32_t count, uint32_t flags)
{
    struct submission *items = calloc(MESSAGE_ITEMS_MAX, sizeof *items);
    for (uint32_t from = 0; from < count; from += MESSAGE_ITEMS_MAX) {
        uint32_t batch = count - from < MESSAGE_ITEMS_MAX ? count - from : MESSAGE_ITEMS_MAX;
        for (uint32_t at = 0; at < batch; at++) {
            items[at] = story->task;
            items[at].id = numbered(from + at);
            items[at].flags = flags;
        }
        struct message message = {.kind = MESSAGE_SUBMIT};
        message.u.submit = (struct message_submit){.batch = 1, .items = items, .count = batch};
        story_tell(story, P1, message);
    }
    free(items);
}

/* The leases that WORK brought, over any number of turns. */
struct harvest {
    struct lease *leases;
    uint32_t count, turns, messages;
};

static void harvest_turns(struct story *story, struct harvest *harvest)
{
    do {
        story_step(story, &(struct ventilator_event){.kind = VENTILATOR_TURN});
        harvest->turns++;
        assert_true(harvest->turns < 1000);
        for (uint32_t at = 0; at < story->out->send_count; at++) {
            const struct message *message = &story->out->sends[at].message;
            if (message->kind != MESSAGE_WORK) continue;
            harvest->messages++;
            for (uint32_t item = 0; item < message->u.work.count; item++) {
                harvest->leases[harvest->count++] = message->u.work.items[item].lease;
            }
        }
    } while (story->out->more);
    ventilator_check_tables(story->ventilator, CHECK_SETTLED);
}

static void complete_many(struct story *story, const struct harvest *harvest)
{
    struct completion *items = calloc(MESSAGE_ITEMS_MAX, sizeof *items);
    for (uint32_t from = 0; from < harvest->count; from += MESSAGE_ITEMS_MAX) {
        uint32_t left = harvest->count - from;
        uint32_t batch = left < MESSAGE_ITEMS_MAX ? left : MESSAGE_ITEMS_MAX;
        for (uint32_t at = 0; at < batch; at++) {
            items[at] = story->run;
            items[at].lease = harvest->leases[from + at];
        }
        struct message message = {.kind = MESSAGE_COMPLETE};
        message.u.complete = (struct message_complete){.items = items, .count = batch};
        story_tell(story, W1, message);
    }
    free(items);
}

static void twenty_thousand_tasks_go_through_a_bounded_step_at_a_time(void **state)
{
    (void)state;
    struct story story;
    start(&story);
    story_hello(&story, P1);
    story_hello(&story, W1);
    story_credit(&story, W1, TASKS);
    submit_many(&story, TASKS, SUBMISSION_WANTS_RESULT);
    struct harvest harvest = {.leases = calloc(TASKS, sizeof *harvest.leases)};
    harvest_turns(&story, &harvest);
    assert_int_equal(harvest.count, TASKS);
    assert_in_range(harvest.turns, 5, 7);
    for (uint32_t at = 0; at < TASKS; at++) { /* in order */
        struct id id = numbered(at);
        assert_true(id_equal(&harvest.leases[at].id, &id));
    }
    story.run.result = bytes_text("r");
    complete_many(&story, &harvest);
    uint32_t turns = story_turn(&story);
    assert_in_range(turns, 2, 3); /* a window of results */
    assert_int_equal(story_totals(&story).done, TASKS);
    assert_int_equal(ventilator_open_count(story.ventilator), TASKS);
    for (uint32_t window = 8192; window < TASKS + 8192; window += 8192) {
        story_receipt(&story, P1);
        uint32_t left = window < TASKS ? TASKS - window : 0;
        assert_int_equal(ventilator_open_count(story.ventilator), left);
    }
    assert_true(story_totals(&story).store_bytes < 1024); /* two labels */
    ventilator_check_tables(story.ventilator, CHECK_SETTLED);
    free(harvest.leases);
    story_end(&story);
}

static void large_payloads_leave_in_messages_of_bounded_size(void **state)
{
    (void)state;
    enum { LARGE = 100 * 1024, COUNT = 400 };
    struct story story;
    start(&story);
    char *payload = calloc(1, LARGE);
    story.task.payload = bytes_of(payload, LARGE);
    story_hello(&story, P1);
    story_hello(&story, W1);
    story_credit(&story, W1, COUNT);
    submit_many(&story, COUNT, 0);
    struct harvest harvest = {.leases = calloc(COUNT, sizeof *harvest.leases)};
    harvest_turns(&story, &harvest);
    assert_int_equal(harvest.count, COUNT);
    assert_int_equal(harvest.messages, (COUNT + 2) / 3); /* three reach a quarter MiB */
    complete_many(&story, &harvest);
    story_turn(&story);
    free(harvest.leases);
    free(payload);
    story_end(&story);
}

static void the_window_of_results_is_bounded_in_number_too(void **state)
{
    (void)state;
    enum { WINDOW = 8192, COUNT = WINDOW + 1000 };
    struct ventilator_options options = story_options();
    options.tasks_max = options.ended_max = COUNT;
    options.store_bytes_max = 64 * 1024 * 1024;
    struct story story;
    story_start_with(&story, &options);
    story.check.is_shallow = true;
    story_hello(&story, P1);
    story_hello(&story, W1);
    story_credit(&story, W1, COUNT);
    submit_many(&story, COUNT, SUBMISSION_WANTS_RESULT);
    struct harvest harvest = {.leases = calloc(COUNT, sizeof *harvest.leases)};
    harvest_turns(&story, &harvest);
    complete_many(&story, &harvest);
    story_turn(&story);
    const struct peer *producer = &story.ventilator->peers.peers[0];
    assert_int_equal(producer->unreceipted.count, WINDOW);
    assert_int_equal(producer->results.count, COUNT - WINDOW);
    story_receipt(&story, P1);
    assert_int_equal(producer->unreceipted.count, COUNT - WINDOW);
    story_receipt(&story, P1);
    assert_int_equal(ventilator_open_count(story.ventilator), 0);
    free(harvest.leases);
    story_end(&story);
}

/* W1 with leases of 16,384 tasks. */
static void lease_many(struct story *story)
{
    story_hello(story, P1);
    story_hello(story, W1);
    story_credit(story, W1, 16384);
    submit_many(story, 16384, 0);
    struct harvest harvest = {.leases = calloc(16384, sizeof *harvest.leases)};
    harvest_turns(story, &harvest);
    assert_int_equal(harvest.count, 16384);
    free(harvest.leases);
}

static void a_worker_lost_with_sixteen_thousand_leases_gives_them_back_in_parts(void **state)
{
    (void)state;
    struct story story;
    start(&story);
    lease_many(&story);
    story_close(&story, W1);
    story.now_ns += SECOND / 2;
    assert_in_range(story_turn(&story), 8, 10);
    ventilator_check_tables(story.ventilator, CHECK_SETTLED);
    assert_int_equal(story_totals(&story).requeued, 16384);
    story_hello(&story, W2);
    struct message credit = {.kind = MESSAGE_CREDIT};
    credit.u.credit = (struct message_credit){.tasks = 16384, .bytes = UINT64_MAX};
    story_tell(&story, W2, credit);
    struct harvest harvest = {.leases = calloc(16384, sizeof *harvest.leases)};
    harvest_turns(&story, &harvest);
    for (uint32_t at = 0; at < 16384; at++) { /* still in order */
        struct id id = numbered(at);
        assert_true(id_equal(&harvest.leases[at].id, &id));
    }
    free(harvest.leases);
    story_end(&story);
}

static void a_worker_back_without_its_leases_gives_them_back_in_parts(void **state)
{
    (void)state;
    struct story story;
    start(&story);
    lease_many(&story);
    story.peers[W1].held_count = 0;
    story_greet(&story, W1);
    assert_in_range(story_turn(&story), 8, 10);
    ventilator_check_tables(story.ventilator, CHECK_SETTLED);
    assert_int_equal(story_totals(&story).returned, 16384);
    story_end(&story);
}

static void results_of_a_producer_that_left_are_dropped_in_parts(void **state)
{
    (void)state;
    struct story story;
    start(&story);
    story_hello(&story, P1);
    story_hello(&story, W1);
    story_credit(&story, W1, 10000);
    submit_many(&story, 10000, SUBMISSION_WANTS_RESULT);
    struct harvest harvest = {.leases = calloc(10000, sizeof *harvest.leases)};
    harvest_turns(&story, &harvest);
    complete_many(&story, &harvest);
    story_turn(&story);
    story_tell(&story, P1, (struct message){.kind = MESSAGE_BYE});
    story_silence(&story, P1);
    assert_int_equal(ventilator_open_count(story.ventilator), 10000);
    assert_in_range(story_turn(&story), 5, 7);
    assert_int_equal(ventilator_open_count(story.ventilator), 0);
    free(harvest.leases);
    story_end(&story);
}

static void a_node_that_is_back_while_it_is_cleared_away_is_told_to_wait(void **state)
{
    (void)state;
    struct story story;
    start(&story);
    lease_many(&story);
    story_close(&story, W1);
    story.now_ns += SECOND / 2;
    story_step(&story, &(struct ventilator_event){.kind = VENTILATOR_TURN});
    assert_true(story.out->more);
    story_clear(&story);
    story.peers[W1].held_count = 0;
    story_hello(&story, W1); /* ends with turns until all is done */
    assert_non_null(strstr(story.trace, "[  500] > w1 refuse busy\n"));
    story_clear(&story);
    story_hello(&story, W1);
    story_expect(&story, "[  500] w1 opened\n"
                         "[  500] > w1 welcome\n");
    story_end(&story);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(twenty_thousand_tasks_go_through_a_bounded_step_at_a_time),
        cmocka_unit_test(large_payloads_leave_in_messages_of_bounded_size),
        cmocka_unit_test(the_window_of_results_is_bounded_in_number_too),
        cmocka_unit_test(a_worker_lost_with_sixteen_thousand_leases_gives_them_back_in_parts),
        cmocka_unit_test(a_worker_back_without_its_leases_gives_them_back_in_parts),
        cmocka_unit_test(results_of_a_producer_that_left_are_dropped_in_parts),
        cmocka_unit_test(a_node_that_is_back_while_it_is_cleared_away_is_told_to_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
