/* journal_story.h - what becomes of a journal on a disk that fails: what was
 * acknowledged has to be there afterwards, whatever happened.
 */
#ifndef TESTS_UNIT_JOURNAL_STORY_H
#define TESTS_UNIT_JOURNAL_STORY_H

#include "journal_rig.h"

struct journal_story {
    struct platter *disk;
    uint64_t chance;
    uint64_t acked;    /* through this number all was reported durable */
    uint64_t appended; /* and through this one it may be there */
    uint64_t released; /* below this one it may be gone; 0: nothing may */
};

/* Opens the journal, checks what it brings back against the story, and lives on with
 * it for some commits; closes it, or returns early with the error that ended it.
 * After one, the journal was seen to refuse everything and to leave the disk alone. */
enum journal_error journal_story_live(struct journal_story *story, uint32_t commits,
                                      struct journal_fault *fault);

/* Fails the test unless everything that was acknowledged is there, and nothing that
 * was never appended. */
void journal_story_check(const struct journal_story *story, const struct rig_past *past);

#endif
