/* worker_tells.c - what a worker says without being done: how far its runs are, what
 * waits in it, and that it drains; and what it heeds.
 */
#include "worker_story.h"

#include "core/worker_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* As many slots as ventilators need: two for each. */
static void start(struct worker_story *story, uint32_t links)
{
    struct worker_options options = worker_story_options();
    options.link_count = links;
    options.slots = 2 * links;
    worker_story_start_open(story, &options);
}

static void give_and_begin(struct worker_story *story, uint32_t link, const char *lease)
{
    worker_story_give(story, link, lease, 0);
    worker_story_begin(story, lease);
    worker_story_turn(story);
}

/* Without what is heard of every turn. */
static void pass_quietly(struct worker_story *story, uint64_t ms)
{
    worker_story_pass(story, ms);
    worker_story_clear(story);
}

static void progress_is_told_in_the_turn_and_then_every_100_ms(void **unused)
{
    (void)unused;
    struct worker_story story;
    start(&story, 1);
    give_and_begin(&story, 0, "a1");
    pass_quietly(&story, 20);
    worker_story_progress(&story, "a1", 1, "first");
    worker_story_turn(&story);
    for (uint64_t number = 2; number <= 24; number++) {
        worker_story_pass(&story, 10);
        worker_story_progress(&story, "a1", number, "on");
        worker_story_turn(&story);
    }
    worker_story_pass(&story, 500);
    assert_string_equal(story.trace, "[ 0.02] 0 PROGRESS a1 1 (first)\n"
                                     "[ 0.12] 0 PROGRESS a1 10 (on)\n"
                                     "[ 0.22] 0 PROGRESS a1 20 (on)\n"
                                     "[ 0.32] 0 PROGRESS a1 24 (on)\n");
    worker_story_end(&story);
}

static void one_message_for_each_ventilator_tells_of_all_its_runs(void **unused)
{
    (void)unused;
    struct worker_story story;
    start(&story, 2);
    give_and_begin(&story, 0, "a1");
    give_and_begin(&story, 1, "b1");
    give_and_begin(&story, 0, "c1");
    worker_story_clear(&story);
    worker_story_progress(&story, "a1", 1, "");
    worker_story_progress(&story, "b1", 2, NULL);
    worker_story_progress(&story, "c1", 3, "three");
    worker_story_turn(&story);
    assert_string_equal(story.trace, "[ 0.00] 0 PROGRESS a1 1 () c1 3 (three)\n"
                                     "[ 0.00] 1 PROGRESS b1 2\n");
    worker_story_end(&story);
}

static void a_text_is_cut_and_kept_no_longer_than_its_run(void **unused)
{
    (void)unused;
    struct worker_story story;
    char text[MESSAGE_PROGRESS_BYTES_MAX + 2] = "";
    memset(text, 'x', sizeof text - 1);
    start(&story, 1);
    give_and_begin(&story, 0, "a1");
    worker_story_progress(&story, "a1", 1, text);
    worker_story_turn(&story);
    text[MESSAGE_PROGRESS_BYTES_MAX] = '\0';
    const struct message *said = &story.out->actions[0].message;
    assert_int_equal(said->kind, MESSAGE_PROGRESS);
    assert_true(bytes_equal(said->u.progress.items[0].text, bytes_text(text)));
    worker_story_progress(&story, "a1", 2, text);
    worker_story_finish(&story, "a1", OUTCOME_CRASHED, 1);
    assert_int_equal(story.worker->store.bytes_used, 0);
    worker_story_clear(&story);
    worker_story_pass(&story, 500);
    assert_false(worker_story_tells(&story, "PROGRESS"));
    worker_story_end(&story);
}

static void progress_of_a_revoked_run_is_forgotten(void **unused)
{
    (void)unused;
    struct worker_story story;
    start(&story, 1);
    give_and_begin(&story, 0, "a1");
    worker_story_progress(&story, "a1", 1, "one");
    worker_story_revoke(&story, 0, "a1");
    worker_story_progress(&story, "a1", 2, "two");
    worker_story_clear(&story);
    worker_story_pass(&story, 500);
    assert_false(worker_story_tells(&story, "PROGRESS"));
    worker_story_finish(&story, "a1", OUTCOME_DONE, 500);
    assert_int_equal(story.worker->store.bytes_used, 0);
    worker_story_end(&story);
}

