/* spool.c - tasks kept on disk until they are somebody else's. */
#include "spool.h"

#include "../core/circle.h"
#include "../core/index.h"
#include "../core/name.h"
#include "../core/store.h"
#include "../journal/disk_posix.h"
#include "../wire/codec.h"
#include "block.h"
#include "failure.h"
#include "identity.h"
#include "tickets.h"

#include <inttypes.h>
#include <stdlib.h>

enum spool_record { SPOOL_TASK = 1, SPOOL_SETTLED = 2 };

enum {
    HEAD_BYTES = 2,        /* of a TASK before its message */
    RECORD_BYTES_MIN = 64, /* the least a TASK takes on disk */
    RECORD_OVERHEAD = 40,  /* what the journal adds to a record, about */
    SEGMENTS_MIN = 8       /* in the quota, so that there is always one to be removed */
};

struct spool_row {
    struct circle_link age;  /* among all, oldest record first */
    struct circle_link wait; /* among those that wait */
    uint64_t lsn;
    uint64_t start; /* bytes that were written before it */
    struct stored record;
    uint32_t bytes; /* of its record */
    uint32_t payload_bytes;
    uint32_t ticket;
};

struct spool {
    char *directory;
    struct disk_posix *files;
    struct journal *journal;
    struct scribe *scribe;
    struct decoder *decoder;
    struct encoder *encoder;

    struct block table, kept;
    struct index index;
    struct spool_row *rows; /* by slot of index; the last one is the head of both circles */
    struct circles ages, waits;
    struct store store; /* in `kept`: the records of those that wait */
    uint32_t waiting;
    uint64_t waiting_bytes;

    uint64_t segment_bytes;
    uint64_t written;      /* bytes of all records, also those of the past */
    uint64_t needed_bytes; /* of records that are still needed */
    uint64_t released, salt;
    bool pushed; /* nothing was written since */
};

static uint32_t head_of(const struct spool *spool)
{
    return spool->index.capacity;
}

/* ---- Records ---- */

static bool read_task(struct spool *spool, struct bytes record, struct spooled *task)
{
    struct message message;
    if (record.size < HEAD_BYTES) return false;
    if (record.data[0] > TMESH_DELIVER_WAIT || record.data[1] > 1) return false;
    struct bytes encoded = bytes_of(record.data + HEAD_BYTES, record.size - HEAD_BYTES);
    if (wire_decode(spool->decoder, encoded, &message) != WIRE_OK) return false;
    if (message.kind != MESSAGE_SUBMIT || message.u.submit.count != 1) return false;
    const struct submission *submission = &message.u.submit.items[0];
    if (id_is_zero(&submission->id) || !name_is_valid(submission->name)) return false;
    if (submission->queue.data != NULL && !name_is_valid(submission->queue)) return false;
    if (submission->payload.size > MESSAGE_PAYLOAD_BYTES_MAX) return false;
    *task = (struct spooled){.submission = *submission,
                             .deliver = (enum tmesh_deliver)record.data[0],
                             .report_accepted = record.data[1] != 0,
                             .ticket = TICKET_NONE};
    return true;
}

/* Appends the record; its number is spool_last then.  Returns its size, 0: out of memory. */
static uint32_t write_task(struct spool *spool, const struct spooled *task)
{
    const struct message message = {.kind = MESSAGE_SUBMIT,
                                    .u.submit = {.items = &task->submission, .count = 1}};
    struct bytes encoded;
    if (wire_encode(spool->encoder, &message, &encoded) != WIRE_OK) return 0;
    uint32_t bytes = HEAD_BYTES + encoded.size;
    uint8_t *record = journal_append(spool->journal, SPOOL_TASK, bytes);
    if (record == NULL) return 0;
    record[0] = (uint8_t)task->deliver;
    record[1] = task->report_accepted;
    memcpy(record + HEAD_BYTES, encoded.data, encoded.size);
    return bytes;
}

/* ---- The list ---- */

/* The record of the task in `slot` is the latest one, and the only one needed. */
static void note_record(struct spool *spool, uint32_t slot, uint32_t bytes, uint64_t lsn)
{
    struct spool_row *row = &spool->rows[slot];
    spool->needed_bytes += bytes - row->bytes;
    row->bytes = bytes;
    row->lsn = lsn;
    row->start = spool->written;
    spool->written += bytes + RECORD_OVERHEAD;
    spool->pushed = false;
    circle_remove(&spool->ages, slot);
    circle_append(&spool->ages, head_of(spool), slot);
}

