/* sandbox.h - the system calls that a command has no business with.
 *
 * A list of what is refused, not of what is allowed: ordinary programs must run.  It
 * closes ways into other processes and into the kernel: tracing, mounting, namespaces,
 * bpf, keys, modules, performance events.
 * Owns nothing.  Not here: files and the network, which stay open.
 */
#ifndef POOL_SANDBOX_H
#define POOL_SANDBOX_H

#include <stdbool.h>

/* Whether this kernel and architecture (x86-64, AArch64) have it. */
bool sandbox_is_available(void);

/* From now on each such call of this process, and of all it starts, fails with EPERM;
 * programs of another architecture cannot make any.  Cannot be undone.  By system
 * calls only; needs no_new_privs.  Returns 0 or an errno value. */
int sandbox_enter(void);

#endif
