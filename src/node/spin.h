/* spin.h - how long a loop looks for something new before it sleeps.
 *
 * To wake a sleeping thread costs time, on a virtual machine several times what a
 * message does.  Who has processors to spare may buy that time with them.  Off
 * unless asked for: with all processors in use it only takes them from others.
 */
#ifndef NODE_SPIN_H
#define NODE_SPIN_H

#include "../core/instant.h"
#include "../watch/clock.h"
#include "failure.h"

#include <sched.h>
#include <stdbool.h>

enum { SPIN_US_MAX = 1000000 };

static inline enum tmesh_err spin_read(uint32_t spin_us, uint64_t *spin_ns, tmesh_error_t *error)
{
    if (spin_us > SPIN_US_MAX) {
        return failure(error, TMESH_E_INVALID, "spin_us is %u, and may be %d at most",
                       (unsigned)spin_us, (int)SPIN_US_MAX);
    }
    *spin_ns = (uint64_t)spin_us * 1000;
    return TMESH_OK;
}

/* Until when a loop looks that has nothing to do before `deadline_ns`; 0: not at all. */
static inline uint64_t spin_until(uint64_t spin_ns, uint64_t deadline_ns)
{
    if (spin_ns == 0) return 0;
    uint64_t until_ns = clock_now_ns() + spin_ns;
    return until_ns < deadline_ns ? until_ns : deadline_ns;
}

/* Whoever else wants this processor gets it in between. */
static inline bool spin_goes_on(uint64_t until_ns)
{
    if (until_ns == 0 || clock_now_ns() >= until_ns) return false;
    (void)sched_yield();
    return true;
}

#endif
