/* application.h - the program behind a producer: what it submits, and what it does
 * with what it is told.
 *
 * Owns: when tasks are submitted, and again: after UNKNOWN, and by the process
 * that follows one that was killed, as one with a spool or a database does.
 */
#ifndef SIM_APPLICATION_H
#define SIM_APPLICATION_H

#include "core/producer.h"
#include "node.h"

void application_rise(struct mesh *mesh, struct node *node);
void application_fall(struct mesh *mesh, struct node *node);

/* An entry of the agenda: it has something to do. */
void application_on_apply(struct mesh *mesh, uint32_t node, uint32_t process);

void application_told(struct mesh *mesh, struct node *node, const struct producer_action *action);

/* What a ticket stands for; borrowed until the next call. */
struct submission application_submission(const struct mesh *mesh, uint32_t ticket);

#endif
