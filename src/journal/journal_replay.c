/* journal_replay.c - reads the past, and tells a torn tail from damage.
 *
 * Every segment but the last that was used is whole: it is sealed and synced
 * before the next one gets its first byte.  In the last one, what is unreadable
 * was never acknowledged, unless a record behind it says that it was synced; FORMAT.md
 * has the reasoning. */
#include "journal_state.h"

#include <assert.h>
#include <stdio.h>

static unsigned long long number_at(const struct journal *journal)
{
    return journal->chain.links[journal->at].number;
}

static enum journal_error failed(struct journal *journal, struct journal_fault *fault)
{
    return fault_disk(fault, journal->reader.error, "read", number_at(journal));
}

static void stop_reading(struct journal *journal)
{
    journal->disk->close(journal->disk->self, journal->reader.file);
    journal->reading = false;
}

static enum journal_error start_reading(struct journal *journal, struct journal_fault *fault)
{
    const struct chain_link *link = &journal->chain.links[journal->at];
    int file;
    enum journal_error result = chain_open(journal->disk, link->number, &file, fault);
    if (result != JOURNAL_OK) return result;
    reader_open(&journal->reader, journal->disk, file, link->bytes, link->epoch);
    journal->doubtful = journal->behind_user = journal->reader.at;
    journal->reading = true;
    return JOURNAL_OK;
}

/* What is behind the segment that the log seems to end in: an unused spare, as a
 * rule.  A record in it proves that the log did not end here. */
static enum journal_error look_behind(struct journal *journal, bool *used,
                                      struct journal_fault *fault)
{
    const struct chain *chain = &journal->chain;
    *used = journal->at + 2 < chain->count;
    if (*used || journal->at + 1 == chain->count) return JOURNAL_OK;
    const struct chain_link *link = &chain->links[journal->at + 1];
    struct reader reader = {0};
    struct reader_record record;
    uint64_t last;
    int file;
    enum journal_error result = chain_open(journal->disk, link->number, &file, fault);
    if (result != JOURNAL_OK) return result;
    reader_open(&reader, journal->disk, file, link->bytes, link->epoch);
    uint64_t begin = reader.at;
    enum reader_found found = reader_last_byte(&reader, &last);
    journal->next_is_spare = link->sound && last == begin && link->bytes > SEGMENT_DATA_AT;
    journal->next_is_rest = !journal->next_is_spare;
    if (found != READER_FAILED && last > begin) {
        found = reader_seek(&reader, &record);
        /* Without a header its records cannot be told from chance. */
        *used = found != READER_END || !link->sound;
    }
    if (found == READER_FAILED) result = fault_disk(fault, reader.error, "read", link->number);
    journal->disk->close(journal->disk->self, file);
    reader_free(&reader);
    return result;
}

/* What a search behind a hole brought to light. */
struct witness {
    uint64_t first, last; /* numbers of records whose headers are sound; 0: none */
    bool was_synced;      /* one of them says that the hole's record was */
};

static enum journal_error search(struct journal *journal, struct witness *witness,
                                 struct journal_fault *fault)
{
    struct reader *reader = &journal->reader;
    struct reader_record record;
    uint64_t hole = reader->at;
    enum reader_found found;
    *witness = (struct witness){0};
    while ((found = reader_seek(reader, &record)) != READER_END) {
        if (found == READER_FAILED) return failed(journal, fault);
        const struct record_header *header = &record.header;
        if (header->lsn < journal->expected) continue;
        if (record_synced(header) >= journal->expected) witness->was_synced = true;
        /* The hole's own header, its body gone, is not what is behind. */
        bool beyond = record.at > hole && header->lsn > journal->expected;
        if (beyond && witness->first == 0) witness->first = header->lsn;
        if (header->type != CONTROL_TYPE && header->lsn > witness->last)
            witness->last = header->lsn;
    }
    reader->at = hole;
    return JOURNAL_OK;
}

static enum journal_error damage(struct journal *journal, const struct witness *witness,
                                 struct journal_fault *fault)
{
    char which[96] = "where it begins cannot be read";
    unsigned long long from = journal->expected;
    unsigned long long to = witness->first > 0 ? witness->first - 1 : 0;
    if (to > from && from > 0)
        snprintf(which, sizeof which, "records %llu to %llu cannot be read", from, to);
    else if (to == from && from > 0)
        snprintf(which, sizeof which, "record %llu cannot be read", from);
    else if (from > 0)
        snprintf(which, sizeof which, "records from %llu on cannot be read", from);
    return fault_set(fault, JOURNAL_DAMAGED,
                     "journal-%010llu is damaged at byte %llu: %s, though this part was safe on "
                     "disk: %s",
                     number_at(journal), (unsigned long long)journal->reader.at, which,
                     FAULT_ADVICE);
}

