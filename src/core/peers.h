/* peers.h - the nodes a ventilator talks to, and what it believes of them.
 *
 * Owns: one record for each node, through all its sessions, and how to find it
 * by node id, by session, and by link.  No messages are sent from here.
 *
 *   OPEN ---two beats missed---> SUSPECT ---silent for long---> gone
 *    ^  \------connection closed, gap in its numbers------> CLOSED --> gone
 *    +------------------- HELLO again ------------------------+
 *
 * GONE is only the moment in which what a node held is taken back, a part in
 * each turn, before its record goes.
 * A producer that is gone while results wait for it stays ABSENT for a time.
 */
#ifndef CORE_PEERS_H
#define CORE_PEERS_H

#include "heap.h"
#include "index.h"
#include "message.h"
#include "store.h"
#include "tab.h"
#include "task.h"

static const uint32_t PEER_NONE = UINT32_MAX;

enum peer_state { PEER_FREE, PEER_OPEN, PEER_SUSPECT, PEER_CLOSED, PEER_ABSENT, PEER_GONE };

struct peer {
    enum peer_state state;
    enum role role;
    uint32_t link;    /* of the session; meaningless without one */
    uint32_t session; /* 0: none now */
    uint32_t minor;   /* of the protocol, that it spoke of in HELLO */
    uint32_t hellos;  /* number of that one; 0: it does not count them */
    uint32_t next_in, next_intake, next_out;
    uint64_t birth;    /* tells this record from earlier ones in the same slot */
    uint64_t heard_ns; /* by our own clock (turn.h); 0: never yet */
    uint64_t said_ns;
    uint64_t gone_ns; /* CLOSED, ABSENT: when it is given up */
    bool stranger;    /* its WELCOME said that it is not known, and it may not have read that */
    struct stored label;
    uint32_t touched_next; /* in the list of peers to be served this turn, plus one */
    bool touched;
    bool receipt_due, receipt_more;
    uint32_t receipt_through, receipt_later; /* later: what `more` stands for */
    uint64_t receipt_lsn;                    /* due when this is durable, */
    struct tab receipt_tab;                  /* and this says so */

    /* a worker's */
    uint32_t profile, slots;
    uint32_t held, running, hung; /* as its latest HEARTBEAT said */
    bool draining;                /* it said so, or was told to */
    bool drain_told;              /* an operator wants it to, with this grace, ... */
    bool drain_due;               /* ... and it has not been told in this session */
    uint32_t drain_grace_ms;
    uint32_t unstarted; /* of these, when it stands in `stuck` */
    struct circle_link stuck;
    uint32_t recalls;                    /* leases asked back, of which nothing was heard since */
    uint64_t credit_tasks, credit_bytes; /* granted in this session */
    uint64_t given_tasks, given_bytes;   /* of these, used */
    struct task_list leases;             /* sent, oldest first */
    struct task_list fresh;              /* leased, not sent yet */
    struct task_list orphans;            /* leases to be taken back */
    uint32_t revokes;                    /* it is to be told of, in revokes; plus one, 0 for none */
    bool lost;                           /* GONE because it was lost, not because it left */
    uint32_t ring_next, ring_previous;   /* workers of the profile with credit */
    bool ringed;
    uint64_t completed;

    /* a producer's */
    bool accept_due; /* ACCEPT of this batch waits for company, */
    uint64_t accept_batch;
    struct id accept_only;    /* the task in it, if it is one: its RESULT says as much */
    uint64_t accept_by_ns;    /* until then at the latest */
    uint32_t disposed_held;   /* answers to DISPOSE of this session that wait for the disk */
    uint64_t owned;           /* tasks whose result it wants */
    struct task_list results; /* to be sent */
    struct task_list unreceipted;
    uint64_t unreceipted_bytes;
    uint32_t progress; /* a row of those in runs that it is to be told; plus one, 0 for none */
};

struct peers {
    struct index nodes;   /* by node id; slots are peer slots */
    struct index links;   /* by link: those with a session */
    uint32_t *link_peers; /* by slot of `links` */
    uint32_t *peer_links; /* by peer slot: slot in `links` plus one */
    struct peer *peers;   /* and behind the last one the head of `stuck` */
    struct circles stuck;
    struct heap deadlines;                /* by peer slot */
    uint32_t touched_first, touched_last; /* plus one; 0 for none */
    uint32_t *waiting;                    /* slots of peers that are owed what is not durable */
    uint8_t *is_waiting;                  /* by slot */
    uint32_t waiting_count;
    uint64_t births;
    uint16_t sessions;
    uint64_t producers, workers; /* with a session now */
};

void peers_init(struct peers *peers, struct arena *arena, uint32_t peers_max, uint64_t salt);

/* The peer behind a session, or PEER_NONE.  On the front the link must fit too. */
uint32_t peers_of_message(const struct peers *peers, const struct message *message,
                          enum passage passage, uint32_t link);
uint32_t peers_of_link(const struct peers *peers, uint32_t link);
uint32_t peers_of_node(const struct peers *peers, const struct id *node);

/* A record for a node that has none.  PEER_NONE when peers_max are there. */
uint32_t peers_add(struct peers *peers, const struct id *node, enum role role);
void peers_remove(struct peers *peers, uint32_t slot);

static inline uint32_t peers_stuck_head(const struct peers *peers)
{
    return peers->nodes.capacity;
}

/* Begins or ends a session.  Ending one that is not there is fine. */
void peers_open(struct peers *peers, uint32_t slot, uint32_t link, uint64_t now_ns);
void peers_shut(struct peers *peers, uint32_t slot);

/* A name for the record that outlives it harmlessly; never 0. */
uint64_t peers_reference(const struct peers *peers, uint32_t slot);
/* The slot it names, whosever that is by now. */
static inline uint32_t peers_slot(uint64_t reference)
{
    return (uint32_t)(reference & 0xffff);
}

/* Back to the slot, or PEER_NONE when that record is no more, or as good as. */
uint32_t peers_resolve(const struct peers *peers, uint64_t reference);

/* Puts a peer on the list of those to be served this turn. */
void peers_touch(struct peers *peers, uint32_t slot);
/* Takes the first of them off, or returns PEER_NONE. */
uint32_t peers_take_touched(struct peers *peers);

/* Has a peer touched when more is durable, by peers_touch_waiting. */
void peers_wait(struct peers *peers, uint32_t slot);
void peers_touch_waiting(struct peers *peers);

#endif
