/* ventilator_progress.c - how far runs are, told to whoever waits for them and whoever asks. */
#include "ventilator_story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void begin(struct story *story)
{
    struct ventilator_options options = story_options();
    story_start_served(story, &options, 10);
}

/* A run that `at` holds tells of its progress, without a turn. */
static void tell_under(struct story *story, uint32_t at, struct lease lease, uint64_t number,
                       const char *text)
{
    struct progress item = {.lease = lease, .number = number, .text = bytes_text(text)};
    struct message message = {.kind = MESSAGE_PROGRESS};
    message.u.progress = (struct message_progress){.items = &item, .count = 1};
    story_tell(story, at, message);
}

static struct lease lease_of(const struct story *story, uint32_t at, char letter)
{
    const struct story_peer *peer = &story->peers[at];
    for (uint32_t held = 0; held < peer->held_count; held++) {
        if (peer->held[held].letter == letter) return peer->held[held].lease;
    }
    fail_msg("no lease of %c", letter);
    return (struct lease){0};
}

static void tell(struct story *story, uint32_t at, char letter, uint64_t number, const char *text)
{
    tell_under(story, at, lease_of(story, at, letter), number, text);
}

static const struct message_answer *ask(struct story *story, uint32_t cursor)
{
    story_query(story, P1, QUERY_RUNS, cursor);
    return &story->out->sends[0].message.u.answer;
}

static void the_latest_of_a_turn_goes_to_whoever_wants_the_result(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story_submit(&story, P1, "abC");
    story_clear(&story);
    tell(&story, W1, 'a', 1, "one");
    tell(&story, W1, 'b', 50, "half");
    tell(&story, W1, 'a', 2, "two");
    tell(&story, W1, 'C', 7, "nobody asked");
    story_expect(&story, "");
    story_turn(&story);
    story_expect(&story, "[    0] > p1 progress a/1 2 \"two\", b/1 50 \"half\"\n");
    story_turn(&story);
    story_expect(&story, "");
    tell(&story, W1, 'a', 3, "");
    story_turn(&story);
    story_expect(&story, "[    0] > p1 progress a/1 3 \"\"\n");
    story_end(&story);
}

static void each_producer_hears_of_its_own(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story_hello(&story, P2);
    story.peers[P3].minor = 1; /* and one that does not know the message nothing */
    story_hello(&story, P3);
    story_submit(&story, P1, "a");
    story_submit(&story, P2, "b");
    story_submit(&story, P3, "c");
    story_clear(&story);
    tell(&story, W1, 'b', 2, "b");
    tell(&story, W1, 'a', 1, "a");
    tell(&story, W1, 'c', 3, "c");
    story_turn(&story);
    story_expect(&story, "[    0] > p2 progress b/1 2 \"b\"\n"
                         "[    0] > p1 progress a/1 1 \"a\"\n");
    story_end(&story);
}

static void whoever_takes_over_a_task_takes_over_its_progress(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story_hello(&story, P2);
    story_submit(&story, P1, "a");
    struct submission again = story.task;
    again.id = story_id('a');
    again.flags = SUBMISSION_WANTS_RESULT;
    struct message message = {.kind = MESSAGE_SUBMIT};
    message.u.submit = (struct message_submit){.batch = 1, .items = &again, .count = 1};
    story_clear(&story);
    tell(&story, W1, 'a', 1, "a");
    story_tell(&story, P2, message);
    tell(&story, W1, 'a', 2, "a");
    story_turn(&story);
    story_expect(&story, "[    0] duplicate a/1 p1\n"
                         "[    0] > p1 result a/1 cancelled awaited\n"
                         "[    0] > p2 accept 1\n"
                         "[    0] > p2 progress a/1 2 \"a\"\n");
    story_end(&story);
}

static void what_is_not_told_under_the_latest_lease_is_nothing(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story_submit(&story, P1, "a");
    struct lease first = lease_of(&story, W1, 'a');
    story_clear(&story);
    struct lease forged = first;
    forged.token++;
    tell_under(&story, W1, forged, 1, "forged");
    forged = first;
    forged.id = story_id('X');
    tell_under(&story, W1, forged, 1, "unknown");
    story_hello(&story, W2);
    tell_under(&story, W2, first, 1, "another's");
    story.run.retry_after_ms = 10;
    story_complete(&story, W1, "a", OUTCOME_FAILED);
    tell_under(&story, W1, first, 1, "late");
    story_pass(&story, 10);
    tell_under(&story, W1, first, 1, "later");
    story_turn(&story);
    assert_null(strstr(story.trace, "progress"));
    assert_int_equal(story.ventilator->runs.count, 0);
    assert_int_equal(story_totals(&story).protocol_errors, 0);
    story_end(&story);
}

