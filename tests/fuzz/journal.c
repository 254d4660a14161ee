/* journal.c - libFuzzer target: any bytes at all as the segments of a journal, and as
 * an entry.
 *
 * Beyond not crashing: what a journal takes, it can go on with, and reads again; and
 * an entry that was read is written as the same bytes.  The first byte of the input
 * chooses: even, an entry, whose type is the second; odd, what lies behind sound
 * headers, and the second says where the first segment ends and the next begins.
 * Bit 1 of the first byte seals records that look like some, so that the fuzzer need
 * not find checksums by itself.
 */
#include "../../src/journal/journal.h"
#include "../../src/journal/entry.h"
#include "../../src/journal/inspect.h"

#include <errno.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FILES = 4, FILE_BYTES = 48 * 1024, SECRET = 7 };

/* As small a disk as will do: all of it is there until the end. */
struct shelf {
    struct disk table;
    char names[FILES][SEGMENT_NAME_BYTES];
    uint8_t *bytes[FILES];
    uint64_t sizes[FILES];
};

static int shelf_zero(void *self)
{
    (void)self;
    return 0;
}

static void shelf_nothing(void *self)
{
    (void)self;
}

static void shelf_close(void *self, int file)
{
    (void)self;
    (void)file;
}

static int shelf_list(void *self, disk_name_fn *each, void *context)
{
    struct shelf *shelf = self;
    for (int i = 0; i < FILES; i++)
        if (shelf->names[i][0] != '\0') each(shelf->names[i], context);
    return 0;
}

static int shelf_open(void *self, const char *name, int *file)
{
    struct shelf *shelf = self;
    for (*file = 0; *file < FILES; ++*file)
        if (strcmp(shelf->names[*file], name) == 0) return 0;
    return ENOENT;
}

static int shelf_create(void *self, const char *name, int *file)
{
    struct shelf *shelf = self;
    if (shelf_open(self, name, file) == 0) return EEXIST;
    if (shelf_open(self, "", file) != 0) return ENOSPC;
    strcpy(shelf->names[*file], name);
    shelf->bytes[*file] = calloc(1, FILE_BYTES);
    if (shelf->bytes[*file] == NULL) abort();
    shelf->sizes[*file] = 0;
    return 0;
}

static int shelf_size(void *self, int file, uint64_t *bytes)
{
    *bytes = ((struct shelf *)self)->sizes[file];
    return 0;
}

static int shelf_read(void *self, int file, uint64_t offset, void *data, size_t bytes, size_t *got)
{
    struct shelf *shelf = self;
    uint64_t left = offset < shelf->sizes[file] ? shelf->sizes[file] - offset : 0;
    *got = left < bytes ? (size_t)left : bytes;
    memcpy(data, shelf->bytes[file] + offset, *got);
    return 0;
}

static int shelf_write(void *self, int file, uint64_t offset, const void *data, size_t bytes)
{
    struct shelf *shelf = self;
    if (offset + bytes > FILE_BYTES) return ENOSPC;
    memcpy(shelf->bytes[file] + offset, data, bytes);
    if (offset + bytes > shelf->sizes[file]) shelf->sizes[file] = offset + bytes;
    return 0;
}

static int shelf_truncate(void *self, int file, uint64_t bytes)
{
    struct shelf *shelf = self;
    if (bytes < shelf->sizes[file])
        memset(shelf->bytes[file] + bytes, 0, (size_t)(shelf->sizes[file] - bytes));
    shelf->sizes[file] = bytes;
    return 0;
}

static int shelf_sync(void *self, int file)
{
    (void)self;
    (void)file;
    return 0;
}

static int shelf_rename(void *self, const char *from, const char *to)
{
    int file;
    if (shelf_open(self, from, &file) != 0) return ENOENT;
    strcpy(((struct shelf *)self)->names[file], to);
    return 0;
}

static int shelf_remove(void *self, const char *name)
{
    struct shelf *shelf = self;
    int file;
    if (shelf_open(self, name, &file) != 0) return ENOENT;
    shelf->names[file][0] = '\0';
    free(shelf->bytes[file]);
    shelf->bytes[file] = NULL;
    return 0;
}

static int shelf_room(void *self, uint64_t *bytes)
{
    (void)self;
    *bytes = UINT64_MAX / 2;
    return 0;
}

static void shelf_hasten(void *self, int file, uint64_t offset, uint64_t bytes)
{
    (void)self;
    (void)file;
    (void)offset;
    (void)bytes;
}

static void shelf_init(struct shelf *shelf)
{
    *shelf = (struct shelf){.table = {.self = shelf,
                                      .enter = shelf_zero,
                                      .leave = shelf_nothing,
                                      .list = shelf_list,
                                      .create = shelf_create,
                                      .open = shelf_open,
                                      .close = shelf_close,
                                      .size = shelf_size,
                                      .read = shelf_read,
                                      .write = shelf_write,
                                      .truncate = shelf_truncate,
                                      .sync = shelf_sync,
                                      .hasten = shelf_hasten,
                                      .rename = shelf_rename,
                                      .remove = shelf_remove,
                                      .sync_names = shelf_zero,
                                      .room = shelf_room}};
}

