/* waits.c - an answer kept for the one who waits is told once, to nobody else. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "../../src/node/waits.h"
#include "arena_rig.h"

enum { CAPACITY = 8 };

struct room {
    struct waits waits;
    struct arena arena;
};

static void open_room(struct room *room)
{
    room->arena = (struct arena){0};
    waits_init(&room->waits, &room->arena, CAPACITY, 99);
    arena_rig_map(&room->arena);
    waits_init(&room->waits, &room->arena, CAPACITY, 99);
    arena_rig_check(&room->arena);
}

static void close_room(struct room *room)
{
    waits_clear(&room->waits);
    arena_rig_unmap(&room->arena);
}

static tmesh_id_t id_of(uint8_t number)
{
    return (tmesh_id_t){{1, number}};
}

static bool expect(struct room *room, uint8_t number)
{
    tmesh_id_t id = id_of(number);
    return waits_expect(&room->waits, &id);
}

static bool tell(struct room *room, uint8_t number)
{
    return waits_tell(
        &room->waits,
        &(tmesh_answer_t){.kind = TMESH_ENDED, .id = id_of(number), .reason = "told"});
}

static void see(const tmesh_answer_t *answer, void *context)
{
    tmesh_id_t expected = id_of(*(uint8_t *)context);
    assert_memory_equal(&answer->id, &expected, sizeof expected);
    assert_string_equal(answer->reason, "told");
}

static enum waits_found take(struct room *room, uint8_t number)
{
    tmesh_id_t id = id_of(number);
    struct answer_chunk *chunk = NULL;
    enum waits_found found = waits_take(&room->waits, &id, &chunk);
    assert_int_equal(chunk != NULL, found == WAITS_TOLD);
    if (chunk == NULL) return found;
    bool rest;
    assert_int_equal(answer_hand_out(chunk, 9, see, &number, &rest), 1);
    answer_chunk_free(chunk);
    return found;
}

static void an_answer_is_told_once_to_the_one_who_waits(void **state)
{
    (void)state;
    struct room room;
    open_room(&room);
    assert_int_equal(take(&room, 1), WAITS_UNKNOWN);
    assert_true(expect(&room, 1));
    assert_int_equal(take(&room, 1), WAITS_PENDING);
    assert_int_equal(take(&room, 2), WAITS_UNKNOWN);
    assert_true(tell(&room, 1));
    assert_false(tell(&room, 1));
    assert_int_equal(take(&room, 1), WAITS_TOLD);
    assert_int_equal(take(&room, 1), WAITS_UNKNOWN);
    assert_false(tell(&room, 1));
    close_room(&room);
}

static void an_id_is_expected_once_until_it_was_taken(void **state)
{
    (void)state;
    struct room room;
    open_room(&room);
    assert_true(expect(&room, 1));
    assert_false(expect(&room, 1));
    assert_true(tell(&room, 1));
    assert_false(expect(&room, 1));
    assert_int_equal(take(&room, 1), WAITS_TOLD);
    assert_true(expect(&room, 1));
    assert_int_equal(take(&room, 1), WAITS_PENDING);
    close_room(&room);
}

static void what_is_forgotten_is_not_expected_but_what_was_told_stays(void **state)
{
    (void)state;
    struct room room;
    open_room(&room);
    tmesh_id_t id = id_of(1);
    waits_forget(&room.waits, &id);
    assert_true(expect(&room, 1));
    waits_forget(&room.waits, &id);
    assert_int_equal(take(&room, 1), WAITS_UNKNOWN);
    assert_false(tell(&room, 1));
    assert_true(expect(&room, 1));
    assert_true(tell(&room, 1));
    waits_forget(&room.waits, &id);
    assert_int_equal(take(&room, 1), WAITS_TOLD);
    close_room(&room);
}

static void it_is_full_until_answers_are_taken(void **state)
{
    (void)state;
    struct room room;
    open_room(&room);
    for (uint8_t at = 0; at < CAPACITY; at++) {
        assert_false(waits_are_full(&room.waits));
        assert_true(expect(&room, at));
    }
    assert_true(waits_are_full(&room.waits));
    assert_false(expect(&room, CAPACITY));
    assert_true(tell(&room, 3));
    assert_true(waits_are_full(&room.waits)); /* kept answers take room too */
    assert_int_equal(take(&room, 3), WAITS_TOLD);
    assert_false(waits_are_full(&room.waits));
    assert_true(expect(&room, CAPACITY));
    assert_int_equal(take(&room, CAPACITY), WAITS_PENDING); /* in a slot that had an answer */
    close_room(&room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_told_once_to_the_one_who_waits),
        cmocka_unit_test(an_id_is_expected_once_until_it_was_taken),
        cmocka_unit_test(what_is_forgotten_is_not_expected_but_what_was_told_stays),
        cmocka_unit_test(it_is_full_until_answers_are_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
