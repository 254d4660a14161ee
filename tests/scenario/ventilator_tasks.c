/* ventilator_tasks.c - the life of tasks when nothing goes wrong: acceptance
 * and its refusals, who gets what under which credit, and the end. */
#include "ventilator_story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

static void a_task_goes_from_submit_to_its_receipted_result(void **state)
{
    (void)state;
    struct story story;
    story_start(&story);
    story_hello(&story, P1);
    story_hello(&story, W1);
    story_clear(&story);
    story.task.payload = bytes_text("in");
    story_submit(&story, P1, "a");
    story_pass(&story, 10);
    story_credit(&story, W1, 2);
    assert_int_equal(ventilator_open_count(story.ventilator), 1);
    story_pass(&story, 10);
    story.run.result = bytes_text("out");
    story_complete(&story, W1, "a", OUTCOME_DONE);
    assert_int_equal(ventilator_open_count(story.ventilator), 1); /* the result is owed */
    story_receipt(&story, P1);
    story_expect(&story, "[    0] accepted a/0\n"
                         "[    0] > p1 accept 1\n"
                         "[   10] leased a/1 w1\n"
                         "[   10] > w1 work a/1 \"in\"\n"
                         "[   20] ended a/1 w1 done\n"
                         "[   20] > p1 result a/1 done \"out\"\n"
                         "[   20] > w1 receipt 2\n");
    assert_int_equal(ventilator_open_count(story.ventilator), 0);
    assert_int_equal(story.ventilator->known.ids.count, 1); /* the id alone is remembered */
    story_end(&story);
}

static void no_result_is_kept_for_a_producer_that_wants_none(void **state)
{
    (void)state;
    struct story story;
    story_start(&story);
    story_hello(&story, P1);
    story_hello(&story, W1);
    story_credit(&story, W1, 5);
    story_submit(&story, P1, "A");
    story_clear(&story);
    story.run.result = bytes_text("out");
    story_complete(&story, W1, "A", OUTCOME_DONE);
    story_expect(&story, "[    0] ended A/1 w1 done\n"
                         "[    0] > w1 receipt 2\n");
    assert_int_equal(ventilator_open_count(story.ventilator), 0);
    story_end(&story);
}

static void credit_in_tasks_is_never_exceeded_and_a_repeat_of_it_grants_nothing(void **state)
{
    (void)state;
    struct story story;
    story_start(&story);
    story_hello(&story, P1);
    story_hello(&story, W1);
    story_submit(&story, P1, "ABCDEF");
    story_clear(&story);
    story_credit(&story, W1, 2);
    story_credit(&story, W1, 0); /* the same totals */
    struct message less = {.kind = MESSAGE_CREDIT, .u.credit = {.tasks = 1, .bytes = 1}};
    story_say(&story, W1, less);
    story_credit(&story, W1, 1);
    story_expect(&story, "[    0] leased A/1 w1\n"
                         "[    0] leased B/1 w1\n"
                         "[    0] > w1 work A/1 B/1\n"
                         "[    0] leased C/1 w1\n"
                         "[    0] > w1 work C/1\n");
    story_complete(&story, W1, "ABC", OUTCOME_DONE); /* grants nothing by itself */
    story_expect(&story, "[    0] ended A/1 w1 done\n"
                         "[    0] ended B/1 w1 done\n"
                         "[    0] ended C/1 w1 done\n"
                         "[    0] > w1 receipt 5\n");
    story_end(&story);
}

static void credit_that_was_taken_back_is_used_no_more(void **state)
{
    (void)state;
    struct story story;
    story_start(&story);
    story_hello(&story, P1);
    story_hello(&story, W1);
    story_credit(&story, W1, 5);
    story_submit(&story, P1, "AB");
    struct message less = {.kind = MESSAGE_CREDIT, .u.credit = {.tasks = 1, .bytes = 1}};
    story_say(&story, W1, less);
    story_clear(&story);
    story_submit(&story, P1, "C");
    story_expect(&story, "[    0] accepted C/0\n"
                         "[    0] > p1 accept 2\n");
    less.u.credit = (struct message_credit){.tasks = 3, .bytes = 1000};
    story_say(&story, W1, less);
    story_expect(&story, "[    0] leased C/1 w1\n"
                         "[    0] > w1 work C/1\n");
    story_end(&story);
}