static uint32_t add(struct spool *spool, const struct spooled *task)
{
    uint32_t slot = index_insert(&spool->index, &task->submission.id);
    if (slot == INDEX_NONE) return slot;
    spool->rows[slot] = (struct spool_row){.ticket = task->ticket};
    spool->rows[slot].payload_bytes = task->submission.payload.size;
    circle_reset(&spool->ages, slot);
    circle_reset(&spool->waits, slot);
    return slot;
}

/* The task in `slot` does not wait any more, whether it did or not. */
static void stop_waiting(struct spool *spool, uint32_t slot)
{
    struct spool_row *row = &spool->rows[slot];
    if (row->record.place == 0) return;
    circle_remove(&spool->waits, slot);
    store_drop(&spool->store, &row->record);
    spool->waiting--;
    spool->waiting_bytes -= row->payload_bytes;
    if (spool->waiting == 0 && spool->scribe != NULL) block_release(&spool->kept);
}

static void forget(struct spool *spool, uint32_t slot)
{
    stop_waiting(spool, slot);
    circle_remove(&spool->ages, slot);
    spool->needed_bytes -= spool->rows[slot].bytes;
    index_remove(&spool->index, slot);
}

bool spool_put(struct spool *spool, const struct spooled *task)
{
    uint32_t bytes = write_task(spool, task);
    if (bytes == 0) return false;
    uint32_t slot = add(spool, task);
    assert(slot != INDEX_NONE); /* there is a row for every ticket */
    note_record(spool, slot, bytes, journal_last(spool->journal));
    return true;
}

bool spool_move(struct spool *spool, const struct spooled *task)
{
    uint32_t slot = index_find(&spool->index, &task->submission.id);
    uint32_t bytes = write_task(spool, task);
    assert(slot != INDEX_NONE);
    if (bytes == 0) return false;
    note_record(spool, slot, bytes, journal_last(spool->journal));
    return true;
}

bool spool_knows(const struct spool *spool, const struct id *id)
{
    return index_find(&spool->index, id) != INDEX_NONE;
}

bool spool_holds(const struct spool *spool, const struct id *id, uint32_t ticket)
{
    uint32_t slot = index_find(&spool->index, id);
    return slot != INDEX_NONE && spool->rows[slot].ticket == ticket;
}

/* Without memory for the record the task is submitted again after a crash, which
 * its ventilator recognises. */
void spool_settle(struct spool *spool, const struct id *id)
{
    uint32_t slot = index_find(&spool->index, id);
    assert(slot != INDEX_NONE);
    uint8_t *record = journal_append(spool->journal, SPOOL_SETTLED, sizeof id->octets);
    if (record != NULL) memcpy(record, id->octets, sizeof id->octets);
    spool->written += sizeof id->octets + RECORD_OVERHEAD;
    spool->pushed = false;
    forget(spool, slot);
}

bool spool_first_waiting(struct spool *spool, struct spooled *task)
{
    uint32_t slot = circle_next(&spool->waits, head_of(spool));
    if (slot == head_of(spool)) return false;
    bool read = read_task(spool, store_get(&spool->store, spool->rows[slot].record), task);
    assert(read); /* it was, when it was found */
    return true;
}

bool spool_find_waiting(struct spool *spool, const struct id *id, struct spooled *task)
{
    uint32_t slot = index_find(&spool->index, id);
    if (slot == INDEX_NONE || spool->rows[slot].record.place == 0) return false;
    return read_task(spool, store_get(&spool->store, spool->rows[slot].record), task);
}

void spool_hand_out(struct spool *spool, const struct id *id, uint32_t ticket)
{
    uint32_t slot = index_find(&spool->index, id);
    assert(slot != INDEX_NONE && spool->rows[slot].record.place != 0);
    stop_waiting(spool, slot);
    spool->rows[slot].ticket = ticket;
}

/* So that what is written again is at most half of what can be removed for it. */
bool spool_is_pinned(const struct spool *spool, struct id *id, uint32_t *ticket)
{
    uint32_t slot = circle_next(&spool->ages, head_of(spool));
    if (slot == head_of(spool)) return false;
    uint64_t span = spool->written - spool->rows[slot].start;
    if (span <= 3 * spool->needed_bytes + 2 * spool->segment_bytes) return false;
    *id = spool->index.ids[slot];
    *ticket = spool->rows[slot].ticket;
    return true;
}

