/* crc32c.h - the checksum of everything the journal writes: CRC-32C (RFC 3720,
 * appendix B.4), which processors compute by themselves.
 *
 * It finds accidents: every single flipped bit, every run of up to 32, and all
 * but one in 2^32 of the rest.  It proves nothing against somebody who can write
 * the files.
 */
#ifndef JOURNAL_CRC32C_H
#define JOURNAL_CRC32C_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The checksum of bytes whose beginning had the checksum `crc`, 0 at first: the
 * parts of a whole, one after the other, give the checksum of the whole. */
uint32_t crc32c(uint32_t crc, const void *data, size_t bytes);

/* The two ways to it, for their tests: they agree.  The second may only be gone
 * where crc32c_has_hardware. */
uint32_t crc32c_by_table(uint32_t crc, const void *data, size_t bytes);
uint32_t crc32c_by_hardware(uint32_t crc, const void *data, size_t bytes);
bool crc32c_has_hardware(void);

#endif
