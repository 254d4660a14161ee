/* endpoint.h - addresses: what is well formed, what is loopback.
 *
 * tcp://HOST:PORT, tcp://[IPV6]:PORT, ipc://PATH, and inproc://NAME inside the
 * library.  HOST is an IPv4 address, a name, or * (bind only); PORT is 1..65535,
 * or 0 or * (bind only: any free one).
 */
#ifndef NET_ENDPOINT_H
#define NET_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>

enum { ENDPOINT_BYTES = 256 };

enum endpoint_use { ENDPOINT_BIND, ENDPOINT_CONNECT };

/* Returns NULL when `endpoint` is well formed for this use, else what is wrong
 * with it, in words for the person who typed it (a static text). */
const char *endpoint_fault(const char *endpoint, enum endpoint_use use);

/* Whether only this machine can reach it: ipc, inproc, 127.0.0.0/8, ::1, and
 * the name localhost.  Any other name counts as not loopback. */
bool endpoint_is_loopback(const char *endpoint);

/* Copies the host name, which has to be looked up to find an address.  False: there is none,
 * and `name` is empty. */
bool endpoint_host_name(const char *endpoint, char name[ENDPOINT_BYTES]);

/* The intake to connect to, given how the front was reached and what WELCOME
 * named: same transport only, a host of * replaced by the front's host.  False
 * when it does not fit together. */
bool endpoint_resolve(const char *front, const char *intake, size_t intake_bytes,
                      char resolved[ENDPOINT_BYTES]);

#endif
