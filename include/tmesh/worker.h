/* tmesh/worker.h - run tasks.
 *
 * A worker has one thread that talks to ventilators and keeps the heartbeats,
 * and `slots` threads that run handlers.  Handlers never run on the first.
 *
 * While short tasks come one at a time, or a few, the thread of a slot that has nothing
 * to do talks instead: whoever received a task runs it, and nobody is woken for that.
 * It has let go of the talking before it enters a handler.  Should the handler last, the
 * first thread goes on within milliseconds.  So what a handler does to the thread it runs
 * on (priority, processors, signal mask, cancellation) it undoes before it returns.
 */
#ifndef TMESH_WORKER_H
#define TMESH_WORKER_H

#include <tmesh/task.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tmesh_worker tmesh_worker_t;

/* One run of one task, as its handler sees it.  Borrowed for the call of the
 * handler; used only from the thread it runs on. */
typedef struct tmesh_job tmesh_job_t;

TMESH_EXPORT const char *tmesh_job_name(const tmesh_job_t *job);
TMESH_EXPORT tmesh_id_t tmesh_job_id(const tmesh_job_t *job);
/* 1 for the first attempt; a later attempt may run while an earlier one,
 * believed lost, still does. */
TMESH_EXPORT uint32_t tmesh_job_attempt(const tmesh_job_t *job);
/* The lease's token.  (id, attempt, token) names this run and no other. */
TMESH_EXPORT uint64_t tmesh_job_lease(const tmesh_job_t *job);
/* Borrowed until the handler returns.  Never NULL, even when *bytes is 0. */
TMESH_EXPORT const void *tmesh_job_payload(const tmesh_job_t *job, size_t *bytes);

/* Appends to the job's result, which is copied.  TMESH_E_TOO_BIG: over
 * TMESH_RESULT_BYTES_MAX in all; nothing was appended.  TMESH_E_SYSTEM: out of
 * memory. */
TMESH_EXPORT enum tmesh_err tmesh_job_result(tmesh_job_t *job, const void *data, size_t bytes);

/* Says why the job fails, for its record; copied, cut at TMESH_TEXT_BYTES_MAX. */
TMESH_EXPORT void tmesh_job_reason(tmesh_job_t *job, const char *text);

/* After TMESH_RETRY: when, instead of by policy.  0 takes the wish back. */
TMESH_EXPORT void tmesh_job_retry_after(tmesh_job_t *job, uint32_t delay_ms);

/* Whether the run should end now: it is over its soft time limit, or its task was
 * cancelled or given to somebody else, or the worker stops.  Cheap enough for an
 * inner loop.  A handler that sees it returns as soon as it can, with whatever
 * verdict suits: TMESH_DONE if the work is done all the same.  One that does not
 * return is killed at its hard limit or a moment later, if it runs in a process. */
TMESH_EXPORT bool tmesh_job_should_stop(const tmesh_job_t *job);

/* Says how far the run is: a number that means what the handler wants (rows,
 * bytes, percent), and a text, copied and cut at TMESH_PROGRESS_BYTES_MAX, or
 * NULL.  Shown by `tmesh status` and told to the producer if it wants the
 * result; only the latest counts, so call it as often as is handy.  Each call is
 * a sign of life, too, for tasks with `stalled_after_ms`. */
TMESH_EXPORT void tmesh_job_progress(tmesh_job_t *job, uint64_t number, const char *text);

/* Writes a line to the worker's log, with the run's task name, id and attempt beside
 * it (tmesh_log_entry_t).  Line ends at its end are taken off, and nothing is logged if
 * nothing is left; what is not printable is escaped, and what is longer than
 * TMESH_LOG_LINE_BYTES_MAX is cut.  Never waits, if the host's log function does not.
 * A slot may log TMESH_LOG_LINES_PER_SECOND; what is more is dropped, and two lines
 * say so: one when it begins, and one, with how many they were, before the slot's
 * first line of a later second. */
