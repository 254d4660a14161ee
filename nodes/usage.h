/* usage.h - what processes have used so far, by the kernel's own counts: processor time
 * and the most memory they ever held.
 *
 * A process counts with its descendants that live, so that the children of a process
 * pool are in it.
 */
#ifndef NODES_USAGE_H
#define NODES_USAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct usage {
    uint64_t cpu_ns;         /* user and system together */
    uint64_t peak_rss_bytes; /* each process's peak, added up; what processes share is counted
                                in each of them */
    unsigned processes;
};

enum usage_scope { USAGE_ALONE, USAGE_FAMILY /* with all that descend from it */ };

/* A process that is gone counts nothing. */
struct usage usage_of(pid_t pid, enum usage_scope scope);

/* What all processors of the machine have done since it was started. */
struct usage_machine {
    uint64_t busy_ns;   /* for whatever process */
    uint64_t stolen_ns; /* given to other machines by the hypervisor */
};

/* In hundredths of a second.  All zero where the kernel does not say. */
struct usage_machine usage_of_machine(void);

/* Has the peak of this process begin anew at what it holds now.  False: the kernel does not
 * do that, and the peak is that since it was started. */
bool usage_forget_peak(void);

#endif
