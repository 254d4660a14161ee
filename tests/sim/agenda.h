/* agenda.h - what happens next: events in order of virtual time.
 *
 * Owns: the order, ties included, which is that of writing down.  An entry is
 * never taken off before its time: whoever wrote it compares its mark when it
 * comes up, and passes over one that was overtaken by events.
 */
#ifndef SIM_AGENDA_H
#define SIM_AGENDA_H

#include <stdbool.h>
#include <stdint.h>

enum agenda_kind {
    AGENDA_TURN,   /* node: its loop turns */
    AGENDA_LANE,   /* lane: its first parcel arrives */
    AGENDA_DIAL,   /* connection: an attempt to connect ends */
    AGENDA_RUN,    /* node, slot in mark: a handler ends */
    AGENDA_APPLY,  /* node: the application behind a producer wakes up */
    AGENDA_DISK,   /* node: the commit under way ends */
    AGENDA_RISE,   /* node: starts again */
    AGENDA_FAULT,  /* the next fault */
    AGENDA_HEAL,   /* faults end */
    AGENDA_INSPECT /* is everything done? */
};

struct agenda_entry {
    uint64_t at_ns, order;
    enum agenda_kind kind;
    uint32_t whom, mark;
};

struct agenda {
    struct agenda_entry *entries; /* a heap */
    uint32_t count, capacity;
    uint64_t order;
};

/* Ends the program when there is no memory: there is nobody to tell. */
void agenda_add(struct agenda *agenda, uint64_t at_ns, enum agenda_kind kind, uint32_t whom,
                uint32_t mark);

/* The earliest entry; false when there is none. */
bool agenda_next(struct agenda *agenda, struct agenda_entry *entry);

void agenda_clear(struct agenda *agenda);
void agenda_free(struct agenda *agenda);

#endif
