/* producer_guarded.c - stories of accepted tasks that outlive their ventilator.
 *
 * Owns: guarded mode: who gets the tasks of a ventilator that is away or lost
 * them, and what the application hears of all that.
 * Not here: limits and crowds (producer_guarded_many.c), chance (producer_chaos.c).
 */
#include "producer_story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The next task goes to any other link but this one. */
static void burden(struct producer_story *story, uint32_t link, uint64_t backlog)
{
    producer_story_say(
        story, link,
        (struct message){.kind = MESSAGE_HEARTBEAT, .u.heartbeat = {.backlog = backlog}});
}

/* Guarded, with `letters` accepted by link 0, ventilator 'V'. */
static void start(struct producer_story *story, uint32_t link_count, const char *letters)
{
    struct producer_options options = producer_story_options_for(link_count);
    options.guarded = true;
    producer_story_start_open(story, &options);
    for (uint32_t link = 1; link < link_count; link++) burden(story, link, 1000);
    producer_story_submit(story, letters);
    producer_story_turn(story);
    producer_story_accept(story, 0, 1);
}

static void forget_trace(struct producer_story *story)
{
    story->used = 0;
    story->trace[0] = '\0';
}

/* The connection of `link` breaks, and for this long nobody answers there, and
 * nothing is sent to anybody. */
static void lose_for(struct producer_story *story, uint32_t link, uint64_t ms)
{
    forget_trace(story);
    producer_story_on(story, PRODUCER_CLOSED, link);
    producer_story_turn(story);
    producer_story_pass(story, ms);
    assert_null(strstr(story->trace, "submit"));
    forget_trace(story);
}

/* Link 0 answers again, as `node`. */
static void come_back(struct producer_story *story, char node)
{
    for (;;) {
        producer_story_on(story, PRODUCER_CONNECTED, 0);
        if (strstr(story->trace, "0 hello\n") != NULL) break;
        producer_story_pass(story, 100); /* it makes a pause between its attempts */
    }
    producer_story_open(story, 0, node);
    forget_trace(story);
    producer_story_turn(story);
}

static void tasks_of_a_ventilator_that_stays_away_go_to_another(void **state)
{
    (void)state;
    struct producer_story story;
    start(&story, 2, "aB");
    producer_story_expect(&story, "[ 0.0] 0 submit 1 front: aB\n"
                                  "[ 0.0] 0 accepted a\n"
                                  "[ 0.0] 0 accepted B\n");
    lose_for(&story, 0, 9999);
    producer_story_pass(&story, 1);
    producer_story_expect(&story, "[10.0] 1 submit 1 front: aB\n");
    for (uint32_t item = 0; item < 2; item++) { /* as whole as at first */
        const struct submission *again = &story.out->submissions[item];
        assert_true(bytes_equal(again->name, bytes_text("task")));
        assert_true(bytes_equal(again->payload, bytes_text(item == 0 ? "a" : "B")));
    }
    producer_story_accept(&story, 1, 1); /* was told already */
    producer_story_expect_counts(&story, "open 1 outbox 0 awaited 2 accepted 2 rejected 0 ended 0 "
                                         "unknown 0 resent 0 failed over 2");
    producer_story_result(&story, 1, "aB");
    producer_story_turn(&story);
    producer_story_expect(&story, "[10.0] 1 ended a\n"
                                  "[10.0] 1 ended B\n"
                                  "[10.0] 1 receipt through 3\n");
    producer_story_expect_counts(&story, "open 1 outbox 0 awaited 0 accepted 2 rejected 0 ended 2 "
                                         "unknown 0 resent 0 failed over 2");
    producer_story_end(&story);
}

