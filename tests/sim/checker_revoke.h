/* checker_revoke.h - who has to hear that a lease is over, because its task was cancelled. */
#ifndef SIM_CHECKER_REVOKE_H
#define SIM_CHECKER_REVOKE_H

#include "core/ventilator.h"
#include "ledger.h"

struct node;

/* A ventilator cancelled a task that it had given to a worker under this lease. */
void checker_revoked(struct mesh *mesh, const struct node *ventilator, const struct grant *grant,
                     const struct lease *lease);
/* It says this; and its turn is over. */
void checker_revoke_says(struct mesh *mesh, const struct message *message);
void checker_revoke_turn(struct mesh *mesh, const struct node *ventilator);

#endif
