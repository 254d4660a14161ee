/* circle.c - circles through the rows of a table, as a picture of their order. */
#include "core/circle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { ROWS = 8, HEAD = 8, OTHER = 9 };

struct row {
    uint64_t before; /* the links are not what a row begins with */
    struct circle_link link;
};

struct table {
    struct row rows[ROWS + 2];
    struct circles circles;
};

static void table_start(struct table *table)
{
    table->circles.first = (uint8_t *)&table->rows[0].link;
    table->circles.row_bytes = sizeof table->rows[0];
    circle_reset(&table->circles, HEAD);
    circle_reset(&table->circles, OTHER);
}

static void append(struct table *table, uint32_t head, const char *rows)
{
    for (; *rows != '\0'; rows++) circle_append(&table->circles, head, (uint32_t)(*rows - '0'));
}

/* The circle of `head` has exactly `rows`, read either way round. */
static void expect(const struct table *table, uint32_t head, const char *rows)
{
    uint32_t row = head;
    for (const char *next = rows; *next != '\0'; next++) {
        uint32_t before = row;
        row = circle_next(&table->circles, row);
        assert_int_equal(row, *next - '0');
        assert_int_equal(circle_link(&table->circles, row)->prev, before);
    }
    assert_int_equal(circle_next(&table->circles, row), head);
    assert_int_equal(circle_link(&table->circles, head)->prev, row);
    assert_int_equal(circle_is_empty(&table->circles, head), *rows == '\0');
}

static void rows_stand_in_the_order_they_were_appended(void **state)
{
    (void)state;
    struct table table;
    table_start(&table);
    expect(&table, HEAD, "");
    append(&table, HEAD, "31");
    append(&table, OTHER, "7");
    append(&table, HEAD, "0");
    expect(&table, HEAD, "310");
    expect(&table, OTHER, "7");
}

static void a_row_can_be_put_first_or_behind_any_other(void **state)
{
    (void)state;
    struct table table;
    table_start(&table);
    append(&table, HEAD, "12");
    circle_insert(&table.circles, HEAD, 0);
    circle_insert(&table.circles, 1, 5);
    circle_insert(&table.circles, 2, 6);
    expect(&table, HEAD, "01526");
}

static void a_row_leaves_from_anywhere_and_may_leave_twice(void **state)
{
    (void)state;
    struct table table;
    table_start(&table);
    append(&table, HEAD, "01234");
    circle_remove(&table.circles, 2);
    circle_remove(&table.circles, 0);
    circle_remove(&table.circles, 4);
    circle_remove(&table.circles, 4);
    expect(&table, HEAD, "13");
    circle_remove(&table.circles, 1);
    circle_remove(&table.circles, 3);
    expect(&table, HEAD, "");
    append(&table, HEAD, "2");
    expect(&table, HEAD, "2");
}

static void all_rows_of_a_circle_move_behind_those_of_another(void **state)
{
    (void)state;
    struct table table;
    table_start(&table);
    append(&table, OTHER, "12");
    circle_move_all(&table.circles, HEAD, OTHER);
    expect(&table, HEAD, "12");
    expect(&table, OTHER, "");
    circle_move_all(&table.circles, HEAD, OTHER);
    expect(&table, HEAD, "12");
    append(&table, OTHER, "345");
    circle_move_all(&table.circles, HEAD, OTHER);
    append(&table, HEAD, "6");
    expect(&table, HEAD, "123456");
    expect(&table, OTHER, "");
}

static void some_rows_move_from_the_front_the_middle_and_the_end(void **state)
{
    (void)state;
    struct table table;
    table_start(&table);
    append(&table, OTHER, "123456");
    circle_move(&table.circles, HEAD, 1, 2);
    expect(&table, HEAD, "12");
    expect(&table, OTHER, "3456");
    circle_move(&table.circles, HEAD, 4, 4);
    expect(&table, HEAD, "124");
    expect(&table, OTHER, "356");
    circle_move(&table.circles, HEAD, 5, 6);
    expect(&table, HEAD, "12456");
    expect(&table, OTHER, "3");
    circle_move(&table.circles, HEAD, 3, 3);
    expect(&table, OTHER, "");
    circle_move(&table.circles, OTHER, 1, 3);
    expect(&table, HEAD, "");
    expect(&table, OTHER, "124563");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_stand_in_the_order_they_were_appended),
        cmocka_unit_test(a_row_can_be_put_first_or_behind_any_other),
        cmocka_unit_test(a_row_leaves_from_anywhere_and_may_leave_twice),
        cmocka_unit_test(all_rows_of_a_circle_move_behind_those_of_another),
        cmocka_unit_test(some_rows_move_from_the_front_the_middle_and_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
