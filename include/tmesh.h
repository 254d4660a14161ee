/* tmesh.h - all of libtmesh: background tasks across processes and machines,
 * without a broker.
 *
 * Start at tmesh/producer.h to submit tasks, at tmesh/worker.h to run them.
 */
#ifndef TMESH_H
#define TMESH_H

#include <tmesh/cancel.h>
#include <tmesh/dead.h>
#include <tmesh/drain.h>
#include <tmesh/error.h>
#include <tmesh/journal.h>
#include <tmesh/producer.h>
#include <tmesh/reply.h>
#include <tmesh/status.h>
#include <tmesh/task.h>
#include <tmesh/ventilator.h>
#include <tmesh/worker.h>

#endif
