/* errand.c - questions and orders about dead letters: asked page by page, of
 * ventilators that may be old, slow, or without end. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "../../src/node/errand.h"

#include <stdlib.h>
#include <string.h>

static const char *const endpoints[] = {"tcp://a:1", "tcp://b:2"};
static const tmesh_dead_choice_t all = {.all = true};

static struct errand_question question;

static struct errand *begin(enum errand_kind kind, const tmesh_dead_choice_t *choice,
                            uint32_t count)
{
    struct errand *errand = malloc(sizeof *errand);
    assert_non_null(errand);
    const struct errand_order order = {.kind = kind, .choice = *choice};
    *errand = (struct errand){.busy = false};
    assert_true(errand_begin(errand, &order, endpoints, count));
    assert_true(errand->busy);
    assert_false(errand_is_complete(errand));
    return errand;
}

static tmesh_dead_t *end(struct errand *errand, enum tmesh_err expected)
{
    struct errand ended;
    assert_int_equal(errand_end(errand, &ended), expected);
    assert_false(errand->busy);
    tmesh_dead_t *dead = errand_report_dead(&ended);
    assert_non_null(dead);
    free(errand);
    return dead;
}

/* As the producer's thread does it: what is asked stands in `question`. */
static void ask(struct errand *errand, uint32_t link)
{
    assert_true(errand_ask(errand, link, 1, &question));
    assert_false(errand_ask(errand, link, 1, &question)); /* one at a time */
}

static void answer(struct errand *errand, uint32_t link, struct message_answer answer)
{
    struct message message = {.kind = MESSAGE_ANSWER};
    message.u.answer = answer;
    errand_add(errand, link, &message);
}

static void dispose(struct errand *errand, uint32_t link, struct message_disposed disposed)
{
    struct message message = {.kind = MESSAGE_DISPOSED};
    message.u.disposed = disposed;
    errand_add(errand, link, &message);
}

static struct dead_row row_of(uint8_t number, const char *queue, const char *name)
{
    return (struct dead_row){.id = {{number}},
                             .queue = bytes_text(queue),
                             .name = bytes_text(name),
                             .state = TASK_DEAD,
                             .reason = REASON_CRASHES,
                             .attempt = 4,
                             .text = bytes_text("killed\nby"),
                             .failures = 3,
                             .crashes = 2,
                             .losses = 1,
                             .age_ms = 5000000000,
                             .payload_bytes = 7};
}

static void a_list_is_put_together_from_pages_and_ventilators(void **state)
{
    (void)state;
    struct errand *errand = begin(ERRAND_LIST, &all, 2);
    const struct dead_row rows[] = {row_of(1, "q", "n"), row_of(2, "q", "n"), row_of(3, "r", "m")};
    ask(errand, 0);
    assert_int_equal(question.kind, MESSAGE_QUERY);
    assert_int_equal(question.query.query, QUERY_DEAD);
    assert_int_equal(question.query.cursor, 0);
    answer(errand, 0,
           (struct message_answer){.query = QUERY_DEAD, .cursor = 9, .count = 1, .dead = &rows[0]});
    assert_true(errand_ask(errand, 1, 0, &question)); /* an old one can be asked for a list */
    answer(errand, 1, (struct message_answer){.query = QUERY_DEAD, .count = 1, .dead = &rows[2]});
    assert_false(errand_is_complete(errand));
    ask(errand, 0);
    assert_int_equal(question.query.cursor, 9);
    answer(errand, 0, (struct message_answer){.query = QUERY_DEAD, .count = 1, .dead = &rows[1]});
    assert_true(errand_is_complete(errand));
    tmesh_dead_t *dead = end(errand, TMESH_OK);
    assert_int_equal(dead->ventilator_count, 2);
    assert_true(dead->ventilators[0].answered && dead->ventilators[1].answered);
    assert_int_equal(dead->letter_count, 3);
    assert_int_equal(dead->refusal_count, 0);
    const tmesh_letter_t *letter = &dead->letters[1];
    assert_string_equal(letter->endpoint, "tcp://b:2");
    assert_int_equal(letter->id.octets[0], 3);
    assert_string_equal(letter->queue, "r");
    assert_string_equal(letter->name, "m");
    assert_int_equal(letter->state, TMESH_STATE_DEAD);
    assert_string_equal(letter->reason, "it killed its handler's process too often");
    assert_string_equal(letter->error, "killed\nby");
    assert_int_equal(letter->attempt, 4);
    assert_int_equal(letter->failures, 3);
    assert_int_equal(letter->crashes, 2);
    assert_int_equal(letter->losses, 1);
    assert_true(letter->age_ms == 5000000000);
    assert_int_equal(letter->payload_bytes, 7);
    assert_null(letter->payload);
    tmesh_dead_destroy(&dead);
    assert_null(dead);
    tmesh_dead_destroy(&dead);
}

