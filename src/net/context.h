/* context.h - a ZeroMQ context with our settings.
 *
 * Owns nothing else: each node makes a context of its own, so that no setting
 * of the host program, or of CZMQ, reaches ours.  Nodes of one process that talk in
 * memory share one.
 */
#ifndef NET_CONTEXT_H
#define NET_CONTEXT_H

/* A ZeroMQ context with our settings (no BLOCKY, enough sockets, one I/O
 * thread); NULL when the system refuses.  Its threads take no signals. */
void *net_context_new(void);

/* Every socket must be closed before.  Waits for what still lingers. */
void net_context_destroy(void **context);

/* One that several nodes of this process use.  It ends with the last of them, in whatever
 * order they go. */
struct net_shared;
/* For the first; NULL when the system refuses. */
struct net_shared *net_shared_new(void);
/* For one more, while another still holds it.  Any thread. */
struct net_shared *net_shared_hold(struct net_shared *shared);
/* Every socket that the caller opened in it must be closed before.  Waits for what still
 * lingers if it was the last.  Any thread. */
void net_shared_release(struct net_shared **shared);
/* Borrowed while it is held. */
void *net_shared_context(const struct net_shared *shared);

#endif
