/* node.h - one process of the mesh: its clock, its sockets, its loop.
 *
 * Owns: what all three roles share.  A node imitates the loop of the shell in
 * src/node: it takes what has arrived, steps the core with each, then with
 * TURN until there is no more, and sleeps until the core's deadline or the next
 * arrival.  What the roles do apart is in node_ventilator.c, node_worker.c and
 * node_producer.c.
 */
#ifndef SIM_NODE_H
#define SIM_NODE_H

#include "clock.h"
#include "node_journal.h"
#include "parcel.h"
#include "plan.h"
#include "pool.h"

struct mesh;

enum node_kind { NODE_VENTILATOR, NODE_WORKER, NODE_PRODUCER };

/* A dialler's socket to one ventilator. */
struct line {
    uint32_t connection, generation;
    uint32_t life; /* of the ventilator's state that it leads to, once it is up */
    bool dialled, up;
};

struct ventilator_node {
    struct ventilator *core;
    uint32_t life; /* of its state, in the ledger */
    bool begun;    /* it has one */
};

struct worker_node {
    struct worker *core;
    struct pool pool;
    bool asked_to_drain;                                         /* from afar */
    uint32_t names, queues;                                      /* bit sets: what it serves, */
    struct bytes name_texts[NAMES_MAX], queue_texts[QUEUES_MAX]; /* in words */
};

/* Cancels on their way to one ventilator and back, in one session. */
enum { QUESTIONS_MAX = 16 };
struct questions {
    uint32_t session, heard; /* heard: the latest number of the ventilator's */
    uint32_t first, count;
    struct question {
        uint32_t count;
        struct id ids[MESSAGE_LETTERS_MAX];
    } asked[QUESTIONS_MAX];
};

struct producer_node {
    struct producer *core;
    uint32_t staged[TASKS_MAX]; /* submissions that the core did not take yet */
    uint32_t staged_first, staged_count;
    uint32_t cancels[TASKS_MAX]; /* tickets, likewise */
    uint32_t cancel_count;
    struct questions questions[VENTILATORS_MAX];
    uint64_t crowded_until_ns;
};

struct node {
    enum node_kind kind;
    uint32_t number; /* in mesh->nodes */
    char name[8];
    bool up, dark; /* not up and dark: its machine is off */
    bool draining;
    uint32_t process; /* how many of it there were */
    struct id id;
    struct clock clock;
    uint64_t frozen_until_ns, busy_until_ns;
    uint64_t drain_until_ns;
    uint64_t turn_ns; /* when it turns next, as far as it is written down */
    uint32_t turn_mark;
    struct parcel_queue inbox;
    void *memory; /* of the core */
    size_t memory_bytes;
    struct line lines[VENTILATORS_MAX][2];
    struct ventilator_node ventilator;
    struct worker_node worker;
    struct producer_node producer;
    struct journal_node journal; /* last: its disk is used from run to run */
};

/* Starts a new process, or ends it. */
enum fall { FALL_STOPPED, FALL_KILLED, FALL_DARK };
void node_rise(struct mesh *mesh, struct node *node);
void node_fall(struct mesh *mesh, struct node *node, enum fall fall);

/* The process stands still until then. */
void node_freeze(struct mesh *mesh, struct node *node, uint64_t until_ns);
bool node_is_frozen(const struct mesh *mesh, const struct node *node);

/* Takes new tasks no more, finishes, and stops; comes back later as another. */
void node_drain(struct mesh *mesh, struct node *node);

/* A parcel has reached the node's sockets. */
void node_receive(struct mesh *mesh, uint32_t node, struct parcel *parcel);
/* Something else happened that its loop wakes up for. */
void node_rouse(struct mesh *mesh, struct node *node);
void node_on_turn(struct mesh *mesh, uint32_t node, uint32_t mark);

/* What its clock shows now. */
uint64_t node_now(const struct mesh *mesh, const struct node *node);

/* Zeroed memory for its core, away from where it was before. */
void *node_memory(struct mesh *mesh, struct node *node, size_t bytes);
void node_forget_memory(struct node *node);

/* A dialler's sockets, as dials.h has them.  What arrives on them is taken by
 * the role: CONNECTED by node_line_up. */
void node_open(struct mesh *mesh, struct node *node, uint32_t link, enum passage passage);
void node_shut(struct mesh *mesh, struct node *node, uint32_t link);
void node_line_up(struct line *line, const struct parcel *parcel);
bool node_send(struct mesh *mesh, struct node *node, uint32_t link, enum passage passage,
               const struct message *message);
/* The socket by which a parcel came, or NULL when it was closed since. */
struct line *node_line(struct node *node, const struct parcel *parcel);

/* The roles.  A turn returns what the core's deadline is, on the node's clock. */
void ventilator_node_rise(struct mesh *mesh, struct node *node);
uint64_t ventilator_node_turn(struct mesh *mesh, struct node *node, uint64_t now_ns);
void ventilator_node_drain(struct mesh *mesh, struct node *node);
void worker_node_rise(struct mesh *mesh, struct node *node);
uint64_t worker_node_turn(struct mesh *mesh, struct node *node, uint64_t now_ns);
void worker_node_drain(struct mesh *mesh, struct node *node);
void producer_node_rise(struct mesh *mesh, struct node *node);
void producer_node_fall(struct mesh *mesh, struct node *node);
/* Its operator has ventilator `link` tell a worker to drain. */
void producer_node_drain(struct mesh *mesh, struct node *node, uint32_t link,
                         const struct id *worker);
uint64_t producer_node_turn(struct mesh *mesh, struct node *node, uint64_t now_ns);

#endif