enum { TMESH_LOG_LINES_PER_SECOND = 1000 };
#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
TMESH_EXPORT void
tmesh_job_log(tmesh_job_t *job, enum tmesh_level level, const char *format, ...);

/* What a handler returns.  Any other value counts as TMESH_RETRY. */
enum tmesh_verdict {
    TMESH_DONE = 0,
    TMESH_RETRY = 75,    /* try again by policy (sysexits EX_TEMPFAIL) */
    TMESH_PERMANENT = 65 /* do not try again (sysexits EX_DATAERR) */
};

/* Runs one task.  Called from several threads at once. */
typedef int tmesh_handler_fn(tmesh_job_t *job, void *context);

/* A module's one exported function, `tmesh_module`, registers its handlers.
 * Returns 0, or anything else to refuse to load, after tmesh_registry_refuse. */
typedef struct tmesh_registry tmesh_registry_t;
typedef int tmesh_module_fn(tmesh_registry_t *registry);

/* Registers `handler` under `name`.  `context` is passed to each call.
 * TMESH_E_INVALID: the name breaks the rule or is taken; TMESH_E_FULL: 256
 * names are registered. */
TMESH_EXPORT enum tmesh_err tmesh_registry_add(tmesh_registry_t *registry, const char *name,
                                               tmesh_handler_fn *handler, void *context);
TMESH_EXPORT void tmesh_registry_refuse(tmesh_registry_t *registry, const char *reason);

/* A program run for each task of `name`, without a shell: the payload on its
 * standard input, the result from its standard output; the end of its standard
 * error goes to the log, and to the record of a run that failed.  Exit 0 is
 * done, 75 retry, 65 permanent failure; anything else is retried by policy, and
 * a death by signal counts as a crash, unless the worker sent it.  TMESH_TASK_ID, TMESH_TASK_NAME,
 * TMESH_ATTEMPT and TMESH_LEASE (16 hexadecimal digits) are in its environment;
 * TMESH_RETRY_AFTER_MS names a file into which it may write, in digits, after how
 * many milliseconds it wants to be tried again when it fails.
 * What it wrote to its standard error last, at most 1,000 bytes, is the reason of
 * its failure, behind "exit status N: ".
 *
 * It leads a process group of its own in the worker's session, has no terminal, no
 * descriptor but the three, default signals, no core file, gains no privileges from
 * files, and keeps the worker's user, umask and working directory.  Its environment is clean: PATH,
 * HOME, LANG, LC_ALL, TZ and TMPDIR as the worker had them when it was made, what
 * `command_environment` passes on, and the variables above.  Secrets that a worker
 * was started with are thus not given to whoever may submit a task, and a task does
 * not come to depend on the shell that its worker was started from.
 *
 * When its run is over, whatever is left of its process group is killed, and when
 * the worker's process dies, however that comes, all of the group within a moment:
 * by a small process that the worker forks when it is made, a copy of the host.  The
 * smaller the host is then, the better.  Only what left the group stays.
 *
 * The host must neither ignore SIGCHLD nor wait for children that are not its
 * own, or the exit status is lost and the run counts as failed. */
typedef struct tmesh_command {
    const char *name;
    const char *const *argv; /* ends with NULL; argv[0] is looked up in PATH */
} tmesh_command_t;

typedef struct tmesh_handler {
    const char *name;
    tmesh_handler_fn *handler;
    void *context;
} tmesh_handler_t;

