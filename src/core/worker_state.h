/* worker_state.h - the worker's tables, for its own files only.
 *
 * Owns: the layout.  What each part means is decided in worker_session.c
 * (sessions), worker_work.c (leases), worker_revoke.c (leases that are over),
 * worker_credit.c (credit), worker_surplus.c (what was too much of it),
 * worker_pace.c (how fast things go), worker_limit.c
 * (time limits), worker_progress.c, worker_beat.c (heartbeats) and worker_job.c
 * (the table of jobs); worker.c steps them.
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
 * give up: HELD -> OWED          it hangs: the pool still has it, and keeps it;
 *                                one that was DROPPED stays so
 * drop:    HELD -> DROPPED       its lease is over, but the pool still has it
 * release: OWED, DROPPED -> FREE receipted, over, or done with nobody waiting;
 *          OWED -> DROPPED       the same of one that hangs */
enum worker_job_state { JOB_FREE, JOB_HELD, JOB_OWED, JOB_DROPPED };

/* A job can be in two lists: one that its state names, if it has begun or is OWED, and one
 * that says how far its run is.  One that ends before we were told that it began, as short
 * ones do, is in one list at a time. */
enum worker_chain { CHAIN_STATE, CHAIN_RUN, WORKER_CHAINS };

enum worker_run {
    RUN_NONE,    /* it is not HELD, and did not begin; or it left the pool */
    RUN_WAITING, /* HELD, and as far as we were told it did not begin; in a list of its link */
    RUN_YOUNG,   /* it began; in a list of the worker's */
    RUN_OLD      /* it has run for longer than we take work ahead; in no list */
};

/* One lease.  Its number is its slot in the index.  What its way through the lists touches,
 * its neighbours there included, is the first cache line. */
struct worker_job {
    _Alignas(64) struct lease lease;
    uint32_t next[WORKER_CHAINS], previous[WORKER_CHAINS];
    uint32_t link;
    uint8_t state;      /* enum worker_job_state */
    uint8_t run;        /* enum worker_run */
    uint8_t name_bytes; /* of `task` */
    bool too_large : 1; /* its result is over what the ventilator takes */
    bool running : 1;
    bool told : 1;    /* asked to end at its soft limit */
    bool killed : 1;  /* the pool was asked to end its run */
    bool revoked : 1; /* DROPPED: its run is to end, whatever its limits */
    bool hung : 1;
    bool progresses : 1; /* it told of its progress */
    bool aside : 1; /* another lease of its task, or such a one before it, has the first place */
    enum outcome outcome : 8;
    enum end_cause cause : 8; /* why it was killed */
    uint32_t sequence;        /* OWED and sent: of the COMPLETE that carried it */
    struct stored task;       /* name and payload in one run */
    struct stored payload;    /* a large one is by itself */
    struct stored result, text;
    uint32_t retry_after_ms;
    /* 0: none.  In another order than in an assignment: compilers would read two of them at
     * once, and a processor waits for what was just written one by one. */
    uint32_t limit_ms, stalled_ms, soft_ms;
    uint64_t since_ns; /* when it came, or when it began */
    uint64_t alive_ns; /* its latest sign of life, its beginning included */
};

_Static_assert(sizeof(struct worker_job) == 128, "two cache lines");

/* What a run told of its progress last, and when its ventilator was told last (0:
 * never).  Beside the jobs, since few have any. */
struct worker_progress {
    uint64_t number, reported_ns;
    struct stored text;
};

/* Jobs in order of arrival. */
struct worker_list {
    uint32_t first, last, count;
};

/* How far away a ventilator is: the shortest of the latest round trips, since what
 * makes one longer, such as its queue, its disk or ourselves, is not the way. */
struct worker_trips {
    uint64_t before_ns, now_ns; /* the shortest of the window before, and of this one */
    uint32_t count;             /* in this window */
    bool asked;                 /* credit was sent that a backlog waited for, at asked_ns: */
    uint64_t asked_ns;
    uint64_t beyond_tasks; /* the first task beyond so many answers it */
};

