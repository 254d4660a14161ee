/* uplink.c - stories of one session with one ventilator, on a virtual clock.
 *
 * Owns: what opens, keeps and ends a session.  Not here: what the roles do
 * with the messages that are theirs to take.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/random.h"
#include "core/uplink.h"

#include <stdio.h>

static const uint32_t SESSION = 77;

struct story {
    struct uplink uplink;
    struct turn turn;
    uint64_t random, now_ns;
    char trace[2048];
    size_t used;
};

static void story_start(struct story *story)
{
    *story = (struct story){.random = 5, .now_ns = 10 * SECOND};
    uplink_init(&story->uplink, story->now_ns);
}

static const char *verdict_text(enum uplink_verdict verdict)
{
    switch (verdict) {
    case UPLINK_IGNORE: return "ignore";
    case UPLINK_TAKE: return "take";
    case UPLINK_OPENED: return "opened";
    case UPLINK_REFUSED: return "refused";
    case UPLINK_LOST: return "lost";
    case UPLINK_CONNECT: return "connect";
    case UPLINK_BEAT: return "beat";
    }
    return "?";
}

static void note(struct story *story, enum uplink_verdict verdict)
{
    uint64_t ms = (story->now_ns - 10 * SECOND) / MILLISECOND;
    int written = snprintf(story->trace + story->used, sizeof story->trace - story->used,
                           "[%5.1fs] %s\n", (double)ms / 1000.0, verdict_text(verdict));
    assert_true(written > 0);
    story->used += (size_t)written;
    assert_true(story->used < sizeof story->trace);
}

/* A step of now.  None of these is late: a story that stands still says so itself. */
static const struct turn *turn_of(struct story *story)
{
    story->turn.last_ns = story->now_ns;
    return &story->turn;
}

static enum uplink_verdict receive(struct story *story, enum message_kind kind, uint32_t session,
                                   uint32_t sequence)
{
    struct message message = {.kind = kind, .session = session, .sequence = sequence};
    return uplink_receive(&story->uplink, &message, &story->random, turn_of(story));
}

/* Does what a role does with each verdict, but leaves CONNECTING to the test. */
static void tick(struct story *story)
{
    for (;;) {
        enum uplink_verdict verdict = uplink_tick(&story->uplink, &story->random, turn_of(story));
        if (verdict == UPLINK_IGNORE) return;
        note(story, verdict);
        struct message beat;
        if (verdict == UPLINK_CONNECT) uplink_opening(&story->uplink, story->now_ns);
        if (verdict == UPLINK_BEAT) {
            uplink_stamp(&story->uplink, MESSAGE_HEARTBEAT, &beat, story->now_ns);
        }
    }
}

/* Passes time up to `until_ns`, waking at each deadline and at no other moment. */
static void pass_until(struct story *story, uint64_t until_ns)
{
    for (;;) {
        uint64_t due_ns = uplink_deadline(&story->uplink, &story->turn);
        if (due_ns > until_ns) break;
        assert_true(due_ns >= story->now_ns);
        story->now_ns = due_ns;
        size_t before = story->used;
        tick(story);
        assert_true(story->used > before); /* a deadline where nothing is due would spin */
    }
    story->now_ns = until_ns;
}

/* Our own process did not get to run for so long. */
static void stand_still(struct story *story, uint64_t ns)
{
    turn_of(story);
    story->now_ns += ns;
    turn_note(&story->turn, 3 * SECOND / 2, story->now_ns);
}

static void greet(struct story *story)
{
    struct message hello;
    uplink_connected(&story->uplink, story->now_ns);
    uplink_stamp(&story->uplink, MESSAGE_HELLO, &hello, story->now_ns);
    assert_int_equal(hello.session, 0);
    assert_int_equal(hello.sequence, 0);
}

static void welcome_with(struct story *story, uint32_t heartbeat_ms, uint32_t lost_ms)
{
    struct message message = {.kind = MESSAGE_WELCOME, .session = SESSION};
    message.u.welcome.heartbeat_ms = heartbeat_ms;
    message.u.welcome.lost_ms = lost_ms;
    message.u.welcome.node.octets[0] = 9;
    assert_int_equal(uplink_receive(&story->uplink, &message, &story->random, turn_of(story)),
                     UPLINK_OPENED);
}

static void open_session(struct story *story)
{
    tick(story);
    greet(story);
    welcome_with(story, 1000, 4000);
    assert_int_equal(story->uplink.state, UPLINK_OPEN);
    story->used = 0;
    story->trace[0] = '\0';
}

