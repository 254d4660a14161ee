/* ventilator_cancel.c - tasks that nobody wants any more end, wherever they are. */
#include "ventilator_story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

static void begin(struct story *story)
{
    story_start(story);
    story_hello(story, P1);
    story_clear(story);
}

static void begin_with_journal(struct story *story)
{
    const struct ventilator_options options = story_journalled();
    story_start_with(story, &options);
    story_hello(story, P1);
    story_clear(story);
}

static void cancel(struct story *story, uint32_t peer, const char *letters)
{
    (void)story_dispose(story, peer, DISPOSAL_CANCEL, letters);
}

static void a_task_in_line_is_never_given_to_a_worker(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    uint64_t bytes = story.ventilator->store.bytes_used;
    story.task.payload = bytes_text("payload");
    story_submit(&story, P1, "aB");
    story_clear(&story);
    cancel(&story, P1, "aB");
    story_turn(&story);
    story_expect(&story, "[    0] ended a/0 cancelled cancelled\n"
                         "[    0] ended B/0 cancelled cancelled\n"
                         "[    0] > p1 disposed 2\n"
                         "[    0] > p1 result a/0 cancelled cancelled\n");
    story_receipt(&story, P1);
    assert_int_equal(story.ventilator->store.bytes_used, bytes);
    story_hello(&story, W1);
    story_credit(&story, W1, 10);
    story_expect(&story, "[    0] w1 opened\n"
                         "[    0] > w1 welcome\n");
    assert_int_equal(story_totals(&story).cancelled, 2);
    assert_int_equal(story_totals(&story).dead_letters, 0);
    assert_int_equal(ventilator_open_count(story.ventilator), 0);
    story_end(&story);
}

static void a_task_that_waits_for_its_next_attempt_gets_none(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story_hello(&story, W1);
    story_credit(&story, W1, 10);
    story_submit(&story, P1, "a");
    story.run.retry_after_ms = 1000;
    story.run.text = bytes_text("no route");
    story_complete(&story, W1, "a", OUTCOME_FAILED);
    story_clear(&story);
    cancel(&story, P1, "a");
    story_turn(&story);
    story_pass(&story, 2000);
    story_expect(&story, "[    0] ended a/1 cancelled cancelled\n"
                         "[    0] > p1 disposed 1\n"
                         "[    0] > p1 result a/1 cancelled cancelled \"no route\"\n");
    story_end(&story);
}

static void a_worker_is_told_once_of_all_that_it_loses(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story_hello(&story, W1);
    story_hello(&story, W2);
    story_credit(&story, W1, 3);
    story_submit(&story, P1, "ABC");
    story_credit(&story, W2, 1);
    story_submit(&story, P1, "D");
    struct story_peer before = story.peers[W1];
    story_clear(&story);
    cancel(&story, P1, "A");
    cancel(&story, P1, "DC");
    story_expect(&story, "[    0] ended A/1 w1 cancelled cancelled\n"
                         "[    0] > p1 disposed 1\n"
                         "[    0] ended D/1 w2 cancelled cancelled\n"
                         "[    0] ended C/1 w1 cancelled cancelled\n"
                         "[    0] > p1 disposed 2\n");
    story_turn(&story);
    story_expect(&story, "[    0] > w1 revoke C/1 A/1\n"
                         "[    0] > w2 revoke D/1\n");
    memcpy(story.peers[W1].held, before.held, sizeof before.held);
    story.peers[W1].held_count = before.held_count;
    story_complete(&story, W1, "AB", OUTCOME_DONE); /* said before it was told */
    story_expect(&story, "[    0] stale A/1 w1\n"
                         "[    0] ended B/1 w1 done\n"
                         "[    0] > w1 receipt 2\n");
    story_end(&story);
}

static void a_worker_of_before_is_not_told_and_its_completion_is_refused(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story.peers[W1].minor = 1;
    story_hello(&story, W1);
    story_credit(&story, W1, 1);
    story_submit(&story, P1, "A");
    story_clear(&story);
    cancel(&story, P1, "A");
    story_turn(&story);
    story_complete(&story, W1, "A", OUTCOME_DONE);
    story_expect(&story, "[    0] ended A/1 w1 cancelled cancelled\n"
                         "[    0] > p1 disposed 1\n"
                         "[    0] stale A/1 w1\n"
                         "[    0] > w1 receipt 2\n");
    story_end(&story);
}

