/* ventilator_journal.c - what is promised only when it is durable, and what a restart remembers. */
#include "ventilator_story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void begin(struct story *story)
{
    struct ventilator_options options = story_journalled();
    story_start_served(story, &options, 100000);
}

static void a_batch_is_accepted_when_it_is_durable_and_runs_before(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story_submit(&story, P1, "a");
    story_expect(&story, "[    0] accepted a/0\n"
                         "[    0] leased a/1 w1\n"
                         "[    0] > w1 work a/1\n");
    story_sync(&story);
    story_expect(&story, "[    0] > p1 accept 1\n");
    story_end(&story);
}

static void a_batch_that_brings_nothing_new_waits_for_what_it_repeats(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story_submit(&story, P1, "A");
    story_submit(&story, P1, "A");
    story_clear(&story);
    story_sync(&story);
    story_expect(&story, "[    0] > p1 accept 1\n[    0] > p1 accept 2\n");
    story_submit(&story, P1, "A");
    story_expect(&story, "[    0] duplicate A/1\n[    0] > p1 accept 3\n");
    story_end(&story);
}

static void rejections_wait_with_their_batch(void **state)
{
    (void)state;
    struct ventilator_options options = story_journalled();
    options.tasks_max = 2;
    struct story story;
    story_start_served(&story, &options, 100000);
    story_submit(&story, P1, "ABC");
    story_submit(&story, P1, "D");
    story_clear(&story);
    story_sync(&story);
    story_expect(&story, "[    0] > p1 accept 1 but 2 busy\n[    0] > p1 accept 2 but 0 busy\n");
    story_end(&story);
}

static void receipt_and_result_wait_for_the_end_they_tell(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story_submit(&story, P1, "a");
    story_sync(&story);
    story_clear(&story);
    story_complete(&story, W1, "a", OUTCOME_DONE);
    story_expect(&story, "[    0] ended a/1 w1 done\n");
    story_sync(&story);
    story_expect(&story, "[    0] > w1 receipt 2\n[    0] > p1 result a/1 done\n");
    story_receipt(&story, P1);
    story_end(&story);
}

/* Syncs what was appended when the last one began, as a busy disk does. */
static void sync_through(struct story *story, uint64_t lsn)
{
    entry_log_sync(&story->log, lsn);
    story_step(story, &(struct ventilator_event){.kind = VENTILATOR_DURABLE, .durable_lsn = lsn});
}

static void a_worker_that_never_pauses_gets_its_receipts(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story_submit(&story, P1, "ABCDEFGH");
    story_sync(&story);
    story_clear(&story);
    const char *letters = "ABCDEFGH";
    uint64_t pushed = 0;
    for (uint32_t at = 0; at < 8; at++) {
        /* The disk is always one completion behind. */
        if (pushed > 0) sync_through(&story, pushed);
        story_complete(&story, W1, (char[]){letters[at], '\0'}, OUTCOME_DONE);
        pushed = entry_log_last(&story.log);
    }
    assert_non_null(strstr(story.trace, "> w1 receipt 2\n"));
    assert_non_null(strstr(story.trace, "> w1 receipt 7\n"));
    story_sync(&story);
    assert_non_null(strstr(story.trace, "> w1 receipt 9\n"));
    story_end(&story);
}

static void what_was_not_durable_is_gone_and_was_promised_to_nobody(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story_submit(&story, P1, "a");
    story_sync(&story);
    story_submit(&story, P1, "b");
    story_clear(&story);
    story_restart(&story, 100);
    story_expect(&story, "[  100] restored a/1 waiting\n");
    story_hello(&story, W1);
    story_hello(&story, P1);
    story_expect(&story, "[  100] leased a/1 w1\n"
                         "[  100] w1 opened\n"
                         "[  100] > w1 welcome but b/1\n"
                         "[  100] p1 resumed\n"
                         "[  100] > p1 welcome\n");
    story_complete(&story, W1, "a", OUTCOME_DONE);
    story_sync(&story);
    story_expect(&story, "[  100] ended a/1 w1 done\n"
                         "[  100] > w1 receipt 1\n"
                         "[  100] > p1 result a/1 done\n");
    story_receipt(&story, P1);
    story_end(&story);
}

