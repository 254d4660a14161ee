/* reader.c - a window that slides over a file, and the records in it. */
#include "reader.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum { WINDOW_BYTES = 128 * 1024 };

void reader_open(struct reader *reader, const struct disk *disk, int file, uint64_t size,
                 uint64_t epoch)
{
    reader->disk = disk;
    reader->file = file;
    reader->size = size;
    reader->epoch = epoch;
    reader->at = size < SEGMENT_DATA_AT ? size : SEGMENT_DATA_AT;
    reader->held = 0;
    reader->error = 0;
}

void reader_free(struct reader *reader)
{
    free(reader->window);
    *reader = (struct reader){0};
}

static bool grow(struct reader *reader, size_t bytes)
{
    if (bytes <= reader->capacity) return true;
    size_t capacity = bytes > WINDOW_BYTES ? bytes : WINDOW_BYTES;
    uint8_t *window = realloc(reader->window, capacity);
    if (window == NULL) {
        reader->error = ENOMEM;
        return false;
    }
    reader->window = window;
    reader->capacity = capacity;
    return true;
}

/* `bytes` bytes at `offset`, which lie inside the file; NULL with `error` set. */
static const uint8_t *look(struct reader *reader, uint64_t offset, size_t bytes)
{
    assert(offset + bytes <= reader->size);
    if (offset >= reader->from && offset + bytes <= reader->from + reader->held)
        return reader->window + (offset - reader->from);
    if (!grow(reader, bytes)) return NULL;
    size_t keep = 0;
    if (offset >= reader->from && offset < reader->from + reader->held) {
        keep = (size_t)(reader->from + reader->held - offset);
        memmove(reader->window, reader->window + (offset - reader->from), keep);
    }
    reader->from = offset;
    reader->held = keep;
    uint64_t left = reader->size - offset - keep;
    size_t room = reader->capacity - keep;
    size_t got = 0, want = left < room ? (size_t)left : room;
    reader->error = reader->disk->read(reader->disk->self, reader->file, offset + keep,
                                       reader->window + keep, want, &got);
    if (reader->error != 0) {
        reader->held = 0;
        return NULL;
    }
    reader->held += got;
    /* The file became shorter while we read it. */
    if (reader->held < bytes) reader->error = EIO;
    return reader->held < bytes ? NULL : reader->window;
}

static bool all_zero(const uint8_t *data, size_t bytes)
{
    return bytes == 0 || (data[0] == 0 && memcmp(data, data + 1, bytes - 1) == 0);
}

enum reader_found reader_last_byte(struct reader *reader, uint64_t *offset)
{
    *offset = reader->at;
    uint64_t at = reader->at;
    while (at < reader->size) {
        uint64_t left = reader->size - at;
        size_t bytes = left < WINDOW_BYTES / 8 ? (size_t)left : WINDOW_BYTES / 8;
        const uint8_t *data = look(reader, at, bytes);
        if (data == NULL) return READER_FAILED;
        if (!all_zero(data, bytes)) {
            size_t last = bytes;
            while (data[last - 1] == 0) last--;
            *offset = at + last;
        }
        at += bytes;
    }
    return READER_END;
}

enum reader_found reader_write_again(struct reader *reader, uint64_t from, uint64_t to)
{
    const struct disk *disk = reader->disk;
    while (from < to) {
        size_t bytes = to - from < WINDOW_BYTES ? (size_t)(to - from) : WINDOW_BYTES;
        const uint8_t *data = look(reader, from, bytes);
        if (data == NULL) return READER_FAILED;
        reader->error = disk->write(disk->self, reader->file, from, data, bytes);
        if (reader->error != 0) return READER_FAILED;
        from += bytes;
    }
    return READER_END;
}

/* The record at `at`, if its header is sound and its body inside the file. */
static enum reader_found try_record(struct reader *reader, struct reader_record *record)
{
    *record = (struct reader_record){.at = reader->at};
    if (reader->size - reader->at < RECORD_HEADER_BYTES) return READER_HOLE;
    const uint8_t *data = look(reader, reader->at, RECORD_HEADER_BYTES);
    if (data == NULL) return READER_FAILED;
    struct record_header header;
    if (!record_header_read(data, reader->epoch, &header)) return READER_HOLE;
    record->header = header;
    uint32_t bytes = record_bytes(header.bytes);
    if (bytes > reader->size - reader->at) return READER_HEADER;
    data = look(reader, reader->at, bytes);
    if (data == NULL) return READER_FAILED;
    if (!record_body_check(data, &header)) return READER_HEADER;
    record->body = bytes_of(data + RECORD_HEADER_BYTES, header.bytes);
    return READER_RECORD;
}

static void pass(struct reader *reader, uint64_t bytes)
{
    uint64_t left = reader->size - reader->at;
    reader->at += bytes < left ? bytes : left;
}

enum reader_found reader_next(struct reader *reader, struct reader_record *record)
{
    assert(reader->at % RECORD_ALIGN == 0 || reader->at == reader->size);
    enum reader_found found = READER_HOLE;
    *record = (struct reader_record){.at = reader->at};
    if (reader->at < reader->size) found = try_record(reader, record);
    if (found == READER_RECORD) pass(reader, record_bytes(record->header.bytes));
    if (found == READER_HEADER) return READER_HOLE;
    if (found != READER_HOLE) return found;
    uint64_t last;
    if (reader_last_byte(reader, &last) == READER_FAILED) return READER_FAILED;
    return last == reader->at ? READER_END : READER_HOLE;
}

/* Moves over zeros, to where a record can begin. */
static bool skip_zeros(struct reader *reader)
{
    while (reader->size - reader->at >= RECORD_HEADER_BYTES) {
        uint64_t left = reader->size - reader->at;
        size_t bytes = left < 4096 ? (size_t)left : 4096;
        const uint8_t *data = look(reader, reader->at, bytes);
        if (data == NULL) return false;
        size_t zeros = 0;
        while (zeros + RECORD_ALIGN <= bytes && all_zero(data + zeros, RECORD_ALIGN))
            zeros += RECORD_ALIGN;
        reader->at += zeros;
        if (zeros + RECORD_ALIGN <= bytes) return true;
        if (zeros == 0) break;
    }
    reader->at = reader->size;
    return true;
}

enum reader_found reader_seek(struct reader *reader, struct reader_record *record)
{
    for (;;) {
        if (!skip_zeros(reader)) return READER_FAILED;
        if (reader->at == reader->size) return READER_END;
        enum reader_found found = try_record(reader, record);
        if (found == READER_FAILED) return found;
        if (found != READER_HOLE) {
            pass(reader, record_bytes(record->header.bytes));
            return found;
        }
        pass(reader, RECORD_ALIGN);
    }
}