static void a_worker_holds_no_more_than_it_could_claim_again(void **state)
{
    (void)state;
    struct story story;
    struct ventilator_options options = story_options();
    options.leases_max = 2;
    story_start_with(&story, &options);
    story_hello(&story, P1);
    story_hello(&story, W1);
    story_submit(&story, P1, "ABC");
    story_clear(&story);
    story_credit(&story, W1, 9);
    story_complete(&story, W1, "A", OUTCOME_DONE);
    story_expect(&story, "[    0] leased A/1 w1\n"
                         "[    0] leased B/1 w1\n"
                         "[    0] > w1 work A/1 B/1\n"
                         "[    0] ended A/1 w1 done\n"
                         "[    0] leased C/1 w1\n"
                         "[    0] > w1 receipt 2\n"
                         "[    0] > w1 work C/1\n");
    story_end(&story);
}

static void credit_in_bytes_is_overshot_by_one_payload_at_most(void **state)
{
    (void)state;
    struct story story;
    story_start(&story);
    story_hello(&story, P1);
    story_hello(&story, W1);
    story.task.payload = bytes_text("0123456789");
    story_submit(&story, P1, "ABCDE");
    story_clear(&story);
    story.peers[W1].bytes = 15;
    story_credit(&story, W1, 100);
    story.peers[W1].bytes = 20; /* all of it is used already */
    story_credit(&story, W1, 0);
    story.peers[W1].bytes = 21;
    story_credit(&story, W1, 0);
    story_expect(&story, "[    0] leased A/1 w1\n"
                         "[    0] leased B/1 w1\n"
                         "[    0] > w1 work A/1 \"0123456789\" B/1 \"0123456789\"\n"
                         "[    0] leased C/1 w1\n"
                         "[    0] > w1 work C/1 \"0123456789\"\n");
    story_end(&story);
}

static void a_new_session_begins_without_credit(void **state)
{
    (void)state;
    struct story story;
    story_start(&story);
    story_hello(&story, P1);
    story_hello(&story, W1);
    story_credit(&story, W1, 5);
    story_hello(&story, W1);
    story_clear(&story);
    story_submit(&story, P1, "A");
    story_expect(&story, "[    0] accepted A/0\n"
                         "[    0] > p1 accept 1\n");
    story_end(&story);
}

static void bad_submissions_are_refused_one_by_one_with_the_reason(void **state)
{
    (void)state;
    struct ventilator_options options = story_options();
    options.payload_bytes_max = 100;
    struct story story;
    story_start_with(&story, &options);
    story_hello(&story, P1);
    story_clear(&story);
    char large[101] = {0};
    struct submission items[] = {
        {.id = story_id('A'), .name = bytes_text("t")},
        {.id = story_id('B'), .name = bytes_text("No such name")},
        {.id = story_id('C')},
        {.id = story_id('D'), .name = bytes_text("t"), .queue = bytes_text("")},
        {.id = story_id('E'), .name = bytes_text("t"), .payload = bytes_of(large, 101)},
        {.id = story_id('F'), .name = bytes_text("t"), .payload = bytes_of(large, 100)},
        {.name = bytes_text("t")},
    };
    struct message message = {.kind = MESSAGE_SUBMIT};
    message.u.submit = (struct message_submit){.batch = 9, .items = items, .count = 7};
    story_say(&story, P1, message);
    story_expect(&story, "[    0] accepted A/0\n"
                         "[    0] rejected B/0 bad name\n"
                         "[    0] rejected C/0 bad name\n"
                         "[    0] rejected D/0 bad name\n"
                         "[    0] rejected E/0 too big\n"
                         "[    0] accepted F/0\n"
                         "[    0] rejected ?/0 malformed\n"
                         "[    0] > p1 accept 9 but 1 bad name but 2 bad name but 3 bad name"
                         " but 4 too big but 6 malformed\n");
    assert_int_equal(story_totals(&story).rejected, 5);
    assert_int_equal(story_totals(&story).submitted, 2);
    story_end(&story);
}