static void a_guarded_task_asks_for_its_result_whoever_wants_it(void **state)
{
    (void)state;
    struct producer_story story;
    struct producer_options options = producer_story_options();
    for (int guarded = 0; guarded < 2; guarded++) {
        options.guarded = guarded != 0;
        producer_story_start_open(&story, &options);
        producer_story_submit(&story, "aB");
        producer_story_on(&story, PRODUCER_TURN, 0);
        assert_int_equal(story.out->submission_count, 2);
        assert_int_equal(story.out->submissions[0].flags, SUBMISSION_WANTS_RESULT);
        assert_int_equal(story.out->submissions[1].flags, guarded ? SUBMISSION_WANTS_RESULT : 0);
        producer_story_end(&story);
    }
}

/* For whoever keeps tasks on disk as well. */
static void a_task_can_be_looked_at_as_long_as_it_is_kept_whole(void **state)
{
    (void)state;
    struct producer_story story;
    struct submission found;
    struct producer_options options = producer_story_options();
    struct id a = producer_story_id('a'), b = producer_story_id('b');
    for (int guarded = 0; guarded < 2; guarded++) {
        options.guarded = guarded != 0;
        producer_story_start_open(&story, &options);
        producer_story_submit(&story, "a");
        assert_false(producer_task(story.producer, &b, &found));
        assert_true(producer_task(story.producer, &a, &found));
        producer_story_turn(&story);
        assert_true(producer_task(story.producer, &a, &found));
        assert_true(id_equal(&found.id, &a));
        assert_true(bytes_equal(found.name, bytes_text("task")));
        assert_true(bytes_equal(found.payload, bytes_text("a")));
        producer_story_accept(&story, 0, 1);
        assert_int_equal(producer_task(story.producer, &a, &found), guarded);
        producer_story_result(&story, 0, "a");
        assert_false(producer_task(story.producer, &a, &found));
        producer_story_end(&story);
    }
}

static void a_short_absence_changes_nothing(void **state)
{
    (void)state;
    struct producer_story story;
    start(&story, 2, "ab");
    lose_for(&story, 0, 9000);
    come_back(&story, 'V');
    producer_story_pass(&story, 30000);
    producer_story_result(&story, 0, "ab");
    producer_story_expect(&story, "[39.0] 0 ended a\n"
                                  "[39.0] 0 ended b\n");
    producer_story_end(&story);
}

static void without_a_guard_an_owner_is_waited_for(void **state)
{
    (void)state;
    struct producer_story story;
    struct producer_options options = producer_story_options_for(2);
    producer_story_start_open(&story, &options);
    burden(&story, 1, 1000);
    producer_story_submit(&story, "a");
    producer_story_turn(&story);
    producer_story_accept(&story, 0, 1);
    forget_trace(&story);
    lose_for(&story, 0, 40000);
    come_back(&story, 'V');
    producer_story_result(&story, 0, "a");
    producer_story_expect(&story, "[40.0] 0 ended a\n");
    producer_story_end(&story);
}

static void an_owner_that_comes_back_as_another_gets_its_tasks_at_once(void **state)
{
    (void)state;
    struct producer_story story;
    start(&story, 1, "aB");
    lose_for(&story, 0, 40000); /* nobody else is there: it is waited for */
    come_back(&story, 'X');
    producer_story_accept(&story, 0, 1);
    producer_story_result(&story, 0, "aB");
    producer_story_expect(&story, "[40.1] 0 submit 1 front: aB\n"
                                  "[40.1] 0 ended a\n"
                                  "[40.1] 0 ended B\n");
    producer_story_end(&story);
}

static void an_owner_that_gave_our_results_up_gets_its_tasks_at_once(void **state)
{
    (void)state;
    struct producer_story story;
    start(&story, 2, "ab");
    story.links[0].forgetful = true;
    lose_for(&story, 0, 100);
    come_back(&story, 'V');
    producer_story_expect(&story, "[ 0.1] 0 submit 1 front: ab\n");
    producer_story_end(&story);
}

