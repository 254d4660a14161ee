/* ventilator_trace.h - a ventilator's records and messages as lines of text. */
#ifndef SCENARIO_VENTILATOR_TRACE_H
#define SCENARIO_VENTILATOR_TRACE_H

#include "ventilator_story.h"

void ventilator_trace_record(struct story *story, const struct record *record);
void ventilator_trace_send(struct story *story, const struct ventilator_send *send);

#endif