static void a_ventilator_that_drains_takes_nothing_new_and_finishes_what_it_has(void **state)
{
    (void)state;
    struct story story;
    story_start(&story);
    story_hello(&story, P1);
    story_hello(&story, W1);
    story_submit(&story, P1, "A");
    story_clear(&story);
    story_step(&story, &(struct ventilator_event){.kind = VENTILATOR_DRAIN});
    story_submit(&story, P1, "AB");
    story_credit(&story, W1, 5);
    story_complete(&story, W1, "A", OUTCOME_DONE);
    story_expect(&story, "[    0] duplicate A/0\n"
                         "[    0] rejected B/0 draining\n"
                         "[    0] > p1 accept 2 but 1 draining\n"
                         "[    0] leased A/1 w1\n"
                         "[    0] > w1 work A/1\n"
                         "[    0] ended A/1 w1 done\n"
                         "[    0] > w1 receipt 2\n");
    assert_int_equal(ventilator_open_count(story.ventilator), 0);
    story_end(&story);
}

static void a_ventilator_that_is_full_of_tasks_says_busy_until_some_end(void **state)
{
    (void)state;
    struct ventilator_options options = story_options();
    options.tasks_max = 3;
    options.ended_max = 2;
    struct story story;
    story_start_with(&story, &options);
    story_hello(&story, P1);
    story_hello(&story, W1);
    story_clear(&story);
    story_submit(&story, P1, "ABCD");
    story_credit(&story, W1, 3);
    story_complete(&story, W1, "ABC", OUTCOME_DONE);
    story_submit(&story, P1, "DEFG");
    story_expect(&story, "[    0] accepted A/0\n"
                         "[    0] accepted B/0\n"
                         "[    0] accepted C/0\n"
                         "[    0] rejected D/0 busy\n"
                         "[    0] > p1 accept 1 but 3 busy\n"
                         "[    0] leased A/1 w1\n"
                         "[    0] leased B/1 w1\n"
                         "[    0] leased C/1 w1\n"
                         "[    0] > w1 work A/1 B/1 C/1\n"
                         "[    0] ended A/1 w1 done\n"
                         "[    0] ended B/1 w1 done\n"
                         "[    0] ended C/1 w1 done\n"
                         "[    0] > w1 receipt 2\n"
                         "[    0] accepted D/0\n"
                         "[    0] accepted E/0\n"
                         "[    0] accepted F/0\n"
                         "[    0] rejected G/0 busy\n"
                         "[    0] > p1 accept 2 but 3 busy\n");
    story_end(&story);
}

static void a_crowded_store_says_busy_before_it_is_full(void **state)
{
    (void)state;
    struct story story;
    story_start(&story); /* one MiB of values */
    story_hello(&story, P1);
    story_hello(&story, W1);
    story_clear(&story);
    char *large = calloc(1, 256 * 1024);
    story.task.payload = bytes_of(large, 256 * 1024);
    story_submit(&story, P1, "ABCDE");
    story_expect(&story, "[    0] accepted A/0\n"
                         "[    0] accepted B/0\n"
                         "[    0] accepted C/0\n"
                         "[    0] accepted D/0\n"
                         "[    0] rejected E/0 busy\n"
                         "[    0] > p1 accept 1 but 4 busy\n");
    story_credit(&story, W1, 1);
    story_complete(&story, W1, "A", OUTCOME_DONE);
    story_clear(&story);
    story_submit(&story, P1, "E");
    story_expect(&story, "[    0] accepted E/0\n"
                         "[    0] > p1 accept 2\n");
    free(large);
    story_end(&story);
}

