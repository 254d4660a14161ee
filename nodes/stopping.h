/* stopping.h - the signals that ask the program to end, as a descriptor.
 *
 * Owns: the signal mask of the process and a signalfd.  The library must not
 * touch signals, so the program does, before it starts the library's threads.
 */
#ifndef NODES_STOPPING_H
#define NODES_STOPPING_H

#include <stdbool.h>

struct stopping {
    int fd;         /* readable when a signal waits; watch it with poll */
    unsigned count; /* how many have come */
    int signal;     /* the latest; 0 for none */
};

/* From here on SIGINT, SIGTERM and SIGHUP only count, and a broken pipe is an
 * error of write.  Returns 0, or EX_OSERR after saying why. */
int stopping_open(struct stopping *stopping);
void stopping_close(struct stopping *stopping);

/* Takes note of the signals that have come, never waiting. */
void stopping_read(struct stopping *stopping);

/* Waits until more than `count` signals have come, at most `timeout_ms` (-1: no
 * limit).  Returns whether they have. */
bool stopping_wait(struct stopping *stopping, unsigned count, int timeout_ms);

/* Waits until more than `count` signals have come, or `fd` is readable, which
 * returns false. */
bool stopping_wait_beside(struct stopping *stopping, unsigned count, int fd);

/* Ends the process with `status` if it is still there after some seconds: for
 * what cannot be stopped from outside. */
void stopping_force(int status, unsigned seconds);

/* The exit status of a program that a signal ended, as shells count. */
int stopping_exit(const struct stopping *stopping);

#endif
