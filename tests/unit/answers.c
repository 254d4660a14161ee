/* answers.c - answers keep what they said, their order, and their count of bytes. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "../../src/net/share.h"
#include "../../src/node/answers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The number of each answer handed out, in order. */
struct heard {
    unsigned count;
    unsigned numbers[4096];
};

static void hear(const tmesh_answer_t *answer, void *context)
{
    struct heard *heard = context;
    assert_true(heard->count < 4096);
    heard->numbers[heard->count++] = answer->attempt;
}

static tmesh_answer_t numbered(unsigned number)
{
    return (tmesh_answer_t){.kind = TMESH_ENDED, .state = TMESH_STATE_DONE, .attempt = number};
}

static void append(struct answer_queue *queue, unsigned number)
{
    const tmesh_answer_t answer = numbered(number);
    assert_true(answer_append(queue, &answer));
}

/* Takes everything out, at most `at_once` answers at a time. */
static void drain(struct answer_queue *queue, size_t at_once, struct heard *heard)
{
    struct answer_chunk *chunk;
    while ((chunk = answer_take(queue)) != NULL) {
        bool rest;
        assert_true(answer_hand_out(chunk, at_once, hear, heard, &rest) <= at_once);
        if (rest)
            answer_put_back(queue, chunk);
        else
            answer_chunk_free(chunk);
    }
    assert_int_equal(queue->bytes, 0);
    assert_null(queue->first);
    assert_null(queue->last);
}

static void check_order(const struct heard *heard, unsigned count)
{
    assert_int_equal(heard->count, count);
    for (unsigned at = 0; at < count; at++) assert_int_equal(heard->numbers[at], at);
}

/* ---- Content ---- */

static void check_same(const tmesh_answer_t *answer, void *context)
{
    const tmesh_answer_t *expected = context;
    assert_int_equal(answer->kind, expected->kind);
    assert_memory_equal(&answer->id, &expected->id, sizeof answer->id);
    assert_ptr_equal(answer->tag, expected->tag);
    assert_int_equal(answer->state, expected->state);
    assert_int_equal(answer->attempt, expected->attempt);
    assert_int_equal(answer->result_bytes, expected->result_bytes);
    assert_int_equal(answer->result == NULL, expected->result == NULL);
    if (answer->result_bytes > 0) {
        assert_memory_equal(answer->result, expected->result, answer->result_bytes);
    }
    assert_int_equal(answer->reason == NULL, expected->reason == NULL);
    if (answer->reason != NULL) assert_string_equal(answer->reason, expected->reason);
}

static void an_answer_comes_out_as_it_went_in(void **state)
{
    (void)state;
    int tag;
    static char large[300000];
    memset(large, 'x', sizeof large);
    const tmesh_answer_t answers[] = {
        {.kind = TMESH_ACCEPTED, .id = {{1, 2, 3}}, .tag = &tag},
        {.kind = TMESH_REJECTED, .id = {{4}}, .reason = "a reason"},
        {.kind = TMESH_UNKNOWN, .reason = ""},
        {.kind = TMESH_ENDED, .state = TMESH_STATE_DONE, .attempt = 3},
        {.kind = TMESH_ENDED, .state = TMESH_STATE_DONE, .attempt = 1, .result = ""},
        {.kind = TMESH_ENDED,
         .state = TMESH_STATE_DEAD,
         .reason = "r",
         .result = "a\0b",
         .result_bytes = 3},
        {.kind = TMESH_ENDED,
         .state = TMESH_STATE_DONE,
         .result = large,
         .result_bytes = sizeof large},
    };
    struct answer_queue queue = {0};
    for (size_t at = 0; at < sizeof answers / sizeof *answers; at++) {
        assert_true(answer_append(&queue, &answers[at]));
    }
    size_t at = 0;
    for (struct answer_chunk *chunk; (chunk = answer_take(&queue)) != NULL;) {
        bool rest = true;
        while (rest) {
            assert_int_equal(
                answer_hand_out(chunk, 1, check_same, (void *)(uintptr_t)&answers[at], &rest), 1);
            at++;
        }
        answer_chunk_free(chunk);
    }
    assert_int_equal(at, sizeof answers / sizeof *answers);

    struct answer_chunk *chunk = answer_single(&answers[5]);
    bool rest = true;
    assert_int_equal(answer_hand_out(chunk, 9, check_same, (void *)(uintptr_t)&answers[5], &rest),
                     1);
    assert_false(rest);
    answer_chunk_free(chunk);
}

