/* journal_rig.c - records that follow from their numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/core/random.h"
#include "../../src/journal/segment.h"
#include "journal_rig.h"

static uint64_t chance_of(uint64_t lsn)
{
    uint64_t state = lsn * 0x9e3779b97f4a7c15U;
    return random_next(&state);
}

uint32_t rig_bytes(uint64_t lsn)
{
    uint64_t chance = chance_of(lsn);
    /* Mostly short, some empty, a few that fill several sectors. */
    if (chance % 16 == 0) return 0;
    return (uint32_t)((chance >> 8) % (chance % 8 == 1 ? RIG_RECORD_BYTES_MAX : 100));
}

uint8_t rig_type(uint64_t lsn)
{
    return (uint8_t)(1 + chance_of(lsn) % 255);
}

void rig_fill(uint64_t lsn, uint8_t *into)
{
    uint64_t state = lsn;
    for (uint32_t i = 0; i < rig_bytes(lsn); i++) into[i] = (uint8_t)random_next(&state);
}

struct journal_options rig_options(const struct platter *disk)
{
    return (struct journal_options){
        .disk = platter_disk(disk),
        .use = JOURNAL_USE_VENTILATOR,
        .node = {{1, 2, 3}},
        .secret = 0x5ec3e7,
        .segment_bytes = RIG_SEGMENT_BYTES,
    };
}

static void check_record(const struct journal_record *record)
{
    uint8_t expected[RIG_RECORD_BYTES_MAX];
    rig_fill(record->lsn, expected);
    assert_int_equal(record->bytes.size, rig_bytes(record->lsn));
    assert_int_equal(record->type, rig_type(record->lsn));
    if (record->bytes.size > 0)
        assert_memory_equal(record->bytes.data, expected, record->bytes.size);
}

struct journal *rig_read(const struct journal_options *options, struct rig_past *past)
{
    struct journal *journal;
    struct journal_record record;
    *past = (struct rig_past){0};
    past->error = journal_open(options, &journal, &past->fault);
    while (past->error == JOURNAL_OK) {
        past->error = journal_next(journal, &record, &past->fault);
        if (past->error != JOURNAL_OK) break;
        check_record(&record);
        if (past->first == 0) past->first = record.lsn;
        if (past->last > 0) assert_int_equal(record.lsn, past->last + 1);
        past->last = record.lsn;
        past->count++;
        assert_int_equal(journal_last(journal), record.lsn);
    }
    if (past->error == JOURNAL_END) {
        past->torn = journal_torn(journal);
        return journal;
    }
    assert_int_equal(past->fault.error, past->error);
    assert_true(past->fault.text[0] != '\0');
    journal_close(&journal);
    return NULL;
}

struct journal *rig_start(const struct journal_options *options, struct rig_past *past)
{
    struct journal *journal = rig_read(options, past);
    if (journal == NULL) return NULL;
    past->error = journal_start(journal, &past->fault);
    if (past->error == JOURNAL_OK) return journal;
    journal_close(&journal);
    return NULL;
}

struct rig_past rig_look(const struct platter *disk)
{
    struct journal_options options = rig_options(disk);
    struct rig_past past;
    struct journal *journal = rig_read(&options, &past);
    journal_close(&journal);
    assert_int_equal(platter_open_files(disk), 0);
    return past;
}

void rig_append(struct journal *journal, uint64_t count)
{
    for (; count > 0; count--) {
        uint64_t lsn = journal_last(journal) + 1;
        uint8_t *into = journal_append(journal, rig_type(lsn), rig_bytes(lsn));
        assert_non_null(into);
        rig_fill(lsn, into);
        assert_int_equal(journal_last(journal), lsn);
    }
}

uint64_t rig_commit(struct journal *journal)
{
    struct journal_fault fault;
    uint64_t durable;
    journal_hand_over(journal);
    enum journal_error error = journal_commit(journal, &durable, &fault);
    if (error != JOURNAL_OK) fail_msg("%s", fault.text);
    return durable;
}

void rig_tend(struct journal *journal)
{
    struct journal_fault fault;
    while (journal_wants_tending(journal)) {
        enum journal_error error = journal_tend(journal, &fault);
        if (error != JOURNAL_OK) fail_msg("%s", fault.text);
    }
}

struct platter *rig_written(uint64_t count, uint64_t batch)
{
    struct platter *disk = platter_new(count);
    struct journal_options options = rig_options(disk);
    struct rig_past past;
    struct journal_fault fault;
    struct journal *journal = rig_start(&options, &past);
    assert_non_null(journal);
    for (uint64_t at = 0; at < count; at += batch) {
        rig_append(journal, count - at < batch ? count - at : batch);
        rig_commit(journal);
        rig_tend(journal);
    }
    assert_int_equal(journal_rest(journal, &fault), JOURNAL_OK);
    journal_close(&journal);
    return disk;
}

const char *rig_name(uint64_t number)
{
    static char name[SEGMENT_NAME_BYTES];
    segment_name(number, "", name);
    return name;
}
