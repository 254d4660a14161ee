/* ventilator_disposals.c - dead letters are tried again or dropped, as an operator says. */
#include "ventilator_story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void begin(struct story *story)
{
    struct ventilator_options options = story_options();
    story_start_served(story, &options, 100000);
}

/* The letters kept, in their order. */
static void expect_letters(struct story *story, const char *letters)
{
    story_query(story, P1, QUERY_DEAD, 0);
    const struct message_answer *answer = &story->out->sends[0].message.u.answer;
    assert_int_equal(answer->count, strlen(letters));
    for (uint32_t at = 0; at < answer->count; at++) {
        assert_int_equal(answer->dead[at].id.octets[15], letters[at]);
    }
}

static void a_letter_that_is_retried_begins_again(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story.task.attempts_max = 2;
    story.task.payload = bytes_text("x");
    story_submit(&story, P1, "A");
    story.run.retry_after_ms = 1;
    story.run.text = bytes_text("why");
    story_complete(&story, W1, "A", OUTCOME_FAILED);
    story_pass(&story, 1);
    story_complete(&story, W1, "A", OUTCOME_FAILED);
    story_clear(&story);
    story_dispose(&story, P1, DISPOSAL_RETRY, "A");
    story_turn(&story);
    story_expect(&story, "[    1] revived A/2\n"
                         "[    1] > p1 disposed 1\n"
                         "[    1] leased A/3 w1\n"
                         "[    1] > w1 work A/3 \"x\"\n");
    assert_int_equal(story_totals(&story).dead_letters, 0);
    story_complete(&story, W1, "A", OUTCOME_FAILED);
    assert_int_equal(story_totals(&story).waiting, 1); /* the first of two failures */
    story_pass(&story, 1);
    story_complete(&story, W1, "A", OUTCOME_FAILED);
    assert_int_equal(story_totals(&story).dead_letters, 1);
    story_dispose(&story, P1, DISPOSAL_RETRY, "A");
    story_turn(&story);
    story_complete(&story, W1, "A", OUTCOME_DONE);
    assert_int_equal(story_totals(&story).done, 1);
    assert_int_equal(story_totals(&story).failed, 2);
    story_end(&story);
}

static void what_is_no_letter_is_told(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story_bury(&story, "AB");
    story_submit(&story, P1, "C");
    story_clear(&story);
    story_dispose(&story, P1, DISPOSAL_RETRY, "XACA");
    story_expect(&story, "[    0] revived A/1\n"
                         "[    0] > p1 disposed 1 but 0 no letter but 2 no letter"
                         " but 3 no letter\n");
    story_dispose(&story, P1, DISPOSAL_DROP, "BB");
    story_expect(&story, "[    0] dropped B/1 permanent\n"
                         "[    0] > p1 disposed 1 but 1 no letter\n");
    story_dispose(&story, P1, DISPOSAL_DROP, "");
    story_expect(&story, "[    0] > p1 disposed 0\n");
    story_end(&story);
}

static void a_letter_that_is_dropped_leaves_only_its_id(void **state)
{
    (void)state;
    struct ventilator_options options = story_options();
    options.ended_ns_max = 10 * SECOND;
    struct story story;
    story_start_served(&story, &options, 100000);
    story.task.payload = bytes_text("payload");
    story_bury(&story, "A");
    story_pass(&story, 60000); /* letters outlive the time for which ids are remembered */
    story_clear(&story);
    story_dispose(&story, P1, DISPOSAL_DROP, "A");
    assert_int_equal(story_totals(&story).dead_letters, 0);
    story_pass(&story, 9000);
    story_clear(&story);
    story_submit(&story, P1, "A");
    story_expect(&story, "[69000] duplicate A/1\n"
                         "[69000] > p1 accept 2\n");
    story_pass(&story, 1001);
    story_clear(&story);
    story_submit(&story, P1, "A");
    assert_non_null(strstr(story.trace, "accepted A/0\n"));
    story_end(&story);
}

static void letters_leave_from_anywhere_and_the_others_keep_their_order(void **state)
{
    (void)state;
    struct story story; /* of at most eight letters */
    begin(&story);
    story_bury(&story, "ABCDEFGH");
    story_dispose(&story, P1, DISPOSAL_DROP, "ADH");
    expect_letters(&story, "BCEFG");
    story_bury(&story, "IJKL");
    expect_letters(&story, "CEFGIJKL"); /* one too many: the oldest went */
    story_dispose(&story, P1, DISPOSAL_RETRY, "C");
    expect_letters(&story, "EFGIJKL");
    story_turn(&story);
    story_complete(&story, W1, "C", OUTCOME_PERMANENT);
    expect_letters(&story, "EFGIJKLC");
    story_dispose(&story, P1, DISPOSAL_DROP, "EFGIJKLC");
    expect_letters(&story, "");
    story_end(&story);
}

