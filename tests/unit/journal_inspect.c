/* journal_inspect.c - what is left of a damaged journal: every record that was not hit,
 * and a word for everything that was.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/core/random.h"
#include "../../src/journal/inspect.h"
#include "journal_rig.h"

#include <stdlib.h>

enum { RECORDS = 600 };

/* Where each record is, and whether it was met. */
struct seen {
    uint64_t segment[RECORDS + 1], offset[RECORDS + 1];
    bool met[RECORDS + 1];
    uint64_t count, last;
};

static struct platter *whole;
static struct seen places;

static bool see(const struct inspected_record *record, void *context)
{
    struct seen *seen = context;
    uint8_t expected[RIG_RECORD_BYTES_MAX];
    assert_in_range(record->lsn, 1, RECORDS);
    assert_true(record->lsn > seen->last);
    rig_fill(record->lsn, expected);
    assert_int_equal(record->type, rig_type(record->lsn));
    assert_int_equal(record->bytes.size, rig_bytes(record->lsn));
    if (record->bytes.size > 0)
        assert_memory_equal(record->bytes.data, expected, record->bytes.size);
    seen->segment[record->lsn] = record->segment;
    seen->offset[record->lsn] = record->offset;
    seen->met[record->lsn] = true;
    seen->last = record->lsn;
    seen->count++;
    return true;
}

static void look(const struct platter *disk, struct seen *seen, struct inspection *inspection)
{
    struct inspect_options options = {.disk = platter_disk(disk), .record = see, .context = seen};
    struct journal_fault fault;
    *seen = (struct seen){0};
    if (inspect(&options, inspection, &fault) != JOURNAL_OK) fail_msg("%s", fault.text);
    assert_int_equal(inspection->records, seen->count);
    assert_int_equal(platter_open_files(disk), 0);
}

static int set_up(void **state)
{
    (void)state;
    struct inspection inspection;
    whole = rig_written(RECORDS, 10);
    look(whole, &places, &inspection);
    assert_int_equal(inspection.finding_count, 0);
    assert_int_equal(places.count, RECORDS);
    inspection_free(&inspection);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    platter_destroy(&whole);
    return 0;
}

static bool is_hit(uint64_t lsn, uint64_t segment, uint64_t from, uint64_t to)
{
    uint64_t begin = places.offset[lsn], end = begin + record_bytes(rig_bytes(lsn));
    return places.segment[lsn] == segment && begin < to && from < end;
}

/* Bytes of one segment are spoilt: exactly the records there are missing, each is
 * within what a finding says, and the findings add up. */
static void check_spoilt(struct platter *disk, uint64_t segment, uint64_t from, uint64_t to)
{
    struct inspection inspection;
    struct seen seen;
    look(disk, &seen, &inspection);
    uint64_t missing = 0;
    for (uint64_t lsn = 1; lsn <= RECORDS; lsn++) {
        bool hit = is_hit(lsn, segment, from, to);
        if (seen.met[lsn] == hit)
            fail_msg("record %llu, segment %llu, %llu to %llu", (unsigned long long)lsn,
                     (unsigned long long)segment, (unsigned long long)from, (unsigned long long)to);
        missing += hit;
        bool told = false;
        for (size_t i = 0; i < inspection.finding_count; i++) {
            const struct finding *finding = &inspection.findings[i];
            told = told || (finding->lsn_first <= lsn && lsn <= finding->lsn_last);
        }
        assert_int_equal(told, hit);
    }
    assert_int_equal(inspection.missing, missing);
    inspection_free(&inspection);
}

static void a_flipped_bit_costs_the_record_that_it_is_in(void **state)
{
    (void)state;
    uint64_t chance = 3;
    for (int round = 0; round < 300; round++) {
        struct platter *disk = platter_copy(whole, 1);
        uint64_t lsn = random_up_to(&chance, RECORDS - 11) + 1, size;
        uint64_t at = places.offset[lsn] + random_up_to(&chance, record_bytes(rig_bytes(lsn)) - 1);
        platter_bytes(disk, rig_name(places.segment[lsn]), &size)[at] ^=
            (uint8_t)(1U << random_up_to(&chance, 7));
        check_spoilt(disk, places.segment[lsn], at, at + 1);
        platter_destroy(&disk);
    }
}

static void a_spoilt_stretch_costs_the_records_that_it_touches(void **state)
{
    (void)state;
    uint64_t chance = 4;
    for (int round = 0; round < 200; round++) {
        struct platter *disk = platter_copy(whole, 1);
        uint64_t lsn = random_up_to(&chance, RECORDS - 200) + 1, size;
        uint64_t from = places.offset[lsn] + random_up_to(&chance, 40);
        uint8_t *bytes = platter_bytes(disk, rig_name(places.segment[lsn]), &size);
        uint64_t to = from + 1 + random_up_to(&chance, 2000);
        if (to > size) to = size;
        for (uint64_t at = from; at < to; at++) bytes[at] = (uint8_t)random_next(&chance);
        check_spoilt(disk, places.segment[lsn], from, to);
        platter_destroy(&disk);
    }
}

