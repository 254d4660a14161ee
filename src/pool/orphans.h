/* orphans.h - processes that a child left behind when it ended.
 *
 * Owns nothing.  They are children of the calling process by then, which is the
 * reaper of all below it; the children that it forked itself are known to it.
 */
#ifndef POOL_ORPHANS_H
#define POOL_ORPHANS_H

#include <stdbool.h>
#include <sys/types.h>

/* Kills every child of this process that is not known.  Not what they fork meanwhile,
 * nor what they leave behind: call it again whenever one of them was reaped. */
void orphans_kill(bool (*is_known)(pid_t pid, const void *context), const void *context);

#endif
