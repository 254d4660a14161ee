/* producer_orphans.c - stories of tasks whose ventilator has forgotten them.
 *
 * Owns: what is told of accepted tasks when nobody will tell their end.
 * Not here: sessions that only blink (producer_sessions.c).
 */
#include "producer_story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void a_ventilator_that_gave_our_results_up_leaves_its_tasks_unknown(void **state)
{
    (void)state;
    struct producer_story story;
    producer_story_start_links(&story, 1);
    producer_story_submit(&story, "a");
    producer_story_turn(&story);
    producer_story_accept(&story, 0, 1);
    producer_story_reconnect(&story, 0);
    producer_story_open(&story, 0, 'V'); /* it remembers: the result still comes */
    producer_story_turn(&story);
    producer_story_reconnect(&story, 0);
    story.links[0].forgetful = true;
    story.used = 0;
    producer_story_open(&story, 0, 'V');
    producer_story_turn(&story);
    producer_story_expect(&story, "[ 0.2] 0 hello\n"
                                  "[ 0.2] 0 opened\n"
                                  "[ 0.2] 0 intake\n"
                                  "[ 0.2] 0 unknown a owner gone\n");
    producer_story_end(&story);
}

static void a_ventilator_that_restarted_leaves_its_tasks_unknown(void **state)
{
    (void)state;
    struct producer_story story;
    producer_story_start_links(&story, 2);
    producer_story_say(
        &story, 1, (struct message){.kind = MESSAGE_HEARTBEAT, .u.heartbeat = {.backlog = 1000}});
    producer_story_submit(&story, "aBc");
    producer_story_turn(&story);
    producer_story_accept(&story, 0, 1);
    producer_story_say(
        &story, 0, (struct message){.kind = MESSAGE_HEARTBEAT, .u.heartbeat = {.backlog = 2000}});
    producer_story_submit(&story, "d");
    producer_story_turn(&story);
    producer_story_accept(&story, 1, 1);
    story.used = 0;
    producer_story_reconnect(&story, 0);
    producer_story_open(&story, 0, 'X');
    producer_story_turn(&story);
    producer_story_result(&story, 0, "a"); /* too late: it was told */
    producer_story_result(&story, 1, "d"); /* of another ventilator */
    producer_story_expect(&story, "[ 0.0] 0 shut\n"
                                  "[ 0.0] 0 lost\n"
                                  "[ 0.1] 0 open\n"
                                  "[ 0.1] 0 hello\n"
                                  "[ 0.1] 0 opened\n"
                                  "[ 0.1] 0 intake\n"
                                  "[ 0.1] 0 unknown a owner gone\n"
                                  "[ 0.1] 0 unknown c owner gone\n"
                                  "[ 0.1] 1 ended d\n");
    producer_story_expect_counts(&story, "open 2 outbox 0 awaited 0 accepted 4 rejected 0 ended 1 "
                                         "unknown 2 resent 0");
    producer_story_end(&story);
}

static void many_orphans_are_told_over_several_turns(void **state)
{
    (void)state;
    struct producer_story story;
    struct producer_options options = producer_story_options_for(1);
    options.tasks_max = 3000;
    producer_story_start_open(&story, &options);
    for (uint32_t n = 1; n <= 3000; n++) {
        struct submission submission = {.name = bytes_text("task"),
                                        .flags = SUBMISSION_WANTS_RESULT};
        memcpy(submission.id.octets, &n, sizeof n);
        producer_story_step(
            &story, (struct producer_event){.kind = PRODUCER_SUBMIT, .submission = &submission});
    }
    producer_story_turn(&story);
    uint32_t told[3] = {0};
    for (uint64_t batch = 1; batch <= 3; batch++) {
        producer_story_accept(&story, 0, batch);
        story.used = 0;
    }
    producer_story_reconnect(&story, 0);
    producer_story_open(&story, 0, 'X');
    for (uint32_t i = 0; i < 3; i++) {
        producer_story_on(&story, PRODUCER_TURN, 0);
        story.used = 0;
        told[i] = story.out->count;
        assert_int_equal(story.out->more, i < 2);
    }
    assert_int_equal(told[0], 1024);
    assert_int_equal(told[1], 1024);
    assert_int_equal(told[2], 952);
    producer_story_end(&story);
}

static void a_result_saves_an_orphan_that_was_not_told_yet(void **state)
{
    (void)state;
    struct producer_story story;
    producer_story_start_links(&story, 1);
    producer_story_submit(&story, "ab");
    producer_story_turn(&story);
    producer_story_accept(&story, 0, 1);
    producer_story_reconnect(&story, 0);
    story.used = 0;
    producer_story_open(&story, 0, 'X');
    producer_story_result(&story, 0, "b");
    producer_story_turn(&story);
    producer_story_expect(&story, "[ 0.1] 0 hello\n"
                                  "[ 0.1] 0 opened\n"
                                  "[ 0.1] 0 intake\n"
                                  "[ 0.1] 0 ended b\n"
                                  "[ 0.1] 0 receipt through 1\n"
                                  "[ 0.1] 0 unknown a owner gone\n");
    producer_story_end(&story);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ventilator_that_gave_our_results_up_leaves_its_tasks_unknown),
        cmocka_unit_test(a_ventilator_that_restarted_leaves_its_tasks_unknown),
        cmocka_unit_test(many_orphans_are_told_over_several_turns),
        cmocka_unit_test(a_result_saves_an_orphan_that_was_not_told_yet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
