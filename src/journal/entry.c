/* entry.c - sizes first, then the bytes; and every length checked on the way back. */
#include "entry.h"
#include "little.h"
#include "segment.h"

#include <assert.h>

/* Which of an entry's values are there; an empty value is not the same as none. */
enum {
    HAS_PAYLOAD = 1,
    HAS_RESULT = 2,
    HAS_TEXT = 4,
    HAS_LIMITS = 8,
    HAS_ORDER = 16,
    HAS_KNOWN = HAS_PAYLOAD | HAS_RESULT | HAS_TEXT | HAS_LIMITS | HAS_ORDER
};

enum {
    ID_BYTES = 16,
    LEASED_BYTES = ID_BYTES + 12,
    SETTLED_BYTES = ID_BYTES + 1,
    BLOCK_BYTES = 62,
    VALUES_AT = ID_BYTES + BLOCK_BYTES - 1,
    LIMITS_BYTES = 8,
    ORDER_BYTES = 8
};

static uint8_t allowed(enum journal_entry_kind kind)
{
    switch (kind) {
    case JOURNAL_TASK: return HAS_PAYLOAD | HAS_RESULT | HAS_TEXT | HAS_LIMITS | HAS_ORDER;
    case JOURNAL_DONE: return HAS_RESULT | HAS_TEXT;
    case JOURNAL_CHANGED: return HAS_TEXT;
    case JOURNAL_LEASED:
    case JOURNAL_SETTLED:
    case JOURNAL_GIVEN_UP: return 0;
    }
    return 0;
}

static uint8_t present(const struct journal_entry *entry)
{
    uint8_t flags = entry->payload.data == NULL ? 0 : HAS_PAYLOAD;
    if (entry->result.data != NULL) flags |= HAS_RESULT;
    if (entry->text.data != NULL) flags |= HAS_TEXT;
    if (entry->soft_ms != 0 || entry->stalled_ms != 0) flags |= HAS_LIMITS;
    if (entry->order != 0) flags |= HAS_ORDER;
    return flags & allowed(entry->kind);
}

uint32_t entry_bytes(const struct journal_entry *entry)
{
    switch (entry->kind) {
    case JOURNAL_LEASED: return LEASED_BYTES;
    case JOURNAL_SETTLED: return SETTLED_BYTES;
    case JOURNAL_GIVEN_UP: return ID_BYTES;
    case JOURNAL_TASK:
    case JOURNAL_DONE:
    case JOURNAL_CHANGED: break;
    }
    uint8_t values = present(entry);
    uint64_t bytes = ID_BYTES + BLOCK_BYTES;
    if (entry->kind == JOURNAL_TASK) bytes += 2 + (uint64_t)entry->queue.size + entry->name.size;
    if (values & HAS_PAYLOAD) bytes += 4 + (uint64_t)entry->payload.size;
    if (values & HAS_RESULT) bytes += 4 + (uint64_t)entry->result.size;
    if (values & HAS_TEXT) bytes += 4 + (uint64_t)entry->text.size;
    if (values & HAS_LIMITS) bytes += LIMITS_BYTES;
    if (values & HAS_ORDER) bytes += ORDER_BYTES;
    assert(bytes <= RECORD_BYTES_MAX);
    return (uint32_t)bytes;
}

static uint8_t *write_bytes(uint8_t *at, struct bytes bytes)
{
    if (bytes.size > 0) memcpy(at, bytes.data, bytes.size);
    return at + bytes.size;
}

static uint8_t *write_name(uint8_t *at, struct bytes name)
{
    assert(name.size <= MESSAGE_NAME_BYTES_MAX);
    *at = (uint8_t)name.size;
    return write_bytes(at + 1, name);
}

static uint8_t *write_value(uint8_t *at, struct bytes value)
{
    little_write32(at, value.size);
    return write_bytes(at + 4, value);
}

