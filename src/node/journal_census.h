/* journal_census.h - which tasks a journal's entries speak of, and whether each entry
 * agrees with those before it, as a ventilator would find.
 */
#ifndef NODE_JOURNAL_CENSUS_H
#define NODE_JOURNAL_CENSUS_H

#include "../core/index.h"
#include "../core/journal_entry.h"
#include "block.h"

struct journal_census {
    struct block block;
    struct index ids;
    uint8_t *states; /* enum task_state, by slot */
    uint64_t live, ended;
    bool crowded; /* more tasks than there is room to count */
};

/* Room for the tasks of a journal of so many bytes.  0, or an errno. */
int journal_census_begin(struct journal_census *census, uint64_t journal_bytes);
void journal_census_end(struct journal_census *census);

/* Counts an entry in.  False: it contradicts what was said before, and a
 * ventilator would refuse it; nothing changed. */
bool journal_census_add(struct journal_census *census, const struct journal_entry *entry);

#endif