static void a_former_owner_may_still_have_the_first_word(void **state)
{
    (void)state;
    struct producer_story story;
    start(&story, 2, "abc");
    lose_for(&story, 0, 9999);
    producer_story_pass(&story, 1);
    come_back(&story, 'V');
    producer_story_result(&story, 0, "ab"); /* while they fly to the other one */
    producer_story_accept(&story, 1, 1);    /* of which c is left */
    producer_story_result(&story, 1, "abc");
    producer_story_result(&story, 0, "c"); /* second */
    producer_story_turn(&story);
    producer_story_expect(&story, "[10.0] 0 ended a\n"
                                  "[10.0] 0 ended b\n"
                                  "[10.0] 1 ended c\n"
                                  "[10.0] 0 receipt through 2\n"
                                  "[10.0] 1 receipt through 3\n");
    producer_story_expect_counts(&story, "open 2 outbox 0 awaited 0 accepted 3 rejected 0 ended 3 "
                                         "unknown 0 resent 0 failed over 3");
    producer_story_end(&story);
}

/* A partition that only we see: both ventilators run the task. */
static void a_task_that_runs_twice_ends_once(void **state)
{
    (void)state;
    struct producer_story story;
    start(&story, 2, "aB");
    lose_for(&story, 0, 9999);
    producer_story_pass(&story, 1);
    producer_story_accept(&story, 1, 1);
    come_back(&story, 'V'); /* it knows us: nothing is sent to it */
    producer_story_result(&story, 1, "a");
    producer_story_result(&story, 0, "aB");
    producer_story_result(&story, 1, "B");
    producer_story_turn(&story);
    producer_story_expect(&story, "[10.0] 1 ended a\n"
                                  "[10.0] 0 ended B\n"
                                  "[10.0] 0 receipt through 1\n"
                                  "[10.0] 1 receipt through 4\n");
    producer_story_end(&story);
}

/* The answer to a batch that was sent on to another one in the meantime. */
static void a_late_accept_gives_the_task_to_who_said_it(void **state)
{
    (void)state;
    struct producer_story story;
    struct producer_options options = producer_story_options_for(2);
    options.guarded = true;
    producer_story_start_open(&story, &options);
    burden(&story, 1, 1000);
    producer_story_submit(&story, "a");
    producer_story_turn(&story);
    producer_story_pass(&story, 5000); /* no answer: to the same once more */
    burden(&story, 0, 2000);
    producer_story_pass(&story, 5000); /* and then to the other */
    producer_story_accept(&story, 0, 1);
    producer_story_accept(&story, 1, 1);
    producer_story_expect(&story, "[ 0.0] 0 submit 1 front: a\n"
                                  "[ 5.0] 0 submit 2 front: a\n"
                                  "[10.0] 1 submit 1 front: a\n"
                                  "[10.0] 0 accepted a\n");
    lose_for(&story, 1, 20000); /* it owns nothing */
    lose_for(&story, 0, 1000);
    producer_story_expect_counts(&story, "open 0 outbox 0 awaited 1 accepted 1 rejected 0 ended 0 "
                                         "unknown 0 resent 2");
    producer_story_end(&story);
}

static void both_ventilators_die_in_turn(void **state)
{
    (void)state;
    struct producer_story story;
    start(&story, 2, "aB");
    lose_for(&story, 0, 9999);
    producer_story_pass(&story, 1);
    producer_story_accept(&story, 1, 1);
    come_back(&story, 'X'); /* it lost what the other has now: nothing is sent to it */
    producer_story_pass(&story, 5000);
    producer_story_expect(&story, "");
    lose_for(&story, 1, 9999);
    producer_story_pass(&story, 1);
    producer_story_expect(&story, "[25.0] 0 submit 1 front: aB\n");
    producer_story_accept(&story, 0, 1);
    producer_story_result(&story, 0, "aB");
    producer_story_expect(&story, "[25.0] 0 ended a\n"
                                  "[25.0] 0 ended B\n");
    producer_story_expect_counts(&story, "open 1 outbox 0 awaited 0 accepted 2 rejected 0 ended 2 "
                                         "unknown 0 resent 0 failed over 4");
    producer_story_end(&story);
}

