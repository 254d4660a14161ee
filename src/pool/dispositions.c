/* dispositions.c - what the host does with signals. */
#include "dispositions.h"

#include "../core/instant.h"

#include <stddef.h>
#include <string.h>

void dispositions_look(struct dispositions *dispositions, uint64_t now_ns)
{
    uint64_t looked_ns = dispositions->looked_ns;
    uint64_t due_ns = instant_after(looked_ns, DISPOSITIONS_BELIEVED_MS * MILLISECOND);
    if (looked_ns != 0 && now_ns < due_ns) return;
    dispositions->looked_ns = now_ns;
    dispositions->count = 0;
    for (int number = 1; number < NSIG; number++) {
        struct sigaction action;
        /* The C library's own two are not shown. */
        if (sigaction(number, NULL, &action) != 0 || action.sa_handler == SIG_DFL) continue;
        dispositions->changed[dispositions->count++] = number;
    }
}

void dispositions_reset(const struct dispositions *dispositions)
{
    struct sigaction plain;
    memset(&plain, 0, sizeof plain);
    plain.sa_handler = SIG_DFL;
    for (uint32_t i = 0; i < dispositions->count; i++)
        (void)sigaction(dispositions->changed[i], &plain, NULL);
}
