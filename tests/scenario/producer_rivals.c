/* producer_rivals.c - stories of two producers that wait for the same task.
 *
 * Owns: what the one hears from which the other takes it.
 * Not here: whose it is (ventilator_results.c).
 */
#include "producer_story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Another producer waits for these now: no end, and nothing more to be heard. */
static void say_displaced(struct producer_story *story, uint32_t link, const char *letters)
{
    struct result items[8];
    uint32_t count = 0;
    for (; letters[count] != '\0'; count++) {
        items[count] = (struct result){.id = producer_story_id(letters[count]),
                                       .state = TASK_CANCELLED,
                                       .reason = REASON_AWAITED};
    }
    producer_story_say(
        story, link,
        (struct message){.kind = MESSAGE_RESULT, .u.result = {.items = items, .count = count}});
}

static void a_task_that_another_producer_took_over_ends_unknown(void **state)
{
    (void)state;
    struct producer_story story;
    producer_story_start_links(&story, 1);
    producer_story_submit(&story, "ab");
    producer_story_turn(&story);
    producer_story_accept(&story, 0, 1);
    producer_story_submit(&story, "cD");
    producer_story_turn(&story);
    say_displaced(&story, 0, "acDx"); /* the ACCEPT of c waits for the disk; D wants no result */
    producer_story_reject(&story, 0, 2, (struct rejection){.item = 0, .reason = REASON_AWAITED});
    producer_story_result(&story, 0, "abc"); /* of a and c another one was to hear */
    producer_story_expect(&story, "[ 0.0] 0 submit 1 front: ab\n"
                                  "[ 0.0] 0 accepted a\n"
                                  "[ 0.0] 0 accepted b\n"
                                  "[ 0.0] 0 submit 2 front: cD\n"
                                  "[ 0.0] 0 unknown a awaited\n"
                                  "[ 0.0] 0 accepted c\n"
                                  "[ 0.0] 0 unknown c awaited\n"
                                  "[ 0.0] 0 accepted D\n"
                                  "[ 0.0] 0 ended b\n");
    producer_story_expect_counts(&story, "open 1 outbox 0 awaited 0 accepted 4 rejected 0 ended 1 "
                                         "unknown 2 resent 0");
    producer_story_end(&story);
}

/* A former owner may say so of a task that was given to another one since. */
static void only_its_owner_says_who_waits_for_a_task(void **state)
{
    (void)state;
    struct producer_story story;
    struct producer_options options = producer_story_options_for(2);
    options.guarded = true;
    producer_story_start_open(&story, &options);
    producer_story_submit(&story, "a");
    producer_story_turn(&story);
    producer_story_accept(&story, 0, 1);
    say_displaced(&story, 1, "a");
    producer_story_result(&story, 0, "a");
    producer_story_expect(&story, "[ 0.0] 0 submit 1 front: a\n"
                                  "[ 0.0] 0 accepted a\n"
                                  "[ 0.0] 0 ended a\n");
    producer_story_end(&story);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_task_that_another_producer_took_over_ends_unknown),
        cmocka_unit_test(only_its_owner_says_who_waits_for_a_task),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
