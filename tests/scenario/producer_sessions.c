/* producer_sessions.c - stories of sessions that open, end, and open again.
 *
 * Owns: what becomes of tasks when their ventilator goes away, comes back, or
 * is another one.  Not here: chance (producer_chaos.c).
 */
#include "producer_story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void a_lost_session_sends_the_same_tasks_again_in_order(void **state)
{
    (void)state;
    struct producer_story story;
    producer_story_start_links(&story, 1);
    producer_story_on(&story, PRODUCER_INTAKE_UP, 0);
    for (const char *letter = "abc"; *letter != '\0'; letter++) {
        producer_story_submit(&story, (char[]){*letter, '\0'});
        producer_story_turn(&story);
    }
    producer_story_submit(&story, "d");
    producer_story_accept(&story, 0, 2);
    producer_story_reconnect(&story, 0);
    producer_story_open(&story, 0, 'V');
    producer_story_turn(&story);
    producer_story_expect(&story, "[ 0.0] 0 submit 1 intake: a\n"
                                  "[ 0.0] 0 submit 2 intake: b\n"
                                  "[ 0.0] 0 submit 3 intake: c\n"
                                  "[ 0.0] 0 accepted b\n"
                                  "[ 0.0] 0 shut\n"
                                  "[ 0.0] 0 lost\n"
                                  "[ 0.1] 0 open\n"
                                  "[ 0.1] 0 hello\n"
                                  "[ 0.1] 0 opened\n"
                                  "[ 0.1] 0 intake\n"
                                  "[ 0.1] 0 submit 1 front: a\n"
                                  "[ 0.1] 0 submit 2 front: c\n"
                                  "[ 0.1] 0 submit 3 front: d\n");
    producer_story_accept(&story, 0, 1);
    producer_story_result(&story, 0, "b"); /* accepted in the session before */
    producer_story_expect(&story, "[ 0.1] 0 accepted a\n"
                                  "[ 0.1] 0 ended b\n");
    producer_story_expect_counts(&story, "open 1 outbox 2 awaited 1 accepted 2 rejected 0 ended 1 "
                                         "unknown 0 resent 2");
    producer_story_end(&story);
}

static void an_answer_of_the_session_before_is_not_taken_for_one_of_this(void **state)
{
    (void)state;
    struct producer_story story;
    producer_story_start_links(&story, 1);
    producer_story_submit(&story, "a");
    producer_story_turn(&story);
    producer_story_submit(&story, "b");
    producer_story_turn(&story);
    producer_story_accept(&story, 0, 1);
    uint32_t before = story.links[0].session;
    producer_story_reconnect(&story, 0);
    producer_story_open(&story, 0, 'V');
    producer_story_turn(&story);
    story.used = 0;
    struct message late = {
        .kind = MESSAGE_ACCEPT, .session = before, .sequence = 1, .u.accept = {.batch = 1}};
    producer_story_step(&story,
                        (struct producer_event){.kind = PRODUCER_MESSAGE, .message = &late});
    producer_story_accept(&story, 0, 2); /* b's number then; now it is 1 */
    assert_int_equal(story.used, 0);
    producer_story_accept(&story, 0, 1);
    producer_story_expect(&story, "[ 0.1] 0 accepted b\n");
    producer_story_end(&story);
}

static void a_new_session_begins_without_the_pause_and_backlog_of_the_old(void **state)
{
    (void)state;
    struct producer_story story;
    producer_story_start_links(&story, 2);
    producer_story_say(&story, 1,
                       (struct message){.kind = MESSAGE_HEARTBEAT, .u.heartbeat = {.backlog = 10}});
    producer_story_submit(&story, "a");
    producer_story_turn(&story);
    producer_story_reject(&story, 0, 1, (struct rejection){.item = 0, .reason = REASON_BUSY});
    producer_story_say(
        &story, 0, (struct message){.kind = MESSAGE_HEARTBEAT, .u.heartbeat = {.backlog = 1000}});
    producer_story_reconnect(&story, 0);
    producer_story_open(&story, 0, 'V');
    story.used = 0;
    producer_story_on(&story, PRODUCER_CONNECTED, 0); /* said once too often: no second HELLO */
    producer_story_submit(&story, "b");
    producer_story_turn(&story);
    producer_story_expect(&story, "[ 0.1] 0 submit 1 front: b\n");
    producer_story_end(&story);
}

