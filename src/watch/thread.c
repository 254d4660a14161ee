/* thread.c - the threads a library may start in somebody else's process. */
#include "thread.h"

#include <dirent.h>
#include <stddef.h>
#include <time.h>

void thread_mask(sigset_t *before)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};
    sigset_t taken;
    sigfillset(&taken);
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) sigdelset(&taken, faults[i]);
    (void)pthread_sigmask(SIG_SETMASK, &taken, before);
}

void thread_unmask(const sigset_t *before)
{
    (void)pthread_sigmask(SIG_SETMASK, before, NULL);
}

int thread_start(pthread_t *thread, const char *name, void *(*run)(void *), void *argument)
{
    sigset_t before;
    thread_mask(&before);
    int error = pthread_create(thread, NULL, run, argument);
    thread_unmask(&before);
    if (error == 0) (void)pthread_setname_np(*thread, name);
    return error;
}

uint32_t thread_count(void)
{
    uint32_t count = 0;
    DIR *folder = opendir("/proc/self/task");
    if (folder == NULL) return 0;
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;)
        if (entry->d_name[0] != '.') count++;
    (void)closedir(folder);
    return count;
}

int thread_lock_init(pthread_mutex_t *lock)
{
    pthread_mutexattr_t attributes;
    int error = pthread_mutexattr_init(&attributes);
    if (error != 0) return error;
    error = pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ADAPTIVE_NP);
    if (error == 0) error = pthread_mutex_init(lock, &attributes);
    (void)pthread_mutexattr_destroy(&attributes);
    return error;
}

int thread_condition_init(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    int error = pthread_condattr_init(&attributes);
    if (error != 0) return error;
    error = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    if (error == 0) error = pthread_cond_init(condition, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    return error;
}

int thread_wait_until(pthread_cond_t *condition, pthread_mutex_t *lock, uint64_t until_ns)
{
    struct timespec until = {.tv_sec = (time_t)(until_ns / 1000000000U),
                             .tv_nsec = (long)(until_ns % 1000000000U)};
    return pthread_cond_timedwait(condition, lock, &until);
}
