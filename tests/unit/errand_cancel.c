/* errand_cancel.c - what becomes of each id when all ventilators were asked to cancel
 * it, and this producer has looked into its own hands. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "../../src/node/errand.h"

#include <stdlib.h>
#include <string.h>

static const char *const endpoints[] = {"tcp://a:1", "tcp://b:2"};

static struct errand_question question;

/* Asks about `count` ids, of which this producer had so much. */
static struct errand *begin(const tmesh_id_t *ids, size_t count, const enum producer_hold holds[])
{
    struct errand *errand = calloc(1, sizeof *errand);
    const struct errand_order order = {.kind = ERRAND_CANCEL,
                                       .choice = {.ids = ids, .id_count = count}};
    assert_non_null(errand);
    assert_true(errand_begin(errand, &order, endpoints, 2));
    assert_false(errand_ask(errand, 0, 2, &question)); /* first it looks into its own hands */
    for (size_t at = 0; at < count; at++) errand->tasks[at].hold = (uint8_t)holds[at];
    errand->held = false;
    return errand;
}

static tmesh_cancel_t *end(struct errand *errand, enum tmesh_err expected)
{
    struct errand ended;
    assert_int_equal(errand_end(errand, &ended), expected);
    assert_false(errand->busy);
    free(errand);
    tmesh_cancel_t *cancel = errand_report_cancel(&ended);
    assert_non_null(cancel);
    return cancel;
}

static void answer(struct errand *errand, uint32_t link, const enum reason reasons[],
                   uint32_t count)
{
    struct message message = {.kind = MESSAGE_DISPOSED};
    struct rejection rejections[8];
    assert_true(errand_ask(errand, link, 2, &question));
    assert_int_equal(question.kind, MESSAGE_DISPOSE);
    assert_int_equal(question.dispose.disposal, DISPOSAL_CANCEL);
    assert_int_equal(question.dispose.count, count);
    message.u.disposed =
        (struct message_disposed){.disposal = DISPOSAL_CANCEL, .rejections = rejections};
    for (uint32_t item = 0; item < count; item++) {
        if (reasons[item] == REASON_NONE) continue;
        rejections[message.u.disposed.count++] =
            (struct rejection){.item = item, .reason = reasons[item]};
    }
    message.u.disposed.affected = count - message.u.disposed.count;
    errand_add(errand, link, &message);
}

static void expect(const tmesh_cancel_t *cancel, size_t row, enum tmesh_cancel_outcome outcome,
                   const char *endpoint)
{
    assert_int_equal(cancel->rows[row].outcome, outcome);
    assert_true((cancel->rows[row].reason == NULL) == (outcome == TMESH_CANCEL_DONE));
    if (endpoint == NULL) {
        assert_null(cancel->rows[row].endpoint);
    } else {
        assert_string_equal(cancel->rows[row].endpoint, endpoint);
    }
}

static void each_id_has_the_outcome_of_whoever_knew_it(void **state)
{
    (void)state;
    enum { IDS = 6 };
    tmesh_id_t ids[IDS];
    const enum producer_hold holds[IDS] = {PRODUCER_HOLDS_NOT,   PRODUCER_HOLDS_PERHAPS,
                                           PRODUCER_HOLDS_NOT,   PRODUCER_HOLDS_PERHAPS,
                                           PRODUCER_HOLDS_ALONE, PRODUCER_HOLDS_NOT};
    for (int at = 0; at < IDS; at++) ids[at] = tmesh_id_new();
    struct errand *errand = begin(ids, IDS, holds);
    const enum reason from_a[IDS] = {REASON_NO_TASK, REASON_NONE,    REASON_ENDED,
                                     REASON_NO_TASK, REASON_NO_TASK, REASON_NO_TASK};
    const enum reason from_b[IDS] = {REASON_NONE,    REASON_NO_TASK, REASON_NO_TASK,
                                     REASON_NO_TASK, REASON_NO_TASK, REASON_NO_TASK};
    answer(errand, 0, from_a, IDS);
    answer(errand, 1, from_b, IDS);
    assert_true(errand_is_complete(errand));
    tmesh_cancel_t *cancel = end(errand, TMESH_OK);
    assert_int_equal(cancel->row_count, IDS);
    assert_int_equal(cancel->done, 4);
    for (int at = 0; at < IDS; at++) assert_memory_equal(&cancel->rows[at].id, &ids[at], 16);
    expect(cancel, 0, TMESH_CANCEL_DONE, "tcp://b:2");
    expect(cancel, 1, TMESH_CANCEL_DONE, "tcp://a:1");
    expect(cancel, 2, TMESH_CANCEL_TOO_LATE, "tcp://a:1");
    expect(cancel, 3, TMESH_CANCEL_DONE, NULL); /* it never arrived, or was lost there */
    expect(cancel, 4, TMESH_CANCEL_DONE, NULL);
    expect(cancel, 5, TMESH_CANCEL_NO_TASK, NULL);
    assert_int_equal(cancel->ventilators[0].affected, 1);
    assert_int_equal(cancel->ventilator_count, 2);
    tmesh_cancel_destroy(&cancel);
    assert_null(cancel);
}

