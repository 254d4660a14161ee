/* wire_minors.c - bodies as older minor versions wrote them: what they lack is zero.
 *
 * A full body of today goes through the decoder first, so that nothing of it may
 * stay behind where the older one says nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/wire/codec.h"
#include "golden.h"

#define ID     "c410 00112233445566778899aabbccddeeff "
#define THREE  "01 02 03 "
#define TEN    "01 02 03 04 05 06 07 08 09 0a "
#define FIELDS "0b 0c 0d 0e 0f 10 11 12 13 14 15 " /* the rest of totals in minor 0 */
#define ITEM   ID "01 05 a161 c400 "
#define WORKER "a177" ID "01 02 03 04 05 "

static int set_up(void **state)
{
    *state = decoder_new();
    return *state == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    struct decoder *decoder = *state;
    decoder_destroy(&decoder);
    return 0;
}

struct body {
    enum message_kind kind;
    uint8_t count;
    const char *hex;
};

/* Decodes a body; `golden` is where its bytes stay. */
static enum wire_error decode(struct decoder *decoder, struct body body, struct golden *golden,
                              struct message *message)
{
    *golden = (struct golden){.data = "TM\x01", .size = MESSAGE_HEADER_BYTES};
    golden->data[3] = (uint8_t)body.kind;
    golden->data[5] = body.count;
    golden_line(golden, body.hex);
    return wire_decode(decoder, golden_bytes(golden), message);
}

static struct message decoded(struct decoder *decoder, struct body body, struct golden *golden)
{
    struct message message;
    assert_int_equal(decode(decoder, body, golden, &message), WIRE_OK);
    return message;
}

static void refuse(struct decoder *decoder, struct body body)
{
    struct golden golden;
    struct message message;
    assert_int_equal(decode(decoder, body, &golden, &message), WIRE_FORM);
}

static void a_heartbeat_of_before_minor_2_tells_of_nothing_hung_or_draining(void **state)
{
    struct golden golden;
    struct message message =
        decoded(*state, (struct body){MESSAGE_HEARTBEAT, 0, "95" THREE "04 01"}, &golden);
    assert_int_equal(message.u.heartbeat.hung, 4);
    assert_int_equal(message.u.heartbeat.draining, 1);
    message = decoded(*state, (struct body){MESSAGE_HEARTBEAT, 0, "93" THREE}, &golden);
    assert_int_equal(message.u.heartbeat.running, 3);
    assert_int_equal(message.u.heartbeat.hung, 0);
    assert_int_equal(message.u.heartbeat.draining, 0);
}

static void totals_of_older_minors_end_before_what_came_later(void **state)
{
    struct golden golden;
    struct message message = decoded(
        *state, (struct body){MESSAGE_ANSWER, 1, "93 01 00 dc001a" TEN FIELDS "16 17 18 19 1a"},
        &golden);
    assert_int_equal(message.u.answer.totals->journal_full, 24);
    assert_int_equal(message.u.answer.totals->cancelled, 25);
    assert_int_equal(message.u.answer.totals->recalled, 26);
    message = decoded(
        *state, (struct body){MESSAGE_ANSWER, 1, "93 01 00 dc0018" TEN FIELDS "16 17 18"}, &golden);
    assert_int_equal(message.u.answer.totals->journal_full, 24);
    assert_int_equal(message.u.answer.totals->cancelled, 0);
    assert_int_equal(message.u.answer.totals->recalled, 0);
    message =
        decoded(*state, (struct body){MESSAGE_ANSWER, 1, "93 01 00 dc0015" TEN FIELDS}, &golden);
    assert_int_equal(message.u.answer.totals->store_bytes, 21);
    assert_int_equal(message.u.answer.totals->journal_bytes, 0);
    assert_int_equal(message.u.answer.totals->journal_lag, 0);
    assert_int_equal(message.u.answer.totals->journal_full, 0);
    assert_int_equal(message.u.answer.totals->cancelled, 0);
    assert_int_equal(message.u.answer.totals->recalled, 0);
    refuse(*state, (struct body){MESSAGE_ANSWER, 1, "93 01 00 dc0014" TEN TEN});
    refuse(*state, (struct body){MESSAGE_ANSWER, 1, "93 01 00 dc0016" TEN FIELDS "16"});
    refuse(*state, (struct body){MESSAGE_ANSWER, 1, "93 01 00 dc0019" TEN FIELDS "16 17 18 19"});
}

