/* embedded.h - the ventilator that a producer carries, for a worker of the same process.
 *
 * Owns nothing.  They meet in the producer's ZeroMQ context, and may end in any order.
 */
#ifndef NODE_EMBEDDED_H
#define NODE_EMBEDDED_H

#include <tmesh/producer.h>

/* Its front, in that context. */
static const char EMBEDDED_FRONT[] = "inproc://front";

struct net_shared;

/* That context, held for the caller to release; NULL: it carries no ventilator. */
struct net_shared *embedded_context(const tmesh_producer_t *producer);
bool embedded_is_there(const tmesh_producer_t *producer);

#endif
