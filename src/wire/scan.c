/* scan.c - walks MessagePack without believing it.
 *
 * The stack holds only how many objects each open array or map still lacks, so it is
 * as long as the depth that is allowed.
 */
#include "scan.h"

#include "big.h"

#include <assert.h>

/* What the head of an object says of the rest. */
struct extent {
    uint64_t bytes;    /* that stand behind the head and are of no interest */
    uint64_t children; /* objects, of which each is at least a byte */
    bool holds;        /* children: it is an array or a map */
};

static size_t left_of(const struct scan *scan)
{
    return (size_t)(scan->end - scan->at);
}

/* What stands behind a head's first byte. */
static enum wire_error read_length(struct scan *scan, uint32_t bytes, uint64_t *length)
{
    if (bytes > left_of(scan)) return WIRE_SHORT;
    *length = big_read(scan->at, bytes);
    scan->at += bytes;
    return WIRE_OK;
}

static enum wire_error read_run(struct scan *scan, uint32_t length_bytes, struct extent *extent)
{
    return read_length(scan, length_bytes, &extent->bytes);
}

/* It has one byte more, its type. */
static enum wire_error read_extension(struct scan *scan, uint32_t length_bytes,
                                      struct extent *extent)
{
    enum wire_error error = read_length(scan, length_bytes, &extent->bytes);
    extent->bytes++;
    return error;
}

static enum wire_error read_array(struct scan *scan, uint32_t length_bytes, struct extent *extent)
{
    extent->holds = true;
    return read_length(scan, length_bytes, &extent->children);
}

static enum wire_error read_map(struct scan *scan, uint32_t length_bytes, struct extent *extent)
{
    extent->holds = true;
    enum wire_error error = read_length(scan, length_bytes, &extent->children);
    extent->children *= 2;
    return error;
}

static enum wire_error fixed(uint32_t bytes, struct extent *extent)
{
    extent->bytes = bytes;
    return WIRE_OK;
}

/* A head that begins with 0xc0 to 0xdf, which was read. */
static enum wire_error read_formed(uint8_t first, struct scan *scan, struct extent *extent)
{
    switch (first) {
    case 0xc0: return WIRE_OK;   /* nil */
    case 0xc1: return WIRE_FORM; /* never used */
    case 0xc2:
    case 0xc3: return WIRE_OK; /* false, true */
    case 0xc4: return read_run(scan, 1, extent);
    case 0xc5: return read_run(scan, 2, extent);
    case 0xc6: return read_run(scan, 4, extent);
    case 0xc7: return read_extension(scan, 1, extent);
    case 0xc8: return read_extension(scan, 2, extent);
    case 0xc9: return read_extension(scan, 4, extent);
    case 0xcc:
    case 0xd0: return fixed(1, extent);
    case 0xcd:
    case 0xd1:
    case 0xd4: return fixed(2, extent);
    case 0xd5: return fixed(3, extent);
    case 0xca:
    case 0xce:
    case 0xd2: return fixed(4, extent);
    case 0xd6: return fixed(5, extent);
    case 0xcb:
    case 0xcf:
    case 0xd3: return fixed(8, extent);
    case 0xd7: return fixed(9, extent);
    case 0xd8: return fixed(17, extent);
    case 0xd9: return read_run(scan, 1, extent);
    case 0xda: return read_run(scan, 2, extent);
    case 0xdb: return read_run(scan, 4, extent);
    case 0xdc: return read_array(scan, 2, extent);
    case 0xdd: return read_array(scan, 4, extent);
    case 0xde: return read_map(scan, 2, extent);
    default: return read_map(scan, 4, extent);
    }
}

/* Reads the head of an object, of which at least the first byte is there. */
static enum wire_error read_head(struct scan *scan, struct extent *extent)
{
    *extent = (struct extent){0};
    uint8_t first = *scan->at++;
    if (first <= 0x7f || first >= 0xe0) return WIRE_OK; /* itself the number */
    if (first >= 0xc0) return read_formed(first, scan, extent);
    if (first >= 0xa0) return fixed(first & 0x1f, extent); /* str */
    extent->holds = true;
    extent->children = first & 0x0f;
    if (first < 0x90) extent->children *= 2;
    return WIRE_OK;
}

enum wire_error scan_skip(struct scan *scan, uint64_t count)
{
    uint64_t outer[SCAN_DEPTH_MAX];
    uint32_t depth = 0;
    uint64_t lacking = count;
    assert(scan->left.depth_max <= SCAN_DEPTH_MAX);
    for (;;) {
        while (lacking == 0) {
            if (depth == 0) return WIRE_OK;
            lacking = outer[--depth];
        }
        if (left_of(scan) == 0) return WIRE_SHORT;
        if (scan->left.objects_max == 0) return WIRE_LARGE;
        scan->left.objects_max--;
        lacking--;
        struct extent extent;
        enum wire_error error = read_head(scan, &extent);
        if (error != WIRE_OK) return error;
        if (extent.bytes + extent.children > left_of(scan)) return WIRE_SHORT;
        scan->at += extent.bytes;
        if (!extent.holds) continue;
        if (depth == scan->left.depth_max) return WIRE_LARGE;
        outer[depth++] = lacking;
        lacking = extent.children;
    }
}

enum wire_error scan_check(struct bytes bytes, struct scan_limits limits)
{
    struct scan scan = {.at = bytes.data, .end = bytes.data, .left = limits};
    if (bytes.size > 0) scan.end += bytes.size;
    enum wire_error error = scan_skip(&scan, 1);
    if (error != WIRE_OK) return error;
    return left_of(&scan) == 0 ? WIRE_OK : WIRE_TRAILING;
}