/* All but names and values. */
static uint8_t *write_block(uint8_t *at, const struct journal_entry *entry, uint8_t values)
{
    memcpy(at, entry->owner.octets, ID_BYTES);
    little_write64(at + 16, entry->token);
    little_write64(at + 24, entry->delay_ns);
    little_write32(at + 32, entry->attempt);
    little_write32(at + 36, entry->backoff_ms);
    little_write32(at + 40, entry->backoff_ms_max);
    little_write32(at + 44, entry->limit_ms);
    little_write16(at + 48, entry->failures);
    little_write16(at + 50, entry->crashes);
    little_write16(at + 52, entry->losses);
    little_write16(at + 54, entry->attempts_max);
    little_write16(at + 56, entry->crashes_max);
    at[58] = (uint8_t)entry->state;
    at[59] = (uint8_t)entry->reason;
    at[60] = entry->kept;
    at[61] = values;
    return at + BLOCK_BYTES;
}

static uint8_t *write_limits(uint8_t *at, const struct journal_entry *entry)
{
    little_write32(at, entry->soft_ms);
    little_write32(at + 4, entry->stalled_ms);
    return at + LIMITS_BYTES;
}

static uint8_t *write_leased(uint8_t *at, const struct journal_entry *entry)
{
    little_write64(at, entry->token);
    little_write32(at + 8, entry->attempt);
    return at + 12;
}

static uint8_t *write_whole(uint8_t *at, const struct journal_entry *entry)
{
    uint8_t values = present(entry);
    at = write_block(at, entry, values);
    if (entry->kind == JOURNAL_TASK) {
        at = write_name(at, entry->queue);
        at = write_name(at, entry->name);
    }
    if (values & HAS_PAYLOAD) at = write_value(at, entry->payload);
    if (values & HAS_RESULT) at = write_value(at, entry->result);
    if (values & HAS_TEXT) at = write_value(at, entry->text);
    if (values & HAS_LIMITS) at = write_limits(at, entry);
    if (values & HAS_ORDER) {
        little_write64(at, entry->order);
        at += ORDER_BYTES;
    }
    return at;
}

void entry_write(const struct journal_entry *entry, uint8_t *into, uint32_t bytes)
{
    uint8_t *at = into;
    memcpy(at, entry->id.octets, ID_BYTES);
    at += ID_BYTES;
    switch (entry->kind) {
    case JOURNAL_LEASED: at = write_leased(at, entry); break;
    case JOURNAL_SETTLED: *at++ = entry->kept; break;
    case JOURNAL_GIVEN_UP: break;
    case JOURNAL_TASK:
    case JOURNAL_DONE:
    case JOURNAL_CHANGED: at = write_whole(at, entry); break;
    }
    assert(at == into + bytes);
}

/* What is left to read. */
struct rest {
    const uint8_t *at;
    uint32_t size;
};

static const uint8_t *take(struct rest *rest, uint32_t bytes)
{
    if (rest->size < bytes) return NULL;
    const uint8_t *taken = rest->at;
    rest->at += bytes;
    rest->size -= bytes;
    return taken;
}

static bool read_name(struct rest *rest, struct bytes *name)
{
    const uint8_t *size = take(rest, 1);
    if (size == NULL || *size > MESSAGE_NAME_BYTES_MAX) return false;
    const uint8_t *data = take(rest, *size);
    *name = bytes_of(data, *size);
    return data != NULL;
}

static bool read_value(struct rest *rest, struct bytes *value)
{
    const uint8_t *size = take(rest, 4);
    if (size == NULL) return false;
    uint32_t bytes = little_read32(size);
    const uint8_t *data = take(rest, bytes);
    *value = bytes_of(data, bytes);
    return data != NULL;
}

