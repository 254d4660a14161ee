/* tickets.c - every ticket is out once at most, and comes back. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "../../src/node/tickets.h"
#include "arena_rig.h"

#include <stdlib.h>

enum { CAPACITY = 100 };

struct office {
    struct tickets tickets;
    struct arena arena;
};

static void open_office(struct office *office)
{
    office->arena = (struct arena){0};
    tickets_init(&office->tickets, &office->arena, CAPACITY);
    arena_rig_map(&office->arena);
    tickets_init(&office->tickets, &office->arena, CAPACITY);
    arena_rig_check(&office->arena);
}

static uint32_t draw(struct office *office)
{
    uint32_t number = tickets_draw(&office->tickets);
    if (number == TICKET_NONE) return number;
    assert_true(number < CAPACITY);
    assert_int_equal(office->tickets.tickets[number].state, TICKET_FREE);
    office->tickets.tickets[number] = (struct ticket){.state = TICKET_OUTBOX};
    return number;
}

static void all_can_be_out_and_no_more(void **state)
{
    (void)state;
    struct office office;
    open_office(&office);
    for (uint32_t at = 0; at < CAPACITY; at++) {
        assert_int_not_equal(draw(&office), TICKET_NONE); /* and none twice: draw looks */
        assert_int_equal(office.tickets.used, at + 1);
    }
    assert_int_equal(draw(&office), TICKET_NONE);
    assert_int_equal(office.tickets.used, CAPACITY);
    tickets_return_one(&office.tickets, 42);
    assert_int_equal(office.tickets.used, CAPACITY - 1);
    assert_int_equal(draw(&office), 42);
    assert_int_equal(draw(&office), TICKET_NONE);
    arena_rig_unmap(&office.arena);
}

static void tickets_used_before_go_first(void **state)
{
    (void)state;
    struct office office;
    open_office(&office);
    for (int at = 0; at < 10; at++) (void)draw(&office);
    tickets_return_one(&office.tickets, 3);
    tickets_return_one(&office.tickets, 0);
    assert_int_equal(draw(&office), 0);
    assert_int_equal(draw(&office), 3);
    assert_int_equal(draw(&office), 10);
    assert_int_equal(office.tickets.fresh, 11); /* only so many were ever touched */
    arena_rig_unmap(&office.arena);
}

static void many_come_back_at_once(void **state)
{
    (void)state;
    struct office office;
    open_office(&office);
    for (int at = 0; at < 10; at++) (void)draw(&office);
    const uint32_t retired[] = {4, 0, 7};
    for (int at = 0; at < 3; at++) tickets_retire(&office.tickets, retired[at]);
    assert_int_equal(office.tickets.used, 10); /* none is back yet */
    assert_int_equal(draw(&office), 10);
    tickets_return(&office.tickets, retired, 3);
    assert_int_equal(office.tickets.used, 8);
    tickets_return(&office.tickets, NULL, 0);
    for (int at = 2; at >= 0; at--) assert_int_equal(draw(&office), retired[at]);
    assert_int_equal(draw(&office), 11);
    arena_rig_unmap(&office.arena);
}

static void any_order_of_coming_and_going_will_do(void **state)
{
    (void)state;
    struct office office;
    open_office(&office);
    bool out[CAPACITY] = {0};
    uint32_t count = 0, random = 12345;
    for (int step = 0; step < 20000; step++) {
        random = random * 1664525 + 1013904223;
        uint32_t number = (random >> 8) % CAPACITY;
        if (out[number] && random >> 31) {
            tickets_return_one(&office.tickets, number);
            out[number] = false;
            count--;
        } else {
            number = draw(&office);
            assert_int_equal(number == TICKET_NONE, count == CAPACITY);
            if (number == TICKET_NONE) continue;
            assert_false(out[number]);
            out[number] = true;
            count++;
        }
        assert_int_equal(office.tickets.used, count);
    }
    arena_rig_unmap(&office.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_can_be_out_and_no_more),
        cmocka_unit_test(tickets_used_before_go_first),
        cmocka_unit_test(many_come_back_at_once),
        cmocka_unit_test(any_order_of_coming_and_going_will_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
