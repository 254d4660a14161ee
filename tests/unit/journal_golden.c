/* journal_golden.c - the examples of FORMAT.md against what the journal writes, to the
 * byte, and against what it reads.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/journal/entry.h"
#include "../../src/journal/segment.h"
#include "golden.h"
#include "journal_rig.h"

/* The 16 octets of a task's id. */
#define TASK "\x01\x8f\x3c\x1e\x7b\x7a\x7c\x3e\x9a\x52\x5c\x1d\x2a\x3b\x4c\x5d"
#define TEXT(literal)                                                   \
    {                                                                   \
        .data = (const uint8_t *)(literal), .size = sizeof(literal) - 1 \
    }

static const struct id PRODUCER = {{0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99,
                                    0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}};
static const struct id VENTILATOR = {{0xff, 0xee, 0xdd, 0xcc, 0xbb, 0xaa, 0x99, 0x88, 0x77, 0x66,
                                      0x55, 0x44, 0x33, 0x22, 0x11, 0x00}};

/* One task's life, in five entries of one commit, and the beginning of another. */
static const struct journal_entry ENTRIES[] = {
    {.kind = JOURNAL_TASK,
     .id = {TASK},
     .owner = {{0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd,
                0xee, 0xff}},
     .state = TASK_READY,
     .attempts_max = 5,
     .queue = TEXT("default"),
     .name = TEXT("mail.send"),
     .payload = TEXT("hello")},
    {.kind = JOURNAL_LEASED, .id = {TASK}, .attempt = 1, .token = 0x8d3f9a2b5c6e7f10},
    {.kind = JOURNAL_CHANGED,
     .id = {TASK},
     .owner = {{0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd,
                0xee, 0xff}},
     .state = TASK_WAITING,
     .attempt = 1,
     .token = 0x8d3f9a2b5c6e7f10,
     .failures = 1,
     .attempts_max = 5,
     .delay_ns = 1500000000,
     .text = TEXT("no route")},
    {.kind = JOURNAL_DONE,
     .id = {TASK},
     .owner = {{0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd,
                0xee, 0xff}},
     .state = TASK_DONE,
     .kept = 1,
     .attempt = 2,
     .token = 0x8d3f9a2b5c6e7f11,
     .failures = 1,
     .attempts_max = 5,
     .result = TEXT("ok")},
    {.kind = JOURNAL_SETTLED, .id = {TASK}},
    {.kind = JOURNAL_TASK,
     .id = {TASK},
     .state = TASK_READY,
     .limit_ms = 60000,
     .soft_ms = 50000,
     .stalled_ms = 5000,
     .queue = TEXT("default"),
     .name = TEXT("mail.send"),
     .payload = TEXT("hello")},
    {.kind = JOURNAL_TASK,
     .id = {TASK},
     .state = TASK_READY,
     .order = 1,
     .queue = TEXT("default"),
     .name = TEXT("mail.send"),
     .payload = TEXT("hello")},
};
enum { ENTRY_COUNT = sizeof ENTRIES / sizeof *ENTRIES };

/* The blocks that stand behind each other from SEGMENT_DATA_AT on. */
static const char *const BLOCKS[] = {"opening", "TASK",   "LEASED", "CHANGED", "DONE",
                                     "SETTLED", "limits", "order",  "mark",    "seal"};
enum { BLOCK_COUNT = sizeof BLOCKS / sizeof *BLOCKS };

static struct goldens goldens;

static int set_up(void **state)
{
    (void)state;
    goldens_load_from(&goldens, "src/journal/FORMAT.md");
    return 0;
}

static struct bytes golden(const char *name)
{
    const struct golden *found = goldens_find(&goldens, name);
    if (found == NULL) fail_msg("FORMAT.md has no block %s", name);
    return golden_bytes(found);
}

static struct journal_options options_of(const struct platter *disk)
{
    return (struct journal_options){.disk = platter_disk(disk),
                                    .use = JOURNAL_USE_VENTILATOR,
                                    .node = VENTILATOR,
                                    .secret = 0x0123456789abcdef,
                                    .segment_bytes = RIG_SEGMENT_BYTES};
}

static struct journal *start(const struct platter *disk)
{
    struct journal_options options = options_of(disk);
    struct journal_fault fault;
    struct journal_record record;
    struct journal *journal;
    enum journal_error error = journal_open(&options, &journal, &fault);
    while (error == JOURNAL_OK) error = journal_next(journal, &record, &fault);
    if (error != JOURNAL_END) fail_msg("%s", fault.text);
    assert_int_equal(journal_start(journal, &fault), JOURNAL_OK);
    return journal;
}