static void a_task_waits_for_a_worker_that_serves_its_name_and_queue(void **state)
{
    (void)state;
    struct story story;
    story_start(&story);
    story.peers[W1].names = "other t.2";
    story.peers[W2].queues = "mail";
    story.peers[W3].names = "x t";
    story.peers[W3].queues = "mail default";
    story_hello(&story, P1);
    story_hello(&story, W1);
    story_hello(&story, W2);
    story_credit(&story, W1, 9);
    story_credit(&story, W2, 9);
    story_clear(&story);
    story_submit(&story, P1, "A");
    story_expect(&story, "[    0] accepted A/0\n"
                         "[    0] > p1 accept 1\n");
    story_hello(&story, W3);
    story_credit(&story, W3, 1);
    story_expect(&story, "[    0] w3 opened\n"
                         "[    0] > w3 welcome\n"
                         "[    0] leased A/1 w3\n"
                         "[    0] > w3 work A/1\n");
    story.task.queue = bytes_text("mail");
    story_submit(&story, P1, "B"); /* W3 serves it too, but has no credit left */
    story_expect(&story, "[    0] accepted B/0\n"
                         "[    0] > p1 accept 2\n"
                         "[    0] leased B/1 w2\n"
                         "[    0] > w2 work B/1\n");
    story_end(&story);
}

static void a_worker_back_with_other_names_is_given_only_those(void **state)
{
    (void)state;
    struct story story;
    story_start(&story);
    story_hello(&story, P1);
    story_hello(&story, W1);
    story.peers[W1].names = "u";
    story_hello(&story, W1);
    story_credit(&story, W1, 5);
    story_clear(&story);
    story_submit(&story, P1, "A");
    story.task.name = bytes_text("u");
    story_submit(&story, P1, "B");
    story_expect(&story, "[    0] accepted A/0\n"
                         "[    0] > p1 accept 1\n"
                         "[    0] accepted B/0\n"
                         "[    0] > p1 accept 2\n"
                         "[    0] leased B/1 w1\n"
                         "[    0] > w1 work B/1\n");
    story_end(&story);
}

static void the_line_goes_by_age_across_names_and_queues(void **state)
{
    (void)state;
    struct story story;
    story_start(&story);
    story.peers[W1].names = "x y";
    story.peers[W1].queues = "default mail";
    story_hello(&story, P1);
    story_hello(&story, W1);
    story.task.name = bytes_text("x");
    story_submit(&story, P1, "AB");
    story.task.name = bytes_text("y");
    story_submit(&story, P1, "CD");
    story.task.queue = bytes_text("mail");
    story_submit(&story, P1, "E");
    story.task = (struct submission){.name = bytes_text("x")};
    story_submit(&story, P1, "F");
    story_clear(&story);
    story_credit(&story, W1, 4);
    story_credit(&story, W1, 9);
    story_expect(&story, "[    0] leased A/1 w1\n"
                         "[    0] leased B/1 w1\n"
                         "[    0] leased C/1 w1\n"
                         "[    0] leased D/1 w1\n"
                         "[    0] > w1 work A/1 B/1 C/1 D/1\n"
                         "[    0] leased E/1 w1\n"
                         "[    0] leased F/1 w1\n"
                         "[    0] > w1 work E/1 F/1\n");
    story_end(&story);
}

static void workers_and_kinds_of_workers_take_turns(void **state)
{
    (void)state;
    struct story story;
    story_start(&story);
    story.peers[W3].names = "t more";
    story_hello(&story, P1);
    for (uint32_t worker = W1; worker <= W3; worker++) {
        story_hello(&story, worker);
        story_credit(&story, worker, 4);
    }
    story_clear(&story);
    story_submit(&story, P1, "ABCDEFGH");
    story_expect(&story, "[    0] accepted A/0\n"
                         "[    0] accepted B/0\n"
                         "[    0] accepted C/0\n"
                         "[    0] accepted D/0\n"
                         "[    0] accepted E/0\n"
                         "[    0] accepted F/0\n"
                         "[    0] accepted G/0\n"
                         "[    0] accepted H/0\n"
                         "[    0] > p1 accept 1\n"
                         "[    0] leased A/1 w1\n"
                         "[    0] leased B/1 w3\n"
                         "[    0] leased C/1 w2\n"
                         "[    0] leased D/1 w3\n"
                         "[    0] leased E/1 w1\n"
                         "[    0] leased F/1 w3\n"
                         "[    0] leased G/1 w2\n"
                         "[    0] leased H/1 w3\n"
                         "[    0] > w1 work A/1 E/1\n"
                         "[    0] > w3 work B/1 D/1 F/1 H/1\n"
                         "[    0] > w2 work C/1 G/1\n");
    story_end(&story);
}

