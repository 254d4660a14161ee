/* inquiry.c - a status is put together page by page, from answers that may be
 * late, foreign, or without end. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "../../src/node/inquiry.h"

#include <stdlib.h>
#include <string.h>

static const char *const endpoints[] = {"tcp://a:1", "tcp://b:2"};

static struct inquiry *begin(uint32_t count)
{
    struct inquiry *inquiry = calloc(1, sizeof *inquiry);
    assert_non_null(inquiry);
    assert_true(inquiry_begin(inquiry, endpoints, count));
    assert_true(inquiry->busy);
    assert_false(inquiry_is_complete(inquiry));
    return inquiry;
}

static tmesh_status_t *end(struct inquiry *inquiry, bool expected)
{
    bool complete;
    tmesh_status_t *status = inquiry_end(inquiry, &complete);
    assert_int_equal(complete, expected);
    assert_false(inquiry->busy);
    assert_null(inquiry->status);
    free(inquiry);
    return status;
}

/* As the producer's thread does it: asks what is to be asked, and hears `answer`. */
static void answer(struct inquiry *inquiry, uint32_t link, struct message_answer answer)
{
    assert_int_equal(inquiry->links[link].query, answer.query);
    inquiry->links[link].asked = true;
    inquiry_add(inquiry, link, &answer);
    assert_false(inquiry->links[link].asked);
}

static void answer_totals(struct inquiry *inquiry, uint32_t link, uint64_t submitted)
{
    const struct totals totals = {.submitted = submitted, .dead_letters = 3, .workers = 2};
    answer(inquiry, link,
           (struct message_answer){.query = QUERY_TOTALS, .count = 1, .totals = &totals});
}

static void answer_nothing(struct inquiry *inquiry, uint32_t link, enum query query)
{
    answer(inquiry, link, (struct message_answer){.query = query});
}

static void it_is_complete_when_all_have_said_all(void **state)
{
    (void)state;
    struct inquiry *inquiry = begin(2);
    for (uint32_t link = 0; link < 2; link++) {
        answer_totals(inquiry, link, 10 + link);
        for (enum query query = QUERY_WORKERS; query <= QUERY_DEAD; query++) {
            assert_false(inquiry_is_complete(inquiry));
            answer_nothing(inquiry, link, query);
        }
        assert_true(inquiry->links[link].done);
    }
    assert_true(inquiry_is_complete(inquiry));
    tmesh_status_t *status = end(inquiry, true);
    assert_int_equal(status->ventilator_count, 2);
    for (size_t link = 0; link < 2; link++) {
        const tmesh_ventilator_row_t *row = &status->ventilators[link];
        assert_string_equal(row->endpoint, endpoints[link]);
        assert_true(row->answered);
        assert_int_equal(row->submitted, 10 + link);
        assert_int_equal(row->dead_letters, 3);
        assert_int_equal(row->workers_open, 2);
        assert_int_equal(row->worker_count + row->lane_count + row->dead_count, 0);
    }
    tmesh_status_destroy(&status);
}

static void silence_is_a_row_that_did_not_answer(void **state)
{
    (void)state;
    struct inquiry *inquiry = begin(2);
    answer_totals(inquiry, 1, 5);
    tmesh_status_t *status = end(inquiry, false);
    assert_false(status->ventilators[0].answered);
    assert_true(status->ventilators[1].answered);
    tmesh_status_destroy(&status);
    assert_null(status);
    status = inquiry_silence(endpoints, 2);
    assert_non_null(status);
    assert_int_equal(status->ventilator_count, 2);
    assert_string_equal(status->ventilators[1].endpoint, "tcp://b:2");
    assert_false(status->ventilators[0].answered || status->ventilators[1].answered);
    tmesh_status_destroy(&status);
}