struct worker_link {
    struct uplink uplink;
    struct id owner;            /* the ventilator that gave the leases below */
    struct worker_list waiting; /* HELD, and as far as we were told they did not begin */
    struct worker_list begun;   /* HELD, all others */
    struct worker_list owed;    /* those sent in this session first */
    uint32_t unsent;            /* the first of `owed` that was not sent */
    struct worker_trips trips;
    /* The latest HEARTBEAT of this session, and when it was said. */
    struct message_heartbeat said;
    uint64_t said_ns;
    bool said_early;      /* because jobs waited */
    uint64_t recalled_ns; /* when it last wanted something back; 0: never */
    uint64_t reduced_ns;  /* when it last got back what was too much */
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
    struct worker_progress *progress; /* by job */
    struct index index;               /* of lease keys, see worker_job.c */
    struct heap alarms;               /* by job: when to look at it again, see worker_limit.c */
    struct heap reports;              /* by job: when to tell of its progress */
    struct worker_list young;         /* see RUN_YOUNG */
    struct store store;
    struct turn turn;
    uint64_t now_ns;     /* of this step */
    uint64_t due_ns;     /* the deadline as of the last TURN */
    uint64_t stirred_ns; /* since when something waits for a TURN; INSTANT_NEVER: nothing */
    uint64_t random;
    uint32_t hellos;      /* said so far, to whomever */
    uint64_t mean_run_ns; /* 0: nothing ran yet */
    uint64_t ahead_ns;    /* the longest time for which work is taken ahead from anybody */
    uint32_t held;        /* jobs in the pool, DROPPED ones included */
    uint32_t aside;       /* jobs that do not stand where their task does */
    uint32_t running;
    uint32_t old; /* of these, see RUN_OLD */
    uint32_t hung;
    uint32_t owed;
    bool draining, stopped;
    bool asked_to_drain;
    bool starts_told; /* the pool reports STARTED */
    uint64_t started, done, failed, returned;
};

/* How many jobs are HELD. */
static inline uint32_t worker_link_held(const struct worker_link *link)
{
    return link->waiting.count + link->begun.count;
}

/* Every slot hangs: whatever came now would wait for one for ever. */
static inline bool worker_is_stuck(const struct worker *worker)
{
    return worker->hung >= worker->options.slots;
}

/* Appends an action. */
struct worker_action *worker_act(struct worker_actions *out, enum worker_action_kind kind,
                                 uint32_t link);

/* Appends a SEND of a message whose body the caller fills in. */
struct message *worker_send(struct worker *worker, struct worker_actions *out, uint32_t link,
                            enum message_kind kind);

/* worker_job.c: the table of jobs, and which list each is in. */
uint32_t worker_job_find(const struct worker *worker, const struct lease *lease);
/* A lease's place in the table. */
struct worker_place {
    struct id key;
    uint32_t hash;
    bool aside;
    uint32_t job; /* which has it: the lease's own, or, once in an age, another one's.
                     JOB_NONE: it is free */
};
void worker_job_place(const struct worker *worker, const struct lease *lease,
                      struct worker_place *place);
bool worker_job_has(const struct worker *worker, uint32_t job, const struct lease *lease);
/* At a place that is free.  Returns JOB_NONE when there is no room; nothing changed then. */
uint32_t worker_job_take(struct worker *worker, uint32_t link, const struct assignment *given,
                         const struct worker_place *place);
/* The pool began it. */
void worker_job_begin(struct worker *worker, uint32_t job, uint64_t began_ns);
/* Runs that began before `since_ns` are old. */
void worker_job_age(struct worker *worker, uint64_t since_ns);
void worker_job_finish(struct worker *worker, uint32_t job);
void worker_job_drop(struct worker *worker, uint32_t job);
void worker_job_give_up(struct worker *worker, uint32_t job);
/* One that hung has left the pool after all. */
void worker_job_recover(struct worker *worker, uint32_t job);
void worker_job_release(struct worker *worker, uint32_t job);