static void an_uplink_opens_beats_and_gives_up_a_silent_ventilator(void **unused)
{
    (void)unused;
    struct story story;
    story_start(&story);
    tick(&story);
    story.now_ns += 100 * MILLISECOND;
    greet(&story);
    welcome_with(&story, 1000, 4000);
    assert_int_equal(story.uplink.ventilator.octets[0], 9);
    pass_until(&story, 14 * SECOND + 99 * MILLISECOND);
    story.now_ns += MILLISECOND;
    tick(&story);
    assert_string_equal(story.trace, "[  0.0s] connect\n"
                                     "[  1.1s] beat\n"
                                     "[  2.1s] beat\n"
                                     "[  3.1s] beat\n"
                                     "[  4.1s] lost\n");
    assert_int_equal(story.uplink.state, UPLINK_DOWN);
}

static void saying_anything_spares_the_heartbeat(void **unused)
{
    (void)unused;
    struct story story;
    story_start(&story);
    open_session(&story);
    for (uint32_t i = 1; i <= 4; i++) {
        struct message credit;
        pass_until(&story, story.now_ns + 900 * MILLISECOND);
        uplink_stamp(&story.uplink, MESSAGE_CREDIT, &credit, story.now_ns);
        assert_int_equal(credit.session, SESSION);
        assert_int_equal(credit.sequence, i);
        assert_int_equal(receive(&story, MESSAGE_HEARTBEAT, SESSION, i), UPLINK_TAKE);
    }
    assert_string_equal(story.trace, "");
}

static void a_gap_ends_the_session_and_a_repeat_is_ignored(void **unused)
{
    (void)unused;
    struct story story;
    story_start(&story);
    open_session(&story);
    assert_int_equal(receive(&story, MESSAGE_WORK, SESSION, 1), UPLINK_TAKE);
    assert_int_equal(receive(&story, MESSAGE_WORK, SESSION, 1), UPLINK_IGNORE);
    assert_int_equal(receive(&story, MESSAGE_OTHER, SESSION, 2), UPLINK_IGNORE);
    assert_int_equal(receive(&story, MESSAGE_WORK, SESSION, 3), UPLINK_TAKE);
    assert_int_equal(receive(&story, MESSAGE_WORK, SESSION - 1, 9), UPLINK_IGNORE);
    assert_int_equal(story.uplink.state, UPLINK_OPEN);
    assert_int_equal(receive(&story, MESSAGE_WORK, SESSION, 5), UPLINK_LOST);
    assert_int_equal(story.uplink.state, UPLINK_DOWN);
    assert_int_equal(receive(&story, MESSAGE_WORK, SESSION, 4), UPLINK_IGNORE);
}

static void sequences_wrap_round_without_a_gap(void **unused)
{
    (void)unused;
    struct story story;
    story_start(&story);
    open_session(&story);
    story.uplink.next_in = UINT32_MAX;
    story.uplink.next_out = UINT32_MAX;
    assert_int_equal(receive(&story, MESSAGE_WORK, SESSION, UINT32_MAX), UPLINK_TAKE);
    assert_int_equal(receive(&story, MESSAGE_WORK, SESSION, UINT32_MAX), UPLINK_IGNORE);
    assert_int_equal(receive(&story, MESSAGE_WORK, SESSION, 0), UPLINK_TAKE);
    struct message message;
    uplink_stamp(&story.uplink, MESSAGE_CREDIT, &message, story.now_ns);
    uplink_stamp(&story.uplink, MESSAGE_CREDIT, &message, story.now_ns);
    assert_int_equal(message.sequence, 0);
    assert_int_equal(receive(&story, MESSAGE_WORK, SESSION, 2), UPLINK_LOST);
}

static void who_ends_only_the_session_it_names(void **unused)
{
    (void)unused;
    struct story story;
    story_start(&story);
    open_session(&story);
    assert_int_equal(receive(&story, MESSAGE_WHO, SESSION + 1, 0), UPLINK_IGNORE);
    assert_int_equal(receive(&story, MESSAGE_WHO, 0, 0), UPLINK_IGNORE);
    assert_int_equal(receive(&story, MESSAGE_WHO, SESSION, 0), UPLINK_LOST);
}

static void a_session_that_stood_is_tried_again_at_once(void **unused)
{
    (void)unused;
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct story story;
        story_start(&story);
        story.random = seed;
        open_session(&story);
        assert_int_equal(uplink_closed(&story.uplink, &story.random, story.now_ns), UPLINK_LOST);
        assert_int_equal(uplink_closed(&story.uplink, &story.random, story.now_ns), UPLINK_IGNORE);
        assert_true(uplink_deadline(&story.uplink, turn_of(&story)) <=
                    story.now_ns + 100 * MILLISECOND);
    }
}

