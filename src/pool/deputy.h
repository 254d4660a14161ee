/* deputy.h - a slot's child, as the slot sees it, and the round of jobs it is given.
 *
 * Owns: the descriptors to the child that lives, and which job of the round has begun,
 * ended, or been taken back.  Rounds are given one after the other; a child that dies
 * in the middle of one leaves what it had not begun to the next child.
 * Not here: waiting, and what becomes of results (slot_round.c).
 *
 * Functions marked "locked" are called with the slot's lock held, by any thread; the
 * others by the slot's thread alone.
 */
#ifndef POOL_DEPUTY_H
#define POOL_DEPUTY_H

#include "../core/time_limit.h"
#include "area.h"
#include "complaint.h"
#include "job.h"
#include "nursery.h"
#include "queue.h"

enum {
    /* What a run may put out at once; and one more for each minute that it has lasted. */
    DEPUTY_OUTPUT_MIB = 4
};

static const uint32_t DEPUTY_NOBODY = UINT32_MAX;

/* Why the worker ended the child. */
enum deputy_doom {
    DEPUTY_LIVES,
    DEPUTY_KILLED, /* the run was to end */
    DEPUTY_TALKS,  /* the run put out too much */
    DEPUTY_LIES    /* what it wrote into the area makes no sense */
};

enum deputy_state { DEPUTY_NONE, DEPUTY_ASKED, DEPUTY_READY, DEPUTY_LOST };

struct deputy {
    const tmesh_registry_t *registry;
    struct area area;
    int line; /* to the nursery; -1: this pool has none */

    /* The slot's thread's alone. */
    int talk, output; /* -1: there is none */
    enum deputy_state state;
    uint32_t ordered;    /* up to which number the nursery may bear children unasked */
    bool has_run;        /* the child that lives; one that never does must not be replaced fast */
    uint32_t failures;   /* births, or children that never ran, in a row */
    bool is_wide;        /* the pipe of its output */
    uint32_t heard_task; /* the task whose output was read last, and .. */
    uint64_t heard_bytes, heard_since_ns;
    struct assignment heard;
    struct complaint complaint;
    struct pace log_pace;
    uint64_t waked_ns;

    /* Written by the slot's thread, locked. */
    uint32_t round, accepted; /* accepted: results of this child */
    uint32_t inbox_used, outbox_used;
    _Atomic uint32_t count;    /* jobs; glanced at without the lock, as is .. */
    _Atomic uint64_t round_ns; /* when it was given */
    struct pool_job jobs[AREA_TASKS_MAX];
    uint32_t handlers[AREA_TASKS_MAX];

    /* Written by any thread, locked. */
    bool gone[AREA_TASKS_MAX];           /* over, or taken back */
    enum end_cause told[AREA_TASKS_MAX]; /* with is_told */
    bool is_told[AREA_TASKS_MAX];
    enum deputy_doom doom;
    uint32_t progress_seen;

    atomic_uint child;   /* the number of the one that lives or is asked for */
    atomic_bool serving; /* there is a round; glanced at without the lock */
};

/* All else is zero before: slots that were opened earlier may glance at it meanwhile. */
void deputy_open(struct deputy *deputy, const struct nursery *nursery, uint32_t slot,
                 const tmesh_registry_t *registry, struct log log);
void deputy_close(struct deputy *deputy);

/* --- its life ------------------------------------------------------------ */

/* Expects the next child, for which it asks the nursery unless it did so before; and asks
 * for the one after it, so that it comes at once when this one dies, unless children have
 * failed of late. */
void deputy_ask(struct deputy *deputy);

enum deputy_news { DEPUTY_NO_NEWS, DEPUTY_BORN, DEPUTY_BARREN, DEPUTY_DIED, DEPUTY_GONE };

/* What the nursery has to tell, without waiting: a child was born, or could not be
 * (`value` is an errno value), or it died (.. a status), or the nursery has gone. */
enum deputy_news deputy_news(struct deputy *deputy, int *value);

