/* children.h - processes that this program starts: nodes, each by its process id.
 *
 * Should this program be killed, they are as well.
 */
#ifndef NODES_CHILDREN_H
#define NODES_CHILDREN_H

#include "stopping.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { CHILD_ENDPOINT_BYTES = 256 };

/* Starts argv[0] (found in PATH) with `count` descriptors as 0, 1, 2 and so on, and no
 * other.  Returns its process, or -1 after saying why.  To be called from the main
 * thread, with which the child dies. */
pid_t child_start(const char *const *argv, const int *descriptors, int count);

/* Starts a node whose log goes to the end of the file `log`, with no input and no output.
 * `extra` is its descriptor 3; -1: it has none. */
pid_t child_start_logged(const char *const *argv, const char *log, int extra);

/* Likewise a ventilator, whose words have --json, and reads its endpoint when it is ready,
 * after ten seconds at most.  Returns 0, or, with *pid set in any case, 0 for none: EX_OSERR,
 * the reason said; EX_UNAVAILABLE: it did not get ready; the status of the signal that came. */
int child_start_ventilator(const char *const *argv, const char *log, pid_t *pid,
                           char endpoint[CHILD_ENDPOINT_BYTES], struct stopping *stopping);

/* SIGKILL, at once. */
void child_kill(pid_t *pid);

/* Collects those that ended, and sets them to 0, as is who never ran.  Returns how many
 * run. */
size_t children_running(pid_t *pids, size_t count);

/* Ends all of them: asks first, and kills after `patience_ms`. */
void children_stop(pid_t *pids, size_t count, uint64_t patience_ms);

#endif