static void attempts_that_fail_come_further_and_further_apart(void **unused)
{
    (void)unused;
    static const uint64_t limits_ms[] = {250, 500, 1000, 2000, 4000, 5000, 5000, 5000};
    struct story story;
    story_start(&story);
    for (size_t i = 0; i < sizeof limits_ms / sizeof limits_ms[0]; i++) {
        tick(&story);
        assert_int_equal(story.uplink.state, UPLINK_CONNECTING);
        story.now_ns += MILLISECOND;
        assert_int_equal(uplink_closed(&story.uplink, &story.random, story.now_ns), UPLINK_LOST);
        uint64_t delay_ns = uplink_deadline(&story.uplink, turn_of(&story)) - story.now_ns;
        assert_in_range(delay_ns, limits_ms[i] * MILLISECOND / 2, limits_ms[i] * MILLISECOND);
        story.now_ns += delay_ns;
    }
    tick(&story);
    greet(&story);
    welcome_with(&story, 1000, 4000);
    assert_int_equal(story.uplink.failures, 0);
}

static void greeting_and_connecting_are_given_up_after_five_seconds(void **unused)
{
    (void)unused;
    struct story story;
    story_start(&story);
    tick(&story);
    story.now_ns += 4 * SECOND;
    greet(&story);
    story.now_ns += 5 * SECOND - 1;
    tick(&story);
    assert_int_equal(story.uplink.state, UPLINK_GREETING);
    story.now_ns += 1;
    tick(&story);
    assert_string_equal(story.trace, "[  0.0s] connect\n[  9.0s] lost\n");

    story_start(&story);
    tick(&story);
    story.now_ns += 5 * SECOND;
    tick(&story);
    assert_string_equal(story.trace, "[  0.0s] connect\n[  5.0s] lost\n");
}

static void a_refusal_waits_five_seconds_or_more(void **unused)
{
    (void)unused;
    struct story story;
    story_start(&story);
    tick(&story);
    greet(&story);
    assert_int_equal(receive(&story, MESSAGE_REFUSE, 0, 0), UPLINK_REFUSED);
    assert_in_range(uplink_deadline(&story.uplink, turn_of(&story)), story.now_ns + 5 * SECOND,
                    story.now_ns + 10 * SECOND);

    story_start(&story);
    open_session(&story);
    assert_int_equal(receive(&story, MESSAGE_REFUSE, SESSION + 1, 0), UPLINK_IGNORE);
    assert_int_equal(receive(&story, MESSAGE_REFUSE, SESSION, 0), UPLINK_REFUSED);
}

static void a_ventilator_that_says_bye_is_not_tried_at_once(void **unused)
{
    (void)unused;
    struct story story;
    story_start(&story);
    open_session(&story);
    assert_int_equal(receive(&story, MESSAGE_BYE, SESSION, 1), UPLINK_LOST);
    assert_true(uplink_deadline(&story.uplink, turn_of(&story)) >=
                story.now_ns + 125 * MILLISECOND);
}

static void our_own_late_turn_is_not_the_ventilators_silence(void **unused)
{
    (void)unused;
    struct story story;
    story_start(&story);
    open_session(&story);
    stand_still(&story, 60 * SECOND);
    tick(&story);
    assert_string_equal(story.trace, "[ 60.0s] beat\n");
    pass_until(&story, story.now_ns + 5 * SECOND);
    assert_string_equal(story.trace, "[ 60.0s] beat\n"
                                     "[ 61.0s] beat\n"
                                     "[ 62.0s] beat\n"
                                     "[ 63.0s] beat\n"
                                     "[ 64.0s] lost\n"
                                     "[ 64.0s] connect\n");
}

/* It may be as old as our standstill: who wrote it may have given us up since. */
static void a_welcome_that_waited_while_we_stood_still_opens_nothing(void **unused)
{
    (void)unused;
    struct story story;
    story_start(&story);
    tick(&story);
    greet(&story);
    stand_still(&story, 3500 * MILLISECOND);
    struct message message = {.kind = MESSAGE_WELCOME, .session = SESSION};
    message.u.welcome = (struct message_welcome){.heartbeat_ms = 1000, .lost_ms = 4000};
    assert_int_equal(uplink_receive(&story.uplink, &message, &story.random, turn_of(&story)),
                     UPLINK_LOST);
    assert_int_equal(uplink_trusted_until(&story.uplink, &story.turn), 0);
    assert_int_equal(story.uplink.state, UPLINK_DOWN);
}