/* Where C handlers run.  Commands are processes in any case.
 *
 * In a process pool a handler that crashes, hangs, leaks, forks or calls exit costs its
 * child and one attempt at its task, and nothing else: tasks that the child had done
 * stay done, those behind it are run by the next child.  A death counts as a crash,
 * with the signal or exit status and the end of what was written as the reason; a run
 * over its time limit is killed.
 *
 * tmesh_worker_new forks a small process, the nursery, in which the modules are loaded
 * and which forks the children: one for each slot, and as many ahead, but no more than
 * four, which run nothing until a child ends, whose place one of them takes at once.  So
 * make the worker before your program starts threads or opens much: a lock that a thread
 * holds then is locked in the children for ever (a warning is logged), and memory that
 * exists then is theirs, too, as it was.  Each child
 *
 * - runs one task at a time, so that a handler called in it is never called twice at
 *   once, and keeps what handlers leave in memory for the next task;
 * - has none of the host's descriptors, and /dev/null as its standard input.  What it
 *   writes to its standard output and error is logged with the task's name and id, at
 *   most 20 lines a second; a run that writes more than 4 MiB, and 1 MiB for each
 *   minute it lasts, is ended, and its task fails for good;
 * - has default signals, a session and process group of its own, and no core file.
 *   What handlers registered for the end of the process is not called;
 * - may fork.  Its processes are killed when it ends, even those that left its group;
 *   a child does not wait for those that outlived their parents.
 *
 * All of them end within a moment when the worker's process does, however that comes.
 * Should the nursery itself be killed, the worker says so in its log, runs no more
 * functions, and drains by itself, as if tmesh_worker_asked_to_drain. */
enum tmesh_pool {
    TMESH_POOL_THREADS, /* in threads of this process: the fastest */
    TMESH_POOL_PROCESS  /* in child processes, one for each slot: see above */
};

/* Zero means the default everywhere. */
typedef struct tmesh_worker_options {
    const char *connect;       /* fronts, separated by commas; at most 64.  Required, unless
                                  `beside` is set */
    tmesh_producer_t *beside;  /* a producer of this process that carries a ventilator (its
                                  `embed`): the worker serves that one as well, without a
                                  network, whatever its `bind`.  Read during the call only: they
                                  may be destroyed in any order.  In a process pool the nursery
                                  is then forked from a process that has threads already */
    const char *label;         /* shown to operators, who drain it by this name; cut at 127
                                  bytes; default: host and process */
    uint32_t slots;            /* handlers at once, at most 1,024; default: the processors online */
    const char *const *queues; /* ends with NULL; default: "default" alone */
    const tmesh_handler_t *handlers; /* handler_count of them */
    size_t handler_count;
    const tmesh_command_t *commands; /* command_count of them */
    size_t command_count;
    const char *const *modules; /* paths of shared objects; ends with NULL */
    bool allow_exec; /* also serve "tmesh.exec": run whatever argv a task brings, as `tmesh
                        map --connect` asks.  Whoever may submit can then run any program
                        here */
    const char *const *command_environment; /* names of variables that commands get besides
                        the usual ones; ends with NULL.  One that ends with * stands for all
                        that begin so; "*" alone: everything */
    uint64_t command_memory;    /* bytes of address space that each process of a command may
                                   have (RLIMIT_AS), at least 1 MiB; default: as the worker */
    uint64_t command_file_size; /* bytes that a file may grow to when such a process writes to it
                                   (RLIMIT_FSIZE); over it SIGXFSZ ends the process; default: as
                                   the worker */
    uint32_t command_files;     /* descriptors that each such process may have open
                                   (RLIMIT_NOFILE), at least 16; default: 1,024 until it raises
                                   that itself, to no more than the worker may have */
    bool command_sandbox;       /* refuse them system calls by which one looks into other
                                   processes or changes the machine: tracing, mounts, namespaces,
                                   bpf, keys, kernel modules, performance events (EPERM, by
                                   seccomp).  Files and the network stay open.  Only programs
                                   of the machine's own architecture run; x86-64 and AArch64 */
    enum tmesh_pool pool;
    uint32_t tasks_per_child;    /* a child is replaced after so many runs; 0: never */
    uint64_t memory_per_child;   /* a child is replaced when it holds more than so many bytes of
                                    memory of its own after a run, looked at every 5 ms; 0: never */
    uint32_t soft_time_limit_ms; /* of each run whose task has none of its own: then
                                    tmesh_job_should_stop says yes, and a command gets SIGTERM;
                                    default: none */
    uint32_t stalled_after_ms;   /* of each run whose task has none of its own: one that does not
                                    call tmesh_job_progress for so long is ended as if it were
                                    over its time limit; default: never */
    uint32_t time_limit_ms;      /* of each run whose task has none of its own, from its beginning;
                                    default: none.  Over it a command is killed with its process
                                    group (SIGKILL), likewise a child of a process pool, and the
                                    run counts as failed.  A C handler in a thread cannot be ended
                                    from outside: its task is given up in the same way and may run
                                    elsewhere, and its slot is lost until it returns */
    uint32_t spin_us;            /* the thread that talks looks so long for messages and results
                                    before it sleeps, in microseconds, at most 1,000,000: latency
                                    bought with a processor.  Default 0: it sleeps at once */
    tmesh_log_fn *log;
    void *log_context;
    enum tmesh_level log_level; /* lines below it are not made; default TMESH_DEBUG: all are */
} tmesh_worker_options_t;

