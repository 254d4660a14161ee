/* journal_damage.c - flipped bits, and files that are missing, empty, doubled,
 * somebody else's or from the future: refused by name, never read over.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/core/random.h"
#include "../../src/journal/segment.h"
#include "journal_rig.h"

#include <stdlib.h>

enum { RECORDS = 1000 };

static struct platter *whole;

static int set_up(void **state)
{
    (void)state;
    whole = rig_written(RECORDS, 10);
    struct rig_past past = rig_look(whole);
    return past.error == JOURNAL_END && past.count == RECORDS ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    platter_destroy(&whole);
    return 0;
}

/* How many segments there are, the spare among them. */
static uint64_t segments(struct platter *disk)
{
    uint64_t count = 0, size;
    while (platter_bytes(disk, rig_name(count + 1), &size) != NULL) count++;
    return count;
}

static void expect_damage(const struct platter *disk, const char *text)
{
    struct rig_past past = rig_look(disk);
    if (past.error != JOURNAL_DAMAGED) fail_msg("not damaged: %d %s", past.error, past.fault.text);
    if (strstr(past.fault.text, text) == NULL)
        fail_msg("'%s' is not in: %s", text, past.fault.text);
    assert_non_null(strstr(past.fault.text, "tmesh journal salvage DIR"));
}

static void expect_all(struct platter *disk)
{
    struct journal_options options = rig_options(disk);
    struct rig_past past;
    struct journal *journal = rig_start(&options, &past);
    if (journal == NULL) fail_msg("%s", past.fault.text);
    assert_int_equal(past.count, RECORDS);
    rig_append(journal, 300);
    assert_int_equal(rig_commit(journal), RECORDS + 300);
    rig_tend(journal);
    journal_close(&journal);
    assert_int_equal(rig_look(disk).count, RECORDS + 300);
}

/* ---- flips ---- */

struct tally {
    int damaged, torn, unused;
};

/* Whether a byte of a segment means something: headers, and what was written. */
static bool means_something(const uint8_t *bytes, uint64_t size, uint64_t at)
{
    uint64_t end = size;
    while (end > SEGMENT_DATA_AT && bytes[end - 1] == 0) end--;
    return at < SEGMENT_HEADER_BYTES || (at >= SEGMENT_DATA_AT && at < end) ||
           (at >= SEGMENT_COPY_AT && at < SEGMENT_COPY_AT + SEGMENT_HEADER_BYTES);
}

enum where { ANYWHERE, WHERE_IT_MATTERS };

static void flip_in(struct platter *disk, enum where where, uint64_t *chance)
{
    for (;;) {
        uint64_t last = segments(disk) - (where == WHERE_IT_MATTERS), size;
        uint8_t *bytes = platter_bytes(disk, rig_name(1 + random_up_to(chance, last - 1)), &size);
        uint64_t bit = random_up_to(chance, size * 8 - 1);
        if (where == WHERE_IT_MATTERS && !means_something(bytes, size, bit / 8)) continue;
        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        return;
    }
}

/* One bit.  All that may be missing then is `open` records at the end, and only of
 * a journal that says it was torn. */
static void flip_one(const struct platter *from, uint64_t open, enum where where, uint64_t *chance,
                     struct tally *tally)
{
    struct platter *disk = platter_copy(from, 1);
    flip_in(disk, where, chance);
    struct rig_past past = rig_look(disk);
    if (past.error == JOURNAL_DAMAGED) {
        tally->damaged++;
    } else if (past.error != JOURNAL_END) {
        fail_msg("%s", past.fault.text);
    } else if (past.torn.bytes > 0) {
        tally->torn++;
        assert_true(past.count >= RECORDS - open);
    } else {
        tally->unused++;
        assert_int_equal(past.count, RECORDS);
    }
    platter_destroy(&disk);
}

static void tell(const char *name, int seed, const struct tally *tally)
{
    print_message("TEST %s seed=%d flips=1000 damaged=%d torn=%d unused=%d silent=0\n", name, seed,
                  tally->damaged, tally->torn, tally->unused);
}

static void none_of_1000_flips_is_accepted_silently(void **state)
{
    (void)state;
    uint64_t chance = 18;
    struct tally tally = {0};
    for (int i = 0; i < 1000; i++) flip_one(whole, 0, WHERE_IT_MATTERS, &chance, &tally);
    tell("flips", 18, &tally);
    assert_int_equal(tally.unused, 0);
    assert_true(tally.damaged > 990); /* all but those of the last mark, which nothing follows */
}

