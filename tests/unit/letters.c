/* letters.c - dead letters in their order, against a list that is kept the plain way. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "../../src/core/letters.h"
#include "../../src/core/random.h"
#include "arena_rig.h"

#include <string.h>

enum { CAPACITY = 20 };

struct fixture {
    struct arena arena;
    struct letters letters;
    uint32_t rows[CAPACITY]; /* in order, oldest first */
    uint32_t count;
};

static void start(struct fixture *fixture)
{
    *fixture = (struct fixture){0};
    letters_init(&fixture->letters, &fixture->arena, CAPACITY);
    arena_rig_map(&fixture->arena);
    letters_init(&fixture->letters, &fixture->arena, CAPACITY);
    arena_rig_check(&fixture->arena);
}

static void add(struct fixture *fixture, uint32_t slot)
{
    fixture->rows[fixture->count++] = letters_add(&fixture->letters, slot);
}

static void remove_at(struct fixture *fixture, uint32_t place)
{
    letters_remove(&fixture->letters, fixture->rows[place]);
    fixture->count--;
    memmove(&fixture->rows[place], &fixture->rows[place + 1],
            (fixture->count - place) * sizeof fixture->rows[0]);
}

/* Both lists are alike, from the oldest and from every number on. */
static void check(const struct fixture *fixture)
{
    const struct letters *letters = &fixture->letters;
    assert_int_equal(letters->count, fixture->count);
    assert_int_equal(letters_are_full(letters), fixture->count == CAPACITY);
    uint32_t row = letters_first(letters);
    assert_int_equal(letters_from(letters, 0), row);
    for (uint32_t place = 0; place < fixture->count; place++) {
        assert_int_equal(row, fixture->rows[place]);
        uint32_t number = letters->rows[row].number;
        assert_int_not_equal(number, 0);
        assert_int_equal(letters_from(letters, number), row);
        uint32_t next = letters_next(letters, row);
        if (next != LETTER_NONE && letters->rows[next].number != number + 1 && number != UINT32_MAX)
            assert_int_equal(letters_from(letters, number + 1), next); /* of a letter that left */
        row = next;
    }
    assert_int_equal(row, LETTER_NONE);
    assert_int_equal(letters_from(letters, letters->latest + 1), LETTER_NONE);
}

static void letters_leave_from_anywhere(void **state)
{
    (void)state;
    uint64_t random = 5;
    struct fixture fixture;
    start(&fixture);
    for (uint32_t step = 0; step < 20000; step++) {
        bool grows = random_up_to(&random, 99) < (step / 1000 % 2 == 0 ? 70U : 30U);
        if (grows && fixture.count < CAPACITY) {
            add(&fixture, step);
            uint32_t row = fixture.rows[fixture.count - 1];
            assert_int_equal(fixture.letters.rows[row].slot, step);
        } else if (!grows && fixture.count > 0) {
            remove_at(&fixture, (uint32_t)random_up_to(&random, fixture.count - 1));
        }
        check(&fixture);
    }
    arena_rig_unmap(&fixture.arena);
}

static void numbers_begin_again_after_the_last(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture);
    fixture.letters.latest = UINT32_MAX - 3;
    for (uint32_t slot = 0; slot < 8; slot++) add(&fixture, slot);
    check(&fixture);
    assert_int_equal(fixture.letters.latest, 5); /* 0 is left out */
    remove_at(&fixture, 2);
    remove_at(&fixture, 2);
    check(&fixture);
    assert_int_equal(letters_from(&fixture.letters, UINT32_MAX), fixture.rows[2]);
    arena_rig_unmap(&fixture.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(letters_leave_from_anywhere),
        cmocka_unit_test(numbers_begin_again_after_the_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
