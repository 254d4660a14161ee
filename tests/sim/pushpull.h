/* pushpull.h - the checker's own control: no protocol at all.
 *
 * Tasks go round robin to workers by plain PUSH and PULL, with buffers where
 * libzmq and the kernel have theirs and no acknowledgement, and workers are
 * killed.  The same ledger and the same checker must report tasks as lost, or
 * they would report nothing ever.
 */
#ifndef SIM_PUSHPULL_H
#define SIM_PUSHPULL_H

#include "campaign.h"

/* Prints what was lost; true when the checker noticed it in every seed in which
 * a worker died with tasks in its buffers, and there were some. */
bool pushpull_control(const struct campaign *campaign);

#endif
