/* pool_stage.h - a pool on a stage: submits jobs, and waits for what they come to.
 *
 * Owns: the pool, its registry, copies of all that was collected.
 */
#ifndef E2E_POOL_STAGE_H
#define E2E_POOL_STAGE_H

#include "pool/pool.h"

#include <stdatomic.h>

/* ThreadSanitizer makes vfork a fork: then nobody learns why a program could not be run. */
#if defined(__SANITIZE_THREAD__)
enum { VFORK_IS_FORK = 1 };
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
enum { VFORK_IS_FORK = 1 };
#else
enum { VFORK_IS_FORK = 0 };
#endif
#else
enum { VFORK_IS_FORK = 0 };
#endif

enum { STAGE_JOBS_MAX = 20000 };

/* What became of one job. */
struct outing {
    bool over;
    enum outcome outcome;
    uint32_t retry_after_ms;
    uint64_t run_ns;
    bool has_result, has_text;
    char *result, *text; /* owned, terminated */
    uint32_t result_size, text_size;
};

struct stage {
    tmesh_registry_t *registry;
    struct nursery *nursery; /* NULL: functions run in threads */
    struct pool *pool;
    struct pool_lender lender;
    struct spawn_limits limits;
    const char *const *environment; /* of commands; NULL: the usual */
    int bell;                       /* an eventfd that the pool's wake rings */
    atomic_uint wakes;
    uint32_t submitted, over, alone; /* of those over: with a block, which every other leaves us */
    struct outing outings[STAGE_JOBS_MAX];        /* by the job's number */
    void (*_Atomic on_line)(struct stage *stage); /* called first, by whoever logs; or NULL */
    /* Under a lock: ask stage_lines and stage_log, unless it is sure that nobody logs now. */
    uint32_t lines;
    char logged[16384]; /* a line each: "LEVEL ID NAME ATTEMPT: LINE"; the first ones */
};

/* With an empty registry: add handlers, then start. */
struct stage *stage_new(void);
void stage_start(struct stage *stage, uint32_t slots);
/* The same with a process pool; fences and the log are the stage's. */
void stage_start_children(struct stage *stage, struct nursery_options options);
/* A new one, with the handlers of faults/bad.c. */
extern const char *const STAGE_BAD[];
struct stage *stage_bad(struct nursery_options options);
void stage_destroy(struct stage **stage);

/* Several at once; what they view is borrowed until they are over.  Returns the first's
 * number. */
uint32_t stage_assign(struct stage *stage, const struct assignment *assignments, uint32_t count);
/* The payload is borrowed until the job is over.  Returns the job's number. */
uint32_t stage_submit(struct stage *stage, const char *name, struct bytes payload);
/* Many at once, so that they travel together: their payload is "7", their time limit 2 s.
 * Returns the first's number. */
uint32_t stage_submit_many(struct stage *stage, const char *const *names, uint32_t count);
uint32_t stage_submit_text(struct stage *stage, const char *name, const char *payload);

/* How many lines were logged, but for those about threads that a sanitizer started. */
uint32_t stage_lines(const struct stage *stage);
/* The first of them, as `logged` has them; the caller's to free. */
char *stage_log(const struct stage *stage);

/* Collects what there is, without waiting. */
void stage_collect(struct stage *stage);

/* Waits until a run has begun that was not told of yet, and returns its job. */
uint32_t stage_await_start(struct stage *stage);

/* Waits until job `job` is over, or fails the test after a generous time. */
const struct outing *stage_await(struct stage *stage, uint32_t job);
void stage_await_all(struct stage *stage);

/* The nursery's children that are called `name`, or all of them if it is NULL; returns how
 * many, at most `most`. */
uint32_t stage_children(pid_t nursery, const char *name, pid_t *pids, uint32_t most);
/* How many descriptors a process has, with those that belong to looking at them. */
uint32_t stage_descriptors(pid_t pid);
/* The letter that /proc has for it; '\0': there is none. */
char stage_process_state(pid_t pid);
/* Whether a process has gone with all its threads: those that a sanitizer added may keep its
 * descriptors open for a moment after the first one is a zombie. */
bool stage_is_dead(pid_t pid);

/* Waits until `condition` holds, or fails the test. */
void stage_until(bool (*condition)(void *context), void *context);

#endif
