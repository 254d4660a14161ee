/* processors.h - the processors that a slot's thread may run on.
 *
 * Owns: for one slot, which they were when it was looked, and how to ask for them again.
 *
 * Linux begins a new process on the processor that it takes for the idlest.  Between two
 * calls of a slot that is mostly another one: that has to be interrupted, has nothing of
 * what the process needs in its caches, and has two commands now while this one has none,
 * until the next birth mends that by chance.  The parent stands still meanwhile, so the
 * best place for a brief command is where its parent is.  There is no other way to ask for it
 * than to allow the parent no other processor for as long as the birth takes.
 *
 * Whoever gives the thread other processors meanwhile, as taskset does, is heard, unless it is
 * just the one on which the thread stays: that looks the same.
 */
#ifndef POOL_PROCESSORS_H
#define POOL_PROCESSORS_H

#include <sched.h>
#include <stdbool.h>

/* All zeros has not looked. */
struct processors {
    cpu_set_t seen;   /* what this thread may run on */
    cpu_set_t wanted; /* asks for just that, and for more when its container gets more */
    cpu_set_t here;   /* while it stays */
};

/* Keeps the calling thread, and what it gives birth to, on the processor it is on, until
 * it roams.  False: it stays as it was: there is only one, or nobody may say. */
bool processors_stay(struct processors *processors);

/* The calling thread, which stayed or was born meanwhile, may run where its parent might
 * before.  By system calls only. */
void processors_roam(const struct processors *processors);

/* The thread that stayed roams, unless somebody else gave it other processors meanwhile. */
void processors_roam_again(const struct processors *processors);

#endif
