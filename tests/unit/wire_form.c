/* wire_form.c - what each body may and may not look like, case by case. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/wire/codec.h"
#include "golden.h"

#define ID    "c410 00112233445566778899aabbccddeeff "
#define NODE  "a46e6f6465 " ID       /* "node": .. */
#define ROLE  "a4726f6c65 "          /* "role": */
#define MINOR "a56d696e6f72 00 "     /* "minor": 0 */
#define SLOTS "a5736c6f7473 08 "     /* "slots": 8 */
#define NAMES "a56e616d6573 91a161 " /* "names": ["a"] */
#define LINES "a6717565756573 90 "   /* "queues": [] */

struct body {
    const char *about;
    enum message_kind kind;
    uint8_t count;
    const char *hex;
    enum wire_error error;
};

/* Decodes the body of one case; `golden` is where its bytes stay. */
static enum wire_error decode(struct decoder *decoder, const struct body *body,
                              struct golden *golden, struct message *message)
{
    *golden = (struct golden){.data = "TM\x01", .size = MESSAGE_HEADER_BYTES};
    golden->data[3] = (uint8_t)body->kind;
    golden->data[5] = body->count;
    golden_line(golden, body->hex);
    return wire_decode(decoder, golden_bytes(golden), message);
}

static void check(const struct body *bodies, size_t count)
{
    struct decoder *decoder = decoder_new();
    assert_non_null(decoder);
    for (size_t i = 0; i < count; i++) {
        struct golden golden;
        struct message message;
        enum wire_error error = decode(decoder, &bodies[i], &golden, &message);
        if (error == bodies[i].error) continue;
        fail_msg("%s: %s", bodies[i].about, wire_error_text(error));
    }
    decoder_destroy(&decoder);
}

static void numbers_are_whole_not_negative_and_in_range(void **state)
{
    (void)state;
    static const struct body bodies[] = {
        {"small", MESSAGE_HEARTBEAT, 0, "93 00 00 00", WIRE_OK},
        {"the largest", MESSAGE_HEARTBEAT, 0, "93 cfffffffffffffffff ceffffffff 00", WIRE_OK},
        {"u32 in eight bytes", MESSAGE_HEARTBEAT, 0, "93 00 cf00000000ffffffff 00", WIRE_OK},
        {"over u32", MESSAGE_HEARTBEAT, 0, "93 00 cf0000000100000000 00", WIRE_FORM},
        {"positive but signed", MESSAGE_HEARTBEAT, 0, "93 00 d005 d20000ffff", WIRE_OK},
        {"negative", MESSAGE_HEARTBEAT, 0, "93 ff 00 00", WIRE_FORM},
        {"negative in eight bytes", MESSAGE_HEARTBEAT, 0, "93 d3ffffffffffffffff 00 00", WIRE_FORM},
        {"float", MESSAGE_HEARTBEAT, 0, "93 00 ca3f800000 00", WIRE_FORM},
        {"double", MESSAGE_HEARTBEAT, 0, "93 00 cb3ff0000000000000 00", WIRE_FORM},
        {"nil", MESSAGE_HEARTBEAT, 0, "93 00 c0 00", WIRE_FORM},
        {"true", MESSAGE_HEARTBEAT, 0, "93 00 c3 00", WIRE_FORM},
        {"text", MESSAGE_HEARTBEAT, 0, "93 00 a131 00", WIRE_FORM},
        {"ext", MESSAGE_HEARTBEAT, 0, "93 00 d40000 00", WIRE_FORM},
        {"array", MESSAGE_HEARTBEAT, 0, "93 00 9100 00", WIRE_FORM},
    };
    check(bodies, sizeof bodies / sizeof bodies[0]);
}

static void bodies_are_arrays_with_nothing_missing(void **state)
{
    (void)state;
    static const struct body bodies[] = {
        {"an element less", MESSAGE_HEARTBEAT, 0, "92 00 00", WIRE_FORM},
        {"no element", MESSAGE_HEARTBEAT, 0, "90", WIRE_FORM},
        {"an element more", MESSAGE_HEARTBEAT, 0, "96 00 00 00 00 00 a0", WIRE_OK},
        {"one of two that belong together", MESSAGE_HEARTBEAT, 0, "94 00 00 00 00", WIRE_FORM},
        {"a map", MESSAGE_HEARTBEAT, 0, "80", WIRE_FORM},
        {"nil", MESSAGE_WHO, 0, "c0", WIRE_FORM},
        {"nothing", MESSAGE_WHO, 0, "", WIRE_SHORT},
        {"WHO says nothing", MESSAGE_WHO, 0, "90", WIRE_OK},
        {"WHO of a later minor", MESSAGE_WHO, 0, "91 c0", WIRE_OK},
        {"WHO counts nothing", MESSAGE_WHO, 1, "91 c0", WIRE_FORM},
        {"CREDIT", MESSAGE_CREDIT, 0, "91 01", WIRE_FORM},
        {"RECEIPT", MESSAGE_RECEIPT, 0, "90", WIRE_FORM},
        {"an array in 32 bits", MESSAGE_RECEIPT, 0, "dd00000001 01", WIRE_OK},
    };
    check(bodies, sizeof bodies / sizeof bodies[0]);
}

