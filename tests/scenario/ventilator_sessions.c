/* ventilator_sessions.c - how sessions of producers and workers begin, are
 * counted, break and end.  What becomes of leases is in ventilator_losses.c. */
#include "ventilator_story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void a_producer_and_a_worker_are_welcomed_and_told_the_limits(void **state)
{
    (void)state;
    struct ventilator_options options = story_options();
    struct bytes intakes[] = {bytes_text("tcp://*:5556"), bytes_text("ipc:///run/intake")};
    options.intakes = intakes;
    options.intake_count = 2;
    struct story story;
    story_start_with(&story, &options);
    struct bytes names[] = {bytes_text("t")}, queues[] = {bytes_text("default")};
    struct message message = {.kind = MESSAGE_HELLO};
    message.u.hello = (struct message_hello){.role = ROLE_WORKER,
                                             .node = story_node(W1),
                                             .names = names,
                                             .queues = queues,
                                             .name_count = 1,
                                             .queue_count = 1};
    story_step(&story, &(struct ventilator_event){
                           .kind = VENTILATOR_MESSAGE, .link = 9, .message = &message});
    assert_int_equal(story.out->send_count, 1);
    assert_int_equal(story.out->sends[0].link, 9);
    const struct message *answer = &story.out->sends[0].message;
    const struct message_welcome *welcome = &answer->u.welcome;
    assert_int_equal(answer->kind, MESSAGE_WELCOME);
    assert_int_not_equal(answer->session, 0);
    assert_int_equal(answer->sequence, 0);
    assert_memory_equal(&welcome->node, &options.node, sizeof welcome->node);
    assert_true(bytes_equal(welcome->software, bytes_text("tmesh test")));
    assert_int_equal(welcome->heartbeat_ms, 1000);
    assert_int_equal(welcome->suspect_ms, 2000);
    assert_int_equal(welcome->lost_ms, 4000);
    assert_int_equal(welcome->payload_bytes_max, MESSAGE_PAYLOAD_BYTES_MAX);
    assert_int_equal(welcome->message_bytes_max, MESSAGE_BYTES_MAX);
    assert_int_equal(welcome->intake_count, 2);
    assert_true(bytes_equal(welcome->intakes[1], intakes[1]));
    assert_int_equal(welcome->drop_count, 0);
    assert_false(welcome->known);
    story_hello(&story, P1);
    story_expect(&story, "[    0] w1 opened\n"
                         "[    0] > stranger welcome\n"
                         "[    0] p1 opened\n"
                         "[    0] > p1 welcome\n");
    assert_int_equal(story_totals(&story).workers, 1);
    assert_int_equal(story_totals(&story).producers, 1);
    story_end(&story);
}

static void a_hello_that_lacks_what_it_needs_is_refused_with_the_reason(void **state)
{
    (void)state;
    struct story story;
    story_start(&story);
    struct bytes good = bytes_text("t"), bad = bytes_text("No Name"), none = {0};
    struct message_hello hellos[] = {
        {.role = ROLE_PRODUCER},
        {.role = (enum role)7,
         .node = story_node(W1),
         .names = &good,
         .name_count = 1,
         .queues = &good,
         .queue_count = 1},
        {.role = ROLE_WORKER, .node = story_node(W1), .names = &good, .name_count = 1},
        {.role = ROLE_WORKER, .node = story_node(W1), .queues = &good, .queue_count = 1},
        {.role = ROLE_WORKER,
         .node = story_node(W1),
         .names = &bad,
         .name_count = 1,
         .queues = &good,
         .queue_count = 1},
        {.role = ROLE_WORKER,
         .node = story_node(W1),
         .names = &good,
         .name_count = 1,
         .queues = &none,
         .queue_count = 1},
    };
    for (size_t at = 0; at < sizeof hellos / sizeof hellos[0]; at++) {
        struct message message = {.kind = MESSAGE_HELLO, .u.hello = hellos[at]};
        story_step(&story, &(struct ventilator_event){
                               .kind = VENTILATOR_MESSAGE, .link = 9, .message = &message});
        story_expect(&story, "[    0] > stranger refuse malformed\n");
        assert_true(story.out->sends[0].message.u.refuse.text.size > 0);
    }
    assert_int_equal(story_totals(&story).protocol_errors, 6);
    story_end(&story);
}

