/* scan.h - walks MessagePack without believing it.
 *
 * Owns: the check that a run of bytes is exactly one well-formed MessagePack
 * object of bounded depth and size, and what its objects say.  Allocates nothing
 * and reads each byte at most once, so that a decoder behind it never meets a size
 * that was only claimed.  Not here: what the object means.
 */
#ifndef WIRE_SCAN_H
#define WIRE_SCAN_H

#include "codec.h"

#include <msgpack.h>

enum { SCAN_DEPTH_MAX = 8 };

struct scan_limits {
    uint32_t depth_max;   /* arrays and maps inside one another, at most SCAN_DEPTH_MAX */
    uint32_t objects_max; /* of all kinds, at all depths, map keys included */
};

/* WIRE_OK: `bytes` is one object within the limits, and every size it declares
 * is really there.  WIRE_SHORT: a declared size is more than what is left.
 * WIRE_LARGE: too deep, or too many objects.  WIRE_FORM: a byte that MessagePack
 * never uses.  WIRE_TRAILING: bytes behind the object. */
enum wire_error scan_check(struct bytes bytes, struct scan_limits limits);

/* The same, and on WIRE_OK objects[0] is the object, as MessagePack-C would unpack
 * it: what it holds stands behind it, and what is text or binary is borrowed from
 * `bytes`.  `objects` has room for objects_max. */
enum wire_error scan_read(struct bytes bytes, struct scan_limits limits, msgpack_object *objects);

#endif