/* ---- Order and bytes ---- */

static void many_answers_keep_their_order(void **state)
{
    (void)state;
    static const size_t at_once[] = {1, 7, 100, SIZE_MAX};
    for (size_t way = 0; way < sizeof at_once / sizeof *at_once; way++) {
        struct answer_queue queue = {0};
        struct heard heard = {0};
        for (unsigned at = 0; at < 3000; at++) append(&queue, at);
        assert_true(queue.first != queue.last);
        drain(&queue, at_once[way], &heard);
        check_order(&heard, 3000);
    }
}

static void bytes_are_those_of_what_is_in_the_queue(void **state)
{
    (void)state;
    struct answer_queue queue = {0};
    struct heard heard = {0};
    append(&queue, 0);
    const uint64_t one = queue.bytes;
    assert_true(one > sizeof(tmesh_id_t));
    for (unsigned at = 1; at < 10; at++) append(&queue, at);
    assert_int_equal(queue.bytes, 10 * one);
    struct answer_chunk *chunk = answer_take(&queue);
    assert_int_equal(queue.bytes, 0);
    bool rest;
    assert_int_equal(answer_hand_out(chunk, 4, hear, &heard, &rest), 4);
    assert_true(rest);
    answer_put_back(&queue, chunk);
    assert_int_equal(queue.bytes, 6 * one);
    append(&queue, 10); /* behind what was put back */
    assert_int_equal(queue.bytes, 7 * one);
    drain(&queue, 2, &heard);
    check_order(&heard, 11);
}

static void what_is_put_back_comes_first(void **state)
{
    (void)state;
    struct answer_queue queue = {0}, later = {0};
    struct heard heard = {0};
    append(&queue, 0);
    append(&queue, 1);
    struct answer_chunk *chunk = answer_take(&queue);
    append(&later, 2);
    answer_move(&queue, &later);
    bool rest;
    (void)answer_hand_out(chunk, 1, hear, &heard, &rest);
    answer_put_back(&queue, chunk);
    drain(&queue, 1, &heard);
    check_order(&heard, 3);
}

/* ---- Moving ---- */

static void moving_appends_all_and_leaves_nothing(void **state)
{
    (void)state;
    struct answer_queue to = {0}, from = {0};
    struct heard heard = {0};
    answer_move(&to, &from);
    assert_null(to.first);
    unsigned number = 0;
    for (unsigned round = 0; round < 12; round++) {
        for (unsigned at = 0; at < round * 50; at++) append(&from, number++);
        uint64_t bytes = to.bytes + from.bytes;
        answer_move(&to, &from);
        assert_int_equal(to.bytes, bytes);
        assert_int_equal(from.bytes, 0);
        assert_null(from.first);
        assert_null(from.last);
    }
    drain(&to, 33, &heard);
    check_order(&heard, number);
}

static void answers_that_come_one_by_one_share_chunks(void **state)
{
    (void)state;
    struct answer_queue to = {0}, from = {0};
    unsigned chunks = 0;
    for (unsigned at = 0; at < 1000; at++) {
        append(&from, at);
        answer_move(&to, &from);
    }
    struct heard heard = {0};
    for (struct answer_chunk *chunk; (chunk = answer_take(&to)) != NULL; chunks++) {
        bool rest;
        (void)answer_hand_out(chunk, SIZE_MAX, hear, &heard, &rest);
        assert_false(rest);
        answer_chunk_free(chunk);
    }
    check_order(&heard, 1000);
    assert_true(chunks < 10);
}