static void what_cannot_be_cancelled_is_told(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story_hello(&story, W1);
    story_credit(&story, W1, 3);
    story_submit(&story, P1, "ABC");
    story_complete(&story, W1, "A", OUTCOME_DONE);
    story_complete(&story, W1, "B", OUTCOME_PERMANENT);
    cancel(&story, P1, "C");
    story_turn(&story);
    story_clear(&story);
    cancel(&story, P1, "ABCX");
    story_turn(&story);
    story_expect(&story, "[    0] > p1 disposed 1 but 0 ended but 1 ended but 3 no task\n");
    assert_int_equal(story_totals(&story).cancelled, 1);
    assert_int_equal(story_totals(&story).dead_letters, 1);
    story_end(&story);
}

static void a_ventilator_that_drains_still_cancels(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story_submit(&story, P1, "A");
    story_step(&story, &(struct ventilator_event){.kind = VENTILATOR_DRAIN});
    story_clear(&story);
    cancel(&story, P1, "A");
    story_turn(&story);
    story_expect(&story, "[    0] ended A/0 cancelled cancelled\n"
                         "[    0] > p1 disposed 1\n");
    assert_int_equal(ventilator_open_count(story.ventilator), 0);
    story_end(&story);
}

static void a_worker_that_is_away_learns_of_it_when_it_is_back(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story_hello(&story, W1);
    story_credit(&story, W1, 2);
    story_submit(&story, P1, "AB");
    story_close(&story, W1);
    story_clear(&story);
    cancel(&story, P1, "A");
    story_turn(&story);
    story_hello(&story, W1);
    story_expect(&story, "[    0] ended A/1 w1 cancelled cancelled\n"
                         "[    0] > p1 disposed 1\n"
                         "[    0] w1 resumed\n"
                         "[    0] > w1 welcome but A/1\n");
    story_complete(&story, W1, "B", OUTCOME_DONE);
    story_end(&story);
}

static void what_was_to_be_told_goes_with_the_session(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story_hello(&story, W1);
    story_credit(&story, W1, 2);
    story_submit(&story, P1, "AB");
    story_clear(&story);
    cancel(&story, P1, "A");
    story_close(&story, W1); /* in the same turn */
    story_hello(&story, W1);
    story_expect(&story, "[    0] ended A/1 w1 cancelled cancelled\n"
                         "[    0] > p1 disposed 1\n"
                         "[    0] w1 closed\n"
                         "[    0] w1 resumed\n"
                         "[    0] > w1 welcome but A/1\n");
    assert_int_equal(story.ventilator->revokes.count, 0);
    story_end(&story);
}

static void a_silent_worker_is_told_when_it_is_heard_again(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story_hello(&story, W1);
    story_credit(&story, W1, 1);
    story_submit(&story, P1, "A");
    story_silence(&story, W1);
    story_pass(&story, 2500);
    story_clear(&story);
    cancel(&story, P1, "A");
    story_turn(&story);
    story_expect(&story, "[ 2500] ended A/1 w1 cancelled cancelled\n"
                         "[ 2500] > p1 disposed 1\n");
    story_say(&story, W1, (struct message){.kind = MESSAGE_HEARTBEAT});
    story_expect(&story, "[ 2500] > w1 revoke A/1\n");
    story_end(&story);
}

static void a_lease_that_never_left_costs_no_credit(void **state)
{
    (void)state;
    enum { BATCHES = VENTILATOR_SENDS_MAX + 1 };
    struct story story;
    begin_with_journal(&story);
    story_hello(&story, W1);
    for (uint32_t batch = 0; batch < BATCHES; batch++) story_submit(&story, P1, "AB");
    story.peers[W1].tasks = 1;
    struct message credit = {.kind = MESSAGE_CREDIT};
    credit.u.credit = (struct message_credit){.tasks = 1, .bytes = UINT64_MAX};
    story_tell(&story, W1, credit);
    uint64_t last = entry_log_last(&story.log);
    entry_log_sync(&story.log, last);
    story_step(&story, &(struct ventilator_event){.kind = VENTILATOR_DURABLE, .durable_lsn = last});
    story_step(&story, &(struct ventilator_event){.kind = VENTILATOR_TURN});
    assert_int_equal(story.out->send_count, VENTILATOR_SENDS_MAX); /* so that WORK has to wait */
    assert_int_equal(story_totals(&story).leased, 1);
    story_clear(&story);
    cancel(&story, P1, "A");
    story_turn(&story);
    assert_null(strstr(story.trace, "revoke"));
    assert_null(strstr(story.trace, "work A"));
    assert_non_null(strstr(story.trace, "> w1 work B/1\n"));
    story_end(&story);
}