static void texts_are_str_or_bin_or_nil_where_they_may_be_absent(void **state)
{
    (void)state;
    static const struct body bodies[] = {
        {"str", MESSAGE_BYE, 0, "91 a3616263", WIRE_OK},
        {"str that is not UTF-8", MESSAGE_BYE, 0, "91 a2fffe", WIRE_OK},
        {"bin", MESSAGE_BYE, 0, "91 c403616263", WIRE_OK},
        {"nil", MESSAGE_BYE, 0, "91 c0", WIRE_OK},
        {"number", MESSAGE_BYE, 0, "91 05", WIRE_FORM},
        {"array", MESSAGE_BYE, 0, "91 90", WIRE_FORM},
        {"missing", MESSAGE_BYE, 0, "90", WIRE_FORM},
        {"reason of a later minor", MESSAGE_REFUSE, 0, "92 cd03e7 c0", WIRE_OK},
        {"reason that is text", MESSAGE_REFUSE, 0, "92 a0 c0", WIRE_FORM},
    };
    check(bodies, sizeof bodies / sizeof bodies[0]);
}

static void hello_needs_its_keys_once_each(void **state)
{
    (void)state;
    static const struct body bodies[] = {
        {"producer", MESSAGE_HELLO, 0, "83" ROLE "01" MINOR NODE, WIRE_OK},
        {"any order", MESSAGE_HELLO, 0, "83" NODE MINOR ROLE "01", WIRE_OK},
        {"no role", MESSAGE_HELLO, 0, "82" MINOR NODE, WIRE_FORM},
        {"no minor", MESSAGE_HELLO, 0, "82" ROLE "01" NODE, WIRE_FORM},
        {"no node", MESSAGE_HELLO, 0, "82" ROLE "01" MINOR, WIRE_FORM},
        {"role 0", MESSAGE_HELLO, 0, "83" ROLE "00" MINOR NODE, WIRE_FORM},
        {"role 3", MESSAGE_HELLO, 0, "83" ROLE "03" MINOR NODE, WIRE_FORM},
        {"a key twice", MESSAGE_HELLO, 0, "84" ROLE "01" MINOR NODE MINOR, WIRE_FORM},
        {"a node of 15", MESSAGE_HELLO, 0,
         "83" ROLE "01" MINOR "a46e6f6465 c40f00112233445566778899aabbccddee", WIRE_FORM},
        {"a node that is str", MESSAGE_HELLO, 0,
         "83" ROLE "01" MINOR "a46e6f6465 b000112233445566778899aabbccddeeff", WIRE_FORM},
        {"unknown keys", MESSAGE_HELLO, 0, "86" ROLE "01" MINOR NODE "a178 90 05 c0 c0 c3",
         WIRE_OK},
        {"an array", MESSAGE_HELLO, 0, "93 01 00" ID, WIRE_FORM},
        {"worker", MESSAGE_HELLO, 0, "86" ROLE "02" MINOR NODE SLOTS NAMES LINES, WIRE_OK},
        {"worker without slots", MESSAGE_HELLO, 0, "85" ROLE "02" MINOR NODE NAMES LINES,
         WIRE_FORM},
        {"worker without names", MESSAGE_HELLO, 0, "85" ROLE "02" MINOR NODE SLOTS LINES,
         WIRE_FORM},
        {"worker without queues", MESSAGE_HELLO, 0, "85" ROLE "02" MINOR NODE SLOTS NAMES,
         WIRE_FORM},
        {"a lease", MESSAGE_HELLO, 1,
         "87" ROLE "02" MINOR NODE SLOTS NAMES LINES "a66c6561736573 91 93" ID "01 05", WIRE_OK},
        {"a lease too few", MESSAGE_HELLO, 1,
         "87" ROLE "02" MINOR NODE SLOTS NAMES LINES "a66c6561736573 90", WIRE_FORM},
        {"a lease without token", MESSAGE_HELLO, 1,
         "87" ROLE "02" MINOR NODE SLOTS NAMES LINES "a66c6561736573 91 92" ID "01", WIRE_FORM},
    };
    check(bodies, sizeof bodies / sizeof bodies[0]);
}

