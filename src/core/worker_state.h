/* worker_state.h - the worker's tables, for its own files only.
 *
 * Owns: the layout.  What each part means is decided in worker_session.c
 * (sessions), worker_work.c (leases), worker_credit.c (credit), worker_limit.c
 * (time limits) and worker_job.c (the table of jobs); worker.c steps them.
 */
#ifndef CORE_WORKER_STATE_H
#define CORE_WORKER_STATE_H

#include "heap.h"
#include "index.h"
#include "store.h"
#include "turn.h"
#include "uplink.h"
#include "worker.h"

static const uint32_t JOB_NONE = UINT32_MAX;

enum {
    /* Jobs in the pool at most, so that the leases of all of them fit one HELLO
     * even when every ventilator used the last credit it was left. */
    WORKER_CAPACITY_MAX = MESSAGE_ITEMS_MAX - WORKER_LINKS_MAX
};

/* take:    FREE -> HELD          WORK came
 * finish:  HELD -> OWED          the pool is done with it
 * give up: HELD -> OWED          it hangs: the pool still has it, and keeps it
 * drop:    HELD -> DROPPED       its lease is over, but the pool still has it
 * release: OWED, DROPPED -> FREE receipted, over, or done with nobody waiting;
 *          OWED -> DROPPED       the same of one that hangs */
enum worker_job_state { JOB_FREE, JOB_HELD, JOB_OWED, JOB_DROPPED };

/* One lease.  Its number is its slot in the index. */
struct worker_job {
    struct lease lease;
    enum worker_job_state state;
    enum outcome outcome;
    bool too_large; /* its result is over what the ventilator takes; said in place of its text */
    uint32_t link;
    uint32_t next, previous; /* in the list of its link that its state names */
    uint32_t sequence;       /* OWED and sent: of the COMPLETE that carried it */
    uint32_t retry_after_ms;
    uint32_t limit_ms; /* 0: none */
    uint64_t taken_ns;
    bool running;
    bool killed; /* the pool was asked to end its run, at its limit */
    bool hung;
    struct stored name, payload, result, text;
};

/* Jobs of one link in order of arrival. */
struct worker_list {
    uint32_t first, last, count;
};

struct worker_link {
    struct uplink uplink;
    struct id owner; /* the ventilator that gave the leases below */
    struct worker_list held;
    struct worker_list owed; /* those sent in this session first */
    uint32_t unsent;         /* the first of `owed` that was not */
    uint32_t running;
    /* Credit of this session, in running totals. */
    uint64_t granted_tasks, granted_bytes;
    uint64_t received_tasks, received_bytes;
    uint64_t backlog;  /* what it said it has, less what we gave credit for since */
    uint64_t asked_ns; /* when it last said so, or we last gave credit for it */
    bool eager;        /* it had backlog: what credit it has, it will use */
};

struct worker {
    struct worker_options options;
    struct worker_link *links;
    struct worker_job *jobs;
    struct index index; /* of lease keys, see worker_job.c */
    struct heap alarms; /* by job: when to look at it again, see worker_limit.c */
    struct store store;
    struct turn turn;
    uint64_t now_ns;     /* of this step */
    uint64_t due_ns;     /* the deadline as of the last TURN */
    uint64_t stirred_ns; /* since when something waits for a TURN; INSTANT_NEVER: nothing */
    uint64_t random;
    uint64_t mean_run_ns; /* 0: nothing ran yet */
    uint32_t held;        /* jobs in the pool, DROPPED ones included */
    uint32_t running;
    uint32_t hung;
    uint32_t owed;
    bool draining, stopped;
    bool starts_told; /* the pool reports STARTED */
    uint64_t started, done, failed, returned;
};

/* Appends an action. */
struct worker_action *worker_act(struct worker_actions *out, enum worker_action_kind kind,
                                 uint32_t link);

/* Appends a SEND of a message whose body the caller fills in. */
struct message *worker_send(struct worker *worker, struct worker_actions *out, uint32_t link,
                            enum message_kind kind);

/* worker_job.c: the table of jobs, and which list each is in. */
uint32_t worker_job_find(const struct worker *worker, const struct lease *lease);
/* Returns JOB_NONE when there is no room; nothing changed then. */
uint32_t worker_job_take(struct worker *worker, uint32_t link, const struct assignment *given);
void worker_job_finish(struct worker *worker, uint32_t job);
void worker_job_drop(struct worker *worker, uint32_t job);
void worker_job_give_up(struct worker *worker, uint32_t job);
/* One that hung has left the pool after all. */
void worker_job_recover(struct worker *worker, uint32_t job);
void worker_job_release(struct worker *worker, uint32_t job);

/* Appends RUN or HUNG. */
void worker_job_tell(const struct worker *worker, enum worker_action_kind kind, uint32_t job,
                     struct worker_actions *out);
/* Appends RECALL or KILL. */
void worker_job_ask(const struct worker *worker, enum worker_action_kind kind, uint32_t job,
                    struct worker_actions *out);

/* worker_limit.c */
/* The pool was given the job. */
void worker_limit_watch(struct worker *worker, uint32_t job);
void worker_limit_started(struct worker *worker, uint32_t job, uint64_t began_ns);
/* Acts on what is due, as far as there is room for it in `out`. */
void worker_limit_tick(struct worker *worker, struct worker_actions *out);
uint64_t worker_limit_deadline(const struct worker *worker);

/* worker_session.c */
void worker_session_connected(struct worker *worker, uint32_t link, struct worker_actions *out);
void worker_session_closed(struct worker *worker, uint32_t link, struct worker_actions *out);
/* Whether `message` is the role's to handle. */
bool worker_session_receive(struct worker *worker, uint32_t link, const struct message *message,
                            struct worker_actions *out);
/* Gives up a session that we were silent in for too long. */
void worker_session_doubt(struct worker *worker, uint32_t link, struct worker_actions *out);
void worker_session_tick(struct worker *worker, uint32_t link, struct worker_actions *out);
void worker_session_stop(struct worker *worker, struct worker_actions *out);

/* worker_work.c */
void worker_work_receive(struct worker *worker, uint32_t link, const struct message_work *work,
                         struct worker_actions *out);
void worker_work_receipt(struct worker *worker, uint32_t link, uint32_t through);
void worker_work_started(struct worker *worker, const struct worker_event *event);
void worker_work_finished(struct worker *worker, const struct worker_event *event);
/* The run of this job will not end: it is completed as failed. */
void worker_work_give_up(struct worker *worker, uint32_t job);
/* Sends what is owed to `link` as far as there is room for it in `out`. */
void worker_work_complete(struct worker *worker, uint32_t link, struct worker_actions *out);

/* worker_credit.c */
void worker_credit_reset(struct worker_link *link);
void worker_credit_told(struct worker *worker, uint32_t link, uint64_t backlog);
void worker_credit_measure(struct worker *worker, uint64_t run_ns);
void worker_credit_grant(struct worker *worker, struct worker_actions *out);
uint64_t worker_credit_deadline(const struct worker *worker);

#endif