static void a_new_session_hears_of_the_next_progress_only(void **unused)
{
    (void)unused;
    struct worker_story story;
    start(&story, 1);
    give_and_begin(&story, 0, "a1");
    worker_story_on(&story, WORKER_CLOSED, 0);
    worker_story_progress(&story, "a1", 1, "unheard");
    worker_story_pass(&story, 100);
    worker_story_open(&story, 0, 'v', "");
    worker_story_clear(&story);
    worker_story_pass(&story, 500);
    assert_false(worker_story_tells(&story, "PROGRESS"));
    worker_story_progress(&story, "a1", 2, "heard");
    worker_story_turn(&story);
    assert_true(worker_story_tells(&story, "PROGRESS a1 2 (heard)\n"));
    worker_story_end(&story);
}

static void an_old_ventilator_hears_of_no_progress(void **unused)
{
    (void)unused;
    struct worker_story story;
    start(&story, 1);
    story.worker->links[0].uplink.minor = 1;
    give_and_begin(&story, 0, "a1");
    worker_story_clear(&story);
    worker_story_progress(&story, "a1", 1, "one");
    worker_story_pass(&story, 500);
    assert_string_equal(story.trace, "");
    worker_story_end(&story);
}

static void a_job_that_waits_is_said_after_25_ms_and_when_that_changes(void **unused)
{
    (void)unused;
    struct worker_story story;
    start(&story, 1);
    give_and_begin(&story, 0, "a1");
    give_and_begin(&story, 0, "b1");
    worker_story_give(&story, 0, "c1", 0);
    worker_story_clear(&story);
    worker_story_pass(&story, 50); /* once */
    assert_string_equal(story.trace, "[ 0.03] 0 HEARTBEAT held 3 running 2\n");
    worker_story_clear(&story);
    worker_story_give(&story, 0, "d1", 0); /* the next ones no oftener than every 25 ms */
    worker_story_pass(&story, 10);
    worker_story_give(&story, 0, "e1", 0);
    worker_story_pass(&story, 35);
    assert_string_equal(story.trace, "[ 0.05] 0 run d1\n"
                                     "[ 0.05] 0 HEARTBEAT held 4 running 2\n"
                                     "[ 0.06] 0 run e1\n"
                                     "[ 0.07] 0 HEARTBEAT held 5 running 2\n");
    worker_story_end(&story);
}

/* The ventilator passes over what it gave less than 20 ms ago, and has forgotten the
 * rest when that is old enough. */
static void that_the_last_one_waits_for_long_is_said_again(void **unused)
{
    (void)unused;
    struct worker_story story;
    start(&story, 1);
    give_and_begin(&story, 0, "a1");
    give_and_begin(&story, 0, "b1");
    worker_story_give(&story, 0, "c1", 0);
    worker_story_pass(&story, 20);
    worker_story_give(&story, 0, "d1", 0);
    worker_story_clear(&story);
    worker_story_pass(&story, 79);
    assert_string_equal(story.trace, "[ 0.03] 0 HEARTBEAT held 4 running 2\n"
                                     "[ 0.05] 0 HEARTBEAT held 4 running 2\n");
    worker_story_end(&story);
}

static void that_nothing_waits_any_more_is_said_too(void **unused)
{
    (void)unused;
    struct worker_story story;
    start(&story, 1);
    give_and_begin(&story, 0, "a1");
    give_and_begin(&story, 0, "b1");
    worker_story_give(&story, 0, "c1", 0);
    worker_story_pass(&story, 100);
    worker_story_clear(&story);
    worker_story_finish(&story, "a1", OUTCOME_RETURNED, 100);
    worker_story_begin(&story, "c1");
    worker_story_turn(&story);
    assert_true(worker_story_tells(&story, "[ 0.10] 0 HEARTBEAT held 2 running 2\n"));
    worker_story_clear(&story);
    worker_story_finish(&story, "b1", OUTCOME_RETURNED, 100);
    worker_story_pass(&story, 200); /* and from then on it is as quiet as ever */
    assert_false(worker_story_tells(&story, "HEARTBEAT"));
    worker_story_end(&story);
}

/* Ten at a time, each of which is there for 10 ms: there is nothing to say. */
static void jobs_that_pass_quickly_are_said_nothing_of(void **unused)
{
    (void)unused;
    struct worker_story story;
    struct worker_options options = worker_story_options();
    worker_story_start(&story, &options);
    worker_story_turn(&story);
    worker_story_open(&story, 0, 'v', "");
    worker_story_turn(&story);
    worker_story_give(&story, 0, "a1 b1 c1 d1 e1 f1 g1 h1 i1 j1", 0);
    worker_story_clear(&story);
    for (int round = 0; round < 300; round++) {
        char lease[] = {(char)('a' + round % 10), '1', '\0'};
        worker_story_pass(&story, 1);
        worker_story_finish(&story, lease, OUTCOME_DONE, 1);
        worker_story_turn(&story);
        worker_story_receipt(&story, 0);
        worker_story_give(&story, 0, lease, 0);
        assert_false(worker_story_tells(&story, "HEARTBEAT"));
        worker_story_clear(&story);
    }
    worker_story_end(&story);
}