static void what_one_ventilator_did_not_accept_the_other_gets_when_it_dies(void **state)
{
    (void)state;
    struct producer_story story;
    producer_story_start_links(&story, 2);
    producer_story_say(
        &story, 1, (struct message){.kind = MESSAGE_HEARTBEAT, .u.heartbeat = {.backlog = 1000}});
    producer_story_submit(&story, "ab");
    producer_story_turn(&story);
    producer_story_accept(&story, 0, 1);
    producer_story_submit(&story, "cd");
    producer_story_turn(&story);
    producer_story_on(&story, PRODUCER_CLOSED, 0);
    producer_story_on(&story, PRODUCER_TURN, 0);
    producer_story_accept(&story, 1, 1);
    producer_story_result(&story, 1, "cd");
    producer_story_expect(&story, "[ 0.0] 0 submit 1 front: ab\n"
                                  "[ 0.0] 0 accepted a\n"
                                  "[ 0.0] 0 accepted b\n"
                                  "[ 0.0] 0 submit 2 front: cd\n"
                                  "[ 0.0] 0 shut\n"
                                  "[ 0.0] 0 lost\n"
                                  "[ 0.0] 1 submit 1 front: cd\n"
                                  "[ 0.0] 1 accepted c\n"
                                  "[ 0.0] 1 accepted d\n"
                                  "[ 0.0] 1 ended c\n"
                                  "[ 0.0] 1 ended d\n");
    producer_story_expect_counts(&story, "open 1 outbox 0 awaited 2 accepted 4 rejected 0 ended 2 "
                                         "unknown 0 resent 2");
    producer_story_end(&story);
}

static void the_less_loaded_ventilator_gets_the_batch(void **state)
{
    (void)state;
    struct producer_story story;
    producer_story_start_links(&story, 2);
    producer_story_submit(&story, "abcdefgh");
    producer_story_turn(&story);
    uint32_t first = story.out->actions[0].link;
    for (const char *letter = "ijklmno"; *letter != '\0'; letter++) {
        producer_story_submit(&story, (char[]){*letter, '\0'});
        producer_story_turn(&story);
        assert_int_equal(story.out->actions[0].link, 1 - first); /* fewer than 8 unanswered */
    }
    producer_story_say(&story, 1 - first,
                       (struct message){.kind = MESSAGE_HEARTBEAT, .u.heartbeat = {.backlog = 5}});
    producer_story_submit(&story, "p");
    producer_story_turn(&story);
    assert_int_equal(story.out->actions[0].link, first);
    producer_story_end(&story);
}

static void what_a_busy_ventilator_refused_goes_to_another(void **state)
{
    (void)state;
    struct producer_story story;
    producer_story_start_links(&story, 2);
    producer_story_submit(&story, "a");
    producer_story_turn(&story);
    uint32_t busy = story.out->actions[0].link;
    producer_story_reject(&story, busy, 1, (struct rejection){.item = 0, .reason = REASON_BUSY});
    producer_story_turn(&story);
    assert_int_equal(story.out->count, 1);
    assert_int_equal(story.out->actions[0].link, 1 - busy);
    producer_story_end(&story);
}

static void a_batch_without_answer_tries_the_same_ventilator_once_more_first(void **state)
{
    (void)state;
    struct producer_story story;
    producer_story_start_links(&story, 2);
    producer_story_say(&story, 1,
                       (struct message){.kind = MESSAGE_HEARTBEAT, .u.heartbeat = {.backlog = 10}});
    producer_story_submit(&story, "a");
    producer_story_turn(&story);
    producer_story_say(
        &story, 0, (struct message){.kind = MESSAGE_HEARTBEAT, .u.heartbeat = {.backlog = 1000}});
    producer_story_pass(&story, 10000);
    producer_story_accept(&story, 0, 1);
    producer_story_accept(&story, 1, 1);
    producer_story_expect(&story, "[ 0.0] 0 submit 1 front: a\n"
                                  "[ 5.0] 0 submit 2 front: a\n"
                                  "[10.0] 1 submit 1 front: a\n"
                                  "[10.0] 0 accepted a\n");
    producer_story_end(&story);
}

static void a_refusal_is_told_and_tried_again_slowly(void **state)
{
    (void)state;
    struct producer_story story;
    struct producer_options options = producer_story_options_for(1);
    producer_story_start(&story, &options);
    producer_story_turn(&story);
    producer_story_on(&story, PRODUCER_CONNECTED, 0);
    struct message refuse = {.kind = MESSAGE_REFUSE, .u.refuse = {.reason = REASON_VERSION}};
    producer_story_step(&story,
                        (struct producer_event){.kind = PRODUCER_MESSAGE, .message = &refuse});
    producer_story_pass(&story, 4999);
    producer_story_expect(&story, "[ 0.0] 0 open\n"
                                  "[ 0.0] 0 hello\n"
                                  "[ 0.0] 0 refused version\n"
                                  "[ 0.0] 0 shut\n");
    producer_story_pass(&story, 5001);
    assert_non_null(strstr(story.trace, "0 open\n"));
    producer_story_end(&story);
}

