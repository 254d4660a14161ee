/* journal_view.h - what check, dump and salvage have in common: a directory that is
 * read, and what is told about it.
 */
#ifndef NODE_JOURNAL_VIEW_H
#define NODE_JOURNAL_VIEW_H

#include "../journal/disk_posix.h"
#include "../journal/inspect.h"
#include "journal_census.h"

#include <tmesh/journal.h>

enum journal_view_records { JOURNAL_VIEW_COUNTS, JOURNAL_VIEW_TELLS };

struct journal_view {
    const char *directory;
    tmesh_journal_watch_t watch; /* the caller's; empty for none */
    tmesh_journal_summary_t *summary;
    tmesh_error_t *error;
    enum journal_view_records records;
    enum journal_use use; /* as far as it is known */
    struct journal_census census;
    uint64_t bytes; /* of all segments */
    uint64_t later; /* entries that a later program wrote; a salvage keeps them */
    struct disk_posix *disk;
};

/* Looks which journal is there.  Fills in the summary with what its headers say. */
enum tmesh_err journal_view_open(struct journal_view *view, const char *directory,
                                 const tmesh_journal_watch_t *watch,
                                 tmesh_journal_summary_t *summary, tmesh_error_t *error);
void journal_view_close(struct journal_view *view);

/* Takes the lock again, after it was let go, and counts from the beginning. */
enum tmesh_err journal_view_again(struct journal_view *view, enum disk_access access);

/* Counts a record, tells it if that is wanted, and says whether it makes sense. */
bool journal_view_record(struct journal_view *view, const struct inspected_record *record,
                         bool *enough);

/* Tells the findings, and adds all that was inspected to the summary. */
void journal_view_findings(struct journal_view *view, const struct inspection *inspection);

/* What a ventilator would say to this journal: JOURNAL_END when it would take it. */
enum journal_error journal_view_verdict(const struct journal_view *view,
                                        struct journal_fault *fault);

/* A fault of the journal's as an error of the library. */
enum tmesh_err journal_view_failure(const struct journal_view *view,
                                    const struct journal_fault *fault);

#endif
