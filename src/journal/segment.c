/* segment.c - the bytes of segments and records; FORMAT.md has the pictures. */
#include "segment.h"
#include "crc32c.h"
#include "little.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const uint8_t MAGIC[8] = {'T', 'M', 'J', 'O', 'U', 'R', 'N', 'L'};

enum {
    VERSION_AT = 8,
    USE_AT = 10,
    NODE_AT = 16,
    NUMBER_AT = 32,
    EPOCH_AT = 40,
    HEADER_CRC_AT = SEGMENT_HEADER_BYTES - 4
};

void segment_header_write(const struct segment_header *header, uint8_t bytes[SEGMENT_HEADER_BYTES])
{
    assert(header->number > 0);
    memset(bytes, 0, SEGMENT_HEADER_BYTES);
    memcpy(bytes, MAGIC, sizeof MAGIC);
    little_write16(bytes + VERSION_AT, header->version);
    bytes[USE_AT] = header->use;
    memcpy(bytes + NODE_AT, header->node.octets, sizeof header->node.octets);
    little_write64(bytes + NUMBER_AT, header->number);
    little_write64(bytes + EPOCH_AT, header->epoch);
    little_write32(bytes + HEADER_CRC_AT, crc32c(0, bytes, HEADER_CRC_AT));
}

enum segment_check segment_header_read(const uint8_t bytes[SEGMENT_HEADER_BYTES],
                                       struct segment_header *header)
{
    *header = (struct segment_header){0};
    /* Magic, version and checksum stay where they are in every version. */
    if (memcmp(bytes, MAGIC, sizeof MAGIC) != 0) return SEGMENT_BAD;
    if (little_read32(bytes + HEADER_CRC_AT) != crc32c(0, bytes, HEADER_CRC_AT)) return SEGMENT_BAD;
    header->version = little_read16(bytes + VERSION_AT);
    if (header->version != SEGMENT_VERSION) return SEGMENT_LATER;
    header->use = bytes[USE_AT];
    memcpy(header->node.octets, bytes + NODE_AT, sizeof header->node.octets);
    header->number = little_read64(bytes + NUMBER_AT);
    header->epoch = little_read64(bytes + EPOCH_AT);
    return header->number > 0 ? SEGMENT_GOOD : SEGMENT_BAD;
}

static const char PREFIX[] = "journal-";
enum { PREFIX_BYTES = sizeof PREFIX - 1, DIGITS = 10 };
static const uint64_t NUMBER_MAX = 9999999999U;

void segment_name(uint64_t number, const char *suffix, char name[SEGMENT_NAME_BYTES])
{
    assert(number > 0 && number <= NUMBER_MAX);
    int bytes = snprintf(name, SEGMENT_NAME_BYTES, "%s%010llu%s", PREFIX,
                         (unsigned long long)number, suffix);
    assert(bytes > 0 && bytes < SEGMENT_NAME_BYTES);
}

uint64_t segment_number(const char *name, const char *suffix)
{
    if (strncmp(name, PREFIX, PREFIX_BYTES) != 0) return 0;
    uint64_t number = 0;
    const char *digits = name + PREFIX_BYTES;
    for (int i = 0; i < DIGITS; i++) {
        if (digits[i] < '0' || digits[i] > '9') return 0;
        number = number * 10 + (uint64_t)(digits[i] - '0');
    }
    return strcmp(digits + DIGITS, suffix) == 0 ? number : 0;
}

/* A record's header:
 *
 *   0            4          8            12         16
 *   header crc   body crc   bytes|type   unsynced   lsn
 *
 * The first covers the epoch and the 20 bytes behind it, and so the second,
 * which covers body and padding.  A header that stands alone is therefore known
 * for one, and nobody who only knows what a body contains can make one. */
enum { BODY_CRC_AT = 4, SIZE_AT = 8, UNSYNCED_AT = 12, LSN_AT = 16, SIZE_MASK = 0xffffff };

static uint32_t header_crc(const uint8_t *header, uint64_t epoch)
{
    enum { COVERED_BYTES = RECORD_HEADER_BYTES - BODY_CRC_AT };
    uint8_t bytes[8 + COVERED_BYTES];
    little_write64(bytes, epoch);
    memcpy(bytes + 8, header + BODY_CRC_AT, COVERED_BYTES);
    return crc32c(0, bytes, sizeof bytes);
}

static uint32_t body_crc(const uint8_t *record, uint32_t bytes)
{
    return crc32c(0, record + RECORD_HEADER_BYTES, bytes - RECORD_HEADER_BYTES);
}

void record_begin(uint8_t *record, uint8_t type, uint32_t body)
{
    assert(body <= RECORD_BYTES_MAX);
    little_write32(record + SIZE_AT, body | (uint32_t)type << 24);
}

uint32_t record_begun_bytes(const uint8_t *record)
{
    return record_bytes(little_read32(record + SIZE_AT) & SIZE_MASK);
}

void record_seal(uint8_t *record, uint64_t epoch, uint64_t lsn, uint64_t synced)
{
    assert(synced < lsn && lsn - 1 - synced <= UINT32_MAX);
    little_write32(record + BODY_CRC_AT, body_crc(record, record_begun_bytes(record)));
    little_write32(record + UNSYNCED_AT, (uint32_t)(lsn - 1 - synced));
    little_write64(record + LSN_AT, lsn);
    little_write32(record, header_crc(record, epoch));
}

bool record_header_read(const uint8_t bytes[RECORD_HEADER_BYTES], uint64_t epoch,
                        struct record_header *header)
{
    uint32_t size = little_read32(bytes + SIZE_AT);
    *header = (struct record_header){
        .bytes = size & SIZE_MASK,
        .type = (uint8_t)(size >> 24),
        .unsynced = little_read32(bytes + UNSYNCED_AT),
        .lsn = little_read64(bytes + LSN_AT),
        .body_crc = little_read32(bytes + BODY_CRC_AT),
    };
    /* The cheap tests first: a search asks this of every eighth byte. */
    if (header->bytes > RECORD_BYTES_MAX || header->lsn <= header->unsynced) return false;
    return little_read32(bytes) == header_crc(bytes, epoch);
}

bool record_body_check(const uint8_t *record, const struct record_header *header)
{
    return header->body_crc == body_crc(record, record_bytes(header->bytes));
}

void control_write(uint8_t record[CONTROL_BYTES], uint64_t epoch, struct control control,
                   uint64_t lsn, uint64_t synced)
{
    uint8_t *body = record + RECORD_HEADER_BYTES;
    memset(body, 0, CONTROL_BODY_BYTES);
    body[0] = (uint8_t)control.kind;
    little_write64(body + 8, control.oldest);
    record_begin(record, CONTROL_TYPE, CONTROL_BODY_BYTES);
    record_seal(record, epoch, lsn, synced);
}

bool control_read(const uint8_t *body, size_t bytes, struct control *control)
{
    if (bytes != CONTROL_BODY_BYTES) return false;
    *control = (struct control){(enum control_kind)body[0], little_read64(body + 8)};
    return body[0] >= CONTROL_OPENING && body[0] <= CONTROL_SEAL;
}
