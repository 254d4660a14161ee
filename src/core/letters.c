/* letters.c - the dead letters of a ventilator, oldest first. */
#include "letters.h"

static uint32_t kept_head(const struct letters *letters)
{
    return letters->capacity;
}

static uint32_t free_head(const struct letters *letters)
{
    return letters->capacity + 1;
}

void letters_init(struct letters *letters, struct arena *arena, uint32_t capacity)
{
    assert(capacity > 0 && capacity < LETTER_NONE - 1);
    *letters = (struct letters){.capacity = capacity};
    letters->rows = arena_take(arena, (size_t)capacity + 2, sizeof *letters->rows);
    if (letters->rows == NULL) return; /* only measured */
    letters->places = (struct circles){.first = (uint8_t *)&letters->rows[0].place,
                                       .row_bytes = sizeof letters->rows[0]};
    circle_reset(&letters->places, kept_head(letters));
    circle_reset(&letters->places, free_head(letters));
}

static uint32_t free_row(struct letters *letters)
{
    uint32_t row = circle_next(&letters->places, free_head(letters));
    if (row == free_head(letters)) return letters->fresh++;
    circle_remove(&letters->places, row);
    return row;
}

uint32_t letters_add(struct letters *letters, uint32_t slot)
{
    assert(!letters_are_full(letters));
    uint32_t row = free_row(letters);
    if (++letters->latest == 0) letters->latest = 1;
    letters->rows[row].slot = slot;
    letters->rows[row].number = letters->latest;
    circle_append(&letters->places, kept_head(letters), row);
    letters->count++;
    return row;
}

void letters_remove(struct letters *letters, uint32_t row)
{
    assert(letters->count > 0 && row < letters->fresh);
    circle_remove(&letters->places, row);
    circle_append(&letters->places, free_head(letters), row);
    letters->count--;
}

uint32_t letters_next(const struct letters *letters, uint32_t row)
{
    uint32_t next = circle_next(&letters->places, row);
    return next == kept_head(letters) ? LETTER_NONE : next;
}

uint32_t letters_first(const struct letters *letters)
{
    return letters_next(letters, kept_head(letters));
}

uint32_t letters_from(const struct letters *letters, uint32_t number)
{
    uint32_t row = letters_first(letters);
    if (number == 0) return row;
    while (row != LETTER_NONE && (int32_t)(letters->rows[row].number - number) < 0) {
        row = letters_next(letters, row);
    }
    return row;
}
