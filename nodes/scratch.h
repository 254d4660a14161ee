/* scratch.h - a directory for this run alone, which only this user can enter. */
#ifndef NODES_SCRATCH_H
#define NODES_SCRATCH_H

#include <sys/types.h>

enum { SCRATCH_BYTES = 512 };

/* A small process that removes directories when this one is gone, however it ended. */
struct scratch_guard {
    pid_t pid;
    int fd; /* as long as it is open, this one is there */
};

/* Makes it in `parent`; NULL: in TMPDIR or /tmp, with a name short enough for socket
 * files.  Returns 0, or EX_OSERR after saying why; `path` is "" then. */
int scratch_make(char path[SCRATCH_BYTES], const char *parent);

/* Removes it with all that is in it; "" is fine, and what it is afterwards. */
void scratch_remove(char path[SCRATCH_BYTES]);

/* Starts a guard for one or two directories ("": none).  Needed by those who start
 * processes and may be killed with them.  Returns 0, or EX_OSERR after saying why. */
int scratch_watch(struct scratch_guard *guard, const char *first, const char *second);

/* Ends it: what is left of the directories is removed. */
void scratch_release(struct scratch_guard *guard);

#endif
