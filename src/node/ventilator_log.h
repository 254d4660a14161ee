/* ventilator_log.h - the ventilator's records as log lines. */
#ifndef NODE_VENTILATOR_LOG_H
#define NODE_VENTILATOR_LOG_H

#include "../core/record.h"
#include "../watch/log.h"

/* `cause` is what was said of the run, if this is about one that failed; it may be empty. */
void ventilator_log(const struct log *log, const struct record *record, struct bytes cause);

/* Whether a line about this record wants to say it. */
bool ventilator_log_wants_cause(const struct record *record);

#endif
