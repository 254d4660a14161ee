/* table.c - see table.h. */
#include "table.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

void table_line(struct output *output, const char *format, ...)
{
    char text[TABLE_LINE_BYTES];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    /* C1 controls have two bytes in UTF-8. */
    for (char *at = text; *at; at++) {
        bool upper = (unsigned char)at[0] == 0xc2 && ((unsigned char)at[1] & 0xe0) == 0x80;
        if (upper) *at++ = '?';
        if (upper || (unsigned char)*at < ' ' || *at == 0x7f) *at = '?';
    }
    output_text(output, text);
    output_byte(output, '\n');
}

void table_widen(int *width, const char *text)
{
    int bytes = (int)strlen(text);
    if (bytes > *width) *width = bytes;
}

void table_duration(uint64_t ms, char text[TABLE_TEXT_BYTES])
{
    uint64_t s = ms / 1000;
    if (s < 60) {
        snprintf(text, TABLE_TEXT_BYTES, "%" PRIu64 ".%" PRIu64 " s", s, ms % 1000 / 100);
    } else if (s < 3600) {
        snprintf(text, TABLE_TEXT_BYTES, "%" PRIu64 " min %" PRIu64 " s", s / 60, s % 60);
    } else if (s < 86400) {
        snprintf(text, TABLE_TEXT_BYTES, "%" PRIu64 " h %" PRIu64 " min", s / 3600, s / 60 % 60);
    } else {
        snprintf(text, TABLE_TEXT_BYTES, "%" PRIu64 " d %" PRIu64 " h", s / 86400, s / 3600 % 24);
    }
}

void table_bytes(uint64_t bytes, char text[TABLE_TEXT_BYTES])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    size_t unit = 0;
    double amount = (double)bytes;
    for (; amount >= 1024 && unit < 4; unit++) amount /= 1024;
    snprintf(text, TABLE_TEXT_BYTES, unit ? "%.1f %s" : "%.0f %s", amount, units[unit]);
}