static void a_refusal_in_a_session_returns_its_tasks(void **state)
{
    (void)state;
    struct producer_story story;
    producer_story_start_links(&story, 2);
    producer_story_say(
        &story, 1, (struct message){.kind = MESSAGE_HEARTBEAT, .u.heartbeat = {.backlog = 1000}});
    producer_story_submit(&story, "a");
    producer_story_turn(&story);
    producer_story_say(
        &story, 0, (struct message){.kind = MESSAGE_REFUSE, .u.refuse = {.reason = REASON_BUSY}});
    producer_story_turn(&story);
    producer_story_expect(&story, "[ 0.0] 0 submit 1 front: a\n"
                                  "[ 0.0] 0 refused busy\n"
                                  "[ 0.0] 0 shut\n"
                                  "[ 0.0] 0 lost\n"
                                  "[ 0.0] 1 submit 1 front: a\n");
    producer_story_end(&story);
}

static void a_gap_in_what_the_ventilator_says_ends_the_session(void **state)
{
    (void)state;
    struct producer_story story;
    producer_story_start_links(&story, 1);
    producer_story_submit(&story, "a");
    producer_story_turn(&story);
    story.links[0].sequence++;
    producer_story_accept(&story, 0, 1);
    producer_story_expect(&story, "[ 0.0] 0 submit 1 front: a\n"
                                  "[ 0.0] 0 shut\n"
                                  "[ 0.0] 0 lost\n");
    producer_story_expect_counts(&story, "open 0 outbox 1 awaited 0 accepted 0 rejected 0 ended 0 "
                                         "unknown 0 resent 0");
    producer_story_end(&story);
}

/* As producer_story_open, with the heartbeat of a second that is the default. */
static void open_beating(struct producer_story *story)
{
    struct message welcome = {
        .kind = MESSAGE_WELCOME,
        .session = ++story->sessions,
        .u.welcome = {.node = producer_story_id('V'), .heartbeat_ms = 1000, .lost_ms = 4000},
    };
    story->links[0].session = story->sessions;
    story->links[0].sequence = 0;
    producer_story_turn(story);
    producer_story_on(story, PRODUCER_CONNECTED, 0);
    producer_story_step(story,
                        (struct producer_event){.kind = PRODUCER_MESSAGE, .message = &welcome});
    story->used = 0;
}

static void an_idle_session_beats_and_a_silent_one_is_lost(void **state)
{
    (void)state;
    struct producer_story story;
    struct producer_options options = producer_story_options_for(1);
    producer_story_start(&story, &options);
    open_beating(&story);
    producer_story_pass(&story, 2500);
    producer_story_say(&story, 0, (struct message){.kind = MESSAGE_HEARTBEAT});
    producer_story_pass(&story, 4000);
    producer_story_expect(&story, "[ 1.0] 0 heartbeat\n"
                                  "[ 2.0] 0 heartbeat\n"
                                  "[ 3.0] 0 heartbeat\n"
                                  "[ 4.0] 0 heartbeat\n"
                                  "[ 5.0] 0 heartbeat\n"
                                  "[ 6.0] 0 heartbeat\n"
                                  "[ 6.5] 0 shut\n"
                                  "[ 6.5] 0 lost\n");
    producer_story_end(&story);
}

static void a_producer_that_was_stopped_does_not_blame_the_ventilator(void **state)
{
    (void)state;
    struct producer_story story;
    struct producer_options options = producer_story_options_for(1);
    producer_story_start(&story, &options);
    open_beating(&story);
    producer_story_pass(&story, 500);
    story.now_ns += 60 * SECOND; /* suspended: no turn in all this time */
    producer_story_turn(&story);
    producer_story_pass(&story, 3900);
    producer_story_expect(&story, "[60.5] 0 heartbeat\n"
                                  "[61.5] 0 heartbeat\n"
                                  "[62.5] 0 heartbeat\n"
                                  "[63.5] 0 heartbeat\n");
    producer_story_pass(&story, 100);
    producer_story_expect(&story, "[64.5] 0 shut\n"
                                  "[64.5] 0 lost\n");
    producer_story_end(&story);
}

static void a_query_goes_to_its_link_and_its_answer_comes_back(void **state)
{
    (void)state;
    struct producer_story story;
    producer_story_start_links(&story, 2);
    struct producer_event ask = {
        .kind = PRODUCER_QUERY, .link = 1, .query = {.query = QUERY_WORKERS}};
    producer_story_step(&story, ask);
    producer_story_say(
        &story, 1, (struct message){.kind = MESSAGE_ANSWER, .u.answer = {.query = QUERY_WORKERS}});
    producer_story_on(&story, PRODUCER_CLOSED, 1);
    producer_story_step(&story, ask); /* nobody there to ask */
    producer_story_expect(&story, "[ 0.0] 1 query 2\n"
                                  "[ 0.0] 1 answer 2\n"
                                  "[ 0.0] 1 shut\n"
                                  "[ 0.0] 1 lost\n");
    producer_story_end(&story);
}

