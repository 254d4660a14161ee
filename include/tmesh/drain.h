/* tmesh/drain.h - have a node finish and stop, from afar. */
#ifndef TMESH_DRAIN_H
#define TMESH_DRAIN_H

#include <tmesh/producer.h>
#include <tmesh/reply.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { TMESH_DRAIN_OWN_GRACE = -1 }; /* as the node thinks fit */

typedef struct tmesh_drain {
    const tmesh_reply_t *ventilators; /* affected: nodes of that name that it told */
    size_t ventilator_count;
    uint64_t affected; /* by all; a worker that two ventilators know is told by both */
} tmesh_drain_t;

/* Asks the node called `node` to drain and stop, as its operator would by SIGTERM: one of
 * the fronts this producer connects to, for a ventilator, else a worker by its label or by
 * its node id as text, as tmesh_producer_status shows them.  All workers with that label
 * are meant, and one that serves several ventilators drains as a whole.  A drained worker
 * takes no more, gives back what it has not begun, and has `grace_ms` for what runs
 * (TMESH_DRAIN_OWN_GRACE: as it was started with).  A ventilator takes no new tasks, and
 * has as long for those it has; one that is embedded in a producer is not drained.
 *
 * Returns when those that are meant have been told; that they are done shows when they are
 * gone from the status.  It cannot be taken back; asking again changes nothing.  With *drain
 * set, for the caller to destroy:
 *   TMESH_OK         all ventilators answered; `affected` 0: nobody of that name is there
 *   TMESH_E_TIMEOUT  some did not within `timeout_ms`; what was asked may still happen
 * and with *drain set to NULL:
 *   TMESH_E_INVALID  `node` is empty or over TMESH_TEXT_BYTES_MAX bytes, or `grace_ms` is
 *                    less than TMESH_DRAIN_OWN_GRACE or over UINT32_MAX - 1
 *   TMESH_E_SYSTEM   out of memory
 *   TMESH_E_CLOSED   the producer was closed
 * Any thread; one call at a time, as in tmesh/dead.h. */
TMESH_EXPORT enum tmesh_err tmesh_producer_drain(tmesh_producer_t *producer, const char *node,
                                                 int64_t grace_ms, uint32_t timeout_ms,
                                                 tmesh_drain_t **drain);

/* Sets *drain to NULL.  NULL is fine. */
TMESH_EXPORT void tmesh_drain_destroy(tmesh_drain_t **drain);

#ifdef __cplusplus
}
#endif
#endif
