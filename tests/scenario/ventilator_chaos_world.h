/* ventilator_chaos_world.h - one ventilator among good and bad peers, from a seed.
 *
 * Owns: the peers, what the network does to their messages, and the clock.
 * Not here: how long it goes on, and what must hold at the end.
 */
#ifndef SCENARIO_VENTILATOR_CHAOS_WORLD_H
#define SCENARIO_VENTILATOR_CHAOS_WORLD_H

#include "core/random.h"
#include "entry_log.h"
#include "ventilator_check.h"

enum { PRODUCERS = 3, WORKERS = 4, PEERS = PRODUCERS + WORKERS, TASKS = 300, HELD = 64 };

/* What a producer knows of one task. */
struct chaos_wish {
    bool is_submitted, is_accepted;
    enum task_state end;
    uint32_t session; /* in which the end came */
};

struct chaos_job {
    struct lease lease;
    bool is_finished; /* said so in this session, and not receipted yet */
    uint32_t sequence;
};

struct chaos_actor {
    enum role role;
    struct id node;
    uint32_t link, session, next, next_intake, next_in;
    uint64_t said_ns, credit, received; /* tasks granted and got in this session */
    bool is_silent;
    struct chaos_wish wishes[TASKS];
    struct chaos_job jobs[HELD];
    uint32_t job_count;
};

struct chaos {
    uint64_t random, now_ns, seed;
    void *memory;
    struct ventilator *ventilator;
    struct ventilator_actions *out;
    struct ventilator_check check;
    struct chaos_actor actors[PEERS];
    uint32_t links, nodes, tasks;
    bool is_healed;
    bool is_revived[TASKS]; /* an operator had it tried again, after some end */
    uint64_t revivals;
    struct entry_log log; /* stays empty without a journal */
    uint32_t crashes;     /* of the ventilator, so far */
};

enum chaos_keeping { CHAOS_IN_MEMORY, CHAOS_WITH_JOURNAL };

void chaos_begin(struct chaos *chaos, uint64_t seed, enum chaos_keeping keeping);
void chaos_end(struct chaos *chaos);

uint32_t chaos_chance(struct chaos *chaos, uint32_t limit);
struct id chaos_task_id(uint32_t task);

/* One peer does something, or something is done to it. */
void chaos_act(struct chaos *chaos);
/* TURN, and again as long as there is more; the disk may have got further. */
void chaos_turn(struct chaos *chaos);
void chaos_pass_time(struct chaos *chaos);

#endif