/* We were there all the time, so it was the ventilator that was slow. */
static void a_welcome_that_comes_late_is_as_good_as_another(void **unused)
{
    (void)unused;
    struct story story;
    story_start(&story);
    tick(&story);
    greet(&story);
    story.now_ns += 3500 * MILLISECOND;
    welcome_with(&story, 1000, 4000);
    assert_int_equal(uplink_trusted_until(&story.uplink, &story.turn), story.now_ns + 3 * SECOND);
    tick(&story);
    assert_int_equal(story.uplink.state, UPLINK_OPEN);
}

static void senseless_timing_is_bounded(void **unused)
{
    (void)unused;
    struct story story;
    story_start(&story);
    tick(&story);
    greet(&story);
    welcome_with(&story, 0, 0);
    assert_true(story.uplink.heartbeat_ns == SECOND);
    assert_true(story.uplink.lost_ns == 4 * SECOND);

    story_start(&story);
    tick(&story);
    greet(&story);
    welcome_with(&story, 1, 1);
    assert_true(story.uplink.heartbeat_ns == 10 * MILLISECOND);
    assert_true(story.uplink.lost_ns == 20 * MILLISECOND);
}

static void what_comes_outside_a_session_is_ignored(void **unused)
{
    (void)unused;
    struct story story;
    story_start(&story);
    assert_int_equal(receive(&story, MESSAGE_WELCOME, SESSION, 0), UPLINK_IGNORE);
    tick(&story);
    assert_int_equal(receive(&story, MESSAGE_WELCOME, SESSION, 0), UPLINK_IGNORE);
    assert_int_equal(receive(&story, MESSAGE_REFUSE, 0, 0), UPLINK_IGNORE);
    greet(&story);
    assert_int_equal(receive(&story, MESSAGE_WELCOME, 0, 0), UPLINK_IGNORE);
    assert_int_equal(receive(&story, MESSAGE_WORK, 0, 1), UPLINK_IGNORE);
    welcome_with(&story, 1000, 4000);
    assert_int_equal(receive(&story, MESSAGE_WELCOME, SESSION + 1, 0), UPLINK_IGNORE);
    uplink_connected(&story.uplink, story.now_ns);
    assert_int_equal(story.uplink.state, UPLINK_OPEN);
    assert_int_equal(story.uplink.session, SESSION);
}

static void the_intake_counts_by_itself(void **unused)
{
    (void)unused;
    struct story story;
    story_start(&story);
    open_session(&story);
    struct message message;
    uplink_stamp(&story.uplink, MESSAGE_HEARTBEAT, &message, story.now_ns);
    uplink_stamp_intake(&story.uplink, &message);
    assert_int_equal(message.kind, MESSAGE_SUBMIT);
    assert_int_equal(message.session, SESSION);
    assert_int_equal(message.sequence, 1);
    uplink_stamp(&story.uplink, MESSAGE_SUBMIT, &message, story.now_ns);
    assert_int_equal(message.sequence, 2);
    uplink_stamp_intake(&story.uplink, &message);
    assert_int_equal(message.sequence, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_uplink_opens_beats_and_gives_up_a_silent_ventilator),
        cmocka_unit_test(saying_anything_spares_the_heartbeat),
        cmocka_unit_test(a_gap_ends_the_session_and_a_repeat_is_ignored),
        cmocka_unit_test(sequences_wrap_round_without_a_gap),
        cmocka_unit_test(who_ends_only_the_session_it_names),
        cmocka_unit_test(a_session_that_stood_is_tried_again_at_once),
        cmocka_unit_test(attempts_that_fail_come_further_and_further_apart),
        cmocka_unit_test(greeting_and_connecting_are_given_up_after_five_seconds),
        cmocka_unit_test(a_refusal_waits_five_seconds_or_more),
        cmocka_unit_test(a_ventilator_that_says_bye_is_not_tried_at_once),
        cmocka_unit_test(our_own_late_turn_is_not_the_ventilators_silence),
        cmocka_unit_test(a_welcome_that_waited_while_we_stood_still_opens_nothing),
        cmocka_unit_test(a_welcome_that_comes_late_is_as_good_as_another),
        cmocka_unit_test(senseless_timing_is_bounded),
        cmocka_unit_test(what_comes_outside_a_session_is_ignored),
        cmocka_unit_test(the_intake_counts_by_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
