/* worker_work.c - stories of leases that do not go the straight way. */
#include "worker_story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void start(struct worker_story *story)
{
    struct worker_options options = worker_story_options();
    worker_story_start_open(story, &options);
}

static void the_same_lease_twice_runs_once_and_another_attempt_runs_beside_it(void **unused)
{
    (void)unused;
    struct worker_story story;
    start(&story);
    worker_story_give(&story, 0, "a1", 0);
    worker_story_give(&story, 0, "a1 a2", 0);
    worker_story_finish(&story, "a1", OUTCOME_DONE, 5000);
    worker_story_turn(&story);
    worker_story_give(&story, 0, "a1", 0); /* finished, and not receipted */
    worker_story_finish(&story, "a2", OUTCOME_CRASHED, 5000);
    worker_story_turn(&story);
    assert_string_equal(story.trace, "[ 0.00] 0 run a1\n"
                                     "[ 0.00] 0 run a2\n"
                                     "[ 0.00] 0 COMPLETE a1 done =a1\n"
                                     "[ 0.00] 0 CREDIT 4\n"
                                     "[ 0.00] 0 CREDIT 5\n"
                                     "[ 0.00] 0 COMPLETE a2 crashed\n"
                                     "[ 0.00] 0 CREDIT 6\n");
    assert_int_equal(worker_story_counts(&story).failed, 1);
    worker_story_end(&story);
}

/* Whichever has the place of their task, and when that one goes and another one comes. */
static void each_lease_of_one_task_is_found_while_others_come_and_go(void **unused)
{
    (void)unused;
    struct worker_story story;
    start(&story);
    worker_story_give(&story, 0, "a1 a2 a3", 0);
    assert_int_equal(worker_story_counts(&story).held, 3);
    worker_story_finish(&story, "a1", OUTCOME_DONE, 5000);
    worker_story_turn(&story);
    worker_story_receipt(&story, 0);
    worker_story_give(&story, 0, "a2 a3", 0); /* nobody stands where the task does */
    assert_int_equal(worker_story_counts(&story).held, 2);
    worker_story_give(&story, 0, "a4 a5", 0); /* a4 does */
    worker_story_give(&story, 0, "a5 a4 a3 a2", 0);
    assert_int_equal(worker_story_counts(&story).held, 4);
    static const char *const order[] = {"a3", "a4", "a2", "a5"};
    for (uint32_t at = 0; at < 4; at++) {
        worker_story_clear(&story);
        worker_story_finish(&story, order[at], OUTCOME_DONE, 5000);
        worker_story_turn(&story);
        assert_true(worker_story_tells(&story, order[at]));
        worker_story_receipt(&story, 0);
        assert_int_equal(worker_story_counts(&story).held, 3 - at);
    }
    worker_story_clear(&story);
    worker_story_give(&story, 0, "a6 b1", 0);
    assert_true(worker_story_tells(&story, "run a6"));
    assert_true(worker_story_tells(&story, "run b1"));
    worker_story_end(&story);
}

static void the_same_lease_from_another_ventilator_is_given_back(void **unused)
{
    (void)unused;
    struct worker_story story;
    struct worker_options options = worker_story_options();
    options.link_count = 2;
    worker_story_start_open(&story, &options);
    worker_story_give(&story, 0, "a1", 0);
    worker_story_give(&story, 1, "a1", 0);
    assert_non_null(strstr(story.trace, "1 COMPLETE a1 returned"));
    assert_int_equal(worker_story_counts(&story).held, 1);
    worker_story_end(&story);
}

static void what_there_is_no_room_for_is_given_back(void **unused)
{
    (void)unused;
    struct worker_story story;
    struct worker_options options = worker_story_options();
    options.jobs_max = 4;
    worker_story_start_open(&story, &options);
    worker_story_give(&story, 0, "a1 b1 c1 d1 e1 f1", 0); /* far beyond its credit */
    assert_string_equal(story.trace, "[ 0.00] 0 run a1\n"
                                     "[ 0.00] 0 run b1\n"
                                     "[ 0.00] 0 run c1\n"
                                     "[ 0.00] 0 run d1\n"
                                     "[ 0.00] 0 COMPLETE e1 returned f1 returned\n");
    assert_int_equal(worker_story_counts(&story).held, 4);
    assert_int_equal(worker_story_counts(&story).returned, 2);
    worker_story_end(&story);
}