static void hello_on_the_intake_is_counted_and_not_answered(void **state)
{
    (void)state;
    struct story story;
    story_start(&story);
    struct message message = {.kind = MESSAGE_HELLO};
    message.u.hello = (struct message_hello){.role = ROLE_PRODUCER, .node = story_node(P1)};
    story_step(&story, &(struct ventilator_event){.kind = VENTILATOR_MESSAGE,
                                                  .passage = PASSAGE_INTAKE,
                                                  .message = &message});
    story_expect(&story, "");
    assert_int_equal(story_totals(&story).protocol_errors, 1);
    story_end(&story);
}

static void a_node_cannot_change_its_role(void **state)
{
    (void)state;
    struct story story;
    story_start(&story);
    story_hello(&story, W1);
    story_clear(&story);
    struct message message = {.kind = MESSAGE_HELLO};
    message.u.hello = (struct message_hello){.role = ROLE_PRODUCER, .node = story_node(W1)};
    story_step(&story, &(struct ventilator_event){
                           .kind = VENTILATOR_MESSAGE, .link = 99, .message = &message});
    story_expect(&story, "[    0] > stranger refuse role\n");
    assert_int_equal(story_totals(&story).workers, 1);
    story_end(&story);
}

static void a_gap_resets_the_session_and_nothing_after_it_counts(void **state)
{
    (void)state;
    struct story story;
    story_start(&story);
    story_hello(&story, P1);
    story_submit(&story, P1, "a");
    story_clear(&story);
    story.peers[P1].next++; /* one message was lost on the way */
    story_submit(&story, P1, "b");
    story_submit(&story, P1, "c");
    story_expect(&story, "[    0] p1 reset\n"
                         "[    0] > p1 who\n"
                         "[    0] > p1 who\n");
    assert_int_equal(story_totals(&story).sessions_reset, 1);
    assert_int_equal(story_totals(&story).submitted, 1);
    story_hello(&story, P1);
    story_submit(&story, P1, "bc");
    story_expect(&story, "[    0] p1 resumed\n"
                         "[    0] > p1 welcome\n"
                         "[    0] accepted b/0\n"
                         "[    0] accepted c/0\n"
                         "[    0] > p1 accept 1\n");
    story_end(&story);
}

/* Its last RECEIPT is missing, and nobody will come back to say it again. */
static void a_bye_after_a_gap_is_a_bye(void **state)
{
    (void)state;
    struct story story;
    story_start(&story);
    story_hello(&story, P1);
    story_hello(&story, W1);
    story_credit(&story, W1, 1);
    story_submit(&story, P1, "a");
    story_complete(&story, W1, "a", OUTCOME_DONE);
    assert_int_equal(ventilator_open_count(story.ventilator), 1);
    story_clear(&story);
    story.peers[P1].next++;
    story_bye(&story, P1);
    story_expect(&story, "[    0] p1 left\n");
    assert_int_equal(ventilator_open_count(story.ventilator), 0);
    story_end(&story);
}

static void a_repeated_message_is_ignored(void **state)
{
    (void)state;
    struct story story;
    story_start(&story);
    story_hello(&story, P1);
    story_submit(&story, P1, "a");
    story_clear(&story);
    story.peers[P1].next--;
    story_submit(&story, P1, "b");
    story_expect(&story, "");
    story_submit(&story, P1, "c");
    story_expect(&story, "[    0] accepted c/0\n"
                         "[    0] > p1 accept 3\n");
    story_end(&story);
}

static void submit_on_intake(struct story *story, char letter, uint32_t sequence)
{
    struct submission item = story->task;
    item.id = story_id(letter);
    struct message message = {.kind = MESSAGE_SUBMIT,
                              .session = story->peers[P1].session,
                              .sequence = sequence,
                              .u.submit = {.batch = sequence, .items = &item, .count = 1}};
    story_step(story, &(struct ventilator_event){.kind = VENTILATOR_MESSAGE,
                                                 .passage = PASSAGE_INTAKE,
                                                 .message = &message});
}

