/* id.h - the 128-bit name of a task or of a node.
 *
 * Task ids are UUIDv7 (RFC 9562, section 5.7), made by the producer; node ids
 * are random and new at every start.  The core only compares and hashes them.
 */
#ifndef CORE_ID_H
#define CORE_ID_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct id {
    uint8_t octets[16];
};

static inline bool id_equal(const struct id *a, const struct id *b)
{
    return memcmp(a->octets, b->octets, sizeof a->octets) == 0;
}

static inline bool id_is_zero(const struct id *id)
{
    static const struct id zero;
    return id_equal(id, &zero);
}

/* A hash whose every bit depends on every octet, but for the bits of the last one that are
 * in `without`.  `salt` keeps a stranger who chooses ids from choosing their buckets. */
static inline uint64_t id_hash_without(const struct id *id, uint8_t without, uint64_t salt)
{
    const uint8_t ignored[8] = {[7] = without};
    uint64_t low, high, mask;
    memcpy(&low, id->octets, 8);
    memcpy(&high, id->octets + 8, 8);
    memcpy(&mask, ignored, 8);
    uint64_t mixed = (low ^ salt) * 0x9e3779b97f4a7c15U;
    mixed ^= mixed >> 32;
    mixed = (mixed ^ (high & ~mask)) * 0xd6e8feb86659fd93U;
    mixed ^= mixed >> 32;
    mixed *= 0xd6e8feb86659fd93U;
    return mixed ^ (mixed >> 32);
}

static inline uint64_t id_hash(const struct id *id, uint64_t salt)
{
    return id_hash_without(id, 0, salt);
}

#endif