/* A second copy, which a failover left behind, may have ended in another way. */
static void cancelled_anywhere_is_cancelled(void **state)
{
    (void)state;
    const tmesh_id_t id = tmesh_id_new();
    const enum producer_hold hold = PRODUCER_HOLDS_NOT;
    for (uint32_t first = 0; first < 2; first++) {
        struct errand *errand = begin(&id, 1, &hold);
        answer(errand, first, &(enum reason){REASON_ENDED}, 1);
        answer(errand, 1 - first, &(enum reason){REASON_NONE}, 1);
        tmesh_cancel_t *cancel = end(errand, TMESH_OK);
        expect(cancel, 0, TMESH_CANCEL_DONE, endpoints[1 - first]);
        tmesh_cancel_destroy(&cancel);
    }
}

static void who_does_not_answer_or_is_too_old_makes_it_unknown(void **state)
{
    (void)state;
    tmesh_id_t ids[] = {tmesh_id_new(), tmesh_id_new(), tmesh_id_new()};
    const enum producer_hold holds[] = {PRODUCER_HOLDS_NOT, PRODUCER_HOLDS_PERHAPS,
                                        PRODUCER_HOLDS_ALONE};
    const enum reason nowhere[] = {REASON_NO_TASK, REASON_NO_TASK, REASON_NO_TASK};
    for (int old = 0; old < 2; old++) {
        struct errand *errand = begin(ids, 3, holds);
        answer(errand, 0, nowhere, 3);
        if (old) assert_false(errand_ask(errand, 1, 1, &question));
        tmesh_cancel_t *cancel = end(errand, old ? TMESH_OK : TMESH_E_TIMEOUT);
        expect(cancel, 0, TMESH_CANCEL_UNKNOWN, NULL);
        expect(cancel, 1, TMESH_CANCEL_UNKNOWN, NULL);
        expect(cancel, 2, TMESH_CANCEL_DONE, NULL);
        assert_int_equal(cancel->ventilators[1].answered, old);
        assert_true((cancel->ventilators[1].refusal != NULL) == (old != 0));
        tmesh_cancel_destroy(&cancel);
    }
}

static void a_ventilator_that_is_too_busy_is_to_be_asked_again(void **state)
{
    (void)state;
    const tmesh_id_t id = tmesh_id_new();
    const enum producer_hold hold = PRODUCER_HOLDS_PERHAPS;
    struct errand *errand = begin(&id, 1, &hold);
    answer(errand, 0, &(enum reason){REASON_BUSY}, 1);
    answer(errand, 1, &(enum reason){REASON_NO_TASK}, 1);
    tmesh_cancel_t *cancel = end(errand, TMESH_OK);
    expect(cancel, 0, TMESH_CANCEL_UNKNOWN, NULL);
    assert_non_null(strstr(cancel->rows[0].reason, "try again later"));
    tmesh_cancel_destroy(&cancel);
}

