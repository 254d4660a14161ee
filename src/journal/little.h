/* little.h - numbers as bytes, least significant first. */
#ifndef JOURNAL_LITTLE_H
#define JOURNAL_LITTLE_H

#include <stdint.h>

static inline void little_write16(uint8_t *at, uint16_t number)
{
    at[0] = (uint8_t)number;
    at[1] = (uint8_t)(number >> 8);
}

/* Octet by octet and not in a loop: so compilers make one store of it. */
static inline void little_write32(uint8_t *at, uint32_t number)
{
    at[0] = (uint8_t)number;
    at[1] = (uint8_t)(number >> 8);
    at[2] = (uint8_t)(number >> 16);
    at[3] = (uint8_t)(number >> 24);
}

static inline void little_write64(uint8_t *at, uint64_t number)
{
    at[0] = (uint8_t)number;
    at[1] = (uint8_t)(number >> 8);
    at[2] = (uint8_t)(number >> 16);
    at[3] = (uint8_t)(number >> 24);
    at[4] = (uint8_t)(number >> 32);
    at[5] = (uint8_t)(number >> 40);
    at[6] = (uint8_t)(number >> 48);
    at[7] = (uint8_t)(number >> 56);
}

static inline uint16_t little_read16(const uint8_t *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}

static inline uint32_t little_read32(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static inline uint64_t little_read64(const uint8_t *at)
{
    return little_read32(at) | (uint64_t)little_read32(at + 4) << 32;
}

#endif