static void tasks_wait_for_a_stand_in_that_is_busy(void **state)
{
    (void)state;
    struct producer_story story;
    start(&story, 2, "aB");
    lose_for(&story, 0, 9999);
    producer_story_pass(&story, 1);
    producer_story_submit(&story, "c");
    struct rejection busy[] = {{0, REASON_BUSY}, {1, REASON_BUSY}};
    producer_story_say(&story, 1,
                       (struct message){.kind = MESSAGE_ACCEPT,
                                        .u.accept = {.batch = 1, .rejections = busy, .count = 2}});
    producer_story_turn(&story);
    producer_story_expect(&story, "[10.0] 1 submit 1 front: aB\n");
    producer_story_pass(&story, 250);
    producer_story_expect(&story, "[10.2] 1 submit 2 front: aBc\n"); /* the oldest come first */
    producer_story_accept(&story, 1, 2);
    producer_story_expect(&story, "[10.2] 1 accepted c\n");
    producer_story_end(&story);
}

static void tasks_wait_for_their_owner_while_the_stand_in_drains(void **state)
{
    (void)state;
    struct producer_story story;
    start(&story, 2, "a");
    lose_for(&story, 0, 9999);
    producer_story_pass(&story, 1);
    producer_story_reject(&story, 1, 1, (struct rejection){.item = 0, .reason = REASON_DRAINING});
    forget_trace(&story);
    producer_story_pass(&story, 30000);
    assert_null(strstr(story.trace, "submit"));
    come_back(&story, 'V'); /* it knows the task and says so */
    producer_story_accept(&story, 0, 1);
    producer_story_result(&story, 0, "a");
    producer_story_expect(&story, "[40.0] 0 submit 1 front: a\n"
                                  "[40.0] 0 ended a\n");
    producer_story_end(&story);
}

/* Nobody but the application hears whether to try once more. */
static void a_stand_in_that_refuses_a_task_for_good_ends_it(void **state)
{
    (void)state;
    struct producer_story story;
    start(&story, 2, "aB");
    lose_for(&story, 0, 9999);
    producer_story_pass(&story, 1);
    struct rejection big[] = {{0, REASON_TOO_BIG}, {1, REASON_TOO_BIG}};
    producer_story_say(&story, 1,
                       (struct message){.kind = MESSAGE_ACCEPT,
                                        .u.accept = {.batch = 1, .rejections = big, .count = 2}});
    producer_story_expect(&story, "[10.0] 1 submit 1 front: aB\n"
                                  "[10.0] 0 unknown a too big\n"
                                  "[10.0] 0 unknown B too big\n");
    producer_story_expect_counts(&story, "open 1 outbox 0 awaited 0 accepted 2 rejected 0 ended 0 "
                                         "unknown 2 resent 0 failed over 2");
    producer_story_end(&story);
}

static void a_ventilator_that_says_bye_is_away_like_any_other(void **state)
{
    (void)state;
    struct producer_story story;
    start(&story, 2, "ab");
    producer_story_result(&story, 0, "a");
    producer_story_say(&story, 0, (struct message){.kind = MESSAGE_BYE});
    forget_trace(&story);
    producer_story_pass(&story, 9999);
    assert_null(strstr(story.trace, "submit"));
    forget_trace(&story);
    producer_story_pass(&story, 1);
    producer_story_expect(&story, "[10.0] 1 submit 1 front: b\n");
    producer_story_end(&story);
}