static void a_lease_whose_worker_stays_away_is_given_to_another(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story_submit(&story, P1, "a");
    story_sync(&story);
    story_restart(&story, 100);
    story_hello(&story, W2);
    story_credit(&story, W2, 10);
    story_submit(&story, P2, "");
    story_clear(&story);
    story_pass(&story, 4000);
    story_expect(&story, "[ 4100] ripe a/1\n"
                         "[ 4100] leased a/2 w2\n"
                         "[ 4100] > w2 work a/2\n");
    story_hello(&story, W1); /* back, and too late */
    story_expect(&story, "[ 4100] stale a/1 w1\n"
                         "[ 4100] w1 opened\n"
                         "[ 4100] > w1 welcome but a/1\n");
    story_sync(&story);
    story_restart(&story, 100);
    story_clear(&story);
    story_hello(&story, W2);
    story_expect(&story, "[ 4200] leased a/2 w2\n"
                         "[ 4200] w2 opened\n"
                         "[ 4200] > w2 welcome\n");
    story_end(&story);
}

static void ended_ids_and_unread_results_survive(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story.run.result = bytes_text("r");
    story_submit(&story, P1, "abC");
    story_complete(&story, W1, "aC", OUTCOME_DONE);
    story_sync(&story);
    story_receipt(&story, P1); /* of a */
    story_complete(&story, W1, "b", OUTCOME_DONE);
    story_sync(&story);
    story_restart(&story, 50);
    assert_int_equal(ventilator_open_count(story.ventilator), 1);
    story_hello(&story, P1);
    story_clear(&story);
    story_submit(&story, P1, "abC");
    story_expect(&story, "[   50] duplicate a/1\n"
                         "[   50] duplicate b/1\n"
                         "[   50] duplicate C/1\n"
                         "[   50] > p1 result a/1 done forgotten, b/1 done \"r\"\n");
    story_sync(&story);
    story_receipt(&story, P1);
    story_sync(&story);
    assert_int_equal(ventilator_open_count(story.ventilator), 0);
    story_restart(&story, 50);
    assert_int_equal(ventilator_open_count(story.ventilator), 0);
    assert_int_equal(story.ventilator->known.ended.count, 3);
    story_end(&story);
}

static void retries_and_dead_letters_survive_with_what_was_said(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story.task.payload = bytes_text("payload");
    story.run.text = bytes_text("no luck");
    story_submit(&story, P1, "AB");
    story.run.retry_after_ms = 5000;
    story_complete(&story, W1, "A", OUTCOME_FAILED);
    story_complete(&story, W1, "B", OUTCOME_PERMANENT);
    story_sync(&story);
    story_restart(&story, 0);
    const struct letters *letters = &story.ventilator->letters;
    assert_int_equal(letters->count, 1);
    const struct task *letter =
        &story.ventilator->tasks[letters->rows[letters_first(letters)].slot];
    assert_true(
        bytes_equal(store_get(&story.ventilator->store, letter->text), bytes_text("no luck")));
    assert_true(
        bytes_equal(store_get(&story.ventilator->store, letter->payload), bytes_text("payload")));
    assert_int_equal(letter->reason, REASON_PERMANENT);
    story_hello(&story, W1);
    story_credit(&story, W1, 10);
    story_clear(&story);
    story_pass(&story, 5000);
    story_expect(&story, "[ 5000] ripe A/1\n"
                         "[ 5000] leased A/2 w1\n"
                         "[ 5000] > w1 work A/2 \"payload\"\n");
    struct id id = story_id('A');
    const struct task *task = &story.ventilator->tasks[known_find(&story.ventilator->known, &id)];
    assert_int_equal(task->failures, 1);
    story_end(&story);
}

static void one_long_task_does_not_pin_the_journal(void **state)
{
    (void)state;
    struct ventilator_options options = story_journalled();
    options.journal_slack_bytes = 4096;
    options.tasks_max = 8;
    options.ended_max = 8;
    struct story story;
    story_start_served(&story, &options, 100000);
    story.check.is_shallow = true;
    story.task.payload = bytes_text("the long one's");
    story_submit(&story, P1, "z");
    story_sync(&story);
    story.task.payload = (struct bytes){NULL, 0};
    for (uint32_t round = 0; round < 400; round++) {
        story.journal_bytes = story.log.count * 100;
        char letter[] = {(char)('A' + round % 26), '\0'};
        story_pass(&story, 11);
        story_submit(&story, P1, letter);
        story_complete(&story, W1, letter, OUTCOME_DONE);
        story_sync(&story);
        story_clear(&story);
    }
    assert_true(story.log.count < 300);
    assert_true(story.log.released > 900);
    story_restart(&story, 10);
    story_hello(&story, W1);
    story_clear(&story);
    story_complete(&story, W1, "z", OUTCOME_DONE);
    assert_non_null(strstr(story.trace, "ended z/1 w1 done"));
    story_end(&story);
}