static void flips_of_unused_bytes_lose_nothing(void **state)
{
    (void)state;
    uint64_t chance = 20;
    struct tally tally = {0};
    for (int i = 0; i < 1000; i++) flip_one(whole, 0, ANYWHERE, &chance, &tally);
    tell("flips_anywhere", 20, &tally);
    assert_true(tally.unused > 100);
}

/* Without the mark of a rest it cannot be known of the last commit, and of it
 * alone, whether it was ever whole. */
static void without_a_mark_only_the_last_commit_is_in_doubt(void **state)
{
    (void)state;
    uint64_t chance = 19;
    struct tally tally = {0};
    struct platter *disk = platter_new(1);
    struct journal_options options = rig_options(disk);
    struct rig_past past;
    struct journal *journal = rig_start(&options, &past);
    for (int i = 0; i < RECORDS / 10; i++) {
        rig_append(journal, 10);
        rig_commit(journal);
        rig_tend(journal);
    }
    journal_close(&journal);
    for (int i = 0; i < 1000; i++) flip_one(disk, 10, WHERE_IT_MATTERS, &chance, &tally);
    tell("flips_unmarked", 19, &tally);
    assert_int_equal(tally.unused, 0);
    platter_destroy(&disk);
}

/* Every bit of a header, of its copy, and of the opening. */
static void every_bit_of_a_header_counts(void **state)
{
    (void)state;
    static const uint64_t froms[] = {0, SEGMENT_COPY_AT, SEGMENT_DATA_AT};
    for (uint64_t number = 1; number <= 3; number++) {
        for (size_t f = 0; f < 3; f++) {
            uint64_t bytes = f < 2 ? SEGMENT_HEADER_BYTES : CONTROL_BYTES;
            for (uint64_t bit = 0; bit < bytes * 8; bit += 5) {
                struct platter *disk = platter_copy(whole, 1);
                uint64_t size;
                platter_bytes(disk, rig_name(number), &size)[froms[f] + bit / 8] ^=
                    (uint8_t)(1U << bit % 8);
                expect_damage(disk, rig_name(number));
                platter_destroy(&disk);
            }
        }
    }
}

/* ---- files ---- */

static void a_missing_segment_is_named(void **state)
{
    (void)state;
    uint64_t count = segments(whole);
    assert_true(count >= 6);
    for (uint64_t number = 1; number < count; number++) {
        struct platter *disk = platter_copy(whole, 1);
        platter_delete(disk, rig_name(number));
        expect_damage(disk, rig_name(number));
        platter_destroy(&disk);
    }
}

static void a_log_whose_end_is_missing_is_no_shorter_log(void **state)
{
    (void)state;
    uint64_t count = segments(whole);
    for (uint64_t keep = 1; keep + 2 <= count; keep++) {
        struct platter *disk = platter_copy(whole, 1);
        for (uint64_t number = keep + 1; number <= count; number++)
            platter_delete(disk, rig_name(number));
        expect_damage(disk, rig_name(keep + 1));
        platter_destroy(&disk);
    }
}

static void a_missing_spare_is_made_again(void **state)
{
    (void)state;
    struct platter *disk = platter_copy(whole, 1);
    platter_delete(disk, rig_name(segments(disk)));
    expect_all(disk);
    platter_destroy(&disk);
}

static void an_empty_or_unreadable_spare_is_made_again(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {0, 1, 64, 4096, 5000, 8192, 9000};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        struct platter *disk = platter_copy(whole, 1);
        platter_resize(disk, rig_name(segments(disk)), sizes[s]);
        expect_all(disk);
        platter_destroy(&disk);
    }
    struct platter *disk = platter_copy(whole, 1);
    uint64_t size;
    platter_bytes(disk, rig_name(segments(disk)), &size)[9999] = 1;
    expect_all(disk);
    platter_destroy(&disk);
}

static void an_empty_or_short_segment_is_damage(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {0, 1, 63, 64, 4100, 8192, 8200, 12000};
    for (uint64_t number = 1; number <= 3; number++) {
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            struct platter *disk = platter_copy(whole, 1);
            platter_resize(disk, rig_name(number), sizes[s]);
            expect_damage(disk, rig_name(number));
            platter_destroy(&disk);
        }
    }
}

