/* notice.c - see notice.h. */
#include "notice.h"

#include "backlog.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { NOTICE_BYTES_MAX = 8192 };

static const char *speaker = "tmesh";

void notice_name(const char *name)
{
    speaker = name;
}

/* How many bytes at `text` are a control character; 0: none.  UTF-8 passes:
 * names of files are shown as they are, but none can move the cursor, also not
 * by U+0080 to U+009F, which some terminals obey. */
static size_t control_bytes(const char *text)
{
    unsigned char byte = (unsigned char)text[0];
    if (byte == '\n' || byte == '\t') return 0;
    if (byte < 0x20 || byte == 0x7f) return 1;
    return byte == 0xc2 && ((unsigned char)text[1] & 0xe0) == 0x80 ? 2 : 0;
}

static size_t escape(const char *text, char *line, size_t line_bytes)
{
    static const char hex[] = "0123456789abcdef";
    size_t used = 0, control = 0;
    for (; *text && used + 5 < line_bytes; text++) {
        unsigned char byte = (unsigned char)*text;
        if (control == 0) control = control_bytes(text);
        if (control == 0) {
            line[used++] = *text;
            continue;
        }
        control--;
        line[used++] = '\\';
        line[used++] = 'x';
        line[used++] = hex[byte >> 4];
        line[used++] = hex[byte & 15];
    }
    line[used++] = '\n';
    return used;
}

static void print(const char *name, const char *format, va_list list)
{
    char text[NOTICE_BYTES_MAX], line[NOTICE_BYTES_MAX + 8];
    int used = name ? snprintf(text, sizeof text, "%s: ", name) : 0;
    if (used < 0 || (size_t)used >= sizeof text) return;
    vsnprintf(text + used, sizeof text - (size_t)used, format, list);
    size_t bytes = escape(text, line, sizeof line);
    backlog_line(BACKLOG_NOTICE, line, bytes);
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