/* The journal of the document: written, rested, closed, and opened again. */
static struct platter *write_example(void)
{
    struct platter *disk = platter_new(1);
    struct journal *journal = start(disk);
    struct journal_fault fault;
    for (size_t i = 0; i < ENTRY_COUNT; i++) {
        uint32_t bytes = entry_bytes(&ENTRIES[i]);
        entry_write(&ENTRIES[i], journal_append(journal, (uint8_t)ENTRIES[i].kind, bytes), bytes);
    }
    rig_commit(journal);
    assert_int_equal(journal_rest(journal, &fault), JOURNAL_OK);
    journal_close(&journal);
    journal = start(disk);
    journal_close(&journal);
    return disk;
}

static void expect_bytes(const char *name, const uint8_t *at, struct bytes expected)
{
    if (memcmp(at, expected.data, expected.size) == 0) return;
    print_error("%s, as written:\n", name);
    for (uint32_t i = 0; i < expected.size; i++)
        print_error("%02x%s", at[i], i % 8 == 7 ? "\n" : " ");
    fail_msg("%s differs", name);
}

static void what_is_written_is_what_the_document_shows(void **state)
{
    (void)state;
    struct platter *disk = write_example();
    uint64_t size, at = SEGMENT_DATA_AT;
    const uint8_t *bytes = platter_bytes(disk, rig_name(1), &size);
    struct bytes header = golden("header");
    assert_int_equal(header.size, SEGMENT_HEADER_BYTES);
    expect_bytes("header", bytes, header);
    expect_bytes("header", bytes + SEGMENT_COPY_AT, header);
    for (size_t i = 0; i < BLOCK_COUNT; i++) {
        struct bytes block = golden(BLOCKS[i]);
        assert_true(at + block.size <= size);
        expect_bytes(BLOCKS[i], bytes + at, block);
        at += block.size;
    }
    assert_int_equal(at, size);
    platter_destroy(&disk);
}

static void check_entry(const struct journal_record *record)
{
    struct journal_entry entry;
    const struct journal_entry *expected = &ENTRIES[record->lsn - 1];
    assert_true(entry_read(record->type, record->bytes, &entry));
    assert_int_equal(entry.kind, expected->kind);
    assert_true(id_equal(&entry.id, &expected->id));
    assert_true(id_equal(&entry.owner, &expected->owner));
    assert_int_equal(entry.state, expected->state);
    assert_int_equal(entry.kept, expected->kept);
    assert_int_equal(entry.attempt, expected->attempt);
    assert_int_equal(entry.token, expected->token);
    assert_int_equal(entry.failures, expected->failures);
    assert_int_equal(entry.attempts_max, expected->attempts_max);
    assert_int_equal(entry.delay_ns, expected->delay_ns);
    assert_int_equal(entry.limit_ms, expected->limit_ms);
    assert_int_equal(entry.soft_ms, expected->soft_ms);
    assert_int_equal(entry.stalled_ms, expected->stalled_ms);
    assert_int_equal(entry.order, expected->order);
    assert_true(bytes_equal(entry.queue, expected->queue));
    assert_true(bytes_equal(entry.name, expected->name));
    assert_true(bytes_equal(entry.payload, expected->payload));
    assert_true(bytes_equal(entry.result, expected->result));
    assert_true(bytes_equal(entry.text, expected->text));
}

/* A file made of the document alone, but for the seal. */
static void what_the_document_shows_is_read(void **state)
{
    (void)state;
    struct platter *disk = platter_new(1);
    uint8_t *file = calloc(1, RIG_SEGMENT_BYTES);
    assert_non_null(file);
    struct bytes header = golden("header");
    memcpy(file, header.data, header.size);
    memcpy(file + SEGMENT_COPY_AT, header.data, header.size);
    uint8_t *at = file + SEGMENT_DATA_AT;
    for (size_t i = 0; i + 1 < BLOCK_COUNT; i++) {
        struct bytes block = golden(BLOCKS[i]);
        memcpy(at, block.data, block.size);
        at += block.size;
    }
    platter_put(disk, "journal-0000000001", file, RIG_SEGMENT_BYTES);
    free(file);
    struct journal_options options = options_of(disk);
    struct journal_fault fault;
    struct journal_record record;
    struct journal *journal;
    uint64_t count = 0;
    assert_int_equal(journal_open(&options, &journal, &fault), JOURNAL_OK);
    struct id node = journal_node(journal);
    assert_true(id_equal(&node, &VENTILATOR));
    while (journal_next(journal, &record, &fault) == JOURNAL_OK) {
        assert_int_equal(record.lsn, ++count);
        check_entry(&record);
    }
    assert_int_equal(count, ENTRY_COUNT);
    assert_int_equal(journal_torn_bytes(journal), 0);
    journal_close(&journal);
    platter_destroy(&disk);
}

static void the_document_shows_nothing_else(void **state)
{
    (void)state;
    assert_int_equal(goldens.count, BLOCK_COUNT + 1);
    assert_true(id_equal(&ENTRIES[0].owner, &PRODUCER));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_what_the_document_shows),
        cmocka_unit_test(what_the_document_shows_is_read),
        cmocka_unit_test(the_document_shows_nothing_else),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
