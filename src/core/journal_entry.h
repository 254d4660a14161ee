/* journal_entry.h - what a ventilator writes down, so that it can be built again.
 *
 * Storage is an action: a step asks for entries to be appended, in order, and
 * hears later, in VENTILATOR_DURABLE, through which of them everything is safe.
 * After a restart the same entries, in the same order, are stepped as
 * VENTILATOR_REPLAY before anything else.
 *
 * JOURNAL_TASK says everything about a task, whatever was said before: entries
 * older than that are then not needed for it.  The others are changes since.
 * An entry about an id that no JOURNAL_TASK or JOURNAL_DONE named is passed over.
 */
#ifndef CORE_JOURNAL_ENTRY_H
#define CORE_JOURNAL_ENTRY_H

#include "message.h"

/* Numbers are on disk (src/journal/FORMAT.md): append, never renumber. */
enum journal_entry_kind {
    JOURNAL_TASK = 1,    /* accepted, a dead letter, or copied forward: every field */
    JOURNAL_LEASED = 2,  /* id, attempt, token */
    JOURNAL_CHANGED = 3, /* back from a worker, or owned by another: all but names and values;
                            `text` too when it is there */
    JOURNAL_DONE = 4,    /* it ended DONE: all but names and payload.  Stands alone, like TASK */
    JOURNAL_SETTLED = 5, /* id, kept: its result was receipted or given up, or its letter dropped */
    JOURNAL_GIVEN_UP = 6 /* id: of a producer, this once; nothing is owed to it any more */
};

struct journal_entry {
    uint64_t lsn; /* 1, 2, 3 .. without gaps through the journal's whole life */
    enum journal_entry_kind kind;
    uint32_t attempt;
    struct id id;
    uint64_t token;
    uint8_t kept; /* enum task_kept: why a record of an ended task stays */

    /* Of what a step asks for, the rest of LEASED, SETTLED and GIVEN_UP is not set. */
    struct id owner;       /* the producer that wants the result; zero for none */
    enum task_state state; /* LEASED is written as what it was; replay decides what it is now */
    enum reason reason;
    uint32_t backoff_ms, backoff_ms_max; /* 0: by default */
    uint32_t limit_ms;                   /* 0: none */
    uint32_t soft_ms, stalled_ms;        /* TASK; 0: none */
    uint16_t failures, crashes, losses, attempts_max, crashes_max;
    uint64_t delay_ns; /* WAITING: how long from when this was written */
    uint64_t order;    /* TASK: its place in line, as the number of an entry; 0: of this one */
    struct bytes queue, name;
    struct bytes payload, result, text; /* absent: none */
};

#endif
