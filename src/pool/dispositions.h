/* dispositions.h - what the host does with signals.
 *
 * Owns: for one slot, which signals the host ignored or handled when it was looked.
 *
 * A command must find every signal at its default.  To set all of them takes 62 system
 * calls for each command, which is more than all else that a child does before it enters
 * its program.  So the host is looked at once in a while, and the child sets what was
 * found different then.  A host that begins to ignore a signal while commands run passes
 * that on to those that are started within the next second; what it handles is reset by
 * the kernel in any case.
 */
#ifndef POOL_DISPOSITIONS_H
#define POOL_DISPOSITIONS_H

#include <signal.h>
#include <stdint.h>

enum { DISPOSITIONS_BELIEVED_MS = 1000 };

/* All zeros has not looked. */
struct dispositions {
    uint64_t looked_ns;
    uint32_t count;
    int changed[NSIG]; /* the signals that are not at their default */
};

/* Looks, if it was not looked for a while. */
void dispositions_look(struct dispositions *dispositions, uint64_t now_ns);

/* Gives this process the defaults of those that were changed.  By system calls only. */
void dispositions_reset(const struct dispositions *dispositions);

#endif
