/* notice.c - see notice.h. */
#include "notice.h"

#include "progress.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

enum { NOTICE_BYTES_MAX = 8192 };

static const char *speaker = "tmesh";

void notice_name(const char *name)
{
    speaker = name;
}

/* UTF-8 passes, control characters do not: names of files are shown as they
 * are, but none can move the cursor. */
static bool printable(unsigned char byte)
{
    return byte == '\n' || byte == '\t' || (byte >= 0x20 && byte != 0x7f);
}

static size_t escape(const char *text, char *line, size_t line_bytes)
{
    static const char hex[] = "0123456789abcdef";
    size_t used = 0;
    for (; *text && used + 5 < line_bytes; text++) {
        unsigned char byte = (unsigned char)*text;
        if (printable(byte)) {
            line[used++] = *text;
            continue;
        }
        line[used++] = '\\';
        line[used++] = 'x';
        line[used++] = hex[byte >> 4];
        line[used++] = hex[byte & 15];
    }
    line[used++] = '\n';
    return used;
}

/* One write for each line, so that lines of several threads and processes that
 * share a terminal do not mix. */
static void print(const char *name, const char *format, va_list list)
{
    char text[NOTICE_BYTES_MAX], line[NOTICE_BYTES_MAX + 8];
    int used = name ? snprintf(text, sizeof text, "%s: ", name) : 0;
    if (used < 0 || (size_t)used >= sizeof text) return;
    vsnprintf(text + used, sizeof text - (size_t)used, format, list);
    size_t bytes = escape(text, line, sizeof line);
    progress_hide();
    /* Nobody is left to be told when stderr itself fails. */
    if (write(STDERR_FILENO, line, bytes) < 0) return;
}

void notice_print(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    print(speaker, format, list);
    va_end(list);
}

void notice_plain(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    print(NULL, format, list);
    va_end(list);
}