static void welcome_needs_each_of_its_numbers_and_its_node(void **state)
{
    (void)state;
    static const char *const entries[] = {
        MINOR,
        NODE,
        "ac 6865617274626561745f6d73 01 ",           /* heartbeat_ms */
        "aa 737573706563745f6d73 01 ",               /* suspect_ms */
        "a7 6c6f73745f6d73 01 ",                     /* lost_ms */
        "b1 7061796c6f61645f62797465735f6d6178 01 ", /* payload_bytes_max */
        "b1 6d6573736167655f62797465735f6d6178 01 ", /* message_bytes_max */
    };
    enum { COUNT = sizeof entries / sizeof entries[0] };
    for (size_t missing = 0; missing <= COUNT; missing++) {
        char hex[512] = "";
        strcat(hex, missing == COUNT ? "87 " : "86 ");
        for (size_t i = 0; i < COUNT; i++) {
            if (i != missing) strcat(hex, entries[i]);
        }
        const struct body body = {"an entry is missing", MESSAGE_WELCOME, 0, hex,
                                  missing == COUNT ? WIRE_OK : WIRE_FORM};
        check(&body, 1);
    }
}

static void submissions_have_options_or_not(void **state)
{
    (void)state;
    static const struct body bodies[] = {
        {"no item", MESSAGE_SUBMIT, 0, "91 01", WIRE_OK},
        {"no options", MESSAGE_SUBMIT, 1, "92 01 93" ID "a161 c400", WIRE_OK},
        {"options nil", MESSAGE_SUBMIT, 1, "92 01 94" ID "a161 c400 c0", WIRE_OK},
        {"options empty", MESSAGE_SUBMIT, 1, "92 01 94" ID "a161 c400 80", WIRE_OK},
        {"options an array", MESSAGE_SUBMIT, 1, "92 01 94" ID "a161 c400 90", WIRE_FORM},
        {"an unknown option", MESSAGE_SUBMIT, 1, "92 01 94" ID "a161 c400 81 a178 c3", WIRE_OK},
        {"an option twice", MESSAGE_SUBMIT, 1, "92 01 94" ID "a161 c400 82 a16e01 a16e01",
         WIRE_FORM},
        {"flags that are text", MESSAGE_SUBMIT, 1, "92 01 94" ID "a161 c400 81 a166a0", WIRE_FORM},
        {"retries", MESSAGE_SUBMIT, 1, "92 01 94" ID "a161 c400 81 a172 93 01 02 03", WIRE_OK},
        {"retries that say more", MESSAGE_SUBMIT, 1,
         "92 01 94" ID "a161 c400 81 a172 94 01 02 03 c0", WIRE_OK},
        {"retries that say less", MESSAGE_SUBMIT, 1, "92 01 94" ID "a161 c400 81 a172 92 01 02",
         WIRE_FORM},
        {"retries that are a number", MESSAGE_SUBMIT, 1, "92 01 94" ID "a161 c400 81 a172 01",
         WIRE_FORM},
        {"every limit", MESSAGE_SUBMIT, 1,
         "92 01 94" ID "a161 c400 83 a17401 a17301 a161ceffffffff", WIRE_OK},
        {"a soft limit over u32", MESSAGE_SUBMIT, 1,
         "92 01 94" ID "a161 c400 81 a173cf0000000100000000", WIRE_FORM},
        {"no sign of life for nil", MESSAGE_SUBMIT, 1, "92 01 94" ID "a161 c400 81 a161c0",
         WIRE_FORM},
        {"a queue that is nil", MESSAGE_SUBMIT, 1, "92 01 94" ID "a161 c400 81 a171c0", WIRE_FORM},
        {"a fifth element", MESSAGE_SUBMIT, 1, "92 01 95" ID "a161 c400 c0 c3", WIRE_OK},
        {"payload missing", MESSAGE_SUBMIT, 1, "92 01 92" ID "a161", WIRE_FORM},
        {"payload nil", MESSAGE_SUBMIT, 1, "92 01 93" ID "a161 c0", WIRE_FORM},
        {"payload str", MESSAGE_SUBMIT, 1, "92 01 93" ID "a161 a161", WIRE_FORM},
        {"name nil", MESSAGE_SUBMIT, 1, "92 01 93" ID "c0 c400", WIRE_FORM},
        {"name bin", MESSAGE_SUBMIT, 1, "92 01 93" ID "c40161 c400", WIRE_OK},
        {"an item that is a map", MESSAGE_SUBMIT, 1, "92 01 80", WIRE_FORM},
        {"something behind the items", MESSAGE_SUBMIT, 0, "92 01 c0", WIRE_FORM},
    };
    check(bodies, sizeof bodies / sizeof bodies[0]);
}

