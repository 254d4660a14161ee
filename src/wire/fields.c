/* fields.c - reads the elements of one MessagePack array in order, in any encoding. */
#include "fields.h"

struct fields fields_of(struct bytes bytes, struct scan_limits limits)
{
    assert(limits.objects_max > 0);
    struct fields fields = {.scan = {bytes.data, bytes.data, limits}, .left = 1};
    if (bytes.size > 0) fields.scan.end += bytes.size;
    fields.scan.left.objects_max--;
    return fields;
}

enum wire_error fields_end(const struct fields *fields, struct bytes bytes,
                           struct scan_limits limits)
{
    struct fields rest = *fields;
    if (rest.left > 0) fields_skip(&rest, rest.left);
    if (rest.error == WIRE_OK && fields_bytes(&rest) == 0) return WIRE_OK;
    enum wire_error walked = scan_check(bytes, limits);
    if (walked != WIRE_OK) return walked;
    return rest.error != WIRE_OK ? rest.error : WIRE_TRAILING;
}

/* Takes the first byte of the next field; one that no object begins with when there
 * is none, which is an error. */
static uint8_t take(struct fields *fields)
{
    if (!fields_are(fields, 1)) {
        fields_fail(fields, fields->left == 0 ? WIRE_FORM : WIRE_SHORT);
        return 0xc1;
    }
    uint8_t first = *fields->scan.at;
    fields_pass(fields, 1);
    return first;
}

/* The number that goes on for so many bytes: 1, 2, 4 or 8. */
static uint64_t number_of(struct fields *fields, uint32_t bytes)
{
    if (bytes > fields_bytes(fields)) {
        fields_fail(fields, WIRE_SHORT);
        return 0;
    }
    uint64_t number = big_read(fields->scan.at, bytes);
    fields->scan.at += bytes;
    return number;
}

/* So many bytes. */
static struct bytes run_of(struct fields *fields, uint64_t size, uint32_t size_max)
{
    if (size > size_max) fields_fail(fields, WIRE_LARGE);
    if (size > fields_bytes(fields)) fields_fail(fields, WIRE_SHORT);
    if (fields->error != WIRE_OK) return (struct bytes){0};
    struct bytes run = bytes_of(fields->scan.at, (size_t)size);
    fields->scan.at += size;
    return run;
}

static struct bytes bin_of(struct fields *fields, uint8_t first, uint32_t size_max)
{
    switch (first) {
    case 0xc4: return run_of(fields, number_of(fields, 1), size_max);
    case 0xc5: return run_of(fields, number_of(fields, 2), size_max);
    case 0xc6: return run_of(fields, number_of(fields, 4), size_max);
    }
    fields_fail(fields, WIRE_FORM);
    return (struct bytes){0};
}

struct bytes fields_read_value(struct fields *fields)
{
    return bin_of(fields, take(fields), UINT32_MAX);
}

struct bytes fields_read_string(struct fields *fields, uint32_t size_max)
{
    uint8_t first = take(fields);
    if (first >= 0xa0 && first <= 0xbf) return run_of(fields, first & 0x1f, size_max);
    switch (first) {
    case 0xd9: return run_of(fields, number_of(fields, 1), size_max);
    case 0xda: return run_of(fields, number_of(fields, 2), size_max);
    case 0xdb: return run_of(fields, number_of(fields, 4), size_max);
    }
    return bin_of(fields, first, size_max);
}

uint64_t fields_read_u64(struct fields *fields)
{
    uint8_t first = take(fields);
    if (first <= 0x7f) return first;
    if (first >= 0xcc && first <= 0xcf) return number_of(fields, 1U << (first - 0xcc));
    if (first >= 0xd0 && first <= 0xd3) { /* signed */
        uint32_t bytes = 1U << (first - 0xd0);
        uint64_t number = number_of(fields, bytes);
        if (number >> (8 * bytes - 1) == 0) return number;
    }
    fields_fail(fields, WIRE_FORM);
    return 0;
}

/* Whether what was taken last may hold so many. */
static uint32_t elements_of(struct fields *fields, uint64_t count)
{
    if (!fields_may_hold(fields, count)) fields_fail(fields, WIRE_LARGE);
    return fields->error == WIRE_OK ? (uint32_t)count : 0;
}

uint32_t fields_read_array(struct fields *fields, uint32_t count_max)
{
    uint8_t first = take(fields);
    uint64_t count = first & 0x0f;
    if (first == 0xdc || first == 0xdd)
        count = number_of(fields, first == 0xdc ? 2 : 4);
    else if (first < 0x90 || first > 0x9f)
        fields_fail(fields, WIRE_FORM);
    if (count > count_max) fields_fail(fields, WIRE_LARGE);
    return elements_of(fields, count);
}

uint32_t fields_read_map(struct fields *fields)
{
    uint8_t first = take(fields);
    uint64_t count = first & 0x0f;
    if (first == 0xde || first == 0xdf)
        count = number_of(fields, first == 0xde ? 2 : 4);
    else if (first < 0x80 || first > 0x8f)
        fields_fail(fields, WIRE_FORM);
    return elements_of(fields, 2 * count);
}

void fields_skip(struct fields *fields, uint32_t count)
{
    assert(count <= fields->left);
    /* They are counted as they are met, and so not beforehand, as the array did. */
    fields->scan.left.objects_max += count;
    enum wire_error error = scan_skip(&fields->scan, count);
    fields->left -= count;
    if (error != WIRE_OK) fields_fail(fields, error);
}
