/* segment.h - one file of a journal: its name, its header, and how a record is
 * framed.
 *
 * Owns: the bytes, as FORMAT.md fixes them.  Not here: which records there are
 * and what is missing among them (reader.h, journal_replay.c).
 */
#ifndef JOURNAL_SEGMENT_H
#define JOURNAL_SEGMENT_H

#include "../core/id.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SEGMENT_VERSION = 1,
    SEGMENT_HEADER_BYTES = 64,
    SEGMENT_COPY_AT = 4096, /* of the header, where one bad block does not reach both */
    SEGMENT_DATA_AT = 8192, /* the first record */
    SEGMENT_NAME_BYTES = 32,
    RECORD_HEADER_BYTES = 24,
    RECORD_ALIGN = 8,
    RECORD_BYTES_MAX = 4 * 1024 * 1024, /* of a body */
    CONTROL_TYPE = 0,
    CONTROL_BODY_BYTES = 16,
    CONTROL_BYTES = RECORD_HEADER_BYTES + CONTROL_BODY_BYTES
};

struct segment_header {
    uint16_t version;
    uint8_t use;
    struct id node;
    uint64_t number; /* 1, 2, 3 .. without gaps */
    uint64_t epoch;  /* goes into every checksum of the segment */
};

enum segment_check { SEGMENT_GOOD, SEGMENT_BAD, SEGMENT_LATER };

void segment_header_write(const struct segment_header *header, uint8_t bytes[SEGMENT_HEADER_BYTES]);

/* SEGMENT_LATER: sound, but of a version that is not ours; only `version` is then filled in. */
enum segment_check segment_header_read(const uint8_t bytes[SEGMENT_HEADER_BYTES],
                                       struct segment_header *header);

/* "journal-0000000007"; with a suffix, such as ".new", what is not a segment yet. */
void segment_name(uint64_t number, const char *suffix, char name[SEGMENT_NAME_BYTES]);

/* The number of a file whose name is one of segment_name's, with that suffix; 0
 * if it is not. */
uint64_t segment_number(const char *name, const char *suffix);

/* What stands in front of a body. */
struct record_header {
    uint32_t bytes; /* of the body */
    uint8_t type;
    uint32_t unsynced; /* how many records before this one were not known to be synced */
    uint64_t lsn;
    uint32_t body_crc;
};

/* What a record takes in a segment: header, body, padding. */
static inline uint32_t record_bytes(uint32_t body)
{
    return (RECORD_HEADER_BYTES + body + RECORD_ALIGN - 1) / RECORD_ALIGN * RECORD_ALIGN;
}

/* Every number through this one was synced before the record was written. */
static inline uint64_t record_synced(const struct record_header *header)
{
    return header->lsn - 1 - header->unsynced;
}

/* A record is begun when its place is found, which says how long it is, and sealed
 * when all else is known: body and padding stand behind it, and where it goes. */
void record_begin(uint8_t *record, uint8_t type, uint32_t body);
uint32_t record_begun_bytes(const uint8_t *record);
void record_seal(uint8_t *record, uint64_t epoch, uint64_t lsn, uint64_t synced);

/* Whether these bytes are a record's header, written in this epoch. */
bool record_header_read(const uint8_t bytes[RECORD_HEADER_BYTES], uint64_t epoch,
                        struct record_header *header);

/* Whether body and padding, behind a header that was read, are what was written. */
bool record_body_check(const uint8_t *record, const struct record_header *header);

/* Records of the journal's own, CONTROL_TYPE.  They use no number up: `lsn` is
 * that of the next record. */
enum control_kind {
    CONTROL_OPENING = 1, /* the first of every segment */
    CONTROL_MARK = 2,    /* says what is synced, and which segments are needed no more */
    CONTROL_SEAL = 3     /* the last of every segment that is followed by another */
};

struct control {
    enum control_kind kind;
    uint64_t oldest; /* segments with smaller numbers may be gone */
};

void control_write(uint8_t record[CONTROL_BYTES], uint64_t epoch, struct control control,
                   uint64_t lsn, uint64_t synced);
bool control_read(const uint8_t *body, size_t bytes, struct control *control);

#endif
