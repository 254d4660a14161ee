/* preload.c - a disk that fails once: loaded in front of libc by LD_PRELOAD.
 *
 * Counts the calls that a process makes on files under one directory, and lets one
 * of them fail:
 *
 *   FAULT_DIRECTORY  the directory; without it nothing is touched
 *   FAULT_NTH        which of the counted calls: 1, 2, 3 ..; 0 for none
 *   FAULT_CALLS      which are counted, as a list: "fdatasync,fsync"; default: all
 *   FAULT_KIND       eio       it fails with EIO; the next ones work again
 *                    enospc    likewise, with ENOSPC
 *                    short     a write takes half of its bytes; others fail with EIO
 *                    eintr     it fails with EINTR, once
 *                    unsynced  every sync claims success and does nothing
 *   FAULT_TRACE      a file to which each counted call adds a line "CALL", and the
 *                    one that fails a line "MICROSECONDS struck CALL"
 *
 * The calls: openat pwrite ftruncate fdatasync fsync renameat unlinkat.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

enum { LINE_BYTES = 96, LINK_BYTES = 32 };

enum verdict { PASS, STRIKE, PRETEND };

static atomic_ulong calls;

static void *next(const char *name)
{
    void *function = dlsym(RTLD_NEXT, name);
    if (!function) _exit(EXIT_FAILURE);
    return function;
}

static bool is_kind(const char *kind)
{
    const char *value = getenv("FAULT_KIND");
    return value && strcmp(value, kind) == 0;
}

/* Whether the descriptor is the directory or a file in it. */
static bool is_ours(int fd)
{
    char link[LINK_BYTES], path[PATH_MAX];
    const char *directory = getenv("FAULT_DIRECTORY");
    if (!directory || fd < 0) return false;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t bytes = readlink(link, path, sizeof path - 1);
    size_t prefix = strlen(directory);
    if (bytes < (ssize_t)prefix) return false;
    path[bytes] = '\0';
    return strncmp(path, directory, prefix) == 0 && (path[prefix] == '/' || path[prefix] == '\0');
}

static bool is_counted(const char *call)
{
    const char *list = getenv("FAULT_CALLS");
    size_t bytes = strlen(call);
    if (!list) return true;
    for (const char *at = list; (at = strstr(at, call)); at += bytes) {
        if ((at == list || at[-1] == ',') && (at[bytes] == ',' || at[bytes] == '\0')) return true;
    }
    return false;
}

static void trace(const char *line, int bytes)
{
    const char *path = getenv("FAULT_TRACE");
    if (!path) return;
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0 || write(fd, line, (size_t)bytes) != bytes) _exit(EXIT_FAILURE);
    close(fd);
}

/* Counts the call, and decides over it.  errno is kept unless it strikes. */
static enum verdict judge(const char *call, int fd)
{
    char line[LINE_BYTES];
    struct timespec now;
    int before = errno;
    const char *nth = getenv("FAULT_NTH");
    if (!is_ours(fd) || !is_counted(call)) return errno = before, PASS;
    unsigned long number = atomic_fetch_add(&calls, 1) + 1;
    bool sync = strcmp(call, "fdatasync") == 0 || strcmp(call, "fsync") == 0;
    trace(line, snprintf(line, sizeof line, "%s\n", call));
    if (sync && is_kind("unsynced")) return PRETEND;
    if (!nth || strtoul(nth, NULL, 10) != number) return errno = before, PASS;
    clock_gettime(CLOCK_REALTIME, &now);
    trace(line, snprintf(line, sizeof line, "%" PRId64 " struck %s\n",
                         (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000, call));
    errno = is_kind("enospc") ? ENOSPC : is_kind("eintr") ? EINTR : EIO;
    return STRIKE;
}

EXPORT ssize_t pwrite(int fd, const void *data, size_t bytes, off_t offset)
{
    ssize_t (*real)(int, const void *, size_t, off_t);
    *(void **)&real = next("pwrite");
    if (judge("pwrite", fd) == PASS) return real(fd, data, bytes, offset);
    return is_kind("short") ? real(fd, data, bytes / 2, offset) : -1;
}

EXPORT int ftruncate(int fd, off_t bytes)
{
    int (*real)(int, off_t);
    *(void **)&real = next("ftruncate");
    return judge("ftruncate", fd) == PASS ? real(fd, bytes) : -1;
}

static int sync_file(const char *call, int fd)
{
    int (*real)(int);
    *(void **)&real = next(call);
    switch (judge(call, fd)) {
    case PASS: return real(fd);
    case PRETEND: return 0;
    case STRIKE: break;
    }
    return -1;
}

EXPORT int fdatasync(int fd)
{
    return sync_file("fdatasync", fd);
}

EXPORT int fsync(int fd)
{
    return sync_file("fsync", fd);
}

EXPORT int openat(int directory, const char *name, int flags, ...)
{
    int (*real)(int, const char *, int, ...);
    *(void **)&real = next("openat");
    va_list rest;
    va_start(rest, flags);
    mode_t mode = (flags & O_CREAT) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return judge("openat", directory) == PASS ? real(directory, name, flags, mode) : -1;
}

EXPORT int renameat(int from, const char *name, int to, const char *other)
{
    int (*real)(int, const char *, int, const char *);
    *(void **)&real = next("renameat");
    return judge("renameat", from) == PASS ? real(from, name, to, other) : -1;
}

EXPORT int unlinkat(int directory, const char *name, int flags)
{
    int (*real)(int, const char *, int);
    *(void **)&real = next("unlinkat");
    return judge("unlinkat", directory) == PASS ? real(directory, name, flags) : -1;
}