static void the_intake_has_numbers_of_its_own_and_a_gap_there_counts_too(void **state)
{
    (void)state;
    struct story story;
    story_start(&story);
    story_hello(&story, P1);
    story_clear(&story);
    submit_on_intake(&story, 'A', 1);
    submit_on_intake(&story, 'B', 2);
    submit_on_intake(&story, 'X', 2);
    submit_on_intake(&story, 'C', 4);
    submit_on_intake(&story, 'D', 5); /* no session, no link: nobody to answer */
    story_expect(&story, "[    0] accepted A/0\n"
                         "[    0] > p1 accept 1\n"
                         "[    0] accepted B/0\n"
                         "[    0] > p1 accept 2\n"
                         "[    0] p1 reset\n"
                         "[    0] > p1 who\n");
    story_end(&story);
}

static void numbers_go_on_past_two_to_the_thirty_two(void **state)
{
    (void)state;
    struct story story;
    story_start(&story);
    story_hello(&story, P1);
    story_hello(&story, W1);
    struct peer *peers = story.ventilator->peers.peers;
    const uint32_t near_end = UINT32_MAX - 2;
    for (uint32_t slot = 0; slot < 2; slot++) {
        peers[slot].next_in = peers[slot].next_out = near_end;
        story.check.sessions[slot].next_out = near_end;
    }
    story.peers[P1].next = story.peers[W1].next = near_end;
    story_clear(&story);
    story_credit(&story, W1, 10);
    for (const char *letter = "abcdef"; *letter != '\0'; letter++) {
        story_submit(&story, P1, (char[]){*letter, '\0'});
        story_complete(&story, W1, (char[]){*letter, '\0'}, OUTCOME_DONE);
    }
    story_receipt(&story, P1);
    for (uint32_t back = 1; back < 12; back++) { /* repeats, from before the turn too */
        struct message repeat = {.kind = MESSAGE_HEARTBEAT, .session = story.peers[W1].session};
        repeat.sequence = story.peers[W1].next - back;
        story_step(&story, &(struct ventilator_event){.kind = VENTILATOR_MESSAGE,
                                                      .link = story.peers[W1].link,
                                                      .message = &repeat});
    }
    assert_int_equal(story_totals(&story).done, 6);
    assert_int_equal(story_totals(&story).sessions_reset, 0);
    assert_int_equal(ventilator_open_count(story.ventilator), 0);
    assert_true(story.peers[P1].heard < 100);
    story_end(&story);
}

static void who_is_the_answer_to_an_unknown_session(void **state)
{
    (void)state;
    struct story story;
    story_start(&story);
    struct message message = {.kind = MESSAGE_COMPLETE, .session = 0x12340001, .sequence = 7};
    struct ventilator_event event = {.kind = VENTILATOR_MESSAGE, .link = 5, .message = &message};
    story_step(&story, &event);
    assert_int_equal(story.out->sends[0].message.kind, MESSAGE_WHO);
    assert_int_equal(story.out->sends[0].message.session, 0x12340001);
    assert_int_equal(story.out->sends[0].link, 5);
    message.session = 0;
    story_step(&story, &event);
    message.session = 0x1234ffff; /* a slot there is not */
    story_step(&story, &event);
    story_expect(&story, "[    0] > stranger who\n"
                         "[    0] > stranger who\n"
                         "[    0] > stranger who\n");
    story_end(&story);
}

static void a_session_belongs_to_its_connection(void **state)
{
    (void)state;
    struct story story;
    story_start(&story);
    story_hello(&story, P1);
    story_hello(&story, P2);
    story_clear(&story);
    struct message theft = {.kind = MESSAGE_BYE, .session = story.peers[P1].session, .sequence = 1};
    story_step(&story, &(struct ventilator_event){.kind = VENTILATOR_MESSAGE,
                                                  .link = story.peers[P2].link,
                                                  .message = &theft});
    story_expect(&story, "[    0] > p2 who\n");
    assert_int_equal(story_totals(&story).producers, 2);
    story_end(&story);
}