/* A lane for each number: "t0", "t1" .. */
static void submit_numbered(struct story *story, uint32_t from, uint32_t count)
{
    for (uint32_t at = from; at < from + count; at++) {
        char name[16];
        snprintf(name, sizeof name, "t%u", at);
        struct submission item = {.id = {.octets = {3, (uint8_t)(at >> 8), (uint8_t)at, 'n'}},
                                  .name = bytes_text(name)};
        struct message message = {.kind = MESSAGE_SUBMIT};
        message.u.submit = (struct message_submit){.batch = at, .items = &item, .count = 1};
        story_tell(story, P1, message);
    }
}

static void more_names_than_lanes_are_refused_until_one_is_idle(void **state)
{
    (void)state;
    struct ventilator_options options = story_options();
    options.tasks_max = 2 * LANES_MAX;
    struct story story;
    story_start_with(&story, &options);
    story.check.is_shallow = true;
    story.peers[W1].names = "t7 tx";
    story_hello(&story, P1);
    story_hello(&story, W1);
    submit_numbered(&story, 0, LANES_MAX);
    assert_int_equal(story_totals(&story).submitted, LANES_MAX);
    story.task.name = bytes_text("tx");
    story_clear(&story);
    story_submit(&story, P1, "A");
    story_expect(&story, "[    0] rejected A/0 busy\n"
                         "[    0] > p1 accept 1 but 0 busy\n");
    story_credit(&story, W1, 1);
    struct message done = {.kind = MESSAGE_COMPLETE};
    struct completion run = {.lease = story.peers[W1].held[0].lease};
    done.u.complete = (struct message_complete){.items = &run, .count = 1};
    story_say(&story, W1, done);
    story_clear(&story);
    story_submit(&story, P1, "A"); /* takes over the lane of t7, and finds its worker */
    story_credit(&story, W1, 1);
    story_expect(&story, "[    0] accepted A/0\n"
                         "[    0] > p1 accept 2\n"
                         "[    0] leased A/1 w1\n"
                         "[    0] > w1 work A/1\n");
    ventilator_check_tables(story.ventilator, CHECK_SETTLED);
    story_end(&story);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_task_goes_from_submit_to_its_receipted_result),
        cmocka_unit_test(no_result_is_kept_for_a_producer_that_wants_none),
        cmocka_unit_test(credit_in_tasks_is_never_exceeded_and_a_repeat_of_it_grants_nothing),
        cmocka_unit_test(credit_that_was_taken_back_is_used_no_more),
        cmocka_unit_test(a_worker_holds_no_more_than_it_could_claim_again),
        cmocka_unit_test(credit_in_bytes_is_overshot_by_one_payload_at_most),
        cmocka_unit_test(a_new_session_begins_without_credit),
        cmocka_unit_test(bad_submissions_are_refused_one_by_one_with_the_reason),
        cmocka_unit_test(a_ventilator_that_drains_takes_nothing_new_and_finishes_what_it_has),
        cmocka_unit_test(a_ventilator_that_is_full_of_tasks_says_busy_until_some_end),
        cmocka_unit_test(a_crowded_store_says_busy_before_it_is_full),
        cmocka_unit_test(a_task_waits_for_a_worker_that_serves_its_name_and_queue),
        cmocka_unit_test(a_worker_back_with_other_names_is_given_only_those),
        cmocka_unit_test(the_line_goes_by_age_across_names_and_queues),
        cmocka_unit_test(workers_and_kinds_of_workers_take_turns),
        cmocka_unit_test(more_names_than_lanes_are_refused_until_one_is_idle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