static void whoever_was_not_told_the_first_end_is_told_the_second(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story_submit(&story, P1, "a");
    story_complete(&story, W1, "a", OUTCOME_PERMANENT);
    story_hello(&story, P2); /* the operator */
    story_clear(&story);
    static const struct id ids[] = {{{1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 'a'}}};
    struct message message = {.kind = MESSAGE_DISPOSE};
    message.u.dispose =
        (struct message_dispose){.disposal = DISPOSAL_RETRY, .ids = ids, .count = 1};
    story_say(&story, P2, message); /* before P1 receipts */
    story_receipt(&story, P1);
    story.run.result = bytes_text("well");
    story_complete(&story, W1, "a", OUTCOME_DONE);
    story_expect(&story, "[    0] revived a/1\n"
                         "[    0] > p2 disposed 1\n"
                         "[    0] leased a/2 w1\n"
                         "[    0] > w1 work a/2\n"
                         "[    0] ended a/2 w1 done\n"
                         "[    0] > p1 result a/2 done \"well\"\n"
                         "[    0] > w1 receipt 3\n");
    story_receipt(&story, P1);
    assert_int_equal(ventilator_open_count(story.ventilator), 0);
    story_end(&story);
}

static void whoever_was_told_hears_nothing_more_unless_it_asks_again(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story_submit(&story, P1, "ab");
    story_complete(&story, W1, "ab", OUTCOME_PERMANENT);
    story_receipt(&story, P1);
    story_dispose(&story, P1, DISPOSAL_RETRY, "ab");
    story_turn(&story);
    story_submit(&story, P1, "b");
    story_clear(&story);
    story_complete(&story, W1, "ab", OUTCOME_DONE);
    story_expect(&story, "[    0] ended a/2 w1 done\n"
                         "[    0] ended b/2 w1 done\n"
                         "[    0] > p1 result b/2 done\n"
                         "[    0] > w1 receipt 3\n");
    story_receipt(&story, P1);
    story_end(&story);
}

static void a_drop_does_not_take_the_end_from_who_waits_for_it(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story_close(&story, P1);
    story_hello(&story, P1);
    story_submit(&story, P1, "a");
    story.run.text = bytes_text("why");
    story_complete(&story, W1, "a", OUTCOME_PERMANENT);
    story_dispose(&story, P1, DISPOSAL_DROP, "a");
    expect_letters(&story, "");
    story_close(&story, P1);
    story_clear(&story);
    story_hello(&story, P1);
    assert_non_null(strstr(story.trace, "> p1 result a/1 failed permanent \"why\"\n"));
    story_receipt(&story, P1);
    story_end(&story);
}

static void all_may_mean_those_of_a_queue_and_a_name(void **state)
{
    (void)state;
    struct ventilator_options options = story_options();
    struct story story;
    story_start_with(&story, &options);
    story.peers[W1].names = "t u";
    story.peers[W1].queues = "default bulk";
    story_hello(&story, P1);
    story_hello(&story, W1);
    story_credit(&story, W1, 100);
    story_bury(&story, "AB");
    story.task.name = bytes_text("u");
    story_bury(&story, "CD");
    story.task.queue = bytes_text("bulk");
    story_bury(&story, "EF");
    assert_int_equal(story_dispose_all(&story, DISPOSAL_DROP_ALL, "bulk", "t", 0)->affected, 0);
    assert_int_equal(story_dispose_all(&story, DISPOSAL_DROP_ALL, "default", "u", 0)->affected, 2);
    expect_letters(&story, "ABEF");
    assert_int_equal(story_dispose_all(&story, DISPOSAL_RETRY_ALL, "", "u", 0)->affected, 2);
    expect_letters(&story, "AB");
    assert_int_equal(story_dispose_all(&story, DISPOSAL_DROP_ALL, "", "", 0)->affected, 2);
    expect_letters(&story, "");
    story_end(&story);
}

/* Many tasks that fail for good, in batches with ids of their own. */
static void bury_many(struct story *story, uint32_t count)
{
    struct message message = {.kind = MESSAGE_SUBMIT};
    for (uint32_t number = 0; number < count; number++) {
        struct submission item = {
            .id = {.octets = {9, (uint8_t)(number >> 8), (uint8_t)number, [15] = 'm'}},
            .name = bytes_text("t")};
        message.u.submit = (struct message_submit){.batch = number, .items = &item, .count = 1};
        story_say(story, P1, message);
        story_complete(story, W1, "m", OUTCOME_PERMANENT);
        story_clear(story);
    }
}

