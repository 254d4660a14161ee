/* wish.c - when a command that failed wants to be tried again. */
#include "wish.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

enum { WISH_BYTES_MAX = 64 }; /* looked at */

void wish_open(struct wish *wish)
{
    wish->fd = memfd_create("tmesh-retry-after", MFD_CLOEXEC);
    if (wish->fd < 0)
        (void)snprintf(wish->variable, sizeof wish->variable, "TMESH_RETRY_AFTER_MS=/dev/null");
    else
        (void)snprintf(wish->variable, sizeof wish->variable,
                       "TMESH_RETRY_AFTER_MS=/proc/%ld/fd/%d", (long)getpid(), wish->fd);
}

void wish_close(struct wish *wish)
{
    if (wish->fd >= 0) (void)close(wish->fd);
    wish->fd = -1;
}

void wish_clear(const struct wish *wish)
{
    if (wish->fd >= 0 && lseek(wish->fd, 0, SEEK_END) != 0) (void)!ftruncate(wish->fd, 0);
}

static size_t skip_blanks(const char *text, size_t at, size_t size)
{
    while (at < size && memchr(" \t\r\n", text[at], 4) != NULL) at++;
    return at;
}

enum wished wish_read(const struct wish *wish, uint32_t *delay_ms)
{
    char text[WISH_BYTES_MAX];
    ssize_t got = wish->fd < 0 ? 0 : pread(wish->fd, text, sizeof text, 0);
    size_t size = got > 0 ? (size_t)got : 0, at = skip_blanks(text, 0, size), first = at;
    uint64_t number = 0;
    if (at == size) return size < sizeof text ? WISHED_NOTHING : WISHED_NONSENSE;
    for (; at < size && text[at] >= '0' && text[at] <= '9' && number <= UINT32_MAX; at++)
        number = number * 10 + (uint64_t)(text[at] - '0');
    bool whole = at > first && skip_blanks(text, at, size) == size && size < sizeof text;
    if (!whole || number > UINT32_MAX) return WISHED_NONSENSE;
    *delay_ms = (uint32_t)number;
    return WISHED_DELAY;
}
