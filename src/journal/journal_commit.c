/* journal_commit.c - the writer's side: what was handed over goes to disk, and
 * what is needed no more goes away. */
#include "journal_state.h"

#include <assert.h>
#include <errno.h>

enum { TEND_BYTES = 1024 * 1024 };

enum journal_error journal_break(struct journal *journal, const struct journal_fault *fault)
{
    assert(fault->error != JOURNAL_OK);
    journal->broken = *fault;
    return fault->error;
}

static enum journal_error answer_broken(const struct journal *journal, struct journal_fault *fault)
{
    *fault = journal->broken;
    return fault->error;
}

static bool over_quota(const struct journal *journal, uint64_t bytes)
{
    return journal->quota_bytes > 0 && bytes > journal->quota_bytes;
}

/* How many segments, from the oldest on, hold nothing that is still needed. */
static size_t done_count(const struct journal *journal)
{
    const struct chain *chain = &journal->chain;
    size_t done = 0;
    while (done + 1 < chain->count && chain->links[done].lsn_after <= journal->released) done++;
    return done;
}

/* Whether it can be said on disk that segments below `oldest` are needed no more. */
static bool can_tell(struct journal *journal, uint64_t oldest)
{
    return journal->oldest_needed >= oldest || active_room(journal) >= CONTROL_BYTES;
}

/* How many segments journal_tend would remove. */
static size_t removable(struct journal *journal)
{
    size_t done = done_count(journal);
    return done > 0 && can_tell(journal, journal->chain.links[0].number + done) ? done : 0;
}

void journal_count(struct journal *journal)
{
    uint64_t bytes = chain_bytes(&journal->chain);
    if (journal->spare.begun) bytes += journal->spare.bytes;
    atomic_store(&journal->disk_bytes, bytes);
    bool no_spare = journal->no_room && !journal->spare.ready;
    atomic_store(&journal->full,
                 no_spare || over_quota(journal, bytes + journal->quota_bytes / 10));
    bool tend = journal->phase == JOURNAL_RUNS && journal->broken.error == JOURNAL_OK &&
                ((!journal->spare.ready && !journal->no_room) || removable(journal) > 0);
    atomic_store(&journal->wants_tending, tend);
}

/* The active segment has no room for the next record: the log goes on in the
 * spare, which must be there before the seal says so. */
static enum journal_error seal(struct journal *journal, struct journal_fault *fault)
{
    enum journal_error result = JOURNAL_OK;
    if (!journal->spare.ready) result = spare_make(journal, journal->segment_bytes, fault);
    if (result == JOURNAL_OK) result = active_control(journal, CONTROL_SEAL, fault);
    if (result == JOURNAL_OK) result = active_sync(journal, fault);
    if (result != JOURNAL_OK) return result;
    journal_active(journal)->lsn_after = journal->next;
    struct spare spare = journal->spare;
    journal->spare = (struct spare){0};
    journal->made_bytes = 0; /* the next spare has the whole of this segment's life */
    result = active_begin(journal, spare.file, spare.bytes, fault);
    journal_count(journal);
    return result;
}

/* Seals the records that fit into the active segment and returns their bytes. */
static size_t prepare(struct journal *journal, size_t at)
{
    struct gather *gather = journal->handed;
    uint64_t room = active_room(journal);
    uint64_t epoch = journal_active(journal)->epoch;
    size_t bytes = 0;
    while (at + bytes < gather->used) {
        uint8_t *record = gather->data + at + bytes;
        uint32_t whole = record_begun_bytes(record);
        if (bytes + whole > room) break;
        record_seal(record, epoch, journal->next, journal->synced);
        journal->next++;
        bytes += whole;
    }
    return bytes;
}

static enum journal_error write_all(struct journal *journal, struct journal_fault *fault)
{
    struct gather *gather = journal->handed;
    enum journal_error result = JOURNAL_OK;
    size_t at = 0;
    while (result == JOURNAL_OK && at < gather->used) {
        size_t bytes = prepare(journal, at);
        if (bytes > 0) result = active_write(journal, gather->data + at, bytes, fault);
        at += bytes;
        if (result == JOURNAL_OK && at < gather->used) result = seal(journal, fault);
    }
    if (result == JOURNAL_OK && gather->used > 0) result = active_sync(journal, fault);
    return result;
}

