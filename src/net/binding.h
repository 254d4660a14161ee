/* binding.h - where a ventilator listens: its addresses, what may stand in their way, and what
 * people can do about it.
 */
#ifndef NET_BINDING_H
#define NET_BINDING_H

#include "endpoint.h"

/* Binds, and writes the endpoint as bound.  What stands at the path of a socket file is
 * removed only if nobody listens on it any more.  Returns 0, or an errno value. */
int binding_open(void *socket, const char *endpoint, char bound[ENDPOINT_BYTES]);

/* The file of an endpoint that was bound, if it has one: libzmq leaves it. */
void binding_remove(const char *endpoint);

/* An endpoint beside this one, to be bound to any free port or to a path of its own. */
void binding_beside(const char *endpoint, char beside[ENDPOINT_BYTES]);

/* What to do about an error in binding or opening a socket, to be put behind its text. */
const char *binding_advice(int error);

#endif