static bool read_block(struct rest *rest, struct journal_entry *entry, uint8_t *values)
{
    const uint8_t *at = take(rest, BLOCK_BYTES);
    if (at == NULL) return false;
    memcpy(entry->owner.octets, at, ID_BYTES);
    entry->token = little_read64(at + 16);
    entry->delay_ns = little_read64(at + 24);
    entry->attempt = little_read32(at + 32);
    entry->backoff_ms = little_read32(at + 36);
    entry->backoff_ms_max = little_read32(at + 40);
    entry->limit_ms = little_read32(at + 44);
    entry->failures = little_read16(at + 48);
    entry->crashes = little_read16(at + 50);
    entry->losses = little_read16(at + 52);
    entry->attempts_max = little_read16(at + 54);
    entry->crashes_max = little_read16(at + 56);
    entry->state = (enum task_state)at[58];
    entry->reason = (enum reason)at[59];
    entry->kept = at[60];
    *values = at[61];
    return at[58] >= TASK_WAITING && at[58] <= TASK_EXPIRED &&
           (*values & ~allowed(entry->kind)) == 0;
}

static bool read_limits(struct rest *rest, struct journal_entry *entry)
{
    const uint8_t *at = take(rest, LIMITS_BYTES);
    if (at == NULL) return false;
    entry->soft_ms = little_read32(at);
    entry->stalled_ms = little_read32(at + 4);
    return true;
}

static bool read_order(struct rest *rest, struct journal_entry *entry)
{
    const uint8_t *at = take(rest, ORDER_BYTES);
    if (at != NULL) entry->order = little_read64(at);
    return at != NULL;
}

static bool read_whole(struct rest *rest, struct journal_entry *entry)
{
    uint8_t values;
    if (!read_block(rest, entry, &values)) return false;
    if (entry->kind == JOURNAL_TASK &&
        !(read_name(rest, &entry->queue) && read_name(rest, &entry->name)))
        return false;
    if ((values & HAS_PAYLOAD) && !read_value(rest, &entry->payload)) return false;
    if ((values & HAS_RESULT) && !read_value(rest, &entry->result)) return false;
    if ((values & HAS_TEXT) && !read_value(rest, &entry->text)) return false;
    if ((values & HAS_LIMITS) && !read_limits(rest, entry)) return false;
    return !(values & HAS_ORDER) || read_order(rest, entry);
}

static bool read_leased(struct rest *rest, struct journal_entry *entry)
{
    const uint8_t *at = take(rest, LEASED_BYTES - ID_BYTES);
    if (at == NULL) return false;
    entry->token = little_read64(at);
    entry->attempt = little_read32(at + 8);
    return true;
}

static bool read_settled(struct rest *rest, struct journal_entry *entry)
{
    const uint8_t *kept = take(rest, 1);
    if (kept == NULL) return false;
    entry->kept = *kept;
    return true;
}

bool entry_read(uint8_t type, struct bytes bytes, struct journal_entry *entry)
{
    struct rest rest = {bytes.data, bytes.size};
    *entry = (struct journal_entry){.kind = (enum journal_entry_kind)type};
    const uint8_t *id = take(&rest, ID_BYTES);
    if (id == NULL) return false;
    memcpy(entry->id.octets, id, ID_BYTES);
    bool good = false;
    switch (entry->kind) {
    case JOURNAL_LEASED: good = read_leased(&rest, entry); break;
    case JOURNAL_SETTLED: good = read_settled(&rest, entry); break;
    case JOURNAL_GIVEN_UP: good = true; break;
    case JOURNAL_TASK:
    case JOURNAL_DONE:
    case JOURNAL_CHANGED: good = read_whole(&rest, entry); break;
    }
    return good && rest.size == 0;
}

bool entry_is_later(uint8_t type, struct bytes bytes)
{
    bool has_values = type == JOURNAL_TASK || type == JOURNAL_DONE || type == JOURNAL_CHANGED;
    return has_values && bytes.size > VALUES_AT && (bytes.data[VALUES_AT] & ~HAS_KNOWN) != 0;
}
