/* node_histogram.c - any quantile is within 1 % of the true one, held against a sorted
 * list; buckets lie side by side without gaps, from 0 to the largest number there is.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "../../nodes/histogram.h"

#include <stdlib.h>

enum { VALUES = 20000 };

static int compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

static uint64_t next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static struct histogram *make(void)
{
    struct histogram *histogram = calloc(1, sizeof *histogram);
    assert_non_null(histogram);
    return histogram;
}

static void buckets_lie_side_by_side_and_end_at_the_largest_number(void **state)
{
    (void)state;
    assert_int_equal(histogram_first(0), 0);
    for (size_t i = 0; i + 1 < HISTOGRAM_BUCKETS; i++) {
        assert_true(histogram_last(i) + 1 == histogram_first(i + 1));
        assert_int_equal(histogram_bucket(histogram_first(i)), i);
        assert_int_equal(histogram_bucket(histogram_last(i)), i);
    }
    assert_true(histogram_last(HISTOGRAM_BUCKETS - 1) == UINT64_MAX);
    assert_int_equal(histogram_bucket(UINT64_MAX), HISTOGRAM_BUCKETS - 1);
}

static void no_bucket_is_wider_than_one_percent_of_its_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        uint64_t first = histogram_first(i), width = histogram_last(i) - first;
        assert_true(width <= first / 100);
    }
}

static void expect_near(uint64_t value, uint64_t wanted)
{
    uint64_t apart = value > wanted ? value - wanted : wanted - value;
    if (apart > wanted / 100)
        fail_msg("%llu is not near %llu", (unsigned long long)value, (unsigned long long)wanted);
}

static void quantiles_are_near_those_of_the_sorted_values(void **state)
{
    static const uint32_t shares[] = {0, 1, 500000, 900000, 990000, 999000, 999999, 1000000};
    uint64_t chance = 88172645463325252U;
    uint64_t *values = calloc(VALUES, sizeof *values);
    struct histogram *histogram = make();
    (void)state;
    assert_non_null(values);
    for (size_t i = 0; i < VALUES; i++) {
        values[i] = next(&chance) >> (next(&chance) % 60);
        histogram_add(histogram, values[i]);
    }
    qsort(values, VALUES, sizeof *values, compare);
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
        size_t rank = (size_t)(((uint64_t)VALUES * shares[i] + 999999) / 1000000);
        expect_near(histogram_quantile(histogram, shares[i]), values[rank > 0 ? rank - 1 : 0]);
    }
    assert_true(histogram_quantile(histogram, 1000000) == values[VALUES - 1]);
    assert_true(histogram->least == values[0]);
    free(values);
    free(histogram);
}

static void of_a_hundred_the_ninety_ninth_is_p99(void **state)
{
    struct histogram *histogram = make();
    (void)state;
    for (uint64_t i = 1; i <= 100; i++) histogram_add(histogram, i);
    assert_int_equal(histogram_quantile(histogram, 500000), 50);
    assert_int_equal(histogram_quantile(histogram, 990000), 99);
    assert_int_equal(histogram_quantile(histogram, 990001), 100);
    assert_int_equal(histogram_until(histogram, 0), 0);
    assert_int_equal(histogram_until(histogram, 40), 40);
    assert_int_equal(histogram_until(histogram, 100), 100);
    free(histogram);
}

static void one_value_is_every_quantile_exactly(void **state)
{
    struct histogram *histogram = make();
    (void)state;
    histogram_add(histogram, 123456789);
    assert_int_equal(histogram_quantile(histogram, 0), 123456789);
    assert_int_equal(histogram_quantile(histogram, 500000), 123456789);
    assert_int_equal(histogram_quantile(histogram, 1000000), 123456789);
    assert_int_equal(histogram_until(histogram, 123456788), 0);
    assert_int_equal(histogram_until(histogram, 123456789), 1);
    free(histogram);
}

static void an_empty_one_says_zero(void **state)
{
    struct histogram *histogram = make();
    (void)state;
    assert_int_equal(histogram_quantile(histogram, 500000), 0);
    assert_int_equal(histogram_until(histogram, UINT64_MAX), 0);
    free(histogram);
}

static void merged_ones_say_what_one_with_all_values_says(void **state)
{
    struct histogram *all = make(), *odd = make(), *even = make(), *none = make();
    uint64_t chance = 1234567;
    (void)state;
    for (size_t i = 0; i < VALUES; i++) {
        uint64_t value = next(&chance) >> 30;
        histogram_add(all, value);
        histogram_add(i % 2 == 0 ? even : odd, value);
    }
    histogram_merge(odd, even);
    histogram_merge(odd, none);
    histogram_merge(none, odd);
    assert_memory_equal(odd->counts, all->counts, sizeof all->counts);
    assert_memory_equal(none->counts, all->counts, sizeof all->counts);
    assert_true(odd->count == all->count && none->count == all->count);
    assert_true(odd->least == all->least && odd->most == all->most);
    assert_true(none->least == all->least && none->most == all->most);
    histogram_clear(all);
    assert_int_equal(all->count, 0);
    free(all);
    free(odd);
    free(even);
    free(none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buckets_lie_side_by_side_and_end_at_the_largest_number),
        cmocka_unit_test(no_bucket_is_wider_than_one_percent_of_its_values),
        cmocka_unit_test(quantiles_are_near_those_of_the_sorted_values),
        cmocka_unit_test(of_a_hundred_the_ninety_ninth_is_p99),
        cmocka_unit_test(one_value_is_every_quantile_exactly),
        cmocka_unit_test(an_empty_one_says_zero),
        cmocka_unit_test(merged_ones_say_what_one_with_all_values_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