/* Of both nothing but their ids is left, and their entries have to make way. */
static void ids_of_tasks_that_ended_are_copied_forward(void **state)
{
    (void)state;
    struct ventilator_options options = story_journalled();
    options.journal_slack_bytes = 4096;
    struct story story;
    story_start_served(&story, &options, 100000);
    story.check.is_shallow = true;
    story_submit(&story, P1, "Y");
    story_complete(&story, W1, "Y", OUTCOME_DONE);
    story_submit(&story, P1, "Z");
    (void)story_dispose(&story, P1, DISPOSAL_CANCEL, "Z");
    story_sync(&story);
    uint64_t written = story.ventilator->appended_lsn;
    for (uint32_t round = 0; round < 40; round++) {
        story.journal_bytes = 1000000; /* far too much */
        story_pass(&story, 11);
        story_sync(&story);
        story_clear(&story);
    }
    assert_true(story.log.released > written);
    for (uint32_t life = 0; life < 2; life++) {
        story_restart(&story, 10);
        assert_non_null(strstr(story.trace, "restored Y/1 done\n"));
        assert_non_null(strstr(story.trace, "restored Z/1 cancelled cancelled\n"));
        assert_int_equal(story.ventilator->known.ended.count, 2);
        assert_int_equal(story.ventilator->slots.fresh, 1); /* used for one after the other */
    }
    story_hello(&story, P1);
    story_clear(&story);
    story_submit(&story, P1, "YZ");
    story_sync(&story);
    assert_non_null(strstr(story.trace, "duplicate Y/1\n"));
    assert_non_null(strstr(story.trace, "duplicate Z/1\n"));
    story_end(&story);
}

static void a_full_journal_takes_no_task_and_every_end(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story_submit(&story, P1, "A");
    story_sync(&story);
    story.journal_full = true;
    story_turn(&story);
    story_clear(&story);
    story_submit(&story, P1, "B");
    story_expect(&story, "[    0] rejected B/0 busy\n[    0] > p1 accept 2 but 0 busy\n");
    story_complete(&story, W1, "A", OUTCOME_DONE);
    story_sync(&story);
    story_expect(&story, "[    0] ended A/1 w1 done\n[    0] > w1 receipt 2\n");
    story.journal_full = false;
    story_turn(&story);
    story_submit(&story, P1, "B");
    story_sync(&story);
    assert_non_null(strstr(story.trace, "> p1 accept 3\n"));
    story_end(&story);
}

static void more_batches_than_may_wait_for_the_disk_are_put_off(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    for (uint32_t batch = 0; batch < VENTILATOR_ANSWERS_MAX; batch++) {
        story_submit(&story, P1, "A");
        story_clear(&story);
    }
    story_submit(&story, P1, "B");
    assert_non_null(strstr(story.trace, "but 0 busy\n"));
    story_sync(&story);
    assert_int_equal(story.ventilator->held.count, 0);
    story_submit(&story, P1, "B");
    story_clear(&story);
    story_sync(&story);
    assert_non_null(strstr(story.trace, "> p1 accept 4098\n"));
    story_end(&story);
}

static void a_producer_that_is_gone_for_good_costs_its_results_their_place(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story_submit(&story, P1, "a");
    story_complete(&story, W1, "a", OUTCOME_DONE);
    story_sync(&story);
    story_restart(&story, 0);
    assert_int_equal(ventilator_open_count(story.ventilator), 1);
    story_pass(&story, story.ventilator->options.absent_ns_max / MILLISECOND + 1);
    assert_int_equal(ventilator_open_count(story.ventilator), 0);
    story_sync(&story);
    story_restart(&story, 0);
    assert_int_equal(ventilator_open_count(story.ventilator), 0);
    assert_int_equal(story.ventilator->peers.nodes.count, 0);
    story_end(&story);
}