static void a_worker_that_drains_gives_back_what_did_not_start(void **unused)
{
    (void)unused;
    struct worker_story story;
    start(&story);
    worker_story_give(&story, 0, "a1 b1 c1", 0);
    worker_story_begin(&story, "a1");
    worker_story_begin(&story, "b1");
    worker_story_clear(&story);
    worker_story_on(&story, WORKER_DRAIN, 0);
    worker_story_finish(&story, "c1", OUTCOME_RETURNED, 0);
    worker_story_turn(&story);
    worker_story_give(&story, 0, "d1", 9);
    worker_story_finish(&story, "a1", OUTCOME_DONE, 5000);
    worker_story_finish(&story, "b1", OUTCOME_DONE, 5000);
    worker_story_turn(&story);
    worker_story_pass(&story, 1000);
    assert_string_equal(story.trace, "[ 0.00] 0 COMPLETE c1 returned\n"
                                     "[ 0.00] 0 HEARTBEAT held 2 running 2 draining\n"
                                     "[ 0.00] 0 COMPLETE d1 returned\n"
                                     "[ 0.00] 0 COMPLETE a1 done =a1 b1 done =b1\n"
                                     "[ 1.00] 0 HEARTBEAT held 0 running 0 draining\n");
    assert_int_equal(worker_story_counts(&story).returned, 2);
    assert_int_equal(worker_story_counts(&story).done, 2);
    worker_story_receipt(&story, 0);
    assert_int_equal(worker_story_counts(&story).owed, 0);
    worker_story_end(&story);
}

static void finish_with(struct worker_story *story, const char *name, struct bytes result)
{
    const struct finished finished = {
        .job = story->jobs[name[0] - 'a'][name[1] - '0'] - 1,
        .outcome = OUTCOME_DONE,
        .result = result,
        .run_ns = SECOND,
    };
    worker_story_step(
        story,
        (struct worker_event){.kind = WORKER_FINISHED, .finished = &finished, .finished_count = 1});
}

static void a_result_the_ventilator_would_refuse_is_a_permanent_failure(void **unused)
{
    (void)unused;
    struct worker_story story;
    start(&story);
    const uint32_t size = MESSAGE_PAYLOAD_BYTES_MAX + 1;
    struct bytes large = {.data = calloc(1, size), .size = size};
    worker_story_give(&story, 0, "a1 b1", 0);
    worker_story_clear(&story);
    finish_with(&story, "a1", large);
    large.size--;
    finish_with(&story, "b1", large);
    free((void *)large.data);
    worker_story_turn(&story);
    assert_string_equal(story.trace, "[ 0.00] 0 COMPLETE a1 permanent (result larger than the "
                                     "ventilator takes)\n"
                                     "[ 0.00] 0 COMPLETE b1 done\n"
                                     "[ 0.00] 0 CREDIT 4\n");
    worker_story_end(&story);
}

/* Gives, runs and completes leases with results of 1 MiB until one cannot be
 * kept; returns how many were. */
static uint32_t fill_store(struct worker_story *story)
{
    struct bytes large = {.data = calloc(1, 1024 * 1024), .size = 1024 * 1024};
    uint32_t kept = 0;
    for (char name[] = "a1"; name[0] <= 'w'; name[0]++) {
        worker_story_give(story, 0, name, 0);
        worker_story_clear(story);
        finish_with(story, name, large);
        if (worker_story_counts(story).returned > 0) break;
        kept++;
    }
    free((void *)large.data);
    return kept;
}

static void a_task_whose_result_has_no_room_is_given_back(void **unused)
{
    (void)unused;
    struct worker_story story;
    start(&story);
    worker_story_give(&story, 0, "z1", 0); /* so that there is never room for one more */
    assert_in_range(fill_store(&story), 10, 16);
    worker_story_turn(&story);
    assert_non_null(strstr(story.trace, " returned"));
    assert_int_equal(worker_story_counts(&story).failed, 0);

    worker_story_receipt(&story, 0);
    assert_int_equal(worker_story_counts(&story).owed, 0);
    worker_story_give(&story, 0, "x9", 0);
    worker_story_clear(&story);
    worker_story_finish(&story, "x9", OUTCOME_DONE, 1000);
    worker_story_turn(&story);
    assert_non_null(strstr(story.trace, "COMPLETE x9 done =x9"));
    worker_story_end(&story);
}

