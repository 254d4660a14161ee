/* tmesh/ventilator.h - own tasks and give them to workers.
 *
 * A ventilator is a thread of its own with its own ZeroMQ context.  It touches
 * no signal handler, no stdio and no global state of its host.
 */
#ifndef TMESH_VENTILATOR_H
#define TMESH_VENTILATOR_H

#include <tmesh/task.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tmesh_ventilator tmesh_ventilator_t;

/* Zero means the default everywhere. */
typedef struct tmesh_ventilator_options {
    const char *bind;           /* front endpoint: tcp://HOST:PORT (PORT 0 or *: any free one) or
                                   ipc://PATH.  Required, except when embedded */
    const char *intake;         /* intake endpoint; default: a free port of the same host */
    bool insecure;              /* permits an address that is not loopback: there is no
                                   encryption and no authentication yet */
    uint32_t tasks_max;         /* tasks held; default 10,000,000 */
    uint64_t memory_bytes_max;  /* payloads and results held; default 2 GiB.  Address space is
                                   reserved for both limits at once, memory is taken as needed */
    uint32_t peers_max;         /* default 10,000, at most 65,535; fewer when this process may
                                   not open as many descriptors (RLIMIT_NOFILE as it is now): a
                                   worker takes one and a producer two, seven eighths but 32 are
                                   for them, and one more is refused with that reason */
    uint32_t payload_bytes_max; /* default and most: TMESH_PAYLOAD_BYTES_MAX */
    uint32_t heartbeat_ms;      /* default 1,000 (50 to 60,000); suspect after two missed */
    uint32_t lost_ms;           /* default 4 heartbeats, at least 3; a silent peer is lost then.
                                   Both are announced to all peers, which go by them too */
    uint32_t attempts_max;      /* default 5; a task may say otherwise */
    uint32_t backoff_ms;        /* default 1,000: the first retry waits 0 to this, doubling */
    uint32_t backoff_ms_max;    /* default 600,000 */
    const char *journal;        /* a directory, made if it is not there: what was accepted, and
                                   how it ended, is answered only when it is on disk, and is there
                                   again after a crash or a power cut.  Used by one ventilator at a
                                   time.  NULL: in memory, forgotten when this ventilator ends */
    uint64_t journal_bytes_max; /* what the journal may take on disk; default: all there is room
                                   for; at least 64 MiB.  At 90 % of it submissions are put off,
                                   while tasks held still come to their end */
    uint32_t spin_us;           /* its thread looks so long for messages before it sleeps, in
                                   microseconds, at most 1,000,000: latency bought with a
                                   processor.  Default 0: it sleeps at once */
    tmesh_log_fn *log;
    void *log_context;
    enum tmesh_level log_level; /* lines below it are not made, which is cheaper than to be called
                                   and drop them: at TMESH_DEBUG, the default, there are several
                                   for each task */
} tmesh_ventilator_options_t;

/* Starts a ventilator.  Returns NULL on failure: TMESH_E_INVALID,
 * TMESH_E_ENDPOINT (malformed, or not loopback without `insecure`), TMESH_E_BIND,
 * TMESH_E_SYSTEM; with a journal also TMESH_E_LOCKED (another process uses it),
 * TMESH_E_DAMAGED (what was on disk is not what was written: `tmesh journal check`
 * tells more, and nothing was changed), TMESH_E_JOURNAL (the directory cannot be
 * used, or a later version wrote it), TMESH_E_FULL (it holds more than the limits given).  Reading
 * a journal takes about a second for a million entries.  `options` is read during the call only. */
TMESH_EXPORT tmesh_ventilator_t *tmesh_ventilator_new(const tmesh_ventilator_options_t *options,
                                                      tmesh_error_t *error);

/* The address to give to producers and workers, with the real port.  Borrowed:
 * valid until the ventilator is destroyed.  Any thread. */
TMESH_EXPORT const char *tmesh_ventilator_endpoint(const tmesh_ventilator_t *ventilator);

/* A journal that cannot be written or synced ends a ventilator: it stops
 * answering, closes its sockets, and waits to be destroyed.  Nothing that was
 * acknowledged is lost; a new ventilator on the same journal goes on with it.
 * TMESH_OK while all is well, otherwise what happened.  Any thread. */
TMESH_EXPORT enum tmesh_err tmesh_ventilator_fault(tmesh_ventilator_t *ventilator,
                                                   tmesh_error_t *error);

/* Whether somebody asked this ventilator from afar to drain and stop, as `tmesh drain`
 * does.  It takes no new tasks from then on, and its host should do what it does when
 * it is to end: tmesh_ventilator_drain, then tmesh_ventilator_destroy.  `*grace_ms` (if
 * not NULL, and true is returned) is how long it is to wait for open tasks; UINT32_MAX:
 * as the host thinks fit.  A ventilator inside a producer is never asked.  Any thread. */
TMESH_EXPORT bool tmesh_ventilator_asked_to_drain(tmesh_ventilator_t *ventilator,
                                                  uint32_t *grace_ms);

/* A descriptor that becomes readable, and stays so, when either happens: a fault, or
 * being asked to drain.  For the host's own event loop; only to be watched: never read
 * it or close it.  -1 in a forked child. */
TMESH_EXPORT int tmesh_ventilator_fd(const tmesh_ventilator_t *ventilator);

/* Takes no new tasks, waits at most `timeout_ms` for those it has to end, and
 * for their results to be taken.  TMESH_OK: nothing is left.  TMESH_E_TIMEOUT:
 * `*open` tasks (if not NULL) have not ended; destroying the ventilator now
 * forgets them, unless they are in a journal.  The code of
 * tmesh_ventilator_fault: it has failed.  One thread at a time. */
TMESH_EXPORT enum tmesh_err tmesh_ventilator_drain(tmesh_ventilator_t *ventilator,
                                                   uint32_t timeout_ms, uint64_t *open);

/* Says BYE, stops the thread, frees everything, and sets *ventilator to NULL.
 * NULL is fine.  Tasks that have not ended are forgotten without a journal; with
 * one, everything is on disk when this returns.  What was said last has a second to
 * leave: so long it can take when a peer reads nothing any more. */
TMESH_EXPORT void tmesh_ventilator_destroy(tmesh_ventilator_t **ventilator);

#ifdef __cplusplus
}
#endif
#endif
