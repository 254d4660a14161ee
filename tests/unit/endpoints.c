/* endpoints.c - a list of fronts as people write it. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "../../src/node/endpoints.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check_read(const char *text, const char *const *items, uint32_t count)
{
    struct endpoints endpoints;
    tmesh_error_t error;
    if (endpoints_read(&endpoints, text, &error) != TMESH_OK) fail_msg("%s: %s", text, error.text);
    assert_int_equal(endpoints.count, count);
    for (uint32_t at = 0; at < count; at++) assert_string_equal(endpoints.items[at], items[at]);
    endpoints_clear(&endpoints);
    assert_int_equal(endpoints.count, 0);
}

static void items_stand_between_commas_and_spaces(void **state)
{
    (void)state;
    static const char *const two[] = {"tcp://a:1", "ipc:///run/b"};
    check_read("tcp://a:1", two, 1);
    check_read("tcp://a:1,ipc:///run/b", two, 2);
    check_read(" tcp://a:1 ,\tipc:///run/b ", two, 2);
    check_read("tcp://a:1,,ipc:///run/b,", two, 2);
    check_read("tcp://a:1 ipc:///run/b", two, 2);
    check_read(NULL, NULL, 0);
}

static void check_refused(const char *text, enum tmesh_err code, const char *said)
{
    struct endpoints endpoints;
    tmesh_error_t error = {.code = TMESH_OK};
    assert_int_equal(endpoints_read(&endpoints, text, &error), code);
    assert_int_equal(error.code, code);
    if (strstr(error.text, said) == NULL) fail_msg("\"%s\" instead of \"%s\"", error.text, said);
    assert_int_equal(endpoints.count, 0);
    assert_null(endpoints.text);
    assert_int_equal(endpoints_read(&endpoints, text, NULL), code);
}

static void what_is_wrong_is_named(void **state)
{
    (void)state;
    check_refused("", TMESH_E_INVALID, "no endpoint");
    check_refused(" ,, ", TMESH_E_INVALID, "no endpoint");
    check_refused("tcp://a:1,b:2", TMESH_E_ENDPOINT, "'b:2'");
    check_refused("tcp://a:1,tcp://a:1", TMESH_E_ENDPOINT, "twice");
    check_refused("inproc://front", TMESH_E_ENDPOINT, "embedded");
    char *many = calloc(65, 16);
    assert_non_null(many);
    for (int at = 1; at <= 65; at++) (void)sprintf(many + strlen(many), "tcp://a:%d,", at);
    check_refused(many, TMESH_E_INVALID, "more than 64");
    *strrchr(many, 't') = '\0';
    struct endpoints endpoints;
    assert_int_equal(endpoints_read(&endpoints, many, NULL), TMESH_OK);
    assert_int_equal(endpoints.count, 64);
    endpoints_clear(&endpoints);
    free(many);
}

static void one_more_may_be_added(void **state)
{
    (void)state;
    struct endpoints endpoints;
    assert_int_equal(endpoints_read(&endpoints, "tcp://a:1", NULL), TMESH_OK);
    endpoints_add(&endpoints, "inproc://front");
    assert_int_equal(endpoints.count, 2);
    assert_string_equal(endpoints.items[1], "inproc://front");
    endpoints_clear(&endpoints);
}

static void check_told(const char *text, size_t room, const char *expected)
{
    struct endpoints endpoints;
    char told[128];
    memset(told, '?', sizeof told);
    assert_int_equal(endpoints_read(&endpoints, text, NULL), TMESH_OK);
    endpoints_tell(&endpoints, told, room);
    assert_true(strlen(told) < room);
    assert_string_equal(told, expected);
    endpoints_clear(&endpoints);
}

static void a_list_is_told_as_far_as_there_is_room(void **state)
{
    (void)state;
    check_told(NULL, 100, "");
    check_told("tcp://a:1", 100, "tcp://a:1");
    check_told("tcp://a:1,tcp://b:2", 100, "tcp://a:1, tcp://b:2");
    check_told("tcp://a:1,tcp://b:2,tcp://c:3,tcp://d:4", 45, "tcp://a:1, tcp://b:2 and 2 others");
    check_told("tcp://a.very.long.name:1,tcp://b:2", 24, "tcp://a.very.long.name:");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_stand_between_commas_and_spaces),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(one_more_may_be_added),
        cmocka_unit_test(a_list_is_told_as_far_as_there_is_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