static void workers_of_before_minor_2_have_nothing_hung_and_do_not_drain(void **state)
{
    struct golden golden;
    struct message message =
        decoded(*state, (struct body){MESSAGE_ANSWER, 1, "93 02 00 99" WORKER "06 01"}, &golden);
    assert_int_equal(message.u.answer.workers[0].hung, 6);
    assert_int_equal(message.u.answer.workers[0].draining, 1);
    message = decoded(*state, (struct body){MESSAGE_ANSWER, 1, "93 02 00 97" WORKER}, &golden);
    assert_int_equal(message.u.answer.workers[0].silent_ms, 5);
    assert_int_equal(message.u.answer.workers[0].hung, 0);
    assert_int_equal(message.u.answer.workers[0].draining, 0);
    refuse(*state, (struct body){MESSAGE_ANSWER, 1, "93 02 00 98" WORKER "06"});
}

static void work_says_only_the_limits_its_minor_has(void **state)
{
    static const struct {
        const char *hex;
        uint32_t limit_ms, soft_ms, stalled_ms;
    } cases[] = {
        {"92 00 98" ITEM "07 08 09", 7, 8, 9},
        {"92 00 97" ITEM "07 08", 7, 8, 0},
        {"92 00 96" ITEM "07", 7, 0, 0}, /* of minor 1 */
        {"92 00 95" ITEM, 0, 0, 0},      /* of minor 0 */
        {"92 00 98" ITEM "00 00 09", 0, 0, 9},
        {"92 00 99" ITEM "07 08 09 c0", 7, 8, 9},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct golden golden;
        struct message message =
            decoded(*state, (struct body){MESSAGE_WORK, 1, cases[i].hex}, &golden);
        const struct assignment *item = &message.u.work.items[0];
        assert_int_equal(item->limit_ms, cases[i].limit_ms);
        assert_int_equal(item->soft_ms, cases[i].soft_ms);
        assert_int_equal(item->stalled_ms, cases[i].stalled_ms);
    }
    refuse(*state, (struct body){MESSAGE_WORK, 1, "92 00 98" ITEM "07 08 c0"});
}

static void a_submission_without_limits_has_none(void **state)
{
    struct golden golden;
    struct message message = decoded(
        *state, (struct body){MESSAGE_SUBMIT, 1, "92 01 94" ID "a161 c400 83 a17407 a17308 a16109"},
        &golden);
    assert_int_equal(message.u.submit.items[0].limit_ms, 7);
    assert_int_equal(message.u.submit.items[0].soft_ms, 8);
    assert_int_equal(message.u.submit.items[0].stalled_ms, 9);
    message = decoded(*state, (struct body){MESSAGE_SUBMIT, 1, "92 01 94" ID "a161 c400 81 a17407"},
                      &golden);
    assert_int_equal(message.u.submit.items[0].limit_ms, 7);
    assert_int_equal(message.u.submit.items[0].soft_ms, 0);
    assert_int_equal(message.u.submit.items[0].stalled_ms, 0);
    message = decoded(*state, (struct body){MESSAGE_SUBMIT, 1, "92 01 93" ID "a161 c400"}, &golden);
    assert_int_equal(message.u.submit.items[0].limit_ms, 0);
    assert_int_equal(message.u.submit.items[0].soft_ms, 0);
    assert_int_equal(message.u.submit.items[0].stalled_ms, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_heartbeat_of_before_minor_2_tells_of_nothing_hung_or_draining),
        cmocka_unit_test(totals_of_older_minors_end_before_what_came_later),
        cmocka_unit_test(workers_of_before_minor_2_have_nothing_hung_and_do_not_drain),
        cmocka_unit_test(work_says_only_the_limits_its_minor_has),
        cmocka_unit_test(a_submission_without_limits_has_none),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
