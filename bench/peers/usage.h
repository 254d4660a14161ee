/* usage.h - what processes have used of the machine: processor time and memory.
 *
 * Not here: which processes, and between which moments.
 */
#ifndef TMESH_BENCH_USAGE_H
#define TMESH_BENCH_USAGE_H

#include <stdint.h>
#include <sys/types.h>

/* User and system time of all threads of a process, in nanoseconds; 0 if there is
 * no such process. */
uint64_t usage_cpu_ns(pid_t process);

/* The most memory it has held at once, since its start or usage_forget_peak, in
 * bytes; 0 if there is no such process. */
uint64_t usage_peak_bytes(pid_t process);

/* Lets the peak start anew from what is held now.  Without the right to do so
 * nothing changes. */
void usage_forget_peak(pid_t process);

#endif