void spool_push(struct spool *spool)
{
    if (spool->pushed) return;
    uint32_t oldest = circle_next(&spool->ages, head_of(spool));
    uint64_t needed = oldest == head_of(spool) ? spool_last(spool) + 1 : spool->rows[oldest].lsn;
    if (needed > spool->released) journal_release(spool->journal, needed);
    spool->released = needed;
    spool->pushed = true;
    scribe_push(spool->scribe);
}

void spool_look(struct spool *spool, struct scribe_view *view)
{
    scribe_look(spool->scribe, view);
}

uint64_t spool_last(const struct spool *spool)
{
    return journal_last(spool->journal);
}

enum journal_error spool_flush(struct spool *spool, struct journal_fault *fault)
{
    spool_push(spool);
    return scribe_flush(spool->scribe, fault);
}

void spool_counts(const struct spool *spool, struct spool_counts *counts)
{
    *counts = (struct spool_counts){.tasks = spool->index.count,
                                    .waiting = spool->waiting,
                                    .waiting_bytes = spool->waiting_bytes,
                                    .torn_bytes = journal_torn(spool->journal).bytes};
}

/* ---- Opening ---- */

static enum tmesh_err explain(const struct spool *spool, const struct journal_fault *fault,
                              tmesh_error_t *error)
{
    return failure(error, failure_journal(fault->error), "spool %s: %s", spool->directory,
                   fault->text);
}

static void lay_out(struct spool *spool, struct arena *arena, uint32_t capacity)
{
    index_init(&spool->index, arena, capacity, spool->salt);
    spool->rows = arena_take(arena, (size_t)capacity + 1, sizeof *spool->rows);
}

/* Rows for what can be in the segments, and for one task for each ticket. */
static int make_table(struct spool *spool, uint32_t tasks_max)
{
    uint64_t found_max = journal_disk_bytes(spool->journal) / RECORD_BYTES_MIN;
    if (found_max > UINT32_MAX / 2) return -1;
    uint32_t capacity = (uint32_t)found_max + tasks_max;
    struct arena arena = {0};
    identity_random(&spool->salt, sizeof spool->salt);
    lay_out(spool, &arena, capacity);
    if (block_reserve(&spool->table, arena.used) != 0) return -1;
    arena = (struct arena){.base = spool->table.memory, .size = arena.used};
    lay_out(spool, &arena, capacity);
    spool->ages = (struct circles){(uint8_t *)&spool->rows->age, sizeof *spool->rows};
    spool->waits = (struct circles){(uint8_t *)&spool->rows->wait, sizeof *spool->rows};
    circle_reset(&spool->ages, head_of(spool));
    circle_reset(&spool->waits, head_of(spool));
    return 0;
}

/* Room for all that can be in the segments; given back when nothing waits any more. */
static int make_store(struct spool *spool)
{
    uint64_t bytes_max = journal_disk_bytes(spool->journal) / 2 * 3;
    struct arena arena = {0};
    store_init(&spool->store, &arena, bytes_max);
    if (block_reserve(&spool->kept, arena.used) != 0) return -1;
    arena = (struct arena){.base = spool->kept.memory, .size = arena.used};
    store_init(&spool->store, &arena, bytes_max);
    return 0;
}

enum found { FOUND_WELL, FOUND_DAMAGED, FOUND_TOO_MUCH };

static enum found find_task(struct spool *spool, const struct journal_record *record)
{
    struct spooled task;
    if (!read_task(spool, record->bytes, &task)) return FOUND_DAMAGED;
    uint32_t slot = index_find(&spool->index, &task.submission.id);
    if (slot == INDEX_NONE) slot = add(spool, &task);
    if (slot == INDEX_NONE) return FOUND_TOO_MUCH;
    struct spool_row *row = &spool->rows[slot];
    if (spool->kept.memory == NULL && make_store(spool) != 0) return FOUND_TOO_MUCH;
    struct stored kept = store_put(&spool->store, record->bytes);
    if (kept.place == 0) return FOUND_TOO_MUCH;
    if (row->record.place != 0) { /* it was moved */
        store_drop(&spool->store, &row->record);
    } else {
        spool->waiting++;
        spool->waiting_bytes += row->payload_bytes;
        circle_append(&spool->waits, head_of(spool), slot);
    }
    row->record = kept;
    note_record(spool, slot, record->bytes.size, record->lsn);
    return FOUND_WELL;
}

