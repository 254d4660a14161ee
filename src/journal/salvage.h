/* salvage.h - makes a journal of what is left of a damaged one, in its place.
 *
 * Owns: the order of steps that leaves, whenever it is interrupted, either the old
 * files or a whole new journal (FORMAT.md, section 7).  Not here: what is left
 * (inspect.h), and what of it makes sense.
 */
#ifndef JOURNAL_SALVAGE_H
#define JOURNAL_SALVAGE_H

#include "inspect.h"

struct salvage_options {
    const char *directory;   /* which the caller has entered, by this disk: */
    const struct disk *disk; /* for inspect */
    struct id node;          /* of the new journal, if no header of the old one can be read */
    enum journal_use use;
    uint64_t secret; /* of the new journal */
    /* Whether a record goes into the new journal. */
    bool (*keep)(const struct inspected_record *record, void *context);
    void (*progress)(uint64_t done, uint64_t all, void *context); /* may be NULL */
    void *context;
};

struct salvage {
    uint64_t kept;  /* records; of a salvage that only had to be finished, 0 */
    char aside[32]; /* the directory in the directory that has the old files */
};

/* Does it, or finishes it.  The inspection, of the old files, is the caller's to
 * free; it is empty if the salvage only had to be finished. */
enum journal_error salvage(const struct salvage_options *options, struct inspection *inspection,
                           struct salvage *done, struct journal_fault *fault);

#endif
