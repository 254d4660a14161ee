/* descriptor.h - file descriptors that are handed to other processes.
 *
 * Owns nothing.  Not here: what is behind them.
 */
#ifndef POOL_DESCRIPTOR_H
#define POOL_DESCRIPTOR_H

/* Closes `*fd` unless it is -1, and makes it that. */
void descriptor_close(int *fd);

/* Returns `fd`, or a copy of it above 2 in its place: 0, 1 and 2 are free in a host that
 * closed its own, and are what another process puts its streams at.  -1 stays -1, and is
 * returned with errno set when descriptors are short, too; `fd` is closed then. */
int descriptor_lift(int fd);

#endif