static void a_second_hello_replaces_the_session(void **state)
{
    (void)state;
    struct story story;
    story_start(&story);
    story_hello(&story, P1);
    story_say(&story, P1, (struct message){.kind = MESSAGE_HEARTBEAT}); /* it is no stranger */
    uint32_t first = story.peers[P1].session, link = story.peers[P1].link;
    story_greet(&story, P1);
    assert_true(story.out->sends[0].message.u.welcome.known);
    assert_int_not_equal(story.peers[P1].session, first);
    story_expect(&story, "[    0] p1 opened\n"
                         "[    0] > p1 welcome\n"
                         "[    0] p1 closed\n"
                         "[    0] p1 resumed\n"
                         "[    0] > p1 welcome\n");
    /* The end of the old connection says nothing of the new one. */
    story_step(&story, &(struct ventilator_event){.kind = VENTILATOR_CLOSED, .link = link});
    story_expect(&story, "");
    assert_int_equal(story_totals(&story).producers, 1);
    story_end(&story);
}

static void another_node_on_the_same_connection_replaces_the_first(void **state)
{
    (void)state;
    struct story story;
    story_start(&story);
    story_hello(&story, P1);
    story.links = 0; /* so that the next HELLO comes by the same link */
    story.peers[P1].link = 0;
    story_silence(&story, P1);
    story_hello(&story, P2);
    story_expect(&story, "[    0] p1 opened\n"
                         "[    0] > p1 welcome\n"
                         "[    0] p1 closed\n"
                         "[    0] p2 opened\n"
                         "[    0] > p2 welcome\n");
    story_pass(&story, 600);
    story_expect(&story, "[  500] p1 lost\n");
    story_end(&story);
}

static void messages_of_the_wrong_role_are_counted_and_ignored(void **state)
{
    (void)state;
    struct story story;
    story_start(&story);
    story_hello(&story, P1);
    story_hello(&story, W1);
    story_clear(&story);
    const enum message_kind not_a_workers[] = {MESSAGE_SUBMIT,  MESSAGE_RECEIPT, MESSAGE_QUERY,
                                               MESSAGE_WELCOME, MESSAGE_WHO,     MESSAGE_WORK};
    const enum message_kind not_a_producers[] = {MESSAGE_CREDIT, MESSAGE_COMPLETE, MESSAGE_RESULT,
                                                 MESSAGE_ACCEPT, MESSAGE_REFUSE,   MESSAGE_ANSWER};
    for (uint32_t at = 0; at < 6; at++) {
        story_say(&story, W1, (struct message){.kind = not_a_workers[at]});
        story_say(&story, P1, (struct message){.kind = not_a_producers[at]});
    }
    story_expect(&story, "");
    assert_int_equal(story_totals(&story).protocol_errors, 12);
    story_say(&story, W1, (struct message){.kind = MESSAGE_OTHER}); /* of a later version */
    assert_int_equal(story_totals(&story).protocol_errors, 12);
    struct message bye = {.kind = MESSAGE_BYE, .session = story.peers[P1].session, .sequence = 1};
    story_step(&story, &(struct ventilator_event){
                           .kind = VENTILATOR_MESSAGE, .passage = PASSAGE_INTAKE, .message = &bye});
    assert_int_equal(story_totals(&story).protocol_errors, 13);
    assert_int_equal(story_totals(&story).producers, 1);
    story_end(&story);
}

static void noise_is_counted_and_only_another_version_is_answered(void **state)
{
    (void)state;
    struct story story;
    story_start(&story);
    struct ventilator_event noise = {
        .kind = VENTILATOR_GARBAGE, .link = 3, .reason = REASON_MALFORMED};
    story_step(&story, &noise);
    story_expect(&story, "");
    noise.reason = REASON_VERSION;
    story_step(&story, &noise);
    story_expect(&story, "[    0] > stranger refuse version\n");
    noise.passage = PASSAGE_INTAKE;
    story_step(&story, &noise);
    story_expect(&story, "");
    assert_int_equal(story_totals(&story).protocol_errors, 3);
    story_end(&story);
}

