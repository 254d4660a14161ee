/* scratch.c - see scratch.h. */
#include "scratch.h"

#include "notice.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

/* The path of a socket file is short by law (sun_path), so a long TMPDIR does not do. */
enum { TEMPORARY_BYTES_MAX = 40, DESCRIPTORS = 8 };

static const char *temporary(void)
{
    const char *parent = getenv("TMPDIR");
    return parent && parent[0] == '/' && strlen(parent) <= TEMPORARY_BYTES_MAX ? parent : "/tmp";
}

int scratch_make(char path[SCRATCH_BYTES], const char *parent)
{
    if (!parent) parent = temporary();
    int used = snprintf(path, SCRATCH_BYTES, "%s/tmesh-XXXXXX", parent);
    bool fits = used > 0 && used < SCRATCH_BYTES;
    if (fits && mkdtemp(path)) return 0;
    notice_print("cannot make a directory in %s: %s", parent,
                 fits ? strerror(errno) : "its name is too long");
    path[0] = 0;
    return EX_OSERR;
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    remove(path);
    return 0;
}

void scratch_remove(char path[SCRATCH_BYTES])
{
    if (path[0]) nftw(path, remove_entry, DESCRIPTORS, FTW_DEPTH | FTW_PHYS);
    path[0] = 0;
}

/* What the guard does: nothing that a thread of its parent might have been in the middle
 * of.  Signals to the group are blocked since stopping_open. */
static _Noreturn void keep_guard(int fd, const char *first, const char *second)
{
    char byte;
    while (read(fd, &byte, 1) < 0 && errno == EINTR) continue;
    execlp("rm", "rm", "-rf", "--", first, second[0] ? second : NULL, NULL);
    _exit(EX_OSERR);
}

int scratch_watch(struct scratch_guard *guard, const char *first, const char *second)
{
    int ends[2];
    *guard = (struct scratch_guard){.pid = -1, .fd = -1};
    if (pipe2(ends, O_CLOEXEC) == 0) {
        guard->pid = fork();
        if (guard->pid == 0) {
            close(ends[1]);
            keep_guard(ends[0], first, second);
        }
        close(ends[0]);
        guard->fd = ends[1];
    }
    if (guard->pid > 0) return 0;
    notice_print("cannot start a process: %s", strerror(errno));
    return EX_OSERR;
}

void scratch_release(struct scratch_guard *guard)
{
    if (guard->fd >= 0) close(guard->fd);
    if (guard->pid > 0) waitpid(guard->pid, NULL, 0);
    *guard = (struct scratch_guard){.pid = -1, .fd = -1};
}
