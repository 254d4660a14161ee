/* pace.c - so many lines a second, and no more. */
#include "pace.h"

#include "../core/instant.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

bool pace_allows(struct pace *pace, uint32_t per_second, uint64_t now_ns,
                 char note[PACE_NOTE_BYTES])
{
    note[0] = '\0';
    if (now_ns - pace->second_ns >= SECOND) {
        if (pace->dropped > 0)
            (void)snprintf(note, PACE_NOTE_BYTES,
                           "%" PRIu32 " lines dropped: over %" PRIu32 " a second", pace->dropped,
                           per_second);
        *pace = (struct pace){.second_ns = now_ns};
    }
    assert(pace->passed <= per_second);
    if (pace->passed < per_second) {
        pace->passed++;
        return true;
    }
    if (pace->dropped == 0)
        (void)snprintf(note, PACE_NOTE_BYTES,
                       "over %" PRIu32 " lines in this second: the slot's next ones are dropped",
                       per_second);
    if (pace->dropped < UINT32_MAX) pace->dropped++;
    return false;
}
