/* values.c - see values.h. */
#include "values.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

/* Reads digits up to the first other character.  False when there is none, or
 * the number does not fit. */
static bool digits(const char **text, uint64_t *number)
{
    const char *at = *text;
    uint64_t sum = 0;
    while (*at >= '0' && *at <= '9') {
        uint64_t digit = (uint64_t)(*at++ - '0');
        if (sum > (UINT64_MAX - digit) / 10) return false;
        sum = sum * 10 + digit;
    }
    if (at == *text) return false;
    *text = at;
    *number = sum;
    return true;
}

const char *value_count(const char *text, uint64_t *count)
{
    assert(text && count);
    if (!digits(&text, count) || *text) return "must be a whole number";
    return NULL;
}

const char *value_size(const char *text, uint64_t *bytes)
{
    static const char units[] = "KMGT";
    static const char fault[] = "must be a size such as 4096, 64K, 10M or 2G";
    assert(text && bytes);
    if (!digits(&text, bytes)) return fault;
    if (!*text) return NULL;
    const char *unit = strchr(units, *text & ~0x20);
    if (!unit || !*unit) return fault;
    text++;
    if (*text == 'i') text++;
    if (*text == 'B') text++;
    if (*text) return fault;
    unsigned shift = 10 * (unsigned)(unit - units + 1);
    if (*bytes > UINT64_MAX >> shift) return "is more than any machine has";
    *bytes <<= shift;
    return NULL;
}

/* How many milliseconds a unit has; 0 for a word that is none. */
static uint64_t unit_ms(const char *unit)
{
    static const struct {
        const char *name;
        uint64_t ms;
    } units[] = {{"ms", 1},      {"s", 1000},    {"sec", 1000},  {"m", 60000},
                 {"min", 60000}, {"h", 3600000}, {"d", 86400000}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp(unit, units[i].name) == 0) return units[i].ms;
    }
    return 0;
}

const char *value_duration(const char *text, uint64_t plain_ms, uint64_t *ms)
{
    static const char fault[] = "must be a time such as 500ms, 10s, 2m or 1h";
    uint64_t thousandths = 0;
    assert(text && ms && plain_ms > 0);
    if (!digits(&text, ms)) return fault;
    if (*text == '.') {
        uint64_t weight = 100;
        if (text[1] < '0' || text[1] > '9') return fault;
        for (text++; *text >= '0' && *text <= '9'; text++, weight /= 10) {
            thousandths += weight * (uint64_t)(*text - '0');
        }
    }
    uint64_t unit = *text ? unit_ms(text) : plain_ms;
    if (unit == 0) return fault;
    if (*ms > UINT32_MAX) return "is too long";
    *ms = *ms * unit + thousandths * unit / 1000;
    return NULL;
}

const char *value_flag(const char *text, bool *flag)
{
    static const char *const yes[] = {"1", "yes", "true", "on"};
    static const char *const no[] = {"", "0", "no", "false", "off"};
    assert(text && flag);
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
        if (strcasecmp(text, yes[i]) == 0) return *flag = true, NULL;
    }
    for (size_t i = 0; i < sizeof no / sizeof *no; i++) {
        if (strcasecmp(text, no[i]) == 0) return *flag = false, NULL;
    }
    return "must be yes or no";
}
