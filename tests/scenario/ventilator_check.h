/* ventilator_check.h - what must be true of a ventilator after every step.
 *
 * Owns: the invariants, over its tables and over what it said and recorded.
 * It knows every task by id, not only counts.
 */
#ifndef SCENARIO_VENTILATOR_CHECK_H
#define SCENARIO_VENTILATOR_CHECK_H

#include "core/ventilator_state.h"

enum { CHECK_IDS_MAX = 262144, CHECK_SESSIONS_MAX = 4096 };

/* What the records say of one task. */
struct check_task {
    struct id id;
    enum task_state state; /* TASK_NONE: not known */
    uint32_t attempt, ended;
    bool is_restored; /* may still be claimed by the worker that had it */
};

/* What was said in one session. */
struct check_session {
    uint32_t session, next_out;
    uint64_t credit_tasks, credit_bytes, given_tasks, given_bytes;
};

struct ventilator_check {
    struct check_task *tasks;       /* a hash table by id */
    struct check_session *sessions; /* latest first to be replaced */
    uint32_t session_count;
    bool is_shallow; /* looks at the tables only when the test asks: for large ones */
};

void ventilator_check_start(struct ventilator_check *check);
void ventilator_check_end(struct ventilator_check *check);

/* Holds one step against what was known before it. */
void ventilator_check_step(struct ventilator_check *check, const struct ventilator *ventilator,
                           const struct ventilator_event *event,
                           const struct ventilator_actions *out);

/* Walks all tables.  `settled`: after a TURN that left nothing to do. */
enum check_moment { CHECK_ANY_TIME, CHECK_SETTLED };
void ventilator_check_tables(const struct ventilator *ventilator, enum check_moment moment);

/* What the records said of this task; NULL when they said nothing. */
const struct check_task *ventilator_check_task(const struct ventilator_check *check,
                                               const struct id *id);

#endif
