/* bench_report.c - see bench_report.h.  The JSON is in bench_json.c. */
#include "bench_report.h"

#include "table.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tmesh.h>

enum { BAR_COLUMNS = 40 };

static const double MILLION = 1000000;

const char *bench_layout_text(enum bench_layout layout)
{
    switch (layout) {
    case BENCH_APART: return "processes";
    case BENCH_EMBEDDED: return "embedded";
    case BENCH_TOGETHER: return "one process";
    case BENCH_ELSEWHERE: return "connected";
    }
    return "";
}

const char *bench_role_text(const struct bench_plan *plan, enum bench_role role)
{
    switch (role) {
    case BENCH_PRODUCERS:
        return plan->layout == BENCH_EMBEDDED   ? "producers with their ventilators"
               : plan->layout == BENCH_TOGETHER ? "the one process"
                                                : "producers";
    case BENCH_VENTILATORS: return "ventilators";
    case BENCH_WORKERS: return "workers";
    case BENCH_ROLES: break;
    }
    return "all";
}

double bench_rate(const struct bench_result *result)
{
    return (double)result->tasks * 1e9 / (double)result->elapsed_ns;
}

double bench_cpu(const struct bench_plan *plan, const struct bench_result *result,
                 enum bench_role role)
{
    uint64_t cpu_ns = 0;
    if (role == BENCH_ROLES && plan->layout == BENCH_ELSEWHERE) return -1;
    for (unsigned i = 0; i < BENCH_ROLES; i++) {
        if (role == BENCH_ROLES || role == i) cpu_ns += result->usage[i].cpu_ns;
    }
    double tasks = result->tasks > 0 ? (double)result->tasks : 1;
    return (double)cpu_ns / 1e9 / tasks * MILLION;
}

double bench_foreign(const struct bench_plan *plan, const struct bench_result *result)
{
    double ours_ns = 0, all_ns = (double)result->machine.busy_ns;
    if (plan->layout == BENCH_ELSEWHERE) return -1;
    for (unsigned i = 0; i < BENCH_ROLES; i++) ours_ns += (double)result->usage[i].cpu_ns;
    double others_ns = all_ns > ours_ns ? all_ns - ours_ns : 0;
    return (others_ns + (double)result->machine.stolen_ns) / (double)result->elapsed_ns;
}

uint64_t bench_peak(const struct bench_plan *plan, const struct bench_result *result,
                    enum bench_role role)
{
    uint64_t bytes = 0;
    if (role == BENCH_ROLES && plan->layout == BENCH_ELSEWHERE) return 0;
    for (unsigned i = 0; i < BENCH_ROLES; i++) {
        if (role == BENCH_ROLES || role == i) bytes += result->usage[i].peak_rss_bytes;
    }
    return bytes;
}

static int compare_rates(const void *a, const void *b)
{
    const struct bench_result *const *left = a, *const *right = b;
    double first = bench_rate(*left), second = bench_rate(*right);
    return (first > second) - (first < second);
}

const struct bench_result *bench_report_median(const struct bench_report *report)
{
    const struct bench_result *sorted[BENCH_RUNS_MAX];
    for (size_t i = 0; i < report->count; i++) sorted[i] = &report->results[i];
    qsort(sorted, report->count, sizeof *sorted, compare_rates);
    return sorted[(report->count - 1) / 2];
}

uint64_t bench_next_bound_ns(uint64_t bound_ns, uint64_t least_ns)
{
    static const uint64_t steps[] = {1, 2, 5};
    uint64_t next = 0;
    for (uint64_t decade = 1000; decade < UINT64_C(1) << 60; decade *= 10) {
        for (size_t i = 0; i < 3; i++) {
            next = steps[i] * decade;
            if (next > bound_ns && next >= least_ns) return next;
        }
    }
    return UINT64_MAX;
}

/* --- what is run ---------------------------------------------------------- */

