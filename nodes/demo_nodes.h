/* demo_nodes.h - the processes of the demonstration: two ventilators and three
 * workers, each the program tmesh.
 *
 * Owns: the processes, and a directory with their logs and records.  Whatever
 * happens, none of them outlives the demonstration.
 */
#ifndef NODES_DEMO_NODES_H
#define NODES_DEMO_NODES_H

#include "stopping.h"

#include <sys/types.h>

enum { DEMO_VENTILATORS = 2, DEMO_WORKERS = 3, DEMO_PATH_BYTES = 128 };

struct demo_nodes {
    const char *tmesh, *module;
    char directory[32];
    char connect[256]; /* the ventilators' fronts, separated by commas */
    pid_t ventilators[DEMO_VENTILATORS];
    pid_t workers[DEMO_WORKERS]; /* 0: not running any more */
};

/* Starts all of them, with the two paths set by the caller.  Returns 0, or an
 * exit status after saying what is wrong; stop them in both cases. */
int demo_nodes_start(struct demo_nodes *nodes, struct stopping *stopping);

/* Ends all of them: asks first, then kills. */
void demo_nodes_stop(struct demo_nodes *nodes);

/* SIGKILL for one worker. */
void demo_nodes_kill(struct demo_nodes *nodes, size_t worker);

/* Where worker `worker` notes its runs. */
void demo_nodes_record(const struct demo_nodes *nodes, size_t worker, char path[DEMO_PATH_BYTES]);

/* Removes the directory. */
void demo_nodes_forget(struct demo_nodes *nodes);

#endif
