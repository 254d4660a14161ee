/* log.c - lines for the host's log function. */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>

static size_t escape(const char *from, char *to, size_t room)
{
    static const char digits[] = "0123456789abcdef";
    size_t used = 0;
    for (; *from != '\0' && used + 5 < room; from++) {
        unsigned char octet = (unsigned char)*from;
        if (octet >= 0x20 && octet <= 0x7e) {
            to[used++] = *from;
            continue;
        }
        to[used++] = '\\';
        to[used++] = 'x';
        to[used++] = digits[octet >> 4];
        to[used++] = digits[octet & 15];
    }
    to[used] = '\0';
    return used;
}

void log_line(const struct log *log, enum tmesh_level level, const char *format, ...)
{
    if (log->write == NULL) return;
    char plain[TMESH_LOG_LINE_BYTES_MAX], safe[TMESH_LOG_LINE_BYTES_MAX];
    va_list arguments;
    va_start(arguments, format);
    int written = vsnprintf(plain, sizeof plain, format, arguments);
    va_end(arguments);
    if (written < 0) return;
    escape(plain, safe, sizeof safe);
    log->write(level, safe, log->context);
}