static void large_results_go_in_messages_of_bounded_size(void **unused)
{
    (void)unused;
    struct worker_story story;
    start(&story);
    struct bytes large = {.data = calloc(1, 65000), .size = 65000};
    worker_story_give(&story, 0, "a1 b1 c1 d1 e1 f1", 0);
    for (const char *name = "a1b1c1d1e1f1"; *name != '\0'; name += 2) {
        finish_with(&story, name, large);
    }
    free((void *)large.data);
    worker_story_clear(&story);
    worker_story_turn(&story);
    assert_string_equal(story.trace, "[ 0.00] 0 COMPLETE a1 done b1 done c1 done d1 done\n"
                                     "[ 0.00] 0 COMPLETE e1 done f1 done\n"
                                     "[ 0.00] 0 CREDIT 8\n");
    worker_story_receipt(&story, 0);
    assert_int_equal(worker_story_counts(&story).owed, 0);
    worker_story_end(&story);
}

/* One ventilator to which 5,000 completions are owed. */
static void more_completions_than_one_step_holds_go_in_several(void **unused)
{
    (void)unused;
    struct worker_story story;
    struct worker_options options = worker_story_options();
    options.jobs_max = 16384;
    worker_story_start_open(&story, &options);
    struct finished run = {.outcome = OUTCOME_DONE};
    struct worker_event finished = {.kind = WORKER_FINISHED, .finished = &run, .finished_count = 1};
    for (uint32_t i = 0; i < 5000; i++) {
        struct assignment item = {.lease = {.attempt = 1, .token = i}};
        struct message work = {.kind = MESSAGE_WORK, .session = 1, .sequence = i + 1};
        item.name = bytes_text("echo");
        work.u.work = (struct message_work){.items = &item, .count = 1};
        struct worker_event given = {
            .kind = WORKER_MESSAGE, .now_ns = story.now_ns, .message = &work};
        worker_step(story.worker, &given, story.out);
        assert_int_equal(story.out->count, 1);
        run.job = story.out->actions[0].job;
        finished.now_ns = story.now_ns;
        worker_step(story.worker, &finished, story.out);
    }
    struct worker_event stop = {.kind = WORKER_STOP, .now_ns = story.now_ns};
    worker_step(story.worker, &stop, story.out);
    assert_int_equal(story.out->completion_count, MESSAGE_ITEMS_MAX);
    assert_true(story.out->more);
    worker_step(story.worker, &stop, story.out);
    assert_int_equal(story.out->completion_count, 5000 - MESSAGE_ITEMS_MAX);
    assert_false(story.out->more);
    assert_int_equal(story.out->actions[story.out->count - 1].message.kind, MESSAGE_BYE);
    worker_story_end(&story);
}

/* So many leases, one in each message, without a look at credit or the trace.  The
 * first has a time limit. */
static void flood(struct worker_story *story, uint32_t link, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct assignment item = {.lease = {.attempt = 1 + link, .token = i}, .limit_ms = i == 0};
        struct message work = {.kind = MESSAGE_WORK,
                               .session = story->links[link].session,
                               .sequence = ++story->links[link].sequence};
        item.name = bytes_text("echo");
        work.u.work = (struct message_work){.items = &item, .count = 1};
        struct worker_event given = {
            .kind = WORKER_MESSAGE, .now_ns = story->now_ns, .link = link, .message = &work};
        worker_step(story->worker, &given, story->out);
    }
}

/* Whatever a ventilator gives: what it is to hear of all of it fits one HELLO, and what
 * has to be said of it to the pool fits one step. */
static void no_more_is_held_than_one_hello_can_claim(void **unused)
{
    (void)unused;
    struct worker_story story;
    struct worker_options options = worker_story_options();
    options.jobs_max = 16384;
    worker_story_start_open(&story, &options);
    flood(&story, 0, 16384);
    assert_int_equal(worker_story_counts(&story).held, MESSAGE_ITEMS_MAX);
    assert_int_equal(worker_story_counts(&story).returned, 16384 - MESSAGE_ITEMS_MAX);
    worker_story_on(&story, WORKER_CLOSED, 0);
    worker_story_pass(&story, 100);
    struct worker_event connected = {.kind = WORKER_CONNECTED, .now_ns = story.now_ns};
    worker_step(story.worker, &connected, story.out);
    assert_int_equal(story.out->actions[0].message.u.hello.lease_count, MESSAGE_ITEMS_MAX);
    struct message welcome = {.kind = MESSAGE_WELCOME, .session = 2};
    welcome.u.welcome = (struct message_welcome){.heartbeat_ms = 1000, .lost_ms = 4000};
    welcome.u.welcome.node.octets[0] = 'u'; /* none of them is its own */
    struct worker_event answered = {
        .kind = WORKER_MESSAGE, .now_ns = story.now_ns, .message = &welcome};
    worker_step(story.worker, &answered, story.out);
    assert_int_equal(story.out->count, MESSAGE_ITEMS_MAX + 1);
    worker_story_end(&story);
}

