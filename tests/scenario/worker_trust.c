/* worker_trust.c - until when a worker may believe that what it holds is its own. */
#include "worker_story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Two slots, lost after four seconds; a1 runs, c1 waits. */
static void start(struct worker_story *story)
{
    struct worker_options options = worker_story_options();
    worker_story_start_open(story, &options);
    worker_story_give(story, 0, "a1 b1 c1", 0);
    worker_story_begin(story, "a1");
    worker_story_begin(story, "b1");
    worker_story_clear(story);
}

/* In milliseconds from now; -1: not at all. */
static int64_t trust_ms(const struct worker_story *story)
{
    uint64_t until_ns = worker_trusted_until(story->worker, 0);
    return until_ns <= story->now_ns ? -1 : (int64_t)((until_ns - story->now_ns) / MILLISECOND);
}

static void beat(struct worker_story *story)
{
    worker_story_say(story, 0, (struct message){.kind = MESSAGE_HEARTBEAT});
}

static void trust_begins_and_ends_with_the_session(void **unused)
{
    (void)unused;
    struct worker_story story;
    struct worker_options options = worker_story_options();
    worker_story_start(&story, &options);
    assert_int_equal(trust_ms(&story), -1);
    worker_story_turn(&story);
    assert_int_equal(trust_ms(&story), -1);
    worker_story_open(&story, 0, 'v', "");
    worker_story_turn(&story);
    assert_int_equal(trust_ms(&story), 3000);
    worker_story_on(&story, WORKER_CLOSED, 0);
    assert_int_equal(trust_ms(&story), -1);
    worker_story_end(&story);
}

static void trust_lasts_for_as_long_as_both_sides_speak(void **unused)
{
    (void)unused;
    struct worker_story story;
    start(&story);
    for (int second = 0; second < 10; second++) {
        beat(&story);
        worker_story_pass(&story, 1000);
        worker_story_turn(&story);
        assert_in_range(trust_ms(&story), 2000, 3000);
    }
    worker_story_pass(&story, 2999); /* it is heard no more */
    worker_story_turn(&story);
    assert_in_range(trust_ms(&story), 0, 1);
    worker_story_pass(&story, 10);
    assert_int_equal(trust_ms(&story), -1);
    worker_story_end(&story);
}

static void who_stood_still_for_too_long_opens_the_session_anew(void **unused)
{
    (void)unused;
    struct worker_story story;
    start(&story);
    story.now_ns += 3000 * MILLISECOND;
    assert_int_equal(trust_ms(&story), -1);
    worker_story_turn(&story);
    assert_string_equal(story.trace, "[ 3.00] 0 shut\n"
                                     "[ 3.00] 0 lost\n");
    assert_int_equal(trust_ms(&story), -1);
    worker_story_finish(&story, "a1", OUTCOME_DONE, 3000);  /* under a lease that may be over */
    worker_story_finish(&story, "c1", OUTCOME_RETURNED, 0); /* the pool did not begin it */
    worker_story_pass(&story, 100);
    worker_story_clear(&story);
    worker_story_open(&story, 0, 'v', "b1 c1"); /* given to others; a1 was not */
    worker_story_turn(&story);
    assert_string_equal(story.trace, "[ 3.10] 0 HELLO b1 a1 c1\n"
                                     "[ 3.10] 0 tell b1 (revoked)\n"
                                     "[ 3.10] 0 opened\n"
                                     "[ 3.10] 0 COMPLETE a1 done =a1\n"
                                     "[ 3.10] 0 CREDIT 1\n");
    assert_int_equal(trust_ms(&story), 3000);
    worker_story_end(&story);
}

/* Messages that lay in the socket while we stood still were written to somebody who
 * was believed to be there, and nothing says that he still is. */
static void what_waited_while_we_stood_still_is_not_begun(void **unused)
{
    (void)unused;
    struct worker_story story;
    start(&story);
    story.now_ns += 60 * SECOND;
    beat(&story);
    assert_string_equal(story.trace, "[60.00] 0 shut\n"
                                     "[60.00] 0 lost\n");
    worker_story_give(&story, 0, "d1", 0);
    assert_null(strstr(story.trace, "run d1"));
    assert_int_equal(trust_ms(&story), -1);
    worker_story_end(&story);
}

static void a_short_stall_costs_nothing(void **unused)
{
    (void)unused;
    struct worker_story story;
    start(&story);
    for (int stalls = 0; stalls < 20; stalls++) {
        story.now_ns += 2500 * MILLISECOND;
        beat(&story);
        worker_story_turn(&story);
        assert_int_equal(trust_ms(&story), 3000);
    }
    assert_null(strstr(story.trace, "lost"));
    worker_story_end(&story);
}

/* A machine that never gets to run in time, and a ventilator that is gone. */
static void a_slow_machine_notices_a_silent_ventilator_all_the_same(void **unused)
{
    (void)unused;
    struct worker_story story;
    start(&story);
    uint32_t stalls = 0;
    for (; strstr(story.trace, "lost") == NULL; stalls++) {
        assert_true(stalls < 5);
        story.now_ns += 2500 * MILLISECOND;
        worker_story_turn(&story);
    }
    assert_true(stalls > 1);
    worker_story_end(&story);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trust_begins_and_ends_with_the_session),
        cmocka_unit_test(trust_lasts_for_as_long_as_both_sides_speak),
        cmocka_unit_test(who_stood_still_for_too_long_opens_the_session_anew),
        cmocka_unit_test(what_waited_while_we_stood_still_is_not_begun),
        cmocka_unit_test(a_short_stall_costs_nothing),
        cmocka_unit_test(a_slow_machine_notices_a_silent_ventilator_all_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
