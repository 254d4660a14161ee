/* complaint.h - what a command says on its standard error.
 *
 * Owns: the end of it, for the record of a run that fails, and the rate at
 * which its lines reach the host's log.
 * Not here: reading it.
 */
#ifndef POOL_COMPLAINT_H
#define POOL_COMPLAINT_H

#include "../core/message.h"
#include "../watch/log.h"
#include "pace.h"

enum {
    COMPLAINT_TAIL_BYTES = 1000,
    COMPLAINT_LINE_BYTES = 800, /* longer lines are logged in pieces */
    COMPLAINT_LINES_PER_SECOND = 20
};

/* One for each slot, used again from run to run: the rate is the slot's. */
struct complaint {
    struct log log;
    const struct assignment *assignment; /* borrowed for the run */
    struct pace pace;
    uint32_t tail_size, line_size;
    char line[COMPLAINT_LINE_BYTES];
    char tail[4 * COMPLAINT_TAIL_BYTES];
};

void complaint_begin(struct complaint *complaint, const struct assignment *assignment);
void complaint_hear(struct complaint *complaint, struct bytes said, uint64_t now_ns);

/* Logs a last line without an end, and returns the tail, trimmed: borrowed until
 * the next run.  It begins at a whole character if it is UTF-8 at all, and has
 * no zero bytes. */
struct bytes complaint_end(struct complaint *complaint, uint64_t now_ns);

#endif