static void what_became_of_letters_and_each_tasks_policy_survive(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story.task.payload = bytes_text("payload");
    story.task.crashes_max = 1;
    story.task.backoff_ms = 1;
    story_submit(&story, P1, "ABC");
    story.task.backoff_ms = 1000000;
    story.task.backoff_ms_max = 2;
    story_submit(&story, P1, "D");
    story_complete(&story, W1, "ABC", OUTCOME_PERMANENT);
    story_sync(&story);
    const struct id retried[] = {story_id('A'), story_id('B')}, dropped = story_id('C');
    struct message message = {.kind = MESSAGE_DISPOSE};
    message.u.dispose =
        (struct message_dispose){.disposal = DISPOSAL_RETRY, .ids = retried, .count = 2};
    story_bye(&story, W1);
    story_say(&story, P1, message);
    message.u.dispose =
        (struct message_dispose){.disposal = DISPOSAL_DROP, .ids = &dropped, .count = 1};
    story_say(&story, P1, message);
    story_sync(&story);
    story_restart(&story, 0);
    assert_int_equal(story_totals(&story).ready, 3); /* D was given back */
    assert_int_equal(story.ventilator->letters.count, 0);
    assert_int_equal(story.ventilator->known.ended.count, 1);
    story_hello(&story, P1);
    story_hello(&story, W1);
    story_credit(&story, W1, 10);
    story_clear(&story);
    story_complete(&story, W1, "A", OUTCOME_FAILED);
    assert_true(story.delay_ns <= MILLISECOND);
    story_complete(&story, W1, "D", OUTCOME_FAILED);
    assert_true(story.delay_ns <= 2 * MILLISECOND);
    story_complete(&story, W1, "B", OUTCOME_CRASHED);
    assert_non_null(strstr(story.trace, "ended B/2 w1 dead crashes\n"));
    story_submit(&story, P1, "C");
    assert_non_null(strstr(story.trace, "duplicate C/1\n"));
    story_end(&story);
}

/* Or it would wait for ever for results that were given up in an earlier life. */
static void what_nobody_serves_waits_for_ever_and_through_restarts(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story_credit(&story, W1, 10); /* for other names */
    story.task.name = bytes_text("nobodys");
    story_submit(&story, P1, "A");
    story_sync(&story);
    for (uint32_t life = 0; life < 3; life++) {
        story_clear(&story);
        story_pass(&story, UINT64_C(4) * 3600 * 1000);
        assert_null(strstr(story.trace, "A/"));
        story_restart(&story, 1000);
        story_hello(&story, P1);
        story_hello(&story, W1);
        story_credit(&story, W1, 10);
    }
    story_query(&story, P1, QUERY_LANES, 0);
    const struct message_answer *answer = &story.out->sends[0].message.u.answer;
    assert_int_equal(answer->count, 1);
    assert_int_equal(answer->lanes[0].ready, 1);
    assert_int_equal(answer->lanes[0].workers, 0);
    story.peers[W2].names = "nobodys";
    story_hello(&story, W2);
    story_clear(&story);
    story_credit(&story, W2, 1);
    assert_non_null(strstr(story.trace, "> w2 work A/1\n"));
    story_end(&story);
}

static void a_producer_that_was_given_up_is_a_stranger_after_a_restart(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story_submit(&story, P1, "ab");
    story_complete(&story, W1, "a", OUTCOME_DONE);
    story_sync(&story);
    story_close(&story, P1);
    story_close(&story, W1);
    story_pass(&story, story.ventilator->options.absent_ns_max / MILLISECOND + 1000);
    story_sync(&story);
    story_restart(&story, 0); /* b is still open, and its first entry names its producer */
    assert_int_equal(story.ventilator->peers.nodes.count, 0);
    story_greet(&story, P1);
    assert_false(story.out->sends[0].message.u.welcome.known);
    story_submit(&story, P1, "b");
    story_sync(&story);
    story_restart(&story, 0);
    story_greet(&story, P1);
    assert_true(story.out->sends[0].message.u.welcome.known);
    story_end(&story);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_is_accepted_when_it_is_durable_and_runs_before),
        cmocka_unit_test(a_batch_that_brings_nothing_new_waits_for_what_it_repeats),
        cmocka_unit_test(rejections_wait_with_their_batch),
        cmocka_unit_test(receipt_and_result_wait_for_the_end_they_tell),
        cmocka_unit_test(a_worker_that_never_pauses_gets_its_receipts),
        cmocka_unit_test(what_was_not_durable_is_gone_and_was_promised_to_nobody),
        cmocka_unit_test(a_lease_whose_worker_stays_away_is_given_to_another),
        cmocka_unit_test(ended_ids_and_unread_results_survive),
        cmocka_unit_test(retries_and_dead_letters_survive_with_what_was_said),
        cmocka_unit_test(what_became_of_letters_and_each_tasks_policy_survive),
        cmocka_unit_test(one_long_task_does_not_pin_the_journal),
        cmocka_unit_test(ids_of_tasks_that_ended_are_copied_forward),
        cmocka_unit_test(a_full_journal_takes_no_task_and_every_end),
        cmocka_unit_test(more_batches_than_may_wait_for_the_disk_are_put_off),
        cmocka_unit_test(a_producer_that_is_gone_for_good_costs_its_results_their_place),
        cmocka_unit_test(what_nobody_serves_waits_for_ever_and_through_restarts),
        cmocka_unit_test(a_producer_that_was_given_up_is_a_stranger_after_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
