/* journal_entry.c - what a ventilator writes down comes back as it was, and nothing
 * else is taken for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/core/random.h"
#include "../../src/journal/entry.h"

#include <stdlib.h>

static const enum journal_entry_kind KINDS[] = {JOURNAL_TASK, JOURNAL_LEASED,  JOURNAL_CHANGED,
                                                JOURNAL_DONE, JOURNAL_SETTLED, JOURNAL_GIVEN_UP};
enum { KIND_COUNT = sizeof KINDS / sizeof *KINDS, VALUE_BYTES_MAX = 3000 };

static uint8_t VALUES[VALUE_BYTES_MAX];

static struct bytes some(uint64_t *chance)
{
    uint64_t which = random_up_to(chance, 3);
    if (which == 0) return (struct bytes){0};
    if (which == 1) return bytes_of(VALUES, 0);
    return bytes_of(VALUES + random_up_to(chance, 99),
                    (size_t)random_up_to(chance, VALUE_BYTES_MAX - 100));
}

/* An entry of this kind, every field by chance, those that the kind has not left out. */
static struct journal_entry entry_by_chance(enum journal_entry_kind kind, uint64_t *chance)
{
    struct journal_entry entry = {.kind = kind};
    for (int i = 0; i < 16; i++) entry.id.octets[i] = (uint8_t)random_next(chance);
    if (kind == JOURNAL_SETTLED) entry.kept = (uint8_t)random_next(chance);
    if (kind == JOURNAL_SETTLED || kind == JOURNAL_GIVEN_UP) return entry;
    entry.attempt = (uint32_t)random_next(chance);
    entry.token = random_next(chance);
    if (kind == JOURNAL_LEASED) return entry;
    for (int i = 0; i < 16; i++) entry.owner.octets[i] = (uint8_t)random_next(chance);
    entry.state = (enum task_state)(1 + random_up_to(chance, TASK_EXPIRED - 1));
    entry.reason = (enum reason)random_up_to(chance, 255);
    entry.kept = (uint8_t)random_next(chance);
    entry.backoff_ms = (uint32_t)random_next(chance);
    entry.backoff_ms_max = (uint32_t)random_next(chance);
    entry.limit_ms = (uint32_t)random_next(chance);
    entry.failures = (uint16_t)random_next(chance);
    entry.crashes = (uint16_t)random_next(chance);
    entry.losses = (uint16_t)random_next(chance);
    entry.attempts_max = (uint16_t)random_next(chance);
    entry.crashes_max = (uint16_t)random_next(chance);
    entry.delay_ns = random_next(chance);
    entry.text = some(chance);
    if (kind == JOURNAL_CHANGED) return entry;
    entry.result = some(chance);
    if (kind == JOURNAL_DONE) return entry;
    entry.payload = some(chance);
    if (random_up_to(chance, 1) == 0) entry.soft_ms = (uint32_t)random_next(chance);
    if (random_up_to(chance, 1) == 0) entry.stalled_ms = (uint32_t)random_next(chance);
    if (random_up_to(chance, 1) == 0) entry.order = random_next(chance);
    entry.queue = bytes_of(VALUES, (size_t)random_up_to(chance, MESSAGE_NAME_BYTES_MAX));
    entry.name = bytes_of(VALUES + 7, (size_t)random_up_to(chance, MESSAGE_NAME_BYTES_MAX));
    return entry;
}

static bool same_bytes(struct bytes a, struct bytes b)
{
    return (a.data == NULL) == (b.data == NULL) && bytes_equal(a, b);
}

static bool same_entry(const struct journal_entry *a, const struct journal_entry *b)
{
    return a->kind == b->kind && id_equal(&a->id, &b->id) && id_equal(&a->owner, &b->owner) &&
           a->state == b->state && a->reason == b->reason && a->kept == b->kept &&
           a->attempt == b->attempt && a->token == b->token && a->backoff_ms == b->backoff_ms &&
           a->backoff_ms_max == b->backoff_ms_max && a->limit_ms == b->limit_ms &&
           a->soft_ms == b->soft_ms && a->stalled_ms == b->stalled_ms &&
           a->failures == b->failures && a->crashes == b->crashes && a->losses == b->losses &&
           a->attempts_max == b->attempts_max && a->crashes_max == b->crashes_max &&
           a->delay_ns == b->delay_ns && a->order == b->order && same_bytes(a->queue, b->queue) &&
           same_bytes(a->name, b->name) && same_bytes(a->payload, b->payload) &&
           same_bytes(a->result, b->result) && same_bytes(a->text, b->text);
}

/* On the heap and no longer than it is, for the sanitizer to watch its end. */
static struct bytes written(const struct journal_entry *entry)
{
    uint32_t size = entry_bytes(entry);
    uint8_t *data = malloc(size);
    assert_non_null(data);
    entry_write(entry, data, size);
    return bytes_of(data, size);
}

