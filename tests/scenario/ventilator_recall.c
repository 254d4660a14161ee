/* ventilator_recall.c - what lies unstarted with one worker, for another that is idle. */
#include "ventilator_story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* A producer, and workers of one slot. */
static void begin(struct story *story)
{
    story_start(story);
    for (uint32_t worker = W1; worker < STORY_PEERS; worker++) story->peers[worker].slots = 1;
    story_hello(story, P1);
}

/* W1 runs the first of these tasks, and holds the others. */
static void load(struct story *story, const char *letters)
{
    story_hello(story, W1);
    story_credit(story, W1, strlen(letters));
    story_submit(story, P1, letters);
    story->peers[W1].beat =
        (struct message_heartbeat){.held = (uint32_t)strlen(letters), .running = 1};
    story_pass(story, 25);
    story_clear(story);
}

static void the_latest_lease_goes_to_whoever_is_idle(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    load(&story, "ABC");
    story_hello(&story, W2);
    story_credit(&story, W2, 1);
    story_expect(&story, "[   25] w2 opened\n"
                         "[   25] > w2 welcome\n");
    story_beat(&story, W1);
    story_expect(&story, "[   25] > w1 recall C/1\n"); /* W2 can take no more */
    story_complete(&story, W1, "C", OUTCOME_RETURNED);
    story_expect(&story, "[   25] returned C/0 w1\n"
                         "[   25] leased C/1 w2\n"
                         "[   25] > w1 receipt 3\n"
                         "[   25] > w2 work C/1\n");
    assert_int_equal(story_totals(&story).recalled, 1);
    assert_int_equal(story_totals(&story).returned, 1);
    story_end(&story);
}

static void a_worker_that_says_so_first_is_asked_when_another_becomes_idle(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    load(&story, "ABC");
    story_beat(&story, W1);
    story_expect(&story, "");
    story_hello(&story, W2);
    story_credit(&story, W2, 2); /* one for its slot, and one to have at hand */
    story_expect(&story, "[   25] w2 opened\n"
                         "[   25] > w2 welcome\n"
                         "[   25] > w1 recall C/1\n");
    story_end(&story);
}

static void it_does_not_go_back_to_whoever_gave_it_back(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    load(&story, "ABC");
    story_credit(&story, W1, 10); /* first in the ring */
    story_hello(&story, W2);
    story_credit(&story, W2, 1);
    story_hello(&story, W3);
    story_credit(&story, W3, 1);
    story_clear(&story);
    story_beat(&story, W1);
    story_expect(&story, "[   25] > w1 recall C/1 B/1\n");
    story_complete(&story, W1, "CB", OUTCOME_RETURNED);
    story_expect(&story, "[   25] returned C/0 w1\n"
                         "[   25] returned B/0 w1\n"
                         "[   25] leased B/1 w2\n"
                         "[   25] leased C/1 w3\n"
                         "[   25] > w1 receipt 4\n"
                         "[   25] > w2 work B/1\n"
                         "[   25] > w3 work C/1\n");
    story_submit(&story, P1, "D"); /* others it gets as before */
    assert_non_null(strstr(story.trace, "> w1 work D/1\n"));
    story_end(&story);
}

static void nor_when_the_other_has_other_names_too(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    load(&story, "AB");
    story_credit(&story, W1, 10);
    story.peers[W2].names = "t u";
    story.peers[W2].slots = 2;
    story_hello(&story, W2);
    story_credit(&story, W2, 2);
    story_submit(&story, P1, "C");
    assert_non_null(strstr(story.trace, "> w2 work C/1")); /* so that it is W1's kind's turn */
    story_clear(&story);
    story_beat(&story, W1);
    story_complete(&story, W1, "B", OUTCOME_RETURNED);
    story_expect(&story, "[   25] > w1 recall B/1\n"
                         "[   25] returned B/0 w1\n"
                         "[   25] leased B/1 w2\n"
                         "[   25] > w1 receipt 4\n"
                         "[   25] > w2 work B/1\n");
    story_end(&story);
}

static void but_it_does_when_nobody_else_can_take_it(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    load(&story, "AB");
    story_credit(&story, W1, 10);
    story_hello(&story, W2);
    story_credit(&story, W2, 1);
    story_beat(&story, W1);
    story_close(&story, W2);
    story_clear(&story);
    story_complete(&story, W1, "B", OUTCOME_RETURNED);
    story_expect(&story, "[   25] returned B/0 w1\n"
                         "[   25] leased B/1 w1\n"
                         "[   25] > w1 receipt 4\n"
                         "[   25] > w1 work B/1\n");
    story_end(&story);
}