static void append(char *text, size_t bytes, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void append(char *text, size_t bytes, const char *format, ...)
{
    size_t used = strlen(text);
    va_list list;
    va_start(list, format);
    vsnprintf(text + used, bytes - used, format, list);
    va_end(list);
}

static const char *plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

static void append_mesh(const struct bench_plan *plan, char *text, size_t bytes)
{
    append(text, bytes, "%" PRIu32 " producer%s", plan->producers, plural(plan->producers));
    switch (plan->layout) {
    case BENCH_ELSEWHERE: append(text, bytes, " connected to %s", plan->connect); return;
    case BENCH_APART:
        append(text, bytes, ", %" PRIu32 " ventilator%s, ", plan->ventilators,
               plural(plan->ventilators));
        break;
    case BENCH_EMBEDDED:
        append(text, bytes, " with embedded ventilator%s, ", plural(plan->producers));
        break;
    case BENCH_TOGETHER:
        append(text, bytes, " with embedded ventilator%s over inproc, in the same process ",
               plural(plan->producers));
        break;
    }
    append(text, bytes, "%" PRIu32 " worker%s of %" PRIu32 " slot%s (%s) over %s", plan->workers,
           plural(plan->workers), plan->slots, plural(plan->slots), plan->pool,
           plan->layout == BENCH_TOGETHER ? "ipc" : plan->transport);
}

void bench_report_plan(const struct bench_report *report, char *text, size_t bytes)
{
    const struct bench_plan *plan = report->plan;
    static const char *const works[] = {"", "throughput", "latency, ends told one by one",
                                        "throughput, with a journal", "throughput with results"};
    text[0] = 0;
    append(text, bytes, "W%d (%s) [", (int)plan->workload, works[plan->workload]);
    if (plan->tasks > 0) {
        append(text, bytes, "%" PRIu64 " task%s", plan->tasks, plural(plan->tasks));
    } else {
        append(text, bytes, "%.1f s of tasks", (double)plan->duration_ms / 1000);
    }
    append(text, bytes, " of %zu bytes", plan->size);
    if (plan->result_size > 0) append(text, bytes, ", results of %zu bytes", plan->result_size);
    append(text, bytes, "; ");
    append_mesh(plan, text, bytes);
    append(text, bytes, "; %" PRIu64 " in flight%s", plan->in_flight,
           plan->producers > 1 ? " each" : "");
    if (plan->rate > 0) append(text, bytes, ", %" PRIu64 " tasks/s at fixed times", plan->rate);
    if (plan->journal) {
        append(text, bytes, "; journal in %s (%s)", plan->journal, report->journal_filesystem);
    }
    append(text, bytes, "; %" PRIu64 " to warm up; %" PRIu32 " run%s]", plan->warm_up, plan->runs,
           plural(plan->runs));
}

/* --- what came out --------------------------------------------------------- */

static void duration(double ns, char text[TABLE_TEXT_BYTES])
{
    if (ns < 1e6) {
        snprintf(text, TABLE_TEXT_BYTES, "%.1f us", ns / 1e3);
    } else if (ns < 1e9) {
        snprintf(text, TABLE_TEXT_BYTES, "%.2f ms", ns / 1e6);
    } else {
        snprintf(text, TABLE_TEXT_BYTES, "%.2f s", ns / 1e9);
    }
}

static void print_count(const struct bench_report *report, const struct bench_result *result,
                        struct output *output)
{
    uint64_t lost = 0, repeated = 0;
    for (size_t i = 0; i < report->count; i++) {
        lost += report->results[i].lost;
        repeated += report->results[i].repeated;
    }
    table_line(output,
               "  tasks     %" PRIu64 " in %.3f s; %" PRIu64 " lost, %" PRIu64 " repeated, by %s",
               result->tasks, (double)result->elapsed_ns / 1e9, lost, repeated,
               report->plan->layout == BENCH_ELSEWHERE ? "the ends that were told"
                                                       : "the handlers' own count");
}

static void print_rate(const struct bench_report *report, const struct bench_result *result,
                       struct output *output)
{
    double rate = bench_rate(result), least = rate, most = rate;
    for (size_t i = 0; i < report->count; i++) {
        double other = bench_rate(&report->results[i]);
        if (other < least) least = other;
        if (other > most) most = other;
    }
    char spread[128] = "";
    if (report->count > 1) {
        snprintf(spread, sizeof spread, "; median of %zu runs, %.0f to %.0f", report->count, least,
                 most);
    }
    table_line(output, "  rate      %.0f tasks/s, %.1f MiB/s of payload%s", rate,
               rate * (double)report->plan->size / (1024.0 * 1024.0), spread);
}

static void print_usage(const struct bench_plan *plan, const struct bench_result *result,
                        struct output *output)
{
    char cpu[256] = "", peak[256] = "", sum[TABLE_TEXT_BYTES], one[TABLE_TEXT_BYTES];
    unsigned roles = 0;
    for (unsigned i = 0; i < BENCH_ROLES; i++) {
        if (result->usage[i].processes == 0) continue;
        table_bytes(bench_peak(plan, result, i), one);
        append(cpu, sizeof cpu, "%s%s %.2f", roles ? ", " : "", bench_role_text(plan, i),
               bench_cpu(plan, result, i));
        append(peak, sizeof peak, "%s%s %s", roles ? ", " : "", bench_role_text(plan, i), one);
        roles++;
    }
    if (plan->layout == BENCH_ELSEWHERE) {
        table_line(output, "  cpu       %s s per million tasks; the others are elsewhere", cpu);
        table_line(output, "  memory    %s at most; the others are elsewhere", peak);
        return;
    }
    table_bytes(bench_peak(plan, result, BENCH_ROLES), sum);
    table_line(output, "  cpu       %.2f s per million tasks: %s",
               bench_cpu(plan, result, BENCH_ROLES), cpu);
    table_line(output, "  memory    %s at most: %s", sum, peak);
}

static void print_bars(const struct histogram *latency, struct output *output)
{
    uint64_t before = 0, bound = 0, most = 1;
    for (int pass = 0; pass < 2; pass++) {
        before = bound = 0;
        while (before < latency->count) {
            char upper[TABLE_TEXT_BYTES], bar[BAR_COLUMNS + 1];
            bound = bench_next_bound_ns(bound, latency->least);
            uint64_t until = histogram_until(latency, bound), count = until - before;
            before = until;
            if (pass == 0 && count > most) most = count;
            if (pass == 0) continue;
            size_t columns = (size_t)((double)count * BAR_COLUMNS / (double)most + 0.5);
            memset(bar, '#', columns);
            bar[columns] = 0;
            duration((double)bound, upper);
            table_line(output, "  %12s %10" PRIu64 " %s", upper, count, bar);
        }
    }
}

static void print_latency(const struct bench_plan *plan, const struct histogram *latency,
                          struct output *output)
{
    static const uint32_t shares[] = {500000, 900000, 990000, 999000};
    char text[4][TABLE_TEXT_BYTES], most[TABLE_TEXT_BYTES], which[64] = "each task";
    if (latency->count == 0) return;
    for (int i = 0; i < 4; i++) duration((double)histogram_quantile(latency, shares[i]), text[i]);
    duration((double)latency->most, most);
    if (plan->sample_every > 1) {
        snprintf(which, sizeof which, "one task in %" PRIu64, plan->sample_every);
    }
    table_line(output, "  latency   p50 %s, p90 %s, p99 %s, p99.9 %s, max %s", text[0], text[1],
               text[2], text[3], most);
    table_line(output, "            of %s, from %s until its end is told", which,
               plan->rate > 0 ? "when it was due" : "its submission");
    print_bars(latency, output);
}

void bench_report_print(const struct bench_report *report, struct output *output)
{
    const struct bench_result *result = bench_report_median(report);
    const struct machine *machine = &report->machine;
    print_count(report, result, output);
    print_rate(report, result, output);
    print_usage(report->plan, result, output);
    print_latency(report->plan, &result->latency, output);
    double foreign = bench_foreign(report->plan, result);
    char others[64] = "";
    if (foreign >= 0)
        snprintf(others, sizeof others, "; others took %.2f cores meanwhile", foreign);
    table_line(output, "  machine   %s, %ld of %ld cores, %s%s", machine->cpu, machine->cores_ours,
               machine->cores, machine->kernel, others);
    table_line(output, "  software  tmesh %s, libzmq %s, msgpack %s, %s", tmesh_version(),
               machine->libzmq, machine->msgpack, machine->compiler);
}