/* The only slot hangs: more waits behind it than one step can ask back. */
static void all_that_waits_behind_slots_that_hang_goes_back(void **unused)
{
    (void)unused;
    struct worker_story story;
    struct worker_options options = worker_story_options();
    options.jobs_max = 16384;
    options.slots = 1;
    options.link_count = 4;
    worker_story_start_open(&story, &options);
    for (uint32_t link = 0; link < 4; link++) flood(&story, link, MESSAGE_ITEMS_MAX);
    uint32_t held = worker_story_counts(&story).held, recalls = 0;
    assert_int_equal(held, 16384);
    struct worker_event event = {
        .kind = WORKER_STARTED, .now_ns = story.now_ns, .began_ns = story.now_ns};
    worker_step(story.worker, &event, story.out); /* number 0 */
    event.kind = WORKER_TURN;
    for (uint32_t turns = 0; recalls < held - 1; turns++) {
        assert_true(turns < 10000);
        uint64_t due_ns = worker_deadline(story.worker);
        if (due_ns > event.now_ns) event.now_ns = due_ns;
        worker_step(story.worker, &event, story.out);
        const uint32_t count = story.out->count;
        static uint32_t jobs[WORKER_ACTIONS_MAX];
        uint32_t asked = 0;
        for (uint32_t at = 0; at < count; at++) {
            const struct worker_action *action = &story.out->actions[at];
            if (action->kind == WORKER_RECALL) jobs[asked++] = action->job;
        }
        if (worker_story_counts(&story).hung == 0) continue; /* each waits for too long, besides */
        for (uint32_t at = 0; at < asked; at++) {
            const struct finished run = {.job = jobs[at], .outcome = OUTCOME_RETURNED};
            struct worker_event back = {.kind = WORKER_FINISHED,
                                        .now_ns = event.now_ns,
                                        .finished = &run,
                                        .finished_count = 1};
            worker_step(story.worker, &back, story.out);
        }
        recalls += asked;
    }
    assert_int_equal(worker_story_counts(&story).held, 1);
    worker_story_end(&story);
}

/* The latest go, in their old order, down to what would be taken ahead now; and what
 * the pool does not give back is asked for again, by and by. */
static void what_waits_far_too_long_goes_back(void **unused)
{
    (void)unused;
    struct worker_story story;
    start(&story);
    worker_story_give(&story, 0, "a1 b1 c1 d1 e1", 0);
    worker_story_begin(&story, "a1");
    worker_story_begin(&story, "b1");
    worker_story_pass(&story, 99);
    worker_story_clear(&story);
    worker_story_pass(&story, 100);
    assert_string_equal(story.trace, "[ 0.10] 0 recall d1\n"
                                     "[ 0.10] 0 recall e1\n");
    worker_story_clear(&story);
    worker_story_finish(&story, "e1", OUTCOME_RETURNED, 0);
    worker_story_pass(&story, 2);
    assert_string_equal(story.trace, "[ 0.20] 0 COMPLETE e1 returned\n"
                                     "[ 0.20] 0 HEARTBEAT held 4 running 2\n"
                                     "[ 0.20] 0 recall d1\n");
    worker_story_finish(&story, "d1", OUTCOME_RETURNED, 0);
    worker_story_turn(&story);
    worker_story_clear(&story);
    worker_story_pass(&story, 700);
    assert_null(strstr(story.trace, "recall"));
    assert_int_equal(worker_story_counts(&story).held, 3);
    worker_story_end(&story);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_lease_twice_runs_once_and_another_attempt_runs_beside_it),
        cmocka_unit_test(each_lease_of_one_task_is_found_while_others_come_and_go),
        cmocka_unit_test(the_same_lease_from_another_ventilator_is_given_back),
        cmocka_unit_test(what_there_is_no_room_for_is_given_back),
        cmocka_unit_test(a_worker_that_drains_gives_back_what_did_not_start),
        cmocka_unit_test(no_more_is_held_than_one_hello_can_claim),
        cmocka_unit_test(all_that_waits_behind_slots_that_hang_goes_back),
        cmocka_unit_test(what_waits_far_too_long_goes_back),
        cmocka_unit_test(a_result_the_ventilator_would_refuse_is_a_permanent_failure),
        cmocka_unit_test(a_task_whose_result_has_no_room_is_given_back),
        cmocka_unit_test(more_completions_than_one_step_holds_go_in_several),
        cmocka_unit_test(large_results_go_in_messages_of_bounded_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