static void a_lease_is_asked_for_once(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    load(&story, "ABC");
    story_hello(&story, W2);
    story_credit(&story, W2, 1);
    story_beat(&story, W1);
    story_expect(&story, "[   25] w2 opened\n"
                         "[   25] > w2 welcome\n"
                         "[   25] > w1 recall C/1\n");
    story_turn(&story); /* C is on its way */
    story_expect(&story, "");
    story_beat(&story, W1); /* C had begun */
    story_expect(&story, "[   25] > w1 recall B/1\n");
    story_beat(&story, W1);
    story_expect(&story, "");
    story_complete(&story, W1, "CBA", OUTCOME_DONE);
    assert_int_equal(story_totals(&story).done, 3);
    assert_int_equal(story_totals(&story).recalled, 0);
    story_end(&story);
}

static void what_is_asked_of_one_worker_is_not_asked_of_another(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story_hello(&story, W1);
    story_credit(&story, W1, 2);
    story_submit(&story, P1, "AB");
    story_hello(&story, W3);
    story_credit(&story, W3, 2);
    story_submit(&story, P1, "CD");
    story.peers[W1].beat = story.peers[W3].beat =
        (struct message_heartbeat){.held = 2, .running = 1};
    story_hello(&story, W2);
    story_credit(&story, W2, 1);
    story_pass(&story, 25);
    story_clear(&story);
    story_beat(&story, W1);
    story_expect(&story, "[   25] > w1 recall B/1\n");
    story_beat(&story, W3);
    story_expect(&story, "");
    story_complete(&story, W1, "B", OUTCOME_DONE); /* it had begun */
    assert_non_null(strstr(story.trace, "> w3 recall D/1\n"));
    story_end(&story);
}

/* Its slot is taken by another ventilator's task when it says so, and free soon. */
static void what_a_worker_said_is_over_with_the_lease_that_it_said_it_of(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    load(&story, "A");
    story.peers[W1].beat = (struct message_heartbeat){.held = 1, .running = 0};
    story_beat(&story, W1);
    story_complete(&story, W1, "A", OUTCOME_DONE);
    story_credit(&story, W1, 1);
    story_submit(&story, P1, "B");
    story_pass(&story, 25);
    story_hello(&story, W2);
    story_clear(&story);
    story_credit(&story, W2, 1);
    story_expect(&story, "");
    story_beat(&story, W1);
    story_expect(&story, "[   50] > w1 recall B/1\n");
    story_end(&story);
}

static void only_what_an_idle_worker_serves_is_asked_for(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story.peers[W1].names = "t u v";
    story_hello(&story, W1);
    story_credit(&story, W1, 10);
    story_submit(&story, P1, "AB");
    story.task.name = bytes_text("u");
    story_submit(&story, P1, "CD");
    story.task.name = bytes_text("v");
    story_submit(&story, P1, "E");
    story.peers[W1].beat = (struct message_heartbeat){.held = 5, .running = 1};
    story_pass(&story, 25);
    story.peers[W2].names = "u";
    story_hello(&story, W2);
    story_credit(&story, W2, 5);
    story_clear(&story);
    story_beat(&story, W1);
    story_expect(&story, "[   25] > w1 recall D/1\n"); /* one slot, whatever the credit */
    story_end(&story);
}

static void what_was_given_a_moment_ago_is_left_alone(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    load(&story, "AB");
    story_credit(&story, W1, 1);
    story_submit(&story, P1, "C");
    story_hello(&story, W2);
    story_credit(&story, W2, 1);
    story_clear(&story);
    story_beat(&story, W1);
    story_expect(&story, "[   25] > w1 recall B/1\n");
    story_end(&story);
}

/* Two of the three that it had not begun have ended since it said so. */
static void what_a_heartbeat_said_is_held_against_what_ended_since(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    load(&story, "ABCD");
    story_beat(&story, W1);
    story_complete(&story, W1, "ABC", OUTCOME_DONE);
    story_hello(&story, W2);
    story_clear(&story);
    story_credit(&story, W2, 1);
    story_expect(&story, ""); /* D runs by now */
    story_end(&story);
}

static void a_worker_that_has_to_do_is_not_idle(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story_hello(&story, W2);
    story_credit(&story, W2, 2);
    story_submit(&story, P1, "Z"); /* runs in its slot, and it has credit for one more */
    load(&story, "ABC");
    story_beat(&story, W1);
    story_expect(&story, "");
    assert_int_equal(story.peers[W2].held_count, 2);
    story_end(&story);
}

static void a_worker_with_hung_slots_is_idle_for_the_others_only(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    load(&story, "ABCDE");
    story.peers[W2].slots = 3;
    story.peers[W2].beat = (struct message_heartbeat){.hung = 2};
    story_hello(&story, W2);
    story_beat(&story, W2);
    story_credit(&story, W2, 5);
    story_clear(&story);
    story_beat(&story, W1);
    story_expect(&story, "[   25] > w1 recall E/1\n");
    story_end(&story);
}

