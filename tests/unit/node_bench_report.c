/* node_bench_report.c - the figures of a benchmark from what was measured: rates, the
 * median run, processor time for a million tasks, and the text and the JSON about them.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "../../nodes/bench_report.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const struct bench_plan PLAN = {.workload = BENCH_W4,
                                       .layout = BENCH_APART,
                                       .transport = "tcp",
                                       .pool = "threads",
                                       .tasks = 1000,
                                       .warm_up = 10,
                                       .in_flight = 50,
                                       .sample_every = 1,
                                       .size = 1024,
                                       .result_size = 20,
                                       .producers = 1,
                                       .ventilators = 2,
                                       .workers = 3,
                                       .slots = 4,
                                       .runs = 3};

/* Three runs of 1,000 tasks in 1, 4 and 2 seconds; latencies of 0.75 to 99.75 ms. */
static struct bench_result *make_results(void)
{
    static const uint64_t seconds[] = {1, 4, 2};
    struct bench_result *results = calloc(3, sizeof *results);
    assert_non_null(results);
    for (size_t i = 0; i < 3; i++) {
        struct bench_result *result = &results[i];
        result->tasks = 1000;
        result->elapsed_ns = seconds[i] * 1000000000;
        result->usage[BENCH_PRODUCERS] = (struct usage){1000000, 1 << 20, 1};
        result->usage[BENCH_VENTILATORS] = (struct usage){2000000, 2 << 20, 2};
        result->usage[BENCH_WORKERS] = (struct usage){500000, 3 << 20, 3};
        result->machine = (struct usage_machine){500000000 + 3500000, 100000000};
        for (uint64_t v = 1; v <= 100; v++) histogram_add(&result->latency, v * 1000000 - 250000);
    }
    return results;
}

/* What `write` writes; the caller frees it. */
static char *text_of(const struct bench_report *report,
                     void (*write)(const struct bench_report *report, struct output *output))
{
    struct output *output = malloc(sizeof *output);
    assert_non_null(output);
    output_open(output, memfd_create("report", MFD_CLOEXEC));
    write(report, output);
    assert_true(output_flush(output));
    off_t bytes = lseek(output->fd, 0, SEEK_END);
    char *text = calloc(1, (size_t)bytes + 1);
    assert_non_null(text);
    assert_int_equal(pread(output->fd, text, (size_t)bytes, 0), bytes);
    close(output->fd);
    free(output);
    return text;
}

static void expect_text(const char *text, const char *part)
{
    if (!strstr(text, part)) fail_msg("missing: %s in:\n%s", part, text);
}

static void the_median_run_is_shown_and_of_two_in_the_middle_the_slower(void **state)
{
    struct bench_result *results = make_results();
    struct bench_report report = {.plan = &PLAN, .results = results, .count = 3};
    (void)state;
    assert_ptr_equal(bench_report_median(&report), &results[2]);
    report.count = 2;
    assert_ptr_equal(bench_report_median(&report), &results[1]);
    report.count = 1;
    assert_ptr_equal(bench_report_median(&report), &results[0]);
    assert_true(bench_rate(&results[2]) == 500);
    free(results);
}

static void cost_is_per_million_tasks_of_all_processes(void **state)
{
    struct bench_result *results = make_results();
    struct bench_plan plan = PLAN;
    (void)state;
    assert_true(bench_cpu(&plan, results, BENCH_VENTILATORS) == 2);
    assert_true(bench_cpu(&plan, results, BENCH_ROLES) == 3.5);
    assert_int_equal(bench_peak(&plan, results, BENCH_ROLES), 6 << 20);
    /* Elsewhere are processes that cannot be seen: the sum would be a lie. */
    plan.layout = BENCH_ELSEWHERE;
    assert_true(bench_cpu(&plan, results, BENCH_ROLES) < 0);
    assert_true(bench_cpu(&plan, results, BENCH_PRODUCERS) == 1);
    assert_int_equal(bench_peak(&plan, results, BENCH_ROLES), 0);
    free(results);
}

static void what_others_took_is_what_is_not_ours(void **state)
{
    struct bench_result *results = make_results();
    struct bench_plan plan = PLAN;
    (void)state;
    /* Half a second of others and a tenth that was stolen, in one second. */
    assert_true(bench_foreign(&plan, results) == 0.6);
    results->machine.busy_ns = 1000000; /* in hundredths of a second it may seem less than ours */
    assert_true(bench_foreign(&plan, results) == 0.1);
    plan.layout = BENCH_ELSEWHERE;
    assert_true(bench_foreign(&plan, results) < 0);
    free(results);
}