static void nothing_is_answered_before_it_is_durable(void **state)
{
    (void)state;
    struct story story;
    begin_with_journal(&story);
    story_submit(&story, P1, "a");
    story_sync(&story);
    story_clear(&story);
    cancel(&story, P1, "a");
    story_turn(&story);
    cancel(&story, P1, "a"); /* and what it was already is no more durable than that */
    story_turn(&story);
    story_expect(&story, "[    0] ended a/0 cancelled cancelled\n");
    story_sync(&story);
    story_expect(&story, "[    0] > p1 disposed 1\n"
                         "[    0] > p1 disposed 1\n"
                         "[    0] > p1 result a/0 cancelled cancelled\n");
    story_end(&story);
}

static void a_cancel_that_was_lost_in_a_crash_was_not_answered(void **state)
{
    (void)state;
    struct story story;
    begin_with_journal(&story);
    story_submit(&story, P1, "a");
    story_sync(&story);
    cancel(&story, P1, "a");
    story_turn(&story);
    story_clear(&story);
    story_restart(&story, 10);
    story_hello(&story, P1);
    story_expect(&story, "[   10] restored a/0 ready\n"
                         "[   10] p1 resumed\n"
                         "[   10] > p1 welcome\n");
    cancel(&story, P1, "a");
    story_sync(&story);
    story_expect(&story, "[   10] ended a/0 cancelled cancelled\n"
                         "[   10] > p1 disposed 1\n"
                         "[   10] > p1 result a/0 cancelled cancelled\n");
    story_end(&story);
}

/* While every worker is away; one of them had begun `a`. */
static void nothing_cancelled_runs_after_a_restart(void **state)
{
    (void)state;
    struct story story;
    begin_with_journal(&story);
    story_hello(&story, W1);
    story_credit(&story, W1, 1);
    story_submit(&story, P1, "abC");
    story_sync(&story);
    story_close(&story, W1);
    cancel(&story, P1, "abC");
    story_sync(&story);
    story_clear(&story);
    story_restart(&story, 10);
    story_expect(&story, "[   10] restored a/1 cancelled cancelled\n"
                         "[   10] restored b/0 cancelled cancelled\n"
                         "[   10] restored C/0 cancelled cancelled\n");
    story_hello(&story, W1);
    story_credit(&story, W1, 10);
    story_hello(&story, W2);
    story_credit(&story, W2, 10);
    story_expect(&story, "[   10] w1 opened\n"
                         "[   10] > w1 welcome but a/1\n"
                         "[   10] w2 opened\n"
                         "[   10] > w2 welcome\n");
    story_hello(&story, P1);
    story_expect(&story, "[   10] p1 resumed\n"
                         "[   10] > p1 welcome\n"
                         "[   10] > p1 result a/1 cancelled cancelled, b/0 cancelled cancelled\n");
    story_receipt(&story, P1);
    story_sync(&story);
    story_clear(&story);
    story_restart(&story, 10); /* and again, from what is left of it */
    story_hello(&story, W1);
    story_credit(&story, W1, 10);
    story_pass(&story, 5000);
    assert_null(strstr(story.trace, "work"));
    assert_int_equal(ventilator_open_count(story.ventilator), 0);
    story_end(&story);
}

static void whoever_submits_it_again_hears_that_it_was_cancelled(void **state)
{
    (void)state;
    struct story story;
    begin_with_journal(&story);
    story_hello(&story, P2);
    story_submit(&story, P1, "a");
    cancel(&story, P2, "a");
    story_sync(&story);
    story_receipt(&story, P1);
    story_sync(&story);
    story_clear(&story);
    story_submit(&story, P1, "a");
    story_sync(&story);
    story_expect(&story, "[    0] duplicate a/0\n"
                         "[    0] > p1 result a/0 cancelled cancelled\n"
                         "[    0] > p1 accept 2\n");
    story_restart(&story, 10);
    story_hello(&story, P2);
    story_clear(&story);
    story_submit(&story, P2, "a");
    story_sync(&story);
    story_expect(&story, "[   10] duplicate a/0\n"
                         "[   10] > p2 result a/0 cancelled cancelled\n"
                         "[   10] > p2 accept 1\n");
    story_end(&story);
}

