/* values.h - numbers, sizes and times as people write them.
 *
 * Each returns NULL and the value, or what is wrong with the text, in words
 * that complete "--slots x: ..." (a static text).
 */
#ifndef NODES_VALUES_H
#define NODES_VALUES_H

#include <stdbool.h>
#include <stdint.h>

/* 20000 */
const char *value_count(const char *text, uint64_t *count);

/* 4096, 64K, 10M, 2G, 1T: powers of 1,024. */
const char *value_size(const char *text, uint64_t *bytes);

/* 500ms, 10s, 1.5s, 2m, 1h, 1d; without a unit, units of `plain_ms`. */
const char *value_duration(const char *text, uint64_t plain_ms, uint64_t *ms);

/* yes, true, on, 1; no, false, off, 0, and nothing at all. */
const char *value_flag(const char *text, bool *flag);

#endif
