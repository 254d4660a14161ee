/* origins.c - descriptors used again, and messages read late, in every order
 * that libzmq can show them in. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "../../src/net/origins.h"

enum { FD = 9 };

static struct origins origins;

static int start(void **state)
{
    (void)state;
    origins = (struct origins){0};
    return 0;
}

static int finish(void **state)
{
    (void)state;
    origins_free(&origins);
    return 0;
}

static void expect_ending(uint32_t link)
{
    uint32_t told = ~link;
    assert_true(origins_take_ending(&origins, &told));
    assert_int_equal(told, link);
}

static void expect_no_ending(void)
{
    uint32_t told = 0;
    origins_settle(&origins);
    if (origins_take_ending(&origins, &told)) fail_msg("link %u is said to be over", told);
}

static void the_end_of_a_connection_is_the_end_of_its_link(void **state)
{
    (void)state;
    origins_accepted(&origins, FD);
    origins_heard(&origins, FD, 7);
    assert_true(origins_knows(&origins, FD, 7));
    expect_no_ending();
    origins_disconnected(&origins, FD);
    origins_settle(&origins);
    expect_ending(7);
    expect_no_ending();
}

static void an_end_is_told_only_after_everything_was_read(void **state)
{
    (void)state;
    uint32_t told;
    origins_accepted(&origins, FD);
    origins_heard(&origins, FD, 7);
    origins_disconnected(&origins, FD);
    assert_true(origins_untold(&origins));
    assert_false(origins_take_ending(&origins, &told));
    origins_settle(&origins);
    assert_true(origins_untold(&origins));
    expect_ending(7);
    assert_false(origins_untold(&origins));
}

static void a_connection_that_never_spoke_ends_nothing(void **state)
{
    (void)state;
    origins_accepted(&origins, FD);
    origins_disconnected(&origins, FD);
    origins_disconnected(&origins, FD + 1);
    expect_no_ending();
}

static void a_descriptor_used_again_belongs_to_the_newer_link(void **state)
{
    (void)state;
    origins_accepted(&origins, FD);
    origins_heard(&origins, FD, 7);
    origins_disconnected(&origins, FD);
    origins_accepted(&origins, FD);
    origins_heard(&origins, FD, 8);
    origins_settle(&origins);
    expect_ending(7);
    expect_no_ending();
    origins_disconnected(&origins, FD);
    origins_settle(&origins);
    expect_ending(8);
}

static void a_missed_end_shows_when_the_descriptor_is_used_again(void **state)
{
    (void)state;
    origins_accepted(&origins, FD);
    origins_heard(&origins, FD, 7);
    origins_accepted(&origins, FD);
    origins_settle(&origins);
    expect_ending(7);
    origins_heard(&origins, FD, 8);
    expect_no_ending();
}

static void leftovers_of_the_older_link_do_not_end_the_newer_one(void **state)
{
    (void)state;
    origins_accepted(&origins, FD);
    origins_heard(&origins, FD, 7);
    origins_disconnected(&origins, FD);
    origins_accepted(&origins, FD);
    origins_heard(&origins, FD, 8);
    origins_heard(&origins, FD, 7);
    assert_true(origins_knows(&origins, FD, 8));
    origins_settle(&origins);
    expect_ending(7);
    expect_no_ending();
    origins_disconnected(&origins, FD);
    origins_settle(&origins);
    expect_ending(8);
}

static void two_unread_links_of_one_descriptor_in_either_order(void **state)
{
    (void)state;
    for (uint32_t first = 7; first <= 8; first++) {
        int fd = FD + (int)first;
        origins_accepted(&origins, fd);
        origins_disconnected(&origins, fd);
        origins_accepted(&origins, fd);
        origins_heard(&origins, fd, first);
        origins_heard(&origins, fd, 15 - first);
        expect_no_ending();
        origins_disconnected(&origins, fd);
        origins_settle(&origins);
        expect_ending(8);
        expect_no_ending();
    }
}

static void one_that_spoke_and_was_gone_before_it_was_read_ends(void **state)
{
    (void)state;
    origins_accepted(&origins, FD);
    origins_disconnected(&origins, FD);
    origins_heard(&origins, FD, 7);
    origins_heard(&origins, FD, 7);
    origins_settle(&origins);
    expect_ending(7);
    expect_no_ending();
}

static void links_are_numbered_round_and_round(void **state)
{
    (void)state;
    origins_accepted(&origins, FD);
    origins_disconnected(&origins, FD);
    origins_accepted(&origins, FD);
    origins_heard(&origins, FD, UINT32_MAX);
    origins_heard(&origins, FD, 0);
    origins_heard(&origins, FD, UINT32_MAX);
    assert_true(origins_knows(&origins, FD, 0));
}

static void a_link_long_gone_does_not_outrank_a_new_one(void **state)
{
    (void)state;
    origins_accepted(&origins, FD);
    origins_heard(&origins, FD, 1000);
    origins_disconnected(&origins, FD);
    origins_settle(&origins);
    expect_ending(1000);
    origins_accepted(&origins, FD);
    origins_heard(&origins, FD, 5); /* the numbers went all the way round */
    origins_disconnected(&origins, FD);
    origins_settle(&origins);
    expect_ending(5);
}

static void a_peer_without_a_descriptor_has_no_end(void **state)
{
    (void)state;
    assert_true(origins_knows(&origins, -1, 7));
    origins_heard(&origins, -1, 7);
    origins_disconnected(&origins, -1);
    expect_no_ending();
}

static void a_thousand_descriptors_end_in_the_order_they_went(void **state)
{
    (void)state;
    for (int fd = 0; fd < 1000; fd++) {
        origins_accepted(&origins, fd);
        origins_heard(&origins, fd, (uint32_t)fd + 50);
    }
    for (int fd = 999; fd >= 0; fd--) origins_disconnected(&origins, fd);
    origins_settle(&origins);
    for (uint32_t fd = 1000; fd-- > 0;) expect_ending(fd + 50);
    expect_no_ending();
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, start, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_end_of_a_connection_is_the_end_of_its_link),
        CASE(an_end_is_told_only_after_everything_was_read),
        CASE(a_connection_that_never_spoke_ends_nothing),
        CASE(a_descriptor_used_again_belongs_to_the_newer_link),
        CASE(a_missed_end_shows_when_the_descriptor_is_used_again),
        CASE(leftovers_of_the_older_link_do_not_end_the_newer_one),
        CASE(two_unread_links_of_one_descriptor_in_either_order),
        CASE(one_that_spoke_and_was_gone_before_it_was_read_ends),
        CASE(links_are_numbered_round_and_round),
        CASE(a_link_long_gone_does_not_outrank_a_new_one),
        CASE(a_peer_without_a_descriptor_has_no_end),
        CASE(a_thousand_descriptors_end_in_the_order_they_went),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
