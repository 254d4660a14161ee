/* embedded.h - the ventilator that a producer carries, for a worker of the same process.
 *
 * Owns nothing.  They meet in the producer's ZeroMQ context.
 */
#ifndef NODE_EMBEDDED_H
#define NODE_EMBEDDED_H

#include <tmesh/producer.h>

/* Its front, in that context. */
static const char EMBEDDED_FRONT[] = "inproc://front";

/* The context, borrowed for the producer's life; NULL: it carries no ventilator. */
void *embedded_context(const tmesh_producer_t *producer);

#endif
