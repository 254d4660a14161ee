/* chain.h - the segments of one directory, in order.
 *
 * Owns: which there are and whether they belong together.  Not here: what is in
 * them.
 */
#ifndef JOURNAL_CHAIN_H
#define JOURNAL_CHAIN_H

#include "fault.h"
#include "segment.h"

struct chain_link {
    uint64_t number, epoch;
    uint64_t bytes;     /* of the file */
    bool sound;         /* its header and the copy of it; otherwise `epoch` may be a guess, or 0 */
    uint64_t lsn_after; /* number behind its last record, when somebody read so far; else 0 */
};

struct chain {
    struct chain_link *links; /* oldest first */
    size_t count, capacity;
    bool interrupted;             /* a salvage was, and is to be brought to its end */
    struct segment_header header; /* of one that is sound; number 0 when none is */
    int64_t votes;
};

/* Reads the directory and the headers in it.  JOURNAL_VERSION, JOURNAL_IO or
 * JOURNAL_MEMORY; what is wrong with the chain is for chain_check, or for its
 * reader, to say.  The caller frees the chain, also after an error. */
enum journal_error chain_read(struct chain *chain, const struct disk *disk,
                              struct journal_fault *fault);
void chain_free(struct chain *chain);

/* Whether the chain is one: of this use, no segment missing or from elsewhere, and
 * sound but for, perhaps, the last of several, which may never have been used.
 * JOURNAL_FOREIGN, JOURNAL_DAMAGED. */
enum journal_error chain_check(const struct chain *chain, enum journal_use use,
                               struct journal_fault *fault);

bool chain_add(struct chain *chain, const struct chain_link *link);
void chain_drop_first(struct chain *chain);
uint64_t chain_bytes(const struct chain *chain);

/* Opens a segment's file for reading and writing. */
enum journal_error chain_open(const struct disk *disk, uint64_t number, int *file,
                              struct journal_fault *fault);

/* Directories that a salvage leaves while it is not finished. */
#define CHAIN_SALVAGE_READY "salvage-ready"
#define CHAIN_SALVAGE_LAST  "salvage-last"

#endif
