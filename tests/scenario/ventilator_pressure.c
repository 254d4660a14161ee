/* ventilator_pressure.c - stories of a ventilator whose room gets short: what makes
 * way, and what waits, so that live tasks go on. */
#include "ventilator_story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { LARGE_BYTES = 100 * 1000 }; /* ten of these fill the store of a story */

static struct bytes large(void)
{
    uint8_t *data = calloc(1, LARGE_BYTES);
    assert_non_null(data);
    return bytes_of(data, LARGE_BYTES);
}

static void start(struct story *story, const struct ventilator_options *options)
{
    story_start_with(story, options);
    story_hello(story, P1);
    story_hello(story, W1);
    story_credit(story, W1, 50);
}

static void dead_letters_take_no_live_tasks_place(void **state)
{
    (void)state;
    struct story story;
    struct ventilator_options options = story_options();
    options.tasks_max = 3;
    start(&story, &options);
    story_submit(&story, P1, "ABC");
    story_complete(&story, W1, "ABC", OUTCOME_PERMANENT);
    assert_int_equal(story_totals(&story).dead_letters, 3);
    story_submit(&story, P1, "DEF");
    assert_int_equal(story_totals(&story).rejected, 0);
    assert_int_equal(story_totals(&story).leased, 3);
    story_submit(&story, P1, "G");
    assert_int_equal(story_totals(&story).rejected, 1); /* live ones are counted */
    story_end(&story);
}

static void the_oldest_letters_make_room_in_the_store(void **state)
{
    (void)state;
    struct story story;
    struct ventilator_options options = story_options();
    options.dead_letters_max = 50;
    start(&story, &options);
    story.task.payload = large();
    for (char letter[] = "A"; letter[0] <= 'Z'; letter[0]++) {
        story_submit(&story, P1, letter);
        story_complete(&story, W1, letter, OUTCOME_PERMANENT);
        story_clear(&story);
    }
    assert_int_equal(story_totals(&story).rejected, 0);
    assert_int_equal(story_totals(&story).failed, 26);
    assert_in_range(story_totals(&story).dead_letters, 1, 12);
    free((void *)story.task.payload.data);
    story_end(&story);
}

static void results_that_nobody_fetches_stop_new_runs_and_fail_none(void **state)
{
    (void)state;
    struct story story;
    story_start(&story);
    story_hello(&story, P1);
    story_hello(&story, W1);
    story_credit(&story, W1, 8);
    story.run.result = large();
    story_submit(&story, P1, "abcdefghi"); /* i waits for credit */
    for (char letter[] = "a"; letter[0] <= 'h'; letter[0]++) {
        story_complete(&story, W1, letter, OUTCOME_DONE);
    }
    story_credit(&story, W1, 5);
    assert_int_equal(story_totals(&story).ready, 1); /* its result would find no room */
    story_receipt(&story, P1);
    assert_int_equal(story_totals(&story).leased, 1);
    assert_int_equal(story_totals(&story).done, 8);
    assert_int_equal(story_totals(&story).failed, 0);
    free((void *)story.run.result.data);
    story.run.result = (struct bytes){0};
    story_end(&story);
}

static void a_message_that_only_the_intake_could_bring_leaves_a_worker_alone(void **state)
{
    (void)state;
    struct story story;
    struct ventilator_options options = story_options();
    start(&story, &options);
    story_clear(&story);
    struct message forged = {.kind = MESSAGE_SUBMIT,
                             .session = story.peers[W1].session,
                             .sequence = 7,
                             .u.submit = {.batch = 1}};
    story_step(&story, &(struct ventilator_event){.kind = VENTILATOR_MESSAGE,
                                                  .now_ns = story.now_ns,
                                                  .passage = PASSAGE_INTAKE,
                                                  .message = &forged});
    story_turn(&story);
    story_expect(&story, "");
    assert_int_equal(story_totals(&story).protocol_errors, 1);
    assert_int_equal(story_totals(&story).workers, 1);
    story_end(&story);
}

/* A DISPOSE that drops this one, without a turn. */
static void drop_letter(struct story *story, char letter)
{
    const struct id id = story_id(letter);
    struct message message = {.kind = MESSAGE_DISPOSE};
    message.u.dispose = (struct message_dispose){.disposal = DISPOSAL_DROP, .ids = &id, .count = 1};
    story_tell(story, P1, message);
}

/* A second answer must not overtake one that waits for the disk: they have no numbers. */
static void answers_come_in_the_order_of_the_questions(void **state)
{
    (void)state;
    struct ventilator_options options = story_options();
    options.journals = true;
    options.dead_letters_max = 10000;
    struct story story;
    start(&story, &options);
    story_submit(&story, P1, "AB");
    story_complete(&story, W1, "AB", OUTCOME_PERMANENT);
    story.check.is_shallow = true;
    story_sync(&story);
    drop_letter(&story, 'A');
    assert_int_equal(story.out->send_count, 0);
    story_step(&story, &(struct ventilator_event){.kind = VENTILATOR_DURABLE,
                                                  .durable_lsn = story.ventilator->appended_lsn});
    drop_letter(&story, 'X'); /* nothing that has to be written */
    assert_int_equal(story.out->send_count, 0);
    story_turn(&story);
    assert_int_equal(story.out->send_count, 2);
    assert_int_equal(story.out->sends[0].message.u.disposed.affected, 1);
    assert_int_equal(story.out->sends[1].message.u.disposed.affected, 0);

    drop_letter(&story, 'B');
    for (uint32_t batch = 1; batch < VENTILATOR_ANSWERS_MAX; batch++) {
        story_submit(&story, P1, "C");
        story_clear(&story);
    }
    drop_letter(&story, 'X'); /* there is no room for its answer */
    assert_int_equal(story.out->send_count, 1);
    assert_int_equal(story.out->sends[0].message.kind, MESSAGE_WHO);
    story_hello(&story, P1);
    story_sync(&story);
    assert_null(strstr(story.trace, "disposed"));
    drop_letter(&story, 'B');
    assert_int_equal(story.out->sends[0].message.u.disposed.rejections[0].reason, REASON_NO_LETTER);
    story_bye(&story, W1);
    story_sync(&story);
    story_end(&story);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dead_letters_take_no_live_tasks_place),
        cmocka_unit_test(the_oldest_letters_make_room_in_the_store),
        cmocka_unit_test(results_that_nobody_fetches_stop_new_runs_and_fail_none),
        cmocka_unit_test(a_message_that_only_the_intake_could_bring_leaves_a_worker_alone),
        cmocka_unit_test(answers_come_in_the_order_of_the_questions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
