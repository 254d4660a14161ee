/* bench_report.h - what a benchmark found, for people and for programs. */
#ifndef NODES_BENCH_REPORT_H
#define NODES_BENCH_REPORT_H

#include "bench_plan.h"
#include "machine.h"

enum { BENCH_RUNS_MAX = 99 };

struct bench_report {
    const struct bench_plan *plan;
    struct machine machine;
    const char *journal_filesystem; /* "ext4", "tmpfs"; NULL: no journal of ours */
    struct bench_result *results;   /* one for each run that came to its end */
    size_t count;
};

/* What is run, in one sentence without its end. */
void bench_report_plan(const struct bench_report *report, char *text, size_t bytes);

/* Of several runs the one with the median rate; of two in the middle, the slower. */
const struct bench_result *bench_report_median(const struct bench_report *report);

double bench_rate(const struct bench_result *result); /* tasks per second */

/* The report itself, behind the line with what was run. */
void bench_report_print(const struct bench_report *report, struct output *output);

/* One object and its line's end (bench_json.c). */
void bench_report_json(const struct bench_report *report, struct output *output);

/* The words of both. */
const char *bench_layout_text(enum bench_layout layout);

/* CPU seconds per million tasks; of all roles for BENCH_ROLES.  Below 0: not all of it can
 * be seen from here. */
double bench_cpu(const struct bench_plan *plan, const struct bench_result *result,
                 enum bench_role role);
/* Bytes; 0: cannot be seen from here. */
uint64_t bench_peak(const struct bench_plan *plan, const struct bench_result *result,
                    enum bench_role role);
/* Cores that everything else on the machine took meanwhile, and its hypervisor's other
 * guests: what a figure suffers from.  Below 0: cannot be told from what is measured. */
double bench_foreign(const struct bench_plan *plan, const struct bench_result *result);

/* "producers", or what else is in the same processes. */
const char *bench_role_text(const struct bench_plan *plan, enum bench_role role);

/* The bounds of a histogram for people and programs: 1, 2, 5, 10 ... microseconds, from the
 * last below `least` on; 0 begins it. */
uint64_t bench_next_bound_ns(uint64_t bound_ns, uint64_t least_ns);

#endif
