/* time_limit.h - why a run is ended from outside, and what is said of it, wherever
 * it is ended.
 */
#ifndef CORE_TIME_LIMIT_H
#define CORE_TIME_LIMIT_H

#include "message.h"

enum { TIME_LIMIT_TEXT_BYTES = 96 };

enum end_cause {
    END_SOFT_LIMIT, /* "over its soft time limit of 1 s": asked to end, not killed */
    END_LIMIT,      /* "over its time limit of 2 s" */
    END_STALLED,    /* "no sign of life for 5 s" */
    END_REVOKED     /* "its lease is over": cancelled, or given to somebody else; nobody is told */
};

/* The limit of `task` that a run is over when it is ended for this cause; 0 for END_REVOKED. */
uint32_t end_cause_limit_ms(enum end_cause cause, const struct assignment *task);

/* Writes what is said of a run that was ended for this cause, over this limit, and
 * what comes `behind` it, at most 32 bytes, into `text`; without an end mark.
 * Borrowed from `text`. */
struct bytes end_cause_text(enum end_cause cause, uint32_t limit_ms, const char *behind,
                            char text[TIME_LIMIT_TEXT_BYTES]);

#endif
