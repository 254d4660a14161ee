/* checker.h - what must never happen, looked for at every step.
 *
 * Owns: the rules, by identity: each task, lease, session and submission is
 * followed by itself.  The first violation ends the run.
 */
#ifndef SIM_CHECKER_H
#define SIM_CHECKER_H

#include "core/producer.h"
#include "core/ventilator.h"
#include "node.h"

/* A ventilator was stepped, and asks for this. */
void checker_ventilator(struct mesh *mesh, const struct node *node,
                        const struct ventilator_event *event,
                        const struct ventilator_actions *actions);
/* It is being built again from its journal: an entry was stepped; and then all
 * were, the last and the last one that was durable when it fell being these. */
void checker_replay(struct mesh *mesh, const struct node *node, const struct journal_entry *entry);
void checker_replayed(struct mesh *mesh, const struct node *node, uint64_t last, uint64_t durable);
/* What it had is gone with its process. */
void checker_life_over(struct mesh *mesh, uint32_t life);

/* A worker hands a task to its pool. */
void checker_assigned(struct mesh *mesh, const struct node *worker,
                      const struct assignment *assignment);
/* A worker says something. */
void checker_worker_says(struct mesh *mesh, const struct node *worker,
                         const struct message *message);
/* A handler starts, or ends, under a lease. */
void checker_started(struct mesh *mesh, const struct node *worker, const struct lease *lease);
void checker_finished(struct mesh *mesh, const struct node *worker, const struct lease *lease,
                      enum outcome outcome);

/* A producer says or hears something. */
void checker_producer_says(struct mesh *mesh, struct node *producer, uint32_t link,
                           const struct message *message);
void checker_producer_hears(struct mesh *mesh, struct node *producer, uint32_t link,
                            const struct message *message);
/* A producer told its application something. */
void checker_told(struct mesh *mesh, const struct node *producer,
                  const struct producer_action *action);

/* A core says `more` for the so-many-th time in one turn: whether it may go on. */
bool checker_may_go_on(struct mesh *mesh, const struct node *node, uint32_t times);

/* Everything was healed and had its time, or is done. */
bool checker_is_done(const struct mesh *mesh);
void checker_end(struct mesh *mesh);

/* Notes a violation of `rule`. */
__attribute__((format(printf, 3, 4))) void checker_fail(struct mesh *mesh, const char *rule,
                                                        const char *format, ...);

#endif
