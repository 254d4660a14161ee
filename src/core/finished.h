/* finished.h - what a run came to, on its way from the pool to the worker.
 *
 * Owns nothing: its views are borrowed for as long as whoever hands it over says.
 */
#ifndef CORE_FINISHED_H
#define CORE_FINISHED_H

#include "message.h"

struct finished {
    uint32_t job; /* the worker's number for it */
    enum outcome outcome;
    uint32_t retry_after_ms;
    struct bytes result, text; /* with failures a text, and a result only from commands that
                                  put something out */
    uint64_t run_ns;           /* how long the handler ran */
};

#endif