static struct id numbered(uint32_t number)
{
    struct id id = {.octets = {3}};
    memcpy(id.octets + 12, &number, sizeof number);
    return id;
}

static void more_than_can_be_told_in_one_turn_is_put_off(void **state)
{
    (void)state;
    enum { TASKS = VENTILATOR_REVOKES_MAX + 1, PAGE = MESSAGE_LETTERS_MAX };
    static struct submission items[MESSAGE_ITEMS_MAX];
    static struct id ids[PAGE];
    static struct story story;
    struct ventilator_options options = story_options();
    options.tasks_max = options.ended_max = 2 * TASKS;
    options.store_bytes_max = 64 * 1024 * 1024;
    story_start_with(&story, &options);
    story.check.is_shallow = true;
    story_hello(&story, P1);
    story_hello(&story, W1);
    story_credit(&story, W1, TASKS);
    for (uint32_t first = 0; first < TASKS; first += MESSAGE_ITEMS_MAX) {
        uint32_t count = TASKS - first < MESSAGE_ITEMS_MAX ? TASKS - first : MESSAGE_ITEMS_MAX;
        for (uint32_t at = 0; at < count; at++) {
            items[at] = story.task;
            items[at].id = numbered(first + at);
        }
        struct message message = {.kind = MESSAGE_SUBMIT};
        message.u.submit = (struct message_submit){
            .batch = ++story.peers[P1].batch, .items = items, .count = count};
        story_say(&story, P1, message);
    }
    assert_int_equal(story_totals(&story).leased, TASKS);
    uint32_t refused = 0;
    for (uint32_t first = 0; first < TASKS; first += PAGE) {
        uint32_t count = TASKS - first < PAGE ? TASKS - first : PAGE;
        for (uint32_t at = 0; at < count; at++) ids[at] = numbered(first + at);
        struct message message = {.kind = MESSAGE_DISPOSE};
        message.u.dispose =
            (struct message_dispose){.disposal = DISPOSAL_CANCEL, .ids = ids, .count = count};
        story_tell(&story, P1, message);
        const struct message_disposed *answer = &story.out->sends[0].message.u.disposed;
        refused += answer->count;
        for (uint32_t at = 0; at < answer->count; at++) {
            assert_int_equal(answer->rejections[at].reason, REASON_BUSY);
        }
    }
    assert_int_equal(refused, 1);
    story.peers[W1].held_count = 0;
    uint32_t told = 0;
    do {
        ventilator_step(story.ventilator,
                        &(struct ventilator_event){.kind = VENTILATOR_TURN, .now_ns = story.now_ns},
                        story.out);
        for (uint32_t at = 0; at < story.out->send_count; at++) {
            assert_int_equal(story.out->sends[at].message.kind, MESSAGE_REVOKE);
            told += story.out->sends[at].message.u.revoke.count;
        }
    } while (story.out->more);
    assert_int_equal(told, VENTILATOR_REVOKES_MAX);
    assert_int_equal(story_totals(&story).leased, 1);
    ventilator_check_tables(story.ventilator, CHECK_SETTLED);
    ventilator_check_end(&story.check);
    entry_log_end(&story.log);
    free(story.memory);
    free(story.out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_task_in_line_is_never_given_to_a_worker),
        cmocka_unit_test(a_task_that_waits_for_its_next_attempt_gets_none),
        cmocka_unit_test(a_worker_is_told_once_of_all_that_it_loses),
        cmocka_unit_test(a_worker_of_before_is_not_told_and_its_completion_is_refused),
        cmocka_unit_test(what_cannot_be_cancelled_is_told),
        cmocka_unit_test(a_ventilator_that_drains_still_cancels),
        cmocka_unit_test(a_worker_that_is_away_learns_of_it_when_it_is_back),
        cmocka_unit_test(what_was_to_be_told_goes_with_the_session),
        cmocka_unit_test(a_silent_worker_is_told_when_it_is_heard_again),
        cmocka_unit_test(a_lease_that_never_left_costs_no_credit),
        cmocka_unit_test(nothing_is_answered_before_it_is_durable),
        cmocka_unit_test(a_cancel_that_was_lost_in_a_crash_was_not_answered),
        cmocka_unit_test(nothing_cancelled_runs_after_a_restart),
        cmocka_unit_test(whoever_submits_it_again_hears_that_it_was_cancelled),
        cmocka_unit_test(more_than_can_be_told_in_one_turn_is_put_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
