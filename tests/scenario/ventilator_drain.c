/* ventilator_drain.c - a node is told from afar to finish and stop. */
#include "ventilator_story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void begin(struct story *story)
{
    story_start(story);
    story_hello(story, P1);
    story->peers[W1].label = "left";
    story->peers[W2].label = "right";
    story->peers[W3].label = "right";
    for (uint32_t worker = W1; worker <= W3; worker++) {
        story_hello(story, worker);
        story_credit(story, worker, 1);
    }
    story_clear(story);
}

/* Without a turn. */
static void drain(struct story *story, const char *target, uint32_t grace_ms)
{
    struct message message = {.kind = MESSAGE_DRAIN};
    message.u.drain = (struct message_drain){.target = bytes_text(target), .grace_ms = grace_ms};
    story_tell(story, P1, message);
}

static void every_worker_of_that_name_is_told(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    drain(&story, "right", 5000);
    story_turn(&story);
    story_expect(&story, "[    0] > p1 draining 2\n"
                         "[    0] > w2 drain 5000 ms\n"
                         "[    0] > w3 drain 5000 ms\n");
    story_submit(&story, P1, "ABC"); /* and gets nothing more */
    story_expect(&story, "[    0] accepted A/0\n"
                         "[    0] accepted B/0\n"
                         "[    0] accepted C/0\n"
                         "[    0] > p1 accept 1\n"
                         "[    0] leased A/1 w1\n"
                         "[    0] > w1 work A/1\n");
    assert_false(story.out->asked_to_drain);
    story_end(&story);
}

static void a_worker_is_known_by_its_node_id_too(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    drain(&story, "02000000-0000-0000-0000-000000000004", UINT32_MAX); /* W1 */
    story_turn(&story);
    story_expect(&story, "[    0] > p1 draining 1\n"
                         "[    0] > w1 drain 4294967295 ms\n");
    story_end(&story);
}

static void a_label_that_looks_like_a_node_id_is_one_all_the_same(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story.peers[W4].label = "00112233-4455-6677-8899-aabbccddeeff";
    story_hello(&story, W4);
    story_clear(&story);
    drain(&story, story.peers[W4].label, 0);
    story_turn(&story);
    story_expect(&story, "[    0] > p1 draining 1\n"
                         "[    0] > w4 drain 0 ms\n");
    story_end(&story);
}

static void nobody_of_that_name_is_nobody(void **state)
{
    (void)state;
    static const char *const others[] = {
        "lef",
        "left ",
        "02000000-0000-0000-0000-000000000001",  /* P1 */
        "02000000-0000-0000-0000-00000000000a",  /* no node */
        "02000000-0000-0000-0000-00000000000A",  /* not as ids are written */
        "0200000000000000000000000000000000004", /* 37 digits */
        "020000000000-0000-0000-0000-00000004",
    };
    struct story story;
    begin(&story);
    for (size_t at = 0; at < sizeof others / sizeof *others; at++) {
        drain(&story, others[at], 0);
        story_turn(&story);
        story_expect(&story, "[    0] > p1 draining 0\n");
    }
    story_end(&story);
}

static void workers_of_before_and_those_that_are_away_are_not_told(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story_close(&story, W2);
    story_close(&story, W3);
    story.peers[W3].minor = 1;
    story_hello(&story, W3);
    story_clear(&story);
    drain(&story, "right", 0);
    story_turn(&story);
    story_expect(&story, "[    0] > p1 draining 0\n");
    story_end(&story);
}

static void a_worker_that_is_silent_is_told_when_it_is_heard_again(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story_silence(&story, W1);
    story_silence(&story, W2);
    story_pass(&story, 2500);
    story_clear(&story);
    drain(&story, "left", 0);
    drain(&story, "right", 0);
    story_turn(&story);
    story_expect(&story, "[ 2500] > p1 draining 1\n"
                         "[ 2500] > p1 draining 2\n"
                         "[ 2500] > w3 drain 0 ms\n");
    story_beat(&story, W1);
    story_expect(&story, "[ 2500] > w1 drain 0 ms\n");
    story_beat(&story, W1); /* said before it heard */
    story_close(&story, W2);
    story_clear(&story);
    story_hello(&story, W2);
    assert_non_null(strstr(story.trace, "> w2 drain 0 ms\n"));
    story_end(&story);
}

/* The session may have ended because it did not hear of it. */
static void a_worker_is_told_in_each_session_until_it_is_gone(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    drain(&story, "left", 5000);
    story_turn(&story);
    for (uint32_t sessions = 0; sessions < 3; sessions++) {
        story_close(&story, W1);
        story_clear(&story);
        story_hello(&story, W1);
        assert_non_null(strstr(story.trace, "> w1 drain 5000 ms\n"));
        story_credit(&story, W1, 1);
    }
    story_credit(&story, W2, 1);
    story_submit(&story, P1, "AB");
    assert_null(strstr(story.trace, "> w1 work"));
    story_bye(&story, W1);
    story_clear(&story);
    story_hello(&story, W1); /* as a node that nobody knows */
    story_credit(&story, W1, 1);
    assert_null(strstr(story.trace, "drain"));
    story_submit(&story, P1, "CD");
    assert_non_null(strstr(story.trace, "> w1 work"));
    story_end(&story);
}

static void without_a_target_the_ventilator_is_meant(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    drain(&story, "", 1500);
    story_expect(&story, "[    0] > p1 draining 1\n");
    assert_true(story.out->asked_to_drain);
    assert_int_equal(story.out->drain_grace_ms, 1500);
    story_turn(&story);
    assert_false(story.out->asked_to_drain); /* it is said once */
    story_submit(&story, P1, "A");           /* and when to begin is the host's affair */
    assert_non_null(strstr(story.trace, "accepted A/0\n"));
    story_end(&story);
}

static void one_inside_a_producer_is_not_drained_from_afar(void **state)
{
    (void)state;
    struct story story;
    struct ventilator_options options = story_options();
    options.embedded = true;
    story_start_with(&story, &options);
    story_hello(&story, P1);
    story_clear(&story);
    drain(&story, "", 0);
    story_expect(&story, "[    0] > p1 draining 0\n");
    assert_false(story.out->asked_to_drain);
    story_end(&story);
}

static void a_worker_may_not_ask(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    struct message message = {.kind = MESSAGE_DRAIN};
    story_say(&story, W1, message);
    story_expect(&story, "");
    assert_int_equal(story_totals(&story).protocol_errors, 1);
    story_end(&story);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_worker_of_that_name_is_told),
        cmocka_unit_test(a_worker_is_known_by_its_node_id_too),
        cmocka_unit_test(a_label_that_looks_like_a_node_id_is_one_all_the_same),
        cmocka_unit_test(nobody_of_that_name_is_nobody),
        cmocka_unit_test(workers_of_before_and_those_that_are_away_are_not_told),
        cmocka_unit_test(a_worker_that_is_silent_is_told_when_it_is_heard_again),
        cmocka_unit_test(a_worker_is_told_in_each_session_until_it_is_gone),
        cmocka_unit_test(without_a_target_the_ventilator_is_meant),
        cmocka_unit_test(one_inside_a_producer_is_not_drained_from_afar),
        cmocka_unit_test(a_worker_may_not_ask),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
