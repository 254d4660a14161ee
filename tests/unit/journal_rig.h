/* journal_rig.h - journals whose records follow from their numbers, so that every
 * one that comes back can be checked.
 */
#ifndef TESTS_UNIT_JOURNAL_RIG_H
#define TESTS_UNIT_JOURNAL_RIG_H

#include "../../src/journal/journal.h"
#include "platter.h"

enum { RIG_SEGMENT_BYTES = 16 * 1024, RIG_RECORD_BYTES_MAX = 700 };

/* What reading a journal's past came to. */
struct rig_past {
    enum journal_error error; /* JOURNAL_END: all is well */
    struct journal_fault fault;
    uint64_t first, last, count; /* numbers of the records that came back; 0: none */
    struct journal_torn torn;
};

/* The length and the type of record `lsn`, and its bytes. */
uint32_t rig_bytes(uint64_t lsn);
uint8_t rig_type(uint64_t lsn);
void rig_fill(uint64_t lsn, uint8_t *into);

struct journal_options rig_options(const struct platter *disk);

/* Opens, reads everything, and fails the test on a record that is not what was
 * appended under its number.  The journal is NULL unless all is well. */
struct journal *rig_read(const struct journal_options *options, struct rig_past *past);

/* That and journal_start. */
struct journal *rig_start(const struct journal_options *options, struct rig_past *past);

/* Reads and closes. */
struct rig_past rig_look(const struct platter *disk);

/* Appends `count` records. */
void rig_append(struct journal *journal, uint64_t count);

/* Hands over and commits.  Returns the number through which all is durable; the
 * test fails on an error. */
uint64_t rig_commit(struct journal *journal);

/* Tends until there is nothing to tend. */
void rig_tend(struct journal *journal);

/* A journal of `count` records on a new disk, in commits of `batch`, closed after
 * a rest. */
struct platter *rig_written(uint64_t count, uint64_t batch);

/* The name of a segment. */
const char *rig_name(uint64_t number);

#endif
