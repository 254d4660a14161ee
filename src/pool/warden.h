/* warden.h - a small process that outlives ours by a moment, and kills what our
 * commands have started.
 *
 * The kernel kills a command when the thread that started it ends (spawn.h), but
 * nobody kills what the command started.  While we live, command.c does; this is
 * for when we were killed.
 *
 * Owns: the process, and a table that it shares with us: for each slot the process
 * group of the command that runs there.
 * Not here: processes that left their group.  Nobody can find them.
 */
#ifndef POOL_WARDEN_H
#define POOL_WARDEN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* All zeros is none. */
struct warden {
    pid_t pid;
    uint32_t slots;
    atomic_int *groups; /* by slot; 0: no command runs there */
};

/* Forks it, which is safe in a host with threads: it makes system calls and nothing
 * else.  It has no descriptor of ours and a session of its own, ignores signals, and
 * is no child that the host's wait() sees.  It has a copy of our memory, whose pages
 * are shared until one of us writes them: the smaller the host is then, the better.
 * False: processes, descriptors or memory are short. */
bool warden_open(struct warden *warden, uint32_t slots);

/* Ends it.  Nothing in the table is killed. */
void warden_close(struct warden *warden);

#endif