static void a_large_answer_moves_as_it_is(void **state)
{
    (void)state;
    static char large[200000];
    struct answer_queue to = {0}, from = {0};
    struct heard heard = {0};
    append(&to, 0);
    tmesh_answer_t answer = numbered(1);
    answer.result = large;
    answer.result_bytes = sizeof large;
    assert_true(answer_append(&from, &answer));
    append(&from, 2);
    answer_move(&to, &from);
    append(&from, 3);
    answer_move(&to, &from);
    drain(&to, 1, &heard);
    check_order(&heard, 4);
}

struct seen {
    const void *result;
    size_t bytes;
    unsigned count;
};

static void see(const tmesh_answer_t *answer, void *context)
{
    struct seen *seen = context;
    seen->count++;
    if (answer->attempt != 1) return;
    seen->result = answer->result;
    seen->bytes = answer->result_bytes;
    assert_string_equal(answer->reason, "because");
    assert_int_equal(((const char *)answer->result)[answer->result_bytes - 1], 'x');
}

static void a_shared_result_stays_where_it_is_and_counts(void **state)
{
    (void)state;
    enum { MESSAGE_BYTES = 40000, RESULT_AT = 1000, RESULT_BYTES = 30000 };
    struct answer_queue to = {0}, from = {0};
    struct seen seen = {0};
    zmq_msg_t message;
    zmq_msg_init_size(&message, MESSAGE_BYTES);
    memset(zmq_msg_data(&message), 'x', MESSAGE_BYTES);
    const char *result = (const char *)zmq_msg_data(&message) + RESULT_AT;
    append(&to, 0);
    uint64_t before = to.bytes;
    tmesh_answer_t answer = numbered(1);
    answer.result = result;
    answer.result_bytes = RESULT_BYTES;
    answer.reason = "because";
    assert_true(answer_append_shared(&from, &answer, share_new(&message)));
    zmq_msg_close(&message);
    answer_move(&to, &from);
    append(&to, 2); /* not into the chunk that has the share */
    assert_true(to.bytes > before + RESULT_BYTES && to.bytes < before + RESULT_BYTES + 1000);
    for (struct answer_chunk *chunk; (chunk = answer_take(&to)) != NULL;) {
        bool rest;
        answer_put_back(&to, chunk);
        chunk = answer_take(&to);
        assert_int_equal(answer_hand_out(chunk, 10, see, &seen, &rest), 1);
        assert_false(rest);
        answer_chunk_free(chunk);
    }
    assert_int_equal(to.bytes, 0);
    assert_int_equal(seen.count, 3);
    assert_ptr_equal(seen.result, result);
    assert_int_equal(seen.bytes, RESULT_BYTES);
}

static void clearing_forgets_everything(void **state)
{
    (void)state;
    struct answer_queue queue = {0};
    answer_clear(&queue);
    for (unsigned at = 0; at < 3000; at++) append(&queue, at);
    answer_clear(&queue);
    assert_null(queue.first);
    assert_null(queue.last);
    assert_int_equal(queue.bytes, 0);
    assert_null(answer_take(&queue));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_comes_out_as_it_went_in),
        cmocka_unit_test(many_answers_keep_their_order),
        cmocka_unit_test(bytes_are_those_of_what_is_in_the_queue),
        cmocka_unit_test(what_is_put_back_comes_first),
        cmocka_unit_test(moving_appends_all_and_leaves_nothing),
        cmocka_unit_test(answers_that_come_one_by_one_share_chunks),
        cmocka_unit_test(a_large_answer_moves_as_it_is),
        cmocka_unit_test(a_shared_result_stays_where_it_is_and_counts),
        cmocka_unit_test(clearing_forgets_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
