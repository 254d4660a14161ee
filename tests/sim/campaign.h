/* campaign.h - many runs, and what they add up to.
 *
 * Owns: which seeds are run, by how many processes, and the line of counts.
 */
#ifndef SIM_CAMPAIGN_H
#define SIM_CAMPAIGN_H

#include "mesh.h"

enum { CAMPAIGN_JOBS_MAX = 64 };

struct campaign {
    uint64_t from, seeds;
    uint32_t jobs; /* processes that share them */
};

/* Each returns whether there was no violation; those there were are printed. */
bool campaign_tell(uint64_t seed);
bool campaign_run(const struct campaign *campaign);
bool campaign_run_list(const struct campaign *campaign, const char *path);
/* Each seed twice, with the cores in other places of memory. */
bool campaign_run_twice(const struct campaign *campaign);

/* The first of the seeds that shows a violation, plus one; 0 when none does.
 * Prints nothing. */
uint64_t campaign_find(const struct campaign *campaign, struct violation *violation);

#endif