/* Gives checksums to what has the length and the number of a record. */
static void seal_all(uint8_t *bytes, uint64_t size, uint64_t epoch)
{
    uint64_t at = SEGMENT_DATA_AT, lsn = 1;
    while (at + RECORD_HEADER_BYTES <= size) {
        uint32_t whole = record_begun_bytes(bytes + at);
        if (whole > size - at) return;
        uint8_t back = bytes[at + 12]; /* as far as it says that records were not synced */
        record_seal(bytes + at, epoch, lsn, back < lsn ? lsn - 1 - back : 0);
        if (bytes[at + 11] != CONTROL_TYPE) lsn++;
        at += whole;
    }
}

static void put(struct shelf *shelf, uint64_t number, const uint8_t *data, size_t size, bool seal)
{
    struct segment_header header = {
        SEGMENT_VERSION, JOURNAL_USE_VENTILATOR, {{1}}, number, SECRET + number};
    char name[SEGMENT_NAME_BYTES];
    int file;
    segment_name(number, "", name);
    if (size > FILE_BYTES - SEGMENT_DATA_AT) size = FILE_BYTES - SEGMENT_DATA_AT;
    if (shelf_create(shelf, name, &file) != 0) abort();
    segment_header_write(&header, shelf->bytes[file]);
    segment_header_write(&header, shelf->bytes[file] + SEGMENT_COPY_AT);
    memcpy(shelf->bytes[file] + SEGMENT_DATA_AT, data, size);
    shelf->sizes[file] = SEGMENT_DATA_AT + size;
    if (seal) seal_all(shelf->bytes[file], shelf->sizes[file], SECRET + number);
}

static enum journal_error replay(const struct disk *disk, struct journal **journal,
                                 struct journal_fault *fault)
{
    struct journal_options options = {
        .disk = disk, .use = JOURNAL_USE_VENTILATOR, .segment_bytes = FILE_BYTES};
    struct journal_record record;
    uint64_t last = 0;
    enum journal_error error = journal_open(&options, journal, fault);
    while (error == JOURNAL_OK) {
        error = journal_next(*journal, &record, fault);
        if (error != JOURNAL_OK) break;
        if (record.lsn <= last || record.type == 0) abort();
        last = record.lsn;
    }
    return error;
}

static bool count(const struct inspected_record *record, void *context)
{
    (void)record;
    ++*(uint64_t *)context;
    return true;
}

/* Whatever the bytes are, inspection comes to an end; and what the journal takes, it
 * takes again after it went on. */
static void check_journal(struct shelf *shelf)
{
    struct journal_fault fault;
    struct journal *journal;
    struct inspection inspection;
    uint64_t seen = 0, durable;
    struct inspect_options options = {.disk = &shelf->table, .record = count, .context = &seen};
    if (inspect(&options, &inspection, &fault) == JOURNAL_OK && inspection.records != seen) abort();
    inspection_free(&inspection);
    enum journal_error error = replay(&shelf->table, &journal, &fault);
    if (error == JOURNAL_END && journal_start(journal, &fault) == JOURNAL_OK) {
        memset(journal_append(journal, 9, 100), 9, 100);
        if (!journal_hand_over(journal)) abort();
        if (journal_commit(journal, &durable, &fault) != JOURNAL_OK) abort();
        journal_close(&journal);
        if (replay(&shelf->table, &journal, &fault) != JOURNAL_END) abort();
        if (journal_last(journal) != durable || journal_torn_bytes(journal) != 0) abort();
    }
    journal_close(&journal);
}

static void check_entry(uint8_t type, const uint8_t *data, size_t size)
{
    struct journal_entry entry;
    if (!entry_read(type, bytes_of(data, size), &entry)) return;
    if (entry_bytes(&entry) != size) abort();
    uint8_t *again = malloc(size);
    if (again == NULL) abort();
    entry_write(&entry, again, (uint32_t)size);
    if (memcmp(again, data, size) != 0) abort();
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct shelf shelf;
    if (size < 2) return 0;
    if (data[0] % 2 == 0) {
        check_entry(data[1], data + 2, size - 2);
        return 0;
    }
    size_t cut = 2 + (size_t)data[1] * 64;
    if (cut > size) cut = size;
    shelf_init(&shelf);
    bool seal = (data[0] & 2) != 0;
    put(&shelf, 1, data + 2, cut - 2, seal);
    if (cut < size) put(&shelf, 2, data + cut, size - cut, seal);
    check_journal(&shelf);
    for (int i = 0; i < FILES; i++) free(shelf.bytes[i]);
    return 0;
}