/* Appends RUN or HUNG. */
void worker_job_tell(const struct worker *worker, enum worker_action_kind kind, uint32_t job,
                     struct worker_actions *out);
void worker_job_recall(const struct worker *worker, uint32_t job, struct worker_actions *out);
/* Appends TELL or KILL. */
void worker_job_end(const struct worker *worker, enum worker_action_kind kind, uint32_t job,
                    enum end_cause cause, struct worker_actions *out);

/* worker_limit.c */
/* The pool was given the job. */
void worker_limit_watch(struct worker *worker, uint32_t job);
void worker_limit_started(struct worker *worker, uint32_t job);
/* Kills the job; one that is still there after a while hangs. */
void worker_limit_kill(struct worker *worker, uint32_t job, enum end_cause cause,
                       struct worker_actions *out);
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
void worker_work_finished(struct worker *worker, const struct finished *finished);
/* The run of this job, which is held, will not end: it is completed as failed. */
void worker_work_give_up(struct worker *worker, uint32_t job);
/* Sends what is owed to `link` as far as there is room for it in `out`. */
void worker_work_complete(struct worker *worker, uint32_t link, struct worker_actions *out);

/* worker_revoke.c */
/* The lease is over, if it is one of this link's. */
void worker_revoke_lease(struct worker *worker, uint32_t link, const struct lease *lease,
                         struct worker_actions *out);
void worker_revoke_receive(struct worker *worker, uint32_t link,
                           const struct message_leases *leases, struct worker_actions *out);
void worker_revoke_recall(struct worker *worker, uint32_t link, const struct message_leases *leases,
                          struct worker_actions *out);
/* The alarm of a job that was dropped. */
void worker_revoke_ring(struct worker *worker, uint32_t job, struct worker_actions *out);

/* worker_progress.c */
void worker_progress_heard(struct worker *worker, const struct worker_event *event);
/* It runs no more, or not for us. */
void worker_progress_forget(struct worker *worker, uint32_t job);
void worker_progress_tell(struct worker *worker, struct worker_actions *out);
uint64_t worker_progress_deadline(const struct worker *worker);

/* worker_beat.c */
void worker_beat_reset(struct worker_link *link);
void worker_beat_say(struct worker *worker, uint32_t link, struct worker_actions *out);
/* Says one early if there is reason to. */
void worker_beat_tick(struct worker *worker, uint32_t link, struct worker_actions *out);
uint64_t worker_beat_deadline(const struct worker *worker, uint32_t link);

/* worker_pace.c */
void worker_pace_ran(struct worker *worker, uint64_t run_ns);
void worker_pace_opened(struct worker_link *link);
/* Credit goes out that the ventilator's backlog waits for. */
void worker_pace_asked(const struct worker *worker, struct worker_link *link);
/* Work has come, and was counted. */
void worker_pace_answered(const struct worker *worker, struct worker_link *link);
/* The ventilator has nothing that waits. */
void worker_pace_unasked(struct worker_link *link);
uint64_t worker_pace_round_trip(const struct worker_link *link);
/* How many jobs to hold beyond the slots, for work of this link alone. */
uint64_t worker_pace_ahead(const struct worker *worker, const struct worker_link *link);
/* Once in a turn, before these are asked for. */
void worker_pace_tick(struct worker *worker);

/* worker_surplus.c */
void worker_surplus_tick(struct worker *worker, struct worker_actions *out);
uint64_t worker_surplus_deadline(const struct worker *worker, uint32_t link);

/* worker_credit.c */
void worker_credit_reset(struct worker_link *link);
void worker_credit_told(struct worker *worker, uint32_t link, uint64_t backlog);
/* Says that what was granted and not used is granted no more. */
void worker_credit_take_back(struct worker *worker, uint32_t link, struct worker_actions *out);
void worker_credit_grant(struct worker *worker, struct worker_actions *out);
uint64_t worker_credit_deadline(const struct worker *worker);

#endif