static void pages_follow_each_other(void **state)
{
    (void)state;
    struct inquiry *inquiry = begin(1);
    const struct worker_row workers[] = {{.label = bytes_text("one"), .slots = 1},
                                         {.label = bytes_text("two"),
                                          .slots = 2,
                                          .leased = 3,
                                          .running = 4,
                                          .completed = 5,
                                          .silent_ms = 6}};
    answer_totals(inquiry, 0, 1);
    answer(inquiry, 0,
           (struct message_answer){
               .query = QUERY_WORKERS, .cursor = 7, .count = 1, .workers = &workers[0]});
    assert_int_equal(inquiry->links[0].query, QUERY_WORKERS);
    assert_int_equal(inquiry->links[0].cursor, 7);
    answer(inquiry, 0,
           (struct message_answer){.query = QUERY_WORKERS, .count = 1, .workers = &workers[1]});
    assert_int_equal(inquiry->links[0].query, QUERY_LANES);
    assert_int_equal(inquiry->links[0].cursor, 0);
    const struct lane_row lane = {.queue = bytes_text("q"),
                                  .name = bytes_text("n"),
                                  .waiting = 1,
                                  .ready = 2,
                                  .leased = 3,
                                  .workers = 4};
    answer(inquiry, 0, (struct message_answer){.query = QUERY_LANES, .count = 1, .lanes = &lane});
    const struct dead_row dead[] = {
        {.id = {{9}},
         .queue = bytes_text("q"),
         .name = bytes_text("n"),
         .state = TASK_FAILED,
         .reason = REASON_PERMANENT,
         .attempt = 2},
        {.id = {{8}}, .state = TASK_DEAD, .reason = REASON_CRASHES, .text = bytes_text("said")}};
    answer(inquiry, 0, (struct message_answer){.query = QUERY_DEAD, .count = 2, .dead = dead});
    tmesh_status_t *status = end(inquiry, true);
    const tmesh_ventilator_row_t *row = &status->ventilators[0];
    assert_int_equal(row->worker_count, 2);
    assert_string_equal(row->workers[0].label, "one");
    assert_string_equal(row->workers[1].label, "two");
    assert_int_equal(row->workers[1].leased, 3);
    assert_int_equal(row->workers[1].running, 4);
    assert_int_equal(row->workers[1].completed, 5);
    assert_int_equal(row->workers[1].silent_ms, 6);
    assert_int_equal(row->lane_count, 1);
    assert_string_equal(row->lanes[0].queue, "q");
    assert_int_equal(row->lanes[0].workers, 4);
    assert_int_equal(row->dead_count, 2);
    assert_int_equal(row->dead_rows[0].id.octets[0], 9);
    assert_int_equal(row->dead_rows[0].state, TMESH_STATE_FAILED);
    assert_string_equal(row->dead_rows[0].reason, "its handler said that trying again is useless");
    assert_int_equal(row->dead_rows[1].state, TMESH_STATE_DEAD);
    assert_string_equal(row->dead_rows[1].reason, "said");
    tmesh_status_destroy(&status);
}

static void an_answer_that_was_not_asked_for_is_passed_over(void **state)
{
    (void)state;
    struct inquiry *inquiry = begin(1);
    const struct totals totals = {.submitted = 99};
    const struct message_answer unasked = {.query = QUERY_TOTALS, .count = 1, .totals = &totals};
    inquiry_add(inquiry, 0, &unasked);
    assert_int_equal(inquiry->links[0].query, QUERY_TOTALS);
    answer_totals(inquiry, 0, 1);
    inquiry->links[0].asked = true;
    inquiry_add(inquiry, 0, &unasked); /* to another question */
    assert_true(inquiry->links[0].asked);
    bool complete;
    tmesh_status_t *status = inquiry_end(inquiry, &complete);
    inquiry_add(inquiry, 0, &unasked); /* after the end */
    assert_int_equal(status->ventilators[0].submitted, 1);
    tmesh_status_destroy(&status);
    free(inquiry);
}

static void long_texts_are_cut(void **state)
{
    (void)state;
    static char text[1000];
    memset(text, 't', sizeof text);
    struct inquiry *inquiry = begin(1);
    const struct worker_row worker = {.label = bytes_of(text, sizeof text)};
    const struct dead_row dead = {.text = bytes_of(text, sizeof text)};
    answer_totals(inquiry, 0, 1);
    answer(inquiry, 0,
           (struct message_answer){.query = QUERY_WORKERS, .count = 1, .workers = &worker});
    answer_nothing(inquiry, 0, QUERY_LANES);
    answer(inquiry, 0, (struct message_answer){.query = QUERY_DEAD, .count = 1, .dead = &dead});
    tmesh_status_t *status = end(inquiry, true);
    const tmesh_ventilator_row_t *row = &status->ventilators[0];
    assert_int_equal(strlen(row->workers[0].label), sizeof row->workers[0].label - 1);
    assert_int_equal(strlen(row->dead_rows[0].reason), sizeof row->dead_rows[0].reason - 1);
    tmesh_status_destroy(&status);
}

/* ---- Ventilators that never come to an end ---- */