static void a_lost_header_costs_no_record(void **state)
{
    (void)state;
    for (uint64_t segment = 1; segment <= 4; segment++) {
        struct platter *disk = platter_copy(whole, 1);
        struct inspection inspection;
        struct seen seen;
        uint64_t size;
        memset(platter_bytes(disk, rig_name(segment), &size), 0, SEGMENT_DATA_AT);
        look(disk, &seen, &inspection);
        assert_int_equal(seen.count, RECORDS);
        assert_int_equal(inspection.finding_count, 1);
        assert_int_equal(inspection.findings[0].kind, FINDING_HEADER);
        assert_true(inspection.findings[0].damage);
        inspection_free(&inspection);
        platter_destroy(&disk);
    }
}

static void a_missing_segment_costs_its_records_and_is_named(void **state)
{
    (void)state;
    for (uint64_t segment = 1; segment <= 5; segment++) {
        struct platter *disk = platter_copy(whole, 1);
        struct inspection inspection;
        struct seen seen;
        char text[256];
        uint64_t kept = 0;
        for (uint64_t lsn = 1; lsn <= RECORDS; lsn++) kept += places.segment[lsn] != segment;
        platter_delete(disk, rig_name(segment));
        look(disk, &seen, &inspection);
        assert_int_equal(seen.count, kept);
        assert_int_equal(inspection.finding_count, 1);
        assert_int_equal(inspection.findings[0].kind, FINDING_MISSING);
        assert_int_equal(inspection.findings[0].segment, segment);
        finding_text(&inspection.findings[0], text, sizeof text);
        assert_non_null(strstr(text, "it is missing"));
        /* Of the first one nobody knows where it began. */
        if (segment > 1) assert_int_equal(inspection.missing, RECORDS - kept);
        inspection_free(&inspection);
        platter_destroy(&disk);
    }
}

static void a_copy_in_the_place_of_another_segment_takes_no_others_with_it(void **state)
{
    (void)state;
    for (uint64_t from = 1; from <= 4; from++) {
        for (uint64_t to = 1; to <= 4; to++) {
            if (from == to) continue;
            struct platter *disk = platter_copy(whole, 1);
            struct inspection inspection;
            struct seen seen;
            uint64_t size, kept = 0;
            uint8_t *bytes = platter_bytes(disk, rig_name(from), &size);
            uint8_t *copy = malloc(size);
            assert_non_null(copy);
            memcpy(copy, bytes, size);
            platter_put(disk, rig_name(to), copy, size);
            for (uint64_t lsn = 1; lsn <= RECORDS; lsn++) kept += places.segment[lsn] != to;
            look(disk, &seen, &inspection);
            assert_int_equal(seen.count, kept);
            assert_true(inspection.finding_count > 0);
            inspection_free(&inspection);
            free(copy);
            platter_destroy(&disk);
        }
    }
}

static void a_torn_tail_is_no_damage(void **state)
{
    (void)state;
    struct platter *disk = platter_new(1);
    struct journal_options options = rig_options(disk);
    struct rig_past past;
    struct journal *journal = rig_start(&options, &past);
    rig_append(journal, 10);
    rig_commit(journal);
    rig_append(journal, 10);
    rig_commit(journal);
    journal_close(&journal);
    struct inspection inspection;
    struct seen seen;
    look(disk, &seen, &inspection);
    uint64_t size;
    uint8_t *bytes = platter_bytes(disk, rig_name(1), &size);
    bytes[seen.offset[15] + 2] ^= 1;
    inspection_free(&inspection);
    look(disk, &seen, &inspection);
    assert_int_equal(seen.count, 19);
    assert_int_equal(inspection.finding_count, 1);
    assert_false(inspection.findings[0].damage);
    inspection_free(&inspection);
    /* The same in what the second commit saw synced. */
    bytes[seen.offset[5] + 2] ^= 1;
    look(disk, &seen, &inspection);
    assert_int_equal(inspection.finding_count, 2);
    assert_true(inspection.findings[0].damage);
    assert_false(inspection.findings[1].damage);
    inspection_free(&inspection);
    platter_destroy(&disk);
}

/* Check must not call sound what a ventilator refuses, or the other way round. */
static void inspection_and_journal_agree_on_what_is_damage(void **state)
{
    (void)state;
    uint64_t chance = 6;
    int damaged = 0;
    for (int round = 0; round < 500; round++) {
        struct platter *disk = platter_copy(whole, 1);
        struct inspection inspection;
        struct seen seen;
        uint64_t segment = random_up_to(&chance, 5) + 1, size;
        uint8_t *bytes = platter_bytes(disk, rig_name(segment), &size);
        bytes[random_up_to(&chance, size - 1)] ^= (uint8_t)(1U << random_up_to(&chance, 7));
        look(disk, &seen, &inspection);
        bool damage = false;
        for (size_t i = 0; i < inspection.finding_count; i++)
            damage = damage || inspection.findings[i].damage;
        struct rig_past past = rig_look(disk);
        assert_int_equal(past.error == JOURNAL_DAMAGED, damage);
        damaged += damage;
        inspection_free(&inspection);
        platter_destroy(&disk);
    }
    assert_in_range(damaged, 100, 400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flipped_bit_costs_the_record_that_it_is_in),
        cmocka_unit_test(a_spoilt_stretch_costs_the_records_that_it_touches),
        cmocka_unit_test(a_lost_header_costs_no_record),
        cmocka_unit_test(a_missing_segment_costs_its_records_and_is_named),
        cmocka_unit_test(a_copy_in_the_place_of_another_segment_takes_no_others_with_it),
        cmocka_unit_test(a_torn_tail_is_no_damage),
        cmocka_unit_test(inspection_and_journal_agree_on_what_is_damage),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
