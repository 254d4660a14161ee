/* producer_chaos.h - the world that a producer is put into by producer_chaos.c.
 *
 * Owns: what is known of tasks, and the network.  producer_chaos_ventilator.c has
 * the ventilators.
 */
#ifndef SCENARIO_PRODUCER_CHAOS_H
#define SCENARIO_PRODUCER_CHAOS_H

#include "core/producer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { TASKS = 600, LINKS = 3, MAILS = 512 };

/* One message on its way, with all that its kind needs here. */
struct mail {
    uint64_t due_ns, batch;
    enum message_kind kind;
    uint32_t session, sequence, count;
    bool known;                         /* WELCOME */
    uint16_t tasks[TASKS];              /* SUBMIT, RESULT, DISPOSE */
    bool cancelled[TASKS];              /* RESULT */
    struct rejection rejections[TASKS]; /* ACCEPT, DISPOSED */
};

/* Keeps order; loses at random. */
struct lane {
    struct mail mails[MAILS];
    uint64_t first, end;
    uint64_t last_due_ns;
};

enum lane_name { TO_FRONT, TO_INTAKE, TO_PRODUCER, LANES };

struct ventilator {
    struct id node;
    bool connected; /* its socket and the producer's see each other */
    uint64_t connect_ns;
    uint32_t session, next_front, next_intake, next_out;
    uint64_t next_batch;
    uint32_t next_said[2]; /* sequence of the producer's next message, by passage */
    bool holds[TASKS], done[TASKS], cancelled[TASKS];
    uint32_t told[TASKS]; /* sequence of the RESULT in this session, 0 for none */
    struct lane lanes[LANES];
};

struct task {
    bool wants, bad, taken, finished;
    bool unwanted;          /* the producer was told to cancel it, and had it */
    uint32_t link, session; /* of the latest SUBMIT */
    uint8_t accepted, rejected, unknown, ended;
};

struct world {
    uint64_t seed, random, now_ns, calm_ns; /* no faults from calm_ns on */
    uint64_t unknown_ns;
    bool guarded, cancels;
    uint32_t sessions, submitted;
    struct producer *producer;
    struct producer_actions out;
    struct ventilator ventilators[LINKS];
    struct task tasks[TASKS];
    bool acted; /* something happened since the last turn */
};

/* Whether something of this probability happens; a fault only before the calm. */
bool chaos_chance(struct world *world, uint32_t in_ten_thousand);
bool chaos_fault(struct world *world, uint32_t in_ten_thousand);

/* Returns a mail to fill in, or NULL when it will be lost. */
struct mail *chaos_post(struct world *world, uint32_t link, enum lane_name name,
                        enum message_kind kind);

/* The next mail that has arrived; NULL: none. */
const struct mail *chaos_collect(struct world *world, uint32_t link, enum lane_name name);

/* A message of the session; its number is used up even when it will be lost. */
struct mail *chaos_ventilator_say(struct world *world, uint32_t link, enum message_kind kind);

/* Deals with what has arrived. */
void chaos_ventilator_receive(struct world *world, uint32_t link, enum lane_name name);

/* Some of its tasks end, and some ends are told. */
void chaos_ventilator_finish_tasks(struct world *world, uint32_t link);

/* It is another one, without its memory. */
void chaos_ventilator_restart(struct ventilator *ventilator);

#endif
