/* spool.h - tasks kept on disk until they are somebody else's.
 *
 * Owns: the journal in one spool directory, the form of its records, and the list
 * of those that are still needed, oldest first.  Not here: when a task is needed
 * no more, and who waits for the disk (producer_spool.c).
 *
 * A record is what FORMAT.md says of a spool: a SUBMIT message of one item, so that
 * what travels is what is kept, and what a later version adds to one comes with
 * the other; or the id of a task that is needed no more.
 *
 * One thread at a time; news of the disk come from another one.
 */
#ifndef NODE_SPOOL_H
#define NODE_SPOOL_H

#include "../core/message.h"
#include "../journal/scribe.h"

#include <tmesh/producer.h>

static const uint64_t SPOOL_BYTES_MIN = UINT64_C(64) * 1024 * 1024;

struct spool_options {
    const char *directory;
    uint64_t bytes_max; /* on disk */
    uint32_t tasks_max; /* that can be in it besides those that are found there */
    scribe_news_fn *news;
    void *context;
};

/* A task in the spool.  Its views are borrowed until the next call. */
struct spooled {
    struct submission submission;
    enum tmesh_deliver deliver;
    bool report_accepted;
    uint32_t ticket; /* whose it is, TICKET_NONE while it waits */
};

struct spool;

/* Opens the spool and finds what is in it: those tasks wait.  NULL: `error` says
 * why; nothing was changed on disk. */
struct spool *spool_open(const struct spool_options *options, tmesh_error_t *error);

/* Closes without waiting for the disk.  NULL is fine. */
void spool_close(struct spool **spool);

/* Writes a task whose id is not in the spool.  False: out of memory. */
bool spool_put(struct spool *spool, const struct spooled *task);

/* Whether the task with this id is in the spool, and under this ticket. */
bool spool_holds(const struct spool *spool, const struct id *id, uint32_t ticket);
bool spool_knows(const struct spool *spool, const struct id *id);

/* The task, which is in the spool, is needed no more. */
void spool_settle(struct spool *spool, const struct id *id);

/* The oldest task that waits; false: none does. */
bool spool_first_waiting(struct spool *spool, struct spooled *task);

/* The task with this id, if it waits. */
bool spool_find_waiting(struct spool *spool, const struct id *id, struct spooled *task);

/* It waits no more: whoever has `ticket` keeps it. */
void spool_hand_out(struct spool *spool, const struct id *id, uint32_t ticket);

/* Whether an old record keeps much from being removed that is needed no more; *id
 * is then its task, to be written again with spool_move, and *ticket its ticket. */
bool spool_is_pinned(const struct spool *spool, struct id *id, uint32_t *ticket);

/* Writes a task that is in the spool once more, so that its old record is needed
 * no more.  False: out of memory. */
bool spool_move(struct spool *spool, const struct spooled *task);

/* Hands what was written to the disk, if anything was.  At the end of a turn. */
void spool_push(struct spool *spool);

/* What the disk says.  `durable` is good for spool_last. */
void spool_look(struct spool *spool, struct scribe_view *view);

/* Number of the latest record that was written. */
uint64_t spool_last(const struct spool *spool);

/* Waits until all that was written is on disk, or never will be. */
enum journal_error spool_flush(struct spool *spool, struct journal_fault *fault);

struct spool_counts {
    uint32_t tasks;         /* in the spool */
    uint32_t waiting;       /* of these, found there at the start and not handed out */
    uint64_t waiting_bytes; /* payloads of those */
    uint64_t torn_bytes;    /* cut off at the start: of a record that was never said to be safe */
};

void spool_counts(const struct spool *spool, struct spool_counts *counts);

#endif
