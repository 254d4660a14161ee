/* histogram.h - how long things took, in buckets whose width grows with the value, so
 * that any quantile is known to within 1 % of itself, in constant memory.
 *
 * Values are whole numbers of any unit; nanoseconds here.  Below HISTOGRAM_EXACT each
 * value has a bucket of its own; above, every power of two is cut into HISTOGRAM_STEPS
 * equal buckets.  A quantile is told as the middle of its bucket, so it is wrong by at
 * most half a width: one part in 256, or 0.4 %.  Least and most are exact.
 *
 * Not here: threads.  Each thread fills one of its own, and they are merged.
 */
#ifndef NODES_HISTOGRAM_H
#define NODES_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

enum {
    HISTOGRAM_STEP_BITS = 7,
    HISTOGRAM_STEPS = 1 << HISTOGRAM_STEP_BITS,
    HISTOGRAM_EXACT = 2 * HISTOGRAM_STEPS,
    HISTOGRAM_BUCKETS = (64 - HISTOGRAM_STEP_BITS + 1) * HISTOGRAM_STEPS
};

struct histogram {
    uint64_t counts[HISTOGRAM_BUCKETS];
    uint64_t count;
    uint64_t least, most; /* while count > 0 */
    double sum;
};

/* Empty: all zero. */
void histogram_clear(struct histogram *histogram);

void histogram_add(struct histogram *histogram, uint64_t value);
void histogram_merge(struct histogram *into, const struct histogram *from);

/* The value that so many of a million do not exceed, by rank: 500,000 for the median.
 * 0 of an empty one.  Up to 2^44 values. */
uint64_t histogram_quantile(const struct histogram *histogram, uint32_t per_million);

/* How many are at most `value`: exact to a bucket, and for `most` and more all. */
uint64_t histogram_until(const struct histogram *histogram, uint64_t value);

/* The bucket that a value belongs to, and the least and the last value of a bucket. */
size_t histogram_bucket(uint64_t value);
uint64_t histogram_first(size_t bucket);
uint64_t histogram_last(size_t bucket);

#endif