static enum found find_settled(struct spool *spool, const struct journal_record *record)
{
    struct id id;
    if (record->bytes.size != sizeof id.octets) return FOUND_DAMAGED;
    memcpy(id.octets, record->bytes.data, sizeof id.octets);
    uint32_t slot = index_find(&spool->index, &id);
    spool->written += sizeof id.octets + RECORD_OVERHEAD;
    if (slot != INDEX_NONE) forget(spool, slot);
    return FOUND_WELL;
}

static enum tmesh_err replay(struct spool *spool, tmesh_error_t *error)
{
    struct journal_fault fault = {0};
    for (;;) {
        struct journal_record record;
        enum journal_error next = journal_next(spool->journal, &record, &fault);
        if (next == JOURNAL_END) break;
        if (next != JOURNAL_OK) return explain(spool, &fault, error);
        enum found found = record.type == SPOOL_TASK      ? find_task(spool, &record)
                           : record.type == SPOOL_SETTLED ? find_settled(spool, &record)
                                                          : FOUND_DAMAGED;
        if (found == FOUND_WELL) continue;
        if (found == FOUND_TOO_MUCH) {
            return failure(error, TMESH_E_SYSTEM, "out of memory for what is in spool %s",
                           spool->directory);
        }
        return failure(error, TMESH_E_DAMAGED,
                       "spool %s: record %" PRIu64 " is sound but no task; see `tmesh journal "
                       "check`, and `tmesh journal salvage` to go on without it",
                       spool->directory, record.lsn);
    }
    if (spool->waiting == 0) block_release(&spool->kept);
    return TMESH_OK;
}

static enum tmesh_err open_journal(struct spool *spool, const struct spool_options *options,
                                   tmesh_error_t *error)
{
    struct journal_fault fault = {0};
    uint64_t secret;
    identity_random(&secret, sizeof secret);
    spool->files = disk_posix_new(options->directory, DISK_WRITE);
    if (spool->files == NULL) return failure(error, TMESH_E_SYSTEM, "out of memory");
    struct journal_options of_journal = {.disk = disk_posix_disk(spool->files),
                                         .use = JOURNAL_USE_SPOOL,
                                         .node = identity_node(),
                                         .secret = secret,
                                         .segment_bytes = spool->segment_bytes,
                                         .quota_bytes = options->bytes_max};
    if (journal_open(&of_journal, &spool->journal, &fault) != JOURNAL_OK) {
        return explain(spool, &fault, error);
    }
    if (make_table(spool, options->tasks_max) != 0) {
        return failure(error, TMESH_E_SYSTEM, "out of memory for spool %s", spool->directory);
    }
    enum tmesh_err result = replay(spool, error);
    if (result != TMESH_OK) return result;
    if (journal_start(spool->journal, &fault) != JOURNAL_OK) return explain(spool, &fault, error);
    spool->scribe = scribe_new(spool->journal, options->news, options->context);
    if (spool->scribe != NULL) return TMESH_OK;
    return failure(error, TMESH_E_SYSTEM, "cannot start the thread that writes the spool");
}

static uint64_t segment_bytes_of(uint64_t bytes_max)
{
    uint64_t bytes = bytes_max / SEGMENTS_MIN;
    if (bytes < JOURNAL_SEGMENT_BYTES_MIN) return JOURNAL_SEGMENT_BYTES_MIN;
    return bytes < JOURNAL_SEGMENT_BYTES ? bytes : JOURNAL_SEGMENT_BYTES;
}

struct spool *spool_open(const struct spool_options *options, tmesh_error_t *error)
{
    struct spool *spool = calloc(1, sizeof *spool);
    if (spool != NULL) {
        spool->directory = strdup(options->directory);
        spool->decoder = decoder_new();
        spool->encoder = encoder_new();
        spool->segment_bytes = segment_bytes_of(options->bytes_max);
    }
    if (spool == NULL || spool->directory == NULL || spool->decoder == NULL ||
        spool->encoder == NULL) {
        failure(error, TMESH_E_SYSTEM, "out of memory for the spool");
        spool_close(&spool);
        return NULL;
    }
    if (open_journal(spool, options, error) != TMESH_OK) spool_close(&spool);
    return spool;
}

void spool_close(struct spool **handle)
{
    struct spool *spool = *handle;
    if (spool == NULL) return;
    scribe_destroy(&spool->scribe);
    journal_close(&spool->journal);
    disk_posix_destroy(&spool->files);
    block_release(&spool->table);
    block_release(&spool->kept);
    decoder_destroy(&spool->decoder);
    encoder_destroy(&spool->encoder);
    free(spool->directory);
    free(spool);
    *handle = NULL;
}
