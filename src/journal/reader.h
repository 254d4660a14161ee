/* reader.h - goes through one segment from front to back.
 *
 * Owns: a window on the file, and where the next record should be.  Judges
 * nothing: what a hole means is decided by who reads on behind it.
 */
#ifndef JOURNAL_READER_H
#define JOURNAL_READER_H

#include "../core/bytes.h"
#include "disk.h"
#include "segment.h"

struct reader {
    const struct disk *disk;
    int file; /* the caller's */
    uint64_t size, epoch;
    uint64_t at; /* of the next record */
    uint8_t *window;
    size_t capacity, held;
    uint64_t from; /* where in the file the window begins */
    int error;     /* after READER_FAILED: errno */
};

enum reader_found {
    READER_RECORD,
    READER_HEADER, /* reader_seek only: header sound, body not */
    READER_HOLE,   /* something stands here that is no record */
    READER_END,    /* nothing but zeros from here on */
    READER_FAILED  /* the disk, or no memory */
};

struct reader_record {
    uint64_t at;
    struct record_header header;
    struct bytes body; /* borrowed until the next call */
};

/* `reader` is zero, or was used before and keeps its window. */
void reader_open(struct reader *reader, const struct disk *disk, int file, uint64_t size,
                 uint64_t epoch);
void reader_free(struct reader *reader);

/* The record at `at`, and moves behind it.  After READER_HOLE and READER_END it
 * has not moved; record->header is filled in when at least that is sound, else
 * its lsn is 0. */
enum reader_found reader_next(struct reader *reader, struct reader_record *record);

/* The next record whose header is sound, at `at` or anywhere behind; READER_END
 * when there is none, and then `at` is the end of the file. */
enum reader_found reader_seek(struct reader *reader, struct reader_record *record);

/* Writes what stands between two offsets to where it stands: READER_END, or
 * READER_FAILED.  After a sync that failed, a system may take bytes for written that
 * it only remembers; these it has to write. */
enum reader_found reader_write_again(struct reader *reader, uint64_t from, uint64_t to);

/* The offset behind the last byte from `at` on that is not zero, or `at`. */
enum reader_found reader_last_byte(struct reader *reader, uint64_t *offset);

#endif
