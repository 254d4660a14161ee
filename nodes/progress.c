/* progress.c - see progress.h. */
#include "progress.h"

#include "backlog.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PROGRESS_EVERY_MS = 100 };

static bool on_terminal(void)
{
    const char *terminal = getenv("TERM");
    return isatty(STDERR_FILENO) && !(terminal && strcmp(terminal, "dumb") == 0);
}

void progress_show(uint64_t now_ms, const char *format, ...)
{
    static uint64_t next_ms;
    char line[512];
    if (now_ms < next_ms || !on_terminal()) return;
    next_ms = now_ms + PROGRESS_EVERY_MS;

    int start = snprintf(line, sizeof line, "\r\033[K");
    va_list list;
    va_start(list, format);
    vsnprintf(line + start, sizeof line - (size_t)start, format, list);
    va_end(list);
    backlog_draw(line, strlen(line));
}

void progress_hide(void)
{
    backlog_erase();
}
