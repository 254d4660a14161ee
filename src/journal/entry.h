/* entry.h - what a ventilator writes down, as the bytes of a record, and back.
 *
 * The record's type is the entry's kind.  FORMAT.md has the layouts.
 */
#ifndef JOURNAL_ENTRY_H
#define JOURNAL_ENTRY_H

#include "../core/journal_entry.h"

/* How many bytes it takes, and those bytes. */
uint32_t entry_bytes(const struct journal_entry *entry);
void entry_write(const struct journal_entry *entry, uint8_t *into, uint32_t bytes);

/* The entry in a record, its views pointing into `bytes`; `lsn` is left at 0.
 * False: the bytes are no such entry, and `entry` means nothing. */
bool entry_read(uint8_t type, struct bytes bytes, struct journal_entry *entry);

/* Whether bytes that entry_read refuses are an entry with a value that only a later
 * version of this program knows. */
bool entry_is_later(uint8_t type, struct bytes bytes);

#endif
