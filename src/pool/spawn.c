/* spawn.c - starts one process from inside a host with many threads.
 *
 * As by vfork: the child borrows our memory until it enters the program, so the
 * price does not grow with the host, and no lock of the host is copied in a
 * state that nobody will release.  In return the child may only make system
 * calls, and writes nothing but the reason of its failure.
 *
 * Unlike by vfork it borrows the table of descriptors, too, until it runs and takes
 * a copy.  With a copy from its birth on, each child that waits for a processor
 * would hold the pipes of all other slots open meanwhile, and those would wait for
 * it before they know that their output has ended.
 */
#include "spawn.h"

#include "sandbox.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef CLOSE_RANGE_UNSHARE
#define CLOSE_RANGE_UNSHARE (1U << 1)
#endif

enum { STACK_BYTES = 16 * 1024 }; /* the child's */

/* A child on its way into the program. */
struct birth {
    const struct spawn *spawn;
    pid_t parent;
    int files;  /* CLONE_FILES, or 0: it has descriptors of its own from its birth on */
    bool stays; /* where its parent is, until it has something to run */
    /* Written by the child. */
    volatile bool bound; /* its descriptors are its parent's, and have to stay so */
    volatile int failure;
};

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

/* Has a table of descriptors of its own from here on.  Both calls do the same; in a
 * container the second may be forbidden, and before Linux 5.9 there is only that. */
static bool own_files(void)
{
    return close_range(~0U, ~0U, CLOSE_RANGE_UNSHARE) == 0 || unshare(CLONE_FILES) == 0;
}

/* Returns the number of its new group, or -1 with errno set.  A session of its own would
 * take the terminal away likewise, but where the kernel shares processors out by sessions,
 * it would be set up for each command and thrown away, and escape its worker's priority. */
static pid_t lead_group(const struct terminal *terminal)
{
    if (!terminal_leave(terminal)) return setsid();
    return setpgid(0, 0) == 0 ? getpid() : -1;
}

/* Returns 0 or an errno value.  Runs in the child, on its parent's memory.  The copies of
 * what others wait for are closed first.  Never a part of enter(), which does not return
 * if all goes well: what a sanitizer knows of its variables must end before that. */
static __attribute__((noinline)) int become_runner(const struct spawn *spawn, pid_t parent)
{
    if (dup2(spawn->input, 0) < 0 || dup2(spawn->output, 1) < 0 || dup2(spawn->errors, 2) < 0)
        return errno;
    spawn_close_from(3);
    pid_t group = lead_group(spawn->terminal);
    if (group < 0) return errno;
    atomic_store_explicit(spawn->group, group, memory_order_relaxed);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) return errno;
    if (getppid() != parent) return ESRCH; /* it died before the line above could notice */
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno;
    int error = set_limits(spawn->limits);
    if (error != 0) return error;
    /* The handlers go before the mask: one of the host's must not run here. */
    dispositions_reset(spawn->dispositions);
    if (!unmask_signals()) return errno;
    return spawn->limits->calls == SPAWN_SANDBOXED ? sandbox_enter() : 0;
}

/* The child. */
static int enter(void *context)
{
    struct birth *birth = context;
    const struct spawn *spawn = birth->spawn;
    if (birth->files != 0 && !own_files()) {
        birth->bound = true;
        return 127;
    }
    birth->failure = become_runner(spawn, birth->parent);
    if (birth->stays) processors_roam(spawn->processors);
    if (birth->failure == 0) {
        (void)execve(spawn->path, spawn->argv, spawn->environment);
        birth->failure = errno;
    }
    return 127;
}

static void forget(pid_t child)
{
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR) continue;
}

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define __SANITIZE_THREAD__ 1
#endif
#endif

/* Returns the child's number when it has entered the program or failed to. */
static pid_t bear(struct birth *birth)
{
#ifdef __SANITIZE_THREAD__
    /* It takes what a clone does for its parent's doing.  Of this it makes a fork. */
    pid_t child = vfork();
    if (child == 0) _exit(enter(birth));
    return child;
#else
    _Alignas(64) char stack[STACK_BYTES];
    int flags = CLONE_VM | CLONE_VFORK | birth->files | SIGCHLD;
    return clone(enter, stack + sizeof stack, flags, birth);
#endif
}

/* .. again, with descriptors of its own from the beginning, where it must not take them
 * later, or where we are run by a tool that knows forks and threads and nothing between. */
static pid_t bear_somehow(struct birth *birth)
{
    pid_t child = bear(birth);
    bool refused = child < 0 && errno == EINVAL;
    if (!refused && !birth->bound) return child;
    if (child > 0) forget(child);
    birth->bound = false;
    birth->files = 0;
    return bear(birth);
}

int spawn_start(const struct spawn *spawn, pid_t *pid)
{
    assert(spawn->input > 2 && spawn->output > 2 && spawn->errors > 2);
    struct birth birth = {.spawn = spawn, .parent = getpid(), .files = CLONE_FILES};
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    birth.stays = spawn->processors != NULL && processors_stay(spawn->processors);
    pid_t child = bear_somehow(&birth);
    if (child < 0) birth.failure = errno;
    if (birth.stays) processors_roam_again(spawn->processors);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (birth.failure == 0) {
        *pid = child;
    } else if (child > 0) {
        /* Its number is still its own. */
        atomic_store_explicit(spawn->group, 0, memory_order_relaxed);
        forget(child);
    }
    return birth.failure;
}

const char *spawn_signal_name(int number)
{
    const char *name = sigdescr_np(number);
    return name != NULL ? name : "unknown";
}