static void a_lone_file_without_a_header_is_no_new_journal(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {0, 100, RIG_SEGMENT_BYTES};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        struct platter *disk = platter_new(1);
        uint8_t *zeros = calloc(1, RIG_SEGMENT_BYTES);
        assert_non_null(zeros);
        platter_put(disk, rig_name(1), zeros, sizes[s]);
        free(zeros);
        expect_damage(disk, "journal-0000000001");
        platter_destroy(&disk);
    }
}

static void a_copy_in_the_place_of_another_segment_is_found_out(void **state)
{
    (void)state;
    for (uint64_t from = 1; from <= 4; from++) {
        for (uint64_t to = 1; to <= 4; to++) {
            if (from == to) continue;
            struct platter *disk = platter_copy(whole, 1);
            uint64_t size;
            uint8_t *bytes = platter_bytes(disk, rig_name(from), &size);
            uint8_t *copy = malloc(size);
            assert_non_null(copy);
            memcpy(copy, bytes, size);
            platter_put(disk, rig_name(to), copy, size);
            expect_damage(disk, rig_name(to));
            free(copy);
            platter_destroy(&disk);
        }
    }
}

static void a_copy_at_the_end_does_not_go_on_with_the_log(void **state)
{
    (void)state;
    struct platter *disk = platter_copy(whole, 1);
    uint64_t count = segments(disk), size;
    uint8_t *bytes = platter_bytes(disk, rig_name(1), &size);
    uint8_t *copy = malloc(size);
    assert_non_null(copy);
    memcpy(copy, bytes, size);
    platter_put(disk, rig_name(count), copy, size);
    expect_damage(disk, "journal-");
    free(copy);
    platter_destroy(&disk);
}

static void a_segment_of_another_journal_is_found_out(void **state)
{
    (void)state;
    struct platter *disk = platter_copy(whole, 1);
    uint64_t size;
    uint8_t *bytes = platter_bytes(disk, rig_name(3), &size);
    struct segment_header header;
    assert_int_equal(segment_header_read(bytes, &header), SEGMENT_GOOD);
    header.epoch += 1000;
    segment_header_write(&header, bytes);
    segment_header_write(&header, bytes + SEGMENT_COPY_AT);
    expect_damage(disk, "belongs to another journal");
    platter_destroy(&disk);
}

static void files_that_are_none_of_ours_are_left_alone(void **state)
{
    (void)state;
    struct platter *disk = platter_copy(whole, 1);
    static const char *const names[] = {"README",
                                        "journal-1",
                                        "journal-0000000001.bak",
                                        "journal-00000000011",
                                        "journal-000000000x",
                                        "Journal-0000000001",
                                        "journal-0000000000",
                                        "journal-0000000099.new"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        platter_put(disk, names[i], "mine", 4);
    expect_all(disk);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        uint64_t size;
        assert_non_null(platter_bytes(disk, names[i], &size));
        assert_int_equal(size, 4);
    }
    platter_destroy(&disk);
}

static void what_a_crash_left_of_a_spare_is_replaced(void **state)
{
    (void)state;
    struct platter *disk = platter_copy(whole, 1);
    char name[SEGMENT_NAME_BYTES];
    platter_delete(disk, rig_name(segments(disk)));
    segment_name(segments(disk) + 1, ".new", name);
    platter_put(disk, name, "unfinished", 10);
    expect_all(disk);
    uint64_t size;
    assert_null(platter_bytes(disk, name, &size));
    platter_destroy(&disk);
}

static void segments_that_a_release_left_may_be_there_or_not(void **state)
{
    (void)state;
    struct platter *disk = platter_copy(whole, 1), *before;
    struct journal_options options = rig_options(disk);
    struct rig_past past;
    struct journal *journal = rig_start(&options, &past);
    journal_release(journal, 500);
    rig_commit(journal);
    rig_tend(journal);
    journal_close(&journal);
    past = rig_look(disk);
    assert_int_equal(past.error, JOURNAL_END);
    assert_true(past.first > 1 && past.first <= 500);
    uint64_t size, oldest = 1;
    while (platter_bytes(disk, rig_name(oldest), &size) == NULL) oldest++;
    assert_true(oldest > 2);
    /* As a crash in the middle of the removals leaves it. */
    before = platter_copy(disk, 1);
    uint8_t *bytes = platter_bytes(whole, rig_name(oldest - 1), &size);
    platter_put(before, rig_name(oldest - 1), bytes, size);
    assert_int_equal(rig_look(before).error, JOURNAL_END);
    assert_true(rig_look(before).first < past.first);
    /* What nobody released. */
    platter_delete(disk, rig_name(oldest));
    expect_damage(disk, rig_name(oldest));
    platter_destroy(&before);
    platter_destroy(&disk);
}