static void a_list_may_be_of_one_queue_or_one_name(void **state)
{
    (void)state;
    const struct dead_row rows[] = {row_of(1, "q", "n"), row_of(2, "q", "m"), row_of(3, "r", "n")};
    const struct {
        const char *queue, *name;
        size_t count;
    } cases[] = {{"q", NULL, 2}, {NULL, "n", 2}, {"q", "n", 1}, {"s", NULL, 0}, {NULL, NULL, 3}};
    for (size_t at = 0; at < sizeof cases / sizeof cases[0]; at++) {
        const tmesh_dead_choice_t some = {
            .all = true, .queue = cases[at].queue, .name = cases[at].name};
        struct errand *errand = begin(ERRAND_LIST, &some, 1);
        ask(errand, 0);
        answer(errand, 0, (struct message_answer){.query = QUERY_DEAD, .count = 3, .dead = rows});
        tmesh_dead_t *dead = end(errand, TMESH_OK);
        assert_int_equal(dead->letter_count, cases[at].count);
        tmesh_dead_destroy(&dead);
    }
}

static void a_list_without_end_ends(void **state)
{
    (void)state;
    static struct dead_row rows[MESSAGE_ROWS_MAX];
    struct errand *errand = begin(ERRAND_LIST, &all, 2);
    for (uint32_t page = 1; !errand->links[0].done; page++) {
        assert_true(page < 1000);
        ask(errand, 0);
        answer(errand, 0,
               (struct message_answer){
                   .query = QUERY_DEAD, .cursor = page, .count = MESSAGE_ROWS_MAX, .dead = rows});
    }
    ask(errand, 1);
    answer(errand, 1, (struct message_answer){.query = QUERY_DEAD, .cursor = 5});
    ask(errand, 1);
    answer(errand, 1, (struct message_answer){.query = QUERY_DEAD, .cursor = 5});
    assert_true(errand_is_complete(errand)); /* the cursor stood still */
    tmesh_dead_t *dead = end(errand, TMESH_OK);
    assert_int_equal(dead->letter_count, INQUIRY_DEAD_ROWS_MAX);
    tmesh_dead_destroy(&dead);
}

static void a_letter_is_shown_with_its_values(void **state)
{
    (void)state;
    const tmesh_id_t id = {{7}};
    const tmesh_dead_choice_t one = {.ids = &id, .id_count = 1};
    struct letter_row letter = {.dead = row_of(7, "q", "n"), .value = bytes_of("pay\0load", 8)};
    struct errand *errand = begin(ERRAND_SHOW, &one, 2);
    ask(errand, 0);
    assert_int_equal(question.query.query, QUERY_LETTER);
    assert_int_equal(question.query.id.octets[0], 7);
    answer(
        errand, 0,
        (struct message_answer){.query = QUERY_LETTER, .cursor = 1, .count = 1, .letter = &letter});
    ask(errand, 1);
    answer(errand, 1, (struct message_answer){.query = QUERY_LETTER}); /* keeps no such letter */
    ask(errand, 0);
    assert_int_equal(question.query.cursor, 1);
    letter.value = bytes_text("out");
    answer(errand, 0,
           (struct message_answer){.query = QUERY_LETTER, .count = 1, .letter = &letter});
    tmesh_dead_t *dead = end(errand, TMESH_OK);
    assert_int_equal(dead->letter_count, 1);
    assert_memory_equal(dead->letters[0].payload, "pay\0load", 8);
    assert_int_equal(dead->letters[0].result_bytes, 3);
    assert_memory_equal(dead->letters[0].result, "out", 3);
    tmesh_dead_destroy(&dead);
}