static void a_crowded_producer_fails_over_all_the_same(void **state)
{
    (void)state;
    struct producer_story story;
    start(&story, 2, "ab");
    producer_story_step(&story, (struct producer_event){.kind = PRODUCER_TURN, .crowded = true});
    producer_story_result(&story, 0, "a"); /* told, and not receipted */
    producer_story_on(&story, PRODUCER_CLOSED, 0);
    forget_trace(&story);
    story.now_ns += 10 * SECOND;
    producer_story_step(&story, (struct producer_event){.kind = PRODUCER_TURN, .crowded = true});
    assert_non_null(strstr(story.trace, "[10.0] 1 submit 1 front: b\n"));
    come_back(&story, 'V');
    producer_story_result(&story, 0, "a"); /* once more, since it saw no receipt */
    producer_story_result(&story, 1, "b");
    producer_story_step(&story, (struct producer_event){.kind = PRODUCER_TURN, .crowded = true});
    producer_story_expect(&story, "[10.0] 1 ended b\n");
    producer_story_turn(&story);
    producer_story_expect(&story, "[10.0] 0 receipt through 1\n"
                                  "[10.0] 1 receipt through 2\n");
    producer_story_end(&story);
}

static void patience_is_only_for_what_nobody_ever_accepted(void **state)
{
    (void)state;
    struct producer_story story;
    struct producer_options options = producer_story_options();
    options.guarded = true;
    options.unknown_ns = 20 * SECOND;
    producer_story_start_open(&story, &options);
    producer_story_submit(&story, "aB");
    producer_story_turn(&story);
    producer_story_accept(&story, 0, 1);
    lose_for(&story, 0, 15000);
    producer_story_submit(&story, "c");
    producer_story_pass(&story, 20000);
    assert_null(strstr(story.trace, "unknown a"));
    assert_non_null(strstr(story.trace, "unknown c"));
    come_back(&story, 'X');
    producer_story_expect(&story, "[35.0] 0 submit 1 front: aB\n");
    producer_story_pass(&story, 1000);
    lose_for(&story, 0, 30000); /* before it said that it has them */
    come_back(&story, 'Y');
    producer_story_expect(&story, "[67.6] 0 submit 1 front: aB\n");
    producer_story_end(&story);
}

static void the_application_chooses_how_long_to_wait(void **state)
{
    (void)state;
    struct producer_story story;
    struct producer_options options = producer_story_options_for(2);
    options.guarded = true;
    options.failover_ns = 50 * MILLISECOND;
    producer_story_start_open(&story, &options);
    burden(&story, 1, 1000);
    producer_story_submit(&story, "a");
    producer_story_turn(&story);
    producer_story_accept(&story, 0, 1);
    forget_trace(&story);
    lose_for(&story, 0, 49);
    producer_story_on(&story, PRODUCER_TURN, 0);
    forget_trace(&story);
    producer_story_pass(&story, 1);
    assert_non_null(strstr(story.trace, "1 submit 1 front: a\n"));
    producer_story_end(&story);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tasks_of_a_ventilator_that_stays_away_go_to_another),
        cmocka_unit_test(a_guarded_task_asks_for_its_result_whoever_wants_it),
        cmocka_unit_test(a_task_can_be_looked_at_as_long_as_it_is_kept_whole),
        cmocka_unit_test(a_short_absence_changes_nothing),
        cmocka_unit_test(without_a_guard_an_owner_is_waited_for),
        cmocka_unit_test(an_owner_that_comes_back_as_another_gets_its_tasks_at_once),
        cmocka_unit_test(an_owner_that_gave_our_results_up_gets_its_tasks_at_once),
        cmocka_unit_test(a_former_owner_may_still_have_the_first_word),
        cmocka_unit_test(a_task_that_runs_twice_ends_once),
        cmocka_unit_test(a_late_accept_gives_the_task_to_who_said_it),
        cmocka_unit_test(both_ventilators_die_in_turn),
        cmocka_unit_test(tasks_wait_for_a_stand_in_that_is_busy),
        cmocka_unit_test(tasks_wait_for_their_owner_while_the_stand_in_drains),
        cmocka_unit_test(a_stand_in_that_refuses_a_task_for_good_ends_it),
        cmocka_unit_test(a_ventilator_that_says_bye_is_away_like_any_other),
        cmocka_unit_test(a_crowded_producer_fails_over_all_the_same),
        cmocka_unit_test(patience_is_only_for_what_nobody_ever_accepted),
        cmocka_unit_test(the_application_chooses_how_long_to_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
