/* journal_torn.c - a past that ends in the middle of something: everything before
 * comes back, nothing of it twice, and what was safe is never taken for torn.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/core/random.h"
#include "../../src/journal/reader.h"
#include "journal_rig.h"

#include <stdlib.h>

enum { SECRET = 0x5ec3e7 };

/* Where the records of the only segment begin; the last is where they end. */
struct places {
    uint64_t at[64];
    size_t count;
};

static void find_places(struct platter *disk, struct places *places)
{
    const struct disk *table = platter_disk(disk);
    struct reader reader = {0};
    struct reader_record record;
    uint64_t size;
    int file;
    places->count = 0;
    assert_int_equal(table->open(table->self, rig_name(1), &file), 0);
    assert_int_equal(table->size(table->self, file, &size), 0);
    reader_open(&reader, table, file, size, SECRET + 1);
    while (reader_next(&reader, &record) == READER_RECORD)
        if (record.header.type != CONTROL_TYPE) places->at[places->count++] = record.at;
    places->at[places->count] = reader.at;
    table->close(table->self, file);
    reader_free(&reader);
}

/* A journal of one segment whose last commit has `last` records and no mark behind. */
static struct platter *unmarked(uint64_t before, uint64_t last)
{
    struct platter *disk = platter_new(1);
    struct journal_options options = rig_options(disk);
    struct rig_past past;
    struct journal *journal = rig_start(&options, &past);
    assert_non_null(journal);
    rig_append(journal, before);
    rig_commit(journal);
    rig_append(journal, last);
    rig_commit(journal);
    journal_close(&journal);
    return disk;
}

/* Opens it for real, goes on in it, and sees that both are there. */
static void go_on(struct platter *disk, uint64_t expected)
{
    struct journal_options options = rig_options(disk);
    struct rig_past past;
    struct journal *journal = rig_start(&options, &past);
    if (journal == NULL) fail_msg("%s", past.fault.text);
    assert_int_equal(past.last, expected);
    rig_append(journal, 5);
    assert_int_equal(rig_commit(journal), expected + 5);
    journal_close(&journal);
    past = rig_look(disk);
    assert_int_equal(past.error, JOURNAL_END);
    assert_int_equal(past.last, expected + 5);
    assert_int_equal(past.torn.bytes, 0);
}

static uint64_t readable(const struct places *places, uint64_t cut)
{
    uint64_t count = 0;
    while (count < places->count && places->at[count + 1] <= cut) count++;
    return count;
}

/* Cuts at every byte of the last two records, in every way a cut can look. */
static void cut_everywhere(uint8_t filler, bool shortened)
{
    struct platter *whole = unmarked(10, 2);
    struct places places;
    find_places(whole, &places);
    assert_int_equal(places.count, 12);
    for (uint64_t cut = places.at[10]; cut <= places.at[12]; cut++) {
        struct platter *disk = platter_copy(whole, cut);
        uint64_t size;
        uint8_t *bytes = platter_bytes(disk, rig_name(1), &size);
        memset(bytes + cut, filler, (size_t)(places.at[12] - cut));
        if (shortened) platter_resize(disk, rig_name(1), cut);
        struct rig_past past = rig_look(disk);
        if (past.error != JOURNAL_END)
            fail_msg("cut at %llu: %s", (unsigned long long)cut, past.fault.text);
        assert_true(past.last >= readable(&places, cut));
        assert_true(past.last <= 12);
        uint64_t end = places.at[past.last];
        if (shortened) assert_int_equal(past.torn.bytes > 0, cut > end);
        go_on(disk, past.last);
        platter_destroy(&disk);
    }
    platter_destroy(&whole);
}

static void a_file_cut_at_any_byte_gives_everything_before(void **state)
{
    (void)state;
    cut_everywhere(0, true);
}

static void a_file_that_ends_in_zeros_gives_everything_before(void **state)
{
    (void)state;
    cut_everywhere(0, false);
}

static void a_file_that_ends_in_garbage_gives_everything_before(void **state)
{
    (void)state;
    cut_everywhere(0xa5, false);
}

static void a_torn_commit_is_told_with_its_numbers(void **state)
{
    (void)state;
    struct platter *disk = unmarked(10, 8);
    struct places places;
    find_places(disk, &places);
    uint64_t size;
    uint8_t *bytes = platter_bytes(disk, rig_name(1), &size);
    bytes[places.at[12] + 3] ^= 0x40; /* the header of record 13 */
    struct rig_past past = rig_look(disk);
    assert_int_equal(past.error, JOURNAL_END);
    assert_int_equal(past.last, 12);
    assert_int_equal(past.torn.segment, 1);
    assert_int_equal(past.torn.offset, places.at[12]);
    assert_int_equal(past.torn.lsn_first, 13);
    assert_int_equal(past.torn.lsn_last, 18);
    assert_true(past.torn.bytes > places.at[17] - places.at[12]);
    go_on(disk, 12);
    platter_destroy(&disk);
}

static void holes_in_the_last_commit_are_torn_and_never_met_again(void **state)
{
    (void)state;
    struct platter *whole = unmarked(10, 20);
    struct places places;
    find_places(whole, &places);
    for (size_t hole = 10; hole < 30; hole++) {
        struct platter *disk = platter_copy(whole, hole);
        uint64_t size;
        uint8_t *bytes = platter_bytes(disk, rig_name(1), &size);
        memset(bytes + places.at[hole], 0, (size_t)(places.at[hole + 1] - places.at[hole]));
        assert_int_equal(rig_look(disk).last, hole);
        /* New records in the place of the old ones, whose rest must be gone. */
        for (int round = 0; round < 4; round++) go_on(disk, hole + (uint64_t)round * 5);
        platter_destroy(&disk);
    }
    platter_destroy(&whole);
}