static void ids_are_told_in_portions_and_each_has_an_answer(void **state)
{
    (void)state;
    enum { IDS = MESSAGE_LETTERS_MAX + 3 };
    static tmesh_id_t ids[IDS];
    for (uint32_t at = 0; at < IDS; at++) ids[at].octets[1] = (uint8_t)at;
    const tmesh_dead_choice_t some = {.ids = ids, .id_count = IDS};
    const struct rejection first[] = {{.item = 1, .reason = REASON_NO_LETTER},
                                      {.item = 2, .reason = REASON_FORGOTTEN},
                                      {.item = UINT32_MAX, .reason = REASON_BUSY}};
    const struct rejection none[] = {{.item = 0, .reason = REASON_NO_LETTER},
                                     {.item = 1, .reason = REASON_DRAINING},
                                     {.item = 2, .reason = REASON_NO_LETTER}};
    struct errand *errand = begin(ERRAND_RETRY, &some, 1);
    ask(errand, 0);
    assert_int_equal(question.kind, MESSAGE_DISPOSE);
    assert_int_equal(question.dispose.disposal, DISPOSAL_RETRY);
    assert_int_equal(question.dispose.count, MESSAGE_LETTERS_MAX);
    assert_int_equal(question.dispose.ids[5].octets[1], 5);
    dispose(errand, 0, (struct message_disposed){.affected = 254, .rejections = first, .count = 3});
    ask(errand, 0);
    assert_int_equal(question.dispose.count, 3);
    assert_int_equal(question.dispose.ids[0].octets[1], (uint8_t)MESSAGE_LETTERS_MAX);
    dispose(errand, 0, (struct message_disposed){.rejections = none, .count = 3});
    tmesh_dead_t *dead = end(errand, TMESH_OK);
    assert_int_equal(dead->affected, 254);
    assert_int_equal(dead->refusal_count, IDS);
    assert_null(dead->refusals[0]);
    assert_string_equal(dead->refusals[1], "no dead letter with this id is kept");
    assert_string_equal(dead->refusals[2], "its payload is not kept any more");
    assert_null(dead->refusals[3]);
    assert_string_equal(dead->refusals[257], "the ventilator is stopping and takes no new tasks");
    tmesh_dead_destroy(&dead);
}

static void what_one_ventilator_did_another_need_not_know(void **state)
{
    (void)state;
    const tmesh_id_t ids[] = {{{1}}, {{2}}, {{3}}};
    const tmesh_dead_choice_t some = {.ids = ids, .id_count = 3};
    const struct rejection rejections[][2] = {
        {{.item = 1, .reason = REASON_NO_LETTER}, {.item = 2, .reason = REASON_NO_LETTER}},
        {{.item = 0, .reason = REASON_NO_LETTER}, {.item = 2, .reason = REASON_NO_LETTER}}};
    for (uint32_t turned = 0; turned < 2; turned++) {
        struct errand *errand = begin(ERRAND_DROP, &some, 2);
        for (uint32_t at = 0; at < 2; at++) {
            uint32_t link = at ^ turned;
            ask(errand, link);
            assert_int_equal(question.dispose.disposal, DISPOSAL_DROP);
            dispose(errand, link,
                    (struct message_disposed){
                        .affected = 1, .rejections = rejections[link], .count = 2});
        }
        tmesh_dead_t *dead = end(errand, TMESH_OK);
        assert_int_equal(dead->affected, 2);
        assert_null(dead->refusals[0]);
        assert_null(dead->refusals[1]);
        assert_non_null(dead->refusals[2]);
        tmesh_dead_destroy(&dead);
    }
}

static void all_go_on_until_a_ventilator_says_that_was_all(void **state)
{
    (void)state;
    const tmesh_dead_choice_t some = {.all = true, .queue = "q"};
    struct errand *errand = begin(ERRAND_RETRY, &some, 2);
    ask(errand, 0);
    assert_int_equal(question.dispose.disposal, DISPOSAL_RETRY_ALL);
    assert_true(bytes_equal(question.dispose.queue, bytes_text("q")));
    assert_int_equal(question.dispose.name.size, 0);
    dispose(errand, 0, (struct message_disposed){.affected = 256, .cursor = 0x500000003});
    ask(errand, 0);
    assert_true(question.dispose.cursor == 0x500000003);
    dispose(errand, 0, (struct message_disposed){.affected = 4});
    ask(errand, 1);
    dispose(errand, 1,
            (struct message_disposed){.affected = 1, .cursor = 9, .reason = REASON_BUSY});
    tmesh_dead_t *dead = end(errand, TMESH_OK);
    assert_int_equal(dead->affected, 261);
    assert_int_equal(dead->ventilators[0].affected, 260);
    assert_null(dead->ventilators[0].refusal);
    assert_non_null(dead->ventilators[1].refusal);
    tmesh_dead_destroy(&dead);
}

static void an_old_ventilator_is_not_asked_what_it_cannot_do(void **state)
{
    (void)state;
    const tmesh_id_t id = {{7}};
    const tmesh_dead_choice_t one = {.ids = &id, .id_count = 1};
    for (enum errand_kind kind = ERRAND_SHOW; kind <= ERRAND_DROP; kind++) {
        struct errand *errand = begin(kind, &one, 1);
        assert_false(errand_ask(errand, 0, 0, &question));
        assert_true(errand_is_complete(errand));
        tmesh_dead_t *dead = end(errand, TMESH_OK);
        assert_non_null(strstr(dead->ventilators[0].refusal, "older version"));
        assert_non_null(dead->refusals[0]);
        tmesh_dead_destroy(&dead);
    }
}

