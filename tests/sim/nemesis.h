/* nemesis.h - what goes wrong from outside: crashes, pauses, partitions.
 *
 * Owns: which fault strikes whom and when, by the weights of the plan.  Faults
 * of single messages are the network's, those of handlers the pool's.
 */
#ifndef SIM_NEMESIS_H
#define SIM_NEMESIS_H

#include "mesh.h"

/* An entry of the agenda: strikes once, and writes its next time down. */
void nemesis_on_fault(struct mesh *mesh);

/* Ends every fault that lasts. */
void nemesis_heal(struct mesh *mesh);

#endif