static void a_worker_that_drains_says_so_at_once(void **unused)
{
    (void)unused;
    struct worker_story story;
    start(&story, 2);
    worker_story_clear(&story);
    worker_story_on(&story, WORKER_DRAIN, 0);
    worker_story_turn(&story);
    assert_string_equal(story.trace, "[ 0.00] 0 HEARTBEAT held 0 running 0 draining\n"
                                     "[ 0.00] 1 HEARTBEAT held 0 running 0 draining\n");
    worker_story_on(&story, WORKER_CLOSED, 1);
    worker_story_pass(&story, 100);
    worker_story_clear(&story);
    worker_story_open(&story, 1, 'w', "");
    worker_story_turn(&story);
    assert_true(worker_story_tells(&story, "1 HEARTBEAT held 0 running 0 draining\n"));
    worker_story_end(&story);
}

/* What was said was said because of the drain, and not because something waits. */
static void what_goes_back_in_a_drain_is_not_said_at_once(void **unused)
{
    (void)unused;
    struct worker_story story;
    start(&story, 1);
    give_and_begin(&story, 0, "a1");
    give_and_begin(&story, 0, "b1");
    worker_story_give(&story, 0, "c1", 0);
    worker_story_clear(&story);
    worker_story_on(&story, WORKER_DRAIN, 0);
    worker_story_turn(&story);
    worker_story_finish(&story, "c1", OUTCOME_RETURNED, 0);
    worker_story_pass(&story, 500);
    assert_string_equal(story.trace, "[ 0.00] 0 HEARTBEAT held 3 running 2 draining\n"
                                     "[ 0.00] 0 COMPLETE c1 returned\n");
    worker_story_end(&story);
}

static void ask_to_drain(struct worker_story *story, uint32_t link, uint32_t grace_ms)
{
    struct message message = {.kind = MESSAGE_DRAIN};
    message.u.drain.grace_ms = grace_ms;
    worker_story_say(story, link, message);
}

static void who_is_asked_to_drain_hears_it_once(void **unused)
{
    (void)unused;
    struct worker_story story;
    start(&story, 2);
    worker_story_clear(&story);
    ask_to_drain(&story, 0, 30000);
    ask_to_drain(&story, 0, 1000);
    ask_to_drain(&story, 1, UINT32_MAX);
    worker_story_turn(&story);
    assert_string_equal(story.trace, "[ 0.00] 0 asked to drain: 30000\n");
    worker_story_end(&story);
}

/* What did not begin went back before, as RETURNED; what runs is given up with the
 * session, and told. */
static void a_worker_whose_grace_is_over_tells_what_runs_and_says_bye(void **unused)
{
    (void)unused;
    struct worker_story story;
    start(&story, 1);
    give_and_begin(&story, 0, "a1");
    give_and_begin(&story, 0, "b1");
    worker_story_give(&story, 0, "c1", 0);
    worker_story_clear(&story);
    worker_story_on(&story, WORKER_DRAIN, 0);
    worker_story_finish(&story, "c1", OUTCOME_RETURNED, 0);
    worker_story_finish(&story, "b1", OUTCOME_DONE, 1);
    worker_story_on(&story, WORKER_STOP, 0);
    assert_string_equal(story.trace, "[ 0.00] 0 COMPLETE c1 returned b1 done =b1\n"
                                     "[ 0.00] 0 BYE\n"
                                     "[ 0.00] 0 tell a1 (revoked)\n");
    worker_story_end(&story);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(progress_is_told_in_the_turn_and_then_every_100_ms),
        cmocka_unit_test(one_message_for_each_ventilator_tells_of_all_its_runs),
        cmocka_unit_test(a_text_is_cut_and_kept_no_longer_than_its_run),
        cmocka_unit_test(progress_of_a_revoked_run_is_forgotten),
        cmocka_unit_test(a_new_session_hears_of_the_next_progress_only),
        cmocka_unit_test(an_old_ventilator_hears_of_no_progress),
        cmocka_unit_test(a_job_that_waits_is_said_after_25_ms_and_when_that_changes),
        cmocka_unit_test(that_the_last_one_waits_for_long_is_said_again),
        cmocka_unit_test(that_nothing_waits_any_more_is_said_too),
        cmocka_unit_test(jobs_that_pass_quickly_are_said_nothing_of),
        cmocka_unit_test(a_worker_that_drains_says_so_at_once),
        cmocka_unit_test(what_goes_back_in_a_drain_is_not_said_at_once),
        cmocka_unit_test(who_is_asked_to_drain_hears_it_once),
        cmocka_unit_test(a_worker_whose_grace_is_over_tells_what_runs_and_says_bye),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
