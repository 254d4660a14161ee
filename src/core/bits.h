/* bits.h - a small fixed set of numbers. */
#ifndef CORE_BITS_H
#define CORE_BITS_H

#include <stdbool.h>
#include <stdint.h>

static const uint32_t BITS_NONE = UINT32_MAX;

static inline void bits_set(uint64_t *words, uint32_t number)
{
    words[number / 64] |= UINT64_C(1) << (number % 64);
}

static inline void bits_clear(uint64_t *words, uint32_t number)
{
    words[number / 64] &= ~(UINT64_C(1) << (number % 64));
}

static inline bool bits_has(const uint64_t *words, uint32_t number)
{
    return (words[number / 64] >> (number % 64) & 1) != 0;
}

/* In how many words the numbers below `end` are. */
static inline uint32_t bits_words(uint32_t end)
{
    return (end + 63) / 64;
}

/* The smallest number from `from` on that is in both sets, or BITS_NONE. */
static inline uint32_t bits_next(const uint64_t *a, const uint64_t *b, uint32_t word_count,
                                 uint32_t from)
{
    for (uint32_t word = from / 64; word < word_count; word++) {
        uint64_t both = a[word] & b[word];
        if (word == from / 64) both &= ~UINT64_C(0) << (from % 64);
        if (both != 0) return word * 64 + (uint32_t)__builtin_ctzll(both);
    }
    return BITS_NONE;
}

#endif
