/* spawn.c - starts one process from inside a host with many threads.
 *
 * By vfork: the child borrows our memory until it enters the program, so the
 * price does not grow with the host, and no lock of the host is copied in a
 * state that nobody will release.  In return the child may only make system
 * calls, and writes nothing but the reason of its failure.
 */
#include "spawn.h"

#include "sandbox.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

void spawn_close_from(int first)
{
    if (close_range((unsigned)first, ~0U, 0) == 0) return;
    /* Before Linux 5.9.  All of ours are close-on-exec anyway. */
    enum { DESCRIPTORS_TRIED = 65536 };
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > DESCRIPTORS_TRIED)
        limit.rlim_cur = DESCRIPTORS_TRIED;
    for (int fd = first; fd < (int)limit.rlim_cur; fd++) (void)close(fd);
}

static bool unmask_signals(void)
{
    sigset_t none;
    (void)sigemptyset(&none);
    return sigprocmask(SIG_SETMASK, &none, NULL) == 0;
}

/* The handlers go before the mask: one of the host's must not run here. */
bool spawn_calm_signals(void)
{
    struct sigaction plain;
    memset(&plain, 0, sizeof plain);
    plain.sa_handler = SIG_DFL;
    for (int number = 1; number < NSIG; number++) (void)sigaction(number, &plain, NULL);
    return unmask_signals();
}

/* Sets a limit that the program cannot raise.  Returns 0 or an errno value. */
static int set_limit(__rlimit_resource_t which, uint64_t wanted)
{
    struct rlimit limit;
    if (getrlimit(which, &limit) != 0) return errno;
    if (wanted < limit.rlim_max) limit.rlim_max = wanted;
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(which, &limit) != 0 ? errno : 0;
}

static int set_files(uint32_t files)
{
    if (files > 0) return set_limit(RLIMIT_NOFILE, files);
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return errno;
    if (limit.rlim_cur <= SPAWN_FILES) return 0;
    limit.rlim_cur = SPAWN_FILES;
    return setrlimit(RLIMIT_NOFILE, &limit) != 0 ? errno : 0;
}

static int set_limits(const struct spawn_limits *limits)
{
    int error = set_limit(RLIMIT_CORE, 0);
    if (error == 0) error = set_files(limits->files);
    if (error == 0 && limits->memory_bytes > 0) error = set_limit(RLIMIT_AS, limits->memory_bytes);
    if (error == 0 && limits->file_bytes > 0) error = set_limit(RLIMIT_FSIZE, limits->file_bytes);
    return error;
}

/* Returns 0 or an errno value.  Runs in the child, on its parent's memory. */
static int become_runner(const struct spawn *spawn, pid_t parent)
{
    pid_t group = setsid();
    if (group < 0) return errno;
    atomic_store_explicit(spawn->group, group, memory_order_relaxed);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) return errno;
    if (getppid() != parent) return ESRCH; /* it died before the line above could notice */
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno;
    if (dup2(spawn->input, 0) < 0 || dup2(spawn->output, 1) < 0 || dup2(spawn->errors, 2) < 0)
        return errno;
    spawn_close_from(3);
    int error = set_limits(spawn->limits);
    if (error != 0) return error;
    /* The handlers go before the mask: one of the host's must not run here. */
    dispositions_reset(spawn->dispositions);
    if (!unmask_signals()) return errno;
    return spawn->limits->calls == SPAWN_SANDBOXED ? sandbox_enter() : 0;
}

int spawn_start(const struct spawn *spawn, pid_t *pid)
{
    assert(spawn->input > 2 && spawn->output > 2 && spawn->errors > 2);
    volatile int failure = 0; /* written by the child, in this frame */
    pid_t parent = getpid();
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);

    pid_t child = vfork();
    if (child == 0) {
        failure = become_runner(spawn, parent);
        if (failure == 0) {
            (void)execve(spawn->path, spawn->argv, spawn->environment);
            failure = errno;
        }
        _exit(127);
    }
    if (child < 0) failure = errno;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failure == 0) {
        *pid = child;
    } else if (child > 0) {
        atomic_store_explicit(spawn->group, 0,
                              memory_order_relaxed); /* its number is still its own */
        while (waitpid(child, NULL, 0) < 0 && errno == EINTR) continue;
    }
    return failure;
}

const char *spawn_signal_name(int number)
{
    const char *name = sigdescr_np(number);
    return name != NULL ? name : "unknown";
}