static void all_are_disposed_of_in_bounded_steps_and_no_letter_twice(void **state)
{
    (void)state;
    enum { LETTERS = 600 };
    struct ventilator_options options = story_options();
    options.tasks_max = options.ended_max = options.dead_letters_max = 2 * LETTERS;
    struct story story;
    story_start_served(&story, &options, 100000);
    story.check.is_shallow = true;
    bury_many(&story, LETTERS);
    uint32_t affected = 0, steps = 0;
    uint64_t cursor = 0;
    do {
        const struct message_disposed *disposed =
            story_dispose_all(&story, DISPOSAL_RETRY_ALL, "", "", cursor);
        assert_in_range(disposed->affected, 1, MESSAGE_LETTERS_MAX);
        affected += disposed->affected;
        cursor = disposed->cursor;
        steps++;
        story_turn(&story); /* they run, and all fail again at once */
        while (story.peers[W1].held_count > 0) {
            story_complete(&story, W1, (char[]){story.peers[W1].held[0].letter, '\0'},
                           OUTCOME_PERMANENT);
        }
    } while (cursor != 0);
    assert_int_equal(affected, LETTERS);
    assert_int_equal(steps, 3);
    assert_int_equal(story_totals(&story).dead_letters, LETTERS);
    assert_int_equal(story_totals(&story).failed, 2 * LETTERS);
    ventilator_check_tables(story.ventilator, CHECK_SETTLED);
    story_end(&story);
}

static void pages_of_letters_go_on_where_they_were_although_some_left(void **state)
{
    (void)state;
    enum { LETTERS = 600 };
    struct ventilator_options options = story_options();
    options.tasks_max = options.ended_max = options.dead_letters_max = LETTERS;
    struct story story;
    story_start_served(&story, &options, 100000);
    story.check.is_shallow = true;
    bury_many(&story, LETTERS);
    uint32_t seen = 0, cursor = 0;
    do {
        story_query(&story, P1, QUERY_DEAD, cursor);
        const struct message_answer *answer = &story.out->sends[0].message.u.answer;
        for (uint32_t row = 0; row < answer->count; row++, seen++) {
            assert_int_equal(answer->dead[row].id.octets[1] << 8 | answer->dead[row].id.octets[2],
                             seen);
        }
        assert_true(answer->cursor == 0 || answer->cursor > cursor);
        cursor = answer->cursor;
        /* What was seen leaves, and what was not seen stays. */
        struct id gone = answer->dead[answer->count - 1].id;
        struct message message = {.kind = MESSAGE_DISPOSE};
        message.u.dispose =
            (struct message_dispose){.disposal = DISPOSAL_DROP, .ids = &gone, .count = 1};
        story_say(&story, P1, message);
    } while (cursor != 0);
    assert_int_equal(seen, LETTERS);
    story_end(&story);
}

static void a_ventilator_that_takes_no_tasks_retries_no_letters(void **state)
{
    (void)state;
    struct ventilator_options options = story_options();
    options.tasks_max = 2;
    struct story story;
    story_start_served(&story, &options, 100000);
    story_bury(&story, "AB");
    story_bye(&story, W1);
    story_submit(&story, P1, "CD");
    story_clear(&story);
    story_dispose(&story, P1, DISPOSAL_RETRY, "AX");
    story_dispose_all(&story, DISPOSAL_RETRY_ALL, "", "", 0);
    story_step(&story, &(struct ventilator_event){.kind = VENTILATOR_DRAIN});
    story_dispose(&story, P1, DISPOSAL_RETRY, "A");
    story_dispose_all(&story, DISPOSAL_RETRY_ALL, "", "", 0);
    story_dispose_all(&story, DISPOSAL_DROP_ALL, "", "", 0);
    story_expect(&story, "[    0] > p1 disposed 0 but 0 busy but 1 no letter\n"
                         "[    0] > p1 disposed 0 busy\n"
                         "[    0] > p1 disposed 0 but 0 draining\n"
                         "[    0] > p1 disposed 0 draining\n"
                         "[    0] dropped A/1 permanent\n"
                         "[    0] dropped B/1 permanent\n"
                         "[    0] > p1 disposed 2\n");
    story_end(&story);
}