static void it_ends_with_the_lease_even_before_it_is_passed_on(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story_submit(&story, P1, "ab");
    story_clear(&story);
    tell(&story, W1, 'a', 1, "a");
    tell(&story, W1, 'b', 2, "b");
    story_complete(&story, W1, "a", OUTCOME_DONE);
    story_expect(&story, "[    0] ended a/1 w1 done\n"
                         "[    0] > p1 progress b/1 2 \"b\"\n"
                         "[    0] > p1 result a/1 done\n"
                         "[    0] > w1 receipt 4\n");
    story_bye(&story, W1);
    assert_int_equal(story.ventilator->runs.count, 0);
    story_end(&story);
}

static void a_producer_that_is_away_misses_it(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story_submit(&story, P1, "a");
    story_clear(&story);
    tell(&story, W1, 'a', 1, "first");
    story_close(&story, P1);
    tell(&story, W1, 'a', 2, "second");
    story_turn(&story);
    story_hello(&story, P1);
    assert_null(strstr(story.trace, "progress"));
    story_clear(&story);
    tell(&story, W1, 'a', 3, "third");
    story_turn(&story);
    story_expect(&story, "[    0] > p1 progress a/1 3 \"third\"\n");
    story_silence(&story, P1);
    story_pass(&story, 2500);
    tell(&story, W1, 'a', 4, "fourth");
    story_pass(&story, 2500); /* until it is given up */
    story_end(&story);
}

static struct id numbered(uint32_t number)
{
    struct id id = {.octets = {3}};
    memcpy(id.octets + 12, &number, sizeof number);
    return id;
}

/* One run more than there is room for tells of its progress. */
static void without_room_whoever_told_least_lately_makes_way(void **state)
{
    (void)state;
    enum { TASKS = RUNS_MAX + 1 };
    static struct story story;
    struct ventilator_options options = story_options();
    options.tasks_max = options.ended_max = 2 * TASKS;
    struct submission *items = calloc(TASKS, sizeof *items);
    struct progress *told = calloc(TASKS, sizeof *told);
    assert_non_null(items);
    assert_non_null(told);
    story_start_with(&story, &options);
    story.check.is_shallow = true;
    story_hello(&story, P1);
    story_hello(&story, W1);
    story_credit(&story, W1, TASKS);
    for (uint32_t at = 0; at < TASKS; at++) {
        items[at] = story.task;
        items[at].id = numbered(at);
        items[at].flags = SUBMISSION_WANTS_RESULT;
    }
    for (uint32_t first = 0; first < TASKS; first += TASKS - 1) {
        struct message message = {.kind = MESSAGE_SUBMIT};
        message.u.submit = (struct message_submit){.batch = ++story.peers[P1].batch,
                                                   .items = items + first,
                                                   .count = first == 0 ? TASKS - 1 : 1};
        story_say(&story, P1, message);
    }
    for (uint32_t at = 0; at < TASKS; at++) {
        const struct task *task =
            &story.ventilator->tasks[known_find(&story.ventilator->known, &items[at].id)];
        told[at] = (struct progress){
            .lease = {.id = items[at].id, .attempt = 1, .token = task->token}, .number = at};
    }
    struct message message = {.kind = MESSAGE_PROGRESS};
    message.u.progress = (struct message_progress){.items = told, .count = TASKS - 1};
    story_tell(&story, W1, message);
    message.u.progress = (struct message_progress){.items = told, .count = 1};
    story_tell(&story, W1, message); /* the first of them tells again */
    message.u.progress = (struct message_progress){.items = told + TASKS - 1, .count = 1};
    story_tell(&story, W1, message);
    story_turn(&story);
    assert_int_equal(story.ventilator->runs.count, RUNS_MAX);
    ventilator_check_tables(story.ventilator, CHECK_SETTLED);
    uint32_t second = known_find(&story.ventilator->known, &items[1].id);
    for (uint32_t at = 0; at < TASKS; at++) {
        uint32_t slot = known_find(&story.ventilator->known, &items[at].id);
        assert_int_equal(story.ventilator->tasks[slot].row == 0, slot == second);
    }
    free(items);
    free(told);
    ventilator_check_end(&story.check);
    entry_log_end(&story.log);
    free(story.memory);
    free(story.out);
}