static void enumerations_are_closed_except_reasons(void **state)
{
    (void)state;
    static const struct body bodies[] = {
        {"state LEASED", MESSAGE_RESULT, 1, "91 96" ID "03 01 00 c0 c0", WIRE_FORM},
        {"state DONE", MESSAGE_RESULT, 1, "91 96" ID "04 01 00 c0 c0", WIRE_OK},
        {"state EXPIRED", MESSAGE_RESULT, 1, "91 96" ID "08 01 00 c0 c0", WIRE_OK},
        {"state 9", MESSAGE_RESULT, 1, "91 96" ID "09 01 00 c0 c0", WIRE_FORM},
        {"reason 77", MESSAGE_RESULT, 1, "91 96" ID "05 01 4d c0 c0", WIRE_OK},
        {"result str", MESSAGE_RESULT, 1, "91 96" ID "04 01 00 a0 c0", WIRE_FORM},
        {"outcome 4", MESSAGE_COMPLETE, 1, "91 97" ID "01 05 04 c0 c0 00", WIRE_OK},
        {"outcome 5", MESSAGE_COMPLETE, 1, "91 97" ID "01 05 05 c0 c0 00", WIRE_FORM},
        {"delay missing", MESSAGE_COMPLETE, 1, "91 96" ID "01 05 00 c0 c0", WIRE_FORM},
        {"query 0", MESSAGE_QUERY, 0, "92 00 00", WIRE_FORM},
        {"query 4", MESSAGE_QUERY, 0, "92 04 00", WIRE_OK},
        {"query 5", MESSAGE_QUERY, 0, "93 05 00" ID, WIRE_OK},
        {"query 5 without an id", MESSAGE_QUERY, 0, "92 05 00", WIRE_FORM},
        {"query 6", MESSAGE_QUERY, 0, "92 06 00", WIRE_OK},
        {"query 7", MESSAGE_QUERY, 0, "93 07 00" ID, WIRE_FORM},
        {"answer 7", MESSAGE_ANSWER, 0, "92 07 00", WIRE_FORM},
        {"totals without a row", MESSAGE_ANSWER, 0, "92 01 00", WIRE_FORM},
        {"totals of one number", MESSAGE_ANSWER, 1, "93 01 00 9100", WIRE_FORM},
        {"workers without a row", MESSAGE_ANSWER, 0, "92 02 00", WIRE_OK},
        {"lanes without a row", MESSAGE_ANSWER, 0, "92 03 00", WIRE_OK},
        {"dead without a row", MESSAGE_ANSWER, 0, "92 04 00", WIRE_OK},
        {"runs without a row", MESSAGE_ANSWER, 0, "92 06 00", WIRE_OK},
        {"a rejection of one number", MESSAGE_ACCEPT, 1, "92 01 91 00", WIRE_FORM},
        {"a rejection for reason 77", MESSAGE_ACCEPT, 1, "92 01 92 00 4d", WIRE_OK},
    };
    check(bodies, sizeof bodies / sizeof bodies[0]);
}

#define LEASE ID "01 05 " /* in three elements */
#define RUN   "a171 a16e 02 a177 cd03e8 "