static void orders_about_dead_letters_go_their_way_and_come_back_likewise(void **state)
{
    (void)state;
    struct producer_story story;
    producer_story_start_links(&story, 2);
    const struct id letters[] = {{{1}}, {{2}}};
    const struct message_dispose dispose = {.disposal = DISPOSAL_RETRY, .ids = letters, .count = 2};
    struct producer_event order = {.kind = PRODUCER_DISPOSE, .link = 1, .dispose = &dispose};
    producer_story_step(&story, order);
    producer_story_say(&story, 1,
                       (struct message){.kind = MESSAGE_DISPOSED, .u.disposed = {.affected = 2}});
    producer_story_on(&story, PRODUCER_CLOSED, 1);
    producer_story_step(&story, order); /* nobody there to tell */
    producer_story_expect(&story, "[ 0.0] 1 dispose 1 of 2\n"
                                  "[ 0.0] 1 disposed 2\n"
                                  "[ 0.0] 1 shut\n"
                                  "[ 0.0] 1 lost\n");
    producer_story_end(&story);
}

static void stopping_says_bye_where_a_session_stands_and_nothing_after(void **state)
{
    (void)state;
    struct producer_story story;
    producer_story_start_links(&story, 3);
    producer_story_submit(&story, "a");
    producer_story_on(&story, PRODUCER_CLOSED, 1);
    story.used = 0;
    producer_story_on(&story, PRODUCER_STOP, 0);
    producer_story_pass(&story, 60 * 1000);
    producer_story_submit(&story, "b");
    assert_true(story.out->full);
    assert_true(producer_deadline(story.producer) == INSTANT_NEVER);
    producer_story_expect(&story, "[ 0.0] 0 bye\n"
                                  "[ 0.0] 2 bye\n");
    producer_story_end(&story);
}

static void an_intake_that_comes_up_after_its_session_ended_is_not_used(void **state)
{
    (void)state;
    struct producer_story story;
    producer_story_start_links(&story, 1);
    producer_story_reconnect(&story, 0);
    producer_story_on(&story, PRODUCER_INTAKE_UP, 0);
    producer_story_open(&story, 0, 'V');
    story.used = 0;
    producer_story_submit(&story, "a");
    producer_story_turn(&story);
    producer_story_expect(&story, "[ 0.1] 0 submit 1 front: a\n");
    producer_story_end(&story);
}

static void a_drain_is_sent_and_answered(void **state)
{
    (void)state;
    struct producer_story story;
    struct producer_options options = producer_story_options();
    const struct message_drain drain = {.target = bytes_text("w"), .grace_ms = 500};
    const struct producer_event event = {.kind = PRODUCER_DRAIN, .drain = &drain};
    producer_story_start_open(&story, &options);
    producer_story_step(&story, event);
    producer_story_say(&story, 0,
                       (struct message){.kind = MESSAGE_DRAINING, .u.draining = {.affected = 2}});
    producer_story_expect(&story, "[ 0.0] 0 drain 'w' within 500\n"
                                  "[ 0.0] 0 draining 2\n");
    producer_story_on(&story, PRODUCER_CLOSED, 0);
    story.used = 0;
    story.trace[0] = '\0';
    producer_story_step(&story, event); /* to nobody */
    producer_story_expect(&story, "");
    producer_story_end(&story);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lost_session_sends_the_same_tasks_again_in_order),
        cmocka_unit_test(an_answer_of_the_session_before_is_not_taken_for_one_of_this),
        cmocka_unit_test(a_new_session_begins_without_the_pause_and_backlog_of_the_old),
        cmocka_unit_test(what_one_ventilator_did_not_accept_the_other_gets_when_it_dies),
        cmocka_unit_test(the_less_loaded_ventilator_gets_the_batch),
        cmocka_unit_test(what_a_busy_ventilator_refused_goes_to_another),
        cmocka_unit_test(a_batch_without_answer_tries_the_same_ventilator_once_more_first),
        cmocka_unit_test(a_refusal_is_told_and_tried_again_slowly),
        cmocka_unit_test(a_refusal_in_a_session_returns_its_tasks),
        cmocka_unit_test(a_gap_in_what_the_ventilator_says_ends_the_session),
        cmocka_unit_test(an_idle_session_beats_and_a_silent_one_is_lost),
        cmocka_unit_test(a_producer_that_was_stopped_does_not_blame_the_ventilator),
        cmocka_unit_test(a_query_goes_to_its_link_and_its_answer_comes_back),
        cmocka_unit_test(orders_about_dead_letters_go_their_way_and_come_back_likewise),
        cmocka_unit_test(stopping_says_bye_where_a_session_stands_and_nothing_after),
        cmocka_unit_test(an_intake_that_comes_up_after_its_session_ended_is_not_used),
        cmocka_unit_test(a_drain_is_sent_and_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
