/* producer_guarded_many.c - guarded mode with many tasks, and at its limits.
 *
 * Owns: what a step may cost when much moves at once, and what does not fit.
 * Not here: the rules themselves (producer_guarded.c).
 */
#include "producer_story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

enum { MANY = 100000 };

static void forget_trace(struct producer_story *story)
{
    story->used = 0;
    story->trace[0] = '\0';
}

static struct id numbered(uint32_t number)
{
    struct id id = {.octets = {1}};
    memcpy(id.octets + 4, &number, sizeof number);
    return id;
}

static uint32_t number_of(const struct id *id)
{
    uint32_t number;
    memcpy(&number, id->octets + 4, sizeof number);
    return number;
}

static void submit_numbered(struct producer_story *story, uint32_t count)
{
    for (uint32_t number = 0; number < count; number++) {
        struct submission submission = {.id = numbered(number),
                                        .name = bytes_text("task"),
                                        .payload = bytes_of(&number, sizeof number)};
        producer_story_step(
            story, (struct producer_event){.kind = PRODUCER_SUBMIT, .submission = &submission});
        assert_false(story->out->full);
    }
}

/* One TURN for a ventilator that takes what comes: counts its tasks, which must be
 * whole, into `got`, and accepts the batches.  Returns how many tasks there were. */
static uint32_t serve(struct producer_story *story, uint32_t link, uint8_t *got)
{
    uint64_t batches[PRODUCER_ACTIONS_MAX];
    uint32_t batch_count = 0, tasks = 0;
    producer_story_on(story, PRODUCER_TURN, 0);
    assert_true(story->out->submission_count <= MESSAGE_ITEMS_MAX);
    for (uint32_t at = 0; at < story->out->count; at++) {
        const struct producer_action *action = &story->out->actions[at];
        if (action->kind != PRODUCER_SEND || action->message.kind != MESSAGE_SUBMIT) continue;
        const struct message_submit *submit = &action->message.u.submit;
        assert_int_equal(action->link, link);
        batches[batch_count++] = submit->batch;
        tasks += submit->count;
        for (uint32_t item = 0; item < submit->count; item++) {
            uint32_t number = number_of(&submit->items[item].id);
            assert_true(bytes_equal(submit->items[item].payload, bytes_of(&number, 4)));
            got[number]++;
        }
    }
    forget_trace(story);
    for (uint32_t at = 0; at < batch_count; at++) {
        producer_story_accept(story, link, batches[at]);
        forget_trace(story);
    }
    return tasks;
}

static void many_tasks_move_in_bounded_steps(void **state)
{
    (void)state;
    struct producer_story story;
    struct producer_options options = producer_story_options_for(2);
    options.guarded = true;
    options.tasks_max = MANY;
    options.store_bytes_max = MANY * 64;
    producer_story_start(&story, &options);
    producer_story_turn(&story);
    producer_story_open(&story, 0, 'V');
    uint8_t *first = calloc(MANY, 1), *second = calloc(MANY, 1);
    assert_non_null(first);
    assert_non_null(second);
    submit_numbered(&story, MANY);
    for (uint32_t sent = 0; sent < MANY;) sent += serve(&story, 0, first);

    producer_story_open(&story, 1, 'W');
    producer_story_on(&story, PRODUCER_CLOSED, 0);
    producer_story_pass(&story, 9999);
    forget_trace(&story);
    story.now_ns += MILLISECOND;
    uint32_t turns = 0;
    for (uint32_t sent = 0; sent < MANY; turns++) sent += serve(&story, 1, second);
    assert_true(turns >= MANY / MESSAGE_ITEMS_MAX);
    assert_true(turns <= MANY / MESSAGE_ITEMS_MAX + 2);
    for (uint32_t number = 0; number < MANY; number++) {
        assert_int_equal(first[number], 1);
        assert_int_equal(second[number], 1);
    }
    producer_story_expect_counts(&story,
                                 "open 1 outbox 0 awaited 100000 accepted 100000 rejected 0 "
                                 "ended 0 unknown 0 resent 0 failed over 100000");
    free(first);
    free(second);
    producer_story_end(&story);
}

