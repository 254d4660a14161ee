/* journal_active.c - the segment that is written to. */
#include "journal_state.h"

#include <assert.h>

enum journal_error active_begin(struct journal *journal, int file, uint64_t bytes,
                                struct journal_fault *fault)
{
    uint64_t number = journal->chain.count == 0 ? 1 : journal_active(journal)->number + 1;
    struct chain_link link = {
        .number = number, .epoch = journal->secret + number, .bytes = bytes, .sound = true};
    if (!chain_add(&journal->chain, &link)) {
        journal->disk->close(journal->disk->self, file);
        return fault_set(fault, JOURNAL_MEMORY, "no memory for the list of segments");
    }
    if (journal->file >= 0) journal->disk->close(journal->disk->self, journal->file);
    journal->file = file;
    journal->end = SEGMENT_DATA_AT;
    return active_control(journal, CONTROL_OPENING, fault);
}

uint64_t active_room(struct journal *journal)
{
    uint64_t taken = journal->end + CONTROL_BYTES;
    uint64_t bytes = journal_active(journal)->bytes;
    return taken > bytes ? 0 : bytes - taken;
}

enum journal_error active_write(struct journal *journal, const uint8_t *data, size_t bytes,
                                struct journal_fault *fault)
{
    assert(journal->end % RECORD_ALIGN == 0 && bytes % RECORD_ALIGN == 0);
    int error = journal->disk->write(journal->disk->self, journal->file, journal->end, data, bytes);
    if (error != 0) return fault_disk(fault, error, "write to", journal_active(journal)->number);
    journal->end += bytes;
    return JOURNAL_OK;
}

enum journal_error active_control(struct journal *journal, enum control_kind kind,
                                  struct journal_fault *fault)
{
    uint8_t record[CONTROL_BYTES];
    const struct chain_link *link = journal_active(journal);
    struct control control = {kind, journal->oldest_needed};
    control_write(record, link->epoch, control, journal->next, journal->synced);
    journal->marked = journal->synced;
    return active_write(journal, record, sizeof record, fault);
}

enum journal_error active_sync(struct journal *journal, struct journal_fault *fault)
{
    int error = journal->disk->sync(journal->disk->self, journal->file);
    if (error != 0) return fault_disk(fault, error, "sync", journal_active(journal)->number);
    journal->synced = journal->next - 1;
    return JOURNAL_OK;
}