static void many_ids_are_asked_in_portions(void **state)
{
    (void)state;
    enum { IDS = 600 };
    tmesh_id_t *ids = calloc(IDS, sizeof *ids);
    enum producer_hold *holds = calloc(IDS, sizeof *holds);
    assert_non_null(ids);
    assert_non_null(holds);
    for (int at = 0; at < IDS; at++) ids[at] = tmesh_id_new();
    struct errand *errand = begin(ids, IDS, holds);
    struct message message = {.kind = MESSAGE_DISPOSED};
    for (uint32_t link = 0; link < 2; link++) {
        const uint32_t counts[] = {256, 256, 88};
        for (size_t at = 0; at < 3; at++) {
            assert_true(errand_ask(errand, link, 2, &question));
            assert_int_equal(question.dispose.count, counts[at]);
            assert_memory_equal(&question.ids[0], &ids[256 * at], sizeof ids[0]);
            struct rejection rejections[MESSAGE_LETTERS_MAX];
            for (uint32_t item = 0; item < counts[at]; item++) {
                rejections[item] = (struct rejection){.item = item, .reason = REASON_NO_TASK};
            }
            message.u.disposed = (struct message_disposed){.rejections = rejections,
                                                           .count = link == 0 ? 0 : counts[at]};
            errand_add(errand, link, &message);
        }
    }
    tmesh_cancel_t *cancel = end(errand, TMESH_OK);
    assert_int_equal(cancel->done, IDS);
    expect(cancel, IDS - 1, TMESH_CANCEL_DONE, "tcp://a:1");
    tmesh_cancel_destroy(&cancel);
    free(ids);
    free(holds);
}

/* All of a name, page by page, without a look into this producer's own hands. */
static void all_of_a_name_are_counted_by_each_ventilator(void **state)
{
    (void)state;
    struct errand *errand = calloc(1, sizeof *errand);
    const struct errand_order order = {.kind = ERRAND_CANCEL,
                                       .choice = {.all = true, .name = "resize"}};
    assert_non_null(errand);
    assert_true(errand_begin(errand, &order, endpoints, 2));
    static const struct {
        uint32_t link, affected;
        uint64_t asked, next;
    } pages[] = {{0, 256, 0, 300}, {0, 0, 300, 900}, {0, 4, 900, 0}, {1, 7, 0, 0}};
    for (size_t page = 0; page < sizeof pages / sizeof *pages; page++) {
        struct message message = {.kind = MESSAGE_DISPOSED};
        assert_true(errand_ask(errand, pages[page].link, 2, &question));
        assert_int_equal(question.dispose.disposal, DISPOSAL_CANCEL_ALL);
        assert_true(bytes_equal(question.dispose.name, bytes_text("resize")));
        assert_int_equal(question.dispose.queue.size, 0);
        assert_int_equal(question.dispose.cursor, pages[page].asked);
        assert_int_equal(question.dispose.count, 0);
        message.u.disposed = (struct message_disposed){.disposal = DISPOSAL_CANCEL_ALL,
                                                       .cursor = pages[page].next,
                                                       .affected = pages[page].affected};
        errand_add(errand, pages[page].link, &message);
    }
    assert_true(errand_is_complete(errand));
    tmesh_cancel_t *cancel = end(errand, TMESH_OK);
    assert_int_equal(cancel->row_count, 0);
    assert_int_equal(cancel->done, 267);
    assert_int_equal(cancel->ventilators[0].affected, 260);
    assert_int_equal(cancel->ventilators[1].affected, 7);
    tmesh_cancel_destroy(&cancel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_id_has_the_outcome_of_whoever_knew_it),
        cmocka_unit_test(cancelled_anywhere_is_cancelled),
        cmocka_unit_test(who_does_not_answer_or_is_too_old_makes_it_unknown),
        cmocka_unit_test(a_ventilator_that_is_too_busy_is_to_be_asked_again),
        cmocka_unit_test(many_ids_are_asked_in_portions),
        cmocka_unit_test(all_of_a_name_are_counted_by_each_ventilator),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
