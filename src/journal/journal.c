/* journal.c - opens and closes a journal, and the side of it that its owner's
 * loop sees: what is gathered for the next commit. */
#include "journal_state.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

_Static_assert((int)JOURNAL_RECORD_BYTES_MAX == (int)RECORD_BYTES_MAX, "the format allows as much");
_Static_assert((int)JOURNAL_SEGMENT_BYTES_MIN > (int)SEGMENT_DATA_AT + 2 * CONTROL_BYTES +
                                                    RECORD_HEADER_BYTES + RECORD_BYTES_MAX,
               "the largest record fits into the smallest segment");

static uint64_t segment_bytes_of(const struct journal_options *options)
{
    if (options->segment_bytes > 0) return options->segment_bytes / RECORD_ALIGN * RECORD_ALIGN;
    uint64_t eighth = options->quota_bytes / 8 / RECORD_ALIGN * RECORD_ALIGN;
    if (options->quota_bytes == 0 || eighth > JOURNAL_SEGMENT_BYTES) return JOURNAL_SEGMENT_BYTES;
    return eighth < JOURNAL_SEGMENT_BYTES_MIN ? (uint64_t)JOURNAL_SEGMENT_BYTES_MIN : eighth;
}

static struct journal *journal_new(const struct journal_options *options)
{
    struct journal *journal = calloc(1, sizeof *journal);
    if (journal == NULL) return NULL;
    journal->disk = options->disk;
    journal->segment_bytes = segment_bytes_of(options);
    journal->quota_bytes = options->quota_bytes;
    journal->secret = options->secret;
    journal->header = (struct segment_header){
        .version = SEGMENT_VERSION, .use = (uint8_t)options->use, .node = options->node};
    journal->gathering = &journal->gathers[0];
    journal->handed = &journal->gathers[1];
    journal->expected = 1;
    journal->file = -1;
    return journal;
}

static enum journal_error look_at_segments(struct journal *journal, struct journal_fault *fault)
{
    enum journal_error result = chain_read(&journal->chain, journal->disk, fault);
    if (result == JOURNAL_OK)
        result = chain_check(&journal->chain, (enum journal_use)journal->header.use, fault);
    if (result != JOURNAL_OK) return result;
    const struct segment_header *known = &journal->chain.header;
    if (journal->chain.count > 0) {
        journal->header.node = known->node;
        journal->secret = known->epoch - known->number;
        /* Only the very first segment need not say where it begins. */
        if (journal->chain.links[0].number > 1) journal->expected = 0;
    }
    journal_count(journal);
    return JOURNAL_OK;
}

enum journal_error journal_open(const struct journal_options *options, struct journal **opened,
                                struct journal_fault *fault)
{
    assert(options->disk != NULL);
    *opened = NULL;
    struct journal *journal = journal_new(options);
    if (journal == NULL) return fault_set(fault, JOURNAL_MEMORY, "no memory for a journal");
    int error = options->disk->enter(options->disk->self);
    if (error != 0) {
        free(journal);
        if (error == EWOULDBLOCK)
            return fault_set(fault, JOURNAL_LOCKED,
                             "another process uses this directory: end it first, or take another "
                             "directory");
        return fault_disk(fault, error, "enter", 0);
    }
    enum journal_error result = look_at_segments(journal, fault);
    if (result != JOURNAL_OK) {
        journal_close(&journal);
        return result;
    }
    *opened = journal;
    return JOURNAL_OK;
}

void journal_close(struct journal **closing)
{
    struct journal *journal = *closing;
    if (journal == NULL) return;
    const struct disk *disk = journal->disk;
    if (journal->reading) disk->close(disk->self, journal->reader.file);
    if (journal->file >= 0) disk->close(disk->self, journal->file);
    if (journal->spare.begun) disk->close(disk->self, journal->spare.file);
    disk->leave(disk->self);
    reader_free(&journal->reader);
    chain_free(&journal->chain);
    free(journal->gathers[0].data);
    free(journal->gathers[1].data);
    free(journal);
    *closing = NULL;
}

struct journal_torn journal_torn(const struct journal *journal)
{
    return journal->torn;
}

uint64_t journal_torn_bytes(const struct journal *journal)
{
    return journal->torn.bytes;
}

struct id journal_node(const struct journal *journal)
{
    return journal->header.node;
}

uint64_t journal_last(const struct journal *journal)
{
    return journal->last;
}

static bool gather_grow(struct gather *gather, size_t bytes)
{
    enum { FIRST_BYTES = 64 * 1024 };
    if (gather->capacity - gather->used >= bytes) return true;
    size_t capacity = gather->capacity == 0 ? FIRST_BYTES : gather->capacity * 2;
    while (capacity - gather->used < bytes) capacity *= 2;
    uint8_t *data = realloc(gather->data, capacity);
    if (data == NULL) return false;
    gather->data = data;
    gather->capacity = capacity;
    return true;
}

uint8_t *journal_append(struct journal *journal, uint8_t type, uint32_t bytes)
{
    assert(journal->phase == JOURNAL_RUNS);
    assert(type != CONTROL_TYPE);
    assert(bytes <= JOURNAL_RECORD_BYTES_MAX);
    struct gather *gather = journal->gathering;
    uint32_t whole = record_bytes(bytes);
    assert(SEGMENT_DATA_AT + 2 * CONTROL_BYTES + whole <= journal->segment_bytes);
    if (!gather_grow(gather, whole)) return NULL;
    uint8_t *record = gather->data + gather->used;
    memset(record + whole - RECORD_ALIGN, 0, RECORD_ALIGN); /* the padding */
    record_begin(record, type, bytes);
    gather->used += whole;
    journal->last++;
    return record + RECORD_HEADER_BYTES;
}

void journal_release(struct journal *journal, uint64_t lsn)
{
    assert(journal->phase == JOURNAL_RUNS);
    assert(lsn <= journal->last + 1);
    if (lsn <= journal->release_said) return;
    journal->release_said = lsn;
    journal->gathering->release = lsn;
}

uint64_t journal_gathered(const struct journal *journal)
{
    return journal->gathering->used;
}

bool journal_hand_over(struct journal *journal)
{
    assert(journal->handed->used == 0 && journal->handed->release == 0);
    struct gather *full = journal->gathering;
    if (full->used == 0 && full->release == 0) return false;
    journal->gathering = journal->handed;
    journal->handed = full;
    return true;
}

uint64_t journal_disk_bytes(const struct journal *journal)
{
    return atomic_load(&journal->disk_bytes);
}

bool journal_is_full(const struct journal *journal)
{
    return atomic_load(&journal->full);
}

bool journal_wants_tending(const struct journal *journal)
{
    return atomic_load(&journal->wants_tending);
}
