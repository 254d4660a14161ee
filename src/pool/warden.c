/* warden.c - a small process that outlives ours by a moment. */
#include "warden.h"

#include "spawn.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LOOK_MS = 200 }; /* between two looks at a parent that cannot be polled */

static size_t table_bytes(uint32_t slots)
{
    return slots * sizeof(atomic_int);
}

/* Runs in a copy of a process that may have had threads, so it makes system calls
 * only. `parent_watch` is a pidfd of the parent, or -1 before Linux 5.3. */
static _Noreturn void keep_watch(const struct warden *warden, pid_t parent, int parent_watch)
{
    (void)setsid();
    (void)prctl(PR_SET_NAME, "tmesh-warden", 0, 0, 0);
    (void)!chdir("/");
    if (parent_watch >= 0) parent_watch = dup2(parent_watch, 0);
    spawn_close_from(parent_watch == 0 ? 1 : 0);
    struct pollfd watch = {.fd = parent_watch, .events = POLLIN};
    do {
        (void)poll(&watch, 1, parent_watch == 0 ? -1 : LOOK_MS);
    } while (watch.revents == 0 && getppid() == parent);
    for (uint32_t i = 0; i < warden->slots; i++) {
        pid_t group = atomic_load_explicit(&warden->groups[i], memory_order_relaxed);
        if (group > 0) (void)kill(-group, SIGKILL);
    }
    _exit(0);
}

bool warden_open(struct warden *warden, uint32_t slots)
{
    assert(slots > 0);
    *warden = (struct warden){.slots = slots};
    void *table =
        mmap(NULL, table_bytes(slots), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (table == MAP_FAILED) return false;
    warden->groups = table;
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before); /* for good, in the child */
    pid_t parent = getpid();
    int parent_watch = (int)syscall(SYS_pidfd_open, parent, 0);
    /* A fork without a signal at its end, and without the host's fork handlers. */
    pid_t child = (pid_t)syscall(SYS_clone, 0, 0, 0, 0, 0);
    if (child == 0) keep_watch(warden, parent, parent_watch);
    if (parent_watch >= 0) (void)close(parent_watch);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (child > 0) {
        warden->pid = child;
        return true;
    }
    (void)munmap(table, table_bytes(slots));
    *warden = (struct warden){0};
    return false;
}

void warden_close(struct warden *warden)
{
    if (warden->pid == 0) return;
    (void)kill(warden->pid, SIGKILL);
    while (waitpid(warden->pid, NULL, __WALL) < 0 && errno == EINTR) continue;
    (void)munmap(warden->groups, table_bytes(warden->slots));
    *warden = (struct warden){0};
}
