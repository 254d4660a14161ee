/* reason.h - why something was refused or ended, as it travels on the wire.
 *
 * One list for refusals of sessions, of submissions, and for the ends of tasks
 * that did not end well.  Numbers are part of the protocol (PROTOCOL.md):
 * append, never renumber.
 */
#ifndef CORE_REASON_H
#define CORE_REASON_H

enum reason {
    REASON_NONE = 0,
    REASON_VERSION = 1,     /* major versions differ */
    REASON_MALFORMED = 2,   /* the message breaks the protocol's rules */
    REASON_BUSY = 3,        /* a limit of the ventilator is reached for now; try later */
    REASON_TOO_BIG = 4,     /* the payload or result is larger than WELCOME allows */
    REASON_BAD_NAME = 5,    /* a task or queue name breaks the naming rule */
    REASON_DRAINING = 6,    /* the ventilator takes no new tasks; submit elsewhere */
    REASON_ROLE = 7,        /* this role may not send this message */
    REASON_ATTEMPTS = 8,    /* failed as often as its policy allows */
    REASON_PERMANENT = 9,   /* the handler said that trying again is useless */
    REASON_CRASHES = 10,    /* killed its handler's process too often */
    REASON_LOSSES = 11,     /* too many workers were lost under it */
    REASON_FORGOTTEN = 12,  /* it ended, and its result is no longer kept */
    REASON_OWNER_GONE = 13, /* its ventilator restarted without it */
    REASON_NO_LETTER = 14,  /* no dead letter with this id is kept here */
    REASON_CANCELLED = 15,  /* somebody cancelled it */
    REASON_NO_TASK = 16,    /* no task with this id is known here */
    REASON_ENDED = 17,      /* it has ended already */
    REASON_AWAITED = 18     /* another producer, which came later, waits for its end */
};

#endif
