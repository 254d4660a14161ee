/* ventilator_log.h - the ventilator's records as log lines. */
#ifndef NODE_VENTILATOR_LOG_H
#define NODE_VENTILATOR_LOG_H

#include "../core/record.h"
#include "../watch/log.h"

void ventilator_log(const struct log *log, const struct record *record);

#endif
