/* entry_log.c - a journal in memory. */
#include "entry_log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

void entry_log_start(struct entry_log *log)
{
    *log = (struct entry_log){.first_lsn = 1};
}

static struct bytes copy(struct bytes bytes)
{
    if (bytes.data == NULL) return bytes;
    uint8_t *data = malloc(bytes.size + 1U);
    assert_non_null(data);
    memcpy(data, bytes.data, bytes.size);
    return bytes_of(data, bytes.size);
}

static void drop(struct journal_entry *entry)
{
    const struct bytes values[] = {entry->queue, entry->name, entry->payload, entry->result,
                                   entry->text};
    for (size_t at = 0; at < sizeof values / sizeof *values; at++) free((void *)values[at].data);
}

void entry_log_end(struct entry_log *log)
{
    for (size_t at = 0; at < log->count; at++) drop(&log->entries[at]);
    free(log->entries);
}

uint64_t entry_log_last(const struct entry_log *log)
{
    return log->first_lsn + log->count - 1;
}

static void append(struct entry_log *log, const struct journal_entry *entry)
{
    if (log->count == log->capacity) {
        log->capacity = log->capacity * 2 + 64;
        log->entries = realloc(log->entries, log->capacity * sizeof *log->entries);
        assert_non_null(log->entries);
    }
    assert_true(entry->lsn == entry_log_last(log) + 1);
    struct journal_entry *kept = &log->entries[log->count++];
    *kept = (struct journal_entry){.lsn = entry->lsn,
                                   .kind = entry->kind,
                                   .attempt = entry->attempt,
                                   .id = entry->id,
                                   .token = entry->token,
                                   .kept = entry->kept};
    bool is_full = entry->kind == JOURNAL_TASK || entry->kind == JOURNAL_DONE ||
                   entry->kind == JOURNAL_CHANGED;
    if (!is_full) return;
    *kept = *entry;
    kept->queue = copy(entry->queue);
    kept->name = copy(entry->name);
    kept->payload = copy(entry->payload);
    kept->result = copy(entry->result);
    kept->text = copy(entry->text);
}

void entry_log_append(struct entry_log *log, const struct ventilator_actions *out)
{
    assert_true(out->entry_count <= VENTILATOR_ENTRIES_MAX);
    for (uint32_t at = 0; at < out->entry_count; at++) append(log, &out->entries[at]);
    if (out->release_lsn <= log->release_lsn) return;
    log->release_lsn = out->release_lsn;
    log->release_after = entry_log_last(log);
}

static void release(struct entry_log *log)
{
    size_t gone = (size_t)(log->release_lsn - log->first_lsn);
    for (size_t at = 0; at < gone; at++) drop(&log->entries[at]);
    log->count -= gone;
    memmove(log->entries, log->entries + gone, log->count * sizeof *log->entries);
    log->first_lsn = log->release_lsn;
    log->released += gone;
}

void entry_log_sync(struct entry_log *log, uint64_t lsn)
{
    assert_true(lsn <= entry_log_last(log));
    if (lsn > log->durable_lsn) log->durable_lsn = lsn;
    bool is_safe = log->release_after <= log->durable_lsn;
    if (is_safe && log->release_lsn > log->first_lsn) release(log);
}

void entry_log_crash(struct entry_log *log)
{
    log->release_lsn = log->release_after = 0; /* what was wanted dies with who wanted it */
    while (log->count > 0 && entry_log_last(log) > log->durable_lsn) {
        drop(&log->entries[--log->count]);
    }
}
