/* bench_json.c - what a benchmark found, as one object.
 *
 * Figures are those of the run with the median rate; what was lost or repeated is counted
 * over all runs.
 */
#include "bench_report.h"

static void write_latency(const struct bench_plan *plan, const struct histogram *latency,
                          struct json *json)
{
    static const struct {
        const char *key;
        uint32_t per_million;
    } rows[] = {{"p50", 500000}, {"p90", 900000}, {"p99", 990000}, {"p99_9", 999000}};
    json_object(json, "latency_us");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_decimal(json, rows[i].key,
                     (double)histogram_quantile(latency, rows[i].per_million) / 1e3);
    }
    json_decimal(json, "max", (double)latency->most / 1e3);
    json_decimal(json, "min", (double)latency->least / 1e3);
    json_decimal(json, "mean",
                 latency->count > 0 ? latency->sum / (double)latency->count / 1e3 : 0);
    json_number(json, "count", latency->count);
    json_number(json, "one_in", plan->sample_every);
    json_text(json, "from", plan->rate > 0 ? "due" : "submitted");
    json_text(json, "until", "end told");
    json_object_end(json);

    json_array(json, "histogram");
    for (uint64_t before = 0, bound = 0; before < latency->count;) {
        bound = bench_next_bound_ns(bound, latency->least);
        uint64_t until = histogram_until(latency, bound);
        json_object(json, NULL);
        json_decimal(json, "until_us", (double)bound / 1e3);
        json_number(json, "count", until - before);
        json_object_end(json);
        before = until;
    }
    json_array_end(json);
}

/* null for what cannot be seen from here. */
static void write_use(const struct bench_plan *plan, const struct bench_result *result,
                      enum bench_role role, struct json *json)
{
    double cpu = bench_cpu(plan, result, role);
    uint64_t peak = bench_peak(plan, result, role);
    if (cpu < 0) {
        json_null(json, "cpu_seconds_per_million");
    } else {
        json_decimal(json, "cpu_seconds_per_million", cpu);
    }
    if (peak == 0) {
        json_null(json, "peak_rss_bytes");
    } else {
        json_number(json, "peak_rss_bytes", peak);
    }
}

static void write_roles(const struct bench_plan *plan, const struct bench_result *result,
                        struct json *json)
{
    json_array(json, "roles");
    for (unsigned i = 0; i < BENCH_ROLES; i++) {
        if (result->usage[i].processes == 0) continue;
        json_object(json, NULL);
        json_text(json, "role", bench_role_text(plan, i));
        json_number(json, "processes", result->usage[i].processes);
        write_use(plan, result, i, json);
        json_object_end(json);
    }
    json_array_end(json);
}

static void write_foreign(const struct bench_plan *plan, const struct bench_result *result,
                          struct json *json)
{
    double foreign = bench_foreign(plan, result);
    if (foreign < 0) {
        json_null(json, "foreign_cores");
    } else {
        json_decimal(json, "foreign_cores", foreign);
    }
}

static void write_runs(const struct bench_report *report, struct json *json)
{
    json_array(json, "runs");
    for (size_t i = 0; i < report->count; i++) {
        const struct bench_result *result = &report->results[i];
        json_object(json, NULL);
        json_number(json, "tasks", result->tasks);
        json_decimal(json, "seconds", (double)result->elapsed_ns / 1e9);
        json_decimal(json, "tasks_per_second", bench_rate(result));
        write_use(report->plan, result, BENCH_ROLES, json);
        json_decimal(json, "p50_us", (double)histogram_quantile(&result->latency, 500000) / 1e3);
        json_number(json, "lost", result->lost);
        json_number(json, "repeated", result->repeated);
        json_object_end(json);
    }
    json_array_end(json);
}

static void write_parameters(const struct bench_report *report, struct json *json)
{
    const struct bench_plan *plan = report->plan;
    bool own = plan->layout != BENCH_ELSEWHERE;
    json_object(json, "parameters");
    json_text(json, "mesh", bench_layout_text(plan->layout));
    if (own) json_text(json, "transport", plan->transport);
    if (!own) json_text(json, "connect", plan->connect);
    if (plan->tasks > 0) json_number(json, "tasks", plan->tasks);
    if (plan->tasks == 0) json_number(json, "duration_ms", plan->duration_ms);
    json_number(json, "size", plan->size);
    json_number(json, "result_size", plan->result_size);
    json_number(json, "in_flight", plan->in_flight);
    json_number(json, "rate", plan->rate);
    json_number(json, "warm_up", plan->warm_up);
    json_number(json, "runs", plan->runs);
    json_number(json, "producers", plan->producers);
    if (own) {
        json_number(json, "ventilators", plan->ventilators);
        json_number(json, "workers", plan->workers);
        json_number(json, "slots", plan->slots);
        json_number(json, "spin_us", plan->spin_us);
        json_text(json, "pool", plan->pool);
        json_flag(json, "journal", plan->journal != NULL);
        if (plan->journal) json_text(json, "journal_filesystem", report->journal_filesystem);
    }
    json_object_end(json);
}

static void write_verdict(const struct bench_report *report, struct json *json)
{
    uint64_t lost = 0, repeated = 0, failed = 0, wrong = 0, strays = 0;
    for (size_t i = 0; i < report->count; i++) {
        const struct bench_result *result = &report->results[i];
        lost += result->lost;
        repeated += result->repeated;
        failed += result->failed;
        wrong += result->wrong;
        strays += result->strays;
    }
    json_number(json, "lost", lost);
    json_number(json, "repeated", repeated);
    json_number(json, "failed", failed);
    json_number(json, "wrong_results", wrong);
    json_number(json, "strays", strays);
    json_text(json, "counted_by", report->plan->layout == BENCH_ELSEWHERE ? "ends" : "runs");
}

void bench_report_json(const struct bench_report *report, struct output *output)
{
    struct json json = {.output = output};
    const struct bench_plan *plan = report->plan;
    const struct bench_result *result = bench_report_median(report);
    const char workload[] = {'W', (char)('0' + plan->workload), 0};
    json_object(&json, NULL);
    json_text(&json, "workload", workload);
    json_number(&json, "tasks", result->tasks);
    json_decimal(&json, "seconds", (double)result->elapsed_ns / 1e9);
    json_decimal(&json, "tasks_per_second", bench_rate(result));
    json_decimal(&json, "payload_bytes_per_second", bench_rate(result) * (double)plan->size);
    write_use(plan, result, BENCH_ROLES, &json);
    write_foreign(plan, result, &json);
    write_verdict(report, &json);
    write_latency(plan, &result->latency, &json);
    write_roles(plan, result, &json);
    write_runs(report, &json);
    write_parameters(report, &json);
    machine_json(&report->machine, &json, "environment");
    json_object_end(&json);
    json_line_end(&json);
}
