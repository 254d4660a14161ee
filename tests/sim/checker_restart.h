/* checker_restart.h - what a restart from a journal may forget, and what not. */
#ifndef SIM_CHECKER_RESTART_H
#define SIM_CHECKER_RESTART_H

#include "ledger.h"

struct node;

/* A ventilator says that a task is there again. */
void checker_restored(struct mesh *mesh, const struct node *node, const struct record *record,
                      struct custody *custody);

#endif
