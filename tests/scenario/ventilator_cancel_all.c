/* ventilator_cancel_all.c - all tasks of a queue and with a name end at once, in bounded
 * steps, whatever their state. */
#include "ventilator_story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

static void begin(struct story *story, const struct ventilator_options *options)
{
    story_start_with(story, options);
    story->peers[W1].names = "t u";
    story->peers[W1].queues = "default bulk";
    story_hello(story, P1);
}

static const struct message_disposed *cancel_all(struct story *story, const char *queue,
                                                 const char *name, uint64_t cursor)
{
    return story_dispose_all(story, DISPOSAL_CANCEL_ALL, queue, name, cursor);
}

static void submit_as(struct story *story, const char *queue, const char *name, const char *letters)
{
    story->task.queue = bytes_text(queue);
    story->task.name = bytes_text(name);
    story_submit(story, P1, letters);
}

static void those_of_a_queue_and_a_name_end_and_no_others(void **state)
{
    (void)state;
    const struct ventilator_options options = story_options();
    struct story story;
    begin(&story, &options);
    submit_as(&story, "default", "t", "AB");
    submit_as(&story, "default", "u", "CD");
    submit_as(&story, "bulk", "u", "EFG");
    assert_int_equal(cancel_all(&story, "bulk", "t", 0)->affected, 0);
    assert_int_equal(cancel_all(&story, "default", "u", 0)->affected, 2);
    assert_int_equal(cancel_all(&story, "default", "u", 0)->affected, 0);
    assert_int_equal(story_totals(&story).ready, 5);
    assert_int_equal(cancel_all(&story, "", "u", 0)->affected, 3);
    assert_int_equal(cancel_all(&story, "", "", 0)->affected, 2);
    assert_int_equal(story_totals(&story).cancelled, 7);
    assert_int_equal(ventilator_open_count(story.ventilator), 0);
    story_end(&story);
}

/* In line, waiting for its next run, running; one that is done is left alone, and so is a
 * dead letter. */
static void whatever_has_not_ended_ends(void **state)
{
    (void)state;
    const struct ventilator_options options = story_options();
    struct story story;
    begin(&story, &options);
    story_hello(&story, W1);
    story_credit(&story, W1, 4);
    story_submit(&story, P1, "abcd");
    story_complete(&story, W1, "a", OUTCOME_DONE);
    story_complete(&story, W1, "b", OUTCOME_PERMANENT);
    story.run.retry_after_ms = 1000;
    story_complete(&story, W1, "c", OUTCOME_FAILED);
    story_submit(&story, P1, "e");
    story_clear(&story);
    (void)cancel_all(&story, "", "", 0);
    story_turn(&story);
    story_expect(&story,
                 "[    0] ended c/1 cancelled cancelled\n"
                 "[    0] ended d/1 w1 cancelled cancelled\n"
                 "[    0] ended e/0 cancelled cancelled\n"
                 "[    0] > p1 disposed 3\n"
                 "[    0] > p1 result c/1 cancelled cancelled, d/1 cancelled cancelled, e/0 "
                 "cancelled cancelled\n"
                 "[    0] > w1 revoke d/1\n");
    assert_int_equal(story_totals(&story).dead_letters, 1);
    story_end(&story);
}

