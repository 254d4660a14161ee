/* time_limit.h - what is said of a run that took too long, wherever it is ended. */
#ifndef CORE_TIME_LIMIT_H
#define CORE_TIME_LIMIT_H

#include "bytes.h"

enum { TIME_LIMIT_TEXT_BYTES = 96 };

/* Writes "over its time limit of 2 s" and what comes `behind` it, at most 32
 * bytes, into `text`; without an end mark.  Borrowed from `text`. */
struct bytes time_limit_text(uint32_t limit_ms, const char *behind,
                             char text[TIME_LIMIT_TEXT_BYTES]);

#endif