static void damage_of_what_a_later_commit_saw_synced_is_no_torn_tail(void **state)
{
    (void)state;
    struct platter *whole = unmarked(10, 1);
    struct places places;
    find_places(whole, &places);
    for (uint64_t at = places.at[0]; at < places.at[10]; at++) {
        struct platter *disk = platter_copy(whole, at);
        uint64_t size;
        uint8_t *bytes = platter_bytes(disk, rig_name(1), &size);
        bytes[at] ^= (uint8_t)(1U << at % 8);
        struct rig_past past = rig_look(disk);
        assert_int_equal(past.error, JOURNAL_DAMAGED);
        assert_non_null(strstr(past.fault.text, "journal-0000000001 is damaged at byte "));
        assert_non_null(strstr(past.fault.text, "tmesh journal salvage DIR"));
        platter_destroy(&disk);
    }
    platter_destroy(&whole);
}

static void the_numbers_that_are_lost_are_named(void **state)
{
    (void)state;
    struct platter *disk = unmarked(10, 1);
    struct places places;
    find_places(disk, &places);
    uint64_t size;
    uint8_t *bytes = platter_bytes(disk, rig_name(1), &size);
    memset(bytes + places.at[3], 0xff, (size_t)(places.at[6] - places.at[3]));
    struct rig_past past = rig_look(disk);
    assert_int_equal(past.error, JOURNAL_DAMAGED);
    assert_non_null(strstr(past.fault.text, "records 4 to 6 cannot be read"));
    platter_destroy(&disk);
}

/* The last commit was synced, and nothing was written behind it since. */
static void after_a_rest_even_the_last_commit_is_known_to_be_safe(void **state)
{
    (void)state;
    struct platter *whole = rig_written(10, 5);
    struct places places;
    find_places(whole, &places);
    for (uint64_t at = places.at[0]; at < places.at[9]; at++) {
        struct platter *disk = platter_copy(whole, at);
        uint64_t size;
        platter_bytes(disk, rig_name(1), &size)[at] ^= 0x10;
        assert_int_equal(rig_look(disk).error, JOURNAL_DAMAGED);
        platter_destroy(&disk);
    }
    platter_destroy(&whole);
}

static void a_torn_mark_takes_nothing_with_it(void **state)
{
    (void)state;
    struct platter *whole = rig_written(10, 5);
    struct places places;
    find_places(whole, &places);
    uint64_t mark = places.at[10] - CONTROL_BYTES;
    for (uint64_t at = mark; at < places.at[10]; at++) {
        struct platter *disk = platter_copy(whole, at);
        uint64_t size;
        platter_bytes(disk, rig_name(1), &size)[at] ^= 0x10;
        struct rig_past past = rig_look(disk);
        assert_int_equal(past.error, JOURNAL_END);
        assert_int_equal(past.last, 10);
        assert_true(past.torn.bytes > 0);
        assert_int_equal(past.torn.lsn_first, 0);
        go_on(disk, 10);
        platter_destroy(&disk);
    }
    platter_destroy(&whole);
}

static void a_payload_cannot_pass_for_a_record(void **state)
{
    (void)state;
    struct platter *disk = platter_new(1);
    struct journal_options options = rig_options(disk);
    struct rig_past past;
    struct journal *journal = rig_start(&options, &past);
    rig_append(journal, 3);
    rig_commit(journal);
    /* A record that claims that record 4 was synced, in the body of record 4 and
     * of another journal's epoch: whoever sends payloads knows this one's not. */
    uint8_t forged[64] = {0};
    record_begin(forged, 1, 40);
    record_seal(forged, 0xbad, 6, 5);
    memcpy(journal_append(journal, 1, 64), forged, 64);
    rig_commit(journal);
    journal_close(&journal);
    uint64_t size;
    uint8_t *bytes = platter_bytes(disk, rig_name(1), &size);
    uint64_t last = size;
    while (bytes[last - 1] == 0) last--;
    bytes[last] = 1; /* a torn byte behind, and a hole where record 4 is */
    for (uint64_t at = SEGMENT_DATA_AT; at + 64 <= last; at += 8)
        if (memcmp(bytes + at, forged, 24) == 0) bytes[at - 1] ^= 1;
    past = rig_look(disk);
    assert_int_equal(past.error, JOURNAL_END);
    assert_int_equal(past.last, 3);
    platter_destroy(&disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_cut_at_any_byte_gives_everything_before),
        cmocka_unit_test(a_file_that_ends_in_zeros_gives_everything_before),
        cmocka_unit_test(a_file_that_ends_in_garbage_gives_everything_before),
        cmocka_unit_test(a_torn_commit_is_told_with_its_numbers),
        cmocka_unit_test(holes_in_the_last_commit_are_torn_and_never_met_again),
        cmocka_unit_test(damage_of_what_a_later_commit_saw_synced_is_no_torn_tail),
        cmocka_unit_test(the_numbers_that_are_lost_are_named),
        cmocka_unit_test(after_a_rest_even_the_last_commit_is_known_to_be_safe),
        cmocka_unit_test(a_torn_mark_takes_nothing_with_it),
        cmocka_unit_test(a_payload_cannot_pass_for_a_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
