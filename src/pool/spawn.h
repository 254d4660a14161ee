/* spawn.h - starts one process from inside a host with many threads.
 *
 * Owns nothing: the caller keeps the descriptors, and waits for the process.
 * Not here: a shell.  There never is one.
 */
#ifndef POOL_SPAWN_H
#define POOL_SPAWN_H

#include "dispositions.h"
#include "processors.h"
#include "terminal.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* More breaks select(), and makes it slow to close all there might be. */
enum { SPAWN_FILES = 1024 };

enum spawn_calls { SPAWN_ALL_CALLS, SPAWN_SANDBOXED };

/* What one process may have, but never more than its parent may.  0: as much as that. */
struct spawn_limits {
    uint64_t memory_bytes;  /* of address space */
    uint64_t file_bytes;    /* as long may it make a file */
    uint32_t files;         /* descriptors; 0: SPAWN_FILES, until the program asks for more */
    enum spawn_calls calls; /* sandbox.h */
};

struct spawn {
    const char *path; /* of the program's file, as program.h finds it */
    char *const *argv;
    char *const *environment;
    int input, output, errors; /* become 0, 1 and 2; each must be above 2, and close-on-exec */
    const struct spawn_limits *limits;
    const struct dispositions *dispositions; /* the host's, as the next */
    const struct terminal *terminal;
    struct processors *processors; /* of the calling thread; NULL: it begins wherever it may */
    atomic_int *group; /* gets the number of its group before it is entered, and 0 if it is not */
};

/* Starts it, and returns when the program was entered, or with the errno value
 * that tells why it was not.  The process leads a group of its own (whose number
 * is *pid) and has no terminal, is killed when the calling thread ends, gains no
 * privileges from files, leaves no core, and has default signals, an empty mask
 * and no descriptor but the three.  It may run wherever the calling thread may. */
int spawn_start(const struct spawn *spawn, pid_t *pid);

/* Gives this process default signals and an empty mask.  By system calls only; false: errno
 * says why not. */
bool spawn_calm_signals(void);

/* What the signal that ended a process is called, for people; never NULL. */
const char *spawn_signal_name(int number);

/* Closes all descriptors from `first` on.  By system calls only. */
void spawn_close_from(int first);

#endif
