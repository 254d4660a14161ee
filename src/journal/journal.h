/* journal.h - an append-only log of numbered records, in segments, in one directory.
 *
 * Owns: the segments, what is gathered for the next commit, and the rules of
 * recovery (FORMAT.md).  Not here: what a record means, threads (scribe.h), and
 * the file system (disk.h).
 *
 * Two sides share a journal.  The loop's side appends, releases and hands over;
 * it never touches the disk.  The writer's side commits what was handed over:
 * one write and one sync for all of it.  A hand-over and a commit never run at
 * the same time; scribe.h sees to that with a thread, a simulator with a clock.
 */
#ifndef JOURNAL_JOURNAL_H
#define JOURNAL_JOURNAL_H

#include "../core/bytes.h"
#include "../core/id.h"
#include "disk.h"

#include <stdbool.h>

enum journal_error {
    JOURNAL_OK = 0,
    JOURNAL_END,     /* no record is left to replay */
    JOURNAL_LOCKED,  /* another process has this directory */
    JOURNAL_FOREIGN, /* it is a journal of another use: a spool, or a ventilator's */
    JOURNAL_VERSION, /* written by a later version of the format */
    JOURNAL_DAMAGED, /* damage that is not a torn tail: salvage is the operator's decision */
    JOURNAL_IO,      /* the file system said no; fault->number has the errno */
    JOURNAL_MEMORY
};

enum journal_use { JOURNAL_USE_VENTILATOR = 1, JOURNAL_USE_SPOOL = 2 };

enum {
    JOURNAL_RECORD_BYTES_MAX = 4 * 1024 * 1024,
    JOURNAL_SEGMENT_BYTES_MIN = 8 * 1024 * 1024,
    JOURNAL_SEGMENT_BYTES = 32 * 1024 * 1024
};

struct journal_options {
    const struct disk *disk; /* borrowed for the journal's life */
    enum journal_use use;
    struct id node;  /* of a journal that is new; an old one keeps its own */
    uint64_t secret; /* of a journal that is new: by chance, and told to nobody, so that no
                        payload can contain what passes for a record; 0 is for tests */
    uint64_t
        segment_bytes;    /* of new segments, JOURNAL_SEGMENT_BYTES_MIN or more, but tests may do
                             with less; 0: an eighth of the quota, JOURNAL_SEGMENT_BYTES at most */
    uint64_t quota_bytes; /* on disk in all; 0: whatever there is room for.  At nine tenths of it
                             the journal is full.  No new segment goes over it but for one that
                             a commit cannot do without.  Less than four segments is too little */
};

/* Where and what, for people: file name, offset, numbers, and what to do. */
struct journal_fault {
    enum journal_error error;
    int number; /* errno */
    char text[384];
};

/* What was being written when the past ended, and is cut off: a commit that was
 * never reported durable. */
struct journal_torn {
    uint64_t bytes; /* 0: nothing was torn */
    uint64_t segment, offset;
    uint64_t lsn_first, lsn_last; /* numbers it had, as far as they can be read; 0: none */
};

struct journal_record {
    uint64_t lsn;
    uint8_t type; /* the user's; not 0 */
    struct bytes bytes;
};

struct journal;

/* Takes the directory and looks at every segment's header; writes nothing to an
 * old journal yet.  On an error *journal is NULL and `fault` tells the story. */
enum journal_error journal_open(const struct journal_options *options, struct journal **journal,
                                struct journal_fault *fault);

/* The next record of the past, oldest first; its bytes are borrowed until the
 * next call.  JOURNAL_END after the last: a torn tail, if there was one, is then
 * known.  JOURNAL_DAMAGED, JOURNAL_IO, JOURNAL_MEMORY: the journal can only be closed. */
enum journal_error journal_next(struct journal *journal, struct journal_record *record,
                                struct journal_fault *fault);

/* After JOURNAL_END, once: cuts the torn tail off and makes ready to append. */
enum journal_error journal_start(struct journal *journal, struct journal_fault *fault);

/* What journal_start cuts off, known after JOURNAL_END.  To be told to people:
 * where the disk lost the mark that journal_rest leaves, and only there, damage of
 * the very last commit cannot be told from a torn one (FORMAT.md). */
struct journal_torn journal_torn(const struct journal *journal);
uint64_t journal_torn_bytes(const struct journal *journal);

/* Who this journal belongs to, from its first day. */
struct id journal_node(const struct journal *journal);

/* Number of the latest record there is, appended or replayed; 0 for none. */
uint64_t journal_last(const struct journal *journal);

/* ---- the loop's side ---- */

/* Appends a record of `bytes` bytes and returns where to write them, until the
 * next call.  Its number is journal_last() from then on.  NULL: out of memory. */
uint8_t *journal_append(struct journal *journal, uint8_t type, uint32_t bytes);

/* Records with smaller numbers than `lsn` are needed no more, once everything
 * appended up to now is durable. */
void journal_release(struct journal *journal, uint64_t lsn);

/* Bytes gathered and not handed over. */
uint64_t journal_gathered(const struct journal *journal);

/* Gives what was gathered or released to the writer's side, which has nothing left
 * to commit.  False: there was nothing, and nothing is to be committed. */
bool journal_hand_over(struct journal *journal);

/* ---- the writer's side ---- */

/* Writes and syncs what was handed over.  Every number through *durable is safe
 * afterwards.  After an error nothing may be acknowledged any more and the
 * journal can only be closed: a failed sync is never tried again (fsyncgate,
 * Rebello et al., USENIX ATC 2020). */
enum journal_error journal_commit(struct journal *journal, uint64_t *durable,
                                  struct journal_fault *fault);

/* What may take its time, between commits: removes released segments, makes the
 * spare one ready, piece by piece.  An error is as final as that of a commit; lack
 * of room is none: while there is none, a call now and then looks whether it came
 * back. */
enum journal_error journal_tend(struct journal *journal, struct journal_fault *fault);

/* Whether another journal_tend, now, would get further with its work. */
bool journal_wants_tending(const struct journal *journal);

/* When there is nothing to commit for the moment: notes on disk that the last
 * commit was synced, so that damage to it is known for what it is.  Costs one
 * small write and no sync; without a commit since the last one, nothing. */
enum journal_error journal_rest(struct journal *journal, struct journal_fault *fault);

/* ---- either side ---- */

/* Bytes of all segments on disk, and whether so little room is left that nothing
 * new should be taken (what was taken can still be brought to its end). */
uint64_t journal_disk_bytes(const struct journal *journal);
bool journal_is_full(const struct journal *journal);

/* Closes without writing what was not committed.  NULL is fine. */
void journal_close(struct journal **journal);

#endif
