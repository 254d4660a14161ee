/* spin.h - how long the loops look for something new before they sleep, as an option. */
#ifndef NODE_SPIN_H
#define NODE_SPIN_H

#include "failure.h"

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

#endif