static void many_end_in_bounded_steps(void **state)
{
    (void)state;
    enum { TASKS = 600 };
    static struct submission items[TASKS];
    struct ventilator_options options = story_options();
    options.tasks_max = options.ended_max = 2 * TASKS;
    struct story story;
    begin(&story, &options);
    story.check.is_shallow = true;
    for (uint32_t number = 0; number < TASKS; number++) {
        items[number] = story.task;
        items[number].id =
            (struct id){.octets = {9, (uint8_t)(number >> 8), (uint8_t)number, [15] = 'm'}};
    }
    struct message message = {.kind = MESSAGE_SUBMIT};
    message.u.submit = (struct message_submit){.batch = 1, .items = items, .count = TASKS};
    story_say(&story, P1, message);
    uint32_t affected = 0, steps = 0;
    uint64_t cursor = 0;
    do {
        const struct message_disposed *disposed = cancel_all(&story, "", "", cursor);
        assert_in_range(disposed->affected, 1, MESSAGE_LETTERS_MAX);
        affected += disposed->affected;
        cursor = disposed->cursor;
        steps++;
    } while (cursor != 0);
    assert_int_equal(affected, TASKS);
    assert_int_equal(steps, (TASKS + MESSAGE_LETTERS_MAX - 1) / MESSAGE_LETTERS_MAX);
    assert_int_equal(ventilator_open_count(story.ventilator), 0);
    story_clear(&story);
    story_end(&story);
}

/* Few of many are meant: the step is bounded by what it looks at, too. */
static void a_step_that_finds_nothing_ends_as_well(void **state)
{
    (void)state;
    enum { TASKS = 40000 };
    static struct submission items[MESSAGE_ITEMS_MAX];
    struct ventilator_options options = story_options();
    options.tasks_max = options.ended_max = 2 * TASKS;
    options.store_bytes_max = 64 * 1024 * 1024;
    static struct story story;
    begin(&story, &options);
    story.check.is_shallow = true;
    for (uint32_t first = 0; first < TASKS; first += MESSAGE_ITEMS_MAX) {
        for (uint32_t at = 0; at < MESSAGE_ITEMS_MAX; at++) {
            uint32_t number = first + at;
            items[at] = story.task;
            items[at].id.octets[0] = 9;
            memcpy(items[at].id.octets + 8, &number, sizeof number);
        }
        struct message message = {.kind = MESSAGE_SUBMIT};
        message.u.submit = (struct message_submit){
            .batch = ++story.peers[P1].batch, .items = items, .count = MESSAGE_ITEMS_MAX};
        story_say(&story, P1, message);
        story_clear(&story);
    }
    uint32_t steps = 0;
    uint64_t cursor = 0;
    do {
        const struct message_disposed *disposed = cancel_all(&story, "nowhere", "", cursor);
        assert_int_equal(disposed->affected, 0);
        assert_true(disposed->cursor == 0 || disposed->cursor > cursor);
        cursor = disposed->cursor;
        steps++;
    } while (cursor != 0);
    assert_in_range(steps, 2, 8);
    assert_int_equal(cancel_all(&story, "", "", UINT64_MAX)->affected, 0); /* nonsense is the end */
    ventilator_check_end(&story.check);
    entry_log_end(&story.log);
    free(story.memory);
    free(story.out);
}

static void it_is_answered_when_it_is_durable_and_holds_after_a_restart(void **state)
{
    (void)state;
    const struct ventilator_options options = story_journalled();
    struct story story;
    story_start_with(&story, &options);
    story_hello(&story, P1);
    story_submit(&story, P1, "AB");
    story_sync(&story);
    story_clear(&story);
    struct message message = {.kind = MESSAGE_DISPOSE};
    message.u.dispose = (struct message_dispose){.disposal = DISPOSAL_CANCEL_ALL};
    story_say(&story, P1, message);
    story_expect(&story, "[    0] ended A/0 cancelled cancelled\n"
                         "[    0] ended B/0 cancelled cancelled\n");
    story_sync(&story);
    story_expect(&story, "[    0] > p1 disposed 2\n");
    story_restart(&story, 10);
    story_expect(&story, "[   10] restored A/0 cancelled cancelled\n"
                         "[   10] restored B/0 cancelled cancelled\n");
    story_end(&story);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(those_of_a_queue_and_a_name_end_and_no_others),
        cmocka_unit_test(whatever_has_not_ended_ends),
        cmocka_unit_test(many_end_in_bounded_steps),
        cmocka_unit_test(a_step_that_finds_nothing_ends_as_well),
        cmocka_unit_test(it_is_answered_when_it_is_durable_and_holds_after_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
