/* ventilator_stalls.c - machines that are slow or suspended, and links that carry
 * only one way: who is believed to be gone, and when. */
#include "ventilator_story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void start(struct story *story)
{
    story_start(story);
    story_hello(story, P1);
    story_hello(story, W1);
    story_hello(story, W2);
    story_credit(story, W1, 2);
    story_submit(story, P1, "AB");
    story_clear(story);
}

/* It hears us, and we do not hear it: it is told, so that it does not go on with
 * what is others' by then. */
static void a_worker_that_is_heard_no_more_is_told_so(void **state)
{
    (void)state;
    struct story story;
    start(&story);
    story_credit(&story, W2, 2);
    story_silence(&story, W1);
    story_clear(&story);
    story_pass(&story, 4000);
    story_expect(&story, "[ 2000] w1 suspect\n"
                         "[ 4000] w1 lost\n"
                         "[ 4000] requeued B/1 w1\n"
                         "[ 4000] requeued A/1 w1\n"
                         "[ 4000] > w1 who\n"
                         "[ 4000] leased A/2 w2\n"
                         "[ 4000] leased B/2 w2\n"
                         "[ 4000] > w2 work A/2 B/2\n");
    story_hello(&story, W1);
    story_expect(&story, "[ 4000] stale A/1 w1\n"
                         "[ 4000] stale B/1 w1\n"
                         "[ 4000] w1 opened\n"
                         "[ 4000] > w1 welcome but A/1 B/1\n");
    assert_int_equal(story_totals(&story).stale, 2);
    story_end(&story);
}

static void a_producer_that_is_heard_no_more_is_told_so(void **state)
{
    (void)state;
    struct story story;
    start(&story);
    story_silence(&story, P1);
    story_pass(&story, 4000);
    assert_non_null(strstr(story.trace, "[ 4000] p1 lost\n[ 4000] > p1 who\n"));
    story_end(&story);
}

/* One suspension is nobody's fault: everybody has the full time again. */
static void after_a_suspension_everybody_has_the_full_time_again(void **state)
{
    (void)state;
    struct story story;
    start(&story);
    story_silence(&story, W1);
    story_pass(&story, 3500);
    story_stall(&story, 3600000);
    story_clear(&story);
    story_turn(&story);
    story_pass(&story, 3999);
    assert_null(strstr(story.trace, "lost"));
    story_pass(&story, 1);
    assert_non_null(strstr(story.trace, "w1 lost\n"));
    assert_null(strstr(story.trace, "w2 lost\n"));
    story_end(&story);
}

/* Every turn of ours comes two seconds late.  W2 speaks whenever we look. */
static void a_slow_ventilator_finds_the_dead_and_keeps_the_living(void **state)
{
    (void)state;
    struct story story;
    start(&story);
    story_silence(&story, W1);
    story_silence(&story, P1);
    uint32_t turns = 0;
    for (; strstr(story.trace, "w1 lost\n") == NULL; turns++) {
        assert_true(turns < 5);
        story.now_ns += 3500 * MILLISECOND;
        story_say(&story, W2, (struct message){.kind = MESSAGE_HEARTBEAT});
    }
    assert_true(turns > 2);
    assert_null(strstr(story.trace, "w2 lost\n"));
    assert_null(strstr(story.trace, "w2 suspect\n"));
    assert_int_equal(story_totals(&story).requeued, 2);
    story_end(&story);
}

/* Half a second here and there is no stall at all: silence is what the clock says. */
static void short_delays_do_not_put_off_the_loss_of_a_worker(void **state)
{
    (void)state;
    struct story story;
    start(&story);
    story_silence(&story, W1);
    for (uint32_t at = 0; at < 3; at++) {
        story.now_ns += 1400 * MILLISECOND;
        assert_null(strstr(story.trace, "w1 lost\n"));
        story_say(&story, W2, (struct message){.kind = MESSAGE_HEARTBEAT});
    }
    assert_non_null(strstr(story.trace, "[ 4200] w1 lost\n"));
    story_end(&story);
}

static void timing_is_announced_as_it_was_set(void **state)
{
    (void)state;
    struct story story;
    struct ventilator_options options = story_options();
    options.heartbeat_ns = 300 * MILLISECOND;
    options.suspect_ns = 600 * MILLISECOND;
    options.lost_ns = 1700 * MILLISECOND;
    story_start_with(&story, &options);
    story_greet(&story, W1);
    const struct message *message = &story.out->sends[0].message;
    assert_int_equal(message->kind, MESSAGE_WELCOME);
    assert_int_equal(message->u.welcome.heartbeat_ms, 300);
    assert_int_equal(message->u.welcome.suspect_ms, 600);
    assert_int_equal(message->u.welcome.lost_ms, 1700);
    story_silence(&story, W1);
    story_clear(&story);
    story_pass(&story, 1700);
    story_expect(&story, "[  600] w1 suspect\n"
                         "[ 1700] w1 lost\n"
                         "[ 1700] > w1 who\n");
    story_end(&story);
}

static void greet_as(struct story *story, uint32_t link, uint32_t number)
{
    struct message message = {.kind = MESSAGE_HELLO, .sequence = number};
    message.u.hello = (struct message_hello){.role = ROLE_PRODUCER, .node = story_node(P2)};
    story_step(story, &(struct ventilator_event){
                          .kind = VENTILATOR_MESSAGE, .link = link, .message = &message});
}

static void a_hello_that_was_held_up_takes_no_session(void **state)
{
    (void)state;
    struct story story;
    story_start(&story);
    greet_as(&story, 70, UINT32_MAX);
    assert_int_equal(story.out->sends[0].message.kind, MESSAGE_WELCOME);
    greet_as(&story, 71, 2); /* the numbers wrap round, and 0 is none */
    assert_int_equal(story.out->sends[0].message.kind, MESSAGE_WELCOME);
    uint32_t session = story.out->sends[0].message.session;
    greet_as(&story, 72, 1);
    assert_int_equal(story.out->send_count, 0);
    greet_as(&story, 71, 2); /* a network may repeat itself */
    assert_int_equal(story.out->send_count, 0);
    story_step(&story, &(struct ventilator_event){.kind = VENTILATOR_CLOSED, .link = 72});
    struct message beat = {.kind = MESSAGE_HEARTBEAT, .session = session, .sequence = 1};
    story_step(&story, &(struct ventilator_event){
                           .kind = VENTILATOR_MESSAGE, .link = 71, .message = &beat});
    assert_int_equal(story.out->send_count, 0); /* the session stands */
    assert_int_equal(story_totals(&story).producers, 1);
    greet_as(&story, 73, 0); /* who does not count is believed */
    assert_int_equal(story.out->sends[0].message.kind, MESSAGE_WELCOME);
    greet_as(&story, 74, 1);
    assert_int_equal(story.out->sends[0].message.kind, MESSAGE_WELCOME);
    story_end(&story);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_worker_that_is_heard_no_more_is_told_so),
        cmocka_unit_test(a_producer_that_is_heard_no_more_is_told_so),
        cmocka_unit_test(after_a_suspension_everybody_has_the_full_time_again),
        cmocka_unit_test(a_slow_ventilator_finds_the_dead_and_keeps_the_living),
        cmocka_unit_test(short_delays_do_not_put_off_the_loss_of_a_worker),
        cmocka_unit_test(timing_is_announced_as_it_was_set),
        cmocka_unit_test(a_hello_that_was_held_up_takes_no_session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
