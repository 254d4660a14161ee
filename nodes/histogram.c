/* histogram.c - see histogram.h. */
#include "histogram.h"

#include <assert.h>
#include <string.h>

void histogram_clear(struct histogram *histogram)
{
    memset(histogram, 0, sizeof *histogram);
}

/* How far a value is shifted to the right to leave HISTOGRAM_STEP_BITS + 1 bits of it;
 * 0 for those that have no more. */
static unsigned shift_of(uint64_t value)
{
    unsigned bits = 64 - (unsigned)__builtin_clzll(value | 1);
    return bits > HISTOGRAM_STEP_BITS + 1 ? bits - HISTOGRAM_STEP_BITS - 1 : 0;
}

/* The bits that are left begin with a 1, so they are HISTOGRAM_STEPS or more: each
 * shift goes on where the one before it ended. */
size_t histogram_bucket(uint64_t value)
{
    unsigned shift = shift_of(value);
    return (size_t)shift * HISTOGRAM_STEPS + (size_t)(value >> shift);
}

static unsigned shift_of_bucket(size_t bucket)
{
    assert(bucket < HISTOGRAM_BUCKETS);
    return bucket < HISTOGRAM_EXACT ? 0 : (unsigned)(bucket / HISTOGRAM_STEPS - 1);
}

uint64_t histogram_first(size_t bucket)
{
    unsigned shift = shift_of_bucket(bucket);
    return ((uint64_t)bucket - (uint64_t)shift * HISTOGRAM_STEPS) << shift;
}

uint64_t histogram_last(size_t bucket)
{
    return histogram_first(bucket) + (((uint64_t)1 << shift_of_bucket(bucket)) - 1);
}

void histogram_add(struct histogram *histogram, uint64_t value)
{
    if (histogram->count == 0 || value < histogram->least) histogram->least = value;
    if (histogram->count == 0 || value > histogram->most) histogram->most = value;
    histogram->counts[histogram_bucket(value)]++;
    histogram->count++;
    histogram->sum += (double)value;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
    if (from->count == 0) return;
    if (into->count == 0 || from->least < into->least) into->least = from->least;
    if (into->count == 0 || from->most > into->most) into->most = from->most;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) into->counts[i] += from->counts[i];
    into->count += from->count;
    into->sum += from->sum;
}

uint64_t histogram_quantile(const struct histogram *histogram, uint32_t per_million)
{
    assert(per_million <= 1000000);
    if (histogram->count == 0) return 0;
    uint64_t rank = (histogram->count * per_million + 999999) / 1000000, seen = 0;
    if (rank >= histogram->count) return histogram->most;
    size_t bucket = histogram_bucket(histogram->least);
    while (seen + histogram->counts[bucket] < rank) seen += histogram->counts[bucket++];
    uint64_t first = histogram_first(bucket), last = histogram_last(bucket);
    uint64_t middle = first + (last - first) / 2;
    if (middle < histogram->least) return histogram->least;
    return middle > histogram->most ? histogram->most : middle;
}

uint64_t histogram_until(const struct histogram *histogram, uint64_t value)
{
    uint64_t seen = 0;
    if (histogram->count > 0 && value >= histogram->most) return histogram->count;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS && histogram_last(i) <= value; i++) {
        seen += histogram->counts[i];
    }
    return seen;
}