enum journal_error journal_commit(struct journal *journal, uint64_t *durable,
                                  struct journal_fault *fault)
{
    assert(journal->phase == JOURNAL_RUNS);
    *durable = journal->synced;
    if (journal->broken.error != JOURNAL_OK) return answer_broken(journal, fault);
    struct gather *gather = journal->handed;
    enum journal_error result = write_all(journal, fault);
    if (result != JOURNAL_OK) return journal_break(journal, fault);
    if (gather->release > journal->released) journal->released = gather->release;
    journal->made_bytes += gather->used;
    gather->used = 0;
    gather->release = 0;
    *durable = journal->synced;
    journal_count(journal);
    return JOURNAL_OK;
}

/* Says on disk that segments below `oldest` are needed no more.  Only then may one
 * of them be missing. */
static enum journal_error tell_oldest(struct journal *journal, uint64_t oldest,
                                      struct journal_fault *fault)
{
    if (journal->oldest_needed >= oldest) return JOURNAL_OK;
    journal->oldest_needed = oldest;
    enum journal_error result = active_control(journal, CONTROL_MARK, fault);
    return result == JOURNAL_OK ? active_sync(journal, fault) : result;
}

static enum journal_error remove_released(struct journal *journal, struct journal_fault *fault)
{
    const struct disk *disk = journal->disk;
    size_t left = removable(journal);
    enum journal_error result = JOURNAL_OK;
    if (left > 0) result = tell_oldest(journal, journal->chain.links[0].number + left, fault);
    if (result != JOURNAL_OK) return result;
    for (; left > 0; left--) {
        char name[SEGMENT_NAME_BYTES];
        uint64_t number = journal->chain.links[0].number;
        segment_name(number, "", name);
        int error = disk->remove(disk->self, name);
        /* One after the other, so that no crash leaves a gap. */
        if (error == 0) error = disk->sync_names(disk->self);
        if (error != 0) return fault_disk(fault, error, "remove", number);
        chain_drop_first(&journal->chain);
        journal->no_room = false;
    }
    return JOURNAL_OK;
}

/* Whether the next segment may be begun. */
static enum journal_error look_for_room(struct journal *journal, struct journal_fault *fault)
{
    uint64_t room = 0;
    int error = journal->disk->room(journal->disk->self, &room);
    if (error != 0) return fault_disk(fault, error, "see the room for", 0);
    uint64_t after = chain_bytes(&journal->chain) + journal->segment_bytes;
    journal->no_room = room < journal->segment_bytes || over_quota(journal, after);
    return JOURNAL_OK;
}

static enum journal_error tend_spare(struct journal *journal, struct journal_fault *fault)
{
    if (journal->spare.ready) return JOURNAL_OK;
    if (!journal->spare.begun) {
        enum journal_error result = look_for_room(journal, fault);
        if (result != JOURNAL_OK || journal->no_room) return result;
    }
    /* Faster than the commits eat into the active one. */
    uint64_t bytes = journal->made_bytes * 2 > TEND_BYTES ? journal->made_bytes * 2 : TEND_BYTES;
    journal->made_bytes = 0;
    enum journal_error result = spare_make(journal, bytes, fault);
    if (result == JOURNAL_OK || fault->number != ENOSPC) return result;
    journal->no_room = true;
    return JOURNAL_OK;
}

enum journal_error journal_tend(struct journal *journal, struct journal_fault *fault)
{
    assert(journal->phase == JOURNAL_RUNS);
    if (journal->broken.error != JOURNAL_OK) return answer_broken(journal, fault);
    enum journal_error result = remove_released(journal, fault);
    if (result == JOURNAL_OK) result = tend_spare(journal, fault);
    if (result != JOURNAL_OK) journal_break(journal, fault);
    journal_count(journal);
    return result;
}

enum journal_error journal_rest(struct journal *journal, struct journal_fault *fault)
{
    assert(journal->phase == JOURNAL_RUNS);
    if (journal->broken.error != JOURNAL_OK) return answer_broken(journal, fault);
    if (journal->marked == journal->synced || active_room(journal) < CONTROL_BYTES)
        return JOURNAL_OK;
    enum journal_error result = active_control(journal, CONTROL_MARK, fault);
    if (result != JOURNAL_OK) return journal_break(journal, fault);
    journal->marked = journal->synced;
    return JOURNAL_OK;
}