static enum journal_error note_torn(struct journal *journal, const struct witness *witness,
                                    struct journal_fault *fault)
{
    uint64_t last;
    if (reader_last_byte(&journal->reader, &last) == READER_FAILED) return failed(journal, fault);
    journal->torn = (struct journal_torn){
        .bytes = last - journal->reader.at,
        .segment = number_at(journal),
        .offset = journal->reader.at,
        .lsn_first = witness->last == 0 ? 0 : journal->expected,
        .lsn_last = witness->last,
    };
    return JOURNAL_END;
}

/* No record stands where the next one should. */
static enum journal_error judge_end(struct journal *journal, enum reader_found found,
                                    struct journal_fault *fault)
{
    struct witness witness = {0};
    bool used;
    enum journal_error result = JOURNAL_OK;
    if (found == READER_HOLE) result = search(journal, &witness, fault);
    if (result == JOURNAL_OK) result = look_behind(journal, &used, fault);
    if (result != JOURNAL_OK) return result;
    if (used || witness.was_synced || journal->expected == 0)
        return damage(journal, &witness, fault);
    if (journal->oldest_needed < journal->chain.links[0].number && journal->oldest_needed > 0)
        return fault_set(fault, JOURNAL_DAMAGED,
                         "journal-%010llu to journal-%010llu are missing, and were still needed: "
                         "put them back; otherwise, " FAULT_ADVICE,
                         (unsigned long long)journal->oldest_needed,
                         (unsigned long long)journal->chain.links[0].number - 1);
    return found == READER_HOLE ? note_torn(journal, &witness, fault) : JOURNAL_END;
}

static enum journal_error next_segment(struct journal *journal, struct journal_fault *fault)
{
    journal->chain.links[journal->at].lsn_after = journal->expected;
    if (journal->at + 1 == journal->chain.count)
        return fault_set(
            fault, JOURNAL_DAMAGED,
            "journal-%010llu is missing, and journal-%010llu says that the log goes on "
            "in it: put it back; otherwise, " FAULT_ADVICE,
            number_at(journal) + 1, number_at(journal));
    journal->before_doubtful = journal->doubtful;
    journal->before_end = journal->reader.at;
    stop_reading(journal);
    journal->at++;
    if (!journal->chain.links[journal->at].sound)
        return fault_set(fault, JOURNAL_DAMAGED,
                         "the header of journal-%010llu is damaged: " FAULT_ADVICE,
                         number_at(journal));
    return JOURNAL_OK;
}

/* Whether the record is where it belongs: an opening at the front and only there,
 * and every number in its turn. */
static bool in_place(const struct journal *journal, const struct reader_record *record)
{
    struct control control = {.kind = CONTROL_MARK};
    bool front = record->at == SEGMENT_DATA_AT;
    if (record->header.type == CONTROL_TYPE &&
        !control_read(record->body.data, record->body.size, &control))
        return false;
    if (front != (control.kind == CONTROL_OPENING)) return false;
    if (front && journal->expected == 0) return journal->at == 0;
    return record->header.lsn == journal->expected;
}

/* One step: a record of the user's, or nothing yet (JOURNAL_OK with no bytes). */
static enum journal_error step(struct journal *journal, struct journal_record *record,
                               struct journal_fault *fault)
{
    struct reader_record found;
    if (!journal->reading) {
        enum journal_error result = start_reading(journal, fault);
        if (result != JOURNAL_OK) return result;
    }
    enum reader_found kind = reader_next(&journal->reader, &found);
    if (kind == READER_FAILED) return failed(journal, fault);
    if (kind != READER_RECORD) return judge_end(journal, kind, fault);
    if (!in_place(journal, &found)) {
        journal->reader.at = found.at;
        return judge_end(journal, READER_HOLE, fault);
    }
    journal->expected = found.header.lsn;
    /* All records before this one were synced, if not the marks between. */
    if (found.header.unsynced == 0) journal->doubtful = journal->behind_user;
    if (found.header.type != CONTROL_TYPE) {
        journal->expected++;
        journal->behind_user = journal->reader.at;
        *record = (struct journal_record){found.header.lsn, found.header.type, found.body};
        return JOURNAL_OK;
    }
    struct control control;
    bool known = control_read(found.body.data, found.body.size, &control);
    assert(known);
    if (control.oldest > journal->oldest_needed) journal->oldest_needed = control.oldest;
    return control.kind == CONTROL_SEAL ? next_segment(journal, fault) : JOURNAL_OK;
}

enum journal_error journal_next(struct journal *journal, struct journal_record *record,
                                struct journal_fault *fault)
{
    assert(journal->phase == JOURNAL_REPLAYS);
    *record = (struct journal_record){0};
    enum journal_error result = JOURNAL_OK;
    if (journal->chain.count == 0) result = JOURNAL_END;
    while (result == JOURNAL_OK && record->lsn == 0) result = step(journal, record, fault);
    if (result == JOURNAL_OK || result == JOURNAL_END) journal->last = journal->expected - 1;
    if (result == JOURNAL_END) journal->phase = JOURNAL_REPLAYED;
    return result;
}