static void rows_are_bounded(void **state)
{
    (void)state;
    static struct worker_row workers[MESSAGE_ROWS_MAX];
    static struct lane_row lanes[MESSAGE_ROWS_MAX];
    static struct dead_row dead[MESSAGE_ROWS_MAX];
    struct inquiry *inquiry = begin(1);
    answer_totals(inquiry, 0, 1);
    uint32_t pages = 0;
    while (!inquiry_is_complete(inquiry)) {
        assert_true(++pages < 1000);
        answer(inquiry, 0,
               (struct message_answer){.query = inquiry->links[0].query,
                                       .cursor = pages * MESSAGE_ROWS_MAX,
                                       .count = MESSAGE_ROWS_MAX,
                                       .workers = workers,
                                       .lanes = lanes,
                                       .dead = dead});
    }
    tmesh_status_t *status = end(inquiry, true);
    assert_int_equal(status->ventilators[0].worker_count, INQUIRY_ROWS_MAX);
    assert_int_equal(status->ventilators[0].lane_count, INQUIRY_ROWS_MAX);
    assert_int_equal(status->ventilators[0].dead_count, INQUIRY_DEAD_ROWS_MAX);
    tmesh_status_destroy(&status);
}

static void a_cursor_that_does_not_advance_is_the_end(void **state)
{
    (void)state;
    struct inquiry *inquiry = begin(1);
    answer_totals(inquiry, 0, 1);
    answer(inquiry, 0, (struct message_answer){.query = QUERY_WORKERS, .cursor = 5});
    answer(inquiry, 0, (struct message_answer){.query = QUERY_WORKERS, .cursor = 5});
    assert_int_equal(inquiry->links[0].query, QUERY_LANES);
    tmesh_status_t *status = end(inquiry, false);
    tmesh_status_destroy(&status);
}

static void runs_are_asked_for_where_they_are_known(void **state)
{
    (void)state;
    struct inquiry *inquiry = begin(2);
    const struct run_row runs[] = {
        {.id = {{1}},
         .queue = bytes_text("q"),
         .name = bytes_text("n"),
         .attempt = 2,
         .worker = bytes_text("w"),
         .leased_ms = 3,
         .told = 1,
         .number = 4,
         .text = bytes_text("far"),
         .told_ms = 5},
        {.id = {{2}}, .leased_ms = 6, .number = 7},
    };
    for (uint32_t link = 0; link < 2; link++) {
        inquiry->links[link].minor = 1 + link;
        answer_totals(inquiry, link, 1);
        const struct worker_row worker = {.node = {{9}}, .hung = 2, .draining = 1};
        answer(inquiry, link,
               (struct message_answer){.query = QUERY_WORKERS, .count = 1, .workers = &worker});
        answer_nothing(inquiry, link, QUERY_LANES);
        for (uint32_t at = 0; at < 2 * link; at++) {
            answer(inquiry, link,
                   (struct message_answer){
                       .query = QUERY_RUNS, .cursor = 1 - at, .count = 1, .runs = &runs[at]});
        }
        answer_nothing(inquiry, link, QUERY_DEAD);
    }
    tmesh_status_t *status = end(inquiry, true);
    assert_int_equal(status->ventilators[0].run_count, 0);
    const tmesh_ventilator_row_t *row = &status->ventilators[1];
    assert_int_equal(row->workers[0].node.octets[0], 9);
    assert_int_equal(row->workers[0].hung, 2);
    assert_true(row->workers[0].draining);
    assert_int_equal(row->run_count, 2);
    assert_int_equal(row->runs[0].id.octets[0], 1);
    assert_string_equal(row->runs[0].queue, "q");
    assert_string_equal(row->runs[0].name, "n");
    assert_string_equal(row->runs[0].worker, "w");
    assert_string_equal(row->runs[0].text, "far");
    assert_int_equal(row->runs[0].attempt, 2);
    assert_int_equal(row->runs[0].leased_ms, 3);
    assert_int_equal(row->runs[0].number, 4);
    assert_int_equal(row->runs[0].told_ms, 5);
    assert_true(row->runs[0].told);
    assert_false(row->runs[1].told);
    assert_int_equal(row->runs[1].number, 0); /* what was not told is not shown */
    assert_int_equal(row->runs[1].leased_ms, 6);
    tmesh_status_destroy(&status);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_complete_when_all_have_said_all),
        cmocka_unit_test(silence_is_a_row_that_did_not_answer),
        cmocka_unit_test(pages_follow_each_other),
        cmocka_unit_test(an_answer_that_was_not_asked_for_is_passed_over),
        cmocka_unit_test(long_texts_are_cut),
        cmocka_unit_test(rows_are_bounded),
        cmocka_unit_test(a_cursor_that_does_not_advance_is_the_end),
        cmocka_unit_test(runs_are_asked_for_where_they_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
