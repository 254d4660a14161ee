/* log.c - lines for the host's log function. */
#include "log.h"

#include "../core/name.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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

static void hand_over(const struct log *log, const tmesh_log_entry_t *entry, const char *format,
                      va_list arguments)
{
    char plain[TMESH_LOG_LINE_BYTES_MAX], safe[TMESH_LOG_LINE_BYTES_MAX];
    if (vsnprintf(plain, sizeof plain, format, arguments) < 0) return;
    escape(plain, safe, sizeof safe);
    tmesh_log_entry_t whole = *entry;
    whole.line = safe;
    log->write(&whole, log->context);
}

void log_line(const struct log *log, enum tmesh_level level, const char *format, ...)
{
    if (!log_wants(log, level)) return;
    va_list arguments;
    va_start(arguments, format);
    hand_over(log, &(tmesh_log_entry_t){.level = level}, format, arguments);
    va_end(arguments);
}

void log_task_line(const struct log *log, const struct log_subject *subject, enum tmesh_level level,
                   const char *format, ...)
{
    if (!log_wants(log, level)) return;
    tmesh_id_t id;
    _Static_assert(sizeof id == sizeof subject->id, "one form of ids");
    memcpy(&id, &subject->id, sizeof id);
    char name[TMESH_NAME_BYTES_MAX + 1];
    bool named = name_is_valid(subject->name);
    if (named) {
        memcpy(name, subject->name.data, subject->name.size);
        name[subject->name.size] = '\0';
    }
    const tmesh_log_entry_t entry = {
        .level = level, .task = &id, .name = named ? name : NULL, .attempt = subject->attempt};
    va_list arguments;
    va_start(arguments, format);
    hand_over(log, &entry, format, arguments);
    va_end(arguments);
}
