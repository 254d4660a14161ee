/* context.h - a ZeroMQ context with our settings.
 *
 * Owns nothing else: each node makes a context of its own, so that no setting
 * of the host program, or of CZMQ, reaches ours.
 */
#ifndef NET_CONTEXT_H
#define NET_CONTEXT_H

/* A ZeroMQ context with our settings (no BLOCKY, enough sockets, one I/O
 * thread); NULL when the system refuses.  Its threads take no signals. */
void *net_context_new(void);

/* Every socket must be closed before.  Waits for what still lingers. */
void net_context_destroy(void **context);

#endif
