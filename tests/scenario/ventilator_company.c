/* ventilator_company.c - what waits to go together with something else, and for how long. */
#include "ventilator_story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* With the delays that people get, and a producer that speaks this minor of the protocol. */
static void begin_with(struct story *story, uint32_t minor)
{
    const struct ventilator_options defaults = ventilator_defaults();
    struct ventilator_options options = story_options();
    options.receipt_ns = defaults.receipt_ns;
    options.accept_ns = defaults.accept_ns;
    options.tasks_max = options.ended_max = 4096;
    story_start_with(story, &options);
    story->peers[P1].minor = minor;
    story_hello(story, P1);
    story_hello(story, W1);
    story_credit(story, W1, 100000);
    story_clear(story);
}

static void begin(struct story *story)
{
    begin_with(story, MESSAGE_VERSION_MINOR);
}

/* SUBMIT, WORK, COMPLETE and RESULT, which says that it was accepted: nobody is woken for
 * what can wait, the next time as little as the first. */
static void a_task_that_comes_alone_is_one_message_each_way(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story_submit(&story, P1, "a");
    story_complete(&story, W1, "a", OUTCOME_DONE);
    story_expect(&story, "[    0] accepted a/0\n"
                         "[    0] leased a/1 w1\n"
                         "[    0] > w1 work a/1\n"
                         "[    0] ended a/1 w1 done\n"
                         "[    0] > p1 result a/1 done\n");
    story_submit(&story, P1, "b");
    story_complete(&story, W1, "b", OUTCOME_DONE);
    story_expect(&story, "[    0] accepted b/0\n"
                         "[    0] leased b/1 w1\n"
                         "[    0] > w1 work b/1\n"
                         "[    0] ended b/1 w1 done\n"
                         "[    0] > p1 result b/1 done\n");
    story_pass(&story, 1);
    story_expect(&story, "");
    story_end(&story);
}

static void a_result_speaks_for_one_task_and_no_other(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story_submit(&story, P1, "ab");
    story_clear(&story);
    story_complete(&story, W1, "a", OUTCOME_DONE);
    story_expect(&story, "[    0] ended a/1 w1 done\n"
                         "[    0] > p1 accept 1\n"
                         "[    0] > p1 result a/1 done\n");
    story_submit(&story, P1, "c");
    story_clear(&story);
    story_complete(&story, W1, "b", OUTCOME_DONE);
    story_expect(&story, "[    0] ended b/1 w1 done\n"
                         "[    0] > p1 accept 2\n"
                         "[    0] > p1 result b/1 done\n");
    story_end(&story);
}

/* One of an earlier minor may wait for ACCEPT, and send the batch again. */
static void an_earlier_producer_hears_accept_as_well(void **state)
{
    (void)state;
    struct story story;
    begin_with(&story, 1);
    story_submit(&story, P1, "a");
    story_clear(&story);
    story_complete(&story, W1, "a", OUTCOME_DONE);
    story_expect(&story, "[    0] ended a/1 w1 done\n"
                         "[    0] > p1 accept 1\n"
                         "[    0] > p1 result a/1 done\n");
    story_end(&story);
}

static void company_is_not_waited_for_long(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story_submit(&story, P1, "a");
    story_clear(&story);
    story_pass(&story, 1);
    story_expect(&story, "[    0] > p1 accept 1\n");
    story_complete(&story, W1, "a", OUTCOME_DONE);
    story_expect(&story, "[    1] ended a/1 w1 done\n"
                         "[    1] > p1 result a/1 done\n");
    story_pass(&story, 9);
    story_expect(&story, "");
    story_pass(&story, 1);
    story_expect(&story, "[   11] > w1 receipt 2\n");
    story_end(&story);
}

static void a_second_batch_lets_neither_wait(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story_submit(&story, P1, "a");
    story_submit(&story, P1, "b");
    story_expect(&story, "[    0] accepted a/0\n"
                         "[    0] leased a/1 w1\n"
                         "[    0] > w1 work a/1\n"
                         "[    0] accepted b/0\n"
                         "[    0] > p1 accept 1\n"
                         "[    0] > p1 accept 2\n"
                         "[    0] leased b/1 w1\n"
                         "[    0] > w1 work b/1\n");
    story_end(&story);
}

/* Whoever wants no result has nothing for ACCEPT to wait for. */
static void a_batch_without_results_is_accepted_at_once(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story_submit(&story, P1, "A");
    story_expect(&story, "[    0] accepted A/0\n"
                         "[    0] > p1 accept 1\n"
                         "[    0] leased A/1 w1\n"
                         "[    0] > w1 work A/1\n");
    story_end(&story);
}

static void many_completions_do_not_wait_for_their_receipt(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story_submit(&story, P1, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef");
    story_complete(&story, W1, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcde", OUTCOME_DONE);
    story_clear(&story);
    story_complete(&story, W1, "f", OUTCOME_DONE);
    story_expect(&story, "[    0] ended f/1 w1 done\n"
                         "[    0] > p1 result f/1 done\n"
                         "[    0] > w1 receipt 3\n");
    story_end(&story);
}

/* Or the worker would complete it again, to whoever comes next. */
static void whoever_stops_receipts_first(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story_submit(&story, P1, "a");
    story_complete(&story, W1, "a", OUTCOME_DONE);
    story_clear(&story);
    story_step(&story, &(struct ventilator_event){.kind = VENTILATOR_STOP});
    story_expect(&story, "[    0] p1 closed\n"
                         "[    0] w1 closed\n"
                         "[    0] > p1 bye\n"
                         "[    0] > w1 receipt 2\n"
                         "[    0] > w1 bye\n");
    story_end(&story);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_task_that_comes_alone_is_one_message_each_way),
        cmocka_unit_test(a_result_speaks_for_one_task_and_no_other),
        cmocka_unit_test(an_earlier_producer_hears_accept_as_well),
        cmocka_unit_test(company_is_not_waited_for_long),
        cmocka_unit_test(a_second_batch_lets_neither_wait),
        cmocka_unit_test(a_batch_without_results_is_accepted_at_once),
        cmocka_unit_test(many_completions_do_not_wait_for_their_receipt),
        cmocka_unit_test(whoever_stops_receipts_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
