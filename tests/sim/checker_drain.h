/* checker_drain.h - a worker that is to drain does, although messages are lost. */
#ifndef SIM_CHECKER_DRAIN_H
#define SIM_CHECKER_DRAIN_H

#include "core/ventilator.h"

struct mesh;
struct node;

/* A ventilator says this in the step of `event`, and records that. */
void checker_drain_says(struct mesh *mesh, const struct node *ventilator,
                        const struct ventilator_event *event, const struct message *message);
void checker_drain_record(struct mesh *mesh, const struct node *ventilator,
                          const struct record *record);
/* Everything was healed and had its time. */
void checker_drain_end(struct mesh *mesh);

#endif