static void a_question_to_a_session_that_is_over_is_asked_again(void **state)
{
    (void)state;
    struct errand *errand = begin(ERRAND_DROP, &all, 2);
    ask(errand, 0);
    dispose(errand, 0, (struct message_disposed){.affected = 256, .cursor = 77});
    ask(errand, 0);
    errand_lose(errand, 0);
    dispose(errand, 0, (struct message_disposed){.affected = 9}); /* out of the old session */
    ask(errand, 0);
    assert_int_equal(question.dispose.cursor, 77);
    tmesh_dead_t *dead = end(errand, TMESH_E_TIMEOUT);
    assert_int_equal(dead->affected, 256);
    assert_false(dead->ventilators[0].answered || dead->ventilators[1].answered);
    tmesh_dead_destroy(&dead);
}

static void an_answer_to_another_question_is_passed_over(void **state)
{
    (void)state;
    struct errand *errand = begin(ERRAND_LIST, &all, 1);
    dispose(errand, 0, (struct message_disposed){.affected = 1}); /* before anything was asked */
    ask(errand, 0);
    dispose(errand, 0, (struct message_disposed){.affected = 1});
    answer(errand, 0, (struct message_answer){.query = QUERY_LETTER});
    assert_false(errand_is_complete(errand));
    assert_true(errand->links[0].asked);
    answer(errand, 0, (struct message_answer){.query = QUERY_DEAD});
    assert_true(errand_is_complete(errand));
    tmesh_dead_t *dead = end(errand, TMESH_OK);
    assert_int_equal(dead->affected, 0);
    tmesh_dead_destroy(&dead);
}

static void a_node_is_drained_by_whoever_knows_it(void **state)
{
    (void)state;
    static const struct errand_order orders[] = {
        {.kind = ERRAND_DRAIN, .target = "worker", .grace_ms = 7},
        {.kind = ERRAND_DRAIN, .link = 1, .grace_ms = UINT32_MAX}};
    for (size_t at = 0; at < 2; at++) {
        struct errand errand = {.busy = false};
        struct errand ended;
        struct message message = {.kind = MESSAGE_DRAINING, .u.draining = {.affected = 1}};
        bool worker = orders[at].target != NULL;
        assert_true(errand_begin(&errand, &orders[at], endpoints, 2));
        assert_int_equal(errand_ask(&errand, 0, 2, &question), worker); /* or it is not meant */
        assert_true(errand_ask(&errand, 1, 2, &question));
        assert_int_equal(question.kind, MESSAGE_DRAIN);
        assert_int_equal(question.drain.grace_ms, orders[at].grace_ms);
        assert_true(bytes_equal(question.drain.target, bytes_text(worker ? "worker" : "")));
        errand_add(&errand, 1, &message);
        assert_int_equal(errand_is_complete(&errand), !worker);
        if (worker) {
            errand_lose(&errand, 0);
            assert_false(errand_ask(&errand, 0, 1, &question)); /* an older one is back */
        }
        assert_int_equal(errand_end(&errand, &ended), TMESH_OK);
        tmesh_drain_t *drain = errand_report_drain(&ended);
        assert_non_null(drain);
        assert_int_equal(drain->affected, 1);
        assert_int_equal(drain->ventilators[0].affected, 0);
        assert_true((drain->ventilators[0].refusal != NULL) == worker);
        tmesh_drain_destroy(&drain);
        assert_null(drain);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_is_put_together_from_pages_and_ventilators),
        cmocka_unit_test(a_list_may_be_of_one_queue_or_one_name),
        cmocka_unit_test(a_list_without_end_ends),
        cmocka_unit_test(a_letter_is_shown_with_its_values),
        cmocka_unit_test(ids_are_told_in_portions_and_each_has_an_answer),
        cmocka_unit_test(what_one_ventilator_did_another_need_not_know),
        cmocka_unit_test(all_go_on_until_a_ventilator_says_that_was_all),
        cmocka_unit_test(an_old_ventilator_is_not_asked_what_it_cannot_do),
        cmocka_unit_test(a_question_to_a_session_that_is_over_is_asked_again),
        cmocka_unit_test(an_answer_to_another_question_is_passed_over),
        cmocka_unit_test(a_node_is_drained_by_whoever_knows_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
