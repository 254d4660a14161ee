/* planted.h - bugs that the simulator plants, to see that it would find them.
 *
 * In every build but the simulator's own the question is constantly answered
 * with no, and the compiler leaves nothing of it.
 */
#ifndef CORE_PLANTED_H
#define CORE_PLANTED_H

#include <stdbool.h>

enum planted { PLANTED_NOTHING, PLANTED_COUNT };

#ifdef TMESH_PLANTED_BUGS
extern enum planted planted_bug; /* the simulator's to set */

static inline bool planted(enum planted bug)
{
    return planted_bug == bug;
}
#else
static inline bool planted(enum planted bug)
{
    (void)bug;
    return false;
}
#endif

#endif
