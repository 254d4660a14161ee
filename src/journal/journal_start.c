/* journal_start.c - from the past to the present: what was torn is cut off, what
 * was read is made durable, and a segment is ready to be written to.
 *
 * A segment is written to by one opening of the journal only.  The next one seals
 * it where its records end, and goes on in the next segment, so that nothing that
 * was cut off can ever be met again. */
#include "journal_state.h"

#include <assert.h>

static enum journal_error drop_behind(struct journal *journal, struct journal_fault *fault)
{
    const struct disk *disk = journal->disk;
    struct chain *chain = &journal->chain;
    if (journal->at + 1 == chain->count) return JOURNAL_OK;
    struct chain_link behind = chain->links[--chain->count];
    uint64_t least = journal->segment_bytes < JOURNAL_SEGMENT_BYTES_MIN
                         ? journal->segment_bytes
                         : (uint64_t)JOURNAL_SEGMENT_BYTES_MIN;
    if (journal->next_is_spare && behind.bytes >= least)
        return spare_adopt(journal, behind.number, behind.bytes, fault);
    char name[SEGMENT_NAME_BYTES];
    segment_name(behind.number, "", name);
    int error = disk->remove(disk->self, name);
    if (error == 0) error = disk->sync_names(disk->self);
    return error == 0 ? JOURNAL_OK : fault_disk(fault, error, "remove", behind.number);
}

static enum journal_error begin_spare(struct journal *journal, struct journal_fault *fault)
{
    struct spare spare = journal->spare;
    journal->spare = (struct spare){0};
    return active_begin(journal, spare.file, spare.bytes, fault);
}

/* The last segment of the past ends here; the log goes on in the next. */
static enum journal_error close_last(struct journal *journal, struct journal_fault *fault)
{
    const struct disk *disk = journal->disk;
    struct chain_link *last = journal_active(journal);
    uint64_t end = journal->reader.at;
    int error = disk->truncate(disk->self, journal->file, end);
    /* On disk before anything is: from here on there is no torn tail. */
    if (error == 0) error = disk->sync(disk->self, journal->file);
    if (error != 0) return fault_disk(fault, error, "cut", last->number);
    enum journal_error result = JOURNAL_OK;
    if (!journal->spare.ready) result = spare_make(journal, journal->segment_bytes, fault);
    if (result == JOURNAL_OK && end == SEGMENT_DATA_AT)
        result = active_control(journal, CONTROL_OPENING, fault);
    if (result == JOURNAL_OK) result = active_control(journal, CONTROL_SEAL, fault);
    if (result == JOURNAL_OK) result = active_sync(journal, fault);
    last->bytes = journal->end;
    last->lsn_after = journal->next;
    return result == JOURNAL_OK ? begin_spare(journal, fault) : result;
}

/* Nothing was written to the last segment but its opening, if that: it can be
 * used as if it were new. */
static bool is_fresh(struct journal *journal)
{
    uint64_t end = journal->reader.at;
    return journal->torn.bytes == 0 && end <= SEGMENT_DATA_AT + CONTROL_BYTES &&
           journal_active(journal)->bytes >= journal->segment_bytes;
}

/* What a killed process wrote can be read, and yet not be on disk: not even after a
 * sync, if one failed before.  The last commit is therefore written again. */
static enum journal_error write_again(struct journal *journal, struct reader *reader, uint64_t from,
                                      uint64_t to, uint64_t number, struct journal_fault *fault)
{
    if (reader_write_again(reader, from, to) == READER_FAILED)
        return fault_disk(fault, reader->error, "write again to", number);
    int error = journal->disk->sync(journal->disk->self, reader->file);
    return error == 0 ? JOURNAL_OK : fault_disk(fault, error, "sync", number);
}

/* The last commit may have been one that ended with a seal. */
static enum journal_error write_seal_again(struct journal *journal, struct journal_fault *fault)
{
    const struct chain_link *link = &journal->chain.links[journal->at - 1];
    struct reader reader = {0};
    int file;
    enum journal_error result = chain_open(journal->disk, link->number, &file, fault);
    if (result != JOURNAL_OK) return result;
    reader_open(&reader, journal->disk, file, link->bytes, link->epoch);
    result = write_again(journal, &reader, journal->before_doubtful, journal->before_end,
                         link->number, fault);
    journal->disk->close(journal->disk->self, file);
    reader_free(&reader);
    return result;
}

static enum journal_error make_durable(struct journal *journal, struct journal_fault *fault)
{
    struct reader *reader = &journal->reader;
    int error = journal->disk->sync_names(journal->disk->self);
    if (error != 0) return fault_disk(fault, error, "sync", 0);
    enum journal_error result = write_again(journal, reader, journal->doubtful, reader->at,
                                            journal_active(journal)->number, fault);
    if (result == JOURNAL_OK && reader->at == SEGMENT_DATA_AT && journal->at > 0)
        result = write_seal_again(journal, fault);
    journal->synced = journal->next - 1;
    return result;
}

static enum journal_error go_on(struct journal *journal, struct journal_fault *fault)
{
    enum journal_error result = drop_behind(journal, fault);
    if (result != JOURNAL_OK) return result;
    journal->file = journal->reader.file;
    journal->reading = false;
    journal->end = journal->reader.at;
    result = make_durable(journal, fault);
    if (result != JOURNAL_OK) return result;
    if (!is_fresh(journal)) return close_last(journal, fault);
    if (journal->end > SEGMENT_DATA_AT) {
        journal->marked = journal->synced;
        return JOURNAL_OK;
    }
    return active_control(journal, CONTROL_OPENING, fault);
}

enum journal_error journal_start(struct journal *journal, struct journal_fault *fault)
{
    assert(journal->phase == JOURNAL_REPLAYED);
    enum journal_error result;
    journal->next = journal->expected;
    if (journal->oldest_needed == 0) journal->oldest_needed = 1;
    if (journal->chain.count == 0) {
        result = spare_make(journal, journal->segment_bytes, fault);
        if (result == JOURNAL_OK) result = begin_spare(journal, fault);
    } else {
        result = go_on(journal, fault);
    }
    if (result == JOURNAL_OK) result = active_sync(journal, fault);
    if (result != JOURNAL_OK) return journal_break(journal, fault);
    reader_free(&journal->reader);
    journal->phase = JOURNAL_RUNS;
    journal_count(journal);
    return JOURNAL_OK;
}
