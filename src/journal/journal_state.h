/* journal_state.h - what the files of the journal share about one that is open. */
#ifndef JOURNAL_JOURNAL_STATE_H
#define JOURNAL_JOURNAL_STATE_H

#include "chain.h"
#include "journal.h"
#include "reader.h"

#include <stdatomic.h>

/* Records behind each other as they go to disk, their headers filled in no
 * further than type and length. */
struct gather {
    uint8_t *data;
    size_t used, capacity;
    uint64_t release; /* journal_release; 0: nothing new */
};

/* The segment that comes next: not begun, in the making, or made. */
struct spare {
    bool begun, ready;
    int file;
    uint64_t bytes, filled;
};

enum journal_phase { JOURNAL_REPLAYS, JOURNAL_REPLAYED, JOURNAL_RUNS };

struct journal {
    const struct disk *disk;
    struct segment_header header; /* of every segment, but for number and epoch */
    uint64_t secret;              /* a segment's epoch is this and its number */
    uint64_t segment_bytes, quota_bytes;
    enum journal_phase phase;
    struct chain chain; /* the last one is written to; the spare is not among them */

    /* The past. */
    struct reader reader;
    size_t at;    /* where in the chain the reader is */
    bool reading; /* and has its file open */
    /* From this offset on a record may not be on disk, though it was read; and the same of the
     * segment before, as long as nothing was read in this one. */
    uint64_t doubtful, before_doubtful, before_end;
    uint64_t behind_user; /* offset behind the last record of the user's */
    uint64_t expected;    /* the number of the next record; 0: the opening will say */
    uint64_t oldest_needed;
    bool next_is_spare, next_is_rest; /* what is behind the last: unused, or of no use */
    struct journal_torn torn;

    /* The loop's side. */
    uint64_t last;
    uint64_t release_said; /* the highest number that anybody released so far */
    struct gather gathers[2];
    struct gather *gathering;

    /* The writer's side. */
    struct gather *handed;
    int file;      /* of the active segment */
    uint64_t end;  /* of what is written in it */
    uint64_t next; /* number of the next record to be written */
    uint64_t synced, marked;
    uint64_t released;
    struct spare spare;
    size_t made_bytes; /* written since the spare got further */
    bool no_room;
    struct journal_fault broken; /* error JOURNAL_OK: it is not */

    /* Read from either side. */
    atomic_uint_fast64_t disk_bytes;
    atomic_bool full, wants_tending;
};

static inline struct chain_link *journal_active(struct journal *journal)
{
    return &journal->chain.links[journal->chain.count - 1];
}

/* Notes a final error, which every later call then answers with. */
enum journal_error journal_break(struct journal *journal, const struct journal_fault *fault);

/* Puts disk_bytes, full and wants_tending right. */
void journal_count(struct journal *journal);

/* ---- journal_active.c: the segment that is written to ---- */

/* Adds the segment whose number is next, and whose file is this, to the chain,
 * and writes its opening. */
enum journal_error active_begin(struct journal *journal, int file, uint64_t bytes,
                                struct journal_fault *fault);

/* What still fits into it, with a seal behind. */
uint64_t active_room(struct journal *journal);

enum journal_error active_write(struct journal *journal, const uint8_t *data, size_t bytes,
                                struct journal_fault *fault);
enum journal_error active_control(struct journal *journal, enum control_kind kind,
                                  struct journal_fault *fault);
enum journal_error active_sync(struct journal *journal, struct journal_fault *fault);

/* ---- journal_spare.c: the segment that comes next ---- */

/* Goes on making it, by `bytes` of its zeros; ready some calls later, or after this one if
 * `bytes` are all of it.  JOURNAL_IO with `number` ENOSPC when there is no room: nothing is then
 * left of it. */
enum journal_error spare_make(struct journal *journal, uint64_t bytes, struct journal_fault *fault);

/* A file that was a spare before the journal was opened. */
enum journal_error spare_adopt(struct journal *journal, uint64_t number, uint64_t bytes,
                               struct journal_fault *fault);

#endif
