/* command.h - runs one program at a time, for one slot.
 *
 * Owns: the process while it runs, its three streams, and its process group: when
 * a run is over, whatever it left behind in its group is killed.
 * Not here: how a process is started (spawn.h), and what a failure leads to.
 *
 * What a run comes to:
 *   exit 0                 OUTCOME_DONE, its standard output is the result
 *   exit 75, any other     OUTCOME_FAILED, "exit status 75: " and the end of
 *                          its standard error; after the delay it wished
 *   exit 65                OUTCOME_PERMANENT, with the like
 *   command_tell, _kill    OUTCOME_FAILED if it died of that, with the end of its
 *                          standard error alone: its caller knows why, and says so.
 *                          If it exited after all, what that means
 *   any other signal       OUTCOME_CRASHED, "killed by signal 9 (Killed)"
 *   too much output        OUTCOME_PERMANENT
 *   it cannot be started   OUTCOME_FAILED, "cannot run PROGRAM: ...": a file may
 *                          be missing only while it is being replaced.  But a
 *                          command line that is too long is OUTCOME_PERMANENT
 */
#ifndef POOL_COMMAND_H
#define POOL_COMMAND_H

#include "complaint.h"
#include "environment.h"
#include "job.h"
#include "program.h"
#include "spawn.h"
#include "wish.h"

#include <pthread.h>
#include <sys/types.h>

struct command_options {
    const struct environment *environment; /* borrowed, as the next two */
    const struct spawn_limits *limits;
    atomic_int *group; /* the warden's, for this slot; NULL: no command will be run */
    struct log log;
    void (*ring)(void *context); /* see command_ring_at */
    void *ring_context;
};

struct command {
    struct command_options options;
    char **variables; /* the task's, the wish, the inherited, NULL */
    struct task_variables task;
    struct complaint complaint;
    struct wish wish;
    struct program program;
    struct dispositions dispositions;
    struct terminal terminal;
    struct processors processors;
    bool short_lived; /* the run before was */
    bool brief;       /* .. very, and said little */
    int nothing;      /* /dev/null, the standard input when there is no payload; -1 until needed */
    uint64_t ring_ns; /* when to ring; INSTANT_NEVER */
    pthread_mutex_t lock;
    pid_t pid; /* guarded by `lock`; 0 when none runs.  Not waited for yet: the number is ours */
    bool stopped;
    bool told, killed; /* guarded by `lock`; the run, by command_tell and _kill */
};

/* False: memory is short. */
bool command_open(struct command *command, const struct command_options *options);
void command_close(struct command *command);

/* Runs `argv` to its end with the job's payload on standard input. */
enum outcome command_run(struct command *command, struct tmesh_job *job, char *const *argv);

/* While the next run goes on at `ring_ns`, options.ring is called, once, in the thread of
 * command_run: its caller has something else to do then, and nobody else to do it. */
void command_ring_at(struct command *command, uint64_t ring_ns);

/* Sends SIGTERM to the run's process group, or kills it, also when its process is only
 * about to be started.  Any thread. */
void command_tell(struct command *command);
void command_kill(struct command *command);
/* The next run is another one. */
void command_forgive(struct command *command);

/* Kills what runs, and whatever would run afterwards.  Any thread. */
void command_stop(struct command *command);

#endif
