/* scan.h - walks MessagePack without believing it.
 *
 * Owns: how far objects reach that nobody reads, and whether a run of bytes is
 * exactly one well-formed MessagePack object of bounded depth and size.  Allocates
 * nothing, and reads each byte at most once.  Not here: what an object means.
 */
#ifndef WIRE_SCAN_H
#define WIRE_SCAN_H

#include "codec.h"

enum { SCAN_DEPTH_MAX = 8 };

struct scan_limits {
    uint32_t depth_max;   /* arrays and maps inside one another, at most SCAN_DEPTH_MAX */
    uint32_t objects_max; /* of all kinds, at all depths, map keys included; not 0 */
};

/* WIRE_OK: `bytes` is one object within the limits, and every size it declares
 * is really there.  WIRE_SHORT: a declared size is more than what is left.
 * WIRE_LARGE: too deep, or too many objects.  WIRE_FORM: a byte that MessagePack
 * never uses.  WIRE_TRAILING: bytes behind the object. */
enum wire_error scan_check(struct bytes bytes, struct scan_limits limits);

/* Where a walk stands, and what it may still meet. */
struct scan {
    const uint8_t *at, *end;
    struct scan_limits left;
};

/* Goes on behind so many objects and all that they hold.  On an error the walk is
 * over. */
enum wire_error scan_skip(struct scan *scan, uint64_t count);

#endif
