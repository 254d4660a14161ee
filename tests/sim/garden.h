/* garden.h - the bugs that can be planted, and the proof that each is found.
 *
 * Owns: their names, and the switch that the simulator's build of the core asks
 * (core/planted.h).  A bug that is not found means that the faults or the
 * checker are too weak.
 */
#ifndef SIM_GARDEN_H
#define SIM_GARDEN_H

#include "campaign.h"
#include "core/planted.h"

/* PLANTED_NOTHING when there is no such bug. */
enum planted garden_find(const char *name);
void garden_list(FILE *out);

/* Plants each bug in turn and runs seeds until it shows: as a violation, or as
 * an assertion of the core.  Prints how many it took; true when all were found. */
bool garden_harvest(const struct campaign *campaign);

#endif