/* Kills the child that lives, if there is one, or the one that is asked for, if it is
 * there by now.  Any thread, locked or not. */
void deputy_kill(struct deputy *deputy);

/* --- a round ------------------------------------------------------------- */

/* Begins a new one, without jobs.  Locked. */
void deputy_clear(struct deputy *deputy);
/* False: there is no room for it.  Locked. */
bool deputy_add(struct deputy *deputy, const struct pool_job *job, const struct handler *handler);
/* Makes what is not over a round for the child that lives.  Locked. */
void deputy_give(struct deputy *deputy, uint64_t now_ns);
/* Tells the child of it, or that its output was read.  What cannot be said is said to
 * nobody: the child's end is noticed elsewhere. */
void deputy_send(struct deputy *deputy);

/* Whether the child is through with the round.  There may be jobs left. */
bool deputy_is_through(const struct deputy *deputy);
/* How many are not over.  Locked. */
uint32_t deputy_left(const struct deputy *deputy);
/* Whether of those none was begun, as it should be when the child is through.  Locked. */
bool deputy_is_plausible(const struct deputy *deputy);
/* Kills the child, whose area makes no sense.  Locked. */
void deputy_distrust(struct deputy *deputy);

struct deputy_result {
    uint32_t job;
    enum outcome outcome;
    uint64_t run_ns;
};

enum deputy_harvest { DEPUTY_NOTHING, DEPUTY_RESULT, DEPUTY_NONSENSE };

/* Takes the next result: what it says goes into `job`.  Locked. */
enum deputy_harvest deputy_take_result(struct deputy *deputy, struct tmesh_job *job,
                                       struct deputy_result *result, uint64_t now_ns);

/* After the child died with `status`, and all its results were taken: the job that
 * it died in, if any, is over; why goes into `job`.  Locked. */
bool deputy_take_victim(struct deputy *deputy, int status, struct tmesh_job *job,
                        struct deputy_result *result, uint64_t now_ns);

/* --- what it says -------------------------------------------------------- */

/* Reads from its output what there is, or a part of it if it is very much: it is what
 * the run now has to say. */
void deputy_hear(struct deputy *deputy, uint64_t now_ns);
/* Logs what it put out last, if that was no whole line. */
void deputy_end_line(struct deputy *deputy, uint64_t now_ns);
/* Listens no more to what it says. */
void deputy_hang_up(struct deputy *deputy);
/* Dooms the run that put out too much.  Locked. */
void deputy_limit_output(struct deputy *deputy, uint64_t now_ns);

/* The task that a packet of the child's is about, without views of the job's. */
bool deputy_subject(const struct deputy *deputy, uint32_t task, struct assignment *assignment);

/* --- for others ---------------------------------------------------------- */

/* Takes back what was not begun, in order, and returns how many.  Locked. */
uint32_t deputy_take_back(struct deputy *deputy, struct pool_job *jobs);

enum deputy_has { DEPUTY_HAS_IT_NOT, DEPUTY_HAD_IT, DEPUTY_RUNS_IT };

/* Takes the job back if it was not begun.  Locked. */
enum deputy_has deputy_withdraw(struct deputy *deputy, uint32_t job);

/* Asks its run to end, if it runs; and ends it.  Locked. */
void deputy_tell(struct deputy *deputy, uint32_t job, enum end_cause cause);
void deputy_end(struct deputy *deputy, uint32_t job, enum end_cause cause);

/* As slot_take_progress.  Locked. */
bool deputy_take_progress(struct deputy *deputy, struct pool_progress *progress,
                          char text[TMESH_PROGRESS_BYTES_MAX], uint64_t now_ns);

/* What it runs, or job UINT32_MAX.  Locked. */
struct pool_started deputy_current(const struct deputy *deputy);

/* Glances, which may be wrong: how many were not begun; since when a run, if any, or
 * the round lasts. */
uint32_t deputy_waiting(const struct deputy *deputy);
uint64_t deputy_began_ns(const struct deputy *deputy);
uint64_t deputy_busy_since_ns(const struct deputy *deputy);

#endif
