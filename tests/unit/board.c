/* board.c - of each task the latest is kept, of all tasks no more than there is room. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "../../src/node/board.h"
#include "arena_rig.h"

#include <string.h>

enum { TICKETS = BOARD_ROWS_MAX + 100 };

static struct tickets tickets;
static struct board board;
static struct arena arena;

static void lay_out(void)
{
    tickets_init(&tickets, &arena, TICKETS);
    board_init(&board, &arena);
}

static int set_up(void **state)
{
    (void)state;
    lay_out();
    arena_rig_map(&arena);
    lay_out();
    arena_rig_check(&arena);
    for (uint32_t number = 0; number < TICKETS; number++) {
        uint32_t drawn = tickets_draw(&tickets);
        assert_int_equal(drawn, number);
        tickets.tickets[number] =
            (struct ticket){.state = TICKET_AWAITED, .tag = arena.base + number};
        memcpy(tickets.tickets[number].id.octets, &number, sizeof number);
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_rig_unmap(&arena);
    return 0;
}

static void note(uint32_t ticket, uint64_t number)
{
    board_note(&board, &tickets, ticket, 1, number, bytes_text("text"));
}

static void expect_next(uint32_t ticket, uint64_t number)
{
    struct news news;
    assert_true(board_take(&board, &tickets, &news));
    assert_memory_equal(news.id.octets, &ticket, sizeof ticket);
    assert_ptr_equal(news.tag, arena.base + ticket);
    assert_int_equal(news.number, number);
    assert_string_equal(news.text, "text");
}

static void expect_none(void)
{
    struct news news;
    assert_int_equal(board.count, 0);
    assert_false(board_take(&board, &tickets, &news));
}

static void the_latest_takes_the_place_of_what_was_said_before(void **state)
{
    (void)state;
    expect_none();
    note(5, 1);
    note(7, 10);
    for (uint64_t number = 2; number <= 5000; number++) note(5, number);
    assert_int_equal(board.count, 2);
    expect_next(5, 5000);
    note(5, 5001); /* taken is taken: it stands behind the others */
    expect_next(7, 10);
    expect_next(5, 5001);
    expect_none();
}

static void what_a_run_said_is_gone_with_it(void **state)
{
    (void)state;
    note(1, 1);
    note(2, 2);
    note(3, 3);
    board_wipe(&board, &tickets, 2);
    board_wipe(&board, &tickets, 2);
    board_wipe(&board, &tickets, 9); /* said nothing */
    expect_next(1, 1);
    expect_next(3, 3);
    expect_none();
}

static void on_a_full_board_the_oldest_makes_way(void **state)
{
    (void)state;
    for (uint32_t ticket = 0; ticket < TICKETS; ticket++) note(ticket, ticket);
    assert_int_equal(board.count, BOARD_ROWS_MAX);
    note(0, 77); /* made way before, and is not forgotten for good */
    for (uint32_t ticket = TICKETS - BOARD_ROWS_MAX + 1; ticket < TICKETS; ticket++) {
        expect_next(ticket, ticket);
    }
    expect_next(0, 77);
    expect_none();
}

static void a_long_text_is_cut(void **state)
{
    (void)state;
    char text[TMESH_PROGRESS_BYTES_MAX + 50];
    struct news news;
    memset(text, 'x', sizeof text);
    board_note(&board, &tickets, 0, 3, 1, bytes_of(text, sizeof text));
    assert_true(board_take(&board, &tickets, &news));
    assert_int_equal(strlen(news.text), TMESH_PROGRESS_BYTES_MAX);
    assert_int_equal(news.attempt, 3);
    board_note(&board, &tickets, 0, 3, 1, (struct bytes){0});
    assert_true(board_take(&board, &tickets, &news));
    assert_string_equal(news.text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_latest_takes_the_place_of_what_was_said_before, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_a_run_said_is_gone_with_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(on_a_full_board_the_oldest_makes_way, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_long_text_is_cut, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