static void an_owner_that_returns_keeps_what_nobody_else_got(void **state)
{
    (void)state;
    struct producer_story story;
    struct producer_options options = producer_story_options_for(2);
    options.guarded = true;
    options.tasks_max = 3000;
    options.store_bytes_max = 3000 * 64;
    options.batches_max = 1;
    producer_story_start(&story, &options);
    producer_story_turn(&story);
    producer_story_open(&story, 0, 'V');
    uint8_t got[3000] = {0};
    submit_numbered(&story, 3000);
    for (uint32_t sent = 0; sent < 3000;) sent += serve(&story, 0, got);
    producer_story_open(&story, 1, 'W');
    producer_story_on(&story, PRODUCER_CLOSED, 0);
    producer_story_pass(&story, 10000); /* one batch goes out, and no answer comes */
    while (strstr(story.trace, "0 hello\n") == NULL) {
        producer_story_on(&story, PRODUCER_CONNECTED, 0);
        producer_story_pass(&story, 100);
    }
    producer_story_open(&story, 0, 'V');
    forget_trace(&story);
    producer_story_turn(&story);
    producer_story_accept(&story, 1, 1);
    producer_story_pass(&story, 30000);
    producer_story_expect(&story, "");
    producer_story_expect_counts(&story, "open 2 outbox 0 awaited 3000 accepted 3000 rejected 0 "
                                         "ended 0 unknown 0 resent 0 failed over 1024");
    producer_story_end(&story);
}

static void tasks_that_were_accepted_go_before_new_ones(void **state)
{
    (void)state;
    struct producer_story story;
    struct producer_options options = producer_story_options_for(3);
    options.guarded = true;
    options.failover_ns = SECOND;
    producer_story_start(&story, &options);
    producer_story_turn(&story);
    for (uint32_t link = 0; link < 2; link++) { /* each has one when it goes away */
        producer_story_open(&story, link, (char)('V' + link));
        producer_story_submit(&story, link == 0 ? "a" : "b");
        producer_story_turn(&story);
        producer_story_accept(&story, link, 1);
        producer_story_on(&story, PRODUCER_CLOSED, link);
    }
    producer_story_submit(&story, "c");
    producer_story_pass(&story, 900); /* only new ones are in line */
    producer_story_open(&story, 2, 'X');
    forget_trace(&story);
    producer_story_turn(&story);
    producer_story_submit(&story, "d");
    producer_story_accept(&story, 2, 1);
    producer_story_pass(&story, 100);
    producer_story_expect(&story, "[ 0.9] 2 submit 1 front: c\n"
                                  "[ 0.9] 2 accepted c\n"
                                  "[ 0.9] 2 submit 2 front: d\n"
                                  "[ 1.0] 2 submit 3 front: ab\n");
    producer_story_end(&story);
}

/* Accepted tasks take room in a guarded producer until they end. */
static void a_guarded_producer_is_full_until_a_task_ends(void **state)
{
    (void)state;
    struct producer_story story;
    struct producer_options options = producer_story_options();
    static uint8_t payload[MESSAGE_PAYLOAD_BYTES_MAX];
    options.guarded = true;
    producer_story_start_open(&story, &options);
    struct submission submission = {.name = bytes_text("task"),
                                    .payload = bytes_of(payload, sizeof payload)};
    const struct producer_event event = {.kind = PRODUCER_SUBMIT, .submission = &submission};
    uint32_t taken = 0;
    for (;; taken++) {
        payload[0] = (uint8_t)('A' + taken);
        submission.id = producer_story_id((char)payload[0]);
        producer_story_step(&story, event);
        if (story.out->full) break;
        producer_story_on(&story, PRODUCER_TURN, 0);
        producer_story_accept(&story, 0, taken + 1);
        forget_trace(&story);
    }
    assert_in_range(taken, 2, 15);
    producer_story_result(&story, 0, "B");
    forget_trace(&story);
    producer_story_step(&story, event);
    assert_false(story.out->full);
    submission.id = producer_story_id('A'); /* wants no result, and is still here */
    producer_story_step(&story, event);
    assert_true(story.out->duplicate);
    producer_story_end(&story);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_tasks_move_in_bounded_steps),
        cmocka_unit_test(an_owner_that_returns_keeps_what_nobody_else_got),
        cmocka_unit_test(tasks_that_were_accepted_go_before_new_ones),
        cmocka_unit_test(a_guarded_producer_is_full_until_a_task_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