static void a_letter_without_its_payload_is_not_run_again(void **state)
{
    (void)state;
    enum { LARGE = 1024 * 1024 };
    static uint8_t large[LARGE];
    struct ventilator_options options = story_options();
    options.store_bytes_max = 16 * LARGE;
    struct story story;
    story_start_served(&story, &options, 100000);
    story.task.payload = bytes_text("small");
    const char letters[] = "abcdefghijklmnopqrst";
    story_submit(&story, P1, letters);
    story.run.result = bytes_of(large, LARGE);
    story_complete(&story, W1, letters, OUTCOME_DONE);
    assert_true(story_totals(&story).dead_letters > 0);
    story_query(&story, P1, QUERY_DEAD, 0);
    const struct dead_row *dead = story.out->sends[0].message.u.answer.dead;
    assert_int_equal(dead->reason, REASON_BUSY);
    assert_int_equal(dead->payload_bytes, 0);
    story_clear(&story);
    story_dispose(&story, P1, DISPOSAL_RETRY, (char[]){(char)dead->id.octets[15], '\0'});
    story_expect(&story, "[    0] > p1 disposed 0 but 0 forgotten\n");
    assert_int_equal(story_dispose_all(&story, DISPOSAL_RETRY_ALL, "", "", 0)->affected, 0);
    story_end(&story);
}

static const struct journal_entry *last_entry(const struct story *story)
{
    assert_true(story->out->entry_count > 0);
    return &story->out->entries[story->out->entry_count - 1];
}

static void make_durable(struct story *story)
{
    story_step(story, &(struct ventilator_event){.kind = VENTILATOR_DURABLE,
                                                 .durable_lsn = story->ventilator->appended_lsn});
    story_turn(story);
}

static void what_becomes_of_letters_is_written_down(void **state)
{
    (void)state;
    struct ventilator_options options = story_options();
    options.journals = true;
    options.dead_letters_max = 10000;
    struct story story;
    story_start_served(&story, &options, 100000);
    story.check.is_shallow = true; /* what waits for the disk is not what is checked here */
    story.task = (struct submission){.name = bytes_text("t"),
                                     .payload = bytes_text("payload"),
                                     .attempts_max = 7,
                                     .crashes_max = 6,
                                     .backoff_ms = 50,
                                     .backoff_ms_max = 400};
    story_bury(&story, "AB");
    story_dispose(&story, P1, DISPOSAL_RETRY, "A");
    const struct journal_entry *entry = last_entry(&story);
    assert_int_equal(entry->kind, JOURNAL_TASK);
    assert_int_equal(entry->state, TASK_READY);
    assert_int_equal(entry->reason, REASON_NONE);
    assert_int_equal(entry->kept, 0);
    assert_int_equal(entry->attempt, 1);
    assert_int_equal(entry->failures + entry->crashes + entry->losses, 0);
    assert_int_equal(entry->attempts_max, 7);
    assert_int_equal(entry->crashes_max, 6);
    assert_int_equal(entry->backoff_ms, 50);
    assert_int_equal(entry->backoff_ms_max, 400);
    assert_true(bytes_equal(entry->payload, bytes_text("payload")));
    story_dispose(&story, P1, DISPOSAL_DROP, "B");
    entry = last_entry(&story);
    assert_int_equal(entry->kind, JOURNAL_SETTLED);
    assert_int_equal(entry->kept, 0);
    assert_true(id_equal(&entry->id, &(struct id){{1, [15] = 'B'}}));
    make_durable(&story);
    story_bye(&story, W1);
    make_durable(&story);
    story_end(&story);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_letter_that_is_retried_begins_again),
        cmocka_unit_test(what_is_no_letter_is_told),
        cmocka_unit_test(a_letter_that_is_dropped_leaves_only_its_id),
        cmocka_unit_test(letters_leave_from_anywhere_and_the_others_keep_their_order),
        cmocka_unit_test(whoever_was_not_told_the_first_end_is_told_the_second),
        cmocka_unit_test(whoever_was_told_hears_nothing_more_unless_it_asks_again),
        cmocka_unit_test(a_drop_does_not_take_the_end_from_who_waits_for_it),
        cmocka_unit_test(all_may_mean_those_of_a_queue_and_a_name),
        cmocka_unit_test(all_are_disposed_of_in_bounded_steps_and_no_letter_twice),
        cmocka_unit_test(pages_of_letters_go_on_where_they_were_although_some_left),
        cmocka_unit_test(a_ventilator_that_takes_no_tasks_retries_no_letters),
        cmocka_unit_test(a_letter_without_its_payload_is_not_run_again),
        cmocka_unit_test(what_becomes_of_letters_is_written_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
