/* circle.h - doubly linked circles through the rows of one table.
 *
 * A row is in at most one circle of each kind; a row that serves as a head
 * stands for the empty place between the last row and the first.  Because a
 * circle has no ends, taking a row out needs not know which circle it is in,
 * and moving all rows of one circle to another is O(1) however many they are.
 * Owns nothing: the links live inside the rows.
 */
#ifndef CORE_CIRCLE_H
#define CORE_CIRCLE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct circle_link {
    uint32_t next, prev;
};

/* Where the links of a table are: one member of each row. */
struct circles {
    uint8_t *first; /* the member in row 0 */
    size_t row_bytes;
};

static inline struct circle_link *circle_link(const struct circles *circles, uint32_t row)
{
    return (struct circle_link *)(void *)(circles->first + (size_t)row * circles->row_bytes);
}

/* Makes `row` a circle of its own: a head with no rows, or a row outside all others. */
static inline void circle_reset(const struct circles *circles, uint32_t row)
{
    *circle_link(circles, row) = (struct circle_link){.next = row, .prev = row};
}

static inline uint32_t circle_next(const struct circles *circles, uint32_t row)
{
    return circle_link(circles, row)->next;
}

static inline bool circle_is_empty(const struct circles *circles, uint32_t head)
{
    return circle_next(circles, head) == head;
}

/* Puts `row`, which is in no circle, behind `before`. */
static inline void circle_insert(const struct circles *circles, uint32_t before, uint32_t row)
{
    assert(row != before);
    uint32_t after = circle_next(circles, before);
    *circle_link(circles, row) = (struct circle_link){.next = after, .prev = before};
    circle_link(circles, before)->next = row;
    circle_link(circles, after)->prev = row;
}

/* Puts `row`, which is in no circle, last in the circle of `head`. */
static inline void circle_append(const struct circles *circles, uint32_t head, uint32_t row)
{
    circle_insert(circles, circle_link(circles, head)->prev, row);
}

static inline void circle_remove(const struct circles *circles, uint32_t row)
{
    struct circle_link link = *circle_link(circles, row);
    circle_link(circles, link.prev)->next = link.next;
    circle_link(circles, link.next)->prev = link.prev;
    circle_reset(circles, row);
}

/* Moves the rows from `first` to `last` of another circle to the end of that of `head`. */
static inline void circle_move(const struct circles *circles, uint32_t head, uint32_t first,
                               uint32_t last)
{
    assert(head != first && head != last);
    uint32_t before = circle_link(circles, first)->prev, after = circle_next(circles, last);
    circle_link(circles, before)->next = after;
    circle_link(circles, after)->prev = before;
    uint32_t end = circle_link(circles, head)->prev;
    circle_link(circles, end)->next = first;
    circle_link(circles, first)->prev = end;
    circle_link(circles, last)->next = head;
    circle_link(circles, head)->prev = last;
}

/* Moves all rows of `from` to the end of the circle of `head`; `from` is empty then. */
static inline void circle_move_all(const struct circles *circles, uint32_t head, uint32_t from)
{
    assert(head != from);
    if (circle_is_empty(circles, from)) return;
    struct circle_link moved = *circle_link(circles, from);
    uint32_t last = circle_link(circles, head)->prev;
    circle_link(circles, last)->next = moved.next;
    circle_link(circles, moved.next)->prev = last;
    circle_link(circles, moved.prev)->next = head;
    circle_link(circles, head)->prev = moved.prev;
    circle_reset(circles, from);
}

#endif