/* ---- not ours ---- */

static void a_second_journal_is_kept_out(void **state)
{
    (void)state;
    struct platter *disk = platter_copy(whole, 1);
    struct journal_options options = rig_options(disk);
    struct rig_past past, second;
    struct journal *journal = rig_start(&options, &past);
    assert_null(rig_read(&options, &second));
    assert_int_equal(second.error, JOURNAL_LOCKED);
    journal_close(&journal);
    journal = rig_read(&options, &second);
    assert_non_null(journal);
    journal_close(&journal);
    platter_destroy(&disk);
}

static void a_journal_of_another_use_is_refused(void **state)
{
    (void)state;
    struct platter *disk = platter_copy(whole, 1);
    struct journal_options options = rig_options(disk);
    struct rig_past past;
    options.use = JOURNAL_USE_SPOOL;
    assert_null(rig_read(&options, &past));
    assert_int_equal(past.error, JOURNAL_FOREIGN);
    assert_int_equal(platter_open_files(disk), 0);
    platter_destroy(&disk);
}

static void an_old_journal_keeps_its_node_and_its_secret(void **state)
{
    (void)state;
    struct platter *disk = platter_copy(whole, 1);
    struct journal_options options = rig_options(disk);
    struct id first = options.node;
    struct rig_past past;
    options.node.octets[0] = 99;
    options.secret = 12345;
    struct journal *journal = rig_start(&options, &past);
    assert_non_null(journal);
    struct id node = journal_node(journal);
    assert_true(id_equal(&node, &first));
    journal_close(&journal);
    expect_all(disk);
    platter_destroy(&disk);
}

static void a_later_version_is_refused_and_left_alone(void **state)
{
    (void)state;
    uint64_t count = segments(whole);
    for (uint64_t number = 1; number <= count; number++) {
        struct platter *disk = platter_copy(whole, 1);
        uint64_t size;
        uint8_t *bytes = platter_bytes(disk, rig_name(number), &size);
        struct segment_header header;
        assert_int_equal(segment_header_read(bytes, &header), SEGMENT_GOOD);
        header.version = SEGMENT_VERSION + 1;
        segment_header_write(&header, bytes);
        struct rig_past past = rig_look(disk);
        assert_int_equal(past.error, JOURNAL_VERSION);
        assert_non_null(strstr(past.fault.text, "version 2"));
        platter_destroy(&disk);
    }
}

static void an_interrupted_salvage_is_to_be_finished_first(void **state)
{
    (void)state;
    struct platter *disk = platter_copy(whole, 1);
    platter_put(disk, "salvage-ready", "", 0);
    expect_damage(disk, "a salvage was interrupted");
    platter_destroy(&disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(none_of_1000_flips_is_accepted_silently),
        cmocka_unit_test(flips_of_unused_bytes_lose_nothing),
        cmocka_unit_test(without_a_mark_only_the_last_commit_is_in_doubt),
        cmocka_unit_test(every_bit_of_a_header_counts),
        cmocka_unit_test(a_missing_segment_is_named),
        cmocka_unit_test(a_log_whose_end_is_missing_is_no_shorter_log),
        cmocka_unit_test(a_missing_spare_is_made_again),
        cmocka_unit_test(an_empty_or_unreadable_spare_is_made_again),
        cmocka_unit_test(an_empty_or_short_segment_is_damage),
        cmocka_unit_test(a_lone_file_without_a_header_is_no_new_journal),
        cmocka_unit_test(a_copy_in_the_place_of_another_segment_is_found_out),
        cmocka_unit_test(a_copy_at_the_end_does_not_go_on_with_the_log),
        cmocka_unit_test(a_segment_of_another_journal_is_found_out),
        cmocka_unit_test(files_that_are_none_of_ours_are_left_alone),
        cmocka_unit_test(what_a_crash_left_of_a_spare_is_replaced),
        cmocka_unit_test(segments_that_a_release_left_may_be_there_or_not),
        cmocka_unit_test(a_second_journal_is_kept_out),
        cmocka_unit_test(a_journal_of_another_use_is_refused),
        cmocka_unit_test(an_old_journal_keeps_its_node_and_its_secret),
        cmocka_unit_test(a_later_version_is_refused_and_left_alone),
        cmocka_unit_test(an_interrupted_salvage_is_to_be_finished_first),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
