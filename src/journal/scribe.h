/* scribe.h - the thread that commits a journal beside its owner's loop.
 *
 * While one commit is under way the next one gathers, so that batches form by
 * themselves: an idle journal syncs a lone record at once, a busy one shares
 * each sync among all that came meanwhile.
 */
#ifndef JOURNAL_SCRIBE_H
#define JOURNAL_SCRIBE_H

#include "journal.h"

struct scribe;

/* Called from the scribe's thread when there is news; must not block. */
typedef void scribe_news_fn(void *context);

/* Starts the thread for a journal that was started.  The journal's loop side is
 * still the caller's.  NULL: no thread or memory. */
struct scribe *scribe_new(struct journal *journal, scribe_news_fn *news, void *context);

/* At the end of a turn that appended or released: hands over, or leaves it for
 * scribe_look to do when the commit under way is over. */
void scribe_push(struct scribe *scribe);

struct scribe_view {
    uint64_t durable;    /* everything through this number is safe */
    uint64_t disk_bytes; /* of all segments */
    bool full;
    bool behind;              /* more is gathered than one commit should carry: take nothing new */
    enum journal_error error; /* not JOURNAL_OK: it is over, see `fault` */
    struct journal_fault fault;
};

/* What is known now.  Cheap; for every turn of the loop. */
void scribe_look(struct scribe *scribe, struct scribe_view *view);

/* Waits until everything appended is durable or an error came. */
enum journal_error scribe_flush(struct scribe *scribe, struct journal_fault *fault);

/* Ends the thread without flushing.  Does not close the journal.  NULL is fine. */
void scribe_destroy(struct scribe **scribe);

#endif
