/* entry_log.h - a journal in memory: the entries a ventilator asked for, and what a crash leaves.
 *
 * Owns: copies of entries with all they point to.  Like a real one it keeps
 * nothing before the release that is covered by what is durable.
 */
#ifndef SCENARIO_ENTRY_LOG_H
#define SCENARIO_ENTRY_LOG_H

#include "core/ventilator.h"

struct entry_log {
    struct journal_entry *entries; /* numbers first_lsn, first_lsn + 1 .. */
    size_t count, capacity;
    uint64_t first_lsn, durable_lsn;
    uint64_t release_lsn, release_after; /* wanted, once this number is durable */
    size_t released;                     /* entries dropped so far */
};

void entry_log_start(struct entry_log *log);
void entry_log_end(struct entry_log *log);

/* Takes over what a step asked for; checks that the numbers have no gaps. */
void entry_log_append(struct entry_log *log, const struct ventilator_actions *out);

/* The number of the latest entry. */
uint64_t entry_log_last(const struct entry_log *log);

/* Everything through `lsn` is safe: what was released before it goes. */
void entry_log_sync(struct entry_log *log, uint64_t lsn);

/* What was not durable is gone. */
void entry_log_crash(struct entry_log *log);

#endif