static void what_minor_2_brought_is_read_as_strictly(void **state)
{
    (void)state;
    static const struct body bodies[] = {
        {"drain this one", MESSAGE_DRAIN, 0, "92 c0 00", WIRE_OK},
        {"drain another", MESSAGE_DRAIN, 0, "92 a177 ceffffffff", WIRE_OK},
        {"drain, in a later minor", MESSAGE_DRAIN, 0, "93 c0 00 c3", WIRE_OK},
        {"drain without a grace", MESSAGE_DRAIN, 0, "91 c0", WIRE_FORM},
        {"drain for nil", MESSAGE_DRAIN, 0, "92 c0 c0", WIRE_FORM},
        {"drain a number", MESSAGE_DRAIN, 0, "92 01 00", WIRE_FORM},
        {"drain counts nothing", MESSAGE_DRAIN, 1, "93 c0 00 c0", WIRE_FORM},
        {"draining", MESSAGE_DRAINING, 0, "91 01", WIRE_OK},
        {"draining nobody knows what", MESSAGE_DRAINING, 0, "90", WIRE_FORM},
        {"no progress", MESSAGE_PROGRESS, 0, "90", WIRE_OK},
        {"progress", MESSAGE_PROGRESS, 1, "91 95" LEASE "07 a178", WIRE_OK},
        {"progress without a text", MESSAGE_PROGRESS, 1, "91 95" LEASE "07 c0", WIRE_OK},
        {"progress that says more", MESSAGE_PROGRESS, 1, "91 96" LEASE "07 c0 c3", WIRE_OK},
        {"progress that says less", MESSAGE_PROGRESS, 1, "91 94" LEASE "07", WIRE_FORM},
        {"progress backwards", MESSAGE_PROGRESS, 1, "91 95" LEASE "ff c0", WIRE_FORM},
        {"progress of one more", MESSAGE_PROGRESS, 1, "92 95" LEASE "07 c0 95" LEASE "07 c0",
         WIRE_FORM},
        {"revoke", MESSAGE_REVOKE, 2, "92 93" LEASE "93" LEASE, WIRE_OK},
        {"revoke what is no lease", MESSAGE_REVOKE, 1, "91 92" ID "01", WIRE_FORM},
        {"revoke by id", MESSAGE_REVOKE, 1, "91" ID, WIRE_FORM},
        {"revoke fewer", MESSAGE_REVOKE, 2, "91 93" LEASE, WIRE_FORM},
        {"recall", MESSAGE_RECALL, 1, "91 93" LEASE, WIRE_OK},
        {"recall, in a later minor", MESSAGE_RECALL, 1, "91 94" LEASE "c3", WIRE_OK},
        {"recall nothing", MESSAGE_RECALL, 0, "90", WIRE_OK},
        {"recall nil", MESSAGE_RECALL, 1, "91 c0", WIRE_FORM},
        {"a run", MESSAGE_ANSWER, 1, "93 06 00 9a" ID RUN "01 07 a178 05", WIRE_OK},
        {"a run of a later minor", MESSAGE_ANSWER, 1, "93 06 00 9b" ID RUN "01 07 a178 05 c3",
         WIRE_OK},
        {"a run that says less", MESSAGE_ANSWER, 1, "93 06 00 99" ID RUN "01 07 a178", WIRE_FORM},
    };
    check(bodies, sizeof bodies / sizeof bodies[0]);
}

#define LETTER "a171 a16e 06 0a 03 c0"

static void dead_letters_may_say_what_minor_1_added(void **state)
{
    (void)state;
    static const struct body bodies[] = {
        {"of minor 0", MESSAGE_ANSWER, 1, "93 04 00 97" ID LETTER, WIRE_OK},
        {"of minor 1", MESSAGE_ANSWER, 1, "93 04 00 9c" ID LETTER "03 03 01 05 05", WIRE_OK},
        {"of a later one", MESSAGE_ANSWER, 1, "93 04 00 9d" ID LETTER "03 03 01 05 05 c0", WIRE_OK},
        {"in between", MESSAGE_ANSWER, 1, "93 04 00 9b" ID LETTER "03 03 01 05", WIRE_FORM},
        {"no letter", MESSAGE_ANSWER, 0, "92 05 00", WIRE_OK},
        {"a letter", MESSAGE_ANSWER, 1, "93 05 00 92 97" ID LETTER "c40178", WIRE_OK},
        {"without the value asked for", MESSAGE_ANSWER, 1, "93 05 00 92 97" ID LETTER "c0",
         WIRE_OK},
        {"without a word of its value", MESSAGE_ANSWER, 1, "93 05 00 91 97" ID LETTER, WIRE_FORM},
        {"two letters", MESSAGE_ANSWER, 2, "94 05 00 92 97" ID LETTER "c0 92 97" ID LETTER "c0",
         WIRE_FORM},
        {"retry", MESSAGE_DISPOSE, 1, "95 01 00 a0 a0" ID, WIRE_OK},
        {"drop all", MESSAGE_DISPOSE, 0, "94 04 00 a171 a0", WIRE_OK},
        {"disposal 0", MESSAGE_DISPOSE, 0, "94 00 00 a0 a0", WIRE_FORM},
        {"cancel", MESSAGE_DISPOSE, 1, "95 05 00 a0 a0" ID, WIRE_OK},
        {"cancel all", MESSAGE_DISPOSE, 0, "94 06 00 a171 a0", WIRE_OK},
        {"disposal 7", MESSAGE_DISPOSE, 0, "94 07 00 a0 a0", WIRE_FORM},
        {"an id too few", MESSAGE_DISPOSE, 1, "94 01 00 a0 a0", WIRE_FORM},
        {"an id too many", MESSAGE_DISPOSE, 0, "95 01 00 a0 a0" ID, WIRE_FORM},
        {"a queue that is nil", MESSAGE_DISPOSE, 0, "94 04 00 c0 a0", WIRE_FORM},
        {"done", MESSAGE_DISPOSED, 0, "94 01 00 00 05", WIRE_OK},
        {"cancelled", MESSAGE_DISPOSED, 0, "94 05 00 00 05", WIRE_OK},
        {"what is disposal 7", MESSAGE_DISPOSED, 0, "94 07 00 00 05", WIRE_FORM},
        {"done but one", MESSAGE_DISPOSED, 1, "95 01 00 00 05 92 00 0e", WIRE_OK},
        {"done but nobody knows what", MESSAGE_DISPOSED, 1, "95 01 00 00 05 c0", WIRE_FORM},
    };
    check(bodies, sizeof bodies / sizeof bodies[0]);
}

