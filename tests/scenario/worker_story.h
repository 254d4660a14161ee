/* worker_story.h - one worker on a virtual clock, and what it did as text.
 *
 * Owns: the clock, the numbers that its ventilators would put into messages,
 * which job is which lease, and the trace.  Not here: ventilators and a pool;
 * each story says their lines itself.
 *
 * A lease is a letter, its task, and a digit, its attempt: "a1".  A trace line
 * is "[seconds] link what".
 */
#ifndef SCENARIO_WORKER_STORY_H
#define SCENARIO_WORKER_STORY_H

#include "core/worker.h"

enum { STORY_LINKS_MAX = 4, STORY_LETTERS = 26, STORY_ATTEMPTS = 10 };

struct worker_story {
    void *memory;
    struct worker *worker;
    struct worker_actions *out;
    uint64_t now_ns;
    uint32_t sessions; /* opened so far */
    uint32_t hellos;   /* heard so far: they are counted */
    struct {
        uint32_t session, sequence;
        uint32_t completed; /* sequence of its last COMPLETE */
        uint64_t credit_bytes;
    } links[STORY_LINKS_MAX];
    uint32_t jobs[STORY_LETTERS][STORY_ATTEMPTS]; /* plus one; 0: none */
    uint32_t limit_ms, soft_ms, stalled_ms;       /* of all tasks that are given from now on */
    uint32_t turns;
    char trace[16384];
    size_t used;
};

/* Two slots, one link, a small store. */
struct worker_options worker_story_options(void);

void worker_story_start(struct worker_story *story, const struct worker_options *options);
/* With a session on every link, with ventilators v, w, ..; its trace is empty. */
void worker_story_start_open(struct worker_story *story, const struct worker_options *options);
void worker_story_end(struct worker_story *story);

struct lease worker_story_lease(const char *name);

/* One step; its actions are added to the trace. */
void worker_story_step(struct worker_story *story, struct worker_event event);
void worker_story_on(struct worker_story *story, enum worker_event_kind kind, uint32_t link);

/* TURN, and again as long as there is more. */
void worker_story_turn(struct worker_story *story);

/* Lets time go by, with a TURN at every deadline on the way. */
void worker_story_pass(struct worker_story *story, uint64_t ms);

/* The same, while the ventilator of link 0 is heard every 100 ms. */
void worker_story_pass_heard(struct worker_story *story, uint64_t ms);

/* A connection stands, and ventilator `node` answers HELLO; its WELCOME drops
 * the leases in `drops` ("a1 b1", "" for none).  No TURN. */
void worker_story_open(struct worker_story *story, uint32_t link, char node, const char *drops);

/* The ventilator of `link` says `message`, in order. */
void worker_story_say(struct worker_story *story, uint32_t link, struct message message);

/* It gives the leases ("a1 b1"), and has `backlog` more.  Then a TURN. */
void worker_story_give(struct worker_story *story, uint32_t link, const char *leases,
                       uint64_t backlog);

/* It receipts the last COMPLETE. */
void worker_story_receipt(struct worker_story *story, uint32_t link);

/* It says that leases ("a1 b1") are over, or asks for them back; no TURN. */
void worker_story_revoke(struct worker_story *story, uint32_t link, const char *leases);
void worker_story_recall(struct worker_story *story, uint32_t link, const char *leases);

/* The run of `lease` tells of its progress; no TURN. */
void worker_story_progress(struct worker_story *story, const char *lease, uint64_t number,
                           const char *text);

/* The pool begins `lease`, or is done with it after `run_ms`; no TURN. */
void worker_story_begin(struct worker_story *story, const char *lease);
void worker_story_finish(struct worker_story *story, const char *lease, enum outcome outcome,
                         uint64_t run_ms);

struct worker_counts worker_story_counts(const struct worker_story *story);

/* Whether the trace has this text. */
bool worker_story_tells(const struct worker_story *story, const char *text);

/* Forgets the trace so far. */
void worker_story_clear(struct worker_story *story);

#endif
