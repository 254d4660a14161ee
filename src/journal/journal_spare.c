/* journal_spare.c - makes the next segment before it is needed.
 *
 * It is filled with zeros, so that the syncs to come need not write down where
 * new blocks lie: that halves what they cost.  The zeros go to the disk beside the
 * commits, which do not wait for them.  Until it is whole and synced it has a name of
 * its own, so that a segment that a crash left unfinished is never taken for one. */
#include "journal_state.h"

#include <assert.h>
#include <errno.h>

enum { PIECE_BYTES = 256 * 1024 };
static const char UNFINISHED[] = ".new";

static uint64_t number_of(struct journal *journal)
{
    return journal->chain.count == 0 ? 1 : journal_active(journal)->number + 1;
}

static bool is_no_room(int error)
{
    return error == ENOSPC || error == EDQUOT || error == EFBIG;
}

/* Takes back what there is of it. */
static void forget(struct journal *journal)
{
    char name[SEGMENT_NAME_BYTES];
    segment_name(number_of(journal), UNFINISHED, name);
    journal->disk->close(journal->disk->self, journal->spare.file);
    (void)journal->disk->remove(journal->disk->self, name); /* made over when its time comes */
    journal->spare = (struct spare){0};
}

static enum journal_error fail(struct journal *journal, int error, const char *action,
                               struct journal_fault *fault)
{
    uint64_t number = number_of(journal);
    fault_disk(fault, error, action, number);
    if (!is_no_room(error)) return JOURNAL_IO;
    if (journal->spare.begun) forget(journal);
    fault_set(fault, JOURNAL_IO, "no room to make journal-%010llu, of %llu bytes: free some",
              (unsigned long long)number, (unsigned long long)journal->segment_bytes);
    fault->number = ENOSPC;
    return JOURNAL_IO;
}

static enum journal_error begin(struct journal *journal, struct journal_fault *fault)
{
    const struct disk *disk = journal->disk;
    char name[SEGMENT_NAME_BYTES];
    segment_name(number_of(journal), UNFINISHED, name);
    struct spare spare = {.begun = true, .bytes = journal->segment_bytes};
    int error = disk->create(disk->self, name, &spare.file);
    if (error == EEXIST) { /* left by a crash */
        error = disk->remove(disk->self, name);
        if (error == 0) error = disk->create(disk->self, name, &spare.file);
    }
    if (error != 0) return fail(journal, error, "create", fault);
    journal->spare = spare;
    return JOURNAL_OK;
}

static enum journal_error fill(struct journal *journal, uint64_t bytes, struct journal_fault *fault)
{
    static const uint8_t zeros[PIECE_BYTES];
    const struct disk *disk = journal->disk;
    struct spare *spare = &journal->spare;
    uint64_t from = spare->filled;
    uint64_t until = spare->bytes - spare->filled > bytes ? spare->filled + bytes : spare->bytes;
    int error = 0;
    while (error == 0 && spare->filled < until) {
        uint64_t left = until - spare->filled;
        size_t piece = left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;
        error = disk->write(disk->self, spare->file, spare->filled, zeros, piece);
        if (error == 0) spare->filled += piece;
    }
    /* From now on: at the end, all at once, it would hold up the commits. */
    if (error == 0) disk->hasten(disk->self, spare->file, from, until - from);
    return error == 0 ? JOURNAL_OK : fail(journal, error, "fill", fault);
}

static enum journal_error finish(struct journal *journal, struct journal_fault *fault)
{
    const struct disk *disk = journal->disk;
    struct segment_header header = journal->header;
    uint8_t bytes[SEGMENT_HEADER_BYTES];
    char from[SEGMENT_NAME_BYTES], to[SEGMENT_NAME_BYTES];
    header.number = number_of(journal);
    header.epoch = journal->secret + header.number;
    segment_header_write(&header, bytes);
    segment_name(header.number, UNFINISHED, from);
    segment_name(header.number, "", to);
    int file = journal->spare.file;
    int error = disk->write(disk->self, file, 0, bytes, sizeof bytes);
    if (error == 0) error = disk->write(disk->self, file, SEGMENT_COPY_AT, bytes, sizeof bytes);
    if (error == 0) error = disk->sync(disk->self, file);
    if (error == 0) error = disk->rename(disk->self, from, to);
    if (error == 0) error = disk->sync_names(disk->self);
    if (error != 0) return fail(journal, error, "finish", fault);
    journal->spare.ready = true;
    journal->no_room = false;
    return JOURNAL_OK;
}

enum journal_error spare_make(struct journal *journal, uint64_t bytes, struct journal_fault *fault)
{
    assert(!journal->spare.ready);
    enum journal_error result = JOURNAL_OK;
    const struct spare *spare = &journal->spare;
    if (!spare->begun) result = begin(journal, fault);
    /* Finished by the next call after the last zeros, which gives these some time; but by
     * this one if it is to do all. */
    bool finishes = spare->filled == spare->bytes || bytes >= spare->bytes;
    if (result == JOURNAL_OK) result = fill(journal, bytes, fault);
    return result == JOURNAL_OK && finishes ? finish(journal, fault) : result;
}

enum journal_error spare_adopt(struct journal *journal, uint64_t number, uint64_t bytes,
                               struct journal_fault *fault)
{
    assert(number == number_of(journal));
    struct spare spare = {.begun = true, .ready = true, .bytes = bytes, .filled = bytes};
    enum journal_error result = chain_open(journal->disk, number, &spare.file, fault);
    if (result == JOURNAL_OK) journal->spare = spare;
    return result;
}