static void unknown_kinds_are_only_walked(void **state)
{
    (void)state;
    const enum message_kind later = (enum message_kind)99;
    const struct body bodies[] = {
        {"anything", later, 0, "c3", WIRE_OK},
        {"with a count", later, 200, "81 a178 cb0000000000000000", WIRE_OK},
        {"kind 0", MESSAGE_OTHER, 0, "90", WIRE_OK},
        {"two objects", later, 0, "c3 c3", WIRE_TRAILING},
        {"no object", later, 0, "", WIRE_SHORT},
        {"the byte never used", later, 0, "c1", WIRE_FORM},
        {"too deep", later, 0, "91 91 91 91 90", WIRE_LARGE},
    };
    check(bodies, sizeof bodies / sizeof bodies[0]);
}

static void an_empty_value_is_not_an_absent_one(void **state)
{
    (void)state;
    static const struct body body = {"", MESSAGE_COMPLETE, 2,
                                     "92 97" ID "01 05 00 c400 a0 00 97" ID "01 05 00 c0 c0 00",
                                     WIRE_OK};
    struct decoder *decoder = decoder_new();
    struct golden golden;
    struct message message;
    assert_int_equal(decode(decoder, &body, &golden, &message), WIRE_OK);
    const struct completion *items = message.u.complete.items;
    assert_non_null(items[0].result.data);
    assert_non_null(items[0].text.data);
    assert_int_equal(items[0].result.size + items[0].text.size, 0);
    assert_null(items[1].result.data);
    assert_null(items[1].text.data);
    decoder_destroy(&decoder);
}

static void what_only_a_worker_has_is_ignored_from_a_producer(void **state)
{
    (void)state;
    static const struct body body = {"", MESSAGE_HELLO, 0,
                                     "86" ROLE "01" MINOR NODE SLOTS NAMES LINES, WIRE_OK};
    struct decoder *decoder = decoder_new();
    struct golden golden;
    struct message message;
    assert_int_equal(decode(decoder, &body, &golden, &message), WIRE_OK);
    assert_int_equal(message.u.hello.slots, 0);
    assert_int_equal(message.u.hello.name_count, 0);
    decoder_destroy(&decoder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_whole_not_negative_and_in_range),
        cmocka_unit_test(bodies_are_arrays_with_nothing_missing),
        cmocka_unit_test(texts_are_str_or_bin_or_nil_where_they_may_be_absent),
        cmocka_unit_test(hello_needs_its_keys_once_each),
        cmocka_unit_test(welcome_needs_each_of_its_numbers_and_its_node),
        cmocka_unit_test(submissions_have_options_or_not),
        cmocka_unit_test(enumerations_are_closed_except_reasons),
        cmocka_unit_test(what_minor_2_brought_is_read_as_strictly),
        cmocka_unit_test(dead_letters_may_say_what_minor_1_added),
        cmocka_unit_test(unknown_kinds_are_only_walked),
        cmocka_unit_test(an_empty_value_is_not_an_absent_one),
        cmocka_unit_test(what_only_a_worker_has_is_ignored_from_a_producer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