static void more_peers_than_allowed_are_refused_until_one_leaves(void **state)
{
    (void)state;
    struct ventilator_options options = story_options();
    options.peers_max = 2;
    struct story story;
    story_start_with(&story, &options);
    story_hello(&story, P1);
    story_hello(&story, P2);
    story_clear(&story);
    story_hello(&story, P3);
    story_silence(&story, P3);
    story_expect(&story, "[    0] > p3 refuse busy\n");
    story_bye(&story, P1);
    story_hello(&story, P3);
    story_expect(&story, "[    0] p1 left\n"
                         "[    0] p3 opened\n"
                         "[    0] > p3 welcome\n");
    story_end(&story);
}

static void heartbeats_go_out_each_second_and_nothing_else_when_idle(void **state)
{
    (void)state;
    struct story story;
    story_start(&story);
    story.shows_beats = true;
    story_hello(&story, P1);
    story_pass(&story, 400);
    story_hello(&story, W1);
    story_submit(&story, P1, "A"); /* speaks with the producer, and so spares a heartbeat */
    story_clear(&story);
    story_pass(&story, 2200);
    story_expect(&story, "[ 1400] > p1 heartbeat 1\n"
                         "[ 1400] > w1 heartbeat 1\n"
                         "[ 2400] > p1 heartbeat 1\n"
                         "[ 2400] > w1 heartbeat 1\n");
    story_end(&story);
}

static void nothing_is_due_when_nobody_is_there(void **state)
{
    (void)state;
    struct story story;
    story_start(&story);
    assert_true(ventilator_deadline(story.ventilator) == INSTANT_NEVER);
    story_hello(&story, P1);
    assert_true(ventilator_deadline(story.ventilator) == story.now_ns + SECOND);
    story_close(&story, P1);
    assert_true(ventilator_deadline(story.ventilator) == story.now_ns + SECOND / 2);
    story_pass(&story, 499);
    story_expect(&story, "[    0] p1 opened\n"
                         "[    0] > p1 welcome\n"
                         "[    0] p1 closed\n");
    story_pass(&story, 1);
    story_expect(&story, "[  500] p1 lost\n");
    assert_true(ventilator_deadline(story.ventilator) == INSTANT_NEVER);
    story_end(&story);
}

static void stop_says_bye_to_everybody(void **state)
{
    (void)state;
    struct story story;
    story_start(&story);
    story_hello(&story, P1);
    story_hello(&story, W1);
    story_hello(&story, W2);
    story_close(&story, W2);
    story_clear(&story);
    story_step(&story, &(struct ventilator_event){.kind = VENTILATOR_STOP});
    story_expect(&story, "[    0] p1 closed\n"
                         "[    0] w1 closed\n"
                         "[    0] > p1 bye\n"
                         "[    0] > w1 bye\n");
    assert_false(story.out->more);
    assert_int_equal(story_totals(&story).workers + story_totals(&story).producers, 0);
    story_end(&story);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_producer_and_a_worker_are_welcomed_and_told_the_limits),
        cmocka_unit_test(a_hello_that_lacks_what_it_needs_is_refused_with_the_reason),
        cmocka_unit_test(hello_on_the_intake_is_counted_and_not_answered),
        cmocka_unit_test(a_node_cannot_change_its_role),
        cmocka_unit_test(a_gap_resets_the_session_and_nothing_after_it_counts),
        cmocka_unit_test(a_bye_after_a_gap_is_a_bye),
        cmocka_unit_test(a_repeated_message_is_ignored),
        cmocka_unit_test(the_intake_has_numbers_of_its_own_and_a_gap_there_counts_too),
        cmocka_unit_test(numbers_go_on_past_two_to_the_thirty_two),
        cmocka_unit_test(who_is_the_answer_to_an_unknown_session),
        cmocka_unit_test(a_session_belongs_to_its_connection),
        cmocka_unit_test(a_second_hello_replaces_the_session),
        cmocka_unit_test(another_node_on_the_same_connection_replaces_the_first),
        cmocka_unit_test(messages_of_the_wrong_role_are_counted_and_ignored),
        cmocka_unit_test(noise_is_counted_and_only_another_version_is_answered),
        cmocka_unit_test(more_peers_than_allowed_are_refused_until_one_leaves),
        cmocka_unit_test(heartbeats_go_out_each_second_and_nothing_else_when_idle),
        cmocka_unit_test(nothing_is_due_when_nobody_is_there),
        cmocka_unit_test(stop_says_bye_to_everybody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