/* Starts a worker.  Does not wait for a connection; reconnects for ever.
 * Returns NULL on failure: TMESH_E_INVALID (also: nothing to serve, or `beside` carries no
 * ventilator), TMESH_E_FULL (more than 256 names to serve), TMESH_E_ENDPOINT, TMESH_E_MODULE,
 * TMESH_E_SYSTEM.  `options` is read during the call only. */
TMESH_EXPORT tmesh_worker_t *tmesh_worker_new(const tmesh_worker_options_t *options,
                                              tmesh_error_t *error);

typedef struct tmesh_worker_counts {
    uint32_t ventilators; /* with a session now */
    uint32_t held, running;
    uint32_t hung; /* C handlers, of those running, that should have ended, over a limit or
                      because their task is theirs no more: each has taken a slot for as long as
                      it does not return */
    uint64_t started, done, failed, returned;
    bool crippled; /* its process pool has lost the nursery: it drains, and is to be made again */
} tmesh_worker_counts_t;

TMESH_EXPORT void tmesh_worker_counts(tmesh_worker_t *worker, tmesh_worker_counts_t *counts);

/* An operator can ask a worker to drain and stop from afar (`tmesh drain`).  Then it
 * takes no more tasks and gives back those not started, at once; but when to stop is
 * the program's decision, as after a signal.  This descriptor becomes readable then,
 * for the host's own event loop.  Only to be watched: never read it or close it.  -1 in a
 * forked child. */
TMESH_EXPORT int tmesh_worker_fd(const tmesh_worker_t *worker);

/* Whether that has happened, or the worker drains because it is crippled.  Then
 * `*grace_ms` (if not NULL) is how long what runs should have to end, or UINT32_MAX: as
 * long as the program likes; go on with tmesh_worker_drain, and tmesh_worker_destroy.
 * Any thread. */
TMESH_EXPORT bool tmesh_worker_asked_to_drain(tmesh_worker_t *worker, uint32_t *grace_ms);

/* Takes no more tasks, gives back those not started, and waits at most
 * `timeout_ms` for those that run and for their receipts.  TMESH_E_TIMEOUT:
 * some still run; their leases are given up when the worker is destroyed. */
TMESH_EXPORT enum tmesh_err tmesh_worker_drain(tmesh_worker_t *worker, uint32_t timeout_ms);

/* Says BYE, stops, frees everything, and sets *worker to NULL.  Commands still
 * running are killed, and so are the children of a process pool; C handlers still
 * running in threads are told to stop and waited for, since a thread cannot be stopped
 * from outside.  NULL is fine. */
TMESH_EXPORT void tmesh_worker_destroy(tmesh_worker_t **worker);

#ifdef __cplusplus
}
#endif
#endif