static void runs_are_those_that_take_a_while_or_told_something(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story_submit(&story, P1, "ab");
    story_pass(&story, 900);
    assert_int_equal(ask(&story, 0)->count, 0);
    story_submit(&story, P1, "c");
    story_submit(&story, P1, "d");
    tell(&story, W1, 'c', 40, "of 100");
    story_pass(&story, 100);
    const struct message_answer *answer = ask(&story, 0);
    assert_int_equal(answer->count, 3);
    assert_int_equal(answer->cursor, 0);
    const struct run_row *row = answer->runs;
    assert_int_equal(row[0].id.octets[15], 'a');
    assert_int_equal(row[0].leased_ms, 1000);
    assert_int_equal(row[0].attempt, 1);
    assert_int_equal(row[0].told, 0);
    assert_true(bytes_equal(row[0].name, bytes_text("t")));
    assert_true(bytes_equal(row[0].queue, bytes_text("default")));
    assert_true(bytes_equal(row[0].worker, bytes_text("host")));
    assert_int_equal(row[2].id.octets[15], 'c');
    assert_int_equal(row[2].told, 1);
    assert_int_equal(row[2].number, 40);
    assert_true(bytes_equal(row[2].text, bytes_text("of 100")));
    assert_int_equal(row[2].told_ms, 100);
    story_complete(&story, W1, "abcd", OUTCOME_DONE);
    assert_int_equal(ask(&story, 0)->count, 0);
    story_end(&story);
}

static void runs_are_told_page_by_page(void **state)
{
    (void)state;
    enum { TASKS = 3 * MESSAGE_ROWS_MAX };
    static struct story story;
    static bool seen[TASKS];
    static struct submission items[TASKS];
    struct ventilator_options options = story_options();
    options.tasks_max = options.ended_max = 2 * TASKS;
    story_start_with(&story, &options);
    story_hello(&story, P1);
    story_hello(&story, W1);
    story_hello(&story, W3);
    story_credit(&story, W1, 300);
    story_credit(&story, W3, TASKS);
    for (uint32_t at = 0; at < TASKS; at++) {
        items[at] = story.task;
        items[at].id = numbered(at);
    }
    struct message message = {.kind = MESSAGE_SUBMIT};
    message.u.submit =
        (struct message_submit){.batch = ++story.peers[P1].batch, .items = items, .count = TASKS};
    story_say(&story, P1, message);
    story_pass(&story, 1000);
    uint32_t cursor = 0, pages = 0, count = 0;
    do {
        const struct message_answer *answer = ask(&story, cursor);
        for (uint32_t at = 0; at < answer->count; at++) {
            uint32_t number;
            memcpy(&number, answer->runs[at].id.octets + 12, sizeof number);
            assert_false(seen[number]);
            seen[number] = true;
        }
        count += answer->count;
        cursor = answer->cursor;
        assert_true(++pages <= 4);
    } while (cursor != 0);
    assert_int_equal(count, TASKS);
    assert_int_equal(ask(&story, UINT32_MAX)->count, 0); /* a cursor nobody was given */
    story_end(&story);
}

static void a_worker_says_what_of_it_hangs_and_that_it_drains(void **state)
{
    (void)state;
    struct story story;
    begin(&story);
    story.peers[W1].beat =
        (struct message_heartbeat){.held = 3, .running = 2, .hung = 1, .draining = 1};
    story_beat(&story, W1);
    story_query(&story, P1, QUERY_WORKERS, 0);
    const struct worker_row *row = story.out->sends[0].message.u.answer.workers;
    assert_int_equal(row->running, 2);
    assert_int_equal(row->hung, 1);
    assert_int_equal(row->draining, 1);
    story_end(&story);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_latest_of_a_turn_goes_to_whoever_wants_the_result),
        cmocka_unit_test(each_producer_hears_of_its_own),
        cmocka_unit_test(whoever_takes_over_a_task_takes_over_its_progress),
        cmocka_unit_test(what_is_not_told_under_the_latest_lease_is_nothing),
        cmocka_unit_test(it_ends_with_the_lease_even_before_it_is_passed_on),
        cmocka_unit_test(a_producer_that_is_away_misses_it),
        cmocka_unit_test(without_room_whoever_told_least_lately_makes_way),
        cmocka_unit_test(runs_are_those_that_take_a_while_or_told_something),
        cmocka_unit_test(runs_are_told_page_by_page),
        cmocka_unit_test(a_worker_says_what_of_it_hangs_and_that_it_drains),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
