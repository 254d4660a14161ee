/* processors.c - the processors that a slot's thread may run on. */
#include "processors.h"

#include <stddef.h>
#include <string.h>

/* A thread that never asked for anything runs on whatever its container has, and on more
 * when that gets more.  Once it has asked, it is kept to what it asked for: so it asks for all,
 * if that comes to the same. */
static void learn(struct processors *processors, const cpu_set_t *allowed)
{
    cpu_set_t all, granted;
    processors->seen = processors->wanted = *allowed;
    memset(&all, 0xff, sizeof all);
    if (CPU_COUNT(allowed) < 2 || sched_setaffinity(0, sizeof all, &all) != 0) return;
    bool same = sched_getaffinity(0, sizeof granted, &granted) == 0 && CPU_EQUAL(&granted, allowed);
    if (same)
        processors->wanted = all;
    else
        (void)sched_setaffinity(0, sizeof *allowed, allowed);
}

bool processors_stay(struct processors *processors)
{
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return false;
    if (!CPU_EQUAL(&allowed, &processors->seen)) learn(processors, &allowed);
    int here = sched_getcpu();
    if (CPU_COUNT(&allowed) < 2 || here < 0 || here >= CPU_SETSIZE) return false;
    CPU_ZERO(&processors->here);
    CPU_SET((size_t)here, &processors->here);
    return sched_setaffinity(0, sizeof processors->here, &processors->here) == 0;
}

void processors_roam(const struct processors *processors)
{
    (void)sched_setaffinity(0, sizeof processors->wanted, &processors->wanted);
}

void processors_roam_again(const struct processors *processors)
{
    cpu_set_t allowed;
    bool ours = sched_getaffinity(0, sizeof allowed, &allowed) == 0 &&
                CPU_EQUAL(&allowed, &processors->here);
    if (ours) processors_roam(processors);
}
