/* ledger.h - everything that is known of every task, by id.
 *
 * Owns: tasks as they were submitted, what each producer was told of each
 * submission, what became of each task in each life of a ventilator's state,
 * and every lease that was given.  Not here: what of this is wrong (checker.h).
 *
 * Rows are numbers, links among them are numbers plus one, 0 for none.
 */
#ifndef SIM_LEDGER_H
#define SIM_LEDGER_H

#include "core/record.h"
#include "plan.h"

struct mesh;

/* What a task is, and all that happened to it. */
struct ledger_task {
    struct id id;
    uint32_t name, queue;
    uint32_t payload_bytes;
    uint32_t attempts_max; /* 0: by default */
    uint32_t limit_ms, soft_ms, stalled_ms;
    bool asks_result;     /* says so when it is submitted */
    bool wants_result;    /* its producer waits for its end: it asks, or guards it */
    uint32_t submissions; /* first, plus one */
    uint32_t custodies, grants;
    uint32_t starts; /* of handlers */
};

enum submission_state {
    SUBMISSION_STAGED,   /* the application gave it to its producer */
    SUBMISSION_ACCEPTED, /* a ventilator's from here on; the end, when no result is wanted */
    SUBMISSION_REJECTED,
    SUBMISSION_UNKNOWN,
    SUBMISSION_ENDED,
    SUBMISSION_ABANDONED /* its producer's process ended first: nobody is told */
};

/* One time that an application submitted a task.  Its number is the ticket. */
struct ledger_submission {
    uint32_t task;
    uint32_t node, process;
    enum submission_state state;
    bool was_accepted;               /* told so */
    bool was_cancelled;              /* the application does not want it any more */
    uint32_t life;                   /* in which */
    uint64_t staged_ns, accepted_ns; /* on the producer's clock */
    uint32_t next;                   /* of the task */
};

/* A task in one life of a ventilator's state. */
struct custody {
    uint32_t life;
    enum task_state state;
    uint32_t attempt;
    uint64_t token;     /* of its latest lease; 0: none, or not sent yet */
    uint64_t leased_ns; /* when it was leased last, on the ventilator's clock */
    uint32_t failures, crashes, losses;
    enum reason reason;
    uint64_t end_token;           /* of the completion that ended it */
    bool told_accepted, told_end; /* to a producer: must not be forgotten */
    bool replayed, restored;      /* in this replay: an entry named it, and it is there again */
    struct restored {             /* by its entries */
        enum task_state state;
        uint32_t attempt, failures, crashes, losses;
        uint64_t token;
    } past;
    uint32_t next; /* of the task */
};

/* A lease. */
struct grant {
    uint32_t life;
    uint32_t attempt;
    uint64_t token;
    uint32_t node, process;           /* the worker */
    uint32_t session;                 /* in which it was sent */
    bool assigned, started, finished; /* handed to the pool, and so on */
    enum outcome outcome;
    uint32_t next; /* of the task */
};

/* A ventilator's state, from nothing to its loss. */
struct life {
    uint32_t node;
    bool over;
    uint32_t open; /* tasks accepted and not ended */
};

/* One session of a worker, as its ventilator counts. */
struct credit {
    uint32_t session, sequence;        /* sequence: of the CREDIT that counts */
    uint64_t tasks, bytes;             /* granted */
    uint64_t given_tasks, given_bytes; /* and used */
};

/* A lease that was cancelled under its worker, which is to be told. */
struct due_revoke {
    uint32_t ventilator, process;
    uint32_t session; /* in which the worker got it */
    struct lease lease;
};

/* A worker that is to drain, as a ventilator was told. */
struct due_drain {
    uint32_t ventilator, process;
    struct id worker;
};

enum { LIVES_MAX = 512, CREDITS_MAX = 128, DRAINS_MAX = 256 };

struct ledger {
    struct ledger_task tasks[TASKS_MAX];
    uint32_t task_count;
    struct ledger_submission *submissions;
    uint32_t submission_count, submission_room;
    struct custody *custodies;
    uint32_t custody_count, custody_room;
    struct grant *grants;
    uint32_t grant_count, grant_room;
    struct life lives[LIVES_MAX];
    uint32_t life_count;
    struct credit credits[VENTILATORS_MAX][CREDITS_MAX]; /* by the session's low bits */
    struct due_revoke revokes[TASKS_MAX];
    uint32_t revoke_count;
    struct due_drain drains[DRAINS_MAX];
    uint32_t drain_count;
    uint32_t unanswered; /* submissions */
    uint32_t open;       /* tasks in lives that are not over */
};

static const uint32_t LEDGER_NONE = UINT32_MAX;

/* A new task, of chance. */
uint32_t ledger_add_task(struct mesh *mesh);
/* The task with this id, or LEDGER_NONE. */
uint32_t ledger_find(const struct ledger *ledger, const struct id *id);

uint32_t ledger_add_submission(struct ledger *ledger, uint32_t task, uint32_t node,
                               uint32_t process);
/* NULL when there is none. */
struct custody *ledger_custody(struct ledger *ledger, uint32_t task, uint32_t life);
struct custody *ledger_add_custody(struct ledger *ledger, uint32_t task, uint32_t life);
/* Forgets all but the life of it: it is accepted anew. */
void ledger_renew_custody(struct ledger *ledger, struct custody *custody);
struct grant *ledger_grant(struct ledger *ledger, uint32_t task, const struct lease *lease);
struct grant *ledger_add_grant(struct ledger *ledger, uint32_t task, const struct lease *lease);

uint32_t ledger_begin_life(struct ledger *ledger, uint32_t node);
void ledger_forget_credits(struct ledger *ledger, uint32_t node);
void ledger_end_life(struct ledger *ledger, uint32_t life);

/* The bytes of a task's payload, and what its handler makes of it under a lease
 * (absent: .data is NULL); borrowed until the next call. */
struct bytes ledger_payload(const struct ledger *ledger, uint32_t task);
struct bytes ledger_outcome(const struct lease *lease);

struct bytes ledger_name(uint32_t name);
struct bytes ledger_queue(uint32_t queue);

void ledger_clear(struct ledger *ledger);
void ledger_free(struct ledger *ledger);

#endif