static void people_read_what_was_run_and_what_came_out(void **state)
{
    struct bench_result *results = make_results();
    struct bench_report report = {.plan = &PLAN, .results = results, .count = 3};
    char line[1024];
    (void)state;
    results[0].lost = 3;
    results[1].repeated = 1;
    bench_report_plan(&report, line, sizeof line);
    assert_string_equal(line, "W4 (throughput with results) [1000 tasks of 1024 bytes, results of "
                              "20 bytes; 1 producer, 2 ventilators, 3 workers of 4 slots (threads) "
                              "over tcp; 50 in flight; 10 to warm up; 3 runs]");
    char *text = text_of(&report, bench_report_print);
    expect_text(text, "1000 in 2.000 s; 3 lost, 1 repeated, by the handlers' own count");
    expect_text(text, "500 tasks/s, 0.5 MiB/s of payload; median of 3 runs, 250 to 1000");
    expect_text(text, "3.50 s per million tasks: producers 1.00, ventilators 2.00, workers 0.50");
    expect_text(text, "6.0 MiB at most: producers 1.0 MiB, ventilators 2.0 MiB, workers 3.0 MiB");
    expect_text(text, "max 99.75 ms");
    /* 2.75, 3.75 and 4.75 ms; 50.75 to 99.75 ms. */
    expect_text(text, "\n       5.00 ms          3 ##\n");
    expect_text(text, "\n     100.00 ms         50 ########################################\n");
    free(text);
    free(results);
}

static void programs_read_the_same_with_all_that_was_lost(void **state)
{
    struct bench_result *results = make_results();
    struct bench_report report = {.plan = &PLAN, .results = results, .count = 3};
    (void)state;
    results[0].lost = 3;
    results[1].repeated = 1;
    char *text = text_of(&report, bench_report_json);
    expect_text(text,
                "{\"workload\":\"W4\",\"tasks\":1000,\"seconds\":2,\"tasks_per_second\":500,");
    expect_text(text, "\"cpu_seconds_per_million\":3.5,\"peak_rss_bytes\":6291456,"
                      "\"foreign_cores\":0.3,\"lost\":3,\"repeated\":1,");
    expect_text(text, "\"max\":99750,\"min\":750,\"mean\":50250,\"count\":100,");
    expect_text(text, "{\"until_us\":100000,\"count\":50}]");
    expect_text(text, "\"runs\":[{\"tasks\":1000,\"seconds\":1,");
    free(text);
    free(results);
}

static void what_cannot_be_seen_is_null(void **state)
{
    struct bench_result *results = make_results();
    struct bench_plan plan = PLAN;
    struct bench_report report = {.plan = &plan, .results = results, .count = 1};
    (void)state;
    plan.layout = BENCH_ELSEWHERE;
    plan.connect = "tcp://a:1";
    memset(&results->usage[BENCH_VENTILATORS], 0, 2 * sizeof results->usage[0]);
    char *text = text_of(&report, bench_report_json);
    expect_text(text, "\"cpu_seconds_per_million\":null,\"peak_rss_bytes\":null,"
                      "\"foreign_cores\":null,");
    expect_text(text, "\"roles\":[{\"role\":\"producers\",\"processes\":1,"
                      "\"cpu_seconds_per_million\":1,\"peak_rss_bytes\":1048576}]");
    expect_text(text, "\"counted_by\":\"ends\"");
    free(text);
    free(results);
}

static void bounds_go_by_one_two_and_five(void **state)
{
    static const uint64_t wanted[] = {1000, 2000, 5000, 10000, 20000, 50000, 100000};
    uint64_t bound = 0;
    (void)state;
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        bound = bench_next_bound_ns(bound, 0);
        assert_int_equal(bound, wanted[i]);
    }
    assert_int_equal(bench_next_bound_ns(0, 3000), 5000);
    assert_true(bench_next_bound_ns(UINT64_C(1) << 63, 0) == UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_median_run_is_shown_and_of_two_in_the_middle_the_slower),
        cmocka_unit_test(cost_is_per_million_tasks_of_all_processes),
        cmocka_unit_test(what_others_took_is_what_is_not_ours),
        cmocka_unit_test(people_read_what_was_run_and_what_came_out),
        cmocka_unit_test(programs_read_the_same_with_all_that_was_lost),
        cmocka_unit_test(what_cannot_be_seen_is_null),
        cmocka_unit_test(bounds_go_by_one_two_and_five),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