static void a_worker_of_before_is_not_asked(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story.peers[W1].minor = 1;
    load(&story, "ABC");
    story_hello(&story, W2);
    story_credit(&story, W2, 1);
    story_clear(&story);
    story_beat(&story, W1);
    story_expect(&story, "");
    story_end(&story);
}

static void after_a_lost_session_a_lease_is_asked_for_again(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    load(&story, "AB");
    story_hello(&story, W2);
    story_credit(&story, W2, 1);
    story_beat(&story, W1);
    story_close(&story, W1);
    story_hello(&story, W1);
    story_pass(&story, 100);
    story_clear(&story);
    story_beat(&story, W1);
    story_expect(&story, "[  125] > w1 recall B/1\n");
    story_end(&story);
}

static void a_worker_that_drains_gets_nothing_more(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    load(&story, "AB");
    story.peers[W2].beat = (struct message_heartbeat){.draining = 1};
    story_hello(&story, W2);
    story_credit(&story, W2, 1);
    story_beat(&story, W2);
    story_clear(&story);
    story_beat(&story, W1);
    story_expect(&story, "");
    story_submit(&story, P1, "C");
    story_expect(&story, "[   25] accepted C/0\n"
                         "[   25] > p1 accept 2\n");
    story_close(&story, W2); /* whoever comes back may have changed its mind */
    story_hello(&story, W2);
    story_clear(&story);
    story_credit(&story, W2, 1);
    story_expect(&story, "[   25] leased C/1 w2\n"
                         "[   25] > w2 work C/1\n");
    story_end(&story);
}

static void one_turn_asks_for_so_many(void **state)
{
    (void)state;
    struct story story;
    struct ventilator_options options = story_options();
    options.tasks_max = 512;
    options.ended_max = 512;
    story_start_with(&story, &options);
    story_hello(&story, P1);
    story.peers[W1].slots = 1;
    story_hello(&story, W1);
    story_credit(&story, W1, 500);
    struct submission items[200];
    for (uint32_t at = 0; at < 200; at++) {
        items[at] = story.task;
        items[at].id = (struct id){.octets = {7, (uint8_t)(at / 100), (uint8_t)(at % 100)}};
    }
    struct message message = {.kind = MESSAGE_SUBMIT};
    message.u.submit =
        (struct message_submit){.batch = ++story.peers[P1].batch, .items = items, .count = 200};
    story_say(&story, P1, message);
    story.peers[W1].beat = (struct message_heartbeat){.held = 200, .running = 1};
    story_pass(&story, 25);
    story.peers[W2].slots = 500;
    story_hello(&story, W2);
    story_credit(&story, W2, 500);
    story_clear(&story);
    story_beat(&story, W1);
    story_expect(&story, "[   25] > w1 recall of 64\n");
    for (uint32_t turn = 0; turn < 2; turn++) story_turn(&story);
    story_expect(&story, "[   25] > w1 recall of 64\n"
                         "[   25] > w1 recall of 64\n");
    story_turn(&story);
    assert_non_null(strstr(story.trace, "> w1 recall")); /* 7: it runs one */
    story_clear(&story);
    story_turn(&story);
    story_expect(&story, "");
    story_end(&story);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_latest_lease_goes_to_whoever_is_idle),
        cmocka_unit_test(a_worker_that_says_so_first_is_asked_when_another_becomes_idle),
        cmocka_unit_test(it_does_not_go_back_to_whoever_gave_it_back),
        cmocka_unit_test(nor_when_the_other_has_other_names_too),
        cmocka_unit_test(but_it_does_when_nobody_else_can_take_it),
        cmocka_unit_test(a_lease_is_asked_for_once),
        cmocka_unit_test(what_is_asked_of_one_worker_is_not_asked_of_another),
        cmocka_unit_test(what_a_worker_said_is_over_with_the_lease_that_it_said_it_of),
        cmocka_unit_test(only_what_an_idle_worker_serves_is_asked_for),
        cmocka_unit_test(what_was_given_a_moment_ago_is_left_alone),
        cmocka_unit_test(what_a_heartbeat_said_is_held_against_what_ended_since),
        cmocka_unit_test(a_worker_that_has_to_do_is_not_idle),
        cmocka_unit_test(a_worker_with_hung_slots_is_idle_for_the_others_only),
        cmocka_unit_test(a_worker_of_before_is_not_asked),
        cmocka_unit_test(after_a_lost_session_a_lease_is_asked_for_again),
        cmocka_unit_test(a_worker_that_drains_gets_nothing_more),
        cmocka_unit_test(one_turn_asks_for_so_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
