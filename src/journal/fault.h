/* fault.h - fills in what went wrong. */
#ifndef JOURNAL_FAULT_H
#define JOURNAL_FAULT_H

#include "journal.h"

/* What the owner of a damaged journal should know and do. */
#define FAULT_ADVICE                                                         \
    "nothing was changed; see what is left with 'tmesh journal check DIR', " \
    "keep it with 'tmesh journal salvage DIR'"

/* Writes error and text, and returns the error. */
__attribute__((format(printf, 3, 4))) enum journal_error fault_set(struct journal_fault *fault,
                                                                   enum journal_error error,
                                                                   const char *format, ...);

/* JOURNAL_IO: what was tried with which segment, and what the system said. */
enum journal_error fault_disk(struct journal_fault *fault, int number, const char *action,
                              uint64_t segment);

#endif
