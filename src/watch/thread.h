/* thread.h - the threads a library may start in somebody else's process. */
#ifndef WATCH_THREAD_H
#define WATCH_THREAD_H

#include <pthread.h>
#include <signal.h>
#include <stdint.h>

/* Starts a named thread that takes no signals of others, so that the host's handlers run
 * where the host expects them.  Returns 0 or an errno value. */
int thread_start(pthread_t *thread, const char *name, void *(*run)(void *), void *argument);

/* Blocks all signals in the calling thread and remembers what was blocked;
 * threads started in between inherit that.  But not those that say that a thread
 * itself is at fault: whatever the host has to tell of a crash, it tells of theirs. */
void thread_mask(sigset_t *before);
void thread_unmask(const sigset_t *before);

/* How many threads this process has; 0 when that cannot be told. */
uint32_t thread_count(void);

/* A lock that everybody holds for moments only, and that is wanted by two threads all the time:
 * whoever comes upon it looks again for a while, some microseconds at most, before it sleeps.
 * To sleep and to be woken costs each of the two more than the moment.  Returns 0 or an errno
 * value. */
int thread_lock_init(pthread_mutex_t *lock);

/* A condition that is waited on by the monotonic clock. */
int thread_condition_init(pthread_cond_t *condition);

/* Waits until woken or `until_ns` of clock_now_ns has come.  Returns 0, or
 * ETIMEDOUT. */
int thread_wait_until(pthread_cond_t *condition, pthread_mutex_t *lock, uint64_t until_ns);

#endif
