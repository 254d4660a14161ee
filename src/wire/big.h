/* big.h - numbers in bytes, the most significant first. */
#ifndef WIRE_BIG_H
#define WIRE_BIG_H

#include <stdint.h>

static inline uint32_t big_read32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline uint64_t big_read64(const uint8_t *at)
{
    return (uint64_t)big_read32(at) << 32 | big_read32(at + 4);
}

/* A number of 1, 2, 4 or 8 bytes. */
static inline uint64_t big_read(const uint8_t *at, uint32_t bytes)
{
    switch (bytes) {
    case 1: return at[0];
    case 2: return (uint64_t)at[0] << 8 | at[1];
    case 4: return big_read32(at);
    default: return big_read64(at);
    }
}

#endif