static void every_entry_comes_back_as_it_was(void **state)
{
    (void)state;
    uint64_t chance = 1;
    for (size_t i = 0; i < VALUE_BYTES_MAX; i++) VALUES[i] = (uint8_t)random_next(&chance);
    for (int round = 0; round < 5000; round++) {
        struct journal_entry entry = entry_by_chance(KINDS[round % KIND_COUNT], &chance), back;
        struct bytes bytes = written(&entry);
        assert_true(entry_read((uint8_t)entry.kind, bytes, &back));
        assert_true(same_entry(&entry, &back));
        free((void *)(uintptr_t)bytes.data);
    }
}

static void fields_that_a_kind_has_not_are_not_written(void **state)
{
    (void)state;
    uint64_t chance = 2;
    for (int round = 0; round < 1000; round++) {
        enum journal_entry_kind kind = KINDS[round % KIND_COUNT];
        struct journal_entry full = entry_by_chance(JOURNAL_TASK, &chance), back;
        full.kind = kind;
        struct bytes bytes = written(&full);
        assert_true(entry_read((uint8_t)kind, bytes, &back));
        assert_true(id_equal(&full.id, &back.id));
        if (kind != JOURNAL_TASK) {
            assert_null(back.payload.data);
            assert_null(back.name.data);
            assert_null(back.queue.data);
        }
        if (kind == JOURNAL_CHANGED) assert_null(back.result.data);
        free((void *)(uintptr_t)bytes.data);
    }
}

static void what_is_too_short_or_too_long_is_no_entry(void **state)
{
    (void)state;
    uint64_t chance = 3;
    for (int round = 0; round < 100; round++) {
        struct journal_entry entry = entry_by_chance(KINDS[round % KIND_COUNT], &chance), back;
        struct bytes bytes = written(&entry);
        for (uint32_t size = 0; size < bytes.size; size += size < 200 ? 1 : 97) {
            uint8_t *cut = malloc(size + 1U);
            assert_non_null(cut);
            memcpy(cut, bytes.data, size);
            assert_false(entry_read((uint8_t)entry.kind, bytes_of(cut, size), &back));
            free(cut);
        }
        uint8_t *longer = calloc(1, bytes.size + 1U);
        assert_non_null(longer);
        memcpy(longer, bytes.data, bytes.size);
        assert_false(entry_read((uint8_t)entry.kind, bytes_of(longer, bytes.size + 1U), &back));
        free(longer);
        free((void *)(uintptr_t)bytes.data);
    }
}

static void unknown_kinds_states_and_values_are_refused(void **state)
{
    (void)state;
    uint64_t chance = 4;
    struct journal_entry entry = entry_by_chance(JOURNAL_CHANGED, &chance), back;
    entry.text = (struct bytes){0};
    struct bytes bytes = written(&entry);
    uint8_t *data = (uint8_t *)(uintptr_t)bytes.data;
    assert_true(entry_read(JOURNAL_CHANGED, bytes, &back));
    for (int type = 0; type < 256; type++)
        if (type < JOURNAL_TASK || type > JOURNAL_GIVEN_UP)
            assert_false(entry_read((uint8_t)type, bytes, &back));
    uint8_t before = data[bytes.size - 4];
    data[bytes.size - 4] = TASK_NONE;
    assert_false(entry_read(JOURNAL_CHANGED, bytes, &back));
    data[bytes.size - 4] = TASK_EXPIRED + 1;
    assert_false(entry_read(JOURNAL_CHANGED, bytes, &back));
    data[bytes.size - 4] = before;
    data[bytes.size - 1] = 1; /* a payload, which a change has not */
    assert_false(entry_read(JOURNAL_CHANGED, bytes, &back));
    assert_false(entry_is_later(JOURNAL_CHANGED, bytes));
    data[bytes.size - 1] = 16; /* a place in line, likewise */
    assert_false(entry_read(JOURNAL_CHANGED, bytes, &back));
    assert_false(entry_is_later(JOURNAL_CHANGED, bytes));
    data[bytes.size - 1] = 32; /* what nothing has yet */
    assert_false(entry_read(JOURNAL_CHANGED, bytes, &back));
    assert_true(entry_is_later(JOURNAL_CHANGED, bytes));
    assert_false(entry_is_later(JOURNAL_CHANGED, bytes_of(data, bytes.size - 1)));
    assert_false(entry_is_later(JOURNAL_LEASED, bytes));
    free(data);
}

static void any_bytes_are_read_without_harm(void **state)
{
    (void)state;
    uint64_t chance = 5;
    for (int round = 0; round < 20000; round++) {
        size_t size = (size_t)random_up_to(&chance, 200);
        uint8_t *data = malloc(size + 1);
        assert_non_null(data);
        for (size_t i = 0; i < size; i++)
            data[i] = (uint8_t)(random_next(&chance) >> (random_up_to(&chance, 1) * 61));
        struct journal_entry entry;
        uint8_t type = (uint8_t)random_up_to(&chance, 6);
        if (entry_read(type, bytes_of(data, size), &entry))
            assert_int_equal(entry_bytes(&entry), size);
        free(data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_entry_comes_back_as_it_was),
        cmocka_unit_test(fields_that_a_kind_has_not_are_not_written),
        cmocka_unit_test(what_is_too_short_or_too_long_is_no_entry),
        cmocka_unit_test(unknown_kinds_states_and_values_are_refused),
        cmocka_unit_test(any_bytes_are_read_without_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
