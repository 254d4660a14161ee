/* endpoint.c - which addresses are well formed, loopback, and fit together. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "../../src/net/endpoint.h"

#include <stdio.h>
#include <string.h>

struct judged {
    const char *endpoint;
    bool binds, connects;
};

static void endpoints_are_judged_by_what_they_are_for(void **state)
{
    (void)state;
    static const struct judged all[] = {
        {"tcp://127.0.0.1:5555", true, true},
        {"tcp://db1.example.org:1", true, true},
        {"tcp://host_name:65535", true, true},
        {"tcp://[::1]:5555", true, true},
        {"tcp://[fe80::1]:5555", true, true},
        {"ipc:///tmp/a", true, true},
        {"ipc://relative/a", true, true},
        {"inproc://front", true, true},
        {"tcp://127.0.0.1:0", true, false},
        {"tcp://127.0.0.1:*", true, false},
        {"tcp://*:5555", true, false},
        {"tcp://*:*", true, false},
        {"tcp://[::]:0", true, false},
        {"", false, false},
        {"5555", false, false},
        {"tcp:", false, false},
        {"tcp://", false, false},
        {"tcp://127.0.0.1", false, false},
        {"tcp://127.0.0.1:", false, false},
        {"tcp://127.0.0.1:65536", false, false},
        {"tcp://127.0.0.1:99999999999999999999", false, false},
        {"tcp://127.0.0.1:055", false, false},
        {"tcp://127.0.0.1:-1", false, false},
        {"tcp://127.0.0.1:5x", false, false},
        {"tcp://:5555", false, false},
        {"tcp://127.0.0.1:5555/path", false, false},
        {"tcp://127.0.0.256:5555", false, false},
        {"tcp://127.1:5555", false, false},
        {"tcp://1.2.3.4.5:5555", false, false},
        {"tcp://eth0;server:5555", false, false},
        {"tcp://-x:5555", false, false},
        {"tcp://.x:5555", false, false},
        {"tcp://::1:5555", false, false},
        {"tcp://[::1]5555", false, false},
        {"tcp://[::1:5555", false, false},
        {"tcp://[:5555", false, false},
        {"tcp://[]:5555", false, false},
        {"tcp://[zz]:5555", false, false},
        {"tcp://a b:5555", false, false},
        {"tcp://a:5555\n", false, false},
        {"tcp://a:5555,tcp://b:5555", false, false},
        {"TCP://127.0.0.1:5555", false, false},
        {"udp://127.0.0.1:5555", false, false},
        {"ipc://", false, false},
        {"ipc://*", false, false},
        {"ipc://@name", false, false},
        {"ipc:///tmp/", false, false},
        {"inproc://", false, false},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        const char *bind_fault = endpoint_fault(all[i].endpoint, ENDPOINT_BIND);
        const char *connect_fault = endpoint_fault(all[i].endpoint, ENDPOINT_CONNECT);
        if ((bind_fault == NULL) != all[i].binds) {
            fail_msg("bind %s: %s", all[i].endpoint, bind_fault ? bind_fault : "accepted");
        }
        if ((connect_fault == NULL) != all[i].connects) {
            fail_msg("connect %s: %s", all[i].endpoint, connect_fault ? connect_fault : "accepted");
        }
    }
    assert_non_null(endpoint_fault(NULL, ENDPOINT_BIND));
}

static void a_fault_says_what_to_do_about_it(void **state)
{
    (void)state;
    assert_string_equal(endpoint_fault("localhost:5555", ENDPOINT_CONNECT),
                        "it must begin with tcp:// or ipc://");
    assert_string_equal(endpoint_fault("tcp://localhost", ENDPOINT_CONNECT),
                        "a port is missing, as in tcp://127.0.0.1:5555");
    assert_string_equal(endpoint_fault("tcp://*:5555", ENDPOINT_CONNECT),
                        "* is no host to connect to; name one");
    assert_string_equal(endpoint_fault("tcp://::1:5555", ENDPOINT_BIND),
                        "an IPv6 address stands in brackets, as in tcp://[::1]:5555");
}

static const char *ipc_of_length(char *endpoint, size_t path_bytes)
{
    strcpy(endpoint, "ipc://");
    memset(endpoint + 6, 'p', path_bytes);
    endpoint[6 + path_bytes] = '\0';
    return endpoint;
}

static void a_path_to_bind_leaves_room_for_its_intake(void **state)
{
    (void)state;
    char endpoint[400];
    assert_null(endpoint_fault(ipc_of_length(endpoint, 100), ENDPOINT_BIND));
    assert_non_null(endpoint_fault(ipc_of_length(endpoint, 101), ENDPOINT_BIND));
    assert_null(endpoint_fault(ipc_of_length(endpoint, 107), ENDPOINT_CONNECT));
    assert_non_null(endpoint_fault(ipc_of_length(endpoint, 108), ENDPOINT_CONNECT));
    assert_non_null(endpoint_fault(ipc_of_length(endpoint, 300), ENDPOINT_CONNECT));
}

static void only_what_this_machine_alone_can_reach_is_loopback(void **state)
{
    (void)state;
    static const char *const near[] = {"tcp://127.0.0.1:5555", "tcp://127.9.9.9:*",
                                       "tcp://localhost:5555", "tcp://LocalHost:0",
                                       "tcp://[::1]:5555",     "tcp://[0:0:0:0:0:0:0:1]:5555",
                                       "ipc:///tmp/a",         "inproc://a"};
    static const char *const far[] = {
        "tcp://*:5555",          "tcp://0.0.0.0:5555",      "tcp://[::]:5555",
        "tcp://128.0.0.1:5555",  "tcp://10.0.0.1:5555",     "tcp://localhost.example.org:5555",
        "tcp://127.example.org", "tcp://127.0.0.1.nip:555", "tcp://[::2]:5555",
        "tcp://eth0:5555",       "127.0.0.1:5555",          ""};
    for (size_t i = 0; i < sizeof near / sizeof *near; i++) {
        if (!endpoint_is_loopback(near[i])) fail_msg("%s counts as far", near[i]);
    }
    for (size_t i = 0; i < sizeof far / sizeof *far; i++) {
        if (endpoint_is_loopback(far[i])) fail_msg("%s counts as near", far[i]);
    }
}

static void check_resolve(const char *front, const char *intake, const char *expected)
{
    char resolved[ENDPOINT_BYTES];
    bool fits = endpoint_resolve(front, intake, strlen(intake), resolved);
    if (fits != (expected != NULL)) fail_msg("%s with %s: %d", front, intake, fits);
    if (fits) assert_string_equal(resolved, expected);
}

static void an_intake_is_found_by_the_way_the_front_was_reached(void **state)
{
    (void)state;
    check_resolve("tcp://db1:5555", "tcp://*:41234", "tcp://db1:41234");
    check_resolve("tcp://127.0.0.1:5555", "tcp://*:1", "tcp://127.0.0.1:1");
    check_resolve("tcp://[::1]:5555", "tcp://*:1", "tcp://[::1]:1");
    check_resolve("tcp://db1:5555", "tcp://db2:41234", "tcp://db2:41234");
    check_resolve("ipc:///run/a", "ipc:///run/a-intake", "ipc:///run/a-intake");
    check_resolve("inproc://front", "inproc://intake", "inproc://intake");
}

static void an_intake_of_another_transport_does_not_fit(void **state)
{
    (void)state;
    check_resolve("tcp://db1:5555", "ipc:///run/a", NULL);
    check_resolve("tcp://db1:5555", "inproc://intake", NULL);
    check_resolve("ipc:///run/a", "tcp://*:41234", NULL);
    check_resolve("ipc:///run/a", "tcp://db1:41234", NULL);
    check_resolve("inproc://front", "ipc:///run/a", NULL);
}

static void an_intake_that_is_no_address_does_not_fit(void **state)
{
    (void)state;
    char resolved[ENDPOINT_BYTES], long_name[600];
    check_resolve("tcp://db1:5555", "", NULL);
    check_resolve("tcp://db1:5555", "tcp://*:0", NULL);
    check_resolve("tcp://db1:5555", "tcp://*:*", NULL);
    check_resolve("tcp://db1:5555", "tcp://*", NULL);
    check_resolve("tcp://db1:5555", "tcp://*:", NULL);
    check_resolve("tcp://db1:5555", "tcp://*:70000", NULL);
    check_resolve("tcp://db1:5555", "tcp://*:1;tcp://x:2", NULL);
    assert_false(endpoint_resolve("tcp://db1:5555", "tcp://*:1\0x", 12, resolved));
    assert_false(endpoint_resolve("tcp://db1:5555", NULL, 0, resolved));
    memset(long_name, 'a', sizeof long_name);
    memcpy(long_name, "tcp://", 6);
    assert_false(endpoint_resolve("tcp://db1:5555", long_name, sizeof long_name, resolved));
    char front[ENDPOINT_BYTES];
    memset(front, 'a', sizeof front);
    memcpy(front, "tcp://", 6);
    memcpy(front + 250, ":1", 3);
    assert_false(endpoint_resolve(front, "tcp://*:65535", 13, resolved));
}

static void only_what_has_to_be_looked_up_is_a_host_name(void **state)
{
    (void)state;
    char name[ENDPOINT_BYTES] = "before";
    assert_true(endpoint_host_name("tcp://db1.example.org:5555", name));
    assert_string_equal(name, "db1.example.org");
    assert_true(endpoint_host_name("tcp://localhost:1", name));
    assert_string_equal(name, "localhost");
    static const char *const others[] = {
        "tcp://127.0.0.1:5555",
        "tcp://[::1]:5555",
        "ipc:///run/db1",
        "inproc://db1",
        "tcp://db1",
        "tcp://*:5555",
        "",
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_false(endpoint_host_name(others[i], name));
        assert_string_equal(name, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(endpoints_are_judged_by_what_they_are_for),
        cmocka_unit_test(a_fault_says_what_to_do_about_it),
        cmocka_unit_test(a_path_to_bind_leaves_room_for_its_intake),
        cmocka_unit_test(only_what_this_machine_alone_can_reach_is_loopback),
        cmocka_unit_test(only_what_has_to_be_looked_up_is_a_host_name),
        cmocka_unit_test(an_intake_is_found_by_the_way_the_front_was_reached),
        cmocka_unit_test(an_intake_of_another_transport_does_not_fit),
        cmocka_unit_test(an_intake_that_is_no_address_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
