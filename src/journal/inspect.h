/* inspect.h - reads a journal for its own sake: all that is there, wherever it is,
 * and all that is not.
 *
 * Owns: the list of what was found wrong.  Whether a journal may be used is the
 * journal's to say (journal.h); this is for people who have to know more, and for
 * salvage.  It writes nothing.
 */
#ifndef JOURNAL_INSPECT_H
#define JOURNAL_INSPECT_H

#include "chain.h"
#include "journal.h"

enum { INSPECT_FINDINGS_MAX = 10000 };

enum finding_kind {
    FINDING_HOLE,    /* what stands here is no record */
    FINDING_GAP,     /* records are missing between two that follow each other */
    FINDING_HEADER,  /* a header of a segment, or its copy */
    FINDING_MISSING, /* segments that should be there */
    FINDING_SEAL,    /* a segment ends without one, though the log goes on */
    FINDING_FOREIGN  /* a segment of another journal */
};

struct finding {
    enum finding_kind kind;
    bool damage; /* something that was safe; false: a torn tail, or nothing that was used */
    uint64_t segment, segment_last; /* the same but for FINDING_MISSING */
    uint64_t offset, bytes;
    uint64_t lsn;                 /* of the record that should be there; 0: unknown */
    uint64_t lsn_first, lsn_last; /* records that are missing because of it; 0: none, or unknown */
};

struct inspected_record {
    uint64_t lsn, segment, offset;
    uint8_t type;
    struct bytes bytes; /* borrowed for the call */
};

struct inspect_options {
    const struct disk *disk; /* entered already */
    /* Every record that is whole, each number once, in order.  False: enough. */
    bool (*record)(const struct inspected_record *record, void *context);
    void (*progress)(uint64_t done, uint64_t all, void *context); /* bytes; may be NULL */
    void *context;
};

struct inspection {
    struct chain chain;
    struct finding *findings;
    size_t finding_count, finding_capacity;
    uint64_t findings_left_out; /* over INSPECT_FINDINGS_MAX */
    uint64_t records, lsn_first, lsn_last;
    uint64_t missing; /* records that are known to be */
};

/* JOURNAL_VERSION, JOURNAL_IO, JOURNAL_MEMORY; damage is a finding, not an error.
 * The caller frees the inspection, also after an error. */
enum journal_error inspect(const struct inspect_options *options, struct inspection *inspection,
                           struct journal_fault *fault);
void inspection_free(struct inspection *inspection);

/* The finding as a sentence. */
void finding_text(const struct finding *finding, char *text, size_t bytes);

#endif
